//! Who sends transactions: a thread of its own, for the client's calls can wait for ever, and a
//! watch over it.
//!
//! Before KIP-890, which librdkafka does not have, the end of a transaction that was held up on its
//! way can end a later one. So a producer whose transaction did not certainly commit is never used
//! again, for an abort may come late too: a new one under the same name raises the epoch, which
//! settles what was under way, one way or the other, and shuts out all that comes late. Only then
//! is the worker told to look what is committed. The same holds where an end is certain and the
//! client asked for it more than once by itself, because a connection broke: its first request may
//! still be on its way. It does not tell; but it asks once more only after a while
//! ([`AGAIN_AFTER`]), so what was answered before that was asked for once.

use super::broker::{Told, Transaction};
use super::error::LiveError;
use super::group::Shared;
use crate::clock::Stopwatch;
use crate::kafka::{AGAIN_AFTER, Kafka, Topic};
use crate::limits::LIVE_STUCK;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// See the module.
pub(super) struct Sender {
    how: How,
    thread: Option<Running>,
    /// Since when a transaction is under way.
    under_way: Option<Stopwatch>,
}

/// What every thread needs.
#[derive(Clone)]
struct How {
    kafka: Kafka,
    topic: Topic,
    /// The name under which transactions are sent; nobody else has it.
    name: String,
    shared: Arc<Shared>,
}

struct Running {
    requests: SyncSender<Request>,
    ended: Receiver<Told>,
    /// Dropped when nobody waits for it any more.
    _wanted: Arc<()>,
}

struct Request {
    transaction: Transaction,
    group: ConsumerGroupMetadata,
}

/// How long one call may take before its outcome is uncertain.
const CALL: Duration = Duration::from_secs(10);

/// A call that took less was one request: the client waits for [`AGAIN_AFTER`], or a fifth less,
/// before it asks once more.
const ASKED_ONCE: Duration = Duration::from_millis(AGAIN_AFTER.as_millis() as u64 * 3 / 4);

impl Sender {
    pub(super) fn new(
        kafka: Kafka,
        topic: Topic,
        group: &str,
        shared: Arc<Shared>,
    ) -> Result<Self, LiveError> {
        // A name that another worker has would shut one of them out.
        let mut own = [0; 8];
        getrandom::fill(&mut own)
            .map_err(|error| LiveError::Internal(format!("no random bytes: {error}")))?;
        let own: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
        let how = How { kafka, topic, name: format!("retally-{group}-{own}"), shared };
        Ok(Self { how, thread: None, under_way: None })
    }

    pub(super) fn submit(&mut self, transaction: Transaction, group: ConsumerGroupMetadata) {
        self.under_way = Some(Stopwatch::start());
        let request = Request { transaction, group };
        let request = match &self.thread {
            // One at a time: there is room for it.
            Some(running) => match running.requests.try_send(request) {
                Ok(()) => return,
                Err(error) => match error {
                    std::sync::mpsc::TrySendError::Full(request)
                    | std::sync::mpsc::TrySendError::Disconnected(request) => request,
                },
            },
            None => request,
        };
        self.thread = self.start(false);
        if let Some(running) = &self.thread {
            let _ = running.requests.try_send(request);
        }
    }

    /// How the transaction that is under way ended, if it did.
    pub(super) fn ended(&mut self) -> Option<Told> {
        let under_way = self.under_way?;
        let ended = self.thread.as_ref().map(|running| running.ended.try_recv());
        match ended {
            Some(Ok(told)) => {
                self.under_way = None;
                return Some(told);
            }
            Some(Err(TryRecvError::Empty)) if under_way.elapsed() < LIVE_STUCK => return None,
            Some(Err(_)) | None => {}
        }
        // It waits for ever, or is gone: another takes its name, and shuts it out. The earlier one
        // must know before that, or it could do the same to this one, and send once more.
        self.thread = None;
        self.thread = self.start(true);
        self.under_way = Some(Stopwatch::start());
        None
    }

