//! Why a worker, or one of its partitions, cannot go on.

use crate::log::LogError;
use crate::run::RunError;
use crate::snapshot::SnapshotError;
use retally_core::digest::HistoryError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The job, its reducer or its ledger.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A job that cannot be run live.
    #[error("{0}")]
    Job(String),
    /// The topic, or its brokers.
    #[error("{0}")]
    Broker(#[source] LogError),
    /// A snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// What its partitions hold does not fit.
    #[error("{0}")]
    Memory(String),
    /// A fault of Retally.
    #[error("{0}: this is a fault of Retally; please report it")]
    Internal(String),
}

impl LiveError {
    /// Whether whoever started the worker is to blame, so that nothing was run.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Run(error) => error.is_usage(),
            Self::Job(_) => true,
            Self::Broker(error) => error.is_usage(),
            Self::Snapshot(_) | Self::Memory(_) | Self::Internal(_) => false,
        }
    }
}

impl From<LogError> for LiveError {
    fn from(error: LogError) -> Self {
        Self::Broker(error)
    }
}

impl From<HistoryError> for LiveError {
    fn from(error: HistoryError) -> Self {
        Self::Run(error.into())
    }
}
