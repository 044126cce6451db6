//! Folders and files of this machine: what [`super::Folder`] asks of the operating system.

use super::{Entry, EntryKind, Meta};
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
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
pub(crate) fn about(meta: &Metadata) -> Meta {
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

/// Where bytes that are written go, and how they get the name that was asked for.
pub(super) struct Destination {
    pub(super) file: File,
    /// Its name while it is unfinished, and the name that it has then; none: what has the name is
    /// no regular file (a pipe, a device), and is written to.
    pub(super) named: Option<(PathBuf, PathBuf)>,
}

/// Opens what `path` is to become. Links are followed, so that none is cut off.
pub(super) fn destination(path: &Path) -> io::Result<Destination> {
    let Some((path, before)) = replaced(path)? else {
        let file = OpenOptions::new().append(true).open(path)?;
        return Ok(Destination { file, named: None });
    };
    let (file, temporary) = temporary(&path)?;
    // Who may read what is replaced may read what comes in its place, and nobody else.
    if let Some(before) = before {
        file.set_permissions(before.permissions())?;
    }
    Ok(Destination { file, named: Some((temporary, path)) })
}

/// The place to which links at `path` lead, if what is there is a regular file, or nothing yet.
fn replaced(path: &Path) -> io::Result<Option<(PathBuf, Option<Metadata>)>> {
    /// Links that one name may lead through, as Linux has it.
    const LINKS: usize = 40;
    let mut at = std::path::absolute(path)?;
    for _ in 0..=LINKS {
        // Links there are made up by the system: /dev/stdout is whatever a shell opened.
        if at.starts_with("/proc") || at.starts_with("/dev/fd") {
            return Ok(None);
        }
        match some(fs::symlink_metadata(&at))? {
            Some(meta) if meta.is_symlink() => {
                let to = fs::read_link(&at)?;
                at = at.parent().unwrap_or(Path::new("")).join(to);
            }
            Some(meta) if meta.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Some(meta) if !meta.is_file() => return Ok(None),
            before => return Ok(Some((at, before))),
        }
    }
    Err(io::Error::other("too many links lead to one another"))
}

/// Whether a name is that of a file which this program writes or wrote, and did not finish.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(UNFINISHED)
}

/// Whether somebody still writes an unfinished file. The lock goes with the process that holds it;
/// where the file system knows no locks, the file counts as written.
pub(super) fn is_held(path: &Path) -> io::Result<bool> {
    let Some(file) = some(File::open(path))? else { return Ok(false) };
    Ok(match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
    })
}

/// The file at `path`, made if need be and locked; none: somebody else has locked it. Where the
/// file system knows no locks, whoever comes has it.
pub(super) fn mark(path: &Path) -> io::Result<Option<File>> {
    loop {
        make(path.parent().unwrap_or(Path::new("")))?;
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = match opened {
            // Whoever cleared the folder away took it along.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened?,
        };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Ok(None);
        }
        // Whoever was done with it meanwhile has removed what was opened here.
        let is_there = some(fs::metadata(path))?;
        if is_there.is_some_and(|there| file.metadata().is_ok_and(|own| same_file(&own, &there))) {
            return Ok(Some(file));
        }
    }
}

fn same_file(a: &Metadata, b: &Metadata) -> bool {
    inode(a) == inode(b)
}

const UNFINISHED: &str = ".unfinished";

/// A new file beside `path`, under a name that nobody else writes to and no log has, locked for as
/// long as it is open.
pub(super) fn temporary(path: &Path) -> io::Result<(File, PathBuf)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().unwrap_or(Path::new(""));
    make(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{name}.{}-{number}{UNFINISHED}", std::process::id());
        let temporary = folder.join(temporary);
        match File::create_new(&temporary) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            created => {
                let file = created?;
                // Without locks it is only not known to be abandoned.
                let _ = file.try_lock();
                return Ok((file, temporary));
            }
        }
    }
}

/// The files in a folder and below it, by their paths, with their sizes; links are not followed.
pub(super) fn walk(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let (mut found, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(below) = folders.pop() {
        for entry in some(fs::read_dir(folder.join(&below)))?.into_iter().flatten() {
            let entry = entry?;
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            let meta = entry.metadata()?;
            match meta.is_dir() {
                true => folders.push(format!("{name}/")),
                false => found.push((name, meta.len())),
            }
        }
    }
    Ok(found)
}

/// Removes what lies in a folder, and the folder where that can be: a link to one stays.
pub(super) fn delete_all(folder: &Path) -> io::Result<()> {
    for entry in some(fs::read_dir(folder))?.into_iter().flatten() {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        let remove = if is_folder { fs::remove_dir_all } else { fs::remove_file };
        remove(entry.path())?;
    }
    let _ = fs::remove_dir(folder);
    Ok(())
}

/// Makes a link lead to what lies beside it as `target`, whole or not at all: whoever follows it
/// meanwhile comes to the old place or to the new one. What is there and is no link stays.
#[cfg(unix)]
pub(crate) fn point(link: &Path, target: &str) -> io::Result<()> {
    if some(fs::symlink_metadata(link))?.is_some_and(|there| !there.is_symlink()) {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "something that is no link is there"));
    }
    // The file only keeps the name; nobody else has it.
    let (_, unfinished) = temporary(link)?;
    fs::remove_file(&unfinished)?;
    std::os::unix::fs::symlink(target, &unfinished)?;
    fs::rename(&unfinished, link).inspect_err(|_| _ = fs::remove_file(&unfinished))
}

/// Elsewhere links need rights that few have.
#[cfg(not(unix))]
pub(crate) fn point(_: &Path, _: &str) -> io::Result<()> {
    Ok(())
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
