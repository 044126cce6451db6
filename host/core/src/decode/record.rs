//! Records of which nothing is read but their bytes, as a [`Source`]: of lines whatever stands in
//! front of their ends. A record is no JSON and no text until somebody reads it as one.

use super::assemble::BlockPlace;
use super::fault::Bad;
use super::json::full_length;
use super::plan::{Node, Plan, Whole};
use super::raw::{Raw, Source};
use super::{Code, DecodeError, Lines, Wanted, render};
use crate::limits::{BLOCK_ROWS, LINE_MAX_BYTES};
use crate::schema::base64;

/// Hands `lines` block by block to `take`.
pub(super) fn read(
    plan: &Plan,
    lines: &Lines,
    place: BlockPlace<'_>,
    mut take: impl FnMut(&Block<'_>, BlockPlace<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut first = 0;
    while first < lines.ends.len() {
        let left = lines.ends.len() - first;
        let block = Block { plan, lines, first, count: BLOCK_ROWS.min(left) };
        take(&block, BlockPlace { first, left, ..place })?;
        first += block.count;
    }
    Ok(())
}

#[derive(Debug)]
pub(super) struct Block<'a> {
    plan: &'a Plan,
    lines: &'a Lines,
    first: usize,
    count: usize,
}

impl Block<'_> {
    fn record(&self, row: usize) -> &[u8] {
        self.lines.get(self.first + row)
    }
}

impl Source for Block<'_> {
    fn len(&self) -> usize {
        self.count
    }

    fn bad(&self, row: usize) -> Option<Bad> {
        let is_long = self.record(row).len() > LINE_MAX_BYTES
            || full_length(self.lines, self.first + row).is_some();
        is_long.then_some(Bad { code: Code::LineTooLong, at: LINE_MAX_BYTES as u32 })
    }

    fn bad_detail(&self, row: usize, _: Bad) -> String {
        let length = full_length(self.lines, self.first + row);
        let length = length.unwrap_or(self.record(row).len() as u64);
        format!("the line is {length} bytes long, above {LINE_MAX_BYTES}")
    }

    fn raw(&self, node: Node, row: usize) -> Raw<'_> {
        let record = self.record(row);
        match self.plan.trie.whole(node) {
            Some(Whole::Text) if std::str::from_utf8(record).is_ok() => Raw::Plain(record),
            Some(Whole::Text | Whole::Bytes) => Raw::Bytes(record),
            None => Raw::Absent,
        }
    }

    fn json(&self, node: Node, row: usize, out: &mut Vec<u8>) {
        match self.raw(node, row) {
            Raw::Plain(text) => render::quote(text, out),
            Raw::Bytes(bytes) => {
                let mut text = String::new();
                base64::encode(bytes, &mut text);
                render::quote(text.as_bytes(), out);
            }
            _ => {}
        }
    }

    /// What is read of a record is known before, and each is judged by itself.
    fn unfit(&self, _: Node, _: Wanted) -> Option<DecodeError> {
        None
    }

    fn path(&self, node: Node) -> String {
        self.plan.trie.path(node)
    }
}
