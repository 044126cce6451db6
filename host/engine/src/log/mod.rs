//! The log as the engine reads it: whatever gives events is a [`Log`].
//!
//! ```text
//! Log -- partitions: a name, a first offset, an end
//!     -- parts, in log order; those of a partition one after another
//!          -- read --> Feed -- poll --> pieces: a slab of events, and where they lie
//! ```
//!
//! Parts may be read at the same time and in any order; the events of a partition are those of its
//! parts, one part after another. A feed that has nothing yet says so and gives its thread back
//! ([`std::task`]'s convention: it keeps the waker and wakes it), so that a source that waits holds
//! no thread and ends with the run that is cancelled. How partitions take turns is the run's to
//! decide, not the log's.
//!
//! Objects are a log ([`crate::source`]), and what lies in memory is one ([`MemoryLog`]). Whatever
//! else is one can be held to [`conformance`].

pub mod conformance;
mod lines;
mod memory;
#[cfg(test)]
mod tests;

pub(crate) use lines::LineReader;
pub use memory::{MemoryLog, MemoryPartition};

use arrow_array::RecordBatch;
use retally_core::decode::{Beside, Folders, Slab};
use retally_core::log::{Micros, Offsets, PartitionIndex};
use retally_core::manifest::{Finding, Object};
use retally_core::receipt::{Present, Receipt};
use retally_core::reduce::Originals;
use std::error::Error;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Whatever gives events. What it cannot give, or what is no longer what was read of it, is an
/// error that ends the pass.
pub trait Log: Send + Sync {
    /// The partitions, sorted by the bytes of their names, no name twice: a partition's number is
    /// its place here. They do not change while the log is read.
    fn partitions(&self) -> &[Partition];

    /// All parts, in the order of the log: sorted by the number of their partition. A partition
    /// without events needs none.
    fn parts(&self) -> &[Part];

    /// Begins to read a part, by its place in [`parts`](Log::parts). Whatever lies before offset
    /// `from` is not wanted: it may be left out, and need not be.
    fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError>;

    /// Where the original bytes of events are.
    fn originals(&self) -> Originals {
        Originals::InSlabs
    }

    /// Whole events, where slabs hold a part of each ([`Originals::Elsewhere`]): those at `offsets`
    /// of a partition, ascending, in as many batches as it takes. It is how events that are refused
    /// are kept with what was never read of them.
    fn rows(
        &self,
        partition: PartitionIndex,
        offsets: &[u64],
    ) -> Result<Vec<RecordBatch>, LogError> {
        let _ = (partition, offsets);
        Ok(Vec::new())
    }

    /// The objects that the log is made of, if it is made of any, without their hashes: what tells
    /// it from another before anything is read.
    fn objects(&self) -> Vec<Object> {
        Vec::new()
    }

    /// The objects with the hashes of their bytes, for the input description; asked when the parts
    /// are read. `read`: of which partitions anything was read, or might have been; objects of
    /// others need no hash. `threads` may share the work.
    fn taken(&self, read: &[bool], threads: usize) -> Result<Vec<Object>, LogError> {
        let _ = (read, threads);
        Ok(self.objects())
    }

    /// What tells later whether what was taken is still there, for a snapshot: of each object (or
    /// partition) of which something was taken a receipt, in the order of the partitions. `reached`
    /// tells how far each partition was taken. None: this kind of log cannot tell.
    fn receipts(&self, reached: &[Reached], threads: usize) -> Result<Vec<Receipt>, LogError> {
        let _ = (reached, threads);
        Ok(Vec::new())
    }

    /// Everything of the log as it stands, held against `receipts` of an earlier look at it:
    /// cheaply (versions, edges), or at `every_byte` that was taken. What is compared is
    /// [`retally_core::receipt::fit`]'s business. None: this kind of log cannot tell.
    fn present(
        &self,
        receipts: &[Receipt],
        every_byte: bool,
        threads: usize,
    ) -> Result<Option<Vec<Present>>, LogError> {
        let _ = (receipts, every_byte, threads);
        Ok(None)
    }

    /// The same log, for who has taken what `kept` say, which was found to be there still: it may
    /// begin behind that (a partition's first offset tells), so that it is not read again. None: it
    /// is read from its beginning.
    fn behind(&self, kept: &[Receipt]) -> Option<Arc<dyn Log>> {
        let _ = kept;
        None
    }

    /// Which partitions can hold events of a span of time, as far as where they lie tells; nothing:
    /// all can. One that comes late or early by less than a folder's time is still found.
    fn within(&self, span: &Range<Micros>) -> Vec<bool> {
        let _ = span;
        Vec::new()
    }

    /// What a group of consumers has committed of each partition, the first offset that it has not
    /// taken; of one none: nothing. None at all: this kind of log knows no groups.
    fn committed(&self, group: &str) -> Result<Option<Vec<Option<u64>>>, LogError> {
        let _ = group;
        Ok(None)
    }

    /// Of each partition an offset before which no record was written at a time
    /// ([`Beside::Timestamp`]) or later, its end if none was at all, as far as the log knows that
    /// without being read. None: it does not.
    fn written_since(&self, time: Micros) -> Result<Option<Vec<u64>>, LogError> {
        let _ = time;
        Ok(None)
    }

    /// What was found of the log's completeness while it was read, in what was taken of it; for
    /// whoever took all of it `reached` is none.
    fn findings(&self, reached: Option<&[Reached]>) -> Vec<Finding> {
        let _ = reached;
        Vec::new()
    }

    /// Where an event that was read is stored, for a person, where its partition's name does not
    /// say that: the file, and its line there.
    fn place(&self, partition: PartitionIndex, offset: u64) -> Option<String> {
        let _ = (partition, offset);
        None
    }

