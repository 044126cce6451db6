//! A topic as a log: which partitions it has, and where they begin and end.

use super::client::Kafka;
use super::deletions::Deletions;
use super::feed::KafkaFeed;
use super::groups::committed;
use super::reader::Reader;
use super::receipts::{Asked, Notes};
use super::registry::Schemas;
use super::told::Told;
use super::url::Topic;
use crate::clock::Stopwatch;
use crate::limits::KAFKA_OPENED_WITHIN;
use crate::log::{End, Feed, Log, LogError, Part, Partition, Reached};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use retally_core::decode::Beside;
use retally_core::log::{Micros, PartitionIndex};
use retally_core::manifest::{Finding, Found};
use retally_core::receipt::{Present, Receipt};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// A topic, as far as it went when it was opened.
#[derive(Clone)]
pub struct KafkaLog(Arc<Inner>);

struct Inner {
    kafka: Kafka,
    topic: Topic,
    partitions: Vec<Partition>,
    /// Of each partition its number in Kafka.
    numbers: Vec<i32>,
    parts: Vec<Part>,
    reads: Arc<Reads>,
    /// Of each partition those that were read.
    deletions: Vec<Arc<Deletions>>,
    /// Those that read now. Each reads a partition once.
    readers: Mutex<Vec<Weak<Reader>>>,
    /// How far partitions were read.
    notes: Arc<Notes>,
}

/// What is read of a topic's records.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// What they have beside their values.
    pub beside: Vec<Beside>,
    /// By what schemas their values are records of Avro; none: they are taken as they stand.
    pub schemas: Option<Arc<Schemas>>,
}

/// How long the first answer is waited for, and how long is rested between two questions. Every
/// further answer is waited for twice as long: a client that waits tells nothing of what it was
/// refused, and a far broker takes its time.
const ASKED_AGAIN: Duration = Duration::from_millis(200);

impl KafkaLog {
    /// Looks where the partitions of the topic at `url` begin and end.
    ///
    /// # Errors
    /// A URL or a property that cannot be, brokers that do not answer or let nobody in, and a topic
    /// that is not there.
    pub fn open(url: &str, kafka: &Kafka, reads: Reads) -> Result<Self, LogError> {
        let topic = Topic::of(url)?;
        let reader = Reader::start(kafka, &topic, 1)?;
        let asks = Asks { reader: &reader, url, since: Stopwatch::start() };
        let mut numbers = asks.partitions(&topic)?;
        // As partitions are sorted everywhere: by the bytes of their names.
        numbers.sort_by_cached_key(ToString::to_string);
        let partition = |number: &i32| {
            let (first, end) = asks.ends(&topic, *number)?;
            Ok(Partition { name: number.to_string(), first, end: End::Before(end) })
        };
        let partitions: Vec<_> = numbers.iter().map(partition).collect::<Result<_, LogError>>()?;
        let part = |number| Part { partition: number as PartitionIndex, bytes: 0 };
        let deletions = partitions.iter().map(|_| Arc::default()).collect();
        let inner = Inner {
            deletions,
            kafka: kafka.clone(),
            topic,
            parts: (0..partitions.len()).map(part).collect(),
            partitions,
            numbers,
            reads: Arc::new(reads),
            readers: Mutex::default(),
            notes: Arc::default(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// What a group has committed of each partition, and the text beside it; none: nothing.
    pub(crate) fn stands(&self, group: &str) -> Result<Vec<Option<(u64, String)>>, LogError> {
        let Inner { kafka, topic, numbers, .. } = &*self.0;
        committed((kafka, topic), numbers, group)
    }

    fn asked(&self) -> Asked<'_> {
        let Inner { kafka, topic, partitions, numbers, .. } = &*self.0;
        Asked { kafka, topic, partitions, numbers }
    }
}

/// The offset before which a partition ends.
pub(super) fn ends_at(partition: &Partition) -> Result<u64, LogError> {
    match partition.end {
        End::Before(end) => Ok(end),
        End::OfParts | End::Open => Err(LogError::new("it has no end")),
    }
}

impl Log for KafkaLog {
    fn partitions(&self) -> &[Partition] {
        &self.0.partitions
    }

    fn parts(&self) -> &[Part] {
        &self.0.parts
    }

    fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError> {
        let (number, partition) = (self.0.numbers[part], &self.0.partitions[part]);
        let about = || (self.0.reads.clone(), self.0.deletions[part].clone());
        let end = ends_at(partition)?;
        let (from, notes) = (from.max(partition.first), self.0.notes.clone());
        let mut readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|reader| reader.strong_count() > 0);
        for reader in readers.iter().filter_map(Weak::upgrade) {
            if let Some(queue) = reader.read(number, from)? {
                let reader = (reader, notes);
                return Ok(Box::new(KafkaFeed::new(reader, queue, number, from..end, about())));
            }
        }
        let reader = Reader::start(&self.0.kafka, &self.0.topic, self.0.partitions.len())?;
        readers.push(Arc::downgrade(&reader));
        let queue = reader.read(number, from)?;
        let queue = queue.ok_or_else(|| LogError::new("a reader of nothing reads already"))?;
        Ok(Box::new(KafkaFeed::new((reader, notes), queue, number, from..end, about())))
    }

    fn besides(&self) -> Vec<Beside> {
        self.0.reads.beside.clone()
    }

    fn deletions(&self, within: &[Range<u64>]) -> Vec<u64> {
        let all = self.0.deletions.iter().zip(within);
        all.map(|(own, offsets)| own.within(offsets)).collect()
    }

    fn receipts(&self, reached: &[Reached], _threads: usize) -> Result<Vec<Receipt>, LogError> {
        self.asked().receipts(reached, &self.0.notes)
    }

    fn committed(&self, group: &str) -> Result<Option<Vec<Option<u64>>>, LogError> {
        let all = self.stands(group)?.into_iter();
        Ok(Some(all.map(|own| own.map(|(offset, _)| offset)).collect()))
    }

    fn written_since(&self, time: Micros) -> Result<Option<Vec<u64>>, LogError> {
        self.asked().written_since(time).map(Some)
    }

    /// No byte of a record can be looked at without all of them: the last ones are, in any case.
    fn present(
        &self,
        receipts: &[Receipt],
        _every_byte: bool,
        _threads: usize,
    ) -> Result<Option<Vec<Present>>, LogError> {
        self.asked().present(receipts).map(Some)
    }

    fn findings(&self, _: Option<&[Reached]>) -> Vec<Finding> {
        let gone = |partition: &Partition| {
            let last = partition.first.checked_sub(1)?;
            Some(Finding {
                partition: partition.name.clone(),
                first: 0,
                last,
                what: Found::Gone,
                objects: Vec::new(),
            })
        };
        self.0.partitions.iter().filter_map(gone).collect()
    }
}

/// Asks brokers until they answer, or the time for it is over.
pub(super) struct Asks<'a> {
    pub(super) reader: &'a Reader,
    pub(super) url: &'a str,
    pub(super) since: Stopwatch,
}

