//! What was written to a topic, as whoever wrote it left it: each committed record with all that it
//! has, up to where the partitions ended when it was opened. For whoever asks what somebody else
//! reads there.

use super::client::Kafka;
use super::reader::Reader;
use super::records::{Next, Queue, Record};
use super::told::Listens;
use super::topic::Asks;
use super::url::Topic;
use crate::cancel::Cancel;
use crate::clock::Stopwatch;
use crate::limits::KAFKA_SETTLED_WITHIN;
use crate::log::LogError;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub(crate) struct Written {
    kafka: Kafka,
    /// Is asked where partitions end.
    reader: Arc<Reader>,
    topic: Topic,
    /// Of each partition its number, and which offsets it has.
    partitions: Vec<(i32, Range<u64>)>,
}

/// A partition that is read.
struct Reading {
    queue: Queue<Listens>,
    number: i32,
    offsets: Range<u64>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenRecord<'a> {
    pub(crate) partition: i32,
    pub(crate) offset: u64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// How long nothing comes before somebody looks why.
const LOOK: Duration = Duration::from_millis(200);

impl Written {
    /// Looks where the partitions of a topic begin, and where they end by now: with what is not
    /// committed yet, whose end is waited for. So whatever was committed before this is seen, also
    /// where the mark of its transaction is still on its way. None: there is no such topic.
    pub(crate) fn open(kafka: &Kafka, topic: &Topic) -> Result<Option<Self>, LogError> {
        let url = format!("kafka://{}/{}", topic.brokers, topic.name);
        let (reader, all) = (Reader::start(kafka, topic, 1)?, Reader::of_all(kafka, topic)?);
        let asks = |reader| Asks { reader, url: &url, since: Stopwatch::start() };
        let Some(numbers) = numbers(&asks(&reader), topic)? else { return Ok(None) };
        let (mut partitions, since) = (Vec::new(), Stopwatch::start());
        for number in numbers {
            let (first, end) = asks(&all).ends(topic, number)?;
            loop {
                let shown = asks(&reader).ends(topic, number)?.1;
                if shown >= end {
                    break;
                }
                if since.elapsed() > KAFKA_SETTLED_WITHIN {
                    return Err(LogError::new(format!(
                        "`{url}`: a transaction over partition {number} is open for minutes, and \
                         hides what comes from offset {shown} on: end it, or whoever began it, and \
                         run again (`kafka-transactions.sh find-hanging` names those that nobody \
                         ends)"
                    )));
                }
                std::thread::sleep(LOOK);
            }
            partitions.push((number, first..end));
        }
        Ok(Some(Self { kafka: kafka.clone(), reader, topic: topic.clone(), partitions }))
    }

    /// Of each partition its number, and which offsets it has.
    pub(crate) fn partitions(&self) -> &[(i32, Range<u64>)] {
        &self.partitions
    }

    /// Gives the records of some partitions, one partition after another, each in its order, to the
    /// end or until it is told to break.
    pub(crate) fn read(
        &self,
        partitions: &[(i32, Range<u64>)],
        cancel: &Cancel,
        each: &mut dyn FnMut(WrittenRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        let reader = Reader::start(&self.kafka, &self.topic, partitions.len())?;
        let mut queues = Vec::new();
        for (number, offsets) in partitions.iter().filter(|(_, offsets)| !offsets.is_empty()) {
            let queue = reader.read(*number, offsets.start)?;
            let queue = queue.ok_or_else(|| LogError::new("a reader of nothing reads already"))?;
            queues.push(Reading { queue, number: *number, offsets: offsets.clone() });
        }
        for own in queues {
            if self.read_one(own, &reader, cancel, each)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read_one(
        &self,
        Reading { queue, number, offsets }: Reading,
        reader: &Reader,
        cancel: &Cancel,
        each: &mut dyn FnMut(WrittenRecord<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, LogError> {
        let mut next = offsets.start;
        while next < offsets.end {
            if cancel.is_cancelled() {
                return Err(LogError::new("stopped on request"));
            }
            let (mut came, mut end, mut failed, mut flow) =
                (false, None, None, ControlFlow::Continue(()));
            queue.serve(LOOK, |own| {
                came = true;
                match own {
                    Next::Record(record) => {
                        let offset = record.offset();
                        reader.told.heard();
                        next = offset + 1;
                        if offset < offsets.end {
                            flow = each(written(&record, (number, offset)));
                        }
                    }
                    Next::End(at) => end = Some(at),
                    Next::Failed(error) => failed = Some(error),
                }
                let is_over = next >= offsets.end || end.is_some() || failed.is_some();
                if is_over { ControlFlow::Break(()) } else { flow }
            });
            if flow.is_break() {
                return Ok(flow);
            }
            if let Some(error) = failed {
                return Err(self.error(number, next, &error));
            }
            if let Some(at) = end {
                // What is left are marks of transactions, and what was aborted.
                self.is_there(number, offsets.end)?;
                next = next.max(at);
            }
            if let (false, Some(why)) = (came, reader.told.broken()) {
                return Err(LogError::new(format!("topic {}: {why}", self.topic.name)));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether a partition still ends where it did, or behind that.
    fn is_there(&self, number: i32, end: u64) -> Result<(), LogError> {
        let url = &self.topic.name;
        let asks = Asks { reader: &self.reader, url, since: Stopwatch::start() };
        let now = asks.ends(&self.topic, number)?.1;
        if now >= end {
            return Ok(());
        }
        Err(LogError::new(format!(
            "partition {number} of topic {url} ended at offset {end} and ends at {now} now: what \
             was written is lost (a broker that was behind became its leader, or the topic was \
             made anew)"
        )))
    }

    fn error(&self, number: i32, offset: u64, error: &KafkaError) -> LogError {
        let at = format!("partition {number} of topic {}, offset {offset}", self.topic.name);
        LogError::new(match error.rdkafka_error_code() {
            Some(Code::OffsetOutOfRange | Code::AutoOffsetReset) => {
                format!("{at}: it is gone; retention went on meanwhile: run again")
            }
            _ => format!("{at} cannot be read: {error}"),
        })
    }
}

/// The numbers of a topic's partitions; none: there is no such topic.
fn numbers(asks: &Asks<'_>, topic: &Topic) -> Result<Option<Vec<i32>>, LogError> {
    asks.until(|left| {
        let all = asks.reader.consumer.fetch_metadata(Some(&topic.name), left)?;
        let own = all.topics().iter().find(|own| own.name() == topic.name);
        let own = own.filter(|own| own.error().is_none());
        Ok(own.map(|own| own.partitions().iter().map(|partition| partition.id()).collect()))
    })
}

fn written<'a>(record: &'a Record<'_>, (partition, offset): (i32, u64)) -> WrittenRecord<'a> {
    // No name of ours is other than UTF-8.
    let name = |name| std::str::from_utf8(name).unwrap_or("?");
    let headers = record.headers().map(|(of, value)| (name(of), value)).collect();
    WrittenRecord { partition, offset, key: record.key(), value: record.value(), headers }
}
