//! Where things lie and how they are stored: the one layer that knows schemes, files and stores.
//!
//! A [`Folder`] is a place that holds objects by name, `/` between the parts of a name: a folder of
//! this machine, or a prefix in a store. Logs, run directories, snapshots and reports all lie in
//! folders, so what holds for one holds for all: an object appears under its name **whole or not at
//! all**, and once a call that writes has returned, it outlives a loss of power.
//!
//! Files are read and written as files: an open file is read in place, and what is written gets a
//! temporary name that begins with `.`, is synced, renamed, and its folder synced. All other stores
//! are asked through [`object_store`]: those that URLs name as whoever embeds the engine says
//! ([`Stores`]), any other by whoever has one ([`Folder::over`]). A folder that takes several
//! objects to fill is marked meanwhile ([`Claim`]).
//!
//! What a store must give, and so what a new one needs beside a line in `url.rs` and a file like
//! `s3.rs`: one object put at a time whole ([`Folder::put`]), also only where none is
//! ([`Folder::put_new`]); multipart uploads that appear when completed and can be aborted
//! ([`Folder::write`]); an ETag that differs when bytes do, and `If-Match` on reads
//! ([`Opened`]); listing by delimiter ([`Folder::list`]). Nothing is renamed and no folder is made,
//! for no store has either but HDFS, which does so for itself.
//!
//! All of it blocks. It may be called from any thread but those of an async runtime's tasks.

mod ask;
pub mod az;
mod claim;
mod error;
mod files;
pub mod gs;
pub mod hdfs;
mod hdfs_files;
mod http;
mod opened;
mod pump;
mod remote;
pub mod s3;
mod stores;
#[cfg(test)]
mod tests;
mod told;
mod unfinished;
mod url;

pub(crate) use ask::Asker;
pub(crate) use claim::is_mark;
pub use claim::{Claim, Filling};
pub use error::StoreError;
pub(crate) use error::advice;
pub(crate) use files::{about, is_unfinished, point};
pub use http::Http;
pub use opened::{Opened, Stored};
pub use stores::{Access, Base, ReadVariable, Stores, Variables};
pub(crate) use unfinished::Finishing;
pub use unfinished::Unfinished;
pub use url::{InBucket, Kind, Named, Scheme, local_path};

use crate::bounded;
use crate::limits::MANIFEST_MAX_BYTES;
use bytes::Bytes;
use object_store::ObjectStore;
use remote::{New, Remote};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place that holds objects by name. Opening one looks at nothing and makes nothing; whatever is
/// asked of one later fails when the store does not do it, with the name of the object.
#[derive(Debug, Clone)]
pub struct Folder {
    at: At,
    /// As a person wrote it, with a slash behind it unless empty, for messages.
    shown: String,
    /// How many more steps that change something are done, before all fail as after a crash.
    #[cfg(test)]
    pub(crate) steps: Option<Arc<std::sync::atomic::AtomicU32>>,
}

#[derive(Debug, Clone)]
enum At {
    Files(PathBuf),
    Remote(Remote),
}

/// What a store says of an object: enough to tell it from any other that had its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Its size.
    pub bytes: u64,
    /// Its ETag; of a file what stands for one, which changes with every copy.
    pub etag: Option<String>,
    version: Option<String>,
    modified_micros: i64,
}

impl Meta {
    /// Its ETag without the quotes, which Azure writes around it in some answers alone.
    fn bare_etag(&self) -> Option<&str> {
        self.etag.as_deref().map(|etag| etag.trim_matches('"'))
    }

    /// How an object differs from what it was; none: it is the same.
    pub fn difference(&self, now: &Self) -> Option<String> {
        if self.bytes != now.bytes {
            Some(format!("{} bytes, now {}", self.bytes, now.bytes))
        } else if self.etag.is_some() && self.bare_etag() != now.bare_etag() {
            Some("its ETag or time differs".into())
        } else if self.etag.is_none() && self.modified_micros != now.modified_micros {
            Some("its time differs".into())
        } else {
            None
        }
    }
}

/// What lies in a folder under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without what is above it.
    pub name: String,
    /// What has it.
    pub kind: EntryKind,
}

/// What has a name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// An object.
    Object(Meta),
    /// A folder.
    Folder,
    /// A link that leads nowhere, a pipe, a device, or a name like those of unfinished uploads.
    Other,
}

impl Folder {
    /// The folder at `url`; a relative path starts at `base`, which also knows the stores.
    ///
    /// # Errors
    /// A scheme that is unknown or of no store, a URL that names no place, and a store that
    /// cannot be asked.
    pub fn open(url: &str, base: impl Into<Base>) -> Result<Self, StoreError> {
        let base = base.into();
        let text = match Named::by(url)? {
            Named::Path(text) => text,
            Named::Object(place) => return Self::within(&base.stores, &place),
        };
        if text.is_empty() {
            let why = "it is empty; name a folder (\"file:folder/\")".to_owned();
            return Err(StoreError::BadUrl { url: url.to_owned(), why });
        }
        Ok(Self::files(&base.folder.join(text)))
    }

