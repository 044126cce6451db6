//! The ids that a run from a snapshot does not hold: they stay where they lie, and one is read only
//! when an event asks for it. What is read is checked before it is believed.

use super::format::Part;
use super::index::{CONTENT_BYTES, Entry, Index, PAGE_IDS};
use super::rows::{PLACE_BYTES, digest, place};
use super::{SnapshotError, format};
use crate::limits::{PAST_READ_BYTES, PAST_STORE_GAP_BYTES};
use crate::store::{Folder, Meta, Opened};
use bytes::Bytes;
use retally_core::digest::Hash;
use retally_core::portion::Portion;
use retally_core::snapshot::IdRows;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Segments of ids, for one portion of all keys in so many shards.
#[derive(Debug)]
pub struct Past {
    segments: Vec<Segment>,
    portion: Portion,
    shards: Vec<Shard>,
}

/// What a shard was given of the past.
#[derive(Debug)]
struct Shard {
    /// The places of its ids, both included; none: no id is its own.
    places: Option<(u128, u128)>,
    /// Of each segment about how many bytes were read for it; none: all, so that it has every id.
    read: Mutex<Vec<Option<u64>>>,
}

#[derive(Debug)]
struct Segment {
    files: Folder,
    part: Part,
    index: Index,
    meta: Meta,
    /// Ready to be read, by one thread each.
    open: Mutex<Vec<Opened>>,
}

/// Once so much of what a segment has for a shard was read for it, one part of these, all of it is:
/// from then on it costs nothing any more.
const WHOLE_FROM: u64 = 2;

/// Pages that are read at least before that.
const PAGES_ALONE: u64 = 16;

const PAGE_BYTES: u64 = PAGE_IDS as u64 * PLACE_BYTES as u64;

impl Past {
    /// The past of a run over `portion` in so many shards. All indexes are read and checked, and
    /// the segments must be there.
    pub(super) fn open(
        files: &Folder,
        segments: &[Part],
        (portion, shards): (Portion, usize),
    ) -> Result<Self, SnapshotError> {
        let open = |part: &Part| Segment::open(files, part);
        let segments: Vec<Segment> = segments.iter().map(open).collect::<Result<_, _>>()?;
        let read = || Mutex::new(vec![Some(0); segments.len()]);
        let shard = |places| Shard { places, read: read() };
        let shards = places(portion, shards).into_iter().map(shard).collect();
        Ok(Self { shards, portion, segments })
    }

    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.index.bytes()).sum()
    }

    /// Which of `ids`, all of them a shard's, were seen; and where that is worth it, all else that
    /// the shard may ask for later.
    ///
    /// # Errors
    /// A segment that is missing, changed or broken.
    pub fn recall(&self, shard: usize, ids: &[u128]) -> Result<IdRows, SnapshotError> {
        let mut rows = IdRows::default();
        let own = &self.shards[shard];
        let mut read = lock(&own.read);
        for (segment, read) in self.segments.iter().zip(read.iter_mut()) {
            let Some(bytes_read) = read else { continue };
            // By pages.
            let mut asked: Vec<(usize, u128)> = Vec::new();
            for &id in ids {
                let place = place(id);
                asked.extend(segment.index.find(place).map(|page| (page, place)));
            }
            asked.sort_unstable();
            let mut pages: Vec<usize> = asked.iter().map(|&(page, _)| page).collect();
            pages.dedup();
            let all = own.places.map_or(0..0, |(from, to)| segment.index.pages_of(from, to));
            *bytes_read += pages.len() as u64 * (PAGE_BYTES + segment.gap());
            if *bytes_read > PAGE_BYTES * PAGES_ALONE.max(all.len() as u64 / WHOLE_FROM) {
                *read = None;
                let all: Vec<usize> = all.collect();
                segment.ids(&all, &mut |id, content| {
                    if self.portion.shard_of_id(id, self.shards.len()) == Some(shard) {
                        rows.digests.push(id);
                        rows.content.push(content);
                    }
                })?;
            } else {
                segment.look(&asked, &pages, &mut rows)?;
            }
        }
        Ok(rows)
    }
}

/// The places of each shard's ids, first and last.
fn places(portion: Portion, shards: usize) -> Vec<Option<(u128, u128)>> {
    let mut all: Vec<Option<(u128, u128)>> = vec![None; shards];
    for upper in 0..1_u128 << 16 {
        let Some(shard) = portion.shard_of_id(upper, shards) else { continue };
        let (from, to) = (upper << 112, upper << 112 | u128::MAX >> 16);
        all[shard] = Some((all[shard].map_or(from, |(from, _)| from), to));
    }
    all
}

impl Segment {
    fn open(files: &Folder, part: &Part) -> Result<Self, SnapshotError> {
        let shown = || files.show(&part.path);
        let index = part.index.as_deref();
        let index = index.ok_or_else(|| SnapshotError::broken(&shown(), "it has no index"))?;
        let index = Index::read(files, part, index)?;
        let meta = files.head(&part.path)?.ok_or_else(|| SnapshotError::Missing(shown()))?;
        if meta.bytes != part.bytes {
            return Err(SnapshotError::Changed(shown()));
        }
        let (files, part) = (files.clone(), part.clone());
        Ok(Self { files, part, index, meta, open: Mutex::default() })
    }

    /// Bytes that are as dear as one more question: what is asked of a store takes its time however
    /// little it is.
    fn gap(&self) -> u64 {
        if self.files.file("").is_some() { 0 } else { PAST_STORE_GAP_BYTES }
    }

