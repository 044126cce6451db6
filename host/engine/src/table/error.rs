//! What can go wrong with a table's file.

use crate::store::{StoreError, advice};
use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use std::io;
use std::path::{Path, PathBuf};

/// A table that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file system refused.
    #[error("cannot {verb} {}: {error}{}", .path.display(), advice(.verb, .error))]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(StoreError),
    /// A table that Parquet cannot write or read.
    #[error("cannot {verb} {}: {message}", .path.display())]
    Parquet {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What Parquet said.
        message: String,
    },
    /// A table with other columns than it should have, or values that cannot be.
    #[error("{} is not as it was written: {what}", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A column of a batch that is too long for one array.
    #[error("column `{0}` of one batch has more than 2 GiB; make the batches smaller")]
    TooLong(String),
    /// Text that is not UTF-8, which the core checks wherever text enters.
    #[error("column `{0}` holds text that is not UTF-8")]
    NotText(String),
}

impl TableError {
    /// What Parquet says; what the file system said is unwrapped.
    pub(crate) fn of(verb: &'static str, path: &Path, error: ParquetError) -> Self {
        let path = path.to_path_buf();
        let outer = match error {
            ParquetError::External(outer) => outer,
            other => return Self::Parquet { verb, path, message: other.to_string() },
        };
        let outer = match outer.downcast::<StoreError>() {
            Ok(error) => return Self::Store(*error),
            Err(other) => other,
        };
        match outer.downcast::<io::Error>() {
            Ok(error) => match error.downcast::<StoreError>() {
                Ok(error) => Self::Store(error),
                Err(error) => Self::Io { verb, path, error },
            },
            Err(other) => match other.downcast::<ArrowError>().map(|arrow| *arrow) {
                Ok(ArrowError::IoError(_, error)) => Self::Io { verb, path, error },
                Ok(other) => Self::Parquet { verb, path, message: other.to_string() },
                Err(other) => Self::Parquet { verb, path, message: other.to_string() },
            },
        }
    }
}
