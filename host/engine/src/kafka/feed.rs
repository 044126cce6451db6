//! A partition's records, slab by slab. Whatever has no record at an offset is passed over; how a
//! partition can lack records that were there is told apart.

use super::avro::{self, Unread};
use super::beside::Gathering;
use super::deletions::Deletions;
use super::reader::Reader;
use super::receipts::Notes;
use super::records::{Next, Queue, Record, imprint, until};
use super::registry::Schemas;
use super::told::Listens;
use super::topic::Reads;
use crate::limits::{KAFKA_OPENED_WITHIN, SLAB_BYTES, SLAB_EVENTS};
use crate::log::{Feed, LogError, Piece};
use arrow_schema::ArrowError;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use retally_core::decode::{Folders, Lines, Slab};
use retally_core::limits::{LINE_KEPT_BYTES, LINE_MAX_BYTES};
use retally_core::log::Offsets;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a queue may hold beside records, such as the end of its partition; more than it ever does.
const NO_RECORDS: usize = 16;

/// Reads a partition from an offset up to its end.
pub(super) struct KafkaFeed {
    // It goes before the reader whose queue it is.
    queue: Queue<Listens>,
    reader: Arc<Reader>,
    notes: Arc<Notes>,
    partition: i32,
    /// What was not looked at yet.
    left: Range<u64>,
    reads: Arc<Reads>,
    deletions: Arc<Deletions>,
    /// Read, and not given yet.
    ready: VecDeque<Piece>,
    /// The last record that was taken.
    described: Vec<u8>,
    over: bool,
    failed: Option<LogError>,
}

impl KafkaFeed {
    pub(super) fn new(
        (reader, notes): (Arc<Reader>, Arc<Notes>),
        queue: Queue<Listens>,
        partition: i32,
        left: Range<u64>,
        (reads, deletions): (Arc<Reads>, Arc<Deletions>),
    ) -> Self {
        let over = left.is_empty();
        if over {
            notes.over(partition);
        }
        let (ready, described, failed) = Default::default();
        Self {
            queue,
            reader,
            notes,
            partition,
            left,
            reads,
            deletions,
            ready,
            described,
            over,
            failed,
        }
    }

    /// Takes what is there, up to a slab.
    fn gather(&mut self, slab: &mut Gathered) {
        if self.over || self.failed.is_some() {
            return;
        }
        let (mut last, mut end, mut failed) = (None, None, None);
        let (left, over, described) = (&mut self.left, &mut self.over, &mut self.described);
        // Of records behind which others are known to be none is the last one.
        let mut behind = self.queue.len().saturating_sub(NO_RECORDS);
        self.queue.serve(Duration::ZERO, |next| {
            match next {
                Next::Record(record) => {
                    let offset = record.offset();
                    if offset < left.end {
                        left.start = offset + 1;
                        slab.take(&record);
                        if behind == 0 || slab.is_full() || offset + 1 >= left.end {
                            described.clear();
                            record.describe(described);
                            last = Some(offset);
                        }
                        behind = behind.saturating_sub(1);
                    }
                    *over = offset + 1 >= left.end;
                }
                Next::End(at) => end = Some(at),
                Next::Failed(error) => failed = Some(error),
            }
            until(*over || end.is_some() || failed.is_some() || slab.is_full())
        });
        if let Some(at) = last {
            let next = slab.offsets.last().map(|offset| offset + 1);
            self.notes.read(self.partition, (at, imprint(&self.described)), next);
        }
        if let Some(at) = end {
            match self.is_end(at) {
                Ok(is_end) => self.over |= is_end,
                Err(error) => self.failed = Some(error),
            }
        }
        if let Some(error) = failed {
            self.failed = Some(self.error(&error));
        }
        if self.over && self.failed.is_none() {
            self.notes.over(self.partition);
        }
        self.deletions.note(&std::mem::take(&mut slab.deleted));
        if !slab.ends.is_empty() {
            self.reader.told.heard();
        }
    }

    /// The partition gives no more now, from this offset on. Gives whether what is left has no
    /// records: a broker that came back may not know yet how far its log goes.
    fn is_end(&self, at: u64) -> Result<bool, LogError> {
        if at >= self.left.end {
            return Ok(true);
        }
        let (consumer, topic) = (&self.reader.consumer, self.reader.topic());
        let ends = consumer.fetch_watermarks(topic, self.partition, KAFKA_OPENED_WITHIN);
        let end = ends.map_err(|error| self.error(&error))?.1;
        let end = u64::try_from(end).unwrap_or(0);
        if end < self.left.end {
            return Err(LogError::new(format!(
                "partition {} of topic {topic} ended at offset {} when the run began and ends at \
                 {end} now: what was written is lost (a broker that was behind became its leader, \
                 or the topic was made anew); nothing that was read of it can be trusted",
                self.partition, self.left.end
            )));
        }
        Ok(false)
    }

    fn error(&self, error: &KafkaError) -> LogError {
        let (partition, offset, topic) = (self.partition, self.left.start, self.reader.topic());
        let at = format!("partition {partition} of topic {topic}, offset {offset}");
        LogError::new(match error.rdkafka_error_code() {
            Some(Code::OffsetOutOfRange | Code::AutoOffsetReset) => format!(
                "{at}: it is gone; the topic keeps its records no longer than its retention says, \
                 and that went on during the run: read an archive, or begin later (--from)"
            ),
            _ => format!("{at} cannot be read: {error}"),
        })
    }
}

