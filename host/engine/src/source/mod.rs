//! The sources of a log: from a URL to partitions, their parts, and slabs of events.
//!
//! [`Source::open`] finds the objects and cuts them into parts; [`Source::read`] reads one part on
//! the thread that asks. Parts may be read at the same time and in any order: the events of a
//! partition are those of its parts, one part after another. Readers know nothing of offsets: how
//! many lines lie before a part is only known once they are read, so whoever takes parts in order
//! counts.
//!
//! All of it blocks. It may be called from any thread but those of an async runtime's tasks.

mod error;
mod fingerprint;
mod glob;
mod json;
mod lines;
mod locate;
mod objects;
mod parquet;
mod ranges;
mod stored;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod parquet_tests;

pub use error::SourceError;
pub use fingerprint::Fingerprint;
pub use objects::{Compression, LeftOut, Object, WhyLeftOut};

use self::parquet::ParquetReader;
use crate::store::{Folder, Opened, StoreError};
use arrow_array::RecordBatch;
use fingerprint::Hashing;
use json::JsonReader;
use locate::Place;
use retally_core::decode::Slab;
use retally_core::log::PartitionIndex;
use retally_core::reduce::Originals;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use stored::Stored;

/// The format of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON text on each line, plain, gzip or zstd.
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
    /// A plain object longer than this is read in several parts. Parts of one object that are read
    /// at the same time cost a second reading for its fingerprint, and lines are found far faster
    /// than they are decoded; so only large objects gain.
    pub split_bytes: u64,
    /// Bytes that are asked for at a time: as many as stay in a core's cache until lines are found
    /// in them.
    pub chunk_bytes: usize,
}

impl Options {
    /// Everything of a log in this format.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            projection: Projection::All,
            attest: false,
            split_bytes: 256 << 20,
            chunk_bytes: 128 << 10,
        }
    }
}

/// A log that was found.
#[derive(Clone)]
pub struct Source {
    shared: Arc<Shared>,
    parts: Arc<[Part]>,
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

/// A piece of a partition that is read by one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Number of its partition, which is also that of its object.
    pub partition: PartitionIndex,
    /// Stored bytes that it stands for; the parts of an object sum up to its size.
    pub bytes: u64,
    object: usize,
    piece: Piece,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
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
        let mut parts = Vec::new();
        for (object, about) in shared.objects.iter().enumerate() {
            let pieces = match shared.options.format {
                Format::Json => {
                    json::pieces(about.bytes, about.compression, shared.options.split_bytes)
                }
                Format::Parquet => parquet::pieces(&shared, object)?,
            };
            let partition = object as PartitionIndex;
            let part = |(bytes, piece)| Part { partition, bytes, object, piece };
            parts.extend(pieces.into_iter().map(part));
        }
        Ok(Self { shared, parts: parts.into() })
    }

    /// The objects, in the order of their partitions.
    pub fn objects(&self) -> &[Object] {
        &self.shared.objects
    }

    /// The names of the partitions, sorted by their bytes: a partition's number is its place here.
    pub fn partitions(&self) -> Vec<String> {
        self.shared.objects.iter().map(|object| object.partition.clone()).collect()
    }

    /// What lies below the URL and is not read.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.shared.left_out
    }

    /// All parts, in the order of the log. A partition without bytes has none.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Stored bytes of the whole log.
    pub fn bytes(&self) -> u64 {
        self.shared.objects.iter().map(|object| object.bytes).sum()
    }

    /// Begins to read a part of this source.
    pub fn read(&self, part: &Part) -> Result<PartReader, SourceError> {
        Ok(PartReader(match part.piece {
            Piece::Bytes { from, to } => {
                Reader::Json(JsonReader::open(&self.shared, part, from, to)?)
            }
            Piece::RowGroups { from, to } => {
                Reader::Parquet(ParquetReader::open(&self.shared, part, from..to)?)
            }
        }))
    }

    /// Where the original bytes of events are.
    pub fn originals(&self) -> Originals {
        let options = &self.shared.options;
        match options.format {
            Format::Parquet if options.projection != Projection::All => Originals::Elsewhere,
            Format::Parquet | Format::Json => Originals::InSlabs,
        }
    }

    /// Whole rows of a Parquet log, with all columns whatever the projection: those at `offsets` of
    /// a partition, ascending, in as many batches as it takes. It is how events that are refused
    /// are kept with what was never read of them; so ask for many at a time, a page at a time is
    /// decoded.
    pub fn rows(
        &self,
        partition: PartitionIndex,
        offsets: &[u64],
    ) -> Result<Vec<RecordBatch>, SourceError> {
        match self.shared.options.format {
            Format::Parquet => parquet::rows(&self.shared, partition as usize, offsets),
            // Lines are always whole.
            Format::Json => Ok(Vec::new()),
        }
    }

    /// The fingerprint of the stored bytes of a partition's object. Reads what was not read in
    /// order before; so ask when its parts are done, on any thread.
    pub fn fingerprint(&self, partition: PartitionIndex) -> Result<Fingerprint, SourceError> {
        let object = partition as usize;
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

    fn explain(&self, object: usize, error: std::io::Error) -> SourceError {
        let shown = &self.shared.objects[object].shown;
        error.downcast().unwrap_or_else(|e| StoreError::io("read", shown, &e).into())
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
pub struct PartReader(Reader);

enum Reader {
    Json(JsonReader),
    Parquet(ParquetReader),
}

impl PartReader {
    /// The next slab, never empty; `None` at the end. What comes before an error is good; after one
    /// there is nothing more to ask for.
    #[expect(clippy::should_implement_trait, reason = "after an error there is no next item")]
    pub fn next(&mut self) -> Result<Option<Slab>, SourceError> {
        match &mut self.0 {
            Reader::Json(reader) => Ok(reader.next()?.map(Slab::Lines)),
            Reader::Parquet(reader) => Ok(reader.next()?.map(Slab::Rows)),
        }
    }

    /// Stored bytes read so far: grows up to the part's `bytes`, for showing progress.
    pub fn bytes_read(&self) -> u64 {
        match &self.0 {
            Reader::Json(reader) => reader.bytes_read(),
            Reader::Parquet(reader) => reader.bytes_read(),
        }
    }
}
