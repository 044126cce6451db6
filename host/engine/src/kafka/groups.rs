//! Where a group of consumers stands in a topic: what it has committed. Nobody joins it.

use super::client::Kafka;
use super::reader::Reader;
use super::topic::Asks;
use super::url::Topic;
use crate::clock::Stopwatch;
use crate::log::LogError;
use rdkafka::consumer::Consumer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// What a group has committed of each partition, and the text beside it; none: nothing.
pub(super) fn committed(
    (kafka, topic): (&Kafka, &Topic),
    numbers: &[i32],
    group: &str,
) -> Result<Vec<Option<(u64, String)>>, LogError> {
    let reader = Reader::of_group(kafka, topic, group)?;
    let url = format!("kafka://{}/{}", topic.brokers, topic.name);
    let asks = Asks { reader: &reader, url: &url, since: Stopwatch::start() };
    let mut list = TopicPartitionList::new();
    numbers.iter().for_each(|number| _ = list.add_partition(&topic.name, *number));
    let all = asks.until(|left| {
        let all = reader.consumer.committed_offsets(list.clone(), left)?;
        all.elements().iter().try_for_each(|own| own.error())?;
        Ok(all)
    })?;
    Ok(told(&all, &topic.name, numbers))
}

/// What an answer says that is committed of each partition, and the text beside it.
pub(crate) fn told(
    answer: &TopicPartitionList,
    topic: &str,
    numbers: &[i32],
) -> Vec<Option<(u64, String)>> {
    let of = |number: &i32| {
        let own = answer.find_partition(topic, *number)?;
        match own.offset() {
            Offset::Offset(offset) => {
                Some((u64::try_from(offset).ok()?, own.metadata().to_owned()))
            }
            _ => None,
        }
    };
    numbers.iter().map(of).collect()
}
