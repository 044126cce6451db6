//! Why a log could not be found or read: each error names the file, the place in it and the next
//! step.

use crate::log::LogError;
use crate::store::StoreError;

/// Why a source could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A scheme that Retally will read, but not yet.
    #[error(
        "`{url}`: sources of the scheme `{scheme}:` are not built yet; \
         copy the log to a folder and name it by its path or as `file:`"
    )]
    NotBuilt {
        /// The URL as given.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// A URL that cannot mean a log.
    #[error("`{url}` cannot be read as a URL of a log: {why}")]
    BadUrl {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing lies where the URL leads.
    #[error("`{url}` does not exist (looked for {looked_for}); correct `[source] url`")]
    Missing {
        /// The URL as given.
        url: String,
        /// The absolute path.
        looked_for: String,
    },
    /// There is a place, but no log in it.
    #[error("no log in `{url}`: looked for {looked_for}; {left_out}")]
    Empty {
        /// The URL as given.
        url: String,
        /// Which names would have been taken.
        looked_for: String,
        /// Which names were left out, and why.
        left_out: String,
    },
    /// Two objects would be one partition.
    #[error(
        "`{first}` and `{second}` would both be partition `{partition}` (a partition is named by \
         its path without suffix); remove or rename one of them"
    )]
    SameName {
        /// The name that both have.
        partition: String,
        /// One object.
        first: String,
        /// The other.
        second: String,
    },
    /// The content is not what the name or the job says.
    #[error("`{path}` {found}; {hint}")]
    WrongFormat {
        /// The object.
        path: String,
        /// What it looks like.
        found: String,
        /// What to do.
        hint: String,
    },
    /// A compressed object that cannot be decompressed to its end.
    #[error(
        "`{path}`: {format} stream {problem}, near byte {stored_at} of {stored_bytes} of the file; \
         the {good_lines} lines before ({good_bytes} bytes decompressed) are good; \
         fetch or write the file again"
    )]
    Corrupt {
        /// The object.
        path: String,
        /// The compression.
        format: &'static str,
        /// What is wrong.
        problem: String,
        /// How many stored bytes had been read.
        stored_at: u64,
        /// How many there are.
        stored_bytes: u64,
        /// Complete lines before the fault.
        good_lines: u64,
        /// Bytes of these lines.
        good_bytes: u64,
    },
    /// A Parquet object whose footer or pages cannot be read.
    #[error("`{path}`: {place}: {problem}; fetch or write the file again")]
    Parquet {
        /// The object.
        path: String,
        /// Footer, or row group and rows.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// The store would not give what was asked for.
    #[error(transparent)]
    Store(StoreError),
    /// A thread that hashed the objects panicked.
    #[error("a thread that read the log panicked: this is a fault of Retally; please report it")]
    Panicked,
}

impl SourceError {
    /// Whether the job names something that is not there or cannot be meant (bad usage), as opposed
    /// to a log that failed while it was read.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_usage(),
            Self::NotBuilt { .. }
            | Self::BadUrl { .. }
            | Self::Missing { .. }
            | Self::Empty { .. }
            | Self::SameName { .. } => true,
            Self::WrongFormat { .. }
            | Self::Corrupt { .. }
            | Self::Parquet { .. }
            | Self::Panicked => false,
        }
    }
}

impl From<SourceError> for LogError {
    fn from(error: SourceError) -> Self {
        if error.is_usage() { Self::usage(error) } else { Self::new(error) }
    }
}

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotBuilt { url, scheme } => Self::NotBuilt { url, scheme },
            StoreError::BadUrl { url, why } => Self::BadUrl { url, why },
            other => Self::Store(other),
        }
    }
}
