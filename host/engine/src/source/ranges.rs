//! Random access to the stored bytes of an object, for formats with an index at the end.
//!
//! Parquet is read column by column, so a reader jumps between as many places as there are columns
//! and goes forward at each. A window of bytes is kept at each place: few requests, bounded memory.

use super::error::SourceError;
use super::objects::Object;
use crate::limits::{SPARE_WINDOWS, WINDOW_BYTES};
use crate::store::Opened;
use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

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
    pub(super) fn open(object: &Arc<Object>, places: usize) -> Result<Self, SourceError> {
        let (opened, windows_max) = (object.opened()?, places + SPARE_WINDOWS);
        let state = Mutex::new(State { opened, windows: Vec::new(), windows_max });
        Ok(Self(Arc::new(Inner { object: object.clone(), state })))
    }

    /// The bytes of `range`, and what more is at hand behind them if `and_more`.
    pub(super) fn get(&self, range: Range<u64>, and_more: bool) -> Result<Bytes, SourceError> {
        let about = &self.0.object;
        if range.end > about.meta.bytes {
            return Err(SourceError::Parquet {
                path: about.shown.clone(),
                place: format!("bytes {} to {}", range.start, range.end),
                problem: format!("the file has only {} bytes", about.meta.bytes),
            });
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
