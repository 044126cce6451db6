//! Every key's state, counts and times: the memory of one shard.
//!
//! Keys are told apart by their bytes; the hash only finds them.

use crate::log::{Micros, PartitionIndex};
use hashbrown::HashTable;

/// A key's number within its shard; never reused.
pub type Slot = u32;

/// What the host keeps of one key but its state: one line of memory.
#[derive(Debug)]
#[repr(align(64))]
pub struct KeyState {
    hash: u64,
    key_start: u64,
    key_bytes: u32,
    /// The partition in which the key lives (order "log") or was first seen.
    pub home: PartitionIndex,
    /// Number within the batch at hand; [`KeyState::UNTOUCHED`] outside one.
    pub(crate) mark: u32,
    /// Whether anything of it may differ from what the last snapshot has.
    is_fresh: bool,
    /// Events that the reducer applied.
    pub applied: u64,
    /// Highest time of events seen; [`Micros::MIN`] before the first.
    pub highest: Micros,
    /// Time of the last applied event.
    pub last: Micros,
}

const _: () = assert!(size_of::<KeyState>() == 64);

impl KeyState {
    pub(crate) const UNTOUCHED: u32 = u32::MAX;
}

/// Keys of one shard.
#[derive(Debug, Default)]
pub struct KeyTable {
    index: HashTable<Slot>,
    slots: Vec<KeyState>,
    /// One per slot: the reducer's bytes; empty: no state.
    states: Vec<Vec<u8>>,
    bytes: Vec<u8>,
    state_bytes: usize,
}

impl KeyTable {
    /// Reads ahead where keys with these hashes lie: each look-up would wait for three lines in a
    /// row, and these reads, on which nothing depends, wait together.
    pub fn touch(&self, hashes: impl Iterator<Item = u64>) {
        let read = hashes.fold(0, |read, hash| {
            let near = self.index.find(spread(hash), |&slot| self.hash(slot) == hash);
            let start = near.map_or(0, |&slot| self.slots[slot as usize].key_start as usize);
            read ^ self.bytes.get(start).map_or(0, |&byte| byte)
        });
        std::hint::black_box(read);
    }

    /// Makes room for so many more keys.
    pub fn reserve(&mut self, keys: usize) {
        let slots = &self.slots;
        self.index.reserve(keys, |&slot| spread(slots[slot as usize].hash));
        self.slots.reserve(keys);
        self.states.reserve(keys);
    }

    /// The slot of `key`, made if it is new.
    #[inline]
    pub fn slot(&mut self, hash: u64, key: &[u8], home: PartitionIndex) -> Slot {
        let (slots, bytes) = (&self.slots, &self.bytes);
        let same = |&slot: &Slot| {
            let known = &slots[slot as usize];
            known.hash == hash && key_of(bytes, known) == key
        };
        if let Some(&slot) = self.index.find(spread(hash), same) {
            return slot;
        }
        self.insert(hash, key, home)
    }

    fn insert(&mut self, hash: u64, key: &[u8], home: PartitionIndex) -> Slot {
        let slot = self.slots.len() as Slot;
        self.slots.push(KeyState {
            hash,
            key_start: self.bytes.len() as u64,
            key_bytes: key.len() as u32,
            home,
            mark: KeyState::UNTOUCHED,
            is_fresh: true,
            applied: 0,
            highest: Micros::MIN,
            last: 0,
        });
        self.states.push(Vec::new());
        self.bytes.extend_from_slice(key);
        let slots = &self.slots;
        self.index.insert_unique(spread(hash), slot, |&slot| spread(slots[slot as usize].hash));
        slot
    }

    /// The slot of `key`, if it was seen.
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Slot> {
        let same = |&slot: &Slot| self.hash(slot) == hash && self.key(slot) == key;
        self.index.find(spread(hash), same).copied()
    }

