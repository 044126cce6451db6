//! Receipts of a topic: by which of its records a partition is known again, and what was read of it
//! up to where.
//!
//! ```text
//!   a partition   first ...... | the last that were taken | next    what is no event | end
//!                 KAFKA_TAIL offsets in front of next ^
//! ```

use super::client::Kafka;
use super::reader::Reader;
use super::records::{Next, imprint, until};
use super::topic::ends_at;
use super::url::Topic;
use crate::limits::KAFKA_TAIL;
use crate::log::{LogError, Partition, Reached};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use retally_core::manifest::Xxh3;
use retally_core::receipt::{Growth, Present, Receipt, Records, Seen, Took};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a record is waited for before it is looked whether there is any use in it.
const LOOKED_AGAIN: Duration = Duration::from_millis(100);

/// What readers came to, by Kafka's numbers of the partitions.
#[derive(Default)]
pub(super) struct Notes(Mutex<BTreeMap<i32, Note>>);

/// How far a partition was read.
#[derive(Debug, Clone, Copy, Default)]
struct Note {
    /// The last record of a slab, and what it was.
    record: Option<(u64, Xxh3)>,
    /// Behind the last event.
    next: u64,
    /// Whether there is nothing behind it.
    is_over: bool,
}

impl Notes {
    /// A slab was read, with this as its last record and, if it has events, so the offset behind
    /// the last of them.
    pub(super) fn read(&self, partition: i32, record: (u64, Xxh3), next: Option<u64>) {
        let own = Some(record);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let note = all.entry(partition).or_default();
        note.next = note.next.max(next.unwrap_or(0));
        note.record = note.record.max(own);
    }

    /// A partition was read to its end.
    pub(super) fn over(&self, partition: i32) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(partition).or_default().is_over = true;
    }

    fn of(&self, partition: i32) -> Note {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&partition).copied().unwrap_or_default()
    }
}

/// What a topic is when receipts of it are asked for.
pub(super) struct Asked<'a> {
    pub(super) kafka: &'a Kafka,
    pub(super) topic: &'a Topic,
    pub(super) partitions: &'a [Partition],
    /// Of each partition its number in Kafka.
    pub(super) numbers: &'a [i32],
}

