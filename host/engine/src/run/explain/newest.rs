//! The newest finished run of a job.

use crate::job::Resolved;
use std::path::PathBuf;

/// The newest finished run in the job's output folder: of the names that the job gives, the last.
pub fn newest_run(job: &Resolved) -> Option<PathBuf> {
    let front = format!("{}-", job.name);
    let entries = std::fs::read_dir(job.path(&job.output)).ok()?;
    let own = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let stamp = name.strip_prefix(&front)?;
        // A time, and a number where two runs began in one second.
        let (time, number) = stamp.split_once('-').unwrap_or((stamp, "1"));
        let number: u32 = number.parse().ok()?;
        let is_time = time.starts_with(|c: char| c.is_ascii_digit()) && time.ends_with('Z');
        let is_run = is_time && entry.path().join("manifest.json").is_file();
        is_run.then(|| ((time.to_owned(), number), entry.path()))
    };
    entries.filter_map(own).max().map(|(_, path)| path)
}
