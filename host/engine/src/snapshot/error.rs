//! What can be wrong with a snapshot: always which file, and what to do.

use super::SnapshotRef;
use crate::store::StoreError;
use crate::table::TableError;
use retally_core::manifest::Difference;

/// A snapshot that cannot be saved or used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store cannot be found, read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The place of the snapshots, or one above it, is a file.
    #[error("{0} is a file, and snapshots lie in a folder; name another place for them")]
    NoFolder(String),
    /// No complete snapshot.
    #[error("there is no complete snapshot in {0}; a run with --snapshot saves one")]
    None(String),
    /// A file that its manifest names is not there.
    #[error(
        "{0} is missing, though a complete snapshot needs it; use another snapshot, or begin at \
         the start of the log and save into another folder"
    )]
    Missing(String),
    /// A file is not what was written.
    #[error(
        "{0} was changed since it was written; use another snapshot, or begin at the start of the \
         log and save into another folder"
    )]
    Changed(String),
    /// A later version wrote it.
    #[error(
        "{file} has snapshot format {found}, and this version of retally reads formats up to \
         {known}; use the version that wrote it or a later one"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
        /// The latest format that can be read.
        known: u32,
    },
    /// A file is as it was written, and still makes no sense.
    #[error("{file} is broken: {why}")]
    Broken {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// The snapshot is of another reducer, or of a job that would have decided otherwise.
    #[error(
        "snapshot {name} cannot be gone on from: its {} is {}, this run's is {}; replay from the \
         start, or name another snapshot",
        .difference.what, .difference.held, .difference.needed
    )]
    Differs {
        /// The snapshot.
        name: String,
        /// In what it differs.
        difference: Difference,
    },
    /// What the fold handed over does not fit together: a fault of this program.
    #[error("the fold's memory does not fit together: {0}")]
    Rows(&'static str),
    /// A table could not be written.
    #[error(transparent)]
    Table(TableError),
    /// What is to be saved could not be read, or kept until it is.
    #[error(transparent)]
    Run(Box<dyn std::error::Error + Send + Sync>),
}

/// What is wrong with a file that has the hash that it should have is wrong with the snapshot.
impl From<TableError> for SnapshotError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Changed { path, what: why } => {
                Self::Broken { file: path.display().to_string(), why }
            }
            TableError::Parquet { verb: "read", path, message: why } => {
                Self::Broken { file: path.display().to_string(), why }
            }
            other => Self::Table(other),
        }
    }
}

impl SnapshotError {
    pub(super) fn differs(reference: &SnapshotRef, difference: Difference) -> Self {
        Self::Differs { name: reference.name.clone(), difference }
    }

    pub(super) fn broken(file: &str, why: impl ToString) -> Self {
        Self::Broken { file: file.to_owned(), why: why.to_string() }
    }
}
