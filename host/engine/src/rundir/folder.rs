//! The folder of a run directory, for whoever reads one.

use super::RunDirError;
use crate::table::TableError;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A folder that is there.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
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

    /// An existing file.
    pub(super) fn read(&self, name: &str) -> Result<File, RunDirError> {
        File::open(self.at(name)).map_err(|error| self.error("open", name, error))
    }

    /// Whether it holds files that a run begins or ends with.
    pub(super) fn is_begun(&self) -> Result<bool, RunDirError> {
        let fail = |error| self.error("read", "", error);
        for entry in fs::read_dir(&self.path).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            if name == "outcomes.parquet" || name.to_string_lossy().ends_with(".unfinished") {
                return Ok(true);
            }
        }
        Ok(false)
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
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error("read", name, error)),
        }
    }

    fn error(&self, verb: &'static str, name: &str, error: std::io::Error) -> RunDirError {
        TableError::Io { verb, path: self.at(name), error }.into()
    }
}
