//! The slots of a table of ids: open addressing, in the order of the ids' hash.
//!
//! ```text
//! home slot   upper 64 bits of the digest * capacity >> 64, then the next free one
//! tag         1 byte a slot: 0 free, else 0x80 | 7 bits of the digest; read eight at a time
//! entry       24 bytes a slot: digest (16), word (8)
//! ```
//!
//! A capacity need not be a power of two, so a table grows by a quarter and never holds much more than
//! it needs. Because homes keep the order of the digests, growing reads and writes from front to back.
//! Nothing is ever taken out: who forgets makes the table anew.

/// A digest's lower and upper half and the word that the table's owner keeps with it.
type Entry = [u64; 3];

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Slots behind the capacity at first: the last homes spill over there.
const TAIL_SLOTS: usize = 16;

/// Tags behind the last slot that are always free, so that eight can be read from any slot.
const GUARD_TAGS: usize = 8;

/// A search found the digest in this slot, or the free slot where it would be.
pub(super) type Found = Result<usize, usize>;

#[derive(Debug, Clone)]
pub(super) struct Slots {
    /// Homes.
    capacity: usize,
    len: usize,
    /// One per slot, and the guard.
    tags: Vec<u8>,
    /// One per slot: homes and tail.
    entries: Vec<Entry>,
}

impl Slots {
    /// Room for `len` digests without growing.
    pub(super) fn with_room(len: usize) -> Self {
        Self::with_capacity(capacity_for(len))
    }

    fn with_capacity(capacity: usize) -> Self {
        let slots = if capacity == 0 { 0 } else { capacity + TAIL_SLOTS };
        // Zeroed memory comes from the system untouched, so free slots cost nothing until used.
        Self { capacity, len: 0, tags: vec![0; slots + GUARD_TAGS], entries: vec![[0; 3]; slots] }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Slots that there are, free or not.
    pub(super) fn slots(&self) -> usize {
        self.entries.len()
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.tags.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Digests that fit without growing: seven of eight homes.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.capacity - self.capacity.div_ceil(8)
    }

    /// The room to grow to: a quarter more.
    pub(super) fn next_room(&self) -> usize {
        (self.capacity + self.capacity / 4) / 8 * 7
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

    /// Finds a digest or the place for it.
    #[inline]
    pub(super) fn find(&self, digest: u128) -> Found {
        let (lower, upper) = (digest as u64, (digest >> 64) as u64);
        let wanted = u64::from(tag(digest)) * LOW;
        let mut at = self.home(digest);
        loop {
            let eight = self.eight_tags(at);
            let differ = eight ^ wanted;
            // The classic test for zero bytes. It may also name a byte above an equal one; the digest
            // decides anyway. Free slots never match: their upper bit differs.
            let mut equal = differ.wrapping_sub(LOW) & !differ & HIGH;
            while equal != 0 {
                let slot = at + (equal.trailing_zeros() / 8) as usize;
                let entry = &self.entries[slot];
                if entry[0] == lower && entry[1] == upper {
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

    /// Puts a digest that [`Slots::find`] did not find into the free slot that it named. Returns true
    /// when slots were added at the end.
    #[inline]
    pub(super) fn put(&mut self, slot: usize, digest: u128, word: u64) -> bool {
        let tail_is_full = slot == self.entries.len();
        if tail_is_full {
            self.lengthen();
        }
        self.tags[slot] = tag(digest);
        self.entries[slot] = [digest as u64, (digest >> 64) as u64, word];
        self.len += 1;
        tail_is_full
    }

    #[cold]
    fn lengthen(&mut self) {
        let slots = self.entries.len() + TAIL_SLOTS;
        self.entries.reserve_exact(TAIL_SLOTS);
        self.entries.resize(slots, [0; 3]);
        self.tags.reserve_exact(TAIL_SLOTS);
        self.tags.resize(slots + GUARD_TAGS, 0);
    }

    pub(super) fn word(&self, slot: usize) -> u64 {
        self.entries[slot][2]
    }

    pub(super) fn set_word(&mut self, slot: usize, word: u64) {
        self.entries[slot][2] = word;
    }

    /// The digest in a slot, if it is not free.
    pub(super) fn digest(&self, slot: usize) -> Option<u128> {
        let [lower, upper, _] = self.entries[slot];
        (self.tags[slot] != 0).then_some(u128::from(upper) << 64 | u128::from(lower))
    }

    /// Reads where a digest would lie, so that it is near when it is looked up. Gives something of what
    /// was read, which the caller must seem to use.
    #[inline]
    pub(super) fn near(&self, digest: u128) -> u64 {
        let home = self.home(digest);
        let entry = self.entries.get(home).map_or(0, |entry| entry[0]);
        u64::from(self.tags[home]) ^ entry
    }
}

/// Bits that choose neither the home (the upper half) nor the shard (the lowest 16).
#[inline]
fn tag(digest: u128) -> u8 {
    (digest >> 16) as u8 | 0x80
}

/// Homes such that `len` digests fill at most seven of eight.
fn capacity_for(len: usize) -> usize {
    if len == 0 { 0 } else { (len * 8).div_ceil(7).max(8) }
}
