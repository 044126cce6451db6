//! Where each key's events lie: the first and the last of them, and how many there are. An index
//! for whoever looks for one key in a long log; no result depends on it.
//!
//! Noted once for each key of a batch, not for each event. Kept only where it is asked for
//! ([`Shard::note_places`]).

use super::fold::bases;
use super::gather::Grouped;
use super::judge::Taken;
use super::{Outcome, Shard};
use crate::log::PartitionIndex;
use crate::shard::Decoded;
use crate::state::Slot;

/// Where the events of one key lie. Events outside the subset of the run do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Partition and offset of the first.
    pub first: (PartitionIndex, u64),
    /// Partition and offset of the last.
    pub last: (PartitionIndex, u64),
    /// How many.
    pub events: u64,
}

impl Place {
    /// Notes `events` events from `first` to `last`.
    fn note(&mut self, first: (PartitionIndex, u64), last: (PartitionIndex, u64), events: u64) {
        let is_new = self.events == 0;
        self.first = if is_new { first } else { self.first.min(first) };
        self.last = if is_new { last } else { self.last.max(last) };
        self.events += events;
    }
}

/// Of every slot of a shard; empty unless asked for.
#[derive(Debug, Default)]
pub(crate) struct Places(Option<Vec<Place>>);

impl Places {
    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |places| places.capacity() * size_of::<Place>())
    }
}

impl Shard {
    /// From now on the shard notes where its keys' events lie.
    pub fn note_places(&mut self) {
        self.places.0.get_or_insert_default();
    }

    /// Where a key's events lie; none: it was not asked for.
    pub fn place(&self, slot: Slot) -> Option<Place> {
        let places = self.places.0.as_ref()?;
        Some(places.get(slot as usize).copied().unwrap_or_default())
    }

    /// Notes the events of a batch that reached the reducer.
    pub fn place_taken(&mut self, slabs: &[Decoded], taken: &[Taken], grouped: &Grouped) {
        let Some(places) = &mut self.places.0 else { return };
        places.resize(self.keys.len(), Place::default());
        let at = |row: usize| {
            let event = &taken[grouped.order[row] as usize];
            let placed = &slabs[event.slab as usize].placed;
            (placed.partition, placed.offsets.at(event.row as usize))
        };
        let mut start = 0;
        for (&slot, &end) in grouped.slots.iter().zip(&grouped.batch.key_ends) {
            let end = end as usize;
            // Within a key events stand in log order.
            places[slot as usize].note(at(start), at(end - 1), (end - start) as u64);
            start = end;
        }
    }

    /// Notes the events of a batch that have a key and did not reach the reducer.
    pub fn place_others(&mut self, slabs: &[Decoded], outcomes: &[(u32, Outcome)]) {
        if self.places.0.is_none() {
            return;
        }
        let bases = bases(slabs);
        for &(event, what) in outcomes {
            if what == Outcome::Filtered {
                continue;
            }
            let number = bases.partition_point(|&base| base <= event) - 1;
            let (slab, row) = (&slabs[number], event - bases[number]);
            let Some(slot) = self.slot_of(slab, row) else { continue };
            let at = (slab.placed.partition, slab.placed.offsets.at(row as usize));
            if let Some(places) = &mut self.places.0 {
                places.resize(self.keys.len(), Place::default());
                places[slot as usize].note(at, at, 1);
            }
        }
    }

    /// The slot of an event with a key in this shard.
    pub fn slot_of(&self, slab: &Decoded, row: u32) -> Option<Slot> {
        let range = slab.range(self.number);
        let candidates = &slab.candidates()[range.clone()];
        let at = candidates.binary_search_by_key(&row, |event| event.row).ok()?;
        self.keys.find(candidates[at].key, slab.key(range.start + at))
    }
}

/// Keys with events and without a state, in byte order, and where their events lie: what the walk
/// over keys with a state does not come by.
pub fn stateless_places(shards: &[&Shard]) -> Vec<(Vec<u8>, Place)> {
    let mut found = Vec::new();
    for shard in shards {
        let Some(places) = &shard.places.0 else { continue };
        for (slot, place) in places.iter().enumerate() {
            let slot = slot as Slot;
            if place.events > 0 && shard.keys.state(slot).is_empty() {
                found.push((shard.keys.key(slot).to_vec(), *place));
            }
        }
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    found
}
