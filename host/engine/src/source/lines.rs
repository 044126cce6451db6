//! Bytes to lines: where lines end, and nothing about what is in them.
//!
//! A line ends behind `\n`, or at the end of the bytes if anything stands there; `\r` is left to
//! whoever takes the line. Empty lines are lines, and a byte order mark is part of the first line: what
//! is no event is the decoder's to say. How the bytes arrive changes nothing: where slabs end depends on
//! the lines alone.
//!
//! ```text
//!   bytes   [ line \n | line \n | ... | li      ]
//!            ends ---^--------^           ^--- scanned, the next line so far
//! ```

use memchr::{memchr, memchr_iter};
use retally_core::decode::Lines;
use retally_core::limits::{LINE_KEPT_BYTES, LINE_MAX_BYTES};
use std::io::{self, Read};

/// Events of a slab: what one decode task takes.
pub(super) const SLAB_EVENTS: usize = 8192;

/// Bytes of a slab, unless one line alone is longer: bounds the memory of a reader.
pub(super) const SLAB_BYTES: usize = 4 << 20;

/// `\r\n`.
const LINE_END_MAX_BYTES: usize = 2;

// A reader that stops waiting for the end of a line holds at most this and one chunk: ends fit `u32`.
const _: () = assert!(LINE_MAX_BYTES + SLAB_BYTES < u32::MAX as usize);
// A line that may have to be cut lies in a slab of its own.
const _: () = assert!(LINE_MAX_BYTES > SLAB_BYTES);

/// Splits a stream into slabs of lines.
pub(super) struct LineReader<R> {
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
}

impl<R: Read> LineReader<R> {
    /// Reads the lines that begin before byte `own` of `input`, about `chunk` bytes at a time.
    pub(super) fn new(input: R, chunk: usize, own: u64) -> Self {
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
        }
    }

    /// Drops bytes up to and with the first line end, if one stands before byte `own`: the stream begins
    /// in the middle of a line, which belongs to the part before.
    pub(super) fn skip_line(&mut self) -> io::Result<()> {
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

    /// Lines given out so far.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes of the stream that the lines given out so far take, with what was skipped.
    pub(super) fn bytes(&self) -> u64 {
        self.base
    }

    /// The next slab: never empty. Lines that were complete before reading failed come before the error.
    pub(super) fn next(&mut self) -> io::Result<Option<Lines>> {
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
    fn give(&mut self, mut bytes: Vec<u8>, ends: Vec<u32>) -> Lines {
        let end = end_of(&ends);
        self.reserve = end.min(SLAB_BYTES) + 2 * self.chunk;
        let rest = &bytes[end..];
        if !rest.is_empty() {
            self.pending.reserve_exact(self.reserve.max(rest.len()));
            self.pending.extend_from_slice(rest);
        }
        bytes.truncate(end);
        self.base += end as u64;
        self.lines += ends.len() as u64;
        // Only a line that is alone in its slab can be so long.
        let length = without_line_end(&bytes);
        if ends.len() == 1 && length > LINE_MAX_BYTES {
            return cut(bytes, length as u64);
        }
        Lines { bytes, ends, cut: Vec::new() }
    }

    /// A line that is too long, of which `bytes` is the beginning: its end is looked for, but what comes
    /// until then is only counted.
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
    Lines { bytes, ends: vec![LINE_KEPT_BYTES as u32], cut: vec![(0, length)] }
}
