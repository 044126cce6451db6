//! The memory of a table of ids: entries one behind the other as they come, and an index that says
//! where an id's entry lies.
//!
//! ```text
//! entry         16 bytes of digest and what the table keeps with it; its number: when it came
//! index         buckets of one cache line: 16 words, filled from the first
//! word          0 free, else upper bits of 32 of the digest | number + 1 in as few bits as do
//! home bucket   middle 64 bits of the digest * homes >> 64, then the next with a free word
//! ```
//!
//! An id looks random in memory, so that what a look-up costs is the lines it waits for. Nearly all
//! ids are new: their words are found in no bucket, which takes one line of an index that is a
//! sixth of the whole, and so mostly near; their entries are written one behind the other. Growing
//! makes the index anew and moves no entry. Nothing is ever taken out: who forgets makes the table
//! anew.
//!
//! A snapshot's ids come in order, those of a key by the uppermost bits of their digests. Were
//! these to choose the home, a table that is still growing would be filled from one end, and every
//! id would walk over all before it: so bits below choose it, which are random in any order.

use crate::limits::ID_INDEX_FULL_PERCENT;

/// What is kept of an id. Made of bytes, so that none are lost between entries.
pub(super) trait Entry: Copy {
    fn digest(&self) -> u128;
}

/// Words of a bucket.
const WORDS: usize = 16;

/// Buckets behind the last home: it spills over there. The very last always has a free word, so
/// that looking for one ends.
const TAIL_BUCKETS: usize = 2;

#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Bucket([u32; WORDS]);

impl Bucket {
    /// One bit for each word that begins as `upper` does, and one for each that is free.
    #[inline(always)]
    fn compare(&self, upper: u32, mask: u32) -> (u32, u32) {
        let (mut equal, mut free) = (0, 0);
        for (at, &word) in self.0.iter().enumerate() {
            equal |= u32::from(word & mask == upper) << at;
            free |= u32::from(word == 0) << at;
        }
        (equal & !free, free)
    }
}

/// A free word: its bucket, and its number in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FreeWord {
    bucket: usize,
    word: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Slots<E> {
    /// Buckets that are homes.
    homes: usize,
    /// Digests that are expected in all.
    expected: usize,
    /// The bits of a word that are the digest's.
    mask: u32,
    /// Homes and tail.
    buckets: Vec<Bucket>,
    entries: Entries<E>,
}

impl<E: Entry> Slots<E> {
    pub(super) fn new() -> Self {
        let buckets = vec![Bucket::default()];
        Self { homes: 0, expected: 0, mask: u32::MAX, buckets, entries: Entries::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>() + self.entries.bytes()
    }

    /// Digests that fit without growing.
    #[inline]
    fn room(&self) -> usize {
        self.homes * WORDS * ID_INDEX_FULL_PERCENT / 100
    }

    /// Finds a digest's entry, or the free word that would lead to it.
    #[inline]
    pub(super) fn find(&self, digest: u128) -> Result<usize, FreeWord> {
        let upper = upper(digest) & self.mask;
        let mut at = self.home(digest);
        loop {
            let bucket = &self.buckets[at];
            let (mut equal, free) = bucket.compare(upper, self.mask);
            while equal != 0 {
                let word = bucket.0[equal.trailing_zeros() as usize];
                let number = (word & !self.mask) as usize - 1;
                if self.entries.get(number).digest() == digest {
                    return Ok(number);
                }
                equal &= equal - 1;
            }
            if free != 0 {
                return Err(FreeWord { bucket: at, word: free.trailing_zeros() as usize });
            }
            at += 1;
        }
    }

    #[inline]
    pub(super) fn get(&self, number: usize) -> &E {
        self.entries.get(number)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: usize) -> &mut E {
        self.entries.get_mut(number)
    }

    /// Puts an entry whose digest [`Slots::find`] did not find, and the free word that it named;
    /// grows before that when the table is full.
    #[inline]
    pub(super) fn put(&mut self, place: FreeWord, entry: E) {
        let mut place = place;
        if self.entries.len >= self.room() {
            self.grow();
            place = self.free_place(entry.digest());
        }
        self.fill(place, entry.digest(), self.entries.len);
        self.entries.push(entry);
    }

    /// Half as much more, which leaves an index 0.5 to 0.75 full; or what is expected, if that is
    /// known to be worth the while.
    #[cold]
    fn grow(&mut self) {
        let half = (self.homes + self.homes / 2).max(self.homes + 2);
        let expected = homes_for(self.expected);
        let worth = self.homes + self.homes / 16;
        self.index(if expected > worth { expected } else { half });
    }

    /// Says how many digests to expect in all, those that are there included. What a table answers
    /// never depends on it.
    pub(super) fn expect(&mut self, len: usize) {
        self.expected = len;
    }

    /// Room for `len` digests in all, or somewhat more.
    pub(super) fn make_room(&mut self, len: usize) {
        if len > self.room() {
            self.index(homes_for(len).max(self.homes + self.homes / 2));
        }
    }

    /// Drops what `keep` does not keep, and the memory for it.
    pub(super) fn retain(&mut self, keep: impl Fn(&E) -> bool) {
        let mut old = std::mem::replace(&mut self.entries, Entries::new());
        for entry in old.iter_mut().filter(|entry| keep(entry)) {
            self.entries.push(*entry);
        }
        // A little more room than needed, or the next digest would make it grow.
        self.index(homes_for(self.entries.len + self.entries.len / 8));
    }

    /// The most buckets that looking for an entry takes.
    #[cfg(test)]
    pub(super) fn longest_walk(&mut self) -> usize {
        let digests: Vec<u128> = self.iter_mut().map(|entry| entry.digest()).collect();
        let walk = |digest: u128| {
            let number = self.find(digest).ok();
            let has =
                |word: &u32| *word != 0 && (word & !self.mask) as usize - 1 == number.unwrap();
            let home = self.home(digest);
            1 + self.buckets[home..].iter().position(|bucket| bucket.0.iter().any(has)).unwrap()
        };
        digests.into_iter().map(walk).max().unwrap_or(0)
    }

    /// All entries, in the order in which they came.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.entries.iter_mut()
    }