impl Feed for KafkaFeed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        if let Some(piece) = self.ready.pop_front() {
            return Poll::Ready(Ok(Some(piece)));
        }
        let mut slab = Gathered::new(&self.reads);
        self.gather(&mut slab);
        if slab.ends.is_empty() && !self.over && self.failed.is_none() {
            self.reader.told.wait(self.partition, cx.waker().clone());
            // What came before somebody waited for it wakes nobody.
            self.gather(&mut slab);
        }
        let at = (self.reader.topic(), self.partition);
        if let Err(error) = slab.pieces(&self.reads, at, &mut self.ready) {
            // What came before it is good.
            self.failed = Some(error);
        }
        if let Some(piece) = self.ready.pop_front() {
            return Poll::Ready(Ok(Some(piece)));
        }
        if let Some(error) = self.failed.take() {
            self.over = true;
            return Poll::Ready(Err(error));
        }
        if self.over {
            return Poll::Ready(Ok(None));
        }
        match self.reader.told.broken() {
            Some(why) => {
                self.over = true;
                Poll::Ready(Err(LogError::new(format!("topic {}: {why}", self.reader.topic()))))
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for KafkaFeed {
    fn drop(&mut self) {
        self.reader.end(self.partition);
    }
}

/// Records on their way to a slab.
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    cut: Vec<(u32, u64)>,
    offsets: Vec<u64>,
    /// Offsets of deletions.
    deleted: Vec<u64>,
    beside: Gathering,
}

impl Gathered {
    pub(crate) fn new(reads: &Reads) -> Self {
        let (bytes, ends, cut, offsets, deleted) = Default::default();
        Self { bytes, ends, cut, offsets, deleted, beside: Gathering::new(&reads.beside) }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= SLAB_EVENTS || self.bytes.len() + self.beside.bytes() >= SLAB_BYTES
    }

    /// A record, unless it has no value: then it is a deletion, and no event.
    pub(crate) fn take(&mut self, record: &Record<'_>) {
        let offset = record.offset();
        let Some(value) = record.value() else {
            self.deleted.push(offset);
            return;
        };
        if value.len() > LINE_MAX_BYTES {
            self.cut.push((self.ends.len() as u32, value.len() as u64));
            self.bytes.extend_from_slice(&value[..LINE_KEPT_BYTES]);
        } else {
            self.bytes.extend_from_slice(value);
        }
        self.ends.push(self.bytes.len() as u32);
        self.offsets.push(offset);
        self.beside.push(record);
    }

    /// What was taken, as pieces.
    ///
    /// # Errors
    /// A record that cannot be read for lack of a schema; the pieces before it are good. `at`: the
    /// topic and the partition.
    pub(crate) fn pieces(
        self,
        reads: &Reads,
        (topic, partition): (&str, i32),
        to: &mut VecDeque<Piece>,
    ) -> Result<(), LogError> {
        if self.ends.is_empty() {
            return Ok(());
        }
        let Some(schemas) = &reads.schemas else {
            to.push_back(self.piece().map_err(LogError::new)?);
            return Ok(());
        };
        self.piece_of(schemas, to).map_err(|(unread, offsets)| {
            unread.told(|row| {
                let offset = offsets[row];
                format!("partition {partition} of topic {topic}, offset {offset}")
            })
        })
    }

    /// As lines.
    fn piece(self) -> Result<Piece, ArrowError> {
        let offsets = offsets(&self.offsets);
        let lines = Lines { bytes: self.bytes, ends: self.ends, cut: self.cut, whole: true };
        let (slab, offsets, folders) = (Slab::Lines(lines), Some(offsets), Folders::default());
        Ok(Piece { slab, offsets, folders, beside: self.beside.finish()?, end: None })
    }

    /// As rows, of as many tables as it takes: those before one that cannot be read are good.
    fn piece_of(
        self,
        schemas: &Schemas,
        to: &mut VecDeque<Piece>,
    ) -> Result<(), (Unread, Vec<u64>)> {
        let (bytes, ends, cut, all) = (self.bytes, self.ends, self.cut, self.offsets);
        let values = Lines { bytes, ends, cut, whole: true };
        let made = || -> Result<(), Unread> {
            let own = self.beside.finish().map_err(Unread::Rows)?;
            let mut first = 0;
            while first < all.len() {
                let read = avro::read(&values, first, schemas)?;
                let beside = read.beside(own.as_ref(), (&values, first));
                let beside = beside.map_err(Unread::Rows)?;
                let offsets = Some(offsets(&all[first..first + read.len()]));
                first += read.len();
                let (slab, folders) = (Slab::Rows(read.rows), Folders::default());
                to.push_back(Piece { slab, offsets, folders, beside, end: None });
            }
            Ok(())
        };
        made().map_err(|unread| (unread, all))
    }
}

/// Where records lie, of which there is one.
fn offsets(all: &[u64]) -> Offsets {
    let first = all[0];
    match all.last() == Some(&(first + all.len() as u64 - 1)) {
        true => Offsets::From(first),
        false => Offsets::These(all.into()),
    }
}
