//! Parts of JSON lines: ranges of plain objects, whole compressed ones.

use super::error::wrong_format;
use super::objects::{Compression, Object};
use super::packed::{Behind, Packed};
use super::receipts::{Ends, PartEnd};
use super::stored::Stored;
use super::{Format, Share, piece};
use crate::bounded::BYTE_ORDER_MARK;
use crate::limits::CHUNK_MIN_BYTES;
use crate::log::{Feed, LineReader, LogError, Piece};
use crate::store::StoreError;
use retally_core::decode::{Lines, Slab};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// What zstd says where its writer was given `--long` with more than 27.
const WINDOW: &str = "too much memory";

const WINDOW_HINT: &str = "was written with a window above 128 MiB (as by `zstd --long=31`): \
                           write it with a smaller one";

/// Bytes by which texts of all encodings are told apart.
const HEAD_BYTES: usize = 4;

/// Reads the lines of one part.
pub(super) struct JsonReader {
    object: Arc<Object>,
    lines: LineReader<Box<dyn Read + Send>>,
    /// How far the object's stored bytes have been read.
    seen: Arc<AtomicU64>,
    range: Range<u64>,
    /// Where it is noted that the slice, of this number, was read to its end.
    ends: (usize, Arc<Ends>),
}

/// The parts of an object of `bytes` bytes: a plain one is cut into ranges of about the same
/// length.
pub(super) fn pieces(bytes: u64, compression: Compression, split: u64) -> Vec<(u64, Share)> {
    let count = match compression {
        Compression::None => bytes.div_ceil(split.max(1)),
        // A decompressor begins at the beginning. An object of no bytes is read too, as it is
        // damaged.
        Compression::Gzip | Compression::Zstd => 1,
    };
    let at = |n: u64| (u128::from(bytes) * u128::from(n) / u128::from(count)) as u64;
    let range = |n: u64| (at(n + 1) - at(n), Share::Bytes { from: at(n), to: at(n + 1) });
    (0..count).map(range).collect()
}

/// Where the reader of a range begins. A line begins behind a line end: so the byte before the
/// range is looked at too.
pub(super) fn begins(from: u64) -> u64 {
    from.saturating_sub(1)
}

impl JsonReader {
    pub(super) fn open(
        object: &Arc<Object>,
        ends: (usize, Arc<Ends>),
        from: u64,
        to: u64,
    ) -> Result<Self, LogError> {
        if object.meta.bytes == 0 {
            return Err(corrupt(object, "has no bytes at all", 0, 0, 0));
        }
        let start = begins(from);
        let stored = Stored::open(object, start)?;
        let seen = stored.seen();
        let (input, own): (Box<dyn Read + Send>, u64) = match object.compression {
            Compression::None => (Box::new(stored), to - start),
            packed => {
                let failed = |e| StoreError::io("read", &object.shown, &e);
                (Box::new(Packed::new(stored, packed).map_err(failed)?), u64::MAX)
            }
        };
        // Of a small object all at once, and no more room than that.
        let small = usize::try_from(own).map_or(usize::MAX, |own| own.max(CHUNK_MIN_BYTES));
        let lines = LineReader::new(input, object.options.chunk_bytes.min(small), own);
        let object = object.clone();
        let mut reader = Self { object, lines, seen, range: from..to, ends };
        if from > 0 {
            reader.lines.skip_line().map_err(|e| reader.explain(e))?;
        } else if reader.object.options.format != Format::Raw {
            reader.head()?;
        }
        Ok(reader)
    }

    /// Looks at the first bytes of what the object holds: a byte order mark is passed over, and
    /// text that is not UTF-8 at all would only give as many malformed events.
    fn head(&mut self) -> Result<(), LogError> {
        let encoding = match self.lines.head(HEAD_BYTES) {
            marked if marked.starts_with(BYTE_ORDER_MARK) => {
                self.lines.pass_over(BYTE_ORDER_MARK.len());
                self.object.marked.store(true, Ordering::Relaxed);
                return Ok(());
            }
            // Before UTF-16, whose mark begins this one.
            [0xff, 0xfe, 0, 0] | [0, 0, 0xfe, 0xff] | [b'{', 0, 0, 0] | [0, 0, 0, b'{'] => "UTF-32",
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, ..] | [0, b'{', ..] => "UTF-16",
            _ => return Ok(()),
        };
        let hint = format!("lines are UTF-8: write it so, as with `iconv -f {encoding} -t UTF-8`");
        Err(wrong_format(&self.object.shown, &format!("is text in {encoding}"), &hint))
    }

    fn next(&mut self) -> Result<Option<Lines>, LogError> {
        match self.lines.next() {
            Ok(Some(lines)) => Ok(Some(lines)),
            Ok(None) => {
                self.object.is_one()?;
                let (lines, is_open) = (self.lines.lines(), self.lines.is_open());
                let (number, ends) = &self.ends;
                ends.note(*number, PartEnd { lines, is_open });
                Ok(None)
            }
            Err(e) => Err(self.explain(e)),
        }
    }

    /// What an error of the decompressor, or of the stored bytes below it, means for the person.
    fn explain(&self, error: io::Error) -> LogError {
        let error = match error.downcast::<LogError>() {
            Ok(of_store) => return of_store,
            Err(error) => error,
        };
        // What looks damaged may have been replaced while it was read.
        if let Err(changed) = self.object.unchanged() {
            return changed;
        }
        let seen = self.seen.load(Ordering::Relaxed);
        let behind = error.get_ref().and_then(|error| error.downcast_ref::<Behind>());
        let (problem, at) = match behind {
            Some(behind) => (behind.to_string(), behind.at),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                ("ends in the middle".to_owned(), seen)
            }
            None if error.to_string().contains(WINDOW) => (WINDOW_HINT.to_owned(), seen),
            None => (format!("is damaged ({error})"), seen),
        };
        let (lines, bytes) = (self.lines.lines(), self.lines.bytes());
        corrupt(&self.object, &problem, at, lines, bytes)
    }
}

impl Feed for JsonReader {
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        let next = self.next().map(|lines| lines.map(Slab::Lines));
        let mut polled = piece(&self.object, next);
        if let Poll::Ready(Ok(Some(piece))) = &mut polled
            && self.object.compression == Compression::None
        {
            piece.end = Some(self.seen.load(Ordering::Relaxed) - self.lines.held());
        }
        polled
    }

    fn bytes_read(&self) -> u64 {
        let Range { start, end } = self.range;
        self.seen.load(Ordering::Relaxed).saturating_sub(start).min(end - start)
    }
}

fn corrupt(
    about: &Object,
    problem: &str,
    stored_at: u64,
    good_lines: u64,
    good_bytes: u64,
) -> LogError {
    let (path, format, stored_bytes) = (&about.shown, about.compression.as_str(), about.meta.bytes);
    LogError::new(format!(
        "`{path}`: {format} stream {problem}, near byte {stored_at} of {stored_bytes} of the file; \
         the {good_lines} lines before ({good_bytes} bytes decompressed) are good; fetch or write \
         the file again"
    ))
}
