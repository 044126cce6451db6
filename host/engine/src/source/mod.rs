//! The log made of objects: from a URL to partitions, their parts, and slabs of events.
//!
//! [`Source::open`] finds the objects, one a partition, and cuts them into parts; reading one is
//! done on the thread that asks, and never pending: stores block. Readers know nothing of offsets:
//! how many lines lie before a part is only known once they are read, so whoever takes parts in
//! order counts.

mod avro;
mod encrypted;
mod error;
mod fingerprint;
mod glob;
mod json;
mod locate;
mod objects;
mod packed;
mod parquet;
mod receipts;
mod stored;

#[cfg(test)]
mod avro_tests;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod parquet_tests;
#[cfg(test)]
mod receipts_tests;
#[cfg(test)]
mod tests;

pub use objects::LeftOut;
pub(crate) use objects::named_partition;

use self::avro::AvroReader;
use self::parquet::ParquetReader;
use crate::limits::{AHEAD_OBJECTS, ASKED_AT_ONCE, CHUNK_BYTES, SPLIT_BYTES};
use crate::log::{End, Feed, Log, LogError, Part, Partition, Piece, Reached};
use crate::store::Base;
use crate::threads::each;
use arrow_array::RecordBatch;
use json::JsonReader;
use locate::Place;
use objects::Object;
use receipts::Ends;
use retally_core::decode::Slab;
use retally_core::log::PartitionIndex;
use retally_core::manifest;
use retally_core::receipt::{Present, Receipt, Took};
use retally_core::reduce::Originals;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// The format of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON text on each line, plain, gzip or zstd.
    #[default]
    Json,
    /// Parquet, one event a row.
    Parquet,
    /// Avro object container files, one event a record.
    Avro,
}

/// How a log is to be read. None of it changes which events there are.
#[derive(Debug, Clone)]
pub struct Options {
    /// The format.
    pub format: Format,
    /// Of a table the top-level columns to read, with all that is inside them; none: all. Those
    /// that an object does not have are absent from its rows, which is the decoder's to judge.
    /// Lines are always read whole.
    pub columns: Option<Vec<String>>,
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
            columns: None,
            attest: false,
            split_bytes: SPLIT_BYTES,
            chunk_bytes: CHUNK_BYTES,
        }
    }
}

/// A log that was found.
#[derive(Clone)]
pub struct Source {
    options: Arc<Options>,
    objects: Arc<[Arc<Object>]>,
    left_out: Arc<[LeftOut]>,
    columns: Arc<BTreeMap<String, usize>>,
    partitions: Arc<[Partition]>,
    parts: Arc<[Part]>,
    /// What each part is of the object of its partition.
    shares: Arc<[Share]>,
    /// Which parts were read to their ends.
    ends: Arc<Ends>,
    /// Up to which part a store was asked before its turn.
    asked: Arc<AtomicUsize>,
    /// What was taken before of each object, if it is still there.
    kept: Arc<[Option<Receipt>]>,
}

/// What a part is of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Share {
    /// The lines that begin in this range of a plain object; the whole of a compressed one. Of an
    /// Avro object its blocks in this range, which begins and ends where they do, or at its
    /// beginning.
    Bytes { from: u64, to: u64 },
    /// Row groups of a Parquet object, and the rows in them.
    RowGroups { from: usize, to: usize, rows: Range<u64> },
}

impl Source {
    /// Finds the log at `url`; a relative path starts at `base`, the job file's folder,
    /// which also knows the stores.
    pub fn open(url: &str, base: impl Into<Base>, options: &Options) -> Result<Self, LogError> {
        Self::over(locate::locate(url, &base.into())?, options)
    }

    fn over(place: Place, options: &Options) -> Result<Self, LogError> {
        let options = Arc::new(options.clone());
        let (objects, left_out) = objects::list(&place, &options)?;
        let objects: Arc<[Arc<Object>]> = objects.into_iter().map(Arc::new).collect();
        let (mut parts, mut shares, mut columns) = (Vec::new(), Vec::new(), BTreeMap::new());
        // A footer is one answer or two of a store: most of the time is waiting.
        let threads = if objects.iter().any(|o| o.is_remote()) { ASKED_AT_ONCE } else { 1 };
        let pieces = each(threads, objects.len(), |number| -> Result<_, LogError> {
            let object = &objects[number];
            Ok(match options.format {
                Format::Json => {
                    let (bytes, split) = (object.meta.bytes, options.split_bytes);
                    (json::pieces(bytes, object.compression, split), Vec::new())
                }
                Format::Parquet => parquet::pieces(object)?,
                Format::Avro => avro::pieces(object)?,
            })
        })?;
        for (partition, (own, names)) in (0..).zip(pieces) {
            for name in names {
                *columns.entry(name).or_default() += 1;
            }
            for (bytes, share) in own {
                parts.push(Part { partition, bytes });
                shares.push(share);
            }
        }
        let name = |object: &Arc<Object>| object.partition.clone();
        let partition = |object| Partition { name: name(object), first: 0, end: End::OfParts };
        let partitions = objects.iter().map(partition).collect();
        let kept = objects.iter().map(|_| None).collect();
        let (parts, shares, left_out) = (parts.into(), shares.into(), left_out.into());
        let (ends, asked, columns) = (Arc::default(), Arc::default(), Arc::new(columns));
        Ok(Self {
            options,
            objects,
            left_out,
            columns,
            partitions,
            parts,
            shares,
            ends,
            asked,
            kept,
        })
    }