impl Asked<'_> {
    /// What was taken of the partitions.
    pub(super) fn receipts(
        &self,
        reached: &[Reached],
        notes: &Notes,
    ) -> Result<Vec<Receipt>, LogError> {
        let mut taken = Vec::new();
        for ((partition, &number), own) in self.partitions.iter().zip(self.numbers).zip(reached) {
            let note = notes.of(number);
            let is_over = note.is_over && note.next <= own.next;
            // Also where all that was taken is gone by now.
            let is_taken = own.next > 0 && own.next >= partition.first;
            if is_taken || is_over {
                taken.push((partition, number, own.next, is_over));
            }
        }
        let tail = |&(partition, number, next, _): &(&Partition, i32, u64, bool)| {
            (number, next.saturating_sub(KAFKA_TAIL).max(partition.first)..next)
        };
        let tails = self.tails(&taken.iter().map(tail).collect::<Vec<_>>())?;
        let mut all = Vec::new();
        for ((partition, number, next, is_over), last) in taken.into_iter().zip(tails) {
            self.is_as_read(number, &notes.of(number), &last)?;
            let end = if is_over { ends_at(partition)?.max(next) } else { next };
            all.push(Receipt {
                partition: partition.name.clone(),
                object: self.topic.name.clone(),
                starts: None,
                next,
                took: if is_over { Took::Whole } else { Took::UpTo },
                bytes: 0,
                growth: Growth::Any,
                etag: None,
                edges: None,
                xxh3_128: imprint(&[]),
                byte_order_mark: false,
                records: Some(Records { first: partition.first, end, last }),
            });
        }
        Ok(all)
    }

    /// Refuses a partition that has become another one while it was read.
    fn is_as_read(
        &self,
        number: i32,
        note: &Note,
        last: &BTreeMap<u64, Xxh3>,
    ) -> Result<(), LogError> {
        let Some((offset, then)) = note.record else { return Ok(()) };
        match last.get(&offset) {
            Some(now) if *now != then => Err(LogError::new(format!(
                "partition {number} of topic {} has another record at offset {offset} than when it \
                 was read a moment ago: the topic was made anew during the run, and nothing that \
                 was read of it can be trusted; run again",
                self.topic.name
            ))),
            _ => Ok(()),
        }
    }

    /// The partitions as they stand, held against what was taken of them.
    pub(super) fn present(&self, receipts: &[Receipt]) -> Result<Vec<Present>, LogError> {
        let tail = |(partition, &number): (&Partition, &i32)| {
            let receipt = receipts.iter().find(|receipt| receipt.partition == partition.name);
            let last = receipt.and_then(|receipt| receipt.records.as_ref()).map(|own| &own.last);
            let span =
                last.and_then(|last| Some((last.first_key_value()?.0, last.last_key_value()?.0)));
            let span = span.map_or(0..0, |(first, last)| *first..*last + 1);
            let span = span.start.max(partition.first)..span.end.min(ends_at(partition)?);
            Ok((number, span))
        };
        let tails = self.partitions.iter().zip(self.numbers).map(tail);
        let tails = self.tails(&tails.collect::<Result<Vec<_>, LogError>>()?)?;
        let present = |(partition, last): (&Partition, BTreeMap<u64, Xxh3>)| {
            let records = Records { first: partition.first, end: ends_at(partition)?, last };
            Ok(Present {
                partition: partition.name.clone(),
                object: self.topic.name.clone(),
                starts: None,
                bytes: 0,
                etag: None,
                seen: Seen { records: Some(records), ..Seen::default() },
            })
        };
        self.partitions.iter().zip(tails).map(present).collect()
    }

    /// Of the records in a range of offsets of some partitions what each of them is.
    fn tails(&self, wanted: &[(i32, Range<u64>)]) -> Result<Vec<BTreeMap<u64, Xxh3>>, LogError> {
        let some = wanted.iter().filter(|(_, range)| !range.is_empty()).count();
        if some == 0 {
            return Ok(vec![BTreeMap::new(); wanted.len()]);
        }
        let reader = Reader::start(self.kafka, self.topic, some)?;
        // All of them are asked for before the first is waited for.
        let begin = |(number, range): &(i32, Range<u64>)| match range.is_empty() {
            true => Ok(None),
            false => reader.read(*number, range.start),
        };
        let queues = wanted.iter().map(begin).collect::<Result<Vec<_>, LogError>>()?;
        let mut all = Vec::new();
        for (queue, (number, range)) in queues.iter().zip(wanted) {
            let mut tail = BTreeMap::new();
            while let Some(queue) = queue {
                let (mut is_over, mut failed, mut described) = (false, None, Vec::new());
                queue.serve(LOOKED_AGAIN, |next| {
                    match next {
                        Next::Record(record) => {
                            let offset = record.offset();
                            if offset < range.end {
                                described.clear();
                                record.describe(&mut described);
                                tail.insert(offset, imprint(&described));
                            }
                            reader.told.heard();
                            is_over = offset + 1 >= range.end;
                        }
                        // The rest is not there any more, which whoever asked finds out.
                        Next::End(_) => is_over = true,
                        Next::Failed(error) if is_gone(&error) => is_over = true,
                        Next::Failed(error) => failed = Some(error),
                    }
                    until(is_over || failed.is_some())
                });
                if let Some(error) = failed {
                    return Err(self.failed(*number, &error));
                }
                if is_over {
                    break;
                }
                self.has_use(&reader)?;
            }
            all.push(tail);
        }
        Ok(all)
    }

    fn has_use(&self, reader: &Reader) -> Result<(), LogError> {
        let broken = reader.told.broken();
        broken.map_or(Ok(()), |why| Err(LogError::new(format!("topic {}: {why}", self.topic.name))))
    }

    fn failed(&self, number: i32, error: &KafkaError) -> LogError {
        let topic = &self.topic.name;
        LogError::new(format!("partition {number} of topic {topic} cannot be read: {error}"))
    }
}

/// Whether what was asked for is not there any more.
fn is_gone(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(Code::OffsetOutOfRange | Code::AutoOffsetReset))
}
