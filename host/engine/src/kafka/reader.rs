//! A consumer that reads many partitions at the same time, each from a queue of its own, and who
//! watches over it: a client tells what goes wrong only to somebody who asks it.

use super::client::Kafka;
use super::records::Queue;
use super::told::{Listens, Told};
use super::url::Topic;
use crate::log::LogError;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the client is asked what it has to tell.
const WATCH: Duration = Duration::from_millis(100);

/// A consumer, and which partitions it reads now.
pub(super) struct Reader {
    pub(super) consumer: Arc<BaseConsumer<Listens>>,
    pub(super) told: Arc<Told>,
    topic: String,
    reads: Mutex<BTreeSet<i32>>,
    stops: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
}

impl Reader {
    /// Begins to read nothing.
    pub(super) fn start(
        kafka: &Kafka,
        topic: &Topic,
        partitions: usize,
    ) -> Result<Arc<Self>, LogError> {
        Self::begin(topic, |listens| kafka.consumer(topic, (partitions, None), listens))
    }

    /// Begins to read nothing, and may ask where a group stands.
    pub(super) fn of_group(
        kafka: &Kafka,
        topic: &Topic,
        group: &str,
    ) -> Result<Arc<Self>, LogError> {
        Self::begin(topic, |listens| kafka.consumer(topic, (1, Some(group)), listens))
    }

    /// Begins to read nothing, and may ask where partitions end with what is not committed.
    pub(super) fn of_all(kafka: &Kafka, topic: &Topic) -> Result<Arc<Self>, LogError> {
        Self::begin(topic, |listens| kafka.consumer_of_all(topic, listens))
    }

    fn begin(
        topic: &Topic,
        consumer: impl FnOnce(Listens) -> Result<BaseConsumer<Listens>, LogError>,
    ) -> Result<Arc<Self>, LogError> {
        let told = Arc::<Told>::default();
        let consumer = Arc::new(consumer(Listens(told.clone()))?);
        let stops = Arc::<AtomicBool>::default();
        let watch = {
            let (consumer, told, stops) = (consumer.clone(), told.clone(), stops.clone());
            let watch = move || {
                while !stops.load(Ordering::Relaxed) {
                    if let Some(Err(error)) = consumer.poll(WATCH) {
                        told.note(&error, "");
                    }
                    told.wake_if_broken();
                }
            };
            std::thread::Builder::new().name("retally-kafka".into()).spawn(watch)
        };
        let watch = Some(watch.map_err(LogError::new)?);
        let (topic, reads) = (topic.name.clone(), Mutex::default());
        Ok(Arc::new(Self { consumer, told, topic, reads, stops, watch }))
    }

    /// The topic's name.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Begins to read a partition from an offset; none: it reads that partition already.
    pub(super) fn read(
        self: &Arc<Self>,
        partition: i32,
        from: u64,
    ) -> Result<Option<Queue<Listens>>, LogError> {
        if !self.reads().insert(partition) {
            return Ok(None);
        }
        let told = self.told.clone();
        let wake = move || told.wake(partition);
        let queue = Queue::split(&self.consumer, &self.topic, partition, wake);
        let queue = queue.ok_or_else(|| LogError::new("the client of Kafka has no queue"))?;
        let mut list = TopicPartitionList::new();
        let offset = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
        let begun = list.add_partition_offset(&self.topic, partition, offset);
        begun.and_then(|()| self.consumer.incremental_assign(&list)).map_err(LogError::new)?;
        Ok(Some(queue))
    }

    /// Reads a partition no longer.
    pub(super) fn end(&self, partition: i32) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        // A client that is broken reads it no longer either.
        let _ = self.consumer.incremental_unassign(&list);
        self.reads().remove(&partition);
    }

    fn reads(&self) -> std::sync::MutexGuard<'_, BTreeSet<i32>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
    }
}
