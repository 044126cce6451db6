//! Lines of JSON as a [`Source`]: a block of lines is scanned, then read from the table of slots.

use super::assemble::BlockPlace;
use super::fault::Bad;
use super::plan::{Node, Plan};
use super::raw::{Raw, Source};
use super::scan::{Scratch, scan};
use super::shape::Shapes;
use super::table::{Shape, Table};
use super::{Code, DecodeError, Lines, Wanted, detail};
use crate::limits::LINE_MAX_BYTES;

/// What reading lines takes, kept between slabs.
#[derive(Debug)]
pub(super) struct Reader {
    table: Table,
    bads: Vec<Option<Bad>>,
    scratch: Scratch,
    shapes: Shapes,
}

impl Reader {
    pub(super) fn new(plan: &Plan) -> Self {
        let table = Table::new(&plan.trie);
        Self { table, bads: Vec::new(), scratch: Scratch::default(), shapes: Shapes::new() }
    }

    /// Scans `lines` block by block and hands each to `take`.
    pub(super) fn read(
        &mut self,
        plan: &Plan,
        lines: &Lines,
        place: BlockPlace<'_>,
        mut take: impl FnMut(&Block<'_>, BlockPlace<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let utf8 = simdutf8::basic::from_utf8(&lines.bytes).is_ok();
        let mut first = 0;
        while first < lines.ends.len() {
            let count = self.table.lines().min(lines.ends.len() - first);
            self.bads.clear();
            for line in 0..count {
                let bad = self.line(plan, lines, first + line, line, utf8).err();
                self.bads.push(bad);
            }
            let block = Block { plan, lines, first, table: &self.table, bads: &self.bads };
            take(&block, BlockPlace { first, ..place })?;
            first += count;
        }
        Ok(())
    }

    #[inline]
    fn line(
        &mut self,
        plan: &Plan,
        lines: &Lines,
        number: usize,
        line: usize,
        utf8: bool,
    ) -> Result<(), Bad> {
        let (start, end, behind) = bounds(lines, number);
        let row = self.table.begin(line);
        if end - start > LINE_MAX_BYTES || full_length(lines, number).is_some() {
            return Err(Bad { code: Code::LineTooLong, at: LINE_MAX_BYTES as u32 });
        }
        // Valid as a whole is not enough where a line ends inside a character.
        let inside = |at: usize| lines.bytes.get(at).is_some_and(|&b| b & 0xc0 == 0x80);
        if !utf8 || inside(start) || inside(behind) {
            utf8_line(&lines.bytes[start..end])?;
        }
        if self.shapes.walk(&lines.bytes, (start, end), row) {
            return Ok(());
        }
        let row = self.table.begin(line);
        scan(&plan.trie, &lines.bytes, (start, end), row, &mut self.scratch)?;
        let unread = plan.trie.len() as u32;
        self.shapes.learn(&lines.bytes, (start, end), &self.scratch.trace, unread);
        Ok(())
    }
}

/// Where a line begins, where it ends without its line end, and where the next begins.
#[inline]
fn bounds(lines: &Lines, number: usize) -> (usize, usize, usize) {
    let start = if number == 0 { 0 } else { lines.ends[number - 1] as usize };
    let behind = lines.ends[number] as usize;
    (start, start + lines.get(number).len(), behind)
}

/// The length that a line had before it was cut.
#[inline]
pub(super) fn full_length(lines: &Lines, number: usize) -> Option<u64> {
    if lines.cut.is_empty() {
        return None;
    }
    let at = lines.cut.binary_search_by_key(&(number as u32), |&(line, _)| line).ok()?;
    Some(lines.cut[at].1)
}

#[cold]
fn utf8_line(line: &[u8]) -> Result<(), Bad> {
    match std::str::from_utf8(line) {
        Ok(_) => Ok(()),
        Err(error) => Err(Bad { code: Code::NotUtf8, at: error.valid_up_to() as u32 }),
    }
}

#[derive(Debug)]
pub(super) struct Block<'a> {
    plan: &'a Plan,
    lines: &'a Lines,
    first: usize,
    table: &'a Table,
    bads: &'a [Option<Bad>],
}

impl Source for Block<'_> {
    fn len(&self) -> usize {
        self.bads.len()
    }

    #[inline(always)]
    fn bad(&self, row: usize) -> Option<Bad> {
        self.bads[row]
    }

    fn bad_detail(&self, row: usize, bad: Bad) -> String {
        let line = self.lines.get(self.first + row);
        let at = bad.at;
        match bad.code {
            Code::LineTooLong => {
                let length = full_length(self.lines, self.first + row);
                let length = length.unwrap_or(line.len() as u64);
                format!("the line is {length} bytes long, above {LINE_MAX_BYTES}")
            }
            Code::NotUtf8 => format!("not UTF-8 at byte {at} of the line"),
            Code::TooDeep => format!("nested too deep at byte {at} of the line"),
            _ if line.is_empty() => "the line is empty".to_owned(),
            _ if line.starts_with(b"\xef\xbb\xbf") => {
                "the line begins with a byte order mark".to_owned()
            }
            _ if at as usize >= line.len() => {
                let likely = detail::of_line(line, at as usize);
                format!("not JSON: the line breaks off after {} bytes{likely}", line.len())
            }
            _ => {
                let rest =
                    String::from_utf8_lossy(&line[at as usize..line.len().min(at as usize + 80)]);
                let near: String = rest.chars().take(16).collect();
                let likely = detail::of_line(line, at as usize);
                format!("not JSON at byte {at} of the line, near {near:?}{likely}")
            }
        }
    }

    #[inline(always)]
    fn raw(&self, node: Node, row: usize) -> Raw<'_> {
        let Some(slot) = self.table.get(row, node) else { return Raw::Absent };
        let text = || &self.lines.bytes[slot.start as usize..slot.end as usize];
        match slot.shape() {
            Shape::Null => Raw::Absent,
            Shape::True => Raw::Bool(true),
            Shape::False => Raw::Bool(false),
            Shape::Digits => Raw::Digits(text()),
            Shape::Number => Raw::Number(text()),
            Shape::Plain => Raw::Plain(text()),
            Shape::Escaped => Raw::Escaped(text()),
            Shape::Object | Shape::Array => Raw::Nested,
            Shape::Twice => Raw::Twice,
        }
    }

    fn json(&self, node: Node, row: usize, out: &mut Vec<u8>) {
        if let Some(slot) = self.table.get(row, node) {
            let (mut start, mut end) = (slot.start as usize, slot.end as usize);
            if matches!(slot.shape(), Shape::Plain | Shape::Escaped) {
                (start, end) = (start - 1, end + 1);
            }
            out.extend_from_slice(&self.lines.bytes[start..end]);
        }
    }

    fn unfit(&self, _: Node, _: Wanted) -> Option<DecodeError> {
        None
    }

    fn path(&self, node: Node) -> String {
        self.plan.trie.path(node)
    }
}
