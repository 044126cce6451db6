//! The one place where run directories touch the file system.

use super::RunDirError;
use crate::table::TableError;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A folder and what run directories do in it.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder and those above it; refuses one that holds something.
    pub(super) fn create(path: &Path) -> Result<Self, RunDirError> {
        Self::check(path)?;
        let folder = Self { path: path.to_path_buf() };
        fs::create_dir_all(path).map_err(|error| folder.error("make", "", error))?;
        Ok(folder)
    }

    /// Refuses a folder that holds something, and what is no folder; makes none.
    pub(super) fn check(path: &Path) -> Result<(), RunDirError> {
        let folder = Self { path: path.to_path_buf() };
        match fs::read_dir(path) {
            Ok(mut entries) => match entries.next() {
                Some(_) => Err(RunDirError::NotEmpty(folder.path)),
                None => Ok(()),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(folder.error("make", "", error)),
        }
    }

    /// A folder that is there.
    pub(super) fn open(path: &Path) -> Result<Self, RunDirError> {
        if !path.is_dir() {
            return Err(RunDirError::NoRun(path.to_path_buf()));
        }
        Ok(Self { path: path.to_path_buf() })
    }

    /// Where `name` lies.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.path.clone() } else { self.path.join(name) }
    }

    /// A new file, for writing.
    pub(super) fn file(&self, name: &str) -> Result<File, RunDirError> {
        let path = self.at(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| self.error("make", name, error))?;
        }
        File::create_new(path).map_err(|error| self.error("make", name, error))
    }

    /// An existing file, for reading.
    pub(super) fn read(&self, name: &str) -> Result<File, RunDirError> {
        File::open(self.at(name)).map_err(|error| self.error("open", name, error))
    }

    /// Bytes of the files in the folder and below it.
    pub(super) fn size(&self, name: &str) -> Result<u64, RunDirError> {
        let fail = |error| self.error("read", name, error);
        let mut bytes = 0;
        for entry in fs::read_dir(self.at(name)).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let meta = entry.metadata().map_err(fail)?;
            bytes += match meta.is_dir() {
                true => {
                    let below = Path::new(name).join(entry.file_name());
                    self.size(&below.to_string_lossy())?
                }
                false => meta.len(),
            };
        }
        Ok(bytes)
    }

    /// The bytes of an existing file; none if it does not exist.
    pub(super) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, RunDirError> {
        match fs::read(self.at(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error("read", name, error)),
        }
    }

    /// Makes `file` durable: its bytes survive a loss of power.
    pub(super) fn sync(&self, name: &str, file: &File) -> Result<(), RunDirError> {
        file.sync_all().map_err(|error| self.error("write", name, error))
    }

    /// Writes a new file, durably.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunDirError> {
        let mut file = self.file(name)?;
        file.write_all(bytes).map_err(|error| self.error("write", name, error))?;
        self.sync(name, &file)
    }

    /// Writes a file that is there whole and durable, or not at all.
    pub(super) fn commit(&self, name: &str, bytes: &[u8]) -> Result<(), RunDirError> {
        let part = format!("{name}.part");
        self.write(&part, bytes)?;
        self.sync_folder("")?;
        let renamed = fs::rename(self.at(&part), self.at(name));
        renamed.map_err(|error| self.error("write", name, error))?;
        self.sync_folder("")
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_folder(&self, name: &str) -> Result<(), RunDirError> {
        // Only Unix can open a folder as a file; elsewhere a rename is durable as it is.
        if cfg!(unix) {
            let folder = File::open(self.at(name));
            let synced = folder.and_then(|folder| folder.sync_all());
            synced.map_err(|error| self.error("write", name, error))?;
        }
        Ok(())
    }

    fn error(&self, verb: &'static str, name: &str, error: std::io::Error) -> RunDirError {
        TableError::Io { verb, path: self.at(name), error }.into()
    }
}
