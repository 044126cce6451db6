//! Counting what is read of files, so that a comparison can say how little it was.

use bytes::Bytes;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes were read.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<AtomicU64>);

impl Meter {
    /// Adds bytes.
    pub(super) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// All so far.
    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A file whose reads are counted.
pub(super) struct Metered {
    file: File,
    meter: Meter,
}

impl Metered {
    pub(super) fn new(file: File, meter: Meter) -> Self {
        Self { file, meter }
    }

    fn at(&self, start: u64) -> Result<Self> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(Self { file, meter: self.meter.clone() })
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.meter.add(read as u64);
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
