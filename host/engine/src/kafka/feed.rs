//! A partition's records, slab by slab. Whatever has no record at an offset is passed over; how a
//! partition can lack records that were there is told apart.

use super::reader::Reader;
use super::told::Listens;
use crate::limits::{KAFKA_OPENED_WITHIN, SLAB_BYTES, SLAB_EVENTS};
use crate::log::{Feed, LogError, Piece};
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::BorrowedMessage;
use retally_core::decode::{Folders, Lines, Slab};
use retally_core::limits::{LINE_KEPT_BYTES, LINE_MAX_BYTES};
use retally_core::log::Offsets;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Reads a partition from an offset up to its end.
pub(super) struct KafkaFeed {
    // It goes before the reader whose queue it is.
    queue: PartitionQueue<Listens>,
    reader: Arc<Reader>,
    partition: i32,
    /// What was not looked at yet.
    left: Range<u64>,
    over: bool,
    failed: Option<LogError>,
}

impl KafkaFeed {
    pub(super) fn new(
        reader: Arc<Reader>,
        queue: PartitionQueue<Listens>,
        partition: i32,
        left: Range<u64>,
    ) -> Self {
        let over = left.is_empty();
        Self { queue, reader, partition, left, over, failed: None }
    }

    /// Takes what is there, up to a slab.
    fn gather(&mut self, slab: &mut Gathered) {
        while !self.over && self.failed.is_none() && !slab.is_full() {
            match self.queue.poll(Duration::ZERO) {
                None => return,
                Some(Ok(record)) => {
                    let offset = u64::try_from(record.offset()).unwrap_or(0);
                    if offset < self.left.end {
                        self.left.start = offset + 1;
                        slab.take(offset, &record);
                    }
                    self.over = offset + 1 >= self.left.end;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => self.failed = self.at_end().err(),
                Some(Err(error)) => self.failed = Some(self.error(&error)),
            }
        }
        if !slab.ends.is_empty() {
            self.reader.told.heard();
        }
    }

    /// The partition gives no more now: what is left has no records, or is gone.
    fn at_end(&mut self) -> Result<(), LogError> {
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
        self.over = true;
        Ok(())
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
        let mut slab = Gathered::default();
        self.gather(&mut slab);
        if slab.ends.is_empty() && !self.over && self.failed.is_none() {
            self.reader.told.wait(self.partition, cx.waker().clone());
            // What came before somebody waited for it wakes nobody.
            self.gather(&mut slab);
        }
        if let Some(piece) = slab.piece() {
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
#[derive(Default)]
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    cut: Vec<(u32, u64)>,
    offsets: Vec<u64>,
}

impl Gathered {
    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= SLAB_EVENTS || self.bytes.len() >= SLAB_BYTES
    }

    /// A record, unless it has no value: then it is a deletion, and no event.
    pub(crate) fn take(&mut self, offset: u64, record: &BorrowedMessage<'_>) {
        let Some(value) = record.payload() else { return };
        if value.len() > LINE_MAX_BYTES {
            self.cut.push((self.ends.len() as u32, value.len() as u64));
            self.bytes.extend_from_slice(&value[..LINE_KEPT_BYTES]);
        } else {
            self.bytes.extend_from_slice(value);
        }
        self.ends.push(self.bytes.len() as u32);
        self.offsets.push(offset);
    }

    /// The slab, if there is a record.
    pub(crate) fn piece(self) -> Option<Piece> {
        let first = *self.offsets.first()?;
        let is_whole = self.offsets.last() == Some(&(first + self.offsets.len() as u64 - 1));
        let offsets =
            if is_whole { Offsets::From(first) } else { Offsets::These(self.offsets.into()) };
        let lines = Lines { bytes: self.bytes, ends: self.ends, cut: self.cut };
        let folders = Folders::default();
        Some(Piece { slab: Slab::Lines(lines), offsets: Some(offsets), folders, end: None })
    }
}
