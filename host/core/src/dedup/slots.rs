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
//! table grows by a third. It grows in its place, from the last bucket to the first: homes move to
//! the back only, where the buckets are emptied already. Nothing is ever taken out: who forgets
//! makes the table anew.

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

/// Buckets of a piece of memory.
const PIECE: usize = 256;

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
    buckets: Buckets<E>,
}

/// Buckets in pieces that stay where they are, so that a table that grows takes no more memory
/// than what is new. All pieces but the last are whole.
#[derive(Debug, Clone)]
struct Buckets<E> {
    len: usize,
    pieces: Vec<Vec<Bucket<E>>>,
}

impl<E: Entry> Buckets<E> {
    fn new(len: usize) -> Self {
        let mut buckets = Self { len: 0, pieces: Vec::new() };
        buckets.grow(len);
        buckets
    }

    /// Has at least so many buckets from now on.
    fn grow(&mut self, len: usize) {
        self.pieces.reserve_exact(len.div_ceil(PIECE).saturating_sub(self.pieces.len()));
        while self.len < len {
            if self.len.is_multiple_of(PIECE) {
                self.pieces.push(Vec::new());
            }
            let Some(last) = self.pieces.last_mut() else { return };
            let more = (PIECE - last.len()).min(len - self.len);
            last.reserve_exact(more);
            last.resize(last.len() + more, Bucket::default());
            self.len += more;
        }
    }

    #[inline]
    fn get(&self, at: usize) -> &Bucket<E> {
        &self.pieces[at / PIECE][at % PIECE]
    }

    #[inline]
    fn get_mut(&mut self, at: usize) -> &mut Bucket<E> {
        &mut self.pieces[at / PIECE][at % PIECE]
    }
}

impl<E: Entry> Slots<E> {
    pub(super) fn new() -> Self {
        Self { homes: 0, len: 0, expected: 0, buckets: Buckets::new(1) }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.buckets.len * size_of::<Bucket<E>>()
            + self.buckets.pieces.capacity() * size_of::<Vec<Bucket<E>>>()
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
            let bucket = self.buckets.get(at);
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
        &self.buckets.get(place.bucket).entries[place.slot]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: Place) -> &mut E {
        &mut self.buckets.get_mut(place.bucket).entries[place.slot]
    }

    /// Puts an entry whose digest [`Slots::find`] did not find into the free slot that it named;
    /// grows before that when the table is full.
    #[inline]
    pub(super) fn put(&mut self, place: Place, entry: E) {
        let mut place = place;
        if self.len >= self.room() {
            self.grow();
            place = self.free_place(self.home(entry.digest()));
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
        self.spread(if expected > worth { expected } else { third });
    }

    /// Says how many digests to expect in all, those that are there included. What a table answers
    /// never depends on it.
    pub(super) fn expect(&mut self, len: usize) {
        self.expected = len;
    }

    /// Room for `len` digests in all, or somewhat more.
    pub(super) fn make_room(&mut self, len: usize) {
        if len > self.room() {
            self.spread(homes_for(len).max(self.homes + self.homes / 3));
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
        self.buckets.pieces.iter_mut().flatten().flat_map(|bucket| {
            let slots = bucket.entries.iter_mut().zip(&bucket.tags);
            slots.filter(|(_, tag)| **tag != 0).map(|(entry, _)| entry)
        })
    }

    /// Reads where a digest would lie, so that it is near when it is looked up. Gives something of
    /// what was read, which the caller must seem to use.
    #[inline]
    pub(super) fn near(&self, digest: u128) -> u64 {
        let bucket = self.buckets.get(self.home(digest));
        bucket.tags() ^ bucket.entries[SLOTS - 1].digest() as u64
    }

    #[inline]
    fn home(&self, digest: u128) -> usize {
        (((digest >> 64) * self.homes as u128) >> 64) as usize
    }

    #[inline]
    fn fill(&mut self, place: Place, entry: E) {
        let bucket = self.buckets.get_mut(place.bucket);
        bucket.tags[place.slot] = tag(entry.digest());
        bucket.entries[place.slot] = entry;
        if place.slot == SLOTS - 1 && place.bucket == self.buckets.len - 1 {
            self.buckets.grow(self.buckets.len + TAIL_BUCKETS);
        }
    }

    /// Spreads the entries over more homes. Buckets are emptied from the last to the first, so that
    /// an entry's new home is empty but for entries that belong there, unless it lies even before
    /// the bucket at hand, into which the entry was pushed: then it is held until its turn.
    #[cold]
    #[inline(never)]
    fn spread(&mut self, homes: usize) {
        let old = self.buckets.len;
        self.homes = homes;
        self.buckets.grow(homes + TAIL_BUCKETS);
        let mut held: Vec<E> = Vec::new();
        for at in (0..old).rev() {
            let bucket = *self.buckets.get(at);
            self.buckets.get_mut(at).tags = [0; 8];
            if !held.is_empty() {
                held.retain(|entry| self.home(entry.digest()) < at || !self.settle(entry));
            }
            for (entry, &tag) in bucket.entries.iter().zip(&bucket.tags) {
                match tag {
                    0 => {}
                    _ if self.home(entry.digest()) < at => held.push(*entry),
                    _ => _ = self.settle(entry),
                }
            }
        }
    }

    /// Puts an entry into the first free slot at or behind its home.
    #[inline]
    fn settle(&mut self, entry: &E) -> bool {
        let place = self.free_place(self.home(entry.digest()));
        self.fill(place, *entry);
        true
    }

    /// Lays the table out anew.
    #[cold]
    fn rebuild(&mut self, homes: usize, keep: impl Fn(&E) -> bool) {
        let old = std::mem::replace(&mut self.buckets, Buckets::new(homes + TAIL_BUCKETS));
        (self.homes, self.len) = (homes, 0);
        for bucket in old.pieces.iter().flatten() {
            for (entry, tag) in bucket.entries.iter().zip(&bucket.tags) {
                if *tag != 0 && keep(entry) {
                    self.settle(entry);
                    self.len += 1;
                }
            }
        }
    }

    /// The first free slot at or behind a home.
    #[inline]
    fn free_place(&self, home: usize) -> Place {
        let mut at = home;
        loop {
            if let Some(slot) = self.buckets.get(at).free() {
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
