//! The one place of this module that touches files: a folder, files that appear whole or not at
//! all, and their hashes. Another store (S3) goes here.

use super::SnapshotError;
use bytes::Bytes;
use retally_core::digest::Hash;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

const NOT_BUILT: [&str; 5] = ["s3", "gs", "az", "hdfs", "kafka"];

/// A folder; names in it are relative, with `/` between their parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    /// The folder at `url`; a relative path starts at `base`.
    pub(super) fn open(url: &str, base: &Path) -> Result<Self, SnapshotError> {
        let wrong = |why: &str| SnapshotError::Url { url: url.to_owned(), why: why.to_owned() };
        let path = match url.split_once(':') {
            Some(("file", path)) => path.strip_prefix("//").unwrap_or(path),
            Some((scheme, _)) if NOT_BUILT.contains(&scheme) => {
                return Err(wrong(
                    "this store is not built yet; a folder is (\"file:snapshots/\")",
                ));
            }
            Some((_, rest)) if rest.starts_with("//") => {
                return Err(wrong("the scheme is unknown; name a folder (\"file:snapshots/\")"));
            }
            _ => url,
        };
        if path.is_empty() {
            return Err(wrong("it is empty; name a folder (\"file:snapshots/\")"));
        }
        // As a list of its parts, so that `a/b/` and `a/b` are the same folder.
        Ok(Self { root: base.join(path).components().collect() })
    }

    /// The folder around this one, and the name of this one in it.
    pub(super) fn split(&self) -> Option<(Self, String)> {
        let root = fs::canonicalize(&self.root).ok()?;
        let name = root.file_name()?.to_str()?.to_owned();
        Some((Self { root: root.parent()?.to_path_buf() }, name))
    }

    /// The folder as messages name it.
    pub(super) fn shown(&self) -> String {
        self.root.display().to_string()
    }

    /// A file as messages name it.
    pub(super) fn show(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Whether two are the same folder, however they are written.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let real = |files: &Self| fs::canonicalize(&files.root).ok();
        self == other || real(self).is_some_and(|path| real(other) == Some(path))
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    /// Names of the folders in this one, unordered.
    pub(super) fn folders(&self) -> Result<Vec<String>, SnapshotError> {
        let failed = |e| self.failed("list", "", e);
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if let (true, Ok(name)) = (entry.path().is_dir(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The whole of a file.
    pub(super) fn read(&self, name: &str) -> Result<Bytes, SnapshotError> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(SnapshotError::Missing { file: self.show(name) })
            }
            Err(error) => Err(self.failed("read", name, error)),
        }
    }

    /// Begins a file; it appears under its name when it is finished.
    pub(super) fn create(&self, name: &str) -> Result<Unfinished, SnapshotError> {
        let path = self.path(name);
        let begin = || -> io::Result<_> {
            let folder = path.parent().unwrap_or(Path::new(""));
            fs::create_dir_all(folder)?;
            let mut temporary = path.clone().into_os_string();
            temporary.push(".unfinished");
            let file = BufWriter::with_capacity(1 << 18, File::create(&temporary)?);
            Ok(Unfinished {
                file: Some(file),
                temporary: temporary.into(),
                path: path.clone(),
                hasher: Sha256::new(),
                bytes: 0,
            })
        };
        begin().map_err(|error| self.failed("write", name, error))
    }

    /// Writes a whole file.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(Hash, u64), SnapshotError> {
        let mut file = self.create(name)?;
        let written = file.write_all(bytes).and_then(|()| file.finish());
        written.map_err(|error| self.failed("write", name, error))
    }

    pub(super) fn failed(
        &self,
        what: &'static str,
        name: &str,
        source: io::Error,
    ) -> SnapshotError {
        SnapshotError::Io { what, file: self.show(name), source }
    }

    fn path(&self, name: &str) -> PathBuf {
        let mut path = self.root.clone();
        path.extend(name.split('/').filter(|part| !part.is_empty()));
        path
    }
}

/// A file that is being written, hashed on the way. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub(super) struct Unfinished {
    file: Option<BufWriter<File>>,
    temporary: PathBuf,
    path: PathBuf,
    hasher: Sha256,
    bytes: u64,
}

impl Unfinished {
    /// Makes the file appear, whole and on the disk. Hash and size of what was written.
    pub(super) fn finish(&mut self) -> io::Result<(Hash, u64)> {
        if let Some(file) = self.file.take() {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&self.temporary, &self.path)?;
            sync_folder(self.path.parent())?;
        }
        Ok((Hash(self.hasher.clone().finalize().into()), self.bytes))
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        let count = file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Without the last flush of its buffer: the bytes are of no use.
            let _ = file.into_parts();
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// A name is only safe on the disk once its folder is.
#[cfg(unix)]
fn sync_folder(folder: Option<&Path>) -> io::Result<()> {
    folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_: Option<&Path>) -> io::Result<()> {
    Ok(())
}
