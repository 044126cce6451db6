//! The index of a segment of ids: enough to find an id in it, or to know that it is not there,
//! without reading the segment.
//!
//! ```text
//! a row for each page of the segment, which is 256 ids, the last one fewer:
//!   first          16 bytes: the place of its first id
//!   places_end     uint64: the byte of the segment behind its places; they are the bytes before
//!   places_hash    32 bytes: SHA-256 of these bytes
//!   content_end, content_hash    the same of what stands beside the places
//!   filter         lines of 32 bytes, some for each page: see below
//! ```
//!
//! A filter says "no" of an id that is not in its page, but for one in 200, and never of one that
//! is. An id chooses a line, and in each of the line's 8 words of 32 bits one bit; an id that is
//! there has set all of them. What chooses are the lower 64 bits of its place, which are random:
//! the upper half the line, the lower half, times an odd number for each word, the bits.
//!
//! The manifest has the index's hash, and the index that of every page: so what is read of a
//! segment is as sure as if all of it had been read.

use super::SnapshotError;
use super::format::Part;
use super::load::Reader;
use super::rows::{PLACE_BYTES, Table};
use crate::limits::SNAPSHOT_READ_ROWS;
use crate::store::{Finishing, Folder};
use crate::table::{NewRows, Page, binary, fixed, unsigned};
use arrow_schema::Field;
use retally_core::digest::Hash;

/// Ids of a page.
pub(super) const PAGE_IDS: usize = 256;

/// Bits of a filter for each id.
const FILTER_BITS: usize = 12;

const LINE_WORDS: usize = 8;
const LINE_BYTES: usize = LINE_WORDS * 4;
const LINE_BITS: usize = LINE_BYTES * 8;

/// Odd, so that each word's bit follows from other bits of an id.
const SALTS: [u32; LINE_WORDS] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

type Line = [u32; LINE_WORDS];

/// Bytes of a hash in a table.
const HASH_BYTES: i32 = 32;

/// Bytes of an id's content.
pub(super) const CONTENT_BYTES: u64 = 8;

/// A page of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// How many ids it has.
    pub(super) rows: u64,
    /// The byte of the segment behind their places.
    pub(super) places_end: u64,
    pub(super) places_hash: Hash,
    /// The byte of the segment behind what stands beside them.
    pub(super) content_end: u64,
    pub(super) content_hash: Hash,
}

/// The index of a segment, in memory.
#[derive(Debug)]
pub(super) struct Index {
    pages: Vec<Entry>,
    /// The place of each page's first id.
    first: Vec<u128>,
    /// Upper bits of a place that lead to its page.
    bits: u32,
    /// For each number that these can be, how many pages begin with a lower one.
    starts: Vec<u32>,
    /// The filters' lines, page by page.
    lines: Vec<Line>,
}