    /// Records that are no events, because they say that a key is deleted: how many of them within
    /// these offsets of each partition. None: it has no such records.
    fn deletions(&self, within: &[Range<u64>]) -> Vec<u64> {
        let _ = within;
        Vec::new()
    }

    /// What its events have beside what is in them, such as the keys of records: what is read and
    /// is not among it is refused.
    fn besides(&self) -> Vec<Beside> {
        Vec::new()
    }

    /// Stored bytes of all parts, for showing progress; 0: nobody knows.
    fn bytes(&self) -> u64 {
        self.parts().iter().map(|part| part.bytes).sum()
    }

    /// The names of the partitions.
    fn names(&self) -> Vec<String> {
        self.partitions().iter().map(|partition| partition.name.clone()).collect()
    }
}

/// A partition of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name, by which it is known everywhere.
    pub name: String,
    /// The offset at which it begins: what was before is gone, if it is not 0.
    pub first: u64,
    /// Where it ends.
    pub end: End,
}

/// How far a partition was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The first offset that was not taken.
    pub next: u64,
    /// Stored bytes of the partition in front of it, if the log said ([`Piece::end`]).
    pub bytes: Option<u64>,
}

/// Where a partition ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where its parts end; reading them tells.
    OfParts,
    /// Before this offset.
    Before(u64),
    /// Nowhere: more may come for as long as somebody reads.
    Open,
}

/// A piece of a partition that is read by one reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Number of its partition.
    pub partition: PartitionIndex,
    /// Stored bytes that it stands for, 0 if nobody knows.
    pub bytes: u64,
}

/// Reads one part, piece by piece.
pub trait Feed: Send {
    /// The next piece, never empty; `None` at the end, which an open partition's last part never
    /// reaches. [`Poll::Pending`]: nothing is there; `cx`'s waker is woken when that may have
    /// changed. What comes before an error is good; after an error or the end there is nothing more
    /// to ask for.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>>;

    /// Stored bytes read so far: grows up to the part's `bytes`, for showing progress.
    fn bytes_read(&self) -> u64 {
        0
    }
}

/// Events of one partition that follow one another.
#[derive(Debug)]
pub struct Piece {
    /// The events; at most [`SLAB_EVENTS`](crate::limits::SLAB_EVENTS).
    pub slab: Slab,
    /// Where they lie. None: they follow, without a gap, what came before them in the partition,
    /// which is all that a reader in the middle of a file can say.
    pub offsets: Option<Offsets>,
    /// What the path of their object says of what the reader was asked for, in that order; nothing
    /// where there is no such path.
    pub folders: Folders,
    /// What they have beside themselves, as [`Placed::beside`](retally_core::decode::Placed): of
    /// what the log [has](Log::besides) all that the reader was asked for.
    pub beside: Option<RecordBatch>,
    /// Stored bytes of the partition up to and with this piece, where a reader could begin behind
    /// it. None: nobody knows, or nobody could.
    pub end: Option<u64>,
}

impl Piece {
    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let beside = self.beside.as_ref().map_or(0, RecordBatch::get_array_memory_size);
        self.slab.bytes() + beside
    }

    /// Stored bytes of the partition up to and with the first `events` events of this piece, as
    /// [`end`](Piece::end).
    pub fn end_at(&self, events: usize) -> Option<u64> {
        end_at(&self.slab, self.end, events)
    }
}

/// The same of a slab, with `end` behind all of it.
pub(crate) fn end_at(slab: &Slab, end: Option<u64>, events: usize) -> Option<u64> {
    match slab {
        _ if events == slab.len() => end,
        Slab::Lines(lines) if lines.cut.is_empty() => {
            let begins = events.checked_sub(1).map_or(0, |last| lines.ends[last]);
            end?.checked_sub(lines.bytes.len() as u64 - u64::from(begins))
        }
        Slab::Lines(_) | Slab::Rows(_) => None,
    }
}

/// Follows the pieces of one partition, in the order of its parts, and tells where each lies.
#[derive(Debug, Clone, Copy)]
pub struct Follow {
    next: u64,
}

impl Follow {
    /// Begins at a partition's first offset.
    pub fn new(first: u64) -> Self {
        Self { next: first }
    }

    /// Behind what came so far.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Where the events of the next piece lie, given what it says of them.
    ///
    /// # Errors
    /// Offsets that do not ascend, or that are not as many as the events.
    pub fn place(&mut self, offsets: Option<Offsets>, events: usize) -> Result<Offsets, LogError> {
        let offsets = offsets.unwrap_or(Offsets::From(self.next));
        let next = match &offsets {
            Offsets::From(first) if *first >= self.next => first.checked_add(events as u64),
            Offsets::These(all)
                if all.len() == events
                    && all.first().is_none_or(|first| *first >= self.next)
                    && all.is_sorted_by(|a, b| a < b) =>
            {
                all.last().map_or(Some(self.next), |last| last.checked_add(1))
            }
            _ => None,
        };
        self.next = next.ok_or_else(|| {
            LogError::new(format!(
                "the log gave {events} events with offsets that do not go on from {}: they ascend \
                 within a partition, one for each event; whatever reads this log is at fault",
                self.next
            ))
        })?;
        Ok(offsets)
    }
}

/// Why a log cannot be had or read. What it says is the log's own error.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct LogError {
    is_usage: bool,
    error: Box<dyn Error + Send + Sync>,
}

impl LogError {
    /// A log that failed while it was read.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { is_usage: false, error: error.into() }
    }

    /// A job that names something that is not there or cannot be meant.
    pub fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { is_usage: true, error: error.into() }
    }

    /// Whether the job is to blame (bad usage), as opposed to a log that failed while it was read.
    pub fn is_usage(&self) -> bool {
        self.is_usage
    }
}
