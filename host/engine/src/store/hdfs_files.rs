//! The files of an HDFS as objects of a store.
//!
//! A file is written under a temporary name beside the one that it gets, and renamed when it is
//! whole. Its length and the time at which it was written, in milliseconds, tell its versions
//! apart: the namenode says no more to a client. So a file that takes another's place in the same
//! millisecond with the same length is not told from it.

use futures::stream::{self, BoxStream, StreamExt};
use getrandom::fill;
use hdfs_native::client::{FileStatus, ListStatusIterator};
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, HdfsError, WriteOptions};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, Extensions, GetOptions, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, UploadPart,
};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::Mutex;

/// A namenode that answers nothing for so long is given up, with all that was tried meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// The files of one namenode or nameservice.
#[derive(Debug, Clone)]
pub(super) struct Files {
    client: Client,
}

impl Files {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What is known of a file.
    async fn about(&self, at: &Path) -> Result<ObjectMeta> {
        let found = within(self.client.get_file_info(&absolute(at))).await;
        match found {
            Ok(status) if !status.isdir => meta(&status),
            Ok(_) => Err(gone(at, "it is a folder")),
            Err(HdfsError::RPCError(class, said))
                if class.ends_with("ParentNotDirectoryException") =>
            {
                Err(gone(at, &said))
            }
            Err(error) => Err(refused(at, error)),
        }
    }

    /// A file under a temporary name.
    async fn begin(&self, at: &Path) -> Result<Begun> {
        let temporary = temporary(at)?;
        let made = within(self.client.create(&temporary, WriteOptions::default())).await;
        let writer = made.map_err(|error| refused(at, error))?;
        Ok(Begun { files: self.clone(), at: at.clone(), temporary, writer: Some(writer), parts: 0 })
    }

    /// Gives a temporary file its name, whole or not at all.
    async fn name(&self, temporary: &str, at: &Path, mode: &PutMode) -> Result<PutResult> {
        // A rename keeps it, and by then somebody else may have the name.
        let own = within(self.client.get_file_info(temporary)).await;
        let e_tag = Some(etag(&own.map_err(|error| refused(at, error))?));
        let aside = match mode {
            PutMode::Update(was) => Some(self.aside(at, was.e_tag.as_deref()).await?),
            PutMode::Create | PutMode::Overwrite => None,
        };
        let over = matches!(mode, PutMode::Overwrite);
        let renamed = within(self.client.rename(temporary, &absolute(at), over)).await;
        if let Some(aside) = aside {
            let taken = matches!(renamed, Ok(()) | Err(HdfsError::AlreadyExists(_)));
            // What the namenode said before is told, whatever it says now.
            let _ = match taken {
                true => self.remove(&aside).await,
                false => within(self.client.rename(&aside, &absolute(at), false)).await,
            };
        }
        renamed.map_err(|error| refused(at, error))?;
        Ok(PutResult { e_tag, version: None, extensions: Extensions::default() })
    }

    /// Takes the file away that has a name, if it is the one that was looked at; gives the name
    /// that it has then. Of several who want it one gets it, for it is renamed once.
    async fn aside(&self, at: &Path, was: Option<&str>) -> Result<String> {
        let aside = temporary(at)?;
        let moved = within(self.client.rename(&absolute(at), &aside, false)).await;
        moved.map_err(|error| match refused(at, error) {
            // What is not there is not the one that was looked at.
            Error::NotFound { path, source } => Error::Precondition { path, source },
            other => other,
        })?;
        let now = within(self.client.get_file_info(&aside)).await;
        let now = now.map_err(|error| refused(at, error))?;
        if Some(etag(&now).as_str()) == was {
            return Ok(aside);
        }
        // It is of somebody who came before, and gets it back.
        let back = within(self.client.rename(&aside, &absolute(at), false)).await;
        if back.is_err() {
            // Somebody came meanwhile; whose it was finds that out.
            let _ = self.remove(&aside).await;
        }
        Err(other(at))
    }

    async fn remove(&self, path: &str) -> hdfs_native::Result<()> {
        within(self.client.delete(path, false)).await.map(|_| ())
    }

    /// What lies in a folder, and below it too if `deep`. What is gone before anybody looked has
    /// nothing in it; what goes meanwhile is an error, for then nobody knows what was in it.
    fn below(&self, folder: Option<&Path>, deep: bool) -> BoxStream<'static, Result<FileStatus>> {
        let folder = folder.cloned().unwrap_or_default();
        let entries = self.client.list_status_iter(&absolute(&folder), deep);
        let listing = Listing { folder, entries, begun: false };
        stream::try_unfold(listing, Listing::next).boxed()
    }
}

