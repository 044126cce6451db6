//! The log made of objects: from a URL to partitions, their parts, and slabs of events.
//!
//! [`Source::open`] finds the objects, one a partition, and cuts them into parts; reading one is
//! done on the thread that asks, and never pending: stores block. Readers know nothing of offsets:
//! how many lines lie before a part is only known once they are read, so whoever takes parts in
//! order counts.

mod error;
mod fingerprint;
mod glob;
mod json;
mod locate;
mod objects;
mod parquet;
mod ranges;
mod stored;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod parquet_tests;
#[cfg(test)]
mod tests;

pub use error::SourceError;
pub use objects::{LeftOut, WhyLeftOut};

use self::parquet::ParquetReader;
use crate::limits::{CHUNK_BYTES, SPLIT_BYTES};
use crate::log::{End, Feed, Log, LogError, Part, Partition, Piece};
use crate::store::{Folder, Opened, StoreError};
use arrow_array::RecordBatch;
use fingerprint::{Fingerprint, Hashing};
use json::JsonReader;
use locate::Place;
use objects::Object;
use retally_core::decode::Slab;
use retally_core::digest::Hash;
use retally_core::log::PartitionIndex;
use retally_core::manifest;
use retally_core::reduce::Originals;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use stored::Stored;

/// The format of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON text on each line, plain, gzip or zstd.
    #[default]
    Json,
    /// Parquet, one event a row.
    Parquet,
}

/// Which columns of a table are read. Lines are always read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projection {
    /// All.
    All,
    /// The top-level columns of these names, with all that is inside them. Those that an object
    /// does not have are absent from its rows, which is the decoder's to judge.
    Columns(Vec<String>),
}

/// How a log is to be read. None of it changes which events there are.
#[derive(Debug, Clone)]
pub struct Options {
    /// The format.
    pub format: Format,
    /// Columns to read.
    pub projection: Projection,
    /// Whether fingerprints have a SHA-256.
    pub attest: bool,
    /// See [`SPLIT_BYTES`].
    pub split_bytes: u64,
    /// See [`CHUNK_BYTES`].
    pub chunk_bytes: usize,
}

impl Options {
    /// Everything of a log in this format.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            projection: Projection::All,
            attest: false,
            split_bytes: SPLIT_BYTES,
            chunk_bytes: CHUNK_BYTES,
        }
    }
}

/// A log that was found.
#[derive(Clone)]
pub struct Source {
    shared: Arc<Shared>,
    partitions: Arc<[Partition]>,
    parts: Arc<[Part]>,
    /// What each part is of the object of its partition.
    shares: Arc<[Share]>,
}

/// What all readers of a source use.
struct Shared {
    folder: Folder,
    options: Options,
    objects: Vec<Object>,
    left_out: Vec<LeftOut>,
    /// One for each object.
    hashes: Vec<Hashing>,
}

/// What a part is of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Share {
    /// The lines that begin in this range of a plain object; the whole of a compressed one.
    Bytes { from: u64, to: u64 },
    /// Row groups of a Parquet object.
    RowGroups { from: usize, to: usize },
}

impl Source {
    /// Finds the log at `url`; a relative path starts at `base`, the job file's folder.
    pub fn open(url: &str, base: &Path, options: &Options) -> Result<Self, SourceError> {
        Self::over(locate::locate(url, base)?, options)
    }

    fn over(place: Place, options: &Options) -> Result<Self, SourceError> {
        let (objects, left_out) = objects::list(&place, options.format)?;
        let hashes = objects.iter().map(|_| Hashing::new(options.attest)).collect();
        let (folder, options) = (place.folder, options.clone());
        let shared = Arc::new(Shared { folder, options, objects, left_out, hashes });
        let (mut parts, mut shares) = (Vec::new(), Vec::new());
        for (object, about) in shared.objects.iter().enumerate() {
            let own = match shared.options.format {
                Format::Json => {
                    json::pieces(about.bytes, about.compression, shared.options.split_bytes)
                }
                Format::Parquet => parquet::pieces(&shared, object)?,
            };
            let partition = object as PartitionIndex;
            for (bytes, share) in own {
                parts.push(Part { partition, bytes });
                shares.push(share);
            }
        }
        let partition = |object: &Object| Partition {
            name: object.partition.clone(),
            first: 0,
            end: End::OfParts,
        };
        let partitions = shared.objects.iter().map(partition).collect();
        Ok(Self { shared, partitions, parts: parts.into(), shares: shares.into() })
    }

