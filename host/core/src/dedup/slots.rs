//! The slots of a table of ids: open addressing over buckets of two cache lines, in the order of
//! the ids' hash.
//!
//! ```text
//! home bucket   upper 64 bits of the digest * homes >> 64, then the next with a free slot
//! bucket        8 tags, of which 5 are used | 5 entries
//! tag           0 free, else 0x80 | 7 bits of the digest; eight are read at a time
//! entry         16 bytes of digest and what the table keeps with it
//! ```
//!
//! An id looks random in memory, so that what a look-up costs is the lines it waits for: tags and
//! entries of a bucket lie side by side, and most look-ups end in their home bucket.
//!
//! Because homes keep the order of the digests, their number need not be a power of two, so that a
//! table grows by a third, and growing reads and writes from front to back. Nothing is ever taken
//! out: who forgets makes the table anew.

/// What lies in a slot. Made of bytes, so that none are lost between entries.
pub(super) trait Entry: Copy + Default {
    fn digest(&self) -> u128;
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Entries of a bucket: with the tags, 24 bytes each make two cache lines, 36 make three.
const SLOTS: usize = 5;

/// The upper bits of the tags that are used.
const USED: u64 = HIGH >> (8 * (8 - SLOTS));

/// Buckets behind the last home: it spills over there. The very last always has a free slot, so
/// that looking for one ends.
const TAIL_BUCKETS: usize = 2;

#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
struct Bucket<E> {
    tags: [u8; 8],
    entries: [E; SLOTS],
}

const _: () = assert!(size_of::<Bucket<[u8; 24]>>() == 128);
const _: () = assert!(size_of::<Bucket<[u8; 36]>>() == 192);

impl<E> Bucket<E> {
    #[inline]
    fn tags(&self) -> u64 {
        u64::from_le_bytes(self.tags)
    }

    /// The first free slot.
    #[inline]
    fn free(&self) -> Option<usize> {
        let free = !self.tags() & USED;
        (free != 0).then(|| (free.trailing_zeros() / 8) as usize)
    }
}

/// A slot: its bucket, and its number in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    bucket: usize,
    slot: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Slots<E> {
    /// Buckets that are homes.
    homes: usize,
    len: usize,
    /// Digests that are expected in all.
    expected: usize,
    /// Homes and tail.
    buckets: Vec<Bucket<E>>,
}

impl<E: Entry> Slots<E> {
    pub(super) fn new() -> Self {
        Self { homes: 0, len: 0, expected: 0, buckets: vec![Bucket::default()] }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket<E>>()
    }

    /// Digests that fit without growing: 86 of a hundred slots. Buckets of five are then full often
    /// enough to be worth their memory and seldom enough to be where most look-ups end.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.homes * SLOTS * 86 / 100
    }

    /// Finds a digest's slot, or the free one where it would be.
    #[inline]
    pub(super) fn find(&self, digest: u128) -> Result<Place, Place> {
        let wanted = u64::from(tag(digest)) * LOW;
        let mut at = self.home(digest);
        loop {
            let bucket = &self.buckets[at];
            let differ = bucket.tags() ^ wanted;
            // The classic test for zero bytes. It may also name a byte above an equal one; the
            // digest decides anyway. Free slots never match: their upper bit differs.
            let mut equal = differ.wrapping_sub(LOW) & !differ & USED;
            while equal != 0 {
                let slot = (equal.trailing_zeros() / 8) as usize;
                if bucket.entries[slot].digest() == digest {
                    return Ok(Place { bucket: at, slot });
                }
                equal &= equal - 1;
            }
            if let Some(slot) = bucket.free() {
                return Err(Place { bucket: at, slot });
            }
            at += 1;
        }
    }

    #[inline]
    pub(super) fn get(&self, place: Place) -> &E {
        &self.buckets[place.bucket].entries[place.slot]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: Place) -> &mut E {
        &mut self.buckets[place.bucket].entries[place.slot]
    }

    /// Puts an entry whose digest [`Slots::find`] did not find into the free slot that it named;
    /// grows before that when the table is full.
    #[inline]
    pub(super) fn put(&mut self, place: Place, entry: E) {
        let mut place = place;
        if self.len >= self.room() {
            self.grow();
            place = self.free_place(entry.digest());
        }
        self.fill(place, entry);
        self.len += 1;
    }

