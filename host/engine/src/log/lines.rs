//! Bytes to lines: where lines end, and nothing about what is in them.
//!
//! A line ends behind `\n`, or at the end of the bytes if anything stands there; `\r` is left to
//! whoever takes the line. Empty lines are lines: what is no event is the decoder's to say. What
//! may stand at the head of a stream is its owner's to look at. How the bytes arrive changes
//! nothing: where slabs end depends on the lines alone.
//!
//! ```text
//!   bytes   [ line \n | line \n | ... | li      ]
//!            ends ---^--------^           ^--- scanned, the next line so far
//! ```

use crate::limits::{SLAB_BYTES, SLAB_EVENTS};
use memchr::{memchr, memchr_iter};
use retally_core::decode::Lines;
use retally_core::limits::{LINE_KEPT_BYTES, LINE_MAX_BYTES};
use std::io::{self, Read};

/// `\r\n`.
const LINE_END_MAX_BYTES: usize = 2;

/// Splits a stream into slabs of lines.
pub(crate) struct LineReader<R> {
    input: R,
    /// Bytes to ask for at a time.
    chunk: usize,
    /// Lines that begin at or behind this byte of the stream belong to another part.
    own: u64,
    /// Where `pending` begins in the stream, which is where a line begins.
    base: u64,
    /// Bytes read behind the last line given out.
    pending: Vec<u8>,
    /// Bytes that a slab takes, judged by the last one.
    reserve: usize,
    /// No bytes come any more.
    at_end: bool,
    /// What reading failed with, kept until the good lines before it are given out.
    failed: Option<io::Error>,
    /// Lines given out.
    lines: u64,
    /// The last of them has no line end.
    open: bool,
}

impl<R: Read> LineReader<R> {
    /// Reads the lines that begin before byte `own` of `input`, about `chunk` bytes at a time.
    pub(crate) fn new(input: R, chunk: usize, own: u64) -> Self {
        let chunk = chunk.clamp(1, SLAB_BYTES);
        Self {
            input,
            chunk,
            own,
            base: 0,
            pending: Vec::new(),
            reserve: 2 * chunk,
            at_end: false,
            failed: None,
            lines: 0,
            open: false,
        }
    }

    /// Drops bytes up to and with the first line end, if one stands before byte `own`: the stream
    /// begins in the middle of a line, which belongs to the part before.
    pub(crate) fn skip_line(&mut self) -> io::Result<()> {
        while self.base < self.own {
            let mut chunk = std::mem::take(&mut self.pending);
            chunk.clear();
            if read_chunk(&mut self.input, &mut chunk, self.chunk)? == 0 {
                self.at_end = true;
                return Ok(());
            }
            if let Some(at) = memchr(b'\n', &chunk) {
                chunk.drain(..=at);
                self.base += at as u64 + 1;
                self.pending = chunk;
                return Ok(());
            }
            self.base += chunk.len() as u64;
            self.pending = chunk;
        }
        self.pending.clear();
        Ok(())
    }

    /// The first bytes of the stream: `count` of them, or fewer at its end. For what comes before
    /// the first slab.
    pub(crate) fn head(&mut self, count: usize) -> &[u8] {
        while self.pending.len() < count && !self.at_end {
            let mut bytes = std::mem::take(&mut self.pending);
            self.fill(&mut bytes);
            self.pending = bytes;
        }
        &self.pending[..count.min(self.pending.len())]
    }

    /// Passes over bytes that [`LineReader::head`] gave. The line behind them counts as beginning
    /// with them, so that it belongs to the part that has the head.
    pub(crate) fn pass_over(&mut self, count: usize) {
        self.pending.drain(..count);
        self.base += count as u64;
        self.own = self.own.max(self.base + 1);
    }

    /// Lines given out so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes that were read behind the last line given out.
    pub(crate) fn held(&self) -> u64 {
        self.pending.len() as u64
    }

    /// Whether the last line given out has no line end.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Bytes of the stream that the lines given out so far take, with what was skipped.
    pub(crate) fn bytes(&self) -> u64 {
        self.base
    }

