//! Order "time": whether what a snapshot did not take of a log comes behind what it took. That is
//! told by the first event with a time of every partition that has something new, so those are read
//! before anything else.

use super::error::RunError;
use super::resume::{Goes, offset_of};
use crate::log::{Follow, Log};
use crate::snapshot::Summary;
use retally_core::decode::{Decoder, Placed};
use retally_core::fold::Timed;
use retally_core::log::{Micros, PartitionIndex, Place};
use retally_core::manifest::{Change, Checked};
use retally_core::receipt::{Fit, News, Present, Receipt, Took};
use retally_core::schema::{Kind, Value, display};
use retally_core::snapshot::Taken;
use std::sync::Arc;

/// Adds to `fit` what comes before events that were taken. `present`: the log as it stands, if it
/// can tell.
pub(super) fn late(
    goes: &Goes<'_>,
    summary: &Summary,
    present: Option<&[Present]>,
    fit: Option<Fit>,
) -> Result<Option<Fit>, RunError> {
    let taken = Taken { partitions: &summary.partitions, highest: &summary.highest };
    let Some(last) = taken.last() else { return Ok(fit) };
    let kept = fit.as_ref().map_or(&[][..], |fit| &fit.kept);
    let kept: Vec<Receipt> = kept.iter().map(|&place| summary.receipts[place].clone()).collect();
    // Where the log can begin behind what was taken, that is not read again.
    let behind = if kept.is_empty() { None } else { goes.log.behind(&kept) };
    let log = behind.as_deref().unwrap_or(goes.log);
    let mut all = fit;
    for (number, name) in (0..).zip(goes.names) {
        let of = |own: &Present| summary.receipts.iter().find(|other| other.known() == own.known());
        let is_as_it_was = |own: &&Present| {
            of(own).is_some_and(|receipt| receipt.took == Took::Whole && receipt.is_all_of(own))
        };
        // A partition may be made of several.
        let objects = || present.into_iter().flatten().filter(|own| own.partition == *name);
        let object = objects().find(|own| !is_as_it_was(own));
        let receipt = object.and_then(of);
        let is_all_taken = object.is_none() && objects().next().is_some();
        let is_known = all.as_ref().is_some_and(|fit| {
            // What differs in another way is told already.
            fit.changes.iter().any(|change| change.partition == *name)
        });
        if is_known || is_all_taken {
            continue;
        }
        let next = offset_of(&summary.partitions, name);
        let Some(first) = first(goes, log, number, (next, taken.highest(name)))? else { continue };
        if (first.highest, name.as_str(), first.spot.offset) >= last {
            continue;
        }
        let object = object.map_or(name, |object| &object.object).clone();
        let what = told(next, &first, last);
        let change = Change { object, partition: name.clone(), next, what };
        let fit = all.get_or_insert_with(untold);
        fit.changes.push(change);
        // All of it was there, and a limit kept from taking it.
        let is_left = receipt.is_some_and(|receipt| receipt.took != Took::Whole);
        fit.by_limit += usize::from(is_left);
    }
    Ok(all)
}

/// Of a log that cannot tell what it was.
fn untold() -> Fit {
    Fit {
        changes: Vec::new(),
        news: News::default(),
        kept: Vec::new(),
        by_limit: 0,
        untouched: 0,
        checked: Checked::Nothing,
        untold: Vec::new(),
    }
}

/// Where the first event with a time stands of those of a partition from `next` on, if there is
/// one; `highest`: of those before.
fn first(
    goes: &Goes<'_>,
    log: &dyn Log,
    partition: PartitionIndex,
    (next, highest): (u64, Micros),
) -> Result<Option<Place>, RunError> {
    let mut decoder = Decoder::new(goes.plan.clone());
    let mut follow = Follow::new(log.partitions()[partition as usize].first);
    let parts = log.parts().iter().enumerate().filter(|(_, part)| part.partition == partition);
    for (part, _) in parts {
        let mut feed = log.read(part, next)?;
        loop {
            let piece = goes.options.cancel.wait(|cx| feed.poll(cx)).ok_or(RunError::Cancelled)?;
            let Some(piece) = piece? else { break };
            let events = piece.slab.len();
            let offsets = follow.place(piece.offsets, events)?;
            let taken = offsets.before(next, events);
            if taken == events {
                continue;
            }
            let name = Arc::from(goes.names[partition as usize].as_str());
            let slab = Arc::new(piece.slab);
            let (folders, beside) = (piece.folders, piece.beside);
            let placed = Placed { partition, name, offsets, folders, beside, slab };
            let placed = placed.slice(taken..events);
            let mut readers = Vec::new();
            decoder.decode(&placed, &mut readers)?;
            let found = Timed::new(placed, readers, None).first_place(highest);
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

fn told(next: u64, first: &Place, (highest, partition, offset): (Micros, &str, u64)) -> String {
    let time = |time| display(Value::Timestamp(time), Kind::Timestamp);
    let what = match next {
        0 => "is new".to_owned(),
        _ => format!("has events behind offset {next} that were not taken"),
    };
    format!(
        "{what}, and under order \"time\" its event at offset {} ({}) comes before {partition}:\
         {offset} ({}), which was taken",
        first.spot.offset,
        time(first.highest),
        time(highest)
    )
}
