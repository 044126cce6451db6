//! The suite that object_store holds stores to, run against ours as they are opened: through our
//! own client, and for HDFS through a store of our own.

use anyhow::{Context as _, Result};
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result as Got, integration,
};
use retally_tests::stores::Store;
use std::fmt;
use std::sync::Arc;

/// What is asked of a store here. Two things never are, which HDFS has not, and Azure's emulator
/// has not either: copies, and listings from a name on. They are made of the others.
#[derive(Debug)]
struct Asked(Arc<dyn ObjectStore>);

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Asked {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Got<PutResult> {
        self.0.put_opts(at, bytes, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Got<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(at, how).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Got<GetResult> {
        self.0.get_opts(at, how).await
    }

    fn delete_stream(&self, all: BoxStream<'static, Got<Path>>) -> BoxStream<'static, Got<Path>> {
        self.0.delete_stream(all)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Got<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Got<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Got<()> {
        let bytes = self.0.get(from).await?.bytes().await?;
        let mode = match how.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        self.0.put_opts(to, bytes.into(), mode.into()).await.map(drop)
    }
}

/// What of the suite not all keep, and nothing here relies on.
#[derive(Default)]
struct Also {
    /// Conditions by time, and older versions.
    old_versions: bool,
    /// Of two uploads at once the last to end wins.
    last_upload_wins: bool,
    /// A put in place of one version, where versions follow each other within a millisecond.
    updates: bool,
    /// An upload has no name while it runs, and its parts come in any order.
    uploads: bool,
}

fn holds(store: &Store, also: &Also) -> Result<()> {
    let asked = store.folder(&store.url(""))?.store().context("it is no store")?;
    let asked: Arc<dyn ObjectStore> = Arc::new(Asked(asked));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if also.uploads {
            integration::stream_get(&asked).await;
            integration::multipart_out_of_order(&*asked).await;
            asked.delete(&"test_multipart_out_of_order".into()).await.ok();
        }
        integration::put_get_delete_list(&asked).await;
        integration::list_uses_directories_correctly(&asked).await;
        integration::list_with_delimiter(&asked).await;
        integration::list_with_offset_exclusivity(&asked).await;
        if also.updates {
            integration::put_opts(&*asked, true).await;
        }
        integration::multipart_race_condition(&*asked, also.last_upload_wins).await;
        integration::rename_and_copy(&asked).await;
        integration::copy_if_not_exists(&asked).await;
        integration::copy_rename_nonexistent_object(&asked).await;
        if also.old_versions {
            integration::get_opts(&*asked).await;
        }
        let none = integration::get_nonexistent_object(&asked, None).await;
        assert!(matches!(none, Err(object_store::Error::NotFound { .. })), "{none:?}");
    });
    Ok(())
}

#[test]
fn s3_holds() -> Result<()> {
    // versitygw compares times more exactly than it tells them.
    let also = Also { last_upload_wins: true, updates: true, uploads: true, ..Also::default() };
    holds(&Store::s3()?, &also)
}

#[test]
fn google_holds() -> Result<()> {
    // Its bucket keeps no older versions.
    let also = Also { last_upload_wins: true, updates: true, uploads: true, ..Also::default() };
    holds(&Store::gs()?, &also)
}

#[test]
fn azure_holds() -> Result<()> {
    let also = Also { old_versions: true, updates: true, uploads: true, ..Also::default() };
    holds(&Store::az()?, &also)
}

#[test]
fn hdfs_holds() -> Result<()> {
    holds(&Store::hdfs()?, &Also { last_upload_wins: true, ..Also::default() })
}