impl Asks<'_> {
    fn left(&self) -> Duration {
        KAFKA_OPENED_WITHIN.saturating_sub(self.since.elapsed())
    }

    pub(super) fn until<T>(
        &self,
        mut ask: impl FnMut(Duration) -> Result<T, KafkaError>,
    ) -> Result<T, LogError> {
        let mut patience = ASKED_AGAIN;
        loop {
            let told: &Told = &self.reader.told;
            let error = match ask(patience.min(self.left()).max(ASKED_AGAIN)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let code = error.rdkafka_error_code();
            let is_gone = matches!(code, Some(Code::UnknownTopicOrPartition | Code::UnknownTopic));
            if is_gone {
                return Err(LogError::usage(format!(
                    "`{}`: Kafka has no such topic, or shows it to others only; correct \
                     `[source] url`",
                    self.url
                )));
            }
            if code == Some(Code::GroupAuthorizationFailed) {
                return Err(LogError::usage(format!(
                    "`{}`: {error}; ask for the right to see the group, or use other credentials",
                    self.url
                )));
            }
            if let Some(why) = told.broken() {
                return Err(LogError::usage(format!("`{}`: {why}", self.url)));
            }
            if self.left().is_zero() {
                let why = told.last().unwrap_or_else(|| error.to_string());
                return Err(LogError::new(format!(
                    "`{}`: Kafka does not answer ({why}): look whether its brokers run and are \
                     reachable from here",
                    self.url
                )));
            }
            std::thread::sleep(ASKED_AGAIN);
            patience *= 2;
        }
    }

    /// The numbers of a topic's partitions.
    fn partitions(&self, topic: &Topic) -> Result<Vec<i32>, LogError> {
        self.until(|left| {
            let all = self.reader.consumer.fetch_metadata(Some(&topic.name), left)?;
            let Some(topic) = all.topics().iter().find(|it| it.name() == topic.name) else {
                return Err(KafkaError::MetadataFetch(Code::UnknownTopic));
            };
            match topic.error() {
                Some(error) => Err(KafkaError::MetadataFetch(error.into())),
                None => Ok(topic.partitions().iter().map(|partition| partition.id()).collect()),
            }
        })
    }

    /// The first offset of a partition and the one behind its last record that is committed.
    pub(super) fn ends(&self, topic: &Topic, partition: i32) -> Result<(u64, u64), LogError> {
        let consumer = &self.reader.consumer;
        let ends = self.until(|left| consumer.fetch_watermarks(&topic.name, partition, left))?;
        let offset = |offset: i64| u64::try_from(offset).unwrap_or(0);
        Ok((offset(ends.0), offset(ends.1)))
    }
}
