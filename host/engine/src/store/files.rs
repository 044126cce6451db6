//! Folders and files of this machine: what [`super::Folder`] asks of the operating system.

use super::{Entry, EntryKind, Meta};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

/// What came of looking for something that need not be there.
pub(super) fn some<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

/// What lies in a folder; links are followed.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in some(fs::read_dir(folder))?.into_iter().flatten() {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| {
            io::Error::new(ErrorKind::InvalidData, format!("the name {name:?} in it is no text"))
        })?;
        let kind = match some(fs::metadata(entry.path()))? {
            Some(meta) if meta.is_dir() => EntryKind::Folder,
            Some(meta) if meta.is_file() && !is_upload(&name) => EntryKind::Object(about(&meta)),
            Some(_) | None => EntryKind::Other,
        };
        entries.push(Entry { name, kind });
    }
    Ok(entries)
}

/// Whether a name is one that other programs give to what they have not finished: `x#1`.
fn is_upload(name: &str) -> bool {
    let digits = |behind: &str| !behind.is_empty() && behind.bytes().all(|b| b.is_ascii_digit());
    name.split_once('#').is_some_and(|(_, behind)| digits(behind))
}

/// What is known of a file; none: there is none.
pub(super) fn head(path: &Path) -> io::Result<Option<Meta>> {
    Ok(some(fs::metadata(path))?.filter(Metadata::is_file).map(|meta| about(&meta)))
}

/// What tells a file from any other that had its name: where it lies, when it was written, its
/// size.
pub(super) fn about(meta: &Metadata) -> Meta {
    let since = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let micros = since.unwrap_or_default().as_micros();
    let etag = format!("{:x}-{micros:x}-{:x}", inode(meta), meta.len());
    let modified_micros = i64::try_from(micros).unwrap_or(i64::MAX);
    Meta { bytes: meta.len(), etag: Some(etag), version: None, modified_micros }
}

#[cfg(unix)]
fn inode(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// A new file beside `path`, under a name that nobody else writes to and no log has.
pub(super) fn temporary(path: &Path) -> io::Result<(File, PathBuf)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().unwrap_or(Path::new(""));
    make(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{name}.{}-{number}.unfinished", std::process::id());
        let temporary = folder.join(temporary);
        match File::create_new(&temporary) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            created => return Ok((created?, temporary)),
        }
    }
}

/// Makes a folder and those above it, each for good.
fn make(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make(above)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made.and_then(|()| sync(above)),
    }
}

/// Makes the names in a folder outlive a loss of power.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Only Unix can open a folder as a file; elsewhere a rename is durable as it is.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