    /// What lies below the URL and is not read.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Of tables their top-level columns, and how many objects have each; lines have none.
    pub fn columns(&self) -> &BTreeMap<String, usize> {
        &self.columns
    }

    /// An object with the fingerprint of its stored bytes. Reads what was not read in order before;
    /// so ask when its parts are done, on any thread. Of what was taken before and is as it was, it
    /// is the one that was found then.
    fn fingerprint(&self, number: usize) -> Result<manifest::Object, LogError> {
        let object = &self.objects[number];
        let mut rest = object.hashing.lock();
        let is_all = |kept: &&Receipt| kept.took == Took::Whole && kept.bytes == object.meta.bytes;
        if let Some(kept) = self.kept[number].as_ref().filter(is_all)
            && rest.next < object.meta.bytes
            && !self.options.attest
        {
            object.unchanged()?;
            return Ok(manifest::Object { xxh3_128: Some(kept.xxh3_128), ..object.about() });
        }
        receipts::hash_up_to(object, object.meta.bytes, &mut rest)?;
        object.unchanged()?;
        let (xxh3, sha256) = rest.fingerprint();
        Ok(manifest::Object { xxh3_128: Some(xxh3), sha256, ..object.about() })
    }
}

impl Log for Source {
    fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn read(&self, number: usize, _from: u64) -> Result<Box<dyn Feed>, LogError> {
        self.ask_ahead(number)?;
        let part = &self.parts[number];
        let object = &self.objects[part.partition as usize];
        Ok(match &self.shares[number] {
            Share::Bytes { from, .. } if self.options.format == Format::Avro => {
                Box::new(AvroReader::open(object, (number, self.ends.clone()), *from)?)
            }
            Share::Bytes { from, to } => {
                Box::new(JsonReader::open(object, (number, self.ends.clone()), *from, *to)?)
            }
            Share::RowGroups { from, to, .. } => {
                Box::new(ParquetReader::open(object, part, *from..*to)?)
            }
        })
    }

    fn originals(&self) -> Originals {
        match self.options.format {
            Format::Parquet | Format::Avro if self.options.columns.is_some() => {
                Originals::Elsewhere
            }
            Format::Parquet | Format::Avro | Format::Json => Originals::InSlabs,
        }
    }

    /// Ask for many at a time: a page at a time is decoded.
    fn rows(
        &self,
        partition: PartitionIndex,
        offsets: &[u64],
    ) -> Result<Vec<RecordBatch>, LogError> {
        match self.options.format {
            Format::Parquet => parquet::rows(&self.objects[partition as usize], offsets),
            Format::Avro => avro::rows(&self.objects[partition as usize], offsets),
            // Lines are always whole.
            Format::Json => Ok(Vec::new()),
        }
    }

    fn objects(&self) -> Vec<manifest::Object> {
        self.objects.iter().map(|object| object.about()).collect()
    }

    fn taken(&self, threads: usize) -> Result<Vec<manifest::Object>, LogError> {
        self.each(threads, |number| self.fingerprint(number))
    }

    fn receipts(&self, reached: &[Reached], threads: usize) -> Result<Vec<Receipt>, LogError> {
        let all = self.each(threads, |number| {
            let own = &reached[number];
            self.receipt(number, own)
        })?;
        Ok(all.into_iter().flatten().collect())
    }

    fn present(
        &self,
        receipts: &[Receipt],
        every_byte: bool,
        threads: usize,
    ) -> Result<Option<Vec<Present>>, LogError> {
        let by_name: BTreeMap<&str, &Receipt> =
            receipts.iter().map(|receipt| (receipt.partition.as_str(), receipt)).collect();
        let standing = |number: usize| {
            let receipt = by_name.get(self.partitions[number].name.as_str()).copied();
            self.standing(number, receipt, every_byte)
        };
        self.each(threads, standing).map(Some)
    }

    fn behind(&self, kept: &[Receipt]) -> Option<Arc<dyn Log>> {
        Some(Arc::new(self.without(kept)))
    }
}

impl Source {
    /// Asks the store for what comes behind a part, as far as nobody did.
    fn ask_ahead(&self, number: usize) -> Result<(), LogError> {
        let end = (number + 1 + AHEAD_OBJECTS).min(self.parts.len());
        let begin = self.asked.fetch_max(end, Ordering::Relaxed).max(number + 1);
        for number in begin..end {
            let object = &self.objects[self.parts[number].partition as usize];
            if let Share::Bytes { from, .. } = self.shares[number]
                && object.is_remote()
                && object.meta.bytes > 0
            {
                object.ask_ahead(json::begins(from))?;
            }
        }
        Ok(())
    }

    /// Asks something of every object, on so many threads.
    fn each<T: Send>(
        &self,
        threads: usize,
        ask: impl Fn(usize) -> Result<T, LogError> + Sync,
    ) -> Result<Vec<T>, LogError> {
        // Asking a store is mostly waiting for it.
        let is_remote = self.objects.iter().any(|object| object.is_remote());
        let threads = if is_remote { threads.max(ASKED_AT_ONCE) } else { threads };
        each(threads, self.objects.len(), ask)
    }
}

/// What a feed gives that never waits.
fn piece(next: Result<Option<Slab>, LogError>) -> Poll<Result<Option<Piece>, LogError>> {
    let piece = |slab| Piece { slab, offsets: None, end: None };
    Poll::Ready(next.map(|slab| slab.map(piece)))
}
