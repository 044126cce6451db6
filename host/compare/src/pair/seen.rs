//! What is kept of every key that two sides fold: a few bytes, and where it parted.
//!
//! Sides that read events alike give a key one slot; else each has its own, and a key finds its
//! record by its bytes.

use hashbrown::HashTable;
use retally_core::log::{Micros, PartitionIndex};
use retally_core::reduce::Outcome;
use retally_core::state::{KeyTable, Slot};

/// No input, no place in a list.
const NONE: u32 = u32::MAX;

/// What is kept of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// One bit for each of [`Shared::inputs`](super::Shared::inputs) of which the key had an event
    /// that reached a reducer, up to and with the one at which it parted; the last bit stands for
    /// all inputs from the 64th on.
    pub inputs: u64,
    /// How many such events there were.
    pub events: u32,
    parted: u32,
    /// One bit for each outcome (see [`outcome_bit`]) that one of them had on a side.
    pub outcomes: u16,
}

impl Default for Seen {
    fn default() -> Self {
        Self { inputs: 0, events: 0, parted: NONE, outcomes: 0 }
    }
}

impl Seen {
    /// Counts an event that reached a reducer.
    #[inline]
    pub(super) fn count(&mut self, input: Option<u8>) {
        self.events = self.events.saturating_add(1);
        self.inputs |= input.map_or(0, |input| 1 << input.min(63));
    }

    /// Whether the sides parted at one of the key's events.
    pub fn is_parted(&self) -> bool {
        self.parted != NONE
    }
}

/// The bit of an outcome in [`Seen::outcomes`].
pub fn outcome_bit(what: Outcome) -> u16 {
    1 << match what {
        Outcome::Applied => 0,
        Outcome::Rejected(_) => 1,
        Outcome::Trapped => 2,
        Outcome::Duplicate => 3,
        Outcome::Conflict => 4,
        Outcome::Malformed(_) => 5,
        Outcome::Ignored => 6,
        Outcome::Quarantined => 7,
        Outcome::Filtered => 8,
    }
}

/// The first event of a key at which its sides parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parted {
    /// Its partition.
    pub partition: PartitionIndex,
    /// Its offset.
    pub offset: u64,
    /// Its time.
    pub time: Micros,
    /// Its input on each side, by the numbers of [`Shared::inputs`](super::Shared::inputs).
    pub inputs: [Option<u8>; 2],
    /// What became of it on each side; none: there it is no event of this key.
    pub outcomes: [Option<Outcome>; 2],
}

/// The records of all keys of one shard.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Apart only: finds a record by its key.
    index: HashTable<u32>,
    /// Apart only: a side and a slot that give the record's key.
    owners: Vec<(u8, Slot)>,
    /// Apart only: for each side and slot the record.
    of: [Vec<u32>; 2],
    seen: Vec<Seen>,
    parted: Vec<Parted>,
}

impl Records {
    /// Makes records for keys that are new.
    pub(super) fn follow(&mut self, twins: bool, keys: [&KeyTable; 2]) {
        if twins {
            self.seen.resize(keys[0].len(), Seen::default());
            return;
        }
        for (side, table) in keys.iter().enumerate() {
            for slot in self.of[side].len() as Slot..table.len() as Slot {
                let record = self.record_for(side, slot, keys);
                self.of[side].push(record);
            }
        }
    }

    fn record_for(&mut self, side: usize, slot: Slot, keys: [&KeyTable; 2]) -> u32 {
        let owner = |&(side, slot): &(u8, Slot)| (keys[usize::from(side)], slot);
        let (table, owners) = (keys[side], &self.owners);
        let hash = table.hash(slot);
        let same = |&record: &u32| {
            let (known, at) = owner(&owners[record as usize]);
            known.hash(at) == hash && known.key(at) == table.key(slot)
        };
        if let Some(&record) = self.index.find(hash.rotate_left(16), same) {
            return record;
        }
        let record = self.seen.len() as u32;
        self.seen.push(Seen::default());
        self.owners.push((side as u8, slot));
        let owners = &self.owners;
        self.index.insert_unique(hash.rotate_left(16), record, |&record| {
            let (known, at) = owner(&owners[record as usize]);
            known.hash(at).rotate_left(16)
        });
        record
    }

    /// The record of a key of a side.
    #[inline]
    pub(super) fn of(&self, twins: bool, side: usize, slot: Slot) -> u32 {
        if twins { slot } else { self.of[side][slot as usize] }
    }

    /// The slot that a side has for the key of a record.
    pub(super) fn slot(
        &self,
        twins: bool,
        side: usize,
        record: u32,
        keys: [&KeyTable; 2],
    ) -> Option<Slot> {
        if twins {
            return Some(record);
        }
        let (owner, slot) = self.owners[record as usize];
        let table = keys[usize::from(owner)];
        keys[side].find(table.hash(slot), table.key(slot))
    }

    /// The key of a record.
    pub(super) fn key<'a>(&self, twins: bool, record: u32, keys: [&'a KeyTable; 2]) -> &'a [u8] {
        if twins {
            return keys[0].key(record);
        }
        let (owner, slot) = self.owners[record as usize];
        keys[usize::from(owner)].key(slot)
    }

    #[inline]
    pub(super) fn get(&self, record: u32) -> &Seen {
        &self.seen[record as usize]
    }

    /// Adds what events of a key were, up to where it parted.
    pub(super) fn add(&mut self, record: u32, more: &Seen) {
        let seen = &mut self.seen[record as usize];
        seen.events = seen.events.saturating_add(more.events);
        seen.inputs |= more.inputs;
        seen.outcomes |= more.outcomes;
    }

    pub(super) fn outcome(&mut self, record: u32, what: Outcome) {
        self.seen[record as usize].outcomes |= outcome_bit(what);
    }

    /// Notes that a key parted; gives the number of its divergence.
    pub(super) fn part(&mut self, record: u32, parted: Parted) -> u32 {
        let number = self.parted.len() as u32;
        self.seen[record as usize].parted = number;
        self.parted.push(parted);
        number
    }

    /// Where a key parted, and the number of its divergence.
    pub(super) fn parted(&self, record: u32) -> Option<(u32, &Parted)> {
        let number = self.seen[record as usize].parted;
        self.parted.get(number as usize).map(|parted| (number, parted))
    }

    /// Memory held, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.index.allocation_size()
            + self.owners.capacity() * size_of::<(u8, Slot)>()
            + self.of.iter().map(|list| list.capacity() * 4).sum::<usize>()
            + self.seen.capacity() * size_of::<Seen>()
            + self.parted.capacity() * size_of::<Parted>()
    }
}
