//! The client by which brokers are asked: what whoever runs this sets, and what only Retally may.

use super::told::Listens;
use super::url::Topic;
use crate::limits::{KAFKA_AHEAD_BYTES, LIVE_AHEAD_BYTES};
use crate::log::LogError;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::producer::{ProducerContext, ThreadedProducer};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How a Kafka is reached.
#[derive(Clone, Default)]
pub struct Kafka {
    /// Properties of librdkafka, by their names. There may be secrets among them: nothing prints
    /// their values.
    pub properties: BTreeMap<String, String>,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.properties.keys()).finish()
    }
}

/// Properties by which a log would be another one, or read otherwise.
const OWN: [(&str, &str); 9] = [
    // A log is read from its first offset or the one that is asked for; one that is gone is told.
    ("auto.offset.reset", "error"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    // What was damaged on the way is noticed.
    ("check.crcs", "true"),
    // What is fetched ahead is bounded by its bytes.
    ("queued.min.messages", "1000000"),
    ("fetch.wait.max.ms", "100"),
    ("allow.auto.create.topics", "false"),
];

/// The group of whoever reads by himself: it has a name, for the client asks for one, and no
/// members, for nobody subscribes.
const NOBODY: &str = "retally-replay";

/// Properties by which results would be published otherwise than once.
const PUBLISHES: [(&str, &str); 4] = [
    ("enable.idempotence", "true"),
    // As Java's clients do: a key lies in one partition, whoever writes it.
    ("partitioner", "murmur2_random"),
    ("queue.buffering.max.messages", "1000000"),
    // Of what is delivered its transaction tells.
    ("delivery.report.only.error", "true"),
];

/// The property that says which brokers are asked: the URL does.
const BROKERS: &str = "bootstrap.servers";

impl Kafka {
    /// A consumer that reads so many partitions at the same time, or asks where a group stands.
    pub(super) fn consumer(
        &self,
        topic: &Topic,
        (partitions, group): (usize, Option<&str>),
        listens: Listens,
    ) -> Result<BaseConsumer<Listens>, LogError> {
        let mut config = self.config(topic)?;
        config.set("group.id", group.unwrap_or(NOBODY));
        let kilobytes = KAFKA_AHEAD_BYTES / 1024 / partitions.max(1);
        config.set("queued.max.messages.kbytes", kilobytes.max(256).to_string());
        config.create_with_context(listens).map_err(|error| unusable(&error))
    }

    /// A consumer to which what is not committed counts too.
    pub(super) fn consumer_of_all(
        &self,
        topic: &Topic,
        listens: Listens,
    ) -> Result<BaseConsumer<Listens>, LogError> {
        let mut config = self.config(topic)?;
        config.set("group.id", NOBODY).set("isolation.level", "read_uncommitted");
        config.create_with_context(listens).map_err(|error| unusable(&error))
    }

    /// A member of a group of consumers.
    pub(crate) fn member<C: ConsumerContext>(
        &self,
        topic: &Topic,
        group: &str,
        context: C,
    ) -> Result<BaseConsumer<C>, LogError> {
        let mut config = self.config(topic)?;
        config.set("group.id", group);
        config.set("statistics.interval.ms", "1000");
        // How many partitions it will have, nobody knows.
        config.set("queued.max.messages.kbytes", (LIVE_AHEAD_BYTES / 1024).to_string());
        // Under the new protocol of groups the broker assigns.
        if self.properties.get("group.protocol").is_none_or(|protocol| protocol == "classic") {
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        config.create_with_context(context).map_err(|error| unusable(&error))
    }

    /// A producer of transactions under a name of its own.
    pub(crate) fn producer<C: ProducerContext + 'static>(
        &self,
        topic: &Topic,
        name: &str,
        context: C,
    ) -> Result<ThreadedProducer<C>, LogError> {
        let mut config = ClientConfig::new();
        config.set("client.id", "retally");
        config.set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS);
        for (name, value) in self.properties.iter().filter(|(name, _)| !of_consumers(name)) {
            config.set(name, value);
        }
        for (name, value) in PUBLISHES {
            config.set(name, value);
        }
        config.set(BROKERS, &topic.brokers);
        config.set("transactional.id", name);
        config.set("retry.backoff.ms", AGAIN_AFTER.as_millis().to_string());
        config.create_with_context(context).map_err(|error| unusable(&error))
    }

    fn config(&self, topic: &Topic) -> Result<ClientConfig, LogError> {
        let reads = OWN.iter().map(|(name, _)| *name);
        let publishes = PUBLISHES.iter().map(|(name, _)| *name);
        let owned =
            [BROKERS, "metadata.broker.list", "group.id", "transactional.id", "retry.backoff.ms"];
        let mut owned = reads.chain(publishes).chain(owned);
        if let Some(name) = owned.find(|name| self.properties.contains_key(*name)) {
            return Err(LogError::usage(format!(
                "[source.kafka] sets `{name}`, which is not to be set: Retally decides which \
                 events of a topic it reads, the URL which brokers it asks, and [live] group whose \
                 offsets it commits; take it out"
            )));
        }
        let mut config = ClientConfig::new();
        config.set("client.id", "retally");
        config.set("fetch.queue.backoff.ms", LOOKS_AGAIN_MS);
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set(BROKERS, &topic.brokers);
        for (name, value) in OWN {
            config.set(name, value);
        }
        Ok(config)
    }
}

/// After a request of a producer failed, so much time goes by, or a fifth more or less, before it
/// is sent once more.
pub(crate) const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// A client that has fetched as much as it may looks so often, in milliseconds, whether some of it
/// was taken, and fetches nothing meanwhile. Its own measure is a second, in which a partition that
/// is read fast stands still.
const LOOKS_AGAIN_MS: &str = "5";

/// A worker that dies leaves a transaction open for at most so long, in milliseconds, and nobody
/// takes its partitions over before that.
const TRANSACTION_TIMEOUT_MS: &str = "15000";

/// Whether a property is one of consumers: producers do not know it.
fn of_consumers(name: &str) -> bool {
    const PREFIXES: [&str; 6] =
        ["group.", "session.", "heartbeat.", "max.poll.", "fetch.", "queued."];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || ["partition.assignment.strategy", "check.crcs", "coordinator.query.interval.ms"]
            .contains(&name)
}

/// Why there is no client; a value is not repeated, for it may be a secret.
fn unusable(error: &KafkaError) -> LogError {
    match error {
        KafkaError::ClientConfig(_, why, name, _) => {
            let why = if why.contains('"') { "it does not take this value" } else { why };
            LogError::usage(format!("[source.kafka] `{name}`: {why}"))
        }
        other => LogError::usage(format!("no client of Kafka can be made: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn error(name: &str, value: &str) -> String {
        let topic = Topic::of("kafka://127.0.0.1:1/t").unwrap();
        let properties = [(name.to_owned(), value.to_owned())].into();
        let made = Kafka { properties }.consumer(&topic, (1, None), Listens(Arc::default()));
        made.map(drop).unwrap_err().to_string()
    }

    #[test]
    fn properties_that_cannot_be_are_named_and_values_are_not_repeated() {
        for (name, value, says) in [
            ("isolation.level", "read_uncommitted", "`isolation.level`, which is not to be set"),
            ("bootstrap.servers", "x:1", "the URL which brokers"),
            ("no.such.property", "SECRET", "`no.such.property`"),
            ("socket.timeout.ms", "SECRET", "`socket.timeout.ms`"),
        ] {
            let error = error(name, value);
            assert!(error.contains(says) && !error.contains("SECRET"), "{error}");
        }
    }
}