    /// The next slab: never empty. Lines that were complete before reading failed come before the
    /// error.
    pub(crate) fn next(&mut self) -> io::Result<Option<Lines>> {
        if self.base >= self.own {
            return Ok(None);
        }
        let mut bytes = std::mem::take(&mut self.pending);
        let mut ends = Vec::with_capacity(SLAB_EVENTS);
        let mut scanned = 0;
        while !self.split(&bytes, &mut scanned, &mut ends) {
            if self.at_end {
                // What stands behind the last line end is a line too, unless reading failed in it.
                if self.failed.is_none() && end_of(&ends) < bytes.len() {
                    ends.push(bytes.len() as u32);
                }
                break;
            }
            if ends.is_empty() && bytes.len() > LINE_MAX_BYTES + LINE_END_MAX_BYTES {
                return self.endless_line(bytes).map(Some);
            }
            if bytes.is_empty() {
                bytes.reserve(self.reserve);
            }
            self.fill(&mut bytes);
        }
        if ends.is_empty() {
            return self.failed.take().map_or(Ok(None), Err);
        }
        Ok(Some(self.give(bytes, ends)))
    }

    /// Looks for line ends in what was not looked at yet; true once no more belongs to the slab.
    fn split(&self, bytes: &[u8], scanned: &mut usize, ends: &mut Vec<u32>) -> bool {
        let own = usize::try_from(self.own - self.base).unwrap_or(usize::MAX);
        for at in memchr_iter(b'\n', &bytes[*scanned..]) {
            let end = *scanned + at + 1;
            if end > SLAB_BYTES && !ends.is_empty() {
                return true;
            }
            ends.push(end as u32);
            if ends.len() == SLAB_EVENTS || end >= own {
                return true;
            }
        }
        *scanned = bytes.len();
        // A line that is longer than a slab, or would make this one so, comes in the next.
        bytes.len() > SLAB_BYTES && !ends.is_empty()
    }

    fn fill(&mut self, bytes: &mut Vec<u8>) {
        match read_chunk(&mut self.input, bytes, self.chunk) {
            Ok(0) => self.at_end = true,
            Ok(_) => {}
            Err(e) => {
                self.failed = Some(e);
                self.at_end = true;
            }
        }
    }

    /// Makes a slab of the lines found and keeps what was read behind them.
    fn give(&mut self, mut bytes: Vec<u8>, mut ends: Vec<u32>) -> Lines {
        let end = end_of(&ends);
        self.reserve = end.min(SLAB_BYTES) + 2 * self.chunk;
        let rest = &bytes[end..];
        if !rest.is_empty() {
            self.pending.reserve_exact(self.reserve.max(rest.len()));
            self.pending.extend_from_slice(rest);
        }
        bytes.truncate(end);
        // A log of many small objects has many slabs on its way that are far from full. Copied, and
        // not shrunk: what is cut off where it stands is of no use to the next.
        if bytes.len() < bytes.capacity() / 2 {
            bytes = bytes.as_slice().into();
        }
        if ends.len() < ends.capacity() / 2 {
            ends = ends.as_slice().into();
        }
        self.base += end as u64;
        self.lines += ends.len() as u64;
        self.open = !bytes.ends_with(b"\n");
        // Only a line that is alone in its slab can be so long.
        let length = without_line_end(&bytes);
        if ends.len() == 1 && length > LINE_MAX_BYTES {
            return cut(bytes, length as u64);
        }
        Lines { bytes, ends, ..Lines::default() }
    }

