//! What is said of a log of objects that could not be found or read: the file, the place in it and
//! the next step.

use crate::log::LogError;
use crate::store::StoreError;
use crate::threads::ThreadError;

/// What a store says, in the words of a log.
impl From<StoreError> for LogError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadUrl { url, why } => bad_url(&url, &why),
            other if other.is_usage() => Self::usage(other),
            other => Self::new(other),
        }
    }
}

impl From<ThreadError> for LogError {
    fn from(error: ThreadError) -> Self {
        Self::new(error)
    }
}

/// A URL that cannot mean a log.
pub(super) fn bad_url(url: &str, why: &str) -> LogError {
    LogError::usage(format!("`{url}` cannot be read as a URL of a log: {why}"))
}

/// Content that is not what the name or the job says.
pub(super) fn wrong_format(path: &str, found: &str, hint: &str) -> LogError {
    LogError::new(format!("`{path}` {found}; {hint}"))
}

/// A Parquet or Avro object whose parts cannot be read.
pub(super) fn unreadable(path: &str, place: &str, problem: &str) -> LogError {
    LogError::new(format!("`{path}`: {place}: {problem}; fetch or write the file again"))
}
