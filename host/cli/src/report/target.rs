//! Where a file that a person names goes: whole into its place, into what lies there and is no
//! regular file, or, for `-`, to stdout.

use crate::error::Failure;
use anyhow::{Result, anyhow};
use retally_engine::store::{Folder, Unfinished};
use std::ffi::OsStr;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Whether a name that a person gave for a file is stdout.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// What a file that a person names is written to.
pub(crate) enum Target {
    Stdout(BufWriter<std::io::Stdout>),
    /// A regular file has its name once it is complete; links are followed, and what else there may
    /// be (a pipe, a device) is written to.
    File(Unfinished),
}

impl Target {
    /// Opens what is there, or begins what will be; `what` it is, for messages.
    pub(crate) fn create(what: &str, path: &Path) -> Result<Self, Failure> {
        if is_stdout(path) {
            return Ok(Self::Stdout(BufWriter::new(std::io::stdout())));
        }
        let wrong =
            |why: &str| Failure::usage(anyhow!("cannot write {what} {}: {why}", path.display()));
        let folder = path.parent().unwrap_or(Path::new(""));
        // A folder that somebody misspelt is not made.
        if !(folder.as_os_str().is_empty() || folder.is_dir()) {
            return Err(wrong("its folder does not exist"));
        }
        let name = match path.file_name().and_then(OsStr::to_str) {
            Some(name) if !path.is_dir() => name,
            Some(_) => return Err(wrong("it is a folder")),
            None => return Err(wrong("it names no file")),
        };
        Folder::files(folder).write(name).map(Self::File).map_err(Failure::usage)
    }

    /// Ends it; a regular file appears now.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::Stdout(mut out) => Ok(out.flush()?),
            Self::File(file) => Ok(file.finish()?),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(file) => file.flush(),
        }
    }
}
