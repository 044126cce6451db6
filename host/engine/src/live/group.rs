//! Kafka as the broker of a worker: a member of a group of consumers, which gives and takes
//! partitions, and beside it whoever sends transactions.
//!
//! What the group decides is answered when the worker is ready, not inside of the client's
//! callback: a partition is only given up once all of it is committed.

use super::broker::{Broker, Committed, Taken, Told, Transaction};
use super::error::LiveError;
use super::sender::Sender;
use super::setup::group_of;
use crate::cancel::Cancel;
use crate::clock::Stopwatch;
use crate::job::Resolved;
use crate::kafka::{
    AGAIN_AFTER, Gathered, Kafka, Next, Queue, Reads, Told as Heard, Topic, is_member,
    told_committed, until,
};
use crate::limits::{KAFKA_OPENED_WITHIN, LIVE_AWAY, LIVE_WAIT};
use crate::log::LogError;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Message as _, Statistics};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// See the module.
pub(super) struct Group {
    /// Before the consumer whose queues they are.
    queues: BTreeMap<i32, Queue<Member>>,
    consumer: Arc<BaseConsumer<Member>>,
    /// What is read of records.
    reads: Reads,
    /// Of each partition what was read and not taken.
    ready: BTreeMap<i32, VecDeque<Taken>>,
    shared: Arc<Shared>,
    sender: Sender,
    /// Since when a transaction waits that was not sent at all.
    unsent: Option<Stopwatch>,
    topic: Topic,
    url: String,
    /// Asks the worker to finish: then nothing is waited for that was not begun.
    cancel: Cancel,
}

/// What callbacks leave for the worker.
#[derive(Default)]
pub(super) struct Shared {
    decided: Mutex<Vec<Told>>,
    ends: Mutex<BTreeMap<i32, u64>>,
    pub(super) heard: Heard,
    is_leaving: AtomicBool,
    bell: (Mutex<bool>, Condvar),
}

/// Nothing panics while one of these is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Something happened.
    pub(super) fn ring(&self) {
        *lock(&self.bell.0) = true;
        self.bell.1.notify_one();
    }

    fn wait(&self, wait: Duration) {
        let rung = lock(&self.bell.0);
        let waited = self.bell.1.wait_timeout_while(rung, wait, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

/// What the client calls.
pub(super) struct Member(Arc<Shared>);

impl ClientContext for Member {
    // Libraries print nothing; what matters comes as an error.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.heard.note(&error, reason);
    }

    fn stats(&self, stats: Statistics) {
        if stats.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP") {
            self.0.heard.heard();
        }
        let mut ends = lock(&self.0.ends);
        for partition in stats.topics.values().flat_map(|topic| topic.partitions.values()) {
            if let (Ok(end), true) = (u64::try_from(partition.ls_offset), partition.desired) {
                ends.insert(partition.partition, end);
            }
        }
    }
}

impl ConsumerContext for Member {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        if self.0.is_leaving.load(Ordering::SeqCst) {
            // Everything was given up already; the client waits for an answer all the same.
            let _ = consumer.unassign();
            return;
        }
        let partitions = list.elements().iter().map(|own| own.partition()).collect();
        let told = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Told::Given(partitions),
            _ if consumer.assignment_lost() => Told::Lost(partitions),
            _ => Told::Asked(partitions),
        };
        lock(&self.0.decided).push(told);
    }
}

impl Group {
    /// Joins the job's group over the topic at `url`.
    pub(super) fn join(
        job: &Resolved,
        url: &str,
        (kafka, reads): (&Kafka, Reads),
        cancel: &Cancel,
    ) -> Result<Self, LiveError> {
        let (url, shared) = (url.to_owned(), Arc::<Shared>::default());
        let topic = Topic::of(&url)?;
        let group = group_of(job);
        let consumer = kafka.member(&topic, group, Member(shared.clone()))?;
        let consumer = Arc::new(consumer);
        let sender = Sender::new(kafka.clone(), topic.clone(), group, shared.clone())?;
        let (queues, ready, cancel) = (BTreeMap::new(), BTreeMap::new(), cancel.clone());
        let unsent = None;
        Ok(Self { queues, consumer, reads, ready, shared, sender, unsent, topic, url, cancel })
    }

    /// Refuses topics that are not there: a broker that made them by itself would make them with
    /// properties that nobody chose.
    pub(super) fn publishes_to(&self, topics: &[Arc<str>]) -> Result<(), LiveError> {
        for topic in topics {
            if self.partitions_of(topic, KAFKA_OPENED_WITHIN)?.is_none() {
                return Err(LiveError::Job(format!(
                    "there is no topic `{topic}`, to which [publish] sends records: make it (one \
                     of views with cleanup.policy=compact), or name another"
                )));
            }
        }
        Ok(())
    }

