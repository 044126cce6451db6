//! Several sequences of events, each in order, made one.

use super::SortError;
use super::sheet::{Sheet, gather};
use crate::limits::{SLAB_BYTES, SLAB_EVENTS};
use retally_core::log::Spot;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

type Sheets = Box<dyn Iterator<Item = Result<Sheet, SortError>> + Send>;

/// A sequence, and how far it was given.
pub(super) struct Head {
    sheets: Sheets,
    sheet: Sheet,
    /// Heads of the same class have the same columns.
    class: usize,
    row: usize,
    /// The number of its sheet among those of the part at hand.
    number: Option<usize>,
}

/// By what the next event of a head comes, the smallest first; and the head.
type Next = Reverse<(Vec<u8>, Spot, usize)>;

/// See the module.
pub(super) struct Merge {
    heads: Vec<Head>,
    /// Of every head that has one.
    next: BinaryHeap<Next>,
}

/// A part at hand.
#[derive(Default)]
struct Picked {
    sheets: Vec<Sheet>,
    rows: Vec<(usize, usize)>,
    text_bytes: usize,
}

impl Head {
    /// None: it has no events.
    pub(super) fn new(class: usize, mut sheets: Sheets) -> Result<Option<Self>, SortError> {
        let Some(sheet) = sheets.next().transpose()? else { return Ok(None) };
        Ok(Some(Self { sheets, sheet, class, row: 0, number: None }))
    }

    /// The class and the folders of the next event, which parts have in common.
    fn kind(&self) -> (usize, u32) {
        (self.class, self.sheet.folders(self.row))
    }

    /// Whether its next event comes before that of another head.
    fn is_before(&self, (key, spot, _): &(Vec<u8>, Spot, usize)) -> bool {
        (self.sheet.key(self.row), self.sheet.spot(self.row)) < (key.as_slice(), *spot)
    }

    /// Gives the next event; whether there is one more.
    fn pick(&mut self, into: &mut Picked) -> Result<bool, SortError> {
        let number = *self.number.get_or_insert_with(|| {
            into.sheets.push(self.sheet.clone());
            into.sheets.len() - 1
        });
        into.text_bytes += self.sheet.text_bytes(self.row);
        into.rows.push((number, self.row));
        self.row += 1;
        if self.row < self.sheet.len() {
            return Ok(true);
        }
        let Some(sheet) = self.sheets.next().transpose()? else { return Ok(false) };
        (self.sheet, self.row, self.number) = (sheet, 0, None);
        Ok(true)
    }

    /// Whether a part has no room for its next event.
    fn overfills(&self, part: &Picked) -> bool {
        let bytes = part.text_bytes + self.sheet.text_bytes(self.row);
        part.rows.len() == SLAB_EVENTS || !part.rows.is_empty() && bytes > SLAB_BYTES
    }
}

impl Merge {
    pub(super) fn new(heads: Vec<Option<Head>>) -> Self {
        let mut merge =
            Self { heads: heads.into_iter().flatten().collect(), next: BinaryHeap::new() };
        (0..merge.heads.len()).for_each(|number| merge.wait(number, Vec::new()));
        merge
    }

    /// Has a head wait for its turn; `key` is memory.
    fn wait(&mut self, number: usize, mut key: Vec<u8>) {
        let head = &self.heads[number];
        key.clear();
        key.extend_from_slice(head.sheet.key(head.row));
        self.next.push(Reverse((key, head.sheet.spot(head.row), number)));
    }

    /// Events that follow one another and have the same columns and folders.
    fn part(&mut self) -> Result<Option<Sheet>, SortError> {
        let Some(Reverse((.., first))) = self.next.peek() else { return Ok(None) };
        let kind = self.heads[*first].kind();
        let mut picked = Picked::default();
        let mut is_full = false;
        while !is_full {
            let Some(Reverse((key, _, number))) = self.next.pop() else { break };
            let head = &mut self.heads[number];
            let mut has_more = true;
            while has_more && self.next.peek().is_none_or(|other| head.is_before(&other.0)) {
                is_full = head.kind() != kind || head.overfills(&picked);
                if is_full {
                    break;
                }
                has_more = head.pick(&mut picked)?;
            }
            if has_more {
                self.wait(number, key);
            }
        }
        self.heads.iter_mut().for_each(|head| head.number = None);
        let sheet = gather(&picked.sheets, &picked.rows);
        sheet.map(Some).map_err(|error| SortError::Columns(Arc::new(error)))
    }
}

impl Iterator for Merge {
    type Item = Result<Sheet, SortError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.part().transpose()
    }
}
