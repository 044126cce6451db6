//! Stores behind [`object_store`], which are async, asked by threads that wait.

use super::{Entry, EntryKind, Meta, StoreError};
use crate::limits::MANIFEST_MAX_BYTES;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path as StorePath;
use object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
    Result, UpdateVersion,
};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

/// Where an object is put.
pub(super) enum New {
    /// Where none is.
    Absent,
    /// In place of this one.
    InPlaceOf(Meta),
}

/// A prefix in a store.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) store: Arc<dyn ObjectStore>,
    io: Arc<Io>,
    prefix: String,
    /// Whether folders are there by themselves, and stay when nothing is in them any more.
    pub(super) has_folders: bool,
}

impl Remote {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        shown: &str,
    ) -> std::result::Result<Self, StoreError> {
        if let Err(e) = StorePath::parse(prefix) {
            return Err(StoreError::BadUrl { url: shown.to_owned(), why: e.to_string() });
        }
        let prefix = prefix.trim_matches('/').to_owned();
        Ok(Self { prefix, ..Self::root(store, Io::start()?, false) })
    }

    /// All of a store.
    pub(super) fn root(store: Arc<dyn ObjectStore>, io: Io, has_folders: bool) -> Self {
        Self { store, io: Arc::new(io), prefix: String::new(), has_folders }
    }

    pub(super) fn below(&self, name: &str) -> Self {
        Self { prefix: self.path(name), ..self.clone() }
    }

    pub(super) fn split(&self) -> Option<(Self, String)> {
        let (above, name) = match self.prefix.rsplit_once('/') {
            Some((above, name)) => (above.to_owned(), name.to_owned()),
            None => (String::new(), self.prefix.clone()),
        };
        (!name.is_empty()).then(|| (Self { prefix: above, ..self.clone() }, name))
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store) && self.prefix == other.prefix
    }

    /// Begins something that nobody waits for.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.io.handle.spawn(future);
    }

    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.io.handle.block_on(future)
    }

    fn path(&self, name: &str) -> String {
        let parts = self.prefix.split('/').chain(name.split('/'));
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// Where `name` lies in the store: as it is written, where a path of parts would escape it.
    pub(super) fn at(&self, name: &str) -> Result<StorePath> {
        Ok(StorePath::parse(self.path(name))?)
    }

    pub(super) fn list(&self, name: &str) -> Result<Vec<Entry>> {
        let listed = self.wait(self.store.list_with_delimiter(Some(&self.at(name)?)))?;
        let named = |path: &StorePath, kind| {
            path.filename().map(|name| Entry { name: name.to_owned(), kind })
        };
        let objects =
            listed.objects.iter().map(|o| named(&o.location, EntryKind::Object(about(o))));
        let folders = listed.common_prefixes.iter().map(|path| named(path, EntryKind::Folder));
        Ok(objects.chain(folders).flatten().collect())
    }

    /// Whether nothing lies in the folder: where there are none but by name, one page tells.
    pub(super) fn is_empty(&self) -> Result<bool> {
        if self.has_folders {
            return Ok(self.list("")?.is_empty());
        }
        let mut objects = self.store.list(Some(&self.at("")?));
        Ok(self.wait(objects.try_next())?.is_none())
    }

    /// The objects below the folder, by their paths, with their sizes.
    pub(super) fn walk(&self) -> Result<Vec<(String, u64)>> {
        let front = self.at("")?;
        let objects = self.wait(self.store.list(Some(&front)).try_collect::<Vec<_>>())?;
        let path = |object: ObjectMeta| {
            let parts = object.location.prefix_match(&front)?;
            let parts: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
            Some((parts.join("/"), object.size))
        };
        Ok(objects.into_iter().filter_map(path).collect())
    }

    pub(super) fn head(&self, name: &str) -> Result<Option<Meta>> {
        Ok(some(self.wait(self.store.head(&self.at(name)?)))?.map(|meta| about(&meta)))
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Bytes>> {
        let path = self.at(name)?;
        let read = async {
            let got = self.store.get(&path).await?;
            let bytes = got.meta.size;
            if bytes > MANIFEST_MAX_BYTES {
                let text = format!("it has {bytes} bytes, more than such an object may have");
                return Err(Error::Generic { store: "Retally", source: text.into() });
            }
            got.bytes().await
        };
        some(self.wait(read))
    }

    /// Puts an object where none is, or in place of the one that was looked at, and gives its ETag;
    /// none: somebody else did.
    pub(super) fn put_if(
        &self,
        name: &str,
        bytes: &[u8],
        how: New,
    ) -> Result<Option<Option<String>>> {
        let mode = match how {
            New::Absent => PutMode::Create,
            New::InPlaceOf(Meta { etag: e_tag, version, .. }) => {
                PutMode::Update(UpdateVersion { e_tag, version })
            }
        };
        let path = self.at(name)?;
        let payload = PutPayload::from(bytes.to_vec());
        let put = self.wait(self.store.put_opts(&path, payload, mode.into()));
        match put {
            Ok(put) => Ok(Some(put.e_tag)),
            Err(
                Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. },
            ) => {
                // The first answer may have been lost: then what is there is what was put.
                let read = async {
                    let got = self.store.get(&path).await?;
                    let etag = got.meta.e_tag.clone();
                    Ok((got.meta.size == bytes.len() as u64).then_some((got.bytes().await?, etag)))
                };
                let there = some(self.wait(read))?.flatten();
                Ok(there.filter(|(there, _)| there == bytes).map(|(_, etag)| etag))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn delete(&self, name: &str) -> Result<()> {
        some(self.wait(self.store.delete(&self.at(name)?))).map(|_| ())
    }

    pub(super) fn delete_all(&self) -> Result<()> {
        let front = self.at("")?;
        let objects = self.wait(self.store.list(Some(&front)).try_collect::<Vec<_>>())?;
        let mut folders = BTreeSet::from([front.to_string()]);
        for ObjectMeta { location, .. } in &objects {
            some(self.wait(self.store.delete(location)))?;
            let mut inside = location.as_ref();
            while let Some((above, _)) =
                inside.rsplit_once('/').filter(|_| inside != front.as_ref())
            {
                folders.insert(above.to_owned());
                inside = above;
            }
        }
        if self.has_folders {
            // The inner ones first; one in which somebody put something meanwhile stays.
            for folder in folders.iter().rev().filter(|folder| !folder.is_empty()) {
                let _ = self.wait(self.store.delete(&StorePath::parse(folder)?));
            }
        }
        Ok(())
    }

    /// What came of asking for bytes of an object that must be the one that `meta` tells of.
    pub(super) fn same(meta: &Meta, range: GetRange) -> GetOptions {
        let (if_match, version) = (meta.etag.clone(), meta.version.clone());
        GetOptions { range: Some(range), if_match, version, ..GetOptions::default() }
    }
}

pub(super) fn about(meta: &ObjectMeta) -> Meta {
    // An ETag without a character in it tells no versions apart.
    let etag = meta.e_tag.clone().filter(|etag| !etag.trim_matches('"').is_empty());
    // Listings tell times more exactly than answers with an object do.
    let modified_micros = meta.last_modified.timestamp() * 1_000_000;
    Meta { bytes: meta.size, etag, version: meta.version.clone(), modified_micros }
}

fn some<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits for stores, which are async. The runtime is there until this is dropped.
#[derive(Debug)]
pub(super) struct Io {
    handle: tokio::runtime::Handle,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Io {
    pub(super) fn start() -> std::result::Result<Self, StoreError> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("retally-io").enable_all().build();
        let runtime = runtime.map_err(StoreError::Runtime)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(super) fn handle(&self) -> &tokio::runtime::Handle {
        &self.handle
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        // Waiting for its threads here would panic inside an embedder's async task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
