//! The log made of objects: from a URL to partitions, their parts, and slabs of events.
//!
//! [`Source::open`] finds the objects and cuts them into slices. Mostly an object is a partition
//! and a slice a part; where a [`Layout`] says that the objects are files of a topic, a partition
//! is all of its files, read one behind the other (`joined.rs`). Reading is done on the thread that
//! asks, and never pending: stores block. Readers know nothing of offsets: how many lines lie
//! before a slice is only known once they are read, so whoever takes parts in order counts.

mod avro;
mod encrypted;
mod error;
mod fingerprint;
mod glob;
mod joined;
mod json;
mod layout;
mod locate;
mod objects;
mod options;
mod packed;
mod parquet;
mod receipts;
mod stored;
mod suffix;

#[cfg(test)]
mod avro_tests;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod joined_tests;
#[cfg(test)]
mod parquet_tests;
#[cfg(test)]
mod receipts_tests;
#[cfg(test)]
mod tests;

pub use layout::Layout;
pub use objects::LeftOut;
pub use options::{Format, Options};
pub(crate) use suffix::named_partition;

use self::avro::AvroReader;
use self::parquet::ParquetReader;
use crate::limits::{AHEAD_OBJECTS, ASKED_AT_ONCE};
use crate::log::{End, Feed, Log, LogError, Part, Partition, Piece, Reached};
use crate::store::{Base, Meta};
use crate::threads::each;
use arrow_array::RecordBatch;
use joined::{JoinedReader, Joins};
use json::JsonReader;
use locate::Place;
use objects::Object;
use receipts::Ends;
use retally_core::decode::Slab;
use retally_core::log::{Micros, PartitionIndex};
use retally_core::manifest::{self, Finding};
use retally_core::receipt::{Present, Receipt, Took};
use retally_core::reduce::Originals;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// A log that was found.
#[derive(Clone)]
pub struct Source {
    options: Arc<Options>,
    objects: Arc<[Arc<Object>]>,
    left_out: Arc<[LeftOut]>,
    columns: Arc<BTreeMap<String, usize>>,
    partitions: Arc<[Partition]>,
    parts: Arc<[Part]>,
    /// Of each object the number of its partition.
    homes: Arc<[PartitionIndex]>,
    /// Of each object the offset of the first event that its slices give.
    begins: Arc<[u64]>,
    /// What is read of objects, one after another.
    slices: Arc<[Slice]>,
    /// Of each part its slices: one, but where partitions are joined.
    bundles: Arc<[Range<usize>]>,
    /// Which slices were read to their ends.
    ends: Arc<Ends>,
    /// What was seen of partitions that are joined.
    seen: Arc<Joins>,
    /// Up to which part a store was asked before its turn.
    asked: Arc<Mutex<usize>>,
    /// What was taken before of each object, if it is still there.
    kept: Arc<[Option<Receipt>]>,
}

/// A piece of an object that is read by one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slice {
    object: usize,
    /// Stored bytes that it stands for.
    bytes: u64,
    share: Share,
}

/// What a slice is of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Share {
    /// The lines that begin in this range of a plain object; the whole of a compressed one. Of an
    /// Avro object its blocks in this range, which begins and ends where they do, or at its
    /// beginning.
    Bytes { from: u64, to: u64 },
    /// Row groups of a Parquet object, and the rows in them.
    RowGroups { from: usize, to: usize, rows: Range<u64> },
}

