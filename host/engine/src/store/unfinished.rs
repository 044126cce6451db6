//! An object that grows: it has its name once it is finished, and leaves nothing before.

use super::remote::{New, Remote};
use super::{At, Folder, StoreError, files};
use crate::limits::{FINISHED_AT_ONCE, PART_UPLOADED_BYTES, WRITE_BUFFER_BYTES};
use crate::threads::each_of;
use object_store::{MultipartUpload, ObjectStoreExt};
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Objects that were written and are not finished yet. To make one durable is mostly waiting, so
/// several are waited for together. Dropped, they leave nothing.
#[derive(Default)]
pub(crate) struct Finishing(Mutex<Vec<Unfinished>>);

impl Finishing {
    /// Takes an object that has all its bytes; it has its name at [`Finishing::all`] at the latest.
    ///
    /// # Errors
    /// When one could not be finished, not always this one.
    pub(crate) fn add(&self, one: Unfinished) -> Result<(), StoreError> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(one);
        if waiting.len() < FINISHED_AT_ONCE {
            return Ok(());
        }
        finish_all(std::mem::take(&mut *waiting))
    }

    /// Makes all appear.
    ///
    /// # Errors
    /// The first that could not be finished; of the others some have their names.
    pub(crate) fn all(self) -> Result<(), StoreError> {
        finish_all(self.0.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

fn finish_all(all: Vec<Unfinished>) -> Result<(), StoreError> {
    each_of(FINISHED_AT_ONCE, all, Unfinished::finish).map(|_| ())
}

/// An object that is being written. Dropped unfinished, it leaves nothing.
pub struct Unfinished {
    folder: Folder,
    name: String,
    /// Whether nothing may have the name before.
    is_new: bool,
    /// Gone once it is finished.
    to: Option<To>,
}

enum To {
    File {
        file: BufWriter<File>,
        /// Its name for now and the one it gets; none: see [`files::Destination`].
        named: Option<(PathBuf, PathBuf)>,
    },
    Upload {
        remote: Remote,
        name: String,
        /// Begun once there is more than one part.
        upload: Option<Box<dyn MultipartUpload>>,
        part: Vec<u8>,
    },
}

impl Unfinished {
    pub(super) fn new(folder: &Folder, name: &str) -> Result<Self, StoreError> {
        let to = match &folder.at {
            At::Files(_) => {
                let files::Destination { file, named } = files::destination(&folder.path(name))
                    .map_err(|e| folder.failed("write", name, e))?;
                To::File { file: BufWriter::with_capacity(WRITE_BUFFER_BYTES, file), named }
            }
            At::Remote(remote) => {
                let (remote, name) = (remote.clone(), name.to_owned());
                To::Upload { remote, name, upload: None, part: Vec::new() }
            }
        };
        Ok(Self { folder: folder.clone(), name: name.to_owned(), is_new: false, to: Some(to) })
    }

    /// Of an object in a store: it does not take the place of another that has the name by then.
    /// Files are guarded by a [`super::Claim`].
    pub(crate) fn only_new(mut self) -> Self {
        self.is_new = true;
        self
    }

    /// Adds bytes; the same as [`Write::write_all`] with an error that names the object.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_all(bytes).map_err(|e| self.failed(e))
    }

    /// Makes the object appear in place of what had its name, whole and for good.
    ///
    /// # Errors
    /// When that failed; then what had the name has it still.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.folder.step(&self.name)?;
        let ended = match self.to.as_mut() {
            Some(To::File { file, named: None }) => file.flush(),
            Some(To::File { file, named: Some((temporary, path)) }) => (|| {
                file.flush()?;
                file.get_ref().sync_all()?;
                fs::rename(&temporary, &path)?;
                files::sync(path.parent().unwrap_or(std::path::Path::new("")))
            })(),
            Some(To::Upload { .. }) => return self.finish_upload(),
            None => Ok(()),
        };
        ended.map_err(|e| self.failed(e))?;
        self.to = None;
        Ok(())
    }

    fn finish_upload(mut self) -> Result<(), StoreError> {
        let Some(To::Upload { remote, name, upload, part }) = self.to.as_mut() else {
            return Ok(());
        };
        let last = std::mem::take(part);
        let is_put = match upload {
            // No store is asked to complete an upload only where nothing has its name.
            Some(_) if self.is_new && self.folder.head(name)?.is_some() => Ok(false),
            Some(upload) => remote
                .wait(async {
                    upload.put_part(last.into()).await?;
                    upload.complete().await
                })
                .map(|_| true),
            None if self.is_new => remote.put_if(name, &last, New::Absent).map(|put| put.is_some()),
            None => {
                let put = async { remote.store.put(&remote.at(name)?, last.into()).await };
                remote.wait(put).map(|_| true)
            }
        };
        let is_put = is_put.map_err(|error| self.folder.refused("write", &self.name, error))?;
        if !is_put {
            return Err(StoreError::TakenOver { path: self.folder.show(&self.name) });
        }
        self.to = None;
        Ok(())
    }

    fn failed(&self, error: io::Error) -> StoreError {
        // What a store said names the object already.
        error.downcast().unwrap_or_else(|error| self.folder.failed("write", &self.name, error))
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.to.as_mut().ok_or(ErrorKind::BrokenPipe)? {
            To::File { file, .. } => file.write(bytes),
            To::Upload { remote, name, upload, part } => {
                let count = bytes.len().min(PART_UPLOADED_BYTES - part.len());
                part.extend_from_slice(&bytes[..count]);
                if part.len() == PART_UPLOADED_BYTES {
                    let full = std::mem::take(part).into();
                    let sent = remote.wait(async {
                        let upload = match upload {
                            Some(upload) => upload,
                            None => {
                                upload.insert(remote.store.put_multipart(&remote.at(name)?).await?)
                            }
                        };
                        upload.put_part(full).await
                    });
                    let refused = |error| self.folder.refused("write", &self.name, error);
                    sent.map_err(refused).map_err(io::Error::other)?;
                }
                Ok(count)
            }
        }
    }

    /// Nothing reads what is unfinished: it is written out when that is cheap.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        match self.to.take() {
            Some(To::File { file, named }) => {
                // Without the last flush of its buffer: the bytes are of no use.
                let _ = file.into_parts();
                if let Some((temporary, _)) = named {
                    let _ = fs::remove_file(temporary);
                }
            }
            Some(To::Upload { remote, upload: Some(mut upload), .. }) => {
                let _ = remote.wait(upload.abort());
            }
            Some(To::Upload { upload: None, .. }) | None => {}
        }
    }
}
