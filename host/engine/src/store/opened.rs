//! Reading an object, ranges of it or from some byte to its end, and being sure that all of it is
//! one version: bytes of two would give a result that nobody could repeat.

use super::remote::{self, Remote};
use super::{At, Folder, Meta, StoreError, files};
use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::{GetRange, ObjectStore};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// An object as it was when it was looked at.
#[derive(Debug)]
pub struct Opened {
    folder: Folder,
    name: String,
    meta: Meta,
    /// If it is a file.
    file: Option<File>,
}

impl Opened {
    pub(super) fn new(folder: &Folder, name: &str, meta: &Meta) -> Result<Self, StoreError> {
        let own =
            Self { folder: folder.clone(), name: name.into(), meta: meta.clone(), file: None };
        if matches!(folder.at, At::Remote(_)) {
            return Ok(own);
        }
        let failed = |e| folder.failed("read", name, e);
        let gone = || StoreError::Changed { path: folder.show(name), what: "it is gone".into() };
        let file = files::some(File::open(folder.path(name))).map_err(failed)?.ok_or_else(gone)?;
        own.same(&files::about(&file.metadata().map_err(failed)?))?;
        Ok(Self { file: Some(file), ..own })
    }

    /// The bytes of `range`, which must lie in the object.
    ///
    /// # Errors
    /// When it changed, and when the store does not give them.
    pub fn range(&mut self, range: Range<u64>) -> Result<Bytes, StoreError> {
        let length = range.end - range.start;
        let bytes = match (&mut self.file, &self.folder.at) {
            (Some(file), _) => {
                let mut bytes = Vec::with_capacity(length as usize);
                file.seek(SeekFrom::Start(range.start))
                    .and_then(|_| file.take(length).read_to_end(&mut bytes))
                    .map_err(|e| self.folder.failed("read", &self.name, e))?;
                Bytes::from(bytes)
            }
            (None, At::Remote(remote)) => {
                let how = Remote::same(&self.meta, GetRange::Bounded(range.clone()));
                let (meta, bytes) = remote
                    .wait(async {
                        let got = remote.store.get_opts(&remote.at(&self.name)?, how).await?;
                        let meta = remote::about(&got.meta);
                        Ok((meta, got.bytes().await?))
                    })
                    .map_err(|e| self.folder.refused("read", &self.name, e))?;
                self.same(&meta)?;
                bytes
            }
            (None, At::Files(_)) => Bytes::new(),
        };
        match bytes.len() as u64 == length {
            true => Ok(bytes),
            false => Err(self.short(range.start + bytes.len() as u64)),
        }
    }

    /// All bytes from byte `from` on, in order.
    ///
    /// # Errors
    /// When it changed, and when the store does not give it.
    pub fn stream(mut self, from: u64) -> Result<Stored, StoreError> {
        let body = match (self.file.take(), &self.folder.at) {
            (Some(mut file), _) => {
                let sought = file.seek(SeekFrom::Start(from));
                sought.map_err(|e| self.folder.failed("read", &self.name, e))?;
                Body::File(file)
            }
            (None, At::Remote(remote)) => {
                let how = Remote::same(&self.meta, GetRange::Offset(from));
                let got = remote
                    .wait(async { remote.store.get_opts(&remote.at(&self.name)?, how).await });
                let got = got.map_err(|e| self.folder.refused("read", &self.name, e))?;
                self.same(&remote::about(&got.meta))?;
                let stream = got.into_stream();
                Body::Stream { remote: remote.clone(), stream, chunk: Bytes::new() }
            }
            (None, At::Files(_)) => return Err(self.short(from)),
        };
        Ok(Stored { opened: self, body, at: from })
    }

    fn same(&self, now: &Meta) -> Result<(), StoreError> {
        let path = || self.folder.show(&self.name);
        let what = self.meta.difference(now);
        what.map_or(Ok(()), |what| Err(StoreError::Changed { path: path(), what }))
    }

    /// What it means that the bytes ended early: an object that was cut is better called changed
    /// than short.
    fn short(&self, got: u64) -> StoreError {
        let changed = self.folder.unchanged(&self.name, &self.meta).err();
        let (path, expected) = (self.folder.show(&self.name), self.meta.bytes);
        changed.unwrap_or(StoreError::Short { path, expected, got })
    }
}

/// Reads an object from some byte to its end, neither more nor less. Its errors are
/// [`StoreError`]s inside [`io::Error`]s.
pub struct Stored {
    opened: Opened,
    body: Body,
    /// Where the next byte lies in the object.
    at: u64,
}

type Chunks = BoxStream<'static, object_store::Result<Bytes>>;

enum Body {
    File(File),
    Stream { remote: Remote, stream: Chunks, chunk: Bytes },
}

impl Stored {
    /// Where the next byte lies in the object.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// As [`Read::read`], with the error as it is.
    ///
    /// # Errors
    /// When the object changed or the store does not give it.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let Opened { folder, name, meta, .. } = &self.opened;
        let left = usize::try_from(meta.bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let buffer = &mut buffer[..length];
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = match &mut self.body {
            Body::File(file) => loop {
                match file.read(buffer) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => break other.map_err(|e| folder.failed("read", name, e))?,
                }
            },
            Body::Stream { remote, stream, chunk } => {
                while chunk.is_empty() {
                    match remote.wait(stream.next()) {
                        Some(next) => *chunk = next.map_err(|e| folder.refused("read", name, e))?,
                        None => break,
                    }
                }
                let count = chunk.len().min(buffer.len());
                chunk.copy_to_slice(&mut buffer[..count]);
                count
            }
        };
        if count == 0 {
            return Err(self.opened.short(self.at));
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer).map_err(io::Error::other)
    }
}
