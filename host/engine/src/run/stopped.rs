//! What a person is told of the event at which a run stopped: where it lies, its bytes, the key's
//! state before it, and what to do next.

use super::aside::Whole;
use super::error::{RunError, Stopped};
use super::prepare::Prepared;
use super::task::StopAt;
use crate::ledger::Ledger;
use crate::log::Log;
use crate::snapshot::Store;
use retally_core::decode::{Slab, original as slab_original};
use retally_core::log::PartitionIndex;
use retally_core::reduce::{Limit, Stop, StopCause};
use retally_core::schema::shown_state;
use retally_core::shard::{Decoded, event_at};
use std::borrow::Cow;

/// How many bytes of an event or a state are shown.
const SHOWN_BYTES: usize = 2_000;

/// What the two sides of a comparison are called.
const SIDES: [&str; 2] = ["a", "b"];

/// What is known around a stop.
pub(crate) struct Around<'a> {
    /// The names of the log's partitions.
    pub names: &'a [String],
    /// The reducer's layout of a state.
    pub layout: &'a str,
    /// Where the event is stored, if its partition does not say that.
    pub place: &'a dyn Fn(PartitionIndex, u64) -> Option<String>,
    /// The side of a comparison.
    pub side: Option<String>,
    /// How to go on once the event is taken out.
    pub go_on: String,
}

/// The error for a stop of a run.
pub(crate) fn describe(at: &StopAt, prepared: &Prepared<'_>) -> RunError {
    let side = (prepared.lanes.len() > 1).then(|| named(prepared, at.lane));
    // A comparison begins at the beginning.
    let go_on = side.is_none().then(|| go_on(prepared)).flatten().unwrap_or_default();
    let around = Around {
        names: &prepared.names,
        layout: &prepared.lanes[at.lane].recipe.description().state.layout,
        place: &|partition, offset| prepared.source.place(partition, offset),
        side,
        go_on,
    };
    let original = at.whole.as_ref().map(|whole| original(at, whole, prepared.source.as_ref()));
    described_with(at.slabs.of(at.lane), &at.stop, around, original)
}

/// The error for a stop in a batch.
pub(crate) fn described(slabs: &[Decoded], stop: &Stop, around: Around<'_>) -> RunError {
    described_with(slabs, stop, around, None)
}

/// The same with the bytes of the event, if its slab does not hold them.
fn described_with(
    slabs: &[Decoded],
    stop: &Stop,
    around: Around<'_>,
    original: Option<Vec<u8>>,
) -> RunError {
    if let StopCause::Machine { message } = &stop.cause {
        return RunError::Machine(message.clone());
    }
    let Some((slab, row)) = event_at(slabs, stop.event) else {
        return RunError::Internal(format!("event {} is not in its batch", stop.event));
    };
    let position = slab.position(row);
    let (placed, own) = slab.placed.of(row);
    let row = row as usize;
    let key = String::from_utf8_lossy(slab.events.keys.get(row)).into_owned();
    let id = String::from_utf8_lossy(slab.events.ids.get(row)).into_owned();
    let place = (around.place)(placed.partition, position.offset);
    let mut help = place.map_or_else(String::new, |place| format!("\n  file   {place}"));
    let original = original.map_or_else(|| placed.original(own), Cow::Owned);
    help += &format!("\n  event  {}", shown(&original));
    let cause = &stop.cause;
    if let StopCause::Trap { state, .. } | StopCause::Limit { state, .. } = cause {
        help += &format!("\n  state  {}", told(around.layout, state));
    }
    let line = |reason: &str| Ledger::line_for(&position, &key, &id, reason);
    help += &advice(cause, around.names, &around.go_on, &line);
    let (cause, side) = (cause.to_string(), around.side);
    RunError::Stopped(Box::new(Stopped { position, side, key, id, cause, help }))
}

/// The bytes of an event that another pass read.
fn original(at: &StopAt, whole: &Whole, log: &dyn Log) -> Vec<u8> {
    let (slabs, event) = (at.slabs.of(at.lane), at.stop.event);
    let of_log = || {
        let (slab, row) = event_at(slabs, event)?;
        let spot = slab.spot(row);
        let rows = log.rows(spot.partition, &[spot.offset]).ok()?.into_iter().next()?;
        Some(slab_original(&Slab::Rows(rows), 0).into_owned())
    };
    whole.original(slabs, event).or_else(of_log).unwrap_or_default()
}

