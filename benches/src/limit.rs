//! The limit: reading the log and splitting it into lines, and nothing else.

use anyhow::Result;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) const READ_BYTES: usize = 1 << 20;

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

/// Does `work` for every file, shared out to threads; results in the order of the files.
pub(crate) fn files<T: Send>(
    paths: &[PathBuf],
    threads: usize,
    work: impl Fn(usize, &Path) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let share = || -> Result<Vec<(usize, T)>> {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(number) else { return Ok(done) };
            done.push((number, work(number, path)?));
        }
    };
    let mut all = std::thread::scope(|scope| -> Result<Vec<(usize, T)>> {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(share)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??);
        }
        Ok(all)
    })?;
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}
