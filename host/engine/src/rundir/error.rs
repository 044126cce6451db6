//! What can go wrong with a run directory.

use crate::store::StoreError;
use crate::table::TableError;
use retally_core::digest::KeyTreeError;
use retally_core::manifest::ManifestError;
use std::path::PathBuf;

/// A run directory that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// A file or folder that cannot be written or read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A store that cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    /// Keys that do not fit together.
    #[error("the keys cannot be digested: {0}")]
    Keys(#[from] KeyTreeError),
}