impl Index {
    /// Reads and checks the index of a segment.
    pub(super) fn read(files: &Folder, segment: &Part, part: &Part) -> Result<Self, SnapshotError> {
        let mut reader = Reader::open(files, part, SNAPSHOT_READ_ROWS)?;
        let (mut pages, mut first, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(batch) = reader.next()? {
            let hash = |name: &str, row: usize| -> Result<Hash, SnapshotError> {
                let hash = batch.fixed(name, HASH_BYTES)?.value(row).try_into();
                Ok(Hash(hash.unwrap_or_default()))
            };
            let places = batch.fixed("first", PLACE_BYTES)?;
            let [places_end, content_end] =
                ["places_end", "content_end"].map(|of| batch.unsigned(of));
            let (places_end, content_end) = (places_end?, content_end?);
            let filters = batch.bytes("filter")?;
            for row in 0..batch.len() {
                let before = (pages.len() * PAGE_IDS) as u64;
                let rows = segment.rows.saturating_sub(before).min(PAGE_IDS as u64);
                let filter = filters.value(row);
                if filter.len() != lines_for(rows as usize) * LINE_BYTES {
                    return Err(reader.broken("a filter is of another size than its page"));
                }
                let line = |bytes: &[u8]| -> Line {
                    let word = |at: usize| bytes[at * 4..][..4].try_into().unwrap_or_default();
                    std::array::from_fn(|at| u32::from_le_bytes(word(at)))
                };
                lines.extend(filter.chunks_exact(LINE_BYTES).map(line));
                first.push(u128::from_be_bytes(places.value(row).try_into().unwrap_or_default()));
                pages.push(Entry {
                    rows,
                    places_end: places_end[row],
                    places_hash: hash("places_hash", row)?,
                    content_end: content_end[row],
                    content_hash: hash("content_hash", row)?,
                });
            }
        }
        if pages.len() != (segment.rows as usize).div_ceil(PAGE_IDS) {
            return Err(reader.broken("it is of another number of pages than its segment has"));
        }
        let fits = |page: &Entry| {
            let lies = |end: u64, bytes: u64| (page.rows * bytes..=segment.bytes).contains(&end);
            lies(page.places_end, PLACE_BYTES as u64) && lies(page.content_end, CONTENT_BYTES)
        };
        let follows =
            |a: &Entry, b: &Entry| a.places_end < b.places_end && a.content_end < b.content_end;
        if !pages.iter().all(fits) || !pages.is_sorted_by(follows) || !first.is_sorted() {
            return Err(reader.broken("its pages do not lie in its segment"));
        }
        Ok(Self::new(pages, first, lines))
    }

    fn new(pages: Vec<Entry>, first: Vec<u128>, lines: Vec<Line>) -> Self {
        let bits = pages.len().max(1).ilog2();
        let upper = |place: u128| place.checked_shr(u128::BITS - bits).unwrap_or(0);
        let starts = (0..=1 << bits).map(|of| first.partition_point(|&place| upper(place) < of));
        let starts = starts.map(|start| start as u32).collect();
        Self { pages, first, bits, starts, lines }
    }

    /// Memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.pages[..])
            + size_of_val(&self.first[..])
            + size_of_val(&self.starts[..])
            + size_of_val(&self.lines[..])
    }

    /// How many pages there are.
    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// A page.
    pub(super) fn page(&self, number: usize) -> &Entry {
        &self.pages[number]
    }

    /// The pages in which ids from `from` to `to` can be, both included.
    pub(super) fn pages_of(&self, from: u128, to: u128) -> std::ops::Range<usize> {
        let first = self.first.partition_point(|&first| first <= from).saturating_sub(1);
        first..self.first.partition_point(|&first| first <= to).max(first)
    }

    /// The only page in which an id can be; none: it is not in the segment.
    #[inline]
    pub(super) fn find(&self, place: u128) -> Option<usize> {
        let upper = place.checked_shr(u128::BITS - self.bits).unwrap_or(0) as usize;
        let (from, to) = (self.starts[upper] as usize, self.starts[upper + 1] as usize);
        let behind = from + self.first[from..to].partition_point(|&first| first <= place);
        let page = behind.checked_sub(1)?;
        // All pages but the last have as many lines.
        let from = page * lines_for(PAGE_IDS);
        let lines = &self.lines[from..from + lines_for(self.pages[page].rows as usize)];
        let line = &lines[line_of(place, lines.len())];
        let mut has = true;
        for (word, bit) in line.iter().zip(bits_of(place)) {
            has &= word & bit != 0;
        }
        has.then_some(page)
    }
}

/// Lines of the filter of so many ids.
fn lines_for(ids: usize) -> usize {
    (ids * FILTER_BITS).div_ceil(LINE_BITS)
}

/// The line of an id.
#[inline]
fn line_of(place: u128, lines: usize) -> usize {
    let upper = u128::from(place as u64 >> 32);
    ((upper * lines as u128) >> 32) as usize
}

/// The bits of an id, one in each word.
#[inline]
fn bits_of(place: u128) -> Line {
    SALTS.map(|salt| 1 << ((place as u32).wrapping_mul(salt) >> (u32::BITS - 5)))
}

fn columns() -> Vec<Field> {
    vec![
        fixed("first", PLACE_BYTES),
        unsigned("places_end"),
        fixed("places_hash", HASH_BYTES),
        unsigned("content_end"),
        fixed("content_hash", HASH_BYTES),
        binary("filter"),
    ]
}

/// Makes the index of a segment while that is written.
#[derive(Default)]
pub(super) struct Indexing {
    /// Ids of the page that is not full yet.
    open: Vec<(u128, u64)>,
    first: Vec<u8>,
    places_hash: Vec<u8>,
    content_hash: Vec<u8>,
    filters: Vec<Vec<u8>>,
    rows: u64,
}

