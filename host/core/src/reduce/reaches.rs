//! Where each key's events lie: the first and the last of them, and how many there are. An index
//! for whoever looks for one key in a long log; no result depends on it.
//!
//! Noted once for each key of a batch, not for each event. Kept only where it is asked for.

use super::gather::Grouped;
use super::judge::Taken;
use crate::log::{Reach, Spot};
use crate::shard::{Decoded, is_merged};
use crate::state::Slot;

/// Of every slot of a shard; none unless asked for. Events outside the subset of the run do not
/// count.
#[derive(Debug, Default)]
pub(super) struct Reaches(Option<Vec<Reach>>);

impl Reaches {
    /// From now on events are noted.
    pub(super) fn begin(&mut self) {
        self.0.get_or_insert_default();
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Of a key; none: it was not asked for.
    pub(super) fn of(&self, slot: Slot) -> Option<Reach> {
        let reaches = self.0.as_ref()?;
        Some(reaches.get(slot as usize).copied().unwrap_or_default())
    }

    /// Memory held, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |reaches| reaches.capacity() * size_of::<Reach>())
    }

    /// Notes one event of a key.
    pub(super) fn note(&mut self, slot: Slot, at: Spot) {
        let Some(reaches) = &mut self.0 else { return };
        let least = slot as usize + 1;
        reaches.resize(reaches.len().max(least), Reach::default());
        reaches[slot as usize].note(at, at, 1);
    }

    /// Notes the events of a batch that reached the reducer, of a shard with `keys` keys.
    pub(super) fn note_taken(
        &mut self,
        keys: usize,
        slabs: &[Decoded],
        taken: &[Taken],
        grouped: &Grouped,
    ) {
        let Some(reaches) = &mut self.0 else { return };
        reaches.resize(keys, Reach::default());
        let at = |row: usize| {
            let event = &taken[grouped.order[row] as usize];
            slabs[event.slab as usize].spot(event.row)
        };
        let merged = is_merged(slabs);
        let mut start = 0;
        for (&slot, &end) in grouped.slots.iter().zip(&grouped.batch.key_ends) {
            let end = end as usize;
            let reach = &mut reaches[slot as usize];
            match merged {
                // Within a key events stand in log order, that of their partitions' names.
                false => reach.note(at(start), at(end - 1), (end - start) as u64),
                true => (start..end).for_each(|row| reach.note(at(row), at(row), 1)),
            }
            start = end;
        }
    }
}
