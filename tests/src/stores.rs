//! A project whose log, runs and snapshots lie in a store: a real server, started for one test.

use crate::proxy::Proxy;
use crate::{Project, Ran};
use anyhow::{Context as _, Result, ensure};
use retally_engine::store::s3::{Credentials, Keys, S3};
use retally_engine::store::{Access, Base, Folder, Stores};
use serde_json::Value;
use std::process::Command;
use tempfile::TempDir;
use xtask::services::{self, S3_KEYS, Server};

/// An S3 with one bucket, called `bucket`, and a proxy in front of it.
pub struct Store {
    /// Where things go wrong, if a test asks for it.
    pub proxy: Proxy,
    stores: Stores,
    server: Server,
    _data: TempDir,
}

impl Store {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn s3() -> Result<Self> {
        let data = tempfile::tempdir()?;
        std::fs::create_dir(data.path().join("bucket"))?;
        let server = services::s3(data.path())?;
        let proxy = Proxy::new(server.port)?;
        let [key, secret] = S3_KEYS.map(str::to_owned);
        let keys = Keys { access_key_id: key, secret_access_key: secret, session_token: None };
        let s3 = S3 {
            endpoint: Some(server.url()),
            allow_http: true,
            credentials: Credentials::keys(keys),
            ..S3::default()
        };
        let stores = Stores::new(Access { s3: Some(s3) });
        Ok(Self { proxy, stores, server, _data: data })
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

    /// What a shell must hold to reach it, through the proxy.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut all = services::s3_environment(&self.server);
        all.push(("AWS_ENDPOINT_URL".into(), self.proxy.url()));
        all.push(("AWS_EC2_METADATA_DISABLED".into(), "true".into()));
        all
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
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("HOME", project.path("home")).envs(self.environment());
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
