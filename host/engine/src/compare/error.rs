//! Why two results are not compared.

use crate::rundir::RunDirError;
use std::path::PathBuf;

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A run directory that cannot be read.
    #[error(transparent)]
    RunDir(#[from] Box<RunDirError>),
    /// Two sides of which a comparison would mean nothing.
    #[error(
        "these are not compared: {}; --force goes on all the same, and the report says so",
        .0.join("; ")
    )]
    Refused(Vec<String>),
    /// A file of known results that cannot be used.
    #[error("{} {what}", .path.display())]
    Known {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A gate that could never hold.
    #[error(transparent)]
    Gate(#[from] retally_compare::gate::GateError),
    /// Something that cannot be compared as asked.
    #[error(transparent)]
    Compare(#[from] retally_compare::CompareError),
}

impl From<RunDirError> for CompareError {
    fn from(error: RunDirError) -> Self {
        Self::RunDir(Box::new(error))
    }
}

impl CompareError {
    /// Whether what was asked for is to blame (exit code 2, else 3).
    pub fn is_usage(&self) -> bool {
        use retally_compare::CompareError as Core;
        match self {
            Self::Refused(_) | Self::Known { .. } | Self::Gate(_) => true,
            Self::Compare(error) => {
                use Core::{Columns, Order, Sink, Sum};
                !matches!(error, Sink(_) | Order(..) | Columns | Sum(_))
            }
            Self::RunDir(error) => !error.is_altered(),
        }
    }

    /// Whether files of a run are not as they were written.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::RunDir(error) if error.is_altered())
    }
}
