//! The limit: clients of Kafka that do nothing with what they read.

use super::INTERVAL_MS;
use super::topics::{PLAIN, SOURCE};
use anyhow::{Result, bail};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent is what live work publishes of the same log, about: a record for each event with
/// three headers, and for every fifth a view.
const BYTES: usize = 60;
const VIEW_OF: u64 = 5;
const VIEW_BYTES: usize = 150;

/// Consumes a topic from its start to its end, each partition that has records.
struct Consumes {
    consumer: BaseConsumer,
    left: BTreeMap<i32, i64>,
}

impl Consumes {
    fn new(brokers: &str, group: &str) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("group.id", group);
        config.set("isolation.level", "read_committed").set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false").set("queued.min.messages", "1000000");
        config.set("check.crcs", "true").set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create()?;
        let all = consumer.fetch_metadata(Some(SOURCE), PATIENCE)?;
        let partitions = all.topics().first().map_or(0, |own| own.partitions().len() as i32);
        let (mut left, mut list) = (BTreeMap::new(), TopicPartitionList::new());
        for partition in 0..partitions {
            left.insert(partition, consumer.fetch_watermarks(SOURCE, partition, PATIENCE)?.1);
            list.add_partition_offset(SOURCE, partition, Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        Ok(Self { consumer, left })
    }

    /// Polls until all is read, or `each` says that it is enough for now.
    fn read(&mut self, mut each: impl FnMut(i32, i64, &[u8]) -> Result<bool>) -> Result<()> {
        while !self.left.is_empty() {
            let goes_on = match self.consumer.poll(Duration::from_millis(100)) {
                None => each(-1, 0, &[])?,
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(record)) => {
                    let (partition, next) = (record.partition(), record.offset() + 1);
                    let goes_on = each(partition, next, record.payload().unwrap_or_default())?;
                    if self.left.get(&partition).is_some_and(|end| next >= *end) {
                        self.left.remove(&partition);
                    }
                    goes_on
                }
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Reads the topic.
pub(super) fn consume(brokers: &str) -> Result<()> {
    let mut bytes = 0;
    Consumes::new(brokers, "plain")?.read(|_, _, value| {
        bytes += value.len();
        Ok(true)
    })?;
    match bytes {
        0 => bail!("there is nothing"),
        _ => Ok(()),
    }
}

/// Reads the topic, and sends records in transactions with the offsets behind what was read. Gives
/// how many were sent.
pub(super) fn hand_on(brokers: &str, name: &str) -> Result<u64> {
    let mut consumes = Consumes::new(brokers, &format!("plain-{name}"))?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("transactional.id", format!("plain-{name}"));
    config.set("queue.buffering.max.messages", "1000000").set("partitioner", "murmur2_random");
    config.set("delivery.report.only.error", "true");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
    producer.init_transactions(PATIENCE)?;
    let group = consumes.consumer.group_metadata();
    let mut sent = 0;
    while !consumes.left.is_empty() {
        producer.begin_transaction()?;
        let (since, mut nexts) = (Instant::now(), BTreeMap::new());
        consumes.read(|partition, next, value| {
            if partition >= 0 {
                send(&producer, &value[..value.len().min(BYTES)], Some(next))?;
                sent += 1;
                if (next as u64).is_multiple_of(VIEW_OF) {
                    send(&producer, &value[..value.len().min(VIEW_BYTES)], None)?;
                    sent += 1;
                }
                nexts.insert(partition, next);
            }
            Ok(since.elapsed() < Duration::from_millis(INTERVAL_MS))
        })?;
        let mut list = TopicPartitionList::new();
        for (partition, next) in nexts {
            list.add_partition_offset(SOURCE, partition, Offset::Offset(next))?;
        }
        if let Some(group) = &group {
            producer.send_offsets_to_transaction(&list, group, PATIENCE)?;
        }
        producer.commit_transaction(PATIENCE)?;
    }
    Ok(sent)
}

fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    value: &[u8],
    offset: Option<i64>,
) -> Result<()> {
    // Where the key stands in a line of the log.
    let key = value.get(..24).unwrap_or(value);
    let mut record = BaseRecord::to(PLAIN).key(key).payload(value);
    if let Some(offset) = offset {
        let (id, at) = (&key[key.len() / 2..], offset.to_string());
        let headers = [("id", id), ("at", at.as_bytes()), ("seq", &b"0"[..])];
        let headers = headers.into_iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value) })
        });
        record = record.headers(headers);
    }
    while let Err((error, back)) = producer.send(record) {
        match error {
            KafkaError::MessageProduction(Code::QueueFull) => record = back,
            error => return Err(error.into()),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
