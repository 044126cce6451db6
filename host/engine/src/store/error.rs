//! Why a store would not do what it was asked: each error names the place and the next step.

use super::told::told;
use crate::threads::ThreadError;
use std::io::{self, ErrorKind};

/// Why a place could not be found, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A topic, where a place is meant.
    #[error(
        "`{url}` names a topic of Kafka, in which nothing has a name; use a folder, named by its \
         path or as `file:`, or a store"
    )]
    Topic {
        /// The URL as given.
        url: String,
    },
    /// A store that whoever runs this has not said how to reach.
    #[error(
        "`{url}`: nobody has said how a store of the scheme `{scheme}:` is reached from here; give \
         the engine the access to it"
    )]
    NoAccess {
        /// The bucket's URL.
        url: String,
        /// Its scheme.
        scheme: &'static str,
    },
    /// A store that cannot be asked with what was given to reach it.
    #[error("`{url}` cannot be reached: {why}")]
    Unusable {
        /// The bucket's URL.
        url: String,
        /// What is wrong.
        why: String,
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
        known: String,
    },
    /// A URL that cannot mean a place.
    #[error("`{url}` cannot be read as a URL: {why}")]
    BadUrl {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// An object is no longer what it was when it was looked at.
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
    /// Somebody else put an object where a new one was to be.
    #[error(
        "`{path}` is there already: the folder was taken over by another run (--replace) while \
         this one wrote it; run it again into another folder"
    )]
    TakenOver {
        /// The object.
        path: String,
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
    /// The store would not do what was asked for.
    #[error("cannot {verb} `{path}`: {cause}")]
    Failed {
        /// What: "read", "write", "remove".
        verb: &'static str,
        /// The object or folder.
        path: String,
        /// What the store said.
        cause: String,
    },
    /// The threads for input and output could not be started.
    #[error("cannot start the threads that wait for a store: {0}")]
    Runtime(#[source] std::io::Error),
    /// Several objects could not be finished at the same time.
    #[error(transparent)]
    Thread(#[from] ThreadError),
}

impl StoreError {
    /// Whether the URL is to blame, so that nothing was looked at.
    pub fn is_usage(&self) -> bool {
        use StoreError::{BadUrl, NoAccess, Topic, UnknownScheme, Unusable};
        let is_url = matches!(self, Topic { .. } | UnknownScheme { .. } | BadUrl { .. });
        is_url || matches!(self, NoAccess { .. } | Unusable { .. })
    }

    /// What the operating system said about a file.
    pub(crate) fn io(verb: &'static str, path: &str, error: &std::io::Error) -> Self {
        let cause = cause(error) + advice(verb, error);
        Self::Failed { verb, path: path.to_owned(), cause }
    }

    /// What a store said about an object.
    pub(super) fn refused(verb: &'static str, path: String, error: &object_store::Error) -> Self {
        use object_store::Error as E;
        match error {
            E::Precondition { .. } => {
                Self::Changed { path, what: "its ETag or time differs".into() }
            }
            E::NotFound { .. } if !told(error).contains("NoSuchBucket") => {
                Self::Changed { path, what: "it is gone".into() }
            }
            other => Self::Failed { verb, path, cause: told(other) },
        }
    }
}

/// What to do about an error of the file system.
pub(crate) fn advice(verb: &str, error: &io::Error) -> &'static str {
    let is_read = verb == "read";
    match error.kind() {
        ErrorKind::PermissionDenied if is_read => "; ask for the right to read it",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; name a place that you may write to"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; make room or name another place, then run again"
        }
        ErrorKind::FileTooLarge if !is_read => {
            "; raise the largest size of a file that this process may write (ulimit -f) or choose \
             another file system, then run again"
        }
        _ => "",
    }
}

/// A chain of causes as one line of text, each cause once: stores nest the same words several
/// times.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    let (whole, root) = (error.to_string(), deepest.to_string());
    let text = if whole.contains(&root) { whole } else { format!("{whole}: {root}") };
    text.replace(['\n', '\r'], " ")
}