/// A folder that is being listed, page by page.
struct Listing {
    folder: Path,
    entries: ListStatusIterator,
    begun: bool,
}

impl Listing {
    async fn next(mut self) -> Result<Option<(FileStatus, Self)>> {
        loop {
            let next = async { self.entries.next().await.transpose() };
            let is_first = !std::mem::replace(&mut self.begun, true);
            match within(next).await {
                Ok(None) => return Ok(None),
                // A file lists itself.
                Ok(Some(status)) if status.path == absolute(&self.folder) => {}
                Ok(Some(status)) => return Ok(Some((status, self))),
                Err(error) => match refused(&self.folder, error) {
                    Error::NotFound { .. } if is_first => return Ok(None),
                    error => return Err(error),
                },
            }
        }
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HDFS")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Files {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Result<PutResult> {
        let mut begun = self.begin(at).await?;
        let put = begun.put(bytes).await;
        match put {
            Ok(()) => begun.end(&how.mode).await,
            Err(error) => {
                let _ = begun.abort().await;
                Err(error)
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.begin(at).await?;
        Ok(Box::new(Upload { begun: Arc::new(Mutex::new(begun)), parts: 0 }))
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        let result = |meta, range, payload| GetResult {
            payload,
            meta,
            range,
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        };
        if how.head {
            let meta = self.about(at).await?;
            how.check_preconditions(&meta)?;
            return Ok(result(meta, 0..0, GetResultPayload::Stream(stream::empty().boxed())));
        }
        // First its blocks, then what it is: another file that came before is noticed.
        let reader = within(self.client.read(&absolute(at))).await;
        let meta = self.about(at).await?;
        how.check_preconditions(&meta)?;
        let reader = reader.map_err(|error| refused(at, error))?;
        // Of a file that is being written they are not the same.
        if reader.file_length() as u64 != meta.size {
            return Err(other(at));
        }
        let range = match &how.range {
            Some(range) => {
                range.as_range(meta.size).map_err(|e| generic("Range", &e.to_string()))?
            }
            None => 0..meta.size,
        };
        // A machine that has less than 64 bits reads no such files.
        let whole = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = reader.read_range_stream(whole(range.start), whole(range.end - range.start));
        let (files, at, was) = (self.clone(), at.clone(), meta.clone());
        let bytes = bytes.then(move |bytes| {
            let (files, at, was) = (files.clone(), at.clone(), was.clone());
            async move {
                match bytes {
                    Ok(bytes) => Ok(bytes),
                    Err(error) => Err(files.why(&at, &was, error).await),
                }
            }
        });
        Ok(result(meta, range, GetResultPayload::Stream(bytes.boxed())))
    }

    /// Folders too, if nothing is in them.
    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let files = self.clone();
        let delete = move |path: Result<Path>| {
            let files = files.clone();
            async move {
                let path = path?;
                let gone = files.remove(&absolute(&path)).await;
                gone.map_err(|error| refused(&path, error))?;
                Ok(path)
            }
        };
        paths.map(delete).buffered(10).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let files = self.below(prefix, true).filter_map(|found| async {
            match found {
                Ok(status) if status.isdir => None,
                Ok(status) => Some(meta(&status)),
                Err(error) => Some(Err(error)),
            }
        });
        files.boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let (mut objects, mut common_prefixes) = (Vec::new(), Vec::new());
        let mut found = self.below(prefix, false);
        while let Some(status) = found.next().await.transpose()? {
            match status.isdir {
                true => common_prefixes.push(Path::parse(&status.path)?),
                false => objects.push(meta(&status)?),
            }
        }
        Ok(ListResult { common_prefixes, objects, extensions: Extensions::default() })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        let operation = "a copy".to_owned();
        Err(Error::NotImplemented { operation, implementer: self.to_string() })
    }
}

impl Files {
    /// Why bytes do not come: most of all if they are of a file that is no more.
    async fn why(&self, at: &Path, was: &ObjectMeta, error: HdfsError) -> Error {
        match self.about(at).await {
            Ok(now) if now.e_tag != was.e_tag => other(at),
            Err(gone @ Error::NotFound { .. }) => gone,
            Ok(_) | Err(_) => refused(at, error),
        }
    }
}

/// A file under a temporary name.
struct Begun {
    files: Files,
    at: Path,
    temporary: String,
    /// Until it is closed.
    writer: Option<FileWriter>,
    parts: u64,
}

impl Begun {
    async fn put(&mut self, bytes: PutPayload) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Err(generic("Closed", "it is closed")) };
        self.parts += 1;
        for bytes in bytes {
            // Whoever keeps the blocks is given up by the client.
            writer.write_bytes(bytes).await.map_err(|error| refused(&self.at, error))?;
        }
        Ok(())
    }

    async fn end(&mut self, mode: &PutMode) -> Result<PutResult> {
        let ended = async {
            if let Some(mut writer) = self.writer.take() {
                let closed = within(writer.close()).await;
                closed.map_err(|error| refused(&self.at, error))?;
            }
            self.files.name(&self.temporary, &self.at, mode).await
        };
        let ended = ended.await;
        if ended.is_err() {
            let _ = self.files.remove(&self.temporary).await;
        }
        ended
    }

    async fn abort(&mut self) -> Result<()> {
        self.writer = None;
        self.files.remove(&self.temporary).await.map_err(|error| refused(&self.at, error))
    }
}