    /// How many partitions a topic has; none: there is no such topic.
    fn partitions_of(&self, topic: &str, within: Duration) -> Result<Option<u32>, LiveError> {
        self.until(within, |left| {
            let all = self.consumer.fetch_metadata(Some(topic), left)?;
            let own = all.topics().iter().find(|own| own.name() == topic);
            Ok(own.filter(|own| own.error().is_none()).map(|own| own.partitions().len() as u32))
        })
    }

    /// Asks until there is an answer, or the time for it is over, or the worker is to finish.
    fn until<T>(
        &self,
        within: Duration,
        ask: impl Fn(Duration) -> Result<T, KafkaError>,
    ) -> Result<T, LiveError> {
        let (since, mut patience) = (Stopwatch::start(), Duration::from_millis(500));
        loop {
            let error = match ask(patience) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // What was refused is told only to whoever asks for it, among other things.
            while self.consumer.poll(LIVE_WAIT).is_some_and(|told| told.is_err()) {}
            self.denied()?;
            if since.elapsed() >= within || self.cancel.is_cancelled() {
                return Err(LiveError::Broker(LogError::new(format!(
                    "`{}`: Kafka does not answer ({error}): look whether its brokers run and are \
                     reachable from here",
                    self.url
                ))));
            }
            patience = (patience * 2).min(Duration::from_secs(5));
        }
    }

    fn denied(&self) -> Result<(), LiveError> {
        let denied = self.shared.heard.denied();
        denied.map_or(Ok(()), |why| {
            Err(LiveError::Broker(LogError::usage(format!("`{}`: {why}", self.url))))
        })
    }

