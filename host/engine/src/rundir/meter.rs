//! Counting what is read of files, so that a comparison can say how little it was. A byte counts
//! once, however often it is read: a file's footer tells where its columns lie each time that it is
//! opened.

use crate::limits::WINDOW_BYTES;
use crate::store::{Meta, Opened};
use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which bytes were read of which file.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<Mutex<BTreeMap<Arc<Path>, Spans>>>);

/// Stretches of a file: ascending, and none touches the next.
#[derive(Debug, Default)]
struct Spans(Vec<Range<u64>>);

impl Spans {
    fn add(&mut self, span: Range<u64>) {
        if span.is_empty() {
            return;
        }
        let from = self.0.partition_point(|known| known.end < span.start);
        let upto = self.0.partition_point(|known| known.start <= span.end);
        let joined = self.0[from..upto]
            .iter()
            .fold(span, |all, known| all.start.min(known.start)..all.end.max(known.end));
        self.0.splice(from..upto, [joined]);
    }

    fn bytes(&self) -> u64 {
        self.0.iter().map(|span| span.end - span.start).sum()
    }
}

impl Meter {
    /// Adds bytes of a file.
    pub(super) fn add(&self, file: &Arc<Path>, span: Range<u64>) {
        self.files().entry(file.clone()).or_default().add(span);
    }

    /// All so far.
    pub(super) fn read(&self) -> u64 {
        self.files().values().map(Spans::bytes).sum()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<Arc<Path>, Spans>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that are read of a file where nobody says how many are wanted: the header of a page.
const FORWARD_BYTES: u64 = 8 << 10;

/// Windows that are kept of an object of a store: one for each column that a table is likely to
/// have.
const WINDOWS: usize = 32;

/// A file whose reads are counted. One of this machine is read as is asked; of an object of a store
/// no less than a window at a time, and the windows used last are kept: a request costs more than
/// its bytes.
#[derive(Clone)]
pub(super) struct Metered(Arc<Inner>);

struct Inner {
    path: Arc<Path>,
    meter: Meter,
    meta: Meta,
    is_file: bool,
    state: Mutex<State>,
}

struct State {
    opened: Opened,
    /// Where they begin, and their bytes; the one used last in front.
    windows: Vec<(u64, Bytes)>,
}

impl Metered {
    pub(super) fn new(opened: Opened, path: &Arc<Path>, meter: &Meter) -> Self {
        let (meta, is_file) = (opened.meta().clone(), opened.is_file());
        let state = Mutex::new(State { opened, windows: Vec::new() });
        let (path, meter) = (path.clone(), meter.clone());
        Self(Arc::new(Inner { path, meter, meta, is_file, state }))
    }

    /// What the store said of it when it was opened.
    pub(super) fn about(&self) -> &Meta {
        &self.0.meta
    }

    /// The bytes of `range`, which lies in the file, and what more is at hand behind them if
    /// `and_more`.
    fn range(&self, range: Range<u64>, and_more: bool) -> Result<Bytes> {
        let (inner, length) = (&self.0, range.end - range.start);
        let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let holds =
            |(at, bytes): &(u64, Bytes)| *at <= range.start && range.end <= at + bytes.len() as u64;
        let least = match (inner.is_file, and_more) {
            (true, true) => FORWARD_BYTES,
            (true, false) => 0,
            (false, _) => WINDOW_BYTES,
        };
        if let Some(place) = state.windows.iter().position(holds) {
            state.windows[..=place].rotate_right(1);
        } else {
            let end = (range.start + length.max(least)).min(inner.meta.bytes);
            let bytes = state.opened.range(range.start..end);
            let bytes = bytes.map_err(|error| ParquetError::External(Box::new(error)))?;
            inner.meter.add(&inner.path, range.start..end);
            if inner.is_file {
                return Ok(bytes);
            }
            state.windows.truncate(WINDOWS - 1);
            state.windows.insert(0, (range.start, bytes));
        }
        let (at, bytes) = &state.windows[0];
        let from = (range.start - at) as usize;
        let to = if and_more { bytes.len() } else { from + length as usize };
        Ok(bytes.slice(from..to))
    }
}

impl Length for Metered {
    fn len(&self) -> u64 {
        self.0.meta.bytes
    }
}

impl ChunkReader for Metered {
    type T = Forward;

    fn get_read(&self, start: u64) -> Result<Forward> {
        Ok(Forward { file: self.clone(), at: start, rest: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // A damaged file may name any length: no more is reserved than the file can have.
        let left = self.len().saturating_sub(start);
        if length as u64 > left {
            let message = format!("{length} bytes expected, {left} are there");
            return Err(ParquetError::EOF(message));
        }
        self.range(start..start + length as u64, false)
    }
}

/// Reads forward from some byte.
pub(super) struct Forward {
    file: Metered,
    at: u64,
    rest: Bytes,
}

impl Read for Forward {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.rest.is_empty() && self.at < self.file.len() && !buffer.is_empty() {
            let more = self.file.range(self.at..self.at + 1, true);
            self.rest = more.map_err(std::io::Error::other)?;
        }
        let count = self.rest.len().min(buffer.len());
        self.rest.copy_to_slice(&mut buffer[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_byte_counts_once(spans in prop::collection::vec((0u64..60, 0u64..9), 0..20)) {
            let (meter, file) = (Meter::default(), Arc::from(Path::new("view.parquet")));
            let mut all = BTreeSet::new();
            for (start, length) in spans {
                meter.add(&file, start..start + length);
                all.extend(start..start + length);
            }
            prop_assert_eq!(meter.read(), all.len() as u64);
            prop_assert!(meter.files().values().all(|s| s.0.is_sorted_by(|a, b| a.end < b.start)));
        }
    }
}
