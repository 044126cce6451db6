//! Records as they stand on a topic, read whole and put somewhere else: for tests that alter what
//! was published.

use crate::kafka::{Full, Kafka, put_full};
use anyhow::{Context as _, Result};
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Headers as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// A record as it stands on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stands {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers, in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Stands {
    /// A header's text.
    pub fn header(&self, name: &str) -> String {
        let own = self.headers.iter().find(|(own, _)| own == name);
        let value = own.and_then(|(_, value)| value.as_deref());
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    }
}

/// All committed records of a topic, partition by partition.
///
/// # Errors
/// When they cannot be read.
pub fn records(kafka: &Kafka, topic: &str) -> Result<Vec<Stands>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers()).set("group.id", "reads-records");
    config.set("enable.partition.eof", "true").set("auto.offset.reset", "error");
    let consumer: BaseConsumer = config.create()?;
    let all = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let partitions = all.topics().first().context("no topic")?.partitions();
    let mut left: BTreeSet<i32> = partitions.iter().map(|own| own.id()).collect();
    let mut list = TopicPartitionList::new();
    for &partition in &left {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let mut found = Vec::new();
    while !left.is_empty() {
        match consumer.poll(PATIENCE).context("nothing comes any more")? {
            Err(KafkaError::PartitionEOF(partition)) => _ = left.remove(&partition),
            other => {
                let record = other?;
                let headers = record.headers().map_or_else(Vec::new, |headers| {
                    let owned = headers.iter();
                    owned.map(|own| (own.key.to_owned(), own.value.map(<[u8]>::to_vec))).collect()
                });
                found.push(Stands {
                    partition: record.partition(),
                    offset: record.offset(),
                    key: record.key().map(<[u8]>::to_vec),
                    value: record.payload().map(<[u8]>::to_vec),
                    headers,
                });
            }
        }
    }
    found.sort_by_key(|own| (own.partition, own.offset));
    Ok(found)
}

/// Puts records onto a topic, each in its partition.
///
/// # Errors
/// When they are not taken.
pub fn copy(kafka: &Kafka, topic: &str, records: &[Stands]) -> Result<()> {
    let producer = kafka.producer(None)?;
    for some in records.chunks(10_000) {
        let headers: Vec<Vec<_>> = some
            .iter()
            .map(|own| {
                own.headers.iter().map(|(name, value)| (&**name, value.as_deref())).collect()
            })
            .collect();
        let full = some.iter().zip(&headers).map(|(own, headers)| Full {
            partition: own.partition,
            key: own.key.as_deref(),
            value: own.value.as_deref(),
            headers,
            time: None,
        });
        put_full(&producer, topic, &full.collect::<Vec<_>>())?;
    }
    Ok(())
}
