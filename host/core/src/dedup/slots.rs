//! The slots of a table of ids: open addressing, in the order of the ids' hash.
//!
//! ```text
//! home slot   upper 64 bits of the digest * capacity >> 64, then the next free one
//! tag         1 byte a slot: 0 free, else 0x80 | 7 bits of the digest; read eight at a time
//! entry       16 bytes of digest and what the table keeps with it
//! ```
//!
//! Because homes keep the order of the digests, a capacity need not be a power of two, and growing
//! goes from front to back, in place: a table never holds two copies of itself, nor much more than
//! it needs. Nothing is ever taken out: who forgets makes the table anew.

use std::collections::VecDeque;

/// What lies in a slot. Made of bytes, so that none are lost between entries.
pub(super) trait Entry: Copy + Default {
    fn digest(&self) -> u128;
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Slots behind the capacity at first: the last homes spill over there.
const TAIL_SLOTS: usize = 16;

/// Tags behind the last slot that are always free, so that eight can be read from any slot.
const GUARD_TAGS: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct Slots<E> {
    /// Homes.
    capacity: usize,
    len: usize,
    /// One per slot, and the guard.
    tags: Vec<u8>,
    /// One per slot: homes and tail.
    entries: Vec<E>,
}

impl<E: Entry> Slots<E> {
    pub(super) fn new() -> Self {
        Self { capacity: 0, len: 0, tags: vec![0; GUARD_TAGS], entries: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.tags.capacity() + self.entries.capacity() * size_of::<E>()
    }

    /// Digests that fit without growing: nine of ten homes. Eight tags at a time make it cheap to
    /// look through the long runs of so full a table.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.capacity - self.capacity.div_ceil(10)
    }

    /// Finds a digest's slot, or the free one where it would be.
    #[inline]
    pub(super) fn find(&self, digest: u128) -> Result<usize, usize> {
        let wanted = u64::from(tag(digest)) * LOW;
        let mut at = self.home(digest);
        loop {
            let eight = self.eight_tags(at);
            let differ = eight ^ wanted;
            // The classic test for zero bytes. It may also name a byte above an equal one; the
            // digest decides anyway. Free slots never match: their upper bit differs.
            let mut equal = differ.wrapping_sub(LOW) & !differ & HIGH;
            while equal != 0 {
                let slot = at + (equal.trailing_zeros() / 8) as usize;
                if self.entries[slot].digest() == digest {
                    return Ok(slot);
                }
                equal &= equal - 1;
            }
            let free = !eight & HIGH;
            if free != 0 {
                return Err(at + (free.trailing_zeros() / 8) as usize);
            }
            at += 8;
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: usize) -> &E {
        &self.entries[slot]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: usize) -> &mut E {
        &mut self.entries[slot]
    }

    /// Puts an entry whose digest [`Slots::find`] did not find into the free slot that it named;
    /// grows before that when the table is full.
    #[inline]
    pub(super) fn put(&mut self, slot: usize, entry: E) {
        let mut slot = slot;
        if self.len >= self.room() {
            // A third more: a table is 0.67 to 0.9 full.
            self.rebuild((self.capacity + self.capacity / 3).max(8), |_| true);
            slot = self.free_slot(entry.digest());
        }
        self.fill(slot, entry);
        self.len += 1;
    }

    /// Room for `len` digests in all, or somewhat more.
    pub(super) fn make_room(&mut self, len: usize) {
        if len > self.room() {
            self.rebuild(capacity_for(len).max(self.capacity + self.capacity / 3), |_| true);
        }
    }

    /// Drops what `keep` does not keep, and the memory for it.
    pub(super) fn retain(&mut self, keep: impl Fn(&E) -> bool) {
        let kept = self.iter_mut().filter(|entry| keep(entry)).count();
        // A little more room than needed, or the next digest would make it grow.
        self.rebuild(capacity_for(kept + kept / 8), keep);
    }

    /// All entries, in the order of their slots.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        let slots = self.entries.iter_mut().zip(&self.tags);
        slots.filter(|(_, tag)| **tag != 0).map(|(entry, _)| entry)
    }

