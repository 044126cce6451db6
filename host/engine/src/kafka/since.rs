//! From which offset on a topic has records of a time or a later one: its brokers know it by their
//! indexes, whatever the order of the times. What they answer is the offset of a record, which may
//! be no event (one that was aborted, a deletion), but no earlier record is of such a time.

use super::reader::Reader;
use super::receipts::Asked;
use super::topic::{Asks, ends_at};
use crate::clock::Stopwatch;
use crate::log::{LogError, Partition};
use rdkafka::consumer::Consumer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use retally_core::log::Micros;

impl Asked<'_> {
    /// Of each partition the first offset with this time or a later one; its end: there is none.
    pub(super) fn written_since(&self, time: Micros) -> Result<Vec<u64>, LogError> {
        let Asked { kafka, topic, partitions, numbers } = self;
        let reader = Reader::start(kafka, topic, 1)?;
        let url = format!("kafka://{}/{}", topic.brokers, topic.name);
        let asks = Asks { reader: &reader, url: &url, since: Stopwatch::start() };
        // Kafka's times are milliseconds: one that began before is looked at too.
        let millis = time.div_euclid(1_000);
        let mut list = TopicPartitionList::new();
        for number in *numbers {
            let mut own = list.add_partition(&topic.name, *number);
            own.set_offset(Offset::Offset(millis)).map_err(LogError::new)?;
        }
        let told = asks.until(|left| {
            let all = reader.consumer.offsets_for_times(list.clone(), left)?;
            all.elements().iter().try_for_each(|own| own.error())?;
            Ok(all)
        })?;
        let of = |(number, partition): (&i32, &Partition)| {
            let end = ends_at(partition)?;
            let own = told.find_partition(&topic.name, *number);
            Ok(match own.map(|own| own.offset()) {
                Some(Offset::Offset(offset)) => u64::try_from(offset).unwrap_or(0).min(end),
                // There is none: "the end".
                Some(Offset::End) => end,
                _ => partition.first,
            })
        };
        numbers.iter().zip(*partitions).map(of).collect()
    }
}
