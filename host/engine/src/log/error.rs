//! Why a log cannot be had or read: the log's own error, whatever it is, and whose fault it is.

use std::error::Error;

/// Why a log cannot be had or read. What it says is the log's own error.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct LogError {
    is_usage: bool,
    error: Box<dyn Error + Send + Sync>,
}

impl LogError {
    /// A log that failed while it was read.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { is_usage: false, error: error.into() }
    }

    /// A job that names something that is not there or cannot be meant.
    pub fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { is_usage: true, error: error.into() }
    }

    /// Whether the job is to blame (bad usage), as opposed to a log that failed while it was read.
    pub fn is_usage(&self) -> bool {
        self.is_usage
    }
}
