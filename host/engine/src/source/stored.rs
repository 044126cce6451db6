//! The stored bytes of an object, read in order and blocking, whatever the store.
//!
//! Checked on the way: that the object is the one that was listed, that as many bytes come as it
//! has, and that its first bytes are what its name says.

use super::error::SourceError;
use super::objects::{Compression, Object};
use super::{Format, Shared};
use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::{GetOptions, GetRange, GetResultPayload};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A reader of one object from some byte to its end.
pub(super) struct Stored {
    shared: Arc<Shared>,
    object: usize,
    body: Body,
    /// Where the next byte lies in the object.
    at: u64,
    /// The same, for those who cannot reach the reader inside a decompressor.
    seen: Arc<AtomicU64>,
}

enum Body {
    File(File),
    Stream { stream: BoxStream<'static, object_store::Result<Bytes>>, chunk: Bytes },
}

impl Stored {
    /// Opens an object at byte `from`, which must lie before its end.
    pub(super) fn open(
        shared: &Arc<Shared>,
        object: usize,
        from: u64,
    ) -> Result<Self, SourceError> {
        let about = &shared.objects[object];
        let result = shared.io.wait(shared.place.store.get_opts(
            &about.meta.location,
            GetOptions { range: Some(GetRange::Offset(from)), ..same(about) },
        ));
        let result = result.map_err(|e| SourceError::store(&about.shown, e))?;
        differs(about, &result.meta)?;
        let body = match result.payload {
            GetResultPayload::File(mut file, _) => {
                file.seek(SeekFrom::Start(from)).map_err(|e| SourceError::io(&about.shown, &e))?;
                Body::File(file)
            }
            GetResultPayload::Stream(stream) => Body::Stream { stream, chunk: Bytes::new() },
        };
        let seen = Arc::new(AtomicU64::new(from));
        Ok(Self { shared: shared.clone(), object, body, at: from, seen })
    }

    /// Where the next byte lies in the object.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Where reading stands, to be asked while a decompressor owns the reader.
    pub(super) fn seen(&self) -> Arc<AtomicU64> {
        self.seen.clone()
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let about = &self.shared.objects[self.object];
        let left = usize::try_from(about.bytes - self.at).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let buffer = &mut buffer[..length];
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = match &mut self.body {
            Body::File(file) => loop {
                match file.read(buffer) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => break other.map_err(|e| SourceError::io(&about.shown, &e))?,
                }
            },
            Body::Stream { stream, chunk } => {
                while chunk.is_empty() {
                    match self.shared.io.wait(stream.next()) {
                        Some(next) => {
                            *chunk = next.map_err(|e| SourceError::store(&about.shown, e))?;
                        }
                        None => break,
                    }
                }
                let count = chunk.len().min(buffer.len());
                chunk.copy_to_slice(&mut buffer[..count]);
                count
            }
        };
        if count == 0 {
            // A file that was cut is better called changed than short.
            self.shared.unchanged(self.object)?;
            let path = about.shown.clone();
            return Err(SourceError::Short { path, expected: about.bytes, got: self.at });
        }
        if self.at == 0 {
            check_magic(about, self.shared.options.format, &buffer[..count])?;
        }
        self.shared.hashes[self.object].offer(self.at, &buffer[..count]);
        self.at += count as u64;
        self.seen.store(self.at, Ordering::Relaxed);
        Ok(count)
    }
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer).map_err(io::Error::other)
    }
}

/// Conditions under which a store gives the object that was listed and no other.
pub(super) fn same(about: &Object) -> GetOptions {
    let if_match = about.meta.e_tag.clone();
    let version = about.meta.version.clone();
    GetOptions { if_match, version, ..GetOptions::default() }
}

/// Compares what a store says of an object now with what it said when the source was opened.
pub(super) fn differs(about: &Object, now: &object_store::ObjectMeta) -> Result<(), SourceError> {
    let then = &about.meta;
    let what = if then.size != now.size {
        format!("{} bytes, now {}", then.size, now.size)
    } else if then.e_tag.is_some() && then.e_tag != now.e_tag {
        "its ETag or time differs".to_owned()
    } else if then.e_tag.is_none() && then.last_modified != now.last_modified {
        "its time differs".to_owned()
    } else {
        return Ok(());
    };
    Err(SourceError::Changed { path: about.shown.clone(), what })
}

/// Refuses an object whose first bytes cannot be what its name says: read as lines it would only
/// give as many malformed events.
fn check_magic(about: &Object, format: Format, start: &[u8]) -> Result<(), SourceError> {
    let wrong = |found: String, hint: &str| {
        Err(SourceError::WrongFormat { path: about.shown.clone(), found, hint: hint.to_owned() })
    };
    if format != Format::Json || start.len() < 4 {
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
