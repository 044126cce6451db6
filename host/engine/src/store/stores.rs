//! Who is asked for what does not lie on this machine. Nothing here reads the environment, a
//! profile or a home folder: whoever embeds the engine says where stores are and with which
//! credentials they are asked.

use super::az::Az;
use super::gs::Gs;
use super::hdfs::Hdfs;
use super::http::Http;
use super::remote::{Io, Remote};
use super::s3::S3;
use super::url::{InBucket, Kind};
use super::{Folder, StoreError};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How each kind of store is reached; none: URLs of that kind are refused.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// How the way to those that speak HTTP leads.
    pub http: Http,
    /// How a variable of the environment is read that a job names; none: it has none.
    pub variables: Option<Variables>,
    /// `s3:`
    pub s3: Option<S3>,
    /// `gs:`
    pub gs: Option<Gs>,
    /// `az:`
    pub az: Option<Az>,
    /// `hdfs:`
    pub hdfs: Option<Hdfs>,
}

/// Gives the value of a variable.
pub type ReadVariable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// How a variable of the environment is read.
#[derive(Clone)]
pub struct Variables(pub Arc<ReadVariable>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}

/// The stores that URLs may name. Copies share what they opened: a bucket has one client, whoever
/// asks it.
#[derive(Clone, Default)]
pub struct Stores(Arc<Inner>);

#[derive(Default)]
struct Inner {
    access: Access,
    /// The buckets that were opened, by their URLs.
    opened: Mutex<BTreeMap<String, Remote>>,
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stores").field(&self.0.access).finish()
    }
}

impl Stores {
    /// Stores that are reached so. The default reaches none.
    pub fn new(access: Access) -> Self {
        Self(Arc::new(Inner { access, opened: Mutex::default() }))
    }

    /// A variable of the environment that a job names.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.0.access.variables.as_ref().and_then(|variables| (variables.0)(name))
    }

    /// How the way to those that speak HTTP leads.
    pub(crate) fn http(&self) -> &Http {
        &self.0.access.http
    }

    /// The bucket in which a place lies.
    pub(super) fn bucket(&self, place: &InBucket) -> Result<Remote, StoreError> {
        let root = place.root();
        let mut opened = self.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = opened.get(&root) {
            return Ok(remote.clone());
        }
        let io = Io::start()?;
        let (access, bucket) = (&self.0.access, &place.bucket);
        let store = match place.kind {
            Kind::S3 => access.s3.as_ref().map(|s3| s3.open(bucket, &access.http)),
            Kind::Gs => access.gs.as_ref().map(|gs| gs.open(bucket, &access.http)),
            Kind::Az => access.az.as_ref().map(|az| az.open(bucket, &access.http)),
            Kind::Hdfs => access.hdfs.as_ref().map(|hdfs| hdfs.open(bucket, io.handle())),
        };
        let unset = || StoreError::NoAccess { url: root.clone(), scheme: place.kind.scheme() };
        let unusable = |why| StoreError::Unusable { url: root.clone(), why };
        let store = store.ok_or_else(unset)?.map_err(unusable)?;
        let remote = Remote::root(store, io, place.kind == Kind::Hdfs);
        opened.insert(root, remote.clone());
        Ok(remote)
    }
}

/// Where URLs start: relative ones at a folder of this machine, others in a store that is known.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// The folder at which relative paths start.
    pub folder: PathBuf,
    /// The stores that URLs may name.
    pub stores: Stores,
}

/// No store is known.
impl From<&Path> for Base {
    fn from(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), stores: Stores::default() }
    }
}

impl From<&PathBuf> for Base {
    fn from(folder: &PathBuf) -> Self {
        Self::from(folder.as_path())
    }
}

impl From<&Base> for Base {
    fn from(base: &Base) -> Self {
        base.clone()
    }
}

/// A folder of this machine.
impl From<&Path> for Folder {
    fn from(path: &Path) -> Self {
        Self::files(path)
    }
}

impl From<&PathBuf> for Folder {
    fn from(path: &PathBuf) -> Self {
        Self::files(path)
    }
}

impl From<PathBuf> for Folder {
    fn from(path: PathBuf) -> Self {
        Self::files(&path)
    }
}

impl From<&Folder> for Folder {
    fn from(folder: &Folder) -> Self {
        folder.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::s3::{Credentials, Keys};
    use super::*;

    #[test]
    fn a_bucket_is_opened_once_and_only_where_somebody_said_how() {
        let open = |stores: &Stores, url: &str| {
            Folder::open(url, Base { stores: stores.clone(), ..Base::default() })
        };
        let none = open(&Stores::default(), "s3://bucket/x").unwrap_err();
        assert!(matches!(none, StoreError::NoAccess { .. }), "{none}");
        assert!(none.is_usage());
        let credentials = Credentials::keys(Keys {
            access_key_id: "id".into(),
            secret_access_key: "SECRET".into(),
            session_token: Some("SECRET".into()),
        });
        let s3 = S3 { credentials, ..S3::default() };
        let stores = Stores::new(Access { s3: Some(s3), ..Access::default() });
        assert!(!format!("{stores:?}").contains("SECRET"));
        let a = open(&stores, "s3://bucket/x/").unwrap();
        assert!(a.is_same(&open(&stores.clone(), "s3://bucket/x").unwrap()));
        assert!(!a.is_same(&open(&stores, "s3://other/x").unwrap()));
        assert_eq!(a.show("y"), "s3://bucket/x/y");
        let (above, name) = a.split().unwrap();
        assert_eq!((above.show(""), name.as_str()), ("s3://bucket/".to_owned(), "x"));
        let s3 = |endpoint: &str, allow_http| S3 {
            endpoint: Some(endpoint.to_owned()),
            allow_http,
            ..S3::default()
        };
        for (s3, says) in [
            (s3("http://127.0.0.1:1", false), "without encryption"),
            (s3("https://user:SECRET@host", true), "a user stands in it"),
            (s3("nonsense", true), "is no URL"),
        ] {
            let error =
                open(&Stores::new(Access { s3: Some(s3), ..Access::default() }), "s3://bucket/x")
                    .unwrap_err();
            let error = error.to_string();
            assert!(error.contains(says) && !error.contains("SECRET"), "{error}");
        }
    }
}