    /// Takes over the keys that `other` has beyond those of this table, under the same slots: for
    /// two reducers that read events alike, of which one alone judges.
    pub fn follow(&mut self, other: &Self) {
        for slot in self.slots.len() as Slot..other.slots.len() as Slot {
            let known = other.get(slot);
            self.insert(known.hash, other.key(slot), known.home);
        }
    }

    /// The hash of a key.
    #[inline]
    pub fn hash(&self, slot: Slot) -> u64 {
        self.slots[slot as usize].hash
    }

    /// What is kept of `slot`.
    #[inline]
    pub fn get(&self, slot: Slot) -> &KeyState {
        &self.slots[slot as usize]
    }

    /// What is kept of `slot`, to be changed; states through [`KeyTable::set_state`].
    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> &mut KeyState {
        let key = &mut self.slots[slot as usize];
        key.is_fresh = true;
        key
    }

    /// Whether anything of the key may have changed since it was last said to be [kept].
    ///
    /// [kept]: KeyTable::settle
    #[inline]
    pub fn is_fresh(&self, slot: Slot) -> bool {
        self.slots[slot as usize].is_fresh
    }

    /// Says that a snapshot has the key as it is.
    #[inline]
    pub fn settle(&mut self, slot: Slot) {
        self.slots[slot as usize].is_fresh = false;
    }

    /// The bytes of the key.
    #[inline]
    pub fn key(&self, slot: Slot) -> &[u8] {
        key_of(&self.bytes, &self.slots[slot as usize])
    }

    /// The reducer's bytes for the key; empty: no state.
    #[inline]
    pub fn state(&self, slot: Slot) -> &[u8] {
        &self.states[slot as usize]
    }

    /// Says that no snapshot has any key as it is.
    pub fn unsettle(&mut self) {
        self.slots.iter_mut().for_each(|key| key.is_fresh = true);
    }

    /// Replaces a state, keeping its memory where it fits, else with an eighth to spare: a vector
    /// that grows by itself would take up to twice as much.
    #[inline]
    pub fn set_state(&mut self, slot: Slot, state: &[u8]) {
        self.slots[slot as usize].is_fresh = true;
        let held = &mut self.states[slot as usize];
        let before = held.capacity();
        held.clear();
        if before < state.len() {
            *held = Vec::with_capacity(state.len() + state.len() / 8);
        }
        held.extend_from_slice(state);
        self.state_bytes = self.state_bytes - before + held.capacity();
    }

    /// Replaces a state by one that need not be written for it.
    #[cfg(test)]
    pub(crate) fn put_state(&mut self, slot: Slot, state: Vec<u8>) {
        let before = std::mem::replace(&mut self.states[slot as usize], state);
        self.state_bytes -= before.capacity();
        self.state_bytes += self.states[slot as usize].capacity();
    }

    /// Number of keys ever seen.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no key was seen.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Slots whose keys have a state, unordered.
    pub fn with_state(&self) -> impl Iterator<Item = Slot> + '_ {
        let held = |(slot, state): (usize, &Vec<u8>)| (!state.is_empty()).then_some(slot as Slot);
        self.states.iter().enumerate().filter_map(held)
    }

    /// Highest times by slot, for what is forgotten by them.
    pub fn highest(&self) -> Vec<Micros> {
        self.slots.iter().map(|key| key.highest).collect()
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.index.allocation_size()
            + self.slots.capacity() * size_of::<KeyState>()
            + self.states.capacity() * size_of::<Vec<u8>>()
            + self.bytes.capacity()
            + self.state_bytes
    }
}

/// The upper bits of a hash are the same for all keys of a shard; a table wants them to differ.
#[inline]
fn spread(hash: u64) -> u64 {
    hash.rotate_left(16)
}

#[inline]
fn key_of<'a>(bytes: &'a [u8], key: &KeyState) -> &'a [u8] {
    let start = key.key_start as usize;
    &bytes[start..start + key.key_bytes as usize]
}