    /// Appends those ids that were seen to `rows`. `asked`: pages with the places that are looked
    /// for in them, in order.
    fn look(
        &self,
        asked: &[(usize, u128)],
        pages: &[usize],
        rows: &mut IdRows,
    ) -> Result<(), SnapshotError> {
        let mut found: Vec<(usize, usize, u128)> = Vec::new();
        let mut asked = asked.iter().peekable();
        self.read(pages, Column::Places, &mut |page, places| {
            while let Some((_, place)) = asked.next_if(|(of, _)| *of == page) {
                if let Some(row) = row_of(places, *place) {
                    found.push((page, row, *place));
                }
            }
        })?;
        let mut pages: Vec<usize> = found.iter().map(|&(page, ..)| page).collect();
        pages.dedup();
        let mut found = found.into_iter().peekable();
        self.read(&pages, Column::Content, &mut |page, content| {
            while let Some((_, row, place)) = found.next_if(|(of, ..)| *of == page) {
                rows.digests.push(digest(place.to_be_bytes()));
                rows.content.push(content_at(content, row));
            }
        })
    }

    /// All ids of pages.
    fn ids(&self, pages: &[usize], take: &mut impl FnMut(u128, u64)) -> Result<(), SnapshotError> {
        let mut places: Vec<Bytes> = Vec::with_capacity(pages.len());
        self.read(pages, Column::Places, &mut |_, bytes| places.push(bytes.clone()))?;
        let mut places = places.iter();
        self.read(pages, Column::Content, &mut |_, content| {
            let own = places.next().map_or(&[][..], |places| places);
            for (row, place) in own.chunks_exact(PLACE_BYTES as usize).enumerate() {
                take(digest(place.try_into().unwrap_or_default()), content_at(content, row));
            }
        })
    }

    /// Reads a column of pages, in order, and checks it before it is given.
    fn read(
        &self,
        pages: &[usize],
        column: Column,
        take: &mut impl FnMut(usize, &Bytes),
    ) -> Result<(), SnapshotError> {
        if pages.is_empty() {
            return Ok(());
        }
        let mut file = match lock(&self.open).pop() {
            Some(file) => file,
            None => self.files.opened(&self.part.path, &self.meta)?,
        };
        let gap = self.gap();
        let range = |page: usize| column.of(self.index.page(page)).0;
        let mut rest = pages;
        while let Some(&first) = rest.first() {
            let mut whole = range(first);
            let near = |&&page: &&usize| {
                let own = range(page);
                let is_near = own.start <= whole.end + gap && own.end >= whole.end;
                let fits = is_near && own.end - whole.start <= PAST_READ_BYTES;
                if fits {
                    whole.end = own.end;
                }
                fits
            };
            let count = rest.iter().take_while(near).count().max(1);
            let bytes = file.range(whole.clone())?;
            let (now, later) = rest.split_at(count);
            for &page in now {
                let (own, hash) = column.of(self.index.page(page));
                let at = (own.start - whole.start) as usize;
                let own = bytes.slice(at..at + (own.end - own.start) as usize);
                if Hash::of(&own) != hash {
                    return Err(SnapshotError::Changed(self.files.show(&self.part.path)));
                }
                take(page, &own);
            }
            rest = later;
        }
        lock(&self.open).push(file);
        Ok(())
    }
}

/// Checks every page of a segment against its index.
pub(super) fn check(files: &Folder, part: &Part) -> Result<(), SnapshotError> {
    let segment = Segment::open(files, part)?;
    let bytes = format::read(files, &part.path)?;
    if Hash::of(&bytes) != part.sha256 {
        return Err(SnapshotError::Changed(files.show(&part.path)));
    }
    let all: Vec<usize> = (0..segment.index.len()).collect();
    let mut count = 0;
    segment.ids(&all, &mut |place, _| {
        count += u64::from(segment.index.find(super::rows::place(place)).is_some());
    })?;
    if count != part.rows {
        let why = "its index does not lead to all of its ids";
        return Err(SnapshotError::broken(&files.show(&part.path), why));
    }
    Ok(())
}

/// A column of a segment.
#[derive(Clone, Copy)]
enum Column {
    Places,
    Content,
}

impl Column {
    /// Where a page of it lies, and its hash.
    fn of(self, page: &Entry) -> (Range<u64>, Hash) {
        let (end, hash, bytes) = match self {
            Self::Places => (page.places_end, page.places_hash, PLACE_BYTES as u64),
            Self::Content => (page.content_end, page.content_hash, CONTENT_BYTES),
        };
        (end - page.rows * bytes..end, hash)
    }
}

/// The row of a place in a page.
fn row_of(places: &[u8], place: u128) -> Option<usize> {
    let bytes = place.to_be_bytes();
    let (mut from, mut to) = (0, places.len() / bytes.len());
    while from < to {
        let middle = (from + to) / 2;
        let own = &places[middle * bytes.len()..][..bytes.len()];
        match own.cmp(&bytes) {
            std::cmp::Ordering::Less => from = middle + 1,
            std::cmp::Ordering::Equal => return Some(middle),
            std::cmp::Ordering::Greater => to = middle,
        }
    }
    None
}

fn content_at(content: &[u8], row: usize) -> u64 {
    let own = content.get(row * CONTENT_BYTES as usize..).and_then(|rest| rest.first_chunk());
    u64::from_le_bytes(own.copied().unwrap_or_default())
}

/// A thread that panicked while it held this ends the run with that panic anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
