//! What was decoded of a log, for replays of it that differ in what comes behind: they fold the
//! same events as often as they like, and decode them once.
//!
//! Whoever shares it between replays sees to it that they read the same log for the same job and
//! the same keys. Who cuts slabs otherwise finds his events here, too.

use super::error::RunError;
use super::lane::lock;
use crate::limits::DECODES_BYTES;
use retally_core::decode::{Events, Placed};
use retally_core::fold::Decoding;
use retally_core::log::{Offsets, PartitionIndex};
use retally_core::reduce::{Probe, Step};
use retally_core::shard::Decoded;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// See the module. What no longer fits is decoded each time.
#[derive(Debug, Default)]
pub struct Decodes(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// By partition and first offset.
    groups: BTreeMap<(PartitionIndex, u64), Arc<Group>>,
    bytes: usize,
}

/// Slabs that were decoded as one.
#[derive(Debug)]
struct Group {
    slabs: Vec<Lies>,
    events: Events,
}

/// Where the events of a slab lie: without a gap, from this one on, so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lies {
    partition: PartitionIndex,
    first: u64,
    events: usize,
}

impl Decodes {
    /// Slabs that follow one another, decoded as one for the one reader of a replay's plan.
    pub(super) fn slab(
        &self,
        placed: &[Placed],
        decoding: &mut Decoding,
        probe: &mut impl Probe,
    ) -> Result<Vec<Decoded>, RunError> {
        let Some(slabs) = placed.iter().map(lies).collect::<Option<Vec<Lies>>>() else {
            return Ok(decoding.slab(placed, probe)?);
        };
        probe.enter(Some(Step::Decode));
        let held = self.get(&slabs);
        probe.enter(None);
        if let Some(events) = held {
            return Ok(vec![decoding.kept(placed, events, None, probe)]);
        }
        let readers = decoding.read(placed, probe)?;
        if let [events] = readers.as_slice() {
            self.put(slabs, events);
        }
        Ok(readers.into_iter().map(|events| decoding.kept(placed, events, None, probe)).collect())
    }

    fn get(&self, slabs: &[Lies]) -> Option<Events> {
        let first = slabs.first()?;
        let key = (first.partition, first.first);
        let group = lock(&self.0).groups.range(..=key).next_back()?.1.clone();
        if group.slabs == slabs {
            return Some(all(&group.events));
        }
        // A part of one slab.
        let ([whole], [part]) = (group.slabs.as_slice(), slabs) else { return None };
        let from = usize::try_from(part.first.checked_sub(whole.first)?).ok()?;
        let to = from.checked_add(part.events)?;
        let is_within = whole.partition == part.partition && to <= whole.events;
        is_within.then(|| group.events.slice(from..to))
    }

    fn put(&self, slabs: Vec<Lies>, events: &Events) {
        let Some(first) = slabs.first() else { return };
        let (key, bytes) = ((first.partition, first.first), events.bytes());
        let mut held = lock(&self.0);
        if held.bytes + bytes <= DECODES_BYTES && !held.groups.contains_key(&key) {
            held.bytes += bytes;
            held.groups.insert(key, Arc::new(Group { slabs, events: all(events) }));
        }
    }
}

fn lies(placed: &Placed) -> Option<Lies> {
    let Offsets::From(first) = placed.offsets else { return None };
    Some(Lies { partition: placed.partition, first, events: placed.slab.len() })
}

fn all(events: &Events) -> Events {
    events.slice(0..events.readings.len())
}