    /// Reads where a digest's word would lie, so that it is near when it is looked up. Gives
    /// something of what was read, which the caller must seem to use.
    #[inline]
    pub(super) fn near(&self, digest: u128) -> u64 {
        u64::from(self.buckets[self.home(digest)].0[0])
    }

    #[inline]
    fn home(&self, digest: u128) -> usize {
        ((u128::from((digest >> 32) as u64) * self.homes as u128) >> 64) as usize
    }

    #[inline]
    fn fill(&mut self, place: FreeWord, digest: u128, number: usize) {
        let word = upper(digest) & self.mask | (number as u32 + 1);
        self.buckets[place.bucket].0[place.word] = word;
        if place.word == WORDS - 1 && place.bucket == self.buckets.len() - 1 {
            let len = self.buckets.len() + TAIL_BUCKETS;
            self.buckets.resize(len, Bucket::default());
        }
    }

    /// Makes the index anew for another number of homes.
    #[cold]
    #[inline(never)]
    fn index(&mut self, homes: usize) {
        self.buckets = Vec::new();
        self.buckets.resize(homes + TAIL_BUCKETS, Bucket::default());
        self.homes = homes;
        // Numbers from one to as many as have room.
        let room = u32::try_from(self.room()).unwrap_or(u32::MAX);
        self.mask = u32::MAX.checked_shl(u32::BITS - room.leading_zeros()).unwrap_or(0);
        for number in 0..self.entries.len {
            let digest = self.entries.get(number).digest();
            let place = self.free_place(digest);
            self.fill(place, digest, number);
        }
    }

    /// The first free word at or behind a digest's home.
    #[inline]
    fn free_place(&self, digest: u128) -> FreeWord {
        let mut at = self.home(digest);
        loop {
            let (_, free) = self.buckets[at].compare(0, 0);
            if free != 0 {
                return FreeWord { bucket: at, word: free.trailing_zeros() as usize };
            }
            at += 1;
        }
    }
}

/// Bits that choose neither the home (those above) nor the shard (the lowest 16).
#[inline]
fn upper(digest: u128) -> u32 {
    (digest >> 16) as u32
}

/// Homes such that `len` digests fill at most [`ID_INDEX_FULL_PERCENT`] of a hundred words.
fn homes_for(len: usize) -> usize {
    (len * 100).div_ceil(ID_INDEX_FULL_PERCENT * WORDS)
}

/// Entries by number, in pieces of memory that never move.
#[derive(Debug, Clone)]
struct Entries<E> {
    len: usize,
    pieces: Vec<Vec<E>>,
}

impl<E: Entry> Entries<E> {
    /// Entries of a piece.
    const PIECE: usize = 1024;

    fn new() -> Self {
        Self { len: 0, pieces: Vec::new() }
    }

    fn bytes(&self) -> usize {
        let held = self.pieces.iter().map(|piece| piece.capacity() * size_of::<E>());
        held.sum::<usize>() + self.pieces.capacity() * size_of::<Vec<E>>()
    }

    #[inline]
    fn get(&self, number: usize) -> &E {
        &self.pieces[number / Self::PIECE][number % Self::PIECE]
    }

    #[inline]
    fn get_mut(&mut self, number: usize) -> &mut E {
        &mut self.pieces[number / Self::PIECE][number % Self::PIECE]
    }

    #[inline]
    fn push(&mut self, entry: E) {
        let last = self.pieces.last_mut().filter(|last| last.len() < last.capacity());
        match last {
            Some(last) => last.push(entry),
            None => self.push_slow(entry),
        }
        self.len += 1;
    }

    /// Room for an eighth more, so that a table of a few ids is small; at most a piece.
    #[cold]
    fn push_slow(&mut self, entry: E) {
        if self.len.is_multiple_of(Self::PIECE) {
            self.pieces.push(Vec::new());
        }
        let Some(last) = self.pieces.last_mut() else { return };
        last.reserve_exact((self.len / 8 + 4).min(Self::PIECE - last.len()));
        last.push(entry);
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.pieces.iter_mut().flatten()
    }
}
