//! The steps of judgement that need memory, in their order: order, quarantine, fields,
//! de-duplication. What is left goes to the reducer; what a subset leaves out never comes here.

use super::{OnConflict, Outcome, Quarantine, Rules, Stop, StopCause};
use crate::decode::Reading;
use crate::dedup::{IdTable, Seen};
use crate::log::Order;
use crate::shard::{Candidate, Decoded, Numbering, is_merged};
use crate::state::{KeyTable, Slot};

/// An event that reaches the reducer.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Its key.
    pub slot: Slot,
    /// Number of its slab in the batch.
    pub slab: u32,
    /// Its number among the slab's candidates.
    pub candidate: u32,
    /// Its row in the slab.
    pub row: u32,
}

/// Judges the events of `shard` in log order. Those that reach the reducer are appended to `taken`,
/// what became of the others to `outcomes` as (number in the batch, outcome).
///
/// # Errors
/// [`Stop`] at the first event with which the run cannot go on.
pub(crate) fn judge(
    slabs: &[Decoded],
    shard: usize,
    rules: &Rules,
    keys: &mut KeyTable,
    ids: &mut IdTable,
    taken: &mut Vec<Taken>,
    outcomes: &mut Vec<(u32, Outcome)>,
) -> Result<(), Stop> {
    if is_merged(slabs) {
        return judge_merged(slabs, shard, rules, keys, ids, taken, outcomes);
    }
    let mut base = 0;
    taken.reserve(slabs.iter().map(|slab| slab.range(shard).len()).sum());
    for (number, slab) in slabs.iter().enumerate() {
        let range = slab.range(shard);
        let candidates = &slab.candidates()[range.clone()];
        keys.touch(candidates.iter().map(|event| event.key));
        ids.touch(candidates.iter().map(|event| event.id));
        for (event, candidate) in candidates.iter().zip(range) {
            let row = event.row;
            let stop = |cause| Stop { event: base + row, cause };
            let key = slab.key(candidate);
            let (slot, what) = judge_one(slab, event, key, rules, keys, ids).map_err(stop)?;
            let (slab, candidate) = (number as u32, candidate as u32);
            match what {
                None => taken.push(Taken { slot, slab, candidate, row }),
                Some(what) => outcomes.push((base + row, what)),
            }
        }
        base += slab.len() as u32;
    }
    Ok(())
}

/// Events that are looked at ahead of their turn.
const AHEAD: usize = 1024;

/// The same where slabs do not follow one another: the shard's events of all of them are sorted by
/// their numbers first.
fn judge_merged(
    slabs: &[Decoded],
    shard: usize,
    rules: &Rules,
    keys: &mut KeyTable,
    ids: &mut IdTable,
    taken: &mut Vec<Taken>,
    outcomes: &mut Vec<(u32, Outcome)>,
) -> Result<(), Stop> {
    let numbering = Numbering::new(slabs);
    let mut own: Vec<(u32, u32, u32)> = Vec::new();
    for (number, slab) in slabs.iter().enumerate() {
        let range = slab.range(shard);
        let events = slab.candidates()[range.clone()].iter().zip(range);
        own.extend(events.map(|(event, candidate)| {
            (numbering.of(number, event.row), number as u32, candidate as u32)
        }));
    }
    own.sort_unstable();
    taken.reserve(own.len());
    let at = |slab: u32, candidate: u32| &slabs[slab as usize].candidates()[candidate as usize];
    for some in own.chunks(AHEAD) {
        keys.touch(some.iter().map(|&(_, slab, candidate)| at(slab, candidate).key));
        ids.touch(some.iter().map(|&(_, slab, candidate)| at(slab, candidate).id));
        for &(number, slab, candidate) in some {
            let (event, own) = (at(slab, candidate), &slabs[slab as usize]);
            let stop = |cause| Stop { event: number, cause };
            let key = own.key(candidate as usize);
            let (slot, what) = judge_one(own, event, key, rules, keys, ids).map_err(stop)?;
            match what {
                None => taken.push(Taken { slot, slab, candidate, row: event.row }),
                Some(what) => outcomes.push((number, what)),
            }
        }
    }
    Ok(())
}

#[inline]
fn judge_one(
    slab: &Decoded,
    event: &Candidate,
    key: &[u8],
    rules: &Rules,
    keys: &mut KeyTable,
    ids: &mut IdTable,
) -> Result<(Slot, Option<Outcome>), StopCause> {
    let partition = slab.placed.of(event.row).0.partition;
    let slot = keys.slot(event.key, key, partition);
    let known = keys.get_mut(slot);
    if rules.order == Order::Log && known.home != partition {
        return Err(StopCause::KeyInTwoPartitions { first: known.home });
    }
    if let Some(entry) = quarantine(slab, event.row, rules)? {
        let _: &Quarantine = entry;
        return Ok((slot, Some(Outcome::Quarantined)));
    }
    if let Reading::BadField(code) = event.reading {
        return Ok((slot, Some(Outcome::Malformed(code))));
    }
    let after = known.highest.max(event.time);
    match ids.see(event.id, event.content, slot, known.highest, after) {
        Seen::New => known.highest = after,
        Seen::Duplicate => return Ok((slot, Some(Outcome::Duplicate))),
        Seen::Conflict if rules.on_conflict == OnConflict::Stop => return Err(StopCause::Conflict),
        Seen::Conflict => return Ok((slot, Some(Outcome::Conflict))),
    }
    Ok((slot, None))
}

/// The entry that takes the event out, if there is one and what it says of the event holds.
fn quarantine<'a>(
    slab: &Decoded,
    row: u32,
    rules: &'a Rules,
) -> Result<Option<&'a Quarantine>, StopCause> {
    if rules.quarantine.is_empty() {
        return Ok(None);
    }
    let Some(entry) = rules.quarantine.get(&slab.spot(row)) else { return Ok(None) };
    let at = row as usize;
    let pairs = [(&entry.key, "key", &slab.events.keys), (&entry.id, "id", &slab.events.ids)];
    for (said, name, found) in pairs {
        let found = found.get(at);
        if let Some(said) = said
            && said.as_bytes() != found
        {
            let found = String::from_utf8_lossy(found).into_owned();
            return Err(StopCause::OtherEvent { name, said: said.clone(), found });
        }
    }
    Ok(Some(entry))
}
