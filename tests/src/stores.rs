//! A project whose log, runs and snapshots lie in a store: a real server, started for one test.

use crate::proxy::Proxy;
use crate::{Project, Ran};
use anyhow::{Context as _, Result, ensure};
use retally_engine::store::az::{self, Az};
use retally_engine::store::gs::{self, Gs};
use retally_engine::store::hdfs::Hdfs;
use retally_engine::store::s3::{Credentials, Keys, S3};
use retally_engine::store::{Access, Base, Folder, Stores};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use xtask::services::{self, AZ_KEYS, S3_KEYS, Server};

/// A store with one bucket, called `bucket` (of HDFS a namenode), and but for HDFS a proxy in front
/// of it.
pub struct Store {
    /// The URL of its bucket.
    root: String,
    /// Where things go wrong, if a test asks for it.
    pub proxy: Proxy,
    stores: Stores,
    environment: Vec<(String, String)>,
    /// Texts that nothing may repeat.
    pub secrets: Vec<String>,
    server: Server,
    data: TempDir,
}

impl Store {
    /// Starts an S3.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn s3() -> Result<Self> {
        let data = tempfile::tempdir()?;
        std::fs::create_dir(data.path().join("bucket"))?;
        let server = services::s3(data.path())?;
        let [key, secret] = S3_KEYS.map(str::to_owned);
        let keys = Keys { access_key_id: key, secret_access_key: secret, session_token: None };
        let s3 = S3 {
            endpoint: Some(server.url()),
            allow_http: true,
            credentials: Credentials::keys(keys),
            ..S3::default()
        };
        let access = Access { s3: Some(s3), ..Access::default() };
        let environment = services::s3_environment(&server);
        let mut store = Self::new(["s3", "bucket"], access, environment, server, data)?;
        store.secrets.push(S3_KEYS[1].to_owned());
        let own =
            [("AWS_ENDPOINT_URL", store.proxy.url()), ("AWS_EC2_METADATA_DISABLED", "true".into())];
        store.environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        Ok(store)
    }

    /// Starts an Azure Blob Storage.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn az() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let server = services::az(data.path())?;
        let [account, key] = AZ_KEYS;
        let az = Az {
            account: Some(account.to_owned()),
            endpoint: Some(format!("{}/{account}", server.url())),
            allow_http: true,
            credentials: az::Credentials::Key(key.to_owned()),
        };
        let access = Access { az: Some(az), ..Access::default() };
        let mut store = Self::new(["az", "bucket"], access, Vec::new(), server, data)?;
        let endpoint = format!("{}/{account}", store.proxy.url());
        let string = format!("AccountName={account};AccountKey={key};BlobEndpoint={endpoint};");
        store.environment.push(("AZURE_STORAGE_CONNECTION_STRING".to_owned(), string));
        store.secrets.push(key.to_owned());
        Ok(store)
    }

    /// Starts a Google Cloud Storage, and asks it with the key of a service account.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn gs() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let server = services::gcs(data.path())?;
        let key = data.path().join("key.json");
        let gs = Gs {
            endpoint: Some(server.url()),
            allow_http: true,
            credentials: gs::Credentials::File(key.clone()),
        };
        let environment = vec![
            ("GOOGLE_APPLICATION_CREDENTIALS".to_owned(), key.display().to_string()),
            ("GOOGLE_ALLOW_HTTP".to_owned(), "true".to_owned()),
        ];
        let access = Access { gs: Some(gs), ..Access::default() };
        let mut store = Self::new(["gs", "bucket"], access, environment, server, data)?;
        store.environment.push(("GOOGLE_BASE_URL".to_owned(), store.proxy.url()));
        let text = std::fs::read_to_string(&key)?;
        // A line in the middle of its private key.
        store.secrets.extend(text.split("\\n").nth(5).map(str::to_owned));
        Ok(store)
    }

    /// Starts an HDFS.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn hdfs() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let server = services::hdfs(data.path())?;
        let access = Access { hdfs: Some(Hdfs::default()), ..Access::default() };
        let name = format!("127.0.0.1:{}", server.port);
        Self::new(["hdfs", &name], access, Vec::new(), server, data)
    }

    fn new(
        [scheme, bucket]: [&str; 2],
        access: Access,
        environment: Vec<(String, String)>,
        server: Server,
        data: TempDir,
    ) -> Result<Self> {
        let (proxy, stores) = (Proxy::new(server.port)?, Stores::new(access));
        let root = format!("{scheme}://{bucket}/");
        Ok(Self { root, proxy, stores, environment, secrets: Vec::new(), server, data })
    }

    /// The address of its server, past the proxy.
    pub fn server_url(&self) -> String {
        self.server.url()
    }

    /// The folder of this machine in which its server keeps what it has.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// The URL of a path in its bucket.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// Where URLs start for a program that reaches it.
    pub fn base(&self) -> Base {
        Base { stores: self.stores.clone(), ..Base::default() }
    }

    /// A folder in it, past the proxy.
    ///
    /// # Errors
    /// When the URL is no such folder.
    pub fn folder(&self, url: &str) -> Result<Folder> {
        Ok(Folder::open(url, self.base())?)
    }

    /// Copies the project's folder `log` to `url`.
    ///
    /// # Errors
    /// When a file cannot be read or put.
    pub fn put_log(&self, project: &Project, url: &str) -> Result<()> {
        let to = self.folder(url)?;
        for (name, bytes) in crate::files(&project.path("log"))? {
            to.put(&name, &bytes)?;
        }
        Ok(())
    }

    /// The command `retally` in a project, which reaches this store and knows of no other.
    pub fn command(&self, project: &Project, args: &[&str]) -> Command {
        let mut command = project.command(args);
        let is_theirs = |name: &str| {
            ["AWS_", "AZURE_", "GOOGLE_", "HADOOP_"].iter().any(|f| name.starts_with(f))
        };
        for (name, _) in std::env::vars().filter(|(name, _)| is_theirs(name)) {
            command.env_remove(name);
        }
        command.env("HOME", project.path("home")).envs(self.environment.iter().cloned());
        command
    }

    /// Runs it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, project: &Project, args: &[&str]) -> Result<Ran> {
        Ok(self.command(project, args).output().context("retally")?.into())
    }

    /// Runs `retally replay --json` and reads what it printed.
    ///
    /// # Errors
    /// When it did not succeed.
    pub fn replay(&self, project: &Project, args: &[&str]) -> Result<Value> {
        let all: Vec<&str> = ["replay", "--json"].iter().chain(args).copied().collect();
        self.run(project, &all)?.ok()
    }

    /// Runs a command that must fail, and gives what it said.
    ///
    /// # Errors
    /// When it succeeded.
    pub fn fails(&self, project: &Project, args: &[&str]) -> Result<String> {
        let ran = self.run(project, args)?;
        ensure!(ran.code != 0, "it succeeded: {}{}", ran.stdout, ran.stderr);
        Ok(ran.stderr + &ran.stdout)
    }
}