    /// A line that is too long, of which `bytes` is the beginning: its end is looked for, but what
    /// comes until then is only counted.
    fn endless_line(&mut self, bytes: Vec<u8>) -> io::Result<Lines> {
        let mut length = bytes.len() as u64;
        let mut ends_in_cr = bytes.ends_with(b"\r");
        let slab = cut(bytes, 0);
        let mut chunk = Vec::new();
        let line_end = loop {
            chunk.clear();
            self.fill(&mut chunk);
            let end = memchr(b'\n', &chunk);
            let line = &chunk[..end.unwrap_or(chunk.len())];
            length += line.len() as u64;
            if let Some(last) = line.last() {
                ends_in_cr = *last == b'\r';
            }
            match end {
                Some(at) => {
                    self.pending = chunk.split_off(at + 1);
                    break 1;
                }
                None if self.at_end => break 0,
                None => {}
            }
        };
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        self.base += length + line_end;
        self.lines += 1;
        self.open = line_end == 0;
        Ok(Lines { cut: vec![(0, length - u64::from(ends_in_cr))], ..slab })
    }
}

/// Appends up to `chunk` bytes; 0 at the end of the input.
fn read_chunk(input: &mut impl Read, bytes: &mut Vec<u8>, chunk: usize) -> io::Result<usize> {
    let old = bytes.len();
    bytes.resize(old + chunk, 0);
    let result = loop {
        match input.read(&mut bytes[old..]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => break result,
        }
    };
    bytes.truncate(old + result.as_ref().map_or(0, |count| *count));
    result
}

fn end_of(ends: &[u32]) -> usize {
    ends.last().map_or(0, |end| *end as usize)
}

/// Length of a line without `\n` or `\r\n`, as the decoder sees it.
fn without_line_end(line: &[u8]) -> usize {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).len()
}