/// A file that is written part by part, each behind the one before.
struct Upload {
    begun: Arc<Mutex<Begun>>,
    parts: u64,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("parts", &self.parts).finish()
    }
}

#[async_trait::async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, bytes: PutPayload) -> UploadPart {
        let (begun, part) = (self.begun.clone(), self.parts);
        self.parts += 1;
        Box::pin(async move {
            let mut begun = begun.lock().await;
            if begun.parts != part {
                return Err(generic("Order", "a part came before the one in front of it"));
            }
            begun.put(bytes).await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let mut begun = self.begun.lock().await;
        if begun.parts != self.parts {
            return Err(generic("Order", "a part is missing"));
        }
        begun.end(&PutMode::Overwrite).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.begun.lock().await.abort().await
    }
}

/// What the namenode answers, if it does in time.
async fn within<T>(asked: impl Future<Output = hdfs_native::Result<T>>) -> hdfs_native::Result<T> {
    let silent = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
    tokio::time::timeout(PATIENCE, asked).await.map_err(silent)?
}

fn absolute(path: &Path) -> String {
    format!("/{path}")
}

/// A name beside `at` that nobody else writes to, no log has and every run directory may have.
fn temporary(at: &Path) -> Result<String> {
    let mut own = [0; 8];
    fill(&mut own).map_err(|error| generic("Chance", &error.to_string()))?;
    let own = u64::from_le_bytes(own);
    let path = absolute(at);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    Ok(format!("{folder}/.{name}.{own:016x}.unfinished"))
}

fn etag(status: &FileStatus) -> String {
    format!("{:x}-{:x}", status.modification_time, status.length)
}

fn meta(status: &FileStatus) -> Result<ObjectMeta> {
    let written = UNIX_EPOCH + Duration::from_millis(status.modification_time);
    Ok(ObjectMeta {
        location: Path::parse(&status.path)?,
        last_modified: written.into(),
        size: status.length as u64,
        e_tag: Some(etag(status)),
        version: None,
    })
}

fn gone(at: &Path, why: &str) -> Error {
    Error::NotFound { path: at.to_string(), source: why.into() }
}

fn other(at: &Path) -> Error {
    Error::Precondition { path: at.to_string(), source: "it is another file".into() }
}

/// What was said, in the form in which [`super::told`] takes it from a store.
fn generic(code: &str, said: &str) -> Error {
    let said = said.lines().next().unwrap_or("").trim();
    let source = format!("<Code>{code}</Code><Message>{said}</Message>").into();
    Error::Generic { store: "HDFS", source }
}

fn refused(at: &Path, error: HdfsError) -> Error {
    let said = error.to_string();
    match error {
        HdfsError::FileNotFound(_) => gone(at, &said),
        HdfsError::AlreadyExists(_) => {
            Error::AlreadyExists { path: at.to_string(), source: said.into() }
        }
        HdfsError::RPCError(class, said) | HdfsError::FatalRPCError(class, said) => {
            let class = class.rsplit(['.', '$']).next().unwrap_or(&class);
            match class {
                "FileNotFoundException" => gone(at, &said),
                _ => generic(class, &said),
            }
        }
        HdfsError::IOError(error) => generic("NoConnection", &error.to_string()),
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => {
            generic("NotSignedIn", &said)
        }
        HdfsError::DataTransferError(_)
        | HdfsError::ChecksumError
        | HdfsError::BlocksNotFound(_)
        | HdfsError::ErasureCodingError(_) => generic("NoBlocks", &said),
        _ => generic("HDFS", &said),
    }
}