    /// The folder that a path in a bucket is.
    pub(crate) fn within(stores: &Stores, place: &InBucket) -> Result<Self, StoreError> {
        let root = Self::at(At::Remote(stores.bucket(place)?), place.root());
        let path = place.path.trim_matches('/');
        Ok(if path.is_empty() { root } else { root.below(path) })
    }

    /// A folder of this machine.
    pub fn files(path: &Path) -> Self {
        let shown = path.display().to_string();
        Self::shown_as(path, if shown.is_empty() { shown } else { with_slash(&shown) })
    }

    /// The same, with the name that messages have for it.
    pub(crate) fn shown_as(path: &Path, shown: String) -> Self {
        // An empty path is the working folder, which "" does not name to the operating system.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        // As a list of its parts, so that `a/b/` and `a/b` are the same folder.
        Self::at(At::Files(path.components().collect()), shown)
    }

    /// The folder `prefix` of somebody's store, which messages call `shown`.
    ///
    /// # Errors
    /// A prefix that is no path, and a machine that starts no thread.
    pub fn over(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        shown: &str,
    ) -> Result<Self, StoreError> {
        let remote = Remote::new(store, prefix, shown)?;
        Ok(Self::at(At::Remote(remote), with_slash(shown)))
    }

    /// The store in which it lies, for whoever has more to ask of it; none: on this machine. What
    /// asks it must run where its runtime, of tokio, is.
    pub fn store(&self) -> Option<Arc<dyn ObjectStore>> {
        match &self.at {
            At::Files(_) => None,
            At::Remote(remote) => Some(remote.store.clone()),
        }
    }

    fn at(at: At, shown: String) -> Self {
        Self {
            at,
            shown,
            #[cfg(test)]
            steps: None,
        }
    }

    /// A step that changes something is about to be done: tests count them.
    fn step(&self, _name: &str) -> Result<(), StoreError> {
        #[cfg(test)]
        if let Some(steps) = &self.steps {
            use std::sync::atomic::Ordering::Relaxed;
            let left = steps.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
            let stopped = |_| self.failed("write", _name, io::Error::other("the machine stopped"));
            left.map_err(stopped)?;
        }
        Ok(())
    }

    /// A folder in this one.
    pub fn below(&self, name: &str) -> Self {
        let at = match &self.at {
            At::Files(_) => At::Files(self.path(name)),
            At::Remote(remote) => At::Remote(remote.below(name)),
        };
        let mut below = self.clone();
        (below.at, below.shown) = (at, with_slash(&self.show(name)));
        below
    }

    /// The folder around this one and the name of this one in it, if it is there and in one.
    pub fn split(&self) -> Option<(Self, String)> {
        match &self.at {
            At::Files(path) => {
                let path = std::fs::canonicalize(path).ok()?;
                let name = path.file_name()?.to_str()?.to_owned();
                Some((Self::files(path.parent()?), name))
            }
            At::Remote(remote) => {
                let (above, name) = remote.split()?;
                let shown = self.shown.strip_suffix(&format!("{name}/")).unwrap_or("").to_owned();
                Some((Self::at(At::Remote(above), shown), name))
            }
        }
    }