/// What is read of an object, piece by piece with its stored bytes, and of a table its top-level
/// columns.
type Pieces = (Vec<(u64, Share)>, Vec<String>);

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
        // A footer is one answer or two of a store: most of the time is waiting.
        let threads = if objects.iter().any(|o| o.is_remote()) { ASKED_AT_ONCE } else { 1 };
        let is_joined = options.layout.as_ref().is_some_and(|layout| layout.joins());
        let split_bytes = if is_joined { u64::MAX } else { options.split_bytes };
        let pieces = each(threads, objects.len(), |number| -> Result<_, LogError> {
            let object = &objects[number];
            Ok(match options.format {
                Format::Json | Format::Raw => {
                    let bytes = object.meta.bytes;
                    (json::pieces(bytes, object.compression, split_bytes), Vec::new())
                }
                Format::Parquet => parquet::pieces(object)?,
                Format::Avro => avro::pieces(object)?,
            })
        })?;
        let (mut slices, mut columns) = (Vec::new(), BTreeMap::new());
        for (object, (own, names)) in pieces.into_iter().enumerate() {
            for name in names {
                *columns.entry(name).or_default() += 1;
            }
            slices.extend(own.into_iter().map(|(bytes, share)| Slice { object, bytes, share }));
        }
        let kept = objects.iter().map(|_| None).collect();
        let begins: Vec<u64> = objects.iter().map(|o| o.starts.unwrap_or(0)).collect();
        let source = Self {
            options,
            objects,
            left_out: left_out.into(),
            columns: Arc::new(columns),
            partitions: Arc::default(),
            parts: Arc::default(),
            homes: Arc::default(),
            begins: Arc::default(),
            slices: Arc::default(),
            bundles: Arc::default(),
            ends: Arc::default(),
            seen: Arc::default(),
            asked: Arc::default(),
            kept,
        };
        Ok(source.laid(begins, slices))
    }

    /// The same objects, of which these slices are read, each object from this offset on.
    fn laid(self, begins: Vec<u64>, slices: Vec<Slice>) -> Self {
        let (mut partitions, mut homes) = (Vec::<Partition>::new(), Vec::new());
        let mut is_settled = false;
        for (number, object) in self.objects.iter().enumerate() {
            let begin = begins[number];
            // Of what was taken of it something is read again: what lies behind is given again.
            let again = self.kept[number].as_ref().is_some_and(|kept| begin < kept.next);
            match partitions.last_mut() {
                // Behind all that was taken of any of them.
                Some(last) if last.name == object.partition => {
                    let is_taken = object.starts.is_some_and(|starts| begin > starts);
                    if !is_settled && (is_taken || again) {
                        last.first = last.first.max(begin);
                    }
                    is_settled |= again;
                }
                _ => {
                    let name = object.partition.clone();
                    partitions.push(Partition { name, first: begin, end: End::OfParts });
                    is_settled = again;
                }
            }
            homes.push((partitions.len() - 1) as PartitionIndex);
        }
        let (mut parts, mut bundles) = (Vec::<Part>::new(), Vec::<Range<usize>>::new());
        for (number, slice) in slices.iter().enumerate() {
            let partition = homes[slice.object];
            let is_joined = self.objects[slice.object].starts.is_some();
            match (parts.last_mut(), bundles.last_mut()) {
                (Some(part), Some(bundle)) if is_joined && part.partition == partition => {
                    part.bytes += slice.bytes;
                    bundle.end = number + 1;
                }
                _ => {
                    parts.push(Part { partition, bytes: slice.bytes });
                    bundles.push(number..number + 1);
                }
            }
        }
        Self {
            partitions: partitions.into(),
            parts: parts.into(),
            homes: homes.into(),
            begins: begins.into(),
            slices: slices.into(),
            bundles: bundles.into(),
            ..self
        }
    }

    /// What lies below the URL and is not read.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// How many objects have each of the [`folders`](Options::folders) in their paths.
    pub fn folders(&self) -> Vec<usize> {
        let has =
            |number: &usize| self.objects.iter().filter(|own| own.has_folder(*number)).count();
        (0..self.options.folders.len()).map(|number| has(&number)).collect()
    }

    /// Of tables their top-level columns, and how many objects have each; lines have none.
    pub fn columns(&self) -> &BTreeMap<String, usize> {
        &self.columns
    }

    /// An object with the fingerprint of its stored bytes. Reads what was not read in order before;
    /// so ask when its parts are done, on any thread. Of what was taken before and is as it was, it
    /// is the one that was found then. `listed`: what the store said of it just now, if it did.
    fn fingerprint(
        &self,
        number: usize,
        listed: Option<&Meta>,
    ) -> Result<manifest::Object, LogError> {
        let object = &self.objects[number];
        let mut rest = object.hashing.lock();
        let is_all = |kept: &&Receipt| kept.took == Took::Whole && kept.bytes == object.meta.bytes;
        if let Some(kept) = self.kept[number].as_ref().filter(is_all)
            && rest.next < object.meta.bytes
            && !self.options.attest
        {
            object.unchanged_by(listed)?;
            return Ok(manifest::Object { xxh3_128: Some(kept.xxh3_128), ..object.about() });
        }
        receipts::hash_up_to(object, object.meta.bytes, &mut rest)?;
        object.unchanged_by(listed)?;
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
        let partition = self.parts[number].partition;
        if self.partition_is_joined(partition) {
            let bundle = self.bundles[number].clone();
            return Ok(Box::new(JoinedReader::new(self.clone(), partition, bundle)));
        }
        self.ask_ahead(number)?;
        self.open_slice(self.bundles[number].start)
    }

    fn originals(&self) -> Originals {
        match self.options.format {
            Format::Parquet | Format::Avro if self.options.columns.is_some() => {
                Originals::Elsewhere
            }
            _ => Originals::InSlabs,
        }
    }

    /// Ask for many at a time: a page at a time is decoded.
    fn rows(
        &self,
        partition: PartitionIndex,
        offsets: &[u64],
    ) -> Result<Vec<RecordBatch>, LogError> {
        let of_object = |object: &Arc<Object>, offsets: &[u64]| match self.options.format {
            Format::Parquet => parquet::rows(object, offsets),
            Format::Avro => avro::rows(object, offsets),
            // Lines are always whole.
            Format::Json | Format::Raw => Ok(Vec::new()),
        };
        match self.partition_is_joined(partition) {
            true => self.joined_rows(partition, offsets, of_object),
            false => of_object(&self.objects[partition as usize], offsets),
        }
    }

    fn objects(&self) -> Vec<manifest::Object> {
        self.objects.iter().map(|object| object.about()).collect()
    }

    fn taken(&self, read: &[bool], threads: usize) -> Result<Vec<manifest::Object>, LogError> {
        let is_read = |number: usize| read[self.homes[number] as usize];
        let listed = objects::again(&self.objects, is_read)?;
        self.each(threads, |number| match is_read(number) {
            true => self.fingerprint(number, listed[number].as_ref()),
            false => Ok(self.objects[number].about()),
        })
    }

    fn receipts(&self, reached: &[Reached], threads: usize) -> Result<Vec<Receipt>, LogError> {
        let all = self.each(threads, |number| {
            let own = &reached[self.homes[number] as usize];
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
        let known: BTreeMap<_, &Receipt> = receipts.iter().map(|r| (r.known(), r)).collect();
        let standing = |number: usize| {
            let receipt = known.get(&self.objects[number].known()).copied();
            self.standing(number, receipt, every_byte)
        };
        self.each(threads, standing).map(Some)
    }

    fn behind(&self, kept: &[Receipt]) -> Option<Arc<dyn Log>> {
        Some(Arc::new(self.without(kept)))
    }

    fn within(&self, span: &Range<Micros>) -> Vec<bool> {
        let within = self.objects.iter().zip(self.objects_within(span));
        let can: BTreeSet<&str> =
            within.filter(|(_, can)| *can).map(|(object, _)| object.partition.as_str()).collect();
        self.partitions.iter().map(|partition| can.contains(partition.name.as_str())).collect()
    }

    fn findings(&self, reached: Option<&[Reached]>) -> Vec<Finding> {
        self.found(reached)
    }

    fn place(&self, partition: PartitionIndex, offset: u64) -> Option<String> {
        self.place_of(partition, offset)
    }
}

impl Source {
    /// Opens a reader of a slice, for the columns that are wanted.
    fn open_slice(&self, number: usize) -> Result<Box<dyn Feed>, LogError> {
        let Slice { object, bytes, share } = &self.slices[number];
        let (object, ends) = (&self.objects[*object], (number, self.ends.clone()));
        let columns = self.options.columns.as_deref();
        Ok(match share {
            Share::Bytes { from, .. } if self.options.format == Format::Avro => {
                Box::new(AvroReader::open(object, columns, ends, *from)?)
            }
            Share::Bytes { from, to } => Box::new(JsonReader::open(object, ends, *from, *to)?),
            Share::RowGroups { from, to, .. } => {
                Box::new(ParquetReader::open(object, columns, *bytes, Some(*from..*to))?)
            }
        })
    }

    /// Opens a reader of all of an object, whatever is wanted of it, and notes nothing.
    fn open_whole(&self, object: &Arc<Object>) -> Result<Box<dyn Feed>, LogError> {
        let (bytes, ends) = (object.meta.bytes, (0, Arc::default()));
        Ok(match self.options.format {
            Format::Json | Format::Raw => Box::new(JsonReader::open(object, ends, 0, bytes)?),
            Format::Avro => Box::new(AvroReader::open(object, None, ends, 0)?),
            Format::Parquet => Box::new(ParquetReader::open(object, None, bytes, None)?),
        })
    }

    /// Which objects can hold events of a span of time, as their folders say, in the order of the
    /// log. Events may come late or early: the folder in front of the first of them and the one
    /// behind the last count too. An object whose folders say no time always can.
    fn objects_within(&self, span: &Range<Micros>) -> Vec<bool> {
        let times: Vec<_> = self.objects.iter().map(|object| object.time.clone()).collect();
        layout::within(&times, span)
    }

    /// Asks the store for what comes behind a part, as far as nobody did.
    fn ask_ahead(&self, number: usize) -> Result<(), LogError> {
        let end = (number + 1 + AHEAD_OBJECTS).min(self.parts.len());
        // Held until all are asked for: whoever reads one of them meanwhile must find it.
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for number in (*asked).max(number + 1)..end {
            self.ask_slice(self.bundles[number].start)?;
        }
        *asked = (*asked).max(end);
        Ok(())
    }

    /// Asks the store for a slice.
    fn ask_slice(&self, number: usize) -> Result<(), LogError> {
        let slice = &self.slices[number];
        let object = &self.objects[slice.object];
        if let Share::Bytes { from, .. } = slice.share
            && object.is_remote()
            && object.meta.bytes > 0
        {
            object.ask_ahead(json::begins(from))?;
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

/// What a feed of an object gives that never waits.
fn piece(
    object: &Object,
    next: Result<Option<Slab>, LogError>,
) -> Poll<Result<Option<Piece>, LogError>> {
    let folders = &object.folders;
    let piece = |slab| {
        let folders = folders.clone();
        Piece { slab, offsets: None, folders, beside: None, end: None }
    };
    Poll::Ready(next.map(|slab| slab.map(piece)))
}
