//! The stored bytes of an object of a log, read in order, or here and there for formats with an
//! index at the end.
//!
//! What is read is offered to the object's fingerprint on the way, and its first bytes are checked:
//! they must be what its name says. Parquet is read column by column, so a reader jumps between as
//! many places as there are columns and goes forward at each. A window of bytes is kept at each
//! place: few requests, bounded memory.

use super::Format;
use super::error::{unreadable, wrong_format};
use super::objects::{Compression, Object};
use crate::avro;
use crate::limits::{SPARE_WINDOWS, WINDOW_BYTES};
use crate::log::LogError;
use crate::store::{self, Opened};
use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A reader of one object from some byte to its end.
pub(super) struct Stored {
    object: Arc<Object>,
    bytes: store::Stored,
    /// Where the next byte lies in the object, for those who cannot reach the reader inside a
    /// decompressor.
    seen: Arc<AtomicU64>,
}

impl Stored {
    /// Opens an object at byte `from`, which must lie before its end.
    pub(super) fn open(object: &Arc<Object>, from: u64) -> Result<Self, LogError> {
        let bytes = match object.ahead(from) {
            Some(bytes) => bytes,
            None => object.opened()?.stream(from)?,
        };
        Ok(Self { object: object.clone(), bytes, seen: Arc::new(AtomicU64::new(from)) })
    }

    /// Where the next byte lies in the object.
    pub(super) fn at(&self) -> u64 {
        self.bytes.at()
    }

    /// Where reading stands, to be asked while a decompressor owns the reader.
    pub(super) fn seen(&self) -> Arc<AtomicU64> {
        self.seen.clone()
    }
}

/// Its errors are [`LogError`]s inside [`io::Error`]s.
impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.bytes.at();
        let count =
            self.bytes.read_some(buffer).map_err(|e| io::Error::other(LogError::from(e)))?;
        let new = &buffer[..count];
        if at == 0 {
            check_magic(&self.object, new).map_err(io::Error::other)?;
        }
        self.object.hashing.offer(at, new);
        self.seen.store(self.bytes.at(), Ordering::Relaxed);
        Ok(count)
    }
}

/// Refuses an object whose first bytes cannot be what its name says: read as lines it would only
/// give as many malformed events.
fn check_magic(about: &Object, start: &[u8]) -> Result<(), LogError> {
    let wrong = |found: &str, hint| Err(wrong_format(&about.shown, found, hint));
    match about.options.format {
        _ if start.len() < 4 => return Ok(()),
        Format::Avro if !start.starts_with(avro::MAGIC) => {
            return wrong(
                "is no Avro object container file: it does not begin with `Obj`",
                "name the format that it has in `[source] format`, or fetch or write it again",
            );
        }
        Format::Avro | Format::Parquet => return Ok(()),
        Format::Json | Format::Raw => {}
    }
    let found = Compression::of_magic(start);
    match about.compression {
        Compression::None if found != Compression::None => wrong(
            &format!("begins like {} but has no suffix that says so", found.as_str()),
            "give it the suffix `.gz` or `.zst`",
        ),
        Compression::None if start.starts_with(b"PAR1") => {
            wrong("is a Parquet file", "set `[source] format = \"parquet\"`")
        }
        Compression::None if start.starts_with(avro::MAGIC) => {
            wrong("is an Avro object container file", "set `[source] format = \"avro\"`")
        }
        named if named != found => wrong(
            &format!("has the suffix of {} but does not begin like it", named.as_str()),
            "give it the suffix that fits, or write it again",
        ),
        _ => Ok(()),
    }
}

/// Reads ranges of one object.
#[derive(Clone)]
pub(super) struct Ranges(Arc<Inner>);

struct Inner {
    object: Arc<Object>,
    state: Mutex<State>,
}

struct State {
    opened: Opened,
    /// Where they begin, and their bytes; the one used last in front.
    windows: Vec<(u64, Bytes)>,
    windows_max: usize,
}

impl Ranges {
    /// Makes an object ready to be read at about `places` places at a time.
    pub(super) fn open(object: &Arc<Object>, places: usize) -> Result<Self, LogError> {
        let (opened, windows_max) = (object.opened()?, places + SPARE_WINDOWS);
        let state = Mutex::new(State { opened, windows: Vec::new(), windows_max });
        Ok(Self(Arc::new(Inner { object: object.clone(), state })))
    }

    /// The bytes of `range`, and what more is at hand behind them if `and_more`.
    pub(super) fn get(&self, range: Range<u64>, and_more: bool) -> Result<Bytes, LogError> {
        let about = &self.0.object;
        if range.end > about.meta.bytes {
            let place = format!("bytes {} to {}", range.start, range.end);
            let problem = format!("the file has only {} bytes", about.meta.bytes);
            return Err(unreadable(&about.shown, &place, &problem));
        }
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let holds =
            |(at, bytes): &(u64, Bytes)| *at <= range.start && range.end <= at + bytes.len() as u64;
        match state.windows.iter().position(holds) {
            Some(place) => state.windows[..=place].rotate_right(1),
            None => {
                let length = (range.end - range.start).max(WINDOW_BYTES);
                let end = range.start.saturating_add(length).min(about.meta.bytes);
                let bytes = state.opened.range(range.start..end)?;
                let kept = state.windows_max - 1;
                state.windows.truncate(kept);
                state.windows.insert(0, (range.start, bytes));
            }
        }
        let (at, bytes) = &state.windows[0];
        let from = (range.start - at) as usize;
        let to = if and_more { bytes.len() } else { (range.end - at) as usize };
        Ok(bytes.slice(from..to))
    }
}

impl Length for Ranges {
    fn len(&self) -> u64 {
        self.0.object.meta.bytes
    }
}

impl ChunkReader for Ranges {
    type T = Forward;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Forward> {
        Ok(Forward { ranges: self.clone(), at: start, rest: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.saturating_add(length as u64);
        self.get(start..end, false).map_err(|e| ParquetError::External(Box::new(e)))
    }
}

/// Reads forward from some byte, for headers whose length is not known.
pub(super) struct Forward {
    ranges: Ranges,
    at: u64,
    rest: Bytes,
}

impl Read for Forward {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && self.at < self.ranges.len() && !buffer.is_empty() {
            self.rest = self.ranges.get(self.at..self.at + 1, true).map_err(io::Error::other)?;
        }
        let count = self.rest.len().min(buffer.len());
        self.rest.copy_to_slice(&mut buffer[..count]);
        self.at += count as u64;
        Ok(count)
    }
}