/// The way on from a snapshot, if there is one.
fn go_on(prepared: &Prepared<'_>) -> Option<String> {
    let job = prepared.job;
    let of_job = job.snapshots.as_ref().map(|snapshots| &snapshots.url);
    let url = prepared.options.snapshot.as_ref().or(of_job)?;
    let saved = Store::open(url, job.urls()).ok()?.list().ok()?;
    let newest = saved.into_iter().rev().find_map(|(_, summary)| summary.ok())?;
    let lacks = match newest.standing.finished {
        Some(_) => "",
        None => {
            " (from inside this run: then no finished run has the outcomes and emits before it)"
        }
    };
    Some(format!(", and go on with --from-snapshot {url}{lacks}"))
}

/// What a side of a comparison is called.
pub(crate) fn named(prepared: &Prepared<'_>, lane: usize) -> String {
    let described = prepared.lanes[lane].recipe.description();
    format!("{}, {}@{}", SIDES[lane], described.name, described.version)
}

/// What to do next. `line`: the ledger's line that takes the event out for a reason.
fn advice(
    cause: &StopCause,
    names: &[String],
    go_on: &str,
    line: &dyn Fn(&str) -> String,
) -> String {
    match cause {
        StopCause::KeyInTwoPartitions { first } => {
            let first = names.get(*first as usize).map_or("another one", String::as_str);
            format!(
                "\n  first  partition {first}\nhint: a key may be in many partitions where a log \
                 is rolled by day or size, with order = \"path\" in [job] (partitions one after \
                 another by name), and where partitions were written side by side, with \
                 order = \"time\" (merged by the times of their events)"
            )
        }
        StopCause::Trap { .. } => format!(
            "\nhint: mend the reducer, or write on_trap = \"reject\" in [limits], or take the \
             event out with this line in the ledger ([job] ledger), author and reason \
             filled in{go_on}:\n{}",
            line("it makes the reducer trap")
        ),
        StopCause::Limit { which, .. } => format!(
            "\nhint: {}, or take the event out with this line in the ledger ([job] ledger), author \
             and reason filled in{go_on}:\n{}",
            way_on(*which),
            line(&format!("it meets the {which} limit"))
        ),
        StopCause::Conflict => "\nhint: take one of the two out with the ledger, or write \
                                on_conflict = \"keep-first\" in [dedup]"
            .into(),
        StopCause::OtherEvent { .. } => {
            "\nhint: the ledger may be that of another log; check the entry's partition and offset"
                .into()
        }
        StopCause::Unrepeatable { .. } => {
            "\nhint: look for a static, a thread-local or a cache in the reducer; all it may keep \
             is its state"
                .into()
        }
        StopCause::Contract { .. } => {
            "\nhint: build the reducer with the SDK of this version of Retally".into()
        }
        StopCause::TooMuch { .. } => {
            "\nhint: fewer events in a batch (--batch) are fewer keys in a call; if one key alone \
             has so much, the reducer keeps what it could add up"
                .into()
        }
        StopCause::Machine { .. } | StopCause::Halted => String::new(),
    }
}

/// What to do about a limit of a call.
pub(super) fn way_on(which: Limit) -> String {
    match which {
        Limit::Deadline | Limit::Memory => format!("raise [limits] {which} if it is too tight"),
        Limit::Stack => "the reducer calls itself too deeply: mend it".to_owned(),
        Limit::State => "mend the reducer, or trust it (untrusted = false in [job]) if it shall \
                         keep so much of a key"
            .to_owned(),
    }
}

/// Bytes as text on one line.
fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let mut text: String = String::from_utf8_lossy(cut)
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    if cut.len() < bytes.len() {
        text += &format!("... ({} bytes)", bytes.len());
    }
    text
}

/// A state by the names of its layout, or else its bytes, and why.
fn told(layout: &str, state: &[u8]) -> String {
    if state.is_empty() {
        return "none yet".into();
    }
    match shown_state(layout, state) {
        Ok(text) => shown(text.as_bytes()),
        Err(why) => format!("{} (as bytes: {why})", hex(state)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES / 2)];
    let text: String = cut.iter().map(|byte| format!("{byte:02x}")).collect();
    let more = if cut.len() < bytes.len() { "..." } else { "" };
    format!("{} bytes: {text}{more}", bytes.len())
}