    /// Reads where a digest would lie, so that it is near when it is looked up. Gives something of
    /// what was read, which the caller must seem to use.
    #[inline]
    pub(super) fn near(&self, digest: u128) -> u64 {
        let home = self.home(digest);
        let entry = self.entries.get(home).map_or(0, |entry| entry.digest() as u64);
        u64::from(self.tags[home]) ^ entry
    }

    #[inline]
    fn home(&self, digest: u128) -> usize {
        (((digest >> 64) * self.capacity as u128) >> 64) as usize
    }

    #[inline]
    fn eight_tags(&self, at: usize) -> u64 {
        let mut eight = [0; 8];
        eight.copy_from_slice(&self.tags[at..at + 8]);
        u64::from_le_bytes(eight)
    }

    #[inline]
    fn free_slot(&self, digest: u128) -> usize {
        let mut at = self.home(digest);
        loop {
            let free = !self.eight_tags(at) & HIGH;
            if free != 0 {
                return at + (free.trailing_zeros() / 8) as usize;
            }
            at += 8;
        }
    }

    #[inline]
    fn fill(&mut self, slot: usize, entry: E) {
        if slot == self.entries.len() {
            self.set_slots(slot + TAIL_SLOTS);
        }
        self.tags[slot] = tag(entry.digest());
        self.entries[slot] = entry;
    }

    #[cold]
    fn set_slots(&mut self, slots: usize) {
        self.entries.reserve_exact(slots.saturating_sub(self.entries.len()));
        self.entries.resize(slots, E::default());
        self.tags.reserve_exact((slots + GUARD_TAGS).saturating_sub(self.tags.len()));
        self.tags.resize(slots + GUARD_TAGS, 0);
    }

    /// Lays the table out for another capacity, in place: moves what is kept to the very end, then
    /// from there to where it belongs, from front to back. Both ways keep the order, so a slot that
    /// is written lies before those that are yet to be read, or few entries behind: these wait in a
    /// queue.
    #[cold]
    #[inline(never)]
    fn rebuild(&mut self, capacity: usize, keep: impl Fn(&E) -> bool) {
        let before = self.entries.len();
        let slots = if capacity == 0 { 0 } else { capacity + TAIL_SLOTS };
        self.set_slots(slots.max(before));
        let mut unread = self.entries.len();
        for slot in (0..before).rev() {
            if self.tags[slot] != 0 && keep(&self.entries[slot]) {
                unread -= 1;
                self.entries[unread] = self.entries[slot];
            }
        }
        let end = self.entries.len();
        self.len = end - unread;
        self.capacity = capacity;
        self.tags.fill(0);
        let mut waiting = VecDeque::new();
        let mut last = 0;
        loop {
            let entry = match waiting.pop_front() {
                Some(entry) => entry,
                None if unread == end => break,
                None => {
                    unread += 1;
                    self.entries[unread - 1]
                }
            };
            let slot = self.free_slot(entry.digest());
            while unread <= slot && unread < end {
                waiting.push_back(self.entries[unread]);
                unread += 1;
            }
            self.fill(slot, entry);
            last = last.max(slot + 1);
        }
        if slots.max(last) < self.entries.len() {
            self.set_slots(slots.max(last));
            self.entries.shrink_to_fit();
            self.tags.shrink_to_fit();
        }
    }
}

/// Bits that choose neither the home (the upper half) nor the shard (the lowest 16).
#[inline]
fn tag(digest: u128) -> u8 {
    (digest >> 16) as u8 | 0x80
}

/// Homes such that `len` digests fill at most nine of ten.
fn capacity_for(len: usize) -> usize {
    if len == 0 { 0 } else { (len * 10).div_ceil(9).max(8) }
}
