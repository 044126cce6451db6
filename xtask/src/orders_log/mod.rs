//! Deterministic logs of order events: the demo's and the benchmark's. The same arguments give the
//! same bytes on every machine: whole numbers only, a small generator of our own, no clock.

mod bench;
mod demo;
pub mod event;
mod random;
mod story;
mod zipf;

pub use bench::{Shape, write_bench};
pub use demo::write_demo;
pub use random::Random;
pub use zipf::Zipf;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What a log holds, and what a replay of it through the reducer `orders` must count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files, each a partition.
    pub files: u64,
    /// Their sizes together.
    pub bytes: u64,
    /// Lines.
    pub events: u64,
    /// Payments, refunds and chargebacks that count.
    pub applied: u64,
    /// Refunds larger than what was captured.
    pub rejected: u64,
    /// Lines that repeat one before.
    pub duplicates: u64,
    /// Lines with the id of one before and other content.
    pub conflicts: u64,
    /// Lines that cannot be read.
    pub malformed: u64,
    /// Events of types that no input knows.
    pub ignored: u64,
    /// Accounts with at least one event that counts.
    pub keys: u64,
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.events += other.events;
        self.applied += other.applied;
        self.rejected += other.rejected;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.malformed += other.malformed;
        self.ignored += other.ignored;
        self.keys += other.keys;
    }
}

/// Where the lines of one file go.
struct Writer {
    file: io::BufWriter<File>,
    bytes: u64,
}

impl Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.bytes += line.len() as u64;
        self.file.write_all(line)
    }
}

/// Writes `files` files with a thread each; `prefix` is `events` or `orders`.
fn write_files(
    dir: &Path,
    prefix: &str,
    files: u64,
    write: impl Fn(u64, &mut Writer) -> io::Result<Summary> + Sync,
) -> io::Result<Summary> {
    fs::create_dir_all(dir)?;
    let one = |number: u64| {
        let path = dir.join(format!("{prefix}-{number}.jsonl"));
        let mut out =
            Writer { file: io::BufWriter::with_capacity(1 << 20, File::create(path)?), bytes: 0 };
        let mut summary = write(number, &mut out)?;
        out.file.flush()?;
        summary.bytes = out.bytes;
        Ok::<_, io::Error>(summary)
    };
    let mut sum = Summary::default();
    for_each_file(files, one)?.iter().for_each(|summary| sum.add(summary));
    Ok(sum)
}

/// Does `work` for the number of each file, on a thread each; results in the order of the files.
///
/// # Errors
/// The first of `work`, or that a thread panicked.
pub fn for_each_file<T: Send, E: From<io::Error> + Send>(
    files: u64,
    work: impl Fn(u64) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..files).map(|n| scope.spawn(move || work(n))).collect();
        let panicked = |_| io::Error::other("a writer panicked");
        threads.into_iter().map(|thread| thread.join().map_err(panicked)?).collect()
    })
}

#[cfg(test)]
mod tests;