/// A slab of one line that is too long.
fn cut(mut bytes: Vec<u8>, length: u64) -> Lines {
    bytes.truncate(LINE_KEPT_BYTES);
    bytes.shrink_to_fit();
    let (ends, cut) = (vec![LINE_KEPT_BYTES as u32], vec![(0, length)]);
    Lines { bytes, ends, cut, whole: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives bytes in pieces of the given sizes, over and over; then fails or ends.
    struct Drip<'a> {
        bytes: &'a [u8],
        sizes: Vec<usize>,
        turn: usize,
        fails: bool,
    }

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.bytes.is_empty() && self.fails {
                return Err(io::Error::other("the wire was cut"));
            }
            let size = self.sizes[self.turn % self.sizes.len()];
            self.turn += 1;
            let count = size.min(buffer.len()).min(self.bytes.len());
            buffer[..count].copy_from_slice(&self.bytes[..count]);
            self.bytes = &self.bytes[count..];
            Ok(count)
        }
    }

    fn drip(bytes: &[u8], size: usize) -> Drip<'_> {
        Drip { bytes, sizes: vec![size], turn: 0, fails: false }
    }

    fn all(reader: &mut LineReader<impl Read>) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        while let Some(slab) = reader.next().unwrap() {
            lines.extend((0..slab.ends.len()).map(|row| slab.get(row).to_vec()));
        }
        lines
    }

    #[test]
    fn line_ends_are_found_and_nothing_else_is_judged() {
        for (text, expected) in [
            (&b""[..], &[][..]),
            (b"\n", &[&b""[..]][..]),
            (b"a", &[b"a"]),
            (b"a\n", &[b"a"]),
            (b"a\r\nb\r\n", &[b"a", b"b"]),
            (b"\n\na", &[b"", b"", b"a"]),
            (b"a\rb\n", &[b"a\rb"]),
            (b"\xef\xbb\xbf{}\n", &[b"\xef\xbb\xbf{}"]),
        ] {
            let mut reader = LineReader::new(drip(text, 2), 3, u64::MAX);
            assert_eq!(all(&mut reader), expected);
            assert_eq!(reader.lines(), expected.len() as u64);
            assert_eq!(reader.bytes(), text.len() as u64);
        }
    }

    #[test]
    fn what_was_complete_comes_before_an_error_and_the_rest_never() {
        let input = Drip { bytes: b"a\nb\nc", sizes: vec![2], turn: 0, fails: true };
        let mut reader = LineReader::new(input, 16, u64::MAX);
        let slab = reader.next().unwrap().unwrap();
        assert_eq!((slab.get(0), slab.get(1), slab.ends.len()), (&b"a"[..], &b"b"[..], 2));
        assert_eq!(reader.next().unwrap_err().to_string(), "the wire was cut");
        assert_eq!((reader.lines(), reader.bytes()), (2, 4));
    }

    #[test]
    fn a_line_is_cut_only_beyond_the_bound_whatever_its_end() {
        let mut text = vec![b'x'; LINE_MAX_BYTES + 1];
        for (end, length, is_cut) in [
            (&b""[..], LINE_MAX_BYTES, false),
            (b"\n", LINE_MAX_BYTES, false),
            (b"\r\n", LINE_MAX_BYTES, false),
            (b"", LINE_MAX_BYTES + 1, true),
            (b"\n", LINE_MAX_BYTES + 1, true),
            (b"\r\n", LINE_MAX_BYTES + 1, true),
        ] {
            text.truncate(LINE_MAX_BYTES);
            text.resize(length, b'x');
            text.extend_from_slice(end);
            if !end.is_empty() {
                text.extend_from_slice(b"next\n");
            }
            let mut reader = LineReader::new(&text[..], 1 << 20, u64::MAX);
            let slab = reader.next().unwrap().unwrap();
            assert_eq!(slab.ends.len(), 1, "{end:?} {length}");
            let (kept, cut) = match is_cut {
                true => (LINE_KEPT_BYTES, vec![(0, length as u64)]),
                false => (length, vec![]),
            };
            assert_eq!((slab.get(0).len(), slab.cut), (kept, cut), "{end:?} {length}");
            let rest: &[&[u8]] = if end.is_empty() { &[] } else { &[b"next"] };
            assert_eq!(all(&mut reader), rest);
        }
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let length = 3 * LINE_MAX_BYTES as u64 + 5;
        let input = io::repeat(b'x').take(length).chain(&b"\r\nnext"[..]);
        let input = (&b"before\n"[..]).chain(input);
        let mut reader = LineReader::new(input, 1 << 16, u64::MAX);
        assert_eq!(reader.next().unwrap().unwrap().get(0), b"before");
        let slab = reader.next().unwrap().unwrap();
        assert_eq!(slab.cut, [(0, length)]);
        assert!(slab.bytes.capacity() <= LINE_KEPT_BYTES + 64);
        assert_eq!(all(&mut reader), [b"next"]);
        assert_eq!(reader.bytes(), 7 + length + 2 + 4);
    }

    #[test]
    fn long_lines_lie_alone_and_slabs_end_where_lines_say() {
        let mut text = b"a\nb\n".to_vec();
        text.resize(text.len() + SLAB_BYTES + 10, b'x');
        text.extend_from_slice(b"\nc\nd");
        for size in [1000, 1 << 22] {
            let mut reader = LineReader::new(drip(&text, size), 1 << 20, u64::MAX);
            let slabs: Vec<_> =
                std::iter::from_fn(|| reader.next().unwrap()).map(|slab| slab.ends.len()).collect();
            assert_eq!(slabs, [2, 1, 2]);
        }
    }

    proptest! {
        #[test]
        fn neither_pieces_nor_ranges_change_the_lines(
            text in prop::collection::vec(prop::sample::select(b"\n\rx".to_vec()), 0..200),
            sizes in prop::collection::vec(1usize..20, 1..5),
            chunk in 1usize..40,
            cuts in prop::collection::vec(0usize..200, 0..4),
        ) {
            let mut expected: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
            for line in &mut expected {
                *line = &line[..without_line_end(line)];
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut found = Vec::new();
            for range in cuts.windows(2) {
                // As a part reads its range: from the byte before it.
                let start = range[0].saturating_sub(1);
                let bytes = &text[start..];
                let input = Drip { bytes, sizes: sizes.clone(), turn: 0, fails: false };
                let mut reader = LineReader::new(input, chunk, (range[1] - start) as u64);
                if range[0] > 0 {
                    reader.skip_line().unwrap();
                }
                if range[1] > range[0] {
                    found.extend(all(&mut reader));
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
