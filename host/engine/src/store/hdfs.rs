//! How an HDFS is reached: its settings, and who asks.
//!
//! The client is [`hdfs_native`]. It is told where the settings are; what it still asks the
//! environment for by itself stands at [`Hdfs`].

use super::hdfs_files::Files;
use hdfs_native::{ClientBuilder, HdfsError};
use object_store::ObjectStore;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Where a namenode listens whose port nobody says, as Hadoop has it.
const PORT: u16 = 8020;

/// How often one namenode that is not there is asked again, with growing pauses: half a minute. Of
/// a nameservice the settings say it.
const TRIES: &str = "5";

/// How an HDFS is reached.
///
/// The client itself asks the environment for what only it needs: `HADOOP_TOKEN_FILE_LOCATION`,
/// where no user is given `HADOOP_USER_NAME` and `HADOOP_PROXY_USER`, and for Kerberos what that
/// library asks (`KRB5CCNAME`, `KRB5_CONFIG`).
#[derive(Debug, Clone, Default)]
pub struct Hdfs {
    /// The folder with `core-site.xml` and `hdfs-site.xml`, which say how nameservices are reached
    /// and whether Kerberos is asked; none: only what has a host is reached.
    pub settings: Option<PathBuf>,
    /// The user in whose name is asked; with Kerberos, on behalf of whom.
    pub user: Option<String>,
}

impl Hdfs {
    /// The files of a namenode or nameservice, asked in threads of `io`. Nothing is asked yet.
    pub(super) fn open(&self, name: &str, io: &Handle) -> Result<Arc<dyn ObjectStore>, String> {
        // The client must not look for settings of its own, so it gets a folder that none is.
        let mut settings = "\0".to_owned();
        if let Some(folder) = &self.settings {
            if !folder.is_dir() {
                let shown = folder.display();
                return Err(format!(
                    "the folder `{shown}`, which is said to hold its settings, is not there; \
                     correct HADOOP_CONF_DIR or HADOOP_HOME"
                ));
            }
            settings = folder.display().to_string();
        }
        let build = |name: &str| {
            let mut builder = ClientBuilder::new()
                .with_url(format!("hdfs://{name}/"))
                .with_config_dir(settings.clone())
                .with_io_runtime(io.clone());
            if name.contains(':') {
                builder = builder.with_config([("dfs.client.failover.max.attempts", TRIES)]);
            }
            if let Some(user) = &self.user {
                builder = builder.with_user(user);
            }
            builder.build()
        };
        let client = match build(name) {
            // No nameservice of that name is in the settings: then it is a host's.
            Err(HdfsError::InvalidArgument(_)) if !name.contains(':') => {
                build(&format!("{name}:{PORT}"))
            }
            built => built,
        };
        let client = client.map_err(|error| match error {
            HdfsError::XmlParseError(error) => {
                format!("its settings in `{settings}` are no XML: {error}")
            }
            HdfsError::IOError(error) => {
                format!("its settings in `{settings}` cannot be read: {error}")
            }
            error => error.to_string(),
        })?;
        Ok(Arc::new(Files::new(client)))
    }
}
