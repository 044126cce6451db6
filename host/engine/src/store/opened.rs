//! Reading an object, ranges of it or from some byte to its end, and being sure that all of it is
//! one version: bytes of two would give a result that nobody could repeat. Whatever reads fails
//! when the object changed, and when the store does not give it.

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
pub struct Opened {
    folder: Folder,
    name: String,
    meta: Meta,
    body: Body,
}

enum Body {
    File(File),
    /// With what comes of it in order, once that is asked for, and what of it was not taken yet.
    Remote(Remote, BoxStream<'static, object_store::Result<Bytes>>, Bytes),
}

impl Opened {
    pub(super) fn new(folder: &Folder, name: &str, meta: &Meta) -> Result<Self, StoreError> {
        let own =
            |body| Self { folder: folder.clone(), name: name.into(), meta: meta.clone(), body };
        let path = match &folder.at {
            At::Files(_) => folder.path(name),
            At::Remote(remote) => {
                let nothing = futures::stream::empty().boxed();
                return Ok(own(Body::Remote(remote.clone(), nothing, Bytes::new())));
            }
        };
        let failed = |e| folder.failed("read", name, e);
        let gone = || StoreError::Changed { path: folder.show(name), what: "it is gone".into() };
        let file = files::some(File::open(path)).map_err(failed)?.ok_or_else(gone)?;
        let about = files::about(&file.metadata().map_err(failed)?);
        let own = own(Body::File(file));
        own.same(&about).map(|()| own)
    }

    /// The bytes of `range`, which must lie in the object.
    pub fn range(&mut self, range: Range<u64>) -> Result<Bytes, StoreError> {
        let length = range.end - range.start;
        let bytes = match &mut self.body {
            Body::File(file) => {
                let mut bytes = Vec::with_capacity(length as usize);
                file.seek(SeekFrom::Start(range.start))
                    .and_then(|_| file.take(length).read_to_end(&mut bytes))
                    .map_err(|e| self.folder.failed("read", &self.name, e))?;
                Bytes::from(bytes)
            }
            Body::Remote(remote, ..) => {
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
        };
        match bytes.len() as u64 == length {
            true => Ok(bytes),
            false => Err(self.short(range.start + bytes.len() as u64)),
        }
    }

    /// All bytes from byte `from` on, in order.
    pub fn stream(mut self, from: u64) -> Result<Stored, StoreError> {
        match &mut self.body {
            Body::File(file) => {
                let sought = file.seek(SeekFrom::Start(from));
                sought.map_err(|e| self.folder.failed("read", &self.name, e))?;
            }
            Body::Remote(remote, stream, _) => {
                let how = Remote::same(&self.meta, GetRange::Offset(from));
                let got = remote
                    .wait(async { remote.store.get_opts(&remote.at(&self.name)?, how).await });
                let got = got.map_err(|e| self.folder.refused("read", &self.name, e))?;
                let meta = remote::about(&got.meta);
                *stream = got.into_stream();
                self.same(&meta)?;
            }
        }
        Ok(Stored { opened: self, at: from })
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
    /// Where the next byte lies in the object.
    at: u64,
}

impl Stored {
    /// Where the next byte lies in the object.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// As [`Read::read`], with the error as it is.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let Opened { folder, name, meta, body } = &mut self.opened;
        let left = usize::try_from(meta.bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let buffer = &mut buffer[..length];
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = match body {
            Body::File(file) => loop {
                match file.read(buffer) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => break other.map_err(|e| folder.failed("read", name, e))?,
                }
            },
            Body::Remote(remote, stream, chunk) => {
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
