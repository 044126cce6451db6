//! Why a log could not be found or read: each error names the file, the place in it and the next
//! step.

use std::fmt;

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
    /// A scheme that nobody knows.
    #[error(
        "`{url}`: unknown scheme `{scheme}:`; known are {known}, and a bare path \
         (write `./{url}` if this is a path)"
    )]
    UnknownScheme {
        /// The URL as given.
        url: String,
        /// Its scheme.
        scheme: String,
        /// The schemes that are known.
        known: &'static str,
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
    /// The store would not give what was asked for.
    #[error("cannot read `{path}`: {cause}")]
    Unreadable {
        /// The object or folder.
        path: String,
        /// What the store said.
        cause: Cause,
    },
    /// Fewer bytes came than the store had promised.
    #[error(
        "`{path}` ended at byte {got} of {expected}: the store gave less than it had promised; \
         run again, and check the file if it happens again"
    )]
    Short {
        /// The object.
        path: String,
        /// Its size when the run began.
        expected: u64,
        /// Where it ended.
        got: u64,
    },
    /// The object is no longer what it was when the run began.
    #[error(
        "`{path}` changed while it was read ({what}): a result would mix two versions of it; \
         wait until its writer is done, or read a copy"
    )]
    Changed {
        /// The object.
        path: String,
        /// What differs.
        what: String,
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
    /// The threads for input and output could not be started.
    #[error("cannot start the threads that read the log: {0}")]
    Runtime(#[source] std::io::Error),
}

impl SourceError {
    /// Whether the job names something that is not there or cannot be meant (bad usage), as opposed
    /// to a log that failed while it was read.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NotBuilt { .. }
                | Self::UnknownScheme { .. }
                | Self::BadUrl { .. }
                | Self::Missing { .. }
                | Self::Empty { .. }
                | Self::SameName { .. }
        )
    }

    /// What a store said about an object.
    pub(super) fn store(path: &str, error: object_store::Error) -> Self {
        use object_store::Error as E;
        let path = path.to_owned();
        match error {
            E::Precondition { .. } => {
                Self::Changed { path, what: "its ETag or time differs".into() }
            }
            E::NotFound { .. } => Self::Changed { path, what: "it is gone".into() },
            other => Self::Unreadable { path, cause: Cause::of(&other) },
        }
    }

    /// What the operating system said about a file.
    pub(super) fn io(path: &str, error: &std::io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), cause: Cause::of(error) }
    }
}

/// A chain of causes as one line of text, each cause once: stores nest the same words several
/// times.
#[derive(Debug)]
pub struct Cause(String);

impl Cause {
    /// The chain of `error`.
    pub(super) fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut deepest = error;
        while let Some(next) = deepest.source() {
            deepest = next;
        }
        let (whole, root) = (error.to_string(), deepest.to_string());
        let text = if whole.contains(&root) { whole } else { format!("{whole}: {root}") };
        Self(text.replace(['\n', '\r'], " "))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
