//! The limit: reading the log and splitting it into lines, and nothing else.

use crate::native::files;
use anyhow::Result;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
pub(crate) const READ_BYTES: usize = 1 << 20;

/// Counts the lines.
pub(crate) fn split(paths: &[PathBuf], threads: usize) -> Result<u64> {
    let counts = files(paths, threads, |_, path| {
        let mut count = 0;
        lines(path, |_| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    })?;
    Ok(counts.iter().sum())
}

/// Reads a file a megabyte at a time and gives its lines without their line feeds.
pub(crate) fn lines(path: &Path, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut held = 0;
    loop {
        if held == buffer.len() {
            buffer.resize(2 * held, 0);
        }
        let read = file.read(&mut buffer[held..])?;
        if read == 0 {
            break;
        }
        let end = held + read;
        let mut start = 0;
        for at in memchr::memchr_iter(b'\n', &buffer[..end]) {
            each(&buffer[start..at])?;
            start = at + 1;
        }
        buffer.copy_within(start..end, 0);
        held = end - start;
    }
    if held > 0 {
        each(&buffer[..held])?;
    }
    Ok(())
}
