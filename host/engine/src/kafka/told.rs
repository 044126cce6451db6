//! What a client tells of its brokers: whether they are there, and whether they let it in.

use crate::clock::Stopwatch;
use crate::limits::KAFKA_SILENCE;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// What is known of the brokers, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Told {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was said last of what goes wrong.
    last: Option<String>,
    /// Since when no broker answers.
    down: Option<Stopwatch>,
    /// Why there is no use in waiting.
    broken: Option<String>,
    /// Who waits, by partition.
    waiting: BTreeMap<i32, Waker>,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what went wrong. A client goes on by itself after most of it.
    pub(crate) fn note(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let mut state = self.lock();
        let said = match (reason, code) {
            ("", Some(Code::AllBrokersDown)) => "all broker connections are down".to_owned(),
            ("", Some(code)) => code.to_string(),
            ("", None) => error.to_string(),
            (reason, _) => reason.to_owned(),
        };
        state.last = Some(said.clone());
        match code {
            Some(
                Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::Resolve
                | Code::OperationTimedOut,
            ) => _ = state.down.get_or_insert_with(Stopwatch::start),
            Some(code) => state.broken = state.broken.take().or(denied(code, &said)),
            None => {}
        }
        drop(state);
        self.wake_if_broken();
    }

    /// There is no use in waiting any more.
    pub(crate) fn deny(&self, why: String) {
        self.lock().broken.get_or_insert(why);
    }

    /// A broker answered.
    pub(crate) fn heard(&self) {
        let mut state = self.lock();
        if state.down.take().is_some() {
            state.last = None;
        }
    }

    /// Why there is no use in waiting any more; none: there is.
    pub(super) fn broken(&self) -> Option<String> {
        let gone = |said| {
            format!(
                "no broker answered for {} seconds ({said}): look whether they run and are \
                 reachable from here, then run again",
                KAFKA_SILENCE.as_secs()
            )
        };
        self.denied().or_else(|| self.away(KAFKA_SILENCE).map(gone))
    }

    /// Why brokers let nobody in; none: they do.
    pub(crate) fn denied(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// What was said last where no broker answered for so long; none: one did.
    pub(crate) fn away(&self, long: Duration) -> Option<String> {
        let state = self.lock();
        let is_gone = state.down.is_some_and(|since| since.elapsed() > long);
        is_gone.then(|| state.last.clone().unwrap_or_else(|| "they say nothing".to_owned()))
    }

    /// Wakes all who wait, if there is no use in it.
    pub(super) fn wake_if_broken(&self) {
        if self.broken().is_some() {
            let waiting = std::mem::take(&mut self.lock().waiting);
            waiting.into_values().for_each(Waker::wake);
        }
    }

    /// Somebody waits for records of a partition.
    pub(super) fn wait(&self, partition: i32, waker: Waker) {
        self.lock().waiting.insert(partition, waker);
    }

    /// There may be records of a partition.
    pub(super) fn wake(&self, partition: i32) {
        let waker = self.lock().waiting.remove(&partition);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What was said last, for whoever waited in vain.
    pub(super) fn last(&self) -> Option<String> {
        let state = self.lock();
        state.broken.clone().or_else(|| state.last.clone())
    }
}

/// What no waiting helps against, and what to do about it.
fn denied(code: Code, said: &str) -> Option<String> {
    let advice = match code {
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            "look whether these are the credentials of this Kafka ([source.kafka] sasl.*)"
        }
        Code::SSL => {
            "look whether it speaks TLS, and whom it is to be trusted by ([source.kafka] \
             security.protocol, ssl.*)"
        }
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => {
            "ask for the right to read the topic (for live work also to be of the group, to write \
             to [publish], and to transactions whose names begin with `retally-`), or use other \
             credentials"
        }
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            "the topic is gone, or a partition of it"
        }
        Code::Fatal => "run again",
        _ => return None,
    };
    Some(format!("{said}; {advice}"))
}

/// Hands on to [`Told`] what a client tells.
#[derive(Clone)]
pub(super) struct Listens(pub(super) Arc<Told>);

impl ClientContext for Listens {
    // Libraries print nothing; what matters comes as an error.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.note(&error, reason);
    }
}

impl ConsumerContext for Listens {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_helps_against_is_waited_for_and_the_rest_is_told_at_once() {
        let told = Told::default();
        told.note(&KafkaError::Global(Code::AllBrokersDown), "1/1 brokers are down");
        assert_eq!((told.broken(), told.last().as_deref()), (None, Some("1/1 brokers are down")));
        told.heard();
        assert_eq!(told.last(), None);
        told.note(&KafkaError::Global(Code::SaslAuthenticationFailed), "bad user");
        assert!(told.broken().unwrap().contains("bad user; look whether these are"));
    }
}
