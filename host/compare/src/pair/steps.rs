//! The events of keys that have not parted yet, both sides beside each other: per key in log order.

use super::compare::Places;
use super::half::Half;
use super::seen::Records;
use retally_core::decode::Reading;
use retally_core::reduce::steps::Grouped;
use retally_core::reduce::steps::Taken;
use retally_core::reduce::{Outcome, Shard};

/// What an event is for one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// It reached the reducer: row of the call.
    Row(u32),
    /// It did not.
    Other(Outcome),
    /// It is no event of this key.
    Absent,
}

/// An event of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Its number in the batch of the log.
    pub(super) event: u32,
    pub(super) at: [At; 2],
}

/// The events of one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// The key's record.
    pub(super) record: u32,
    /// Where its steps end.
    pub(super) end: u32,
    /// Its number in the call of each side; none: that side's reducer got no event of it.
    pub(super) keys: [Option<u32>; 2],
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    pub(super) groups: Vec<Group>,
}

impl Steps {
    /// Sides that read events alike: the rows of both calls are the same events.
    pub(super) fn of_twins(half: &Half, number: impl Fn(&Taken) -> u32) -> Self {
        let grouped = &half.grouped;
        let step = |(row, &at): (usize, &u32)| Step {
            event: number(&half.taken[at as usize]),
            at: [At::Row(row as u32); 2],
        };
        let group = |(key, &end): (usize, &u32)| Group {
            record: grouped.slots[key],
            end,
            keys: [Some(key as u32); 2],
        };
        Self {
            steps: grouped.order.iter().enumerate().map(step).collect(),
            groups: grouped.batch.key_ends.iter().enumerate().map(group).collect(),
        }
    }

    /// Sides that read events each in its own way. `outcomes`: for each side what became of events
    /// that did not reach its reducer.
    pub(super) fn of_others(
        halves: [&Half; 2],
        places: &Places<'_>,
        outcomes: [&[(u32, Outcome)]; 2],
        shards: [&Shard; 2],
        records: &Records,
    ) -> Self {
        let mut entries: Vec<(u32, u32, u8, At)> = Vec::new();
        for side in 0..2 {
            rows(&mut entries, halves[side], side, places, records);
            for &(event, what) in outcomes[side] {
                let slot = places.slot(side, event, shards[side]);
                let record = slot.map(|slot| records.of(false, side, slot));
                if let Some(record) = record.filter(|&r| !records.get(r).is_parted()) {
                    entries.push((record, event, side as u8, At::Other(what)));
                }
            }
        }
        entries.sort_unstable_by_key(|&(record, event, side, _)| (record, event, side));
        let mut steps = Self::default();
        for (record, event, side, at) in entries {
            steps.add(record, event, usize::from(side), at);
        }
        steps.close(halves, records, |side, event| {
            let (slab, row) = places.find(side, event);
            match slab.events.readings[row] {
                Reading::Unreadable(code) => At::Other(Outcome::Malformed(code)),
                Reading::Ignored => At::Other(Outcome::Ignored),
                Reading::Ready | Reading::BadField(_) | Reading::Filtered => At::Absent,
            }
        });
        steps
    }

    /// The steps of a group.
    pub(super) fn range(&self, group: u32) -> std::ops::Range<u32> {
        let before = (group as usize).checked_sub(1);
        before.map_or(0, |before| self.groups[before].end)..self.groups[group as usize].end
    }

    fn add(&mut self, record: u32, event: u32, side: usize, at: At) {
        let open = self.groups.last().is_some_and(|group| group.record == record);
        if !open {
            let end = self.steps.len() as u32;
            self.groups.push(Group { record, end, keys: [None; 2] });
        }
        match self.steps.last_mut() {
            Some(last) if open && last.event == event => last.at[side] = at,
            _ => {
                let mut step = Step { event, at: [At::Absent; 2] };
                step.at[side] = at;
                self.steps.push(step);
            }
        }
        if let Some(group) = self.groups.last_mut() {
            group.end = self.steps.len() as u32;
        }
    }

    /// Says of events that one side alone has what they are for the other, and finds the keys'
    /// numbers in the calls.
    fn close(&mut self, halves: [&Half; 2], records: &Records, other: impl Fn(usize, u32) -> At) {
        for step in &mut self.steps {
            for side in 0..2 {
                if step.at[side] == At::Absent {
                    step.at[side] = other(side, step.event);
                }
            }
        }
        for (side, half) in halves.into_iter().enumerate() {
            for (key, &slot) in half.grouped.slots.iter().enumerate() {
                let record = records.of(false, side, slot);
                // Groups are sorted by record.
                if let Ok(at) = self.groups.binary_search_by_key(&record, |group| group.record) {
                    self.groups[at].keys[side] = Some(key as u32);
                }
            }
        }
    }
}

/// The events that reached a side's reducer.
fn rows(
    entries: &mut Vec<(u32, u32, u8, At)>,
    half: &Half,
    side: usize,
    places: &Places<'_>,
    records: &Records,
) {
    let Grouped { batch, slots, order } = &half.grouped;
    let mut row = 0;
    for (&slot, &end) in slots.iter().zip(&batch.key_ends) {
        let record = records.of(false, side, slot);
        for row in row..end {
            let taken = &half.taken[order[row as usize] as usize];
            let event = places.number(taken);
            entries.push((record, event, side as u8, At::Row(row)));
        }
        row = end;
    }
}