    /// Whether two are the same folder, however they are written.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.at, &other.at) {
            (At::Files(a), At::Files(b)) => {
                let real = |path: &PathBuf| std::fs::canonicalize(path).ok();
                a == b || real(a).is_some_and(|path| real(b) == Some(path))
            }
            (At::Remote(a), At::Remote(b)) => a.is_same(b),
            (At::Files(_), At::Remote(_)) | (At::Remote(_), At::Files(_)) => false,
        }
    }

    /// An object as messages name it; the folder itself if `name` is empty.
    pub fn show(&self, name: &str) -> String {
        format!("{}{name}", self.shown)
    }

    /// Where it lies, for people and for messages: without a slash behind it.
    pub fn place(&self) -> PathBuf {
        let shown = || self.shown.strip_suffix('/').unwrap_or(&self.shown).into();
        self.file("").unwrap_or_else(shown)
    }

    /// Where `name` lies on this machine, if the folder does.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        matches!(self.at, At::Files(_)).then(|| self.path(name))
    }

    /// What lies right below `name` (itself, if empty), sorted by the bytes of the names. Nothing
    /// lies in a folder that does not exist.
    pub fn list(&self, name: &str) -> Result<Vec<Entry>, StoreError> {
        let mut entries = self.ask("read", name, files::list, |remote| remote.list(name))?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Whether nothing lies in the folder, or it does not exist.
    pub(crate) fn is_empty(&self) -> Result<bool, StoreError> {
        let none = |path: &Path| Ok(files::list(path)?.is_empty());
        self.ask("read", "", none, Remote::is_empty)
    }

    /// The objects in the folder and below it, by their paths, sorted, with their sizes.
    pub fn walk(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut found = self.ask("read", "", files::walk, Remote::walk)?;
        found.sort_unstable();
        Ok(found)
    }

    /// What the store says of an object; none: there is no such object.
    pub fn head(&self, name: &str) -> Result<Option<Meta>, StoreError> {
        self.ask("read", name, files::head, |remote| remote.head(name))
    }

    /// The bytes of an object; none: there is no such object.
    pub fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let read = |path: &Path| {
            Ok(files::some(bounded::read(path, MANIFEST_MAX_BYTES))?.map(Bytes::from))
        };
        self.ask("read", name, read, |remote| remote.get(name))
    }

    /// Opens an object that is still what `meta` says, to read ranges or all of it.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it is not, and when the store does not give it.
    pub fn opened(&self, name: &str, meta: &Meta) -> Result<Opened, StoreError> {
        Opened::new(self, name, meta)
    }

    /// Whether an object is still what `meta` says.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it is not, and when the store does not say.
    pub fn unchanged(&self, name: &str, meta: &Meta) -> Result<(), StoreError> {
        let what = match self.head(name)? {
            Some(now) => meta.difference(&now),
            None => Some("it is gone".into()),
        };
        what.map_or(Ok(()), |what| Err(StoreError::Changed { path: self.show(name), what }))
    }

    /// Whether what the store gives when it is asked for an object is of one version, whatever
    /// becomes of the object meanwhile. Files, HDFS's too, are read where they lie.
    pub(crate) fn gives_versions(&self) -> bool {
        match &self.at {
            At::Files(_) => false,
            At::Remote(remote) => !remote.has_folders,
        }
    }

    /// Stores an object in place of what had its name. Of files: links are followed, and what is no
    /// regular file (a pipe, a device) is written to.
    ///
    /// # Errors
    /// When it could not be stored; then what had the name has it still.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut unfinished = self.write(name)?;
        unfinished.add(bytes)?;
        unfinished.finish()
    }

    /// Stores an object where none is; tells whether this one lies there then. Of several who do at
    /// once one does, wherever a store keeps what it promises; files are guarded by a [`Claim`].
    ///
    /// # Errors
    /// When it could not be stored.
    pub fn put_new(&self, name: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        match &self.at {
            At::Files(_) if self.head(name)?.is_some() => Ok(false),
            At::Files(_) => self.put(name, bytes).map(|()| true),
            At::Remote(remote) => {
                self.step(name)?;
                let put = remote.put_if(name, bytes, New::Absent);
                Ok(put.map_err(|error| self.refused("write", name, error))?.is_some())
            }
        }
    }

    /// Begins an object that grows; it appears under its name when it is finished.
    pub fn write(&self, name: &str) -> Result<Unfinished, StoreError> {
        self.step(name)?;
        Unfinished::new(self, name)
    }

    /// Removes an object, if there is one.
    pub fn delete(&self, name: &str) -> Result<(), StoreError> {
        let gone = |path: &Path| files::some(std::fs::remove_file(path)).map(|_| ());
        self.ask("remove", name, gone, |remote| remote.delete(name))
    }

    /// Removes all that is in the folder, and itself unless it is a link.
    pub fn delete_all(&self) -> Result<(), StoreError> {
        self.step("")?;
        self.ask("remove", "", files::delete_all, Remote::delete_all)
    }

    /// Asks the operating system, or the store.
    fn ask<T>(
        &self,
        verb: &'static str,
        name: &str,
        files: impl FnOnce(&Path) -> io::Result<T>,
        remote: impl FnOnce(&Remote) -> object_store::Result<T>,
    ) -> Result<T, StoreError> {
        match &self.at {
            At::Files(_) => files(&self.path(name)).map_err(|e| self.failed(verb, name, e)),
            At::Remote(asked) => remote(asked).map_err(|e| self.refused(verb, name, e)),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        let mut path = match &self.at {
            At::Files(path) => path.clone(),
            At::Remote(_) => PathBuf::new(),
        };
        path.extend(name.split('/').filter(|part| !part.is_empty()));
        path
    }

    fn failed(&self, verb: &'static str, name: &str, error: io::Error) -> StoreError {
        StoreError::io(verb, &self.show(name), &error)
    }

    fn refused(&self, verb: &'static str, name: &str, error: object_store::Error) -> StoreError {
        StoreError::refused(verb, self.show(name), &error)
    }
}

fn with_slash(shown: &str) -> String {
    if shown.ends_with('/') { shown.to_owned() } else { format!("{shown}/") }
}