    /// What lies below the URL and is not read.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.shared.left_out
    }

    /// Begins to read a part of this source.
    fn reader(&self, number: usize) -> Result<PartReader, SourceError> {
        let part = &self.parts[number];
        Ok(PartReader(match self.shares[number] {
            Share::Bytes { from, to } => {
                Reader::Json(JsonReader::open(&self.shared, part, from, to)?)
            }
            Share::RowGroups { from, to } => {
                Reader::Parquet(ParquetReader::open(&self.shared, part, from..to)?)
            }
        }))
    }

    /// The fingerprint of the stored bytes of an object. Reads what was not read in
    /// order before; so ask when its parts are done, on any thread.
    fn fingerprint(&self, object: usize) -> Result<Fingerprint, SourceError> {
        let bytes = self.shared.objects[object].bytes;
        let mut rest = self.shared.hashes[object].lock();
        if rest.next() < bytes {
            let mut stored = Stored::open(&self.shared, object, rest.next())?;
            let mut chunk = vec![0; self.shared.options.chunk_bytes.max(1)];
            loop {
                let at = stored.at();
                let count = stored.read(&mut chunk).map_err(|e| self.explain(object, e))?;
                if count == 0 {
                    break;
                }
                rest.take(at, &chunk[..count]);
            }
        }
        self.shared.unchanged(object)?;
        Ok(rest.fingerprint())
    }

    /// The fingerprints of all objects; what was not read in order is read now, by several threads.
    fn fingerprints(&self, threads: usize) -> Result<Vec<Fingerprint>, SourceError> {
        let next = AtomicUsize::new(0);
        let count = self.shared.objects.len();
        let share = || -> Result<Vec<(usize, Fingerprint)>, SourceError> {
            let mut done = Vec::new();
            loop {
                match next.fetch_add(1, Ordering::Relaxed) {
                    number if number < count => done.push((number, self.fingerprint(number)?)),
                    _ => return Ok(done),
                }
            }
        };
        let mut all = std::thread::scope(|scope| -> Result<Vec<_>, SourceError> {
            let threads: Vec<_> = (0..threads.min(count)).map(|_| scope.spawn(share)).collect();
            let mut all = Vec::with_capacity(count);
            for thread in threads {
                all.extend(thread.join().map_err(|_| SourceError::Panicked)??);
            }
            Ok(all)
        })?;
        all.sort_unstable_by_key(|&(number, _)| number);
        Ok(all.into_iter().map(|(_, print)| print).collect())
    }

    fn explain(&self, object: usize, error: std::io::Error) -> SourceError {
        let shown = &self.shared.objects[object].shown;
        error.downcast().unwrap_or_else(|e| StoreError::io("read", shown, &e).into())
    }
}

impl Log for Source {
    fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn read(&self, part: usize, _from: u64) -> Result<Box<dyn Feed>, LogError> {
        Ok(Box::new(self.reader(part)?))
    }

    fn originals(&self) -> Originals {
        let options = &self.shared.options;
        match options.format {
            Format::Parquet if options.projection != Projection::All => Originals::Elsewhere,
            Format::Parquet | Format::Json => Originals::InSlabs,
        }
    }

    /// Ask for many at a time: a page at a time is decoded.
    fn rows(
        &self,
        partition: PartitionIndex,
        offsets: &[u64],
    ) -> Result<Vec<RecordBatch>, LogError> {
        match self.shared.options.format {
            Format::Parquet => Ok(parquet::rows(&self.shared, partition as usize, offsets)?),
            // Lines are always whole.
            Format::Json => Ok(Vec::new()),
        }
    }

    fn objects(&self) -> Vec<manifest::Object> {
        let object = |object: &Object| manifest::Object {
            path: object.path.clone(),
            size_bytes: object.bytes,
            etag: object.etag.clone(),
            xxh3_128: None,
            sha256: None,
        };
        self.shared.objects.iter().map(object).collect()
    }

    fn taken(&self, threads: usize) -> Result<Vec<manifest::Object>, LogError> {
        let hashed = |(object, print): (manifest::Object, Fingerprint)| manifest::Object {
            xxh3_128: Some(manifest::Xxh3(print.xxh3)),
            sha256: print.sha256.map(Hash),
            ..object
        };
        Ok(self.objects().into_iter().zip(self.fingerprints(threads)?).map(hashed).collect())
    }
}

impl Shared {
    /// Whether an object is still what it was when the source was opened.
    fn unchanged(&self, object: usize) -> Result<(), SourceError> {
        let about = &self.objects[object];
        Ok(self.folder.unchanged(&about.path, &about.meta)?)
    }

    fn opened(&self, object: usize) -> Result<Opened, SourceError> {
        let about = &self.objects[object];
        Ok(self.folder.opened(&about.path, &about.meta)?)
    }
}

/// Reads one part, slab by slab.
struct PartReader(Reader);

enum Reader {
    Json(JsonReader),
    Parquet(ParquetReader),
}

impl PartReader {
    /// The next slab, never empty; `None` at the end. What comes before an error is good; after one
    /// there is nothing more to ask for.
    fn next(&mut self) -> Result<Option<Slab>, SourceError> {
        match &mut self.0 {
            Reader::Json(reader) => Ok(reader.next()?.map(Slab::Lines)),
            Reader::Parquet(reader) => Ok(reader.next()?.map(Slab::Rows)),
        }
    }
}

impl Feed for PartReader {
    fn poll(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        let piece = |slab| Piece { slab, offsets: None };
        Poll::Ready(self.next().map(|slab| slab.map(piece)).map_err(LogError::from))
    }

    fn bytes_read(&self) -> u64 {
        match &self.0 {
            Reader::Json(reader) => reader.bytes_read(),
            Reader::Parquet(reader) => reader.bytes_read(),
        }
    }
}
