//! The client by which brokers are asked: what whoever runs this sets, and what only Retally may.

use super::told::Listens;
use super::url::Topic;
use crate::limits::KAFKA_AHEAD_BYTES;
use crate::log::LogError;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use std::collections::BTreeMap;
use std::fmt;

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
const OWN: [(&str, &str); 10] = [
    // A log is read from its first offset or the one that is asked for; one that is gone is told.
    ("auto.offset.reset", "error"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    // The group has a name, for the client asks for one, and no members: nobody subscribes.
    (GROUP, "retally-replay"),
    ("isolation.level", "read_committed"),
    // What was damaged on the way is noticed.
    ("check.crcs", "true"),
    // What is fetched ahead is bounded by its bytes.
    ("queued.min.messages", "1000000"),
    ("fetch.wait.max.ms", "100"),
    ("allow.auto.create.topics", "false"),
];

/// The property that says as which group brokers are asked.
const GROUP: &str = "group.id";

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
        let owned = OWN.iter().map(|(name, _)| *name).chain([BROKERS, "metadata.broker.list"]);
        if let Some(name) = owned.into_iter().find(|name| self.properties.contains_key(*name)) {
            return Err(LogError::usage(format!(
                "[source.kafka] sets `{name}`, which is not to be set: Retally decides which \
                 events of a topic it reads, and the URL which brokers it asks; take it out"
            )));
        }
        let mut config = ClientConfig::new();
        config.set("client.id", "retally");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set(BROKERS, &topic.brokers);
        for (name, value) in OWN {
            config.set(name, value);
        }
        if let Some(group) = group {
            config.set(GROUP, group);
        }
        let kilobytes = KAFKA_AHEAD_BYTES / 1024 / partitions.max(1);
        config.set("queued.max.messages.kbytes", kilobytes.max(256).to_string());
        config.create_with_context(listens).map_err(|error| unusable(&error))
    }
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
