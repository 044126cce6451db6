//! Counting what is read of files, so that a comparison can say how little it was. A byte counts
//! once, however often it is read: a file's footer tells where its columns lie each time that it is
//! opened.

use bytes::Bytes;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
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

/// A file whose reads are counted.
pub(super) struct Metered {
    file: File,
    path: Arc<Path>,
    place: u64,
    meter: Meter,
}

impl Metered {
    pub(super) fn new(file: File, path: &Arc<Path>, meter: &Meter) -> Self {
        Self { file, path: path.clone(), place: 0, meter: meter.clone() }
    }

    /// The file itself, for who reads it without being counted.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    fn at(&self, start: u64) -> Result<Self> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(Self { place: start, ..Self::new(file, &self.path, &self.meter) })
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        let end = self.place + read as u64;
        self.meter.add(&self.path, self.place..end);
        self.place = end;
        Ok(read)
    }
}

impl Length for Metered {
    fn len(&self) -> u64 {
        Length::len(&self.file)
    }
}

impl ChunkReader for Metered {
    type T = BufReader<Self>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(self.at(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // A damaged file may name any length: no more is reserved than the file can have.
        let left = Length::len(&self.file).saturating_sub(start);
        let mut buffer = Vec::with_capacity(length.min(left as usize));
        self.at(start)?.take(length as u64).read_to_end(&mut buffer)?;
        if buffer.len() != length {
            let message = format!("{length} bytes expected, {} are there", buffer.len());
            return Err(parquet::errors::ParquetError::EOF(message));
        }
        Ok(buffer.into())
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
