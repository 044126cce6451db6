//! Why there is no audit.

use crate::live::LiveError;
use crate::log::LogError;
use crate::range::RangeError;
use crate::run::RunError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The replay.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The job, or what is committed.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A topic.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The job reads no topic.
    #[error(
        "an audit is of what live work made of a topic, and [source] url is `{0}`: write \
         `kafka://HOST:PORT/TOPIC`"
    )]
    NoTopic(String),
    /// The job publishes nothing.
    #[error(
        "the job publishes nothing that could be audited: name the topics in [publish] that \
         `retally run` sends to"
    )]
    NothingPublished,
    /// A topic to which nobody can have published.
    #[error(
        "there is no topic `{0}`, to which [publish] sends records, or Kafka shows it to others \
         only: correct [publish]"
    )]
    NoSuchTopic(String),
    /// A topic of views that is one of something else too.
    #[error(
        "[publish] sends views and something else to `{0}`: a topic of views keeps the last record \
         of each key, so nobody can tell what else was there; audit with a topic for each"
    )]
    Mixed(String),
    /// What is committed is not what this job computes.
    #[error(
        "partition {partition}: what is committed was computed {by}: {advice}, or name by --from \
         and --to the events whose results are to be held against this one"
    )]
    Another {
        /// Of which partition.
        partition: String,
        /// By what, in words.
        by: String,
        /// What helps.
        advice: &'static str,
    },
    /// Two replays of the same events came to different results.
    #[error(
        "the replay came to other results the second time: the reducer is not deterministic, so \
         nothing can be held against it (`retally replay --manifest` repeats a run and tells)"
    )]
    Unrepeatable,
}

impl AuditError {
    /// Whether whoever asked for the audit is to blame, so that nothing was run.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Run(error) => error.is_usage(),
            Self::Live(error) => error.is_usage(),
            Self::Log(error) => error.is_usage(),
            Self::Unrepeatable => false,
            _ => true,
        }
    }
}

impl From<RangeError> for AuditError {
    fn from(error: RangeError) -> Self {
        Self::Run(error.into())
    }
}