    /// Sends no more.
    pub(super) fn end(&mut self) {
        self.thread = None;
    }

    /// `settles`: whether there may be a transaction of an earlier thread.
    fn start(&self, settles: bool) -> Option<Running> {
        let (requests, taken) = sync_channel::<Request>(1);
        let (out, ended) = sync_channel(1);
        let (how, wanted) = (self.how.clone(), Arc::new(()));
        let waits = Arc::downgrade(&wanted);
        let work = move || {
            let goes_on = || waits.strong_count() > 0;
            let mut producer = None;
            if settles {
                producer = how.producer(&goes_on);
                let why = "the client of Kafka did not come back from it".to_owned();
                if out.send(Told::Uncertain(why)).is_err() {
                    return;
                }
                how.shared.ring();
            }
            while let Ok(request) = taken.recv() {
                let told = how.transaction(&mut producer, &request, &goes_on);
                if out.send(told).is_err() {
                    return;
                }
                how.shared.ring();
            }
        };
        let thread = std::thread::Builder::new().name("retally-sender".into()).spawn(work);
        thread.ok().map(|_| Running { requests, ended, _wanted: wanted })
    }
}

/// A producer; once it is given up, nothing counts that its client still says.
struct Producing {
    own: ThreadedProducer<Sends>,
    counts: Arc<AtomicBool>,
}

impl Drop for Producing {
    fn drop(&mut self) {
        self.counts.store(false, Ordering::SeqCst);
    }
}

