//! What can go wrong with a run directory.

use retally_core::digest::{BlockError, KeyTreeError};
use retally_core::manifest::ManifestError;
use std::io;
use std::path::PathBuf;

/// A run directory that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The file system refused.
    #[error("cannot {verb} {}: {error}{}", .path.display(), advice(.error))]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A new run directory where something lies already.
    #[error(
        "{} holds something already; a run is written into a new folder: choose another, or move \
         this one away", .0.display()
    )]
    NotEmpty(PathBuf),
    /// No manifest.
    #[error(
        "{} is half-written: it has no manifest.json, which is written last; the run was \
         interrupted, so run it again", .0.display()
    )]
    HalfWritten(PathBuf),
    /// No folder, or one that has nothing to do with a run.
    #[error("{} is no run directory", .0.display())]
    NoRun(PathBuf),
    /// A manifest that is newer or broken.
    #[error("{} {error}", .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: ManifestError,
    },
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
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A column of a batch that is too long for one array.
    #[error("column `{column}` of one batch has more than 2 GiB; make the batches smaller")]
    TooLong {
        /// The column.
        column: String,
    },
    /// Text that is not UTF-8, which the core checks wherever text enters.
    #[error("column `{column}` holds text that is not UTF-8")]
    NotText {
        /// The column.
        column: String,
    },
    /// A block that does not fit together.
    #[error("the outcomes cannot be digested: {0}")]
    Block(#[from] BlockError),
    /// Keys that do not fit together.
    #[error("the keys cannot be digested: {0}")]
    Keys(#[from] KeyTreeError),
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a folder that you may write to ([output] dir)"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room or choose another folder ([output] dir), then run again"
        }
        _ => "",
    }
}
