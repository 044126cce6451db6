//! Run directories: what a run leaves behind, readable by any tool, complete or not at all.
//!
//! ```text
//! manifest.json             what ran, on what, with what result; written last
//! view.parquet              key, then the view's fields; by key
//! states.parquet            key, state, applied, time of the last applied event; by key
//! violations.parquet        key, code, detail; by key
//! emits/KIND/00000.parquet  partition, offset, seq, time, key, event_id, the fields; in log order
//! refused.parquet           partition, offset, what, code, detail, key, bytes; in log order
//! outcomes.parquet          partition, offset, events, what, code: of one outcome; in log order
//! where.parquet             key, first and last position of its events, how many; by key
//! leaves.parquet            tree, first_row, rows, keys, hash: the leaves of the trees over keys
//! history.parquet           partition, events, edge, open: only after a snapshot
//! audit.jsonl               what varies from run to run
//! manifest.json.sig         a signature over the manifest, if somebody made one
//! ```
//!
//! `RunWriter` writes one, [`RunReader`] reads one, [`check()`] recomputes every digest from the
//! files alone. How the digests follow from the files stands in docs/digest.md.

mod check;
mod file;
mod fresh;
pub(crate) mod keys;
pub(crate) mod log;
mod meter;
mod reader;
mod recompute;
mod rows;
#[cfg(test)]
pub(crate) mod sample;
mod select;
mod shape;
mod sums;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub(crate) use check::log_finding;
pub use check::{CheckReport, Checked, Vouched, check};
pub(crate) use fresh::fresh_name;
pub use keys::Results;
pub use reader::{Keys, Named, Part, Rows, RunReader};
pub(crate) use recompute::violations;
pub(crate) use rows::{RowMaker, state_rows};
pub(crate) use shape::BEFORE_EMITS;
pub use shape::{SIGNATURE, Table};
pub(crate) use writer::{RunWriter, complete};

use crate::store::StoreError;
use crate::table::TableError;
use crate::threads::ThreadError;
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
        "{} holds `{name}` already; a run is written into a new folder: choose another, or move \
         this one away", .path.display()
    )]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// Something in it.
        name: String,
    },
    /// A new run directory where a run lies already.
    #[error(
        "{} holds a finished run already, which is never replaced: choose another folder, or \
         move this one away", .0.display()
    )]
    Finished(PathBuf),
    /// A new run directory where no folder can be.
    #[error("{} is no folder, and a run is one: choose another place", .0.display())]
    NoFolder(PathBuf),
    /// A new run directory where another one was begun and never finished.
    #[error(
        "{} holds a run that was interrupted before it was finished: add --replace to write this \
         one in its place", .0.display()
    )]
    Interrupted(PathBuf),
    /// A new run directory where another one is being written.
    #[error(
        "{} is where another run writes right now: wait for its end, or choose another folder",
        .0.display()
    )]
    BeingWritten(PathBuf),
    /// A new run directory in a store where another one was begun.
    #[error(
        "{} holds a run that was begun and is not finished: wait for its end if it is still being \
         written; if it was interrupted, add --replace to write this one in its place", .0.display()
    )]
    Begun(PathBuf),
    /// A run directory that another run took over while this one wrote it.
    #[error(
        "{} was taken over by another run (--replace) while this one wrote it: this one is not \
         finished there; run it again into another folder", .0.display()
    )]
    TakenOver(PathBuf),
    /// No manifest.
    #[error(
        "{} is half-written: it has no manifest.json, which is written last; if the run was \
         interrupted, run it again with --out and --replace", .0.display()
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
    /// A thread that was not given, or that panicked.
    #[error(transparent)]
    Thread(#[from] ThreadError),
}

impl RunDirError {
    /// Whether a new run directory was to lie where something lies already.
    pub fn is_taken(&self) -> bool {
        use RunDirError::{
            Begun, BeingWritten, Finished, Interrupted, NoFolder, NotEmpty, TakenOver,
        };
        if matches!(self, Self::Store(StoreError::TakenOver { .. })) {
            return true;
        }
        let is_taken = matches!(self, Finished(_) | Interrupted(_) | BeingWritten(_));
        is_taken || matches!(self, NotEmpty { .. } | NoFolder(_) | Begun(_) | TakenOver(_))
    }

    /// Whether files of a finished run are not as they were written.
    pub fn is_altered(&self) -> bool {
        use ManifestError::{Newer, NotAManifest};
        match self {
            Self::Table(TableError::Store(StoreError::Failed { .. })) => false,
            Self::Table(_) | Self::Keys(_) => true,
            Self::Manifest { error, .. } => !matches!(error, Newer(_) | NotAManifest(_)),
            _ => false,
        }
    }
}