    /// A third more, which leaves a table 0.645 to 0.86 full; or what is expected, if that is known
    /// to be worth the while.
    #[cold]
    fn grow(&mut self) {
        let third = (self.homes + self.homes / 3).max(self.homes + 2);
        let expected = homes_for(self.expected);
        let worth = self.homes + self.homes / 16;
        self.rebuild(if expected > worth { expected } else { third }, |_| true);
    }

    /// Says how many digests to expect in all, those that are there included. What a table answers
    /// never depends on it.
    pub(super) fn expect(&mut self, len: usize) {
        self.expected = len;
    }

    /// Room for `len` digests in all, or somewhat more.
    pub(super) fn make_room(&mut self, len: usize) {
        if len > self.room() {
            self.rebuild(homes_for(len).max(self.homes + self.homes / 3), |_| true);
        }
    }

    /// Drops what `keep` does not keep, and the memory for it.
    pub(super) fn retain(&mut self, keep: impl Fn(&E) -> bool) {
        let kept = self.iter_mut().filter(|entry| keep(entry)).count();
        // A little more room than needed, or the next digest would make it grow.
        self.rebuild(homes_for(kept + kept / 8), keep);
    }

    /// All entries, in the order of their slots.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.buckets.iter_mut().flat_map(|bucket| {
            let slots = bucket.entries.iter_mut().zip(&bucket.tags);
            slots.filter(|(_, tag)| **tag != 0).map(|(entry, _)| entry)
        })
    }

    /// Reads where a digest would lie, so that it is near when it is looked up. Gives something of
    /// what was read, which the caller must seem to use.
    #[inline]
    pub(super) fn near(&self, digest: u128) -> u64 {
        let home = self.home(digest);
        // Without a branch: nobody could foretell which homes are full.
        let full = usize::from(!self.buckets[home].tags() & USED == 0);
        let bucket = &self.buckets[home + full];
        bucket.tags() ^ bucket.entries[SLOTS - 1].digest() as u64
    }

    #[inline]
    fn home(&self, digest: u128) -> usize {
        (((digest >> 64) * self.homes as u128) >> 64) as usize
    }

    #[inline]
    fn fill(&mut self, place: Place, entry: E) {
        let bucket = &mut self.buckets[place.bucket];
        bucket.tags[place.slot] = tag(entry.digest());
        bucket.entries[place.slot] = entry;
        if place.slot == SLOTS - 1 && place.bucket == self.buckets.len() - 1 {
            self.buckets.reserve_exact(TAIL_BUCKETS);
            self.make_buckets(self.buckets.len() + TAIL_BUCKETS);
        }
    }

    /// Lays the table out anew for another number of homes. The old one is read and the new one
    /// written from front to back, because both keep the order of the digests; so growing is two
    /// streams through memory, and of the many tables of a run one at a time is there twice.
    #[cold]
    #[inline(never)]
    fn rebuild(&mut self, homes: usize, keep: impl Fn(&E) -> bool) {
        let old = std::mem::replace(&mut self.buckets, Vec::with_capacity(homes + TAIL_BUCKETS));
        (self.homes, self.len) = (homes, 0);
        for bucket in &old {
            for (entry, tag) in bucket.entries.iter().zip(&bucket.tags) {
                if *tag != 0 && keep(entry) {
                    // Buckets are made just ahead of where they are filled, while they are near.
                    self.make_buckets(self.home(entry.digest()) + TAIL_BUCKETS);
                    let place = self.free_place(entry.digest());
                    self.fill(place, *entry);
                    self.len += 1;
                }
            }
        }
        self.make_buckets(homes + TAIL_BUCKETS);
    }

    /// Has at least so many buckets from now on.
    #[inline]
    fn make_buckets(&mut self, buckets: usize) {
        if self.buckets.len() < buckets {
            self.buckets.resize(buckets, Bucket::default());
        }
    }

    /// The first free slot at or behind a digest's home.
    #[inline]
    fn free_place(&self, digest: u128) -> Place {
        let mut at = self.home(digest);
        loop {
            if let Some(slot) = self.buckets[at].free() {
                return Place { bucket: at, slot };
            }
            at += 1;
        }
    }
}

/// Bits that choose neither the home (the upper half) nor the shard (the lowest 16).
#[inline]
fn tag(digest: u128) -> u8 {
    (digest >> 16) as u8 | 0x80
}

/// Homes such that `len` digests fill at most 86 of a hundred slots.
fn homes_for(len: usize) -> usize {
    (len * 100).div_ceil(86 * SLOTS)
}
