//! Reading an object, ranges of it or from some byte to its end, and being sure that all of it is
//! one version: bytes of two would give a result that nobody could repeat. Whatever reads fails
//! when the object changed, and when the store does not give it.

use super::pump::{self, Came};
use super::remote::{self, Remote};
use super::{At, Folder, Meta, StoreError, files};
use bytes::{Buf, Bytes};
use object_store::{GetRange, ObjectStore};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use tokio::sync::mpsc::Receiver;

/// An object as it was when it was looked at.
#[derive(Debug)]
pub struct Opened {
    folder: Folder,
    name: String,
    meta: Meta,
    body: Body,
}

#[derive(Debug)]
enum Body {
    File(File),
    /// With what comes of it in order, once that is asked for, and what of it was not taken yet.
    Remote(Remote, Option<Receiver<Came>>, Bytes),
}

impl Opened {
    pub(super) fn new(folder: &Folder, name: &str, meta: &Meta) -> Result<Self, StoreError> {
        let own =
            |body| Self { folder: folder.clone(), name: name.into(), meta: meta.clone(), body };
        let path = match &folder.at {
            At::Files(_) => folder.path(name),
            At::Remote(remote) => {
                return Ok(own(Body::Remote(remote.clone(), None, Bytes::new())));
            }
        };
        let failed = |e| folder.failed("read", name, e);
        let gone = || StoreError::Changed { path: folder.show(name), what: "it is gone".into() };
        let file = files::some(File::open(path)).map_err(failed)?.ok_or_else(gone)?;
        let about = files::about(&file.metadata().map_err(failed)?);
        let own = own(Body::File(file));
        own.same(&about).map(|()| own)
    }

    /// What the store said of it.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Whether it is a file of this machine.
    pub fn is_file(&self) -> bool {
        matches!(self.body, Body::File(_))
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

    /// All bytes from byte `from` on, in order. A store is asked at once, and nobody waits for its
    /// answer before the first bytes are wanted.
    pub fn stream(mut self, from: u64) -> Result<Stored, StoreError> {
        match &mut self.body {
            Body::File(file) => {
                let sought = file.seek(SeekFrom::Start(from));
                sought.map_err(|e| self.folder.failed("read", &self.name, e))?;
            }
            Body::Remote(remote, coming, _) => {
                *coming = Some(pump::start(remote, &self.name, &self.meta, from));
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
            Body::Remote(remote, coming, chunk) => {
                while let Some(coming) = coming.as_mut().filter(|_| chunk.is_empty()) {
                    match remote.wait(coming.recv()) {
                        Some(Came::Bytes(bytes)) => *chunk = bytes,
                        Some(Came::Other(now)) => {
                            let what = meta.difference(&now).unwrap_or_default();
                            return Err(StoreError::Changed { path: folder.show(name), what });
                        }
                        Some(Came::Refused(error)) => {
                            return Err(folder.refused("read", name, error));
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
