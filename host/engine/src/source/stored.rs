//! The stored bytes of an object of a log, read in order.
//!
//! What is read is offered to the object's fingerprint on the way, and its first bytes are checked:
//! they must be what its name says.

use super::Format;
use super::error::SourceError;
use super::objects::{Compression, Object};
use crate::store;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A reader of one object from some byte to its end.
pub(super) struct Stored {
    object: Arc<Object>,
    bytes: store::Stored,
    /// Where the next byte lies in the object, for those who cannot reach the reader inside a
    /// decompressor.
    seen: Arc<AtomicU64>,
}

impl Stored {
    /// Opens an object at byte `from`, which must lie before its end.
    pub(super) fn open(object: &Arc<Object>, from: u64) -> Result<Self, SourceError> {
        let bytes = object.opened()?.stream(from)?;
        Ok(Self { object: object.clone(), bytes, seen: Arc::new(AtomicU64::new(from)) })
    }

    /// Where the next byte lies in the object.
    pub(super) fn at(&self) -> u64 {
        self.bytes.at()
    }

    /// Where reading stands, to be asked while a decompressor owns the reader.
    pub(super) fn seen(&self) -> Arc<AtomicU64> {
        self.seen.clone()
    }
}

/// Its errors are [`SourceError`]s inside [`io::Error`]s.
impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.bytes.at();
        let count =
            self.bytes.read_some(buffer).map_err(|e| io::Error::other(SourceError::from(e)))?;
        let new = &buffer[..count];
        if at == 0 {
            check_magic(&self.object, new).map_err(io::Error::other)?;
        }
        self.object.hashing.offer(at, new);
        self.seen.store(self.bytes.at(), Ordering::Relaxed);
        Ok(count)
    }
}

/// Refuses an object whose first bytes cannot be what its name says: read as lines it would only
/// give as many malformed events.
fn check_magic(about: &Object, start: &[u8]) -> Result<(), SourceError> {
    let wrong = |found: String, hint: &str| {
        Err(SourceError::WrongFormat { path: about.shown.clone(), found, hint: hint.to_owned() })
    };
    if about.options.format != Format::Json || start.len() < 4 {
        return Ok(());
    }
    let found = Compression::of_magic(start);
    match about.compression {
        Compression::None if found != Compression::None => wrong(
            format!("begins like {} but has no suffix that says so", found.as_str()),
            "give it the suffix `.gz` or `.zst`",
        ),
        Compression::None if start.starts_with(b"PAR1") => {
            wrong("is a Parquet file".into(), "set `[source] format = \"parquet\"`")
        }
        named if named != found => wrong(
            format!("has the suffix of {} but does not begin like it", named.as_str()),
            "give it the suffix that fits, or write it again",
        ),
        _ => Ok(()),
    }
}