impl Indexing {
    /// Takes the next id of the segment: its place and what stands beside it.
    pub(super) fn add(&mut self, place: u128, content: u64) {
        self.open.push((place, content));
        if self.open.len() == PAGE_IDS {
            self.end_page();
        }
    }

    fn end_page(&mut self) {
        let open = std::mem::take(&mut self.open);
        let Some((first, _)) = open.first() else { return };
        let mut lines = vec![Line::default(); lines_for(open.len())];
        for &(place, _) in &open {
            let line = line_of(place, lines.len());
            lines[line].iter_mut().zip(bits_of(place)).for_each(|(word, bit)| *word |= bit);
        }
        let places: Vec<u8> = open.iter().flat_map(|(place, _)| place.to_be_bytes()).collect();
        let content: Vec<u8> = open.iter().flat_map(|(_, own)| own.to_le_bytes()).collect();
        self.first.extend(first.to_be_bytes());
        self.places_hash.extend(Hash::of(&places).0);
        self.content_hash.extend(Hash::of(&content).0);
        self.filters.push(lines.iter().flatten().flat_map(|word| word.to_le_bytes()).collect());
        self.rows += open.len() as u64;
    }

    /// Writes the index. `pages`: where the pages of the segment's places and content lie.
    pub(super) fn finish(
        mut self,
        (files, path): (&Folder, String),
        [places, content]: [&[Page]; 2],
        finishing: &Finishing,
    ) -> Result<Part, SnapshotError> {
        self.end_page();
        let is_even = |pages: &[Page]| {
            let first = pages.iter().enumerate().map(|(n, _)| (n * PAGE_IDS) as u64);
            pages.len() == self.filters.len() && pages.iter().map(|page| page.first_row).eq(first)
        };
        if !is_even(places) || !is_even(content) {
            return Err(SnapshotError::Rows("the pages of a segment are not even"));
        }
        let ends = |pages: &[Page]| pages.iter().map(|page| page.end).collect();
        let rows = NewRows::default()
            .fixed("first", PLACE_BYTES, self.first)
            .unsigned("places_end", ends(places))
            .fixed("places_hash", HASH_BYTES, self.places_hash)
            .unsigned("content_end", ends(content))
            .fixed("content_hash", HASH_BYTES, self.content_hash)
            .bytes("filter", self.filters.iter().map(Vec::as_slice).collect());
        let mut table = Table::create(files, path, columns())?;
        table.write(rows)?;
        table.finish(finishing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An index of these places in pages, whose bytes lie nowhere.
    fn index(places: &[u128]) -> Index {
        let (mut pages, mut first, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for ids in places.chunks(PAGE_IDS) {
            let rows = ids.len() as u64;
            let none = Hash([0; 32]);
            let (places_hash, content_hash) = (none, none);
            pages.push(Entry { rows, places_end: 0, places_hash, content_end: 0, content_hash });
            first.push(ids[0]);
            let mut own = vec![Line::default(); lines_for(ids.len())];
            for &place in ids {
                let line = line_of(place, own.len());
                own[line].iter_mut().zip(bits_of(place)).for_each(|(word, bit)| *word |= bit);
            }
            lines.extend(own);
        }
        Index::new(pages, first, lines)
    }

    fn place(number: u64) -> u128 {
        let hash = Hash::of(&number.to_le_bytes());
        u128::from_be_bytes(hash.0[..16].try_into().unwrap())
    }

    #[test]
    fn one_of_200_ids_that_are_not_there_is_looked_for() {
        let mut places: Vec<u128> = (0..100_000).map(place).collect();
        places.sort_unstable();
        let index = index(&places);
        let asked = (100_000..200_000).filter(|&number| index.find(place(number)).is_some());
        assert!(asked.count() < 700);
    }

    proptest! {
        #[test]
        fn an_id_that_is_there_is_found_in_its_page(
            mut places in prop::collection::vec(
                prop_oneof![any::<u128>(), any::<u64>().prop_map(|n| 77 << 112 | u128::from(n))],
                1..2_000,
            ),
        ) {
            places.sort_unstable();
            places.dedup();
            let index = index(&places);
            for (number, &place) in places.iter().enumerate() {
                prop_assert_eq!(index.find(place), Some(number / PAGE_IDS));
                let pages = index.pages_of(place, place);
                prop_assert!(pages.contains(&(number / PAGE_IDS)));
            }
        }
    }
}