    fn list(&self, partitions: impl IntoIterator<Item = (i32, Offset)>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            // An offset that comes from an unsigned number is one.
            let _ = list.add_partition_offset(&self.topic.name, partition, offset);
        }
        list
    }

    /// Begins to read partitions, each from a queue of its own.
    fn assign(&mut self, begins: &[(i32, u64)]) -> Result<(), LiveError> {
        for &(partition, _) in begins {
            let shared = self.shared.clone();
            let wake = move || shared.ring();
            let queue = Queue::split(&self.consumer, &self.topic.name, partition, wake);
            let queue = queue.ok_or_else(|| LogError::new("the client of Kafka has no queue"))?;
            self.queues.insert(partition, queue);
        }
        let at = |offset: u64| Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX));
        let list = self.list(begins.iter().map(|&(partition, offset)| (partition, at(offset))));
        self.consumer.incremental_assign(&list).map_err(failed)
    }

    fn unassign(&mut self, partitions: &[i32]) -> Result<(), LiveError> {
        // A partition that stopped before it began is not read.
        let read = partitions.iter().filter(|own| self.queues.contains_key(own));
        let list = self.list(read.map(|&own| (own, Offset::Invalid)));
        for partition in partitions {
            self.queues.remove(partition);
            self.ready.remove(partition);
        }
        self.consumer.incremental_unassign(&list).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> LiveError {
    LiveError::Broker(LogError::new(format!("the client of Kafka: {error}")))
}

impl Broker for Group {
    fn partitions(&mut self) -> Result<u32, LiveError> {
        let partitions = self.partitions_of(&self.topic.name, LIVE_AWAY)?;
        let partitions = partitions.ok_or_else(|| {
            LogError::usage(format!(
                "`{}`: Kafka has no such topic, or shows it to others only; correct [source] url",
                self.url
            ))
        })?;
        self.consumer.subscribe(&[&self.topic.name]).map_err(failed)?;
        Ok(partitions)
    }

    fn poll(&mut self, wait: Duration) -> Result<Vec<Told>, LiveError> {
        let mut told = Vec::new();
        for wait in [wait, Duration::ZERO] {
            match self.consumer.poll(Duration::ZERO) {
                None | Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => self.shared.heard.note(&error, ""),
                Some(Ok(record)) => {
                    let (partition, offset) = (record.partition(), record.offset());
                    return Err(LiveError::Internal(format!(
                        "the record at {partition}:{offset} came where nobody takes it"
                    )));
                }
            }
            told.append(&mut lock(&self.shared.decided));
            told.extend(self.sender.ended());
            if self.unsent.take_if(|since| since.elapsed() > AGAIN_AFTER).is_some() {
                let why = "this worker is no member of its group at the moment";
                told.push(Told::Uncertain(why.to_owned()));
            }
            if !told.is_empty() || wait.is_zero() {
                break;
            }
            self.shared.wait(wait);
        }
        self.denied()?;
        if let Some(why) = self.shared.heard.away(LIVE_AWAY) {
            told.push(Told::Away(why));
        }
        Ok(told)
    }

    fn own(&mut self, partitions: &[(i32, Option<u64>)]) -> Result<(), LiveError> {
        let begins = partitions.iter().filter_map(|&(own, from)| Some((own, from?)));
        self.assign(&begins.collect::<Vec<_>>())
    }

    fn seek(&mut self, partition: i32, from: u64) -> Result<(), LiveError> {
        self.unassign(&[partition])?;
        self.assign(&[(partition, from)])
    }

    fn take(&mut self, partition: i32) -> Result<Option<Taken>, LiveError> {
        // Behind a record that was not waited for nothing may be taken.
        if self.cancel.is_cancelled() {
            return Ok(None);
        }
        let Some(queue) = self.queues.get(&partition) else { return Ok(None) };
        let ready = self.ready.entry(partition).or_default();
        if let Some(taken) = ready.pop_front() {
            return Ok(Some(taken));
        }
        let mut slab = Gathered::new(&self.reads);
        let (mut end, mut failed) = (None, None);
        queue.serve(Duration::ZERO, |next| {
            match next {
                Next::Record(record) => slab.take(&record),
                Next::End(at) => end = Some(at),
                Next::Failed(error) => failed = Some(error),
            }
            until(slab.is_full() || end.is_some() || failed.is_some())
        });
        if let Some(error) = failed {
            return Err(unreadable(&error));
        }
        let mut pieces = VecDeque::new();
        match slab.pieces(&self.reads, (&self.topic.name, partition), &mut pieces) {
            Err(_) if self.cancel.is_cancelled() => return Ok(None),
            gathered => gathered?,
        }
        if !pieces.is_empty() {
            self.shared.heard.heard();
        }
        ready.extend(pieces.into_iter().map(Taken::Records).chain(end.map(Taken::End)));
        Ok(ready.pop_front())
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), LiveError> {
        self.unassign(partitions)
    }

    fn committed(&mut self, partitions: &[i32]) -> Result<Option<Committed>, LiveError> {
        let asked = self.list(partitions.iter().map(|&own| (own, Offset::Invalid)));
        // While a transaction over it is open, nobody can tell: its worker may have died.
        let since = Stopwatch::start();
        loop {
            // Whoever is asked to finish does not wait for long; a slow broker has its time later.
            let patience = if since.elapsed() < LIVE_OPEN { 1 } else { 5 };
            let patience = Duration::from_secs(patience);
            let why = match self.consumer.committed_offsets(asked.clone(), patience) {
                Ok(answer) if answer.elements().iter().all(|own| own.error().is_ok()) => {
                    return Ok(Some(told_committed(&answer, &self.topic.name, partitions)));
                }
                Ok(_) => {
                    std::thread::sleep(Duration::from_millis(100));
                    "what is committed cannot be told for minutes".to_owned()
                }
                Err(error) => {
                    self.denied()?;
                    error.to_string()
                }
            };
            if self.cancel.is_cancelled() {
                return Ok(None);
            }
            if since.elapsed() > LIVE_UNSETTLED {
                return Err(failed(why));
            }
        }
    }

    fn ends(&mut self, partition: i32) -> Result<Option<Range<u64>>, LiveError> {
        let topic = &self.topic.name;
        let ask = |left| self.consumer.fetch_watermarks(topic, partition, left);
        let ends = match self.until(LIVE_UNSETTLED, ask) {
            Err(_) if self.cancel.is_cancelled() => return Ok(None),
            ends => ends?,
        };
        let offset = |offset: i64| u64::try_from(offset).unwrap_or(0);
        Ok(Some(offset(ends.0)..offset(ends.1)))
    }

    fn end(&mut self, partition: i32) -> Option<u64> {
        lock(&self.shared.ends).get(&partition).copied()
    }

    fn submit(&mut self, transaction: Transaction) {
        // As of now: a member that missed a generation may not commit.
        match self.consumer.group_metadata().filter(|_| is_member(&self.consumer)) {
            Some(group) => self.sender.submit(transaction, group),
            None => self.unsent = Some(Stopwatch::start()),
        }
    }

    fn leave(&mut self) {
        self.shared.is_leaving.store(true, Ordering::SeqCst);
        self.queues.clear();
        self.sender.end();
        self.consumer.unsubscribe();
    }
}

/// A worker that died leaves its transaction open for about so long.
const LIVE_OPEN: Duration = Duration::from_secs(30);

/// A transaction that nobody ended is aborted by its broker long before that.
const LIVE_UNSETTLED: Duration = Duration::from_secs(180);

/// Why nothing more can be read of a partition.
fn unreadable(error: &KafkaError) -> LiveError {
    LiveError::Broker(LogError::new(match error.rdkafka_error_code() {
        Some(Code::OffsetOutOfRange | Code::AutoOffsetReset) => {
            "the records that come next are gone: the topic keeps them for too short a time, or \
             was made anew; `retally replay` of the topic tells what is left of it"
                .to_owned()
        }
        Some(Code::UnknownPartition | Code::UnknownTopic | Code::UnknownTopicOrPartition) => {
            "the topic is gone, or this partition of it".to_owned()
        }
        _ => format!("it cannot be read: {error}"),
    }))
}

impl Drop for Group {
    fn drop(&mut self) {
        self.leave();
    }
}