impl How {
    /// A producer behind which everything of an earlier one is settled: asks until brokers answer.
    fn producer(&self, goes_on: &dyn Fn() -> bool) -> Option<Producing> {
        while goes_on() {
            let counts = Arc::new(AtomicBool::new(true));
            let sends = Sends { shared: self.shared.clone(), counts: counts.clone() };
            // The properties were taken by a consumer already.
            let Ok(own) = self.kafka.producer(&self.topic, &self.name, sends) else { return None };
            let made = Producing { own, counts };
            match made.own.init_transactions(CALL) {
                // Nobody else has taken the name yet, or it is not to be taken back.
                Ok(()) => return goes_on().then_some(made),
                // Whoever was shut out comes again; nothing else that is final heals by itself.
                Err(KafkaError::Transaction(error)) if error.is_fatal() && !is_shut_out(&error) => {
                    let why = format!("it cannot publish: {error}; correct [source.kafka]");
                    self.shared.heard.deny(why);
                    self.shared.ring();
                    return None;
                }
                Err(error) => self.shared.heard.note(&error, ""),
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        None
    }

    /// Sends a transaction. What is not certainly committed is settled before it is told.
    fn transaction(
        &self,
        producer: &mut Option<Producing>,
        request: &Request,
        goes_on: &dyn Fn() -> bool,
    ) -> Told {
        if producer.is_none() {
            *producer = self.producer(goes_on);
        }
        let Some(Producing { own, .. }) = producer else {
            std::thread::sleep(Duration::from_secs(1));
            return Told::Uncertain("there is no producer".to_owned());
        };
        let error = match self.send(own, request) {
            Ok(Asked::Once) => return Told::Committed,
            Ok(Asked::PerhapsAgain) => {
                *producer = None;
                *producer = self.producer(goes_on);
                return Told::Committed;
            }
            Err(error) => error,
        };
        if let Some(topic) = missing(own, request) {
            self.shared.heard.deny(format!(
                "there is no topic `{topic}` any more, to which [publish] sends records: make it \
                 again, or name another, and start the worker again; what was not published will be"
            ));
            self.shared.ring();
        }
        // Never again: see the module.
        *producer = None;
        *producer = self.producer(goes_on);
        // It is sent again at once, and what keeps it from being committed takes its time.
        std::thread::sleep(AGAIN_AFTER);
        Told::Uncertain(error.to_string())
    }

    fn send(
        &self,
        producer: &ThreadedProducer<Sends>,
        request: &Request,
    ) -> Result<Asked, KafkaError> {
        producer.begin_transaction()?;
        for record in request.transaction.batches.iter().flat_map(|batch| batch.iter()) {
            let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: Some(*value) });
            }
            let mut own = BaseRecord::<[u8], [u8]>::to(record.topic);
            own.key = record.key;
            own.payload = record.value;
            own.headers = (!record.headers.is_empty()).then_some(headers);
            while let Err((error, back)) = producer.send(own) {
                if error.rdkafka_error_code() != Some(Code::QueueFull) {
                    return Err(error);
                }
                own = back;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let mut list = TopicPartitionList::new();
        for (partition, offset, text) in &request.transaction.offsets {
            let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
            let mut own = list.add_partition(&self.topic.name, *partition);
            own.set_offset(offset)?;
            own.set_metadata(text);
        }
        // What the client still has to send would count as time that it waits for an answer.
        producer.flush(CALL)?;
        let asks = Stopwatch::start();
        producer.send_offsets_to_transaction(&list, &request.group, CALL)?;
        let of_offsets = asks.elapsed();
        producer.commit_transaction(CALL)?;
        let of_end = asks.elapsed() - of_offsets;
        Ok(if of_offsets.max(of_end) < ASKED_ONCE { Asked::Once } else { Asked::PerhapsAgain })
    }
}

/// Whether somebody else took a producer's name.
fn is_shut_out(error: &RDKafkaError) -> bool {
    matches!(error.code(), Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}

/// A topic of a request that is gone.
fn missing(producer: &ThreadedProducer<Sends>, request: &Request) -> Option<String> {
    /// A broker that has just started may not know all topics yet.
    const LOOKS: u32 = 5;
    let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    let is_missing = |topic: &str| {
        let all = producer.client().fetch_metadata(Some(topic), Duration::from_secs(2));
        let is_unknown = |own: &MetadataTopic| own.name() == topic && own.error() == Some(unknown);
        all.is_ok_and(|all| all.topics().iter().any(is_unknown))
    };
    let is_gone = |topic: &&str| {
        (0..LOOKS).all(|look| {
            std::thread::sleep(Duration::from_millis(200) * look);
            is_missing(topic)
        })
    };
    let records = request.transaction.batches.iter().flat_map(|batch| batch.iter());
    let topics: BTreeSet<&str> = records.map(|record| record.topic).collect();
    topics.into_iter().find(is_gone).map(str::to_owned)
}

/// How often the client asked for the end of a transaction, as far as can be told.
enum Asked {
    Once,
    PerhapsAgain,
}

/// What the client of a producer calls.
struct Sends {
    shared: Arc<Shared>,
    /// Whether the producer is still in use.
    counts: Arc<AtomicBool>,
}

impl ClientContext for Sends {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        // A producer that is of no more use (somebody shut it out) is replaced, which settles what
        // it left: that ends no worker.
        let is_over = error.rdkafka_error_code() == Some(Code::Fatal);
        if !is_over && self.counts.load(Ordering::SeqCst) {
            self.shared.heard.note(&error, reason);
        }
    }
}

impl ProducerContext for Sends {
    type DeliveryOpaque = ();

    // What is not delivered keeps its transaction from being committed.
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_producer_says_that_is_of_no_more_use_ends_no_worker() {
        let (shared, counts) = (Arc::<Shared>::default(), Arc::new(AtomicBool::new(true)));
        let sends = Sends { shared: shared.clone(), counts: counts.clone() };
        let says = |code: Code| {
            sends.error(KafkaError::Global(code), "said");
            shared.heard.denied()
        };
        assert_eq!(says(Code::Fatal), None);
        counts.store(false, Ordering::SeqCst);
        assert_eq!(says(Code::TopicAuthorizationFailed), None);
        counts.store(true, Ordering::SeqCst);
        assert!(says(Code::TopicAuthorizationFailed).is_some());
    }
}
