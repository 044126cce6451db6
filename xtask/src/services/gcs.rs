//! A Google Cloud Storage for the tests: fake-gcs-server, and a door in front of it.

use super::{Go, Server, folder};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// The one whose conditions by generation hold.
pub(super) const FAKE: Go = Go {
    name: "fake-gcs-server",
    package: "github.com/fsouza/fake-gcs-server",
    version: "v1.56.1",
};

const DOOR: &str = include_str!("gcs.py");

/// A Google Cloud Storage with one bucket, `bucket`, that it keeps in memory. It knows the service
/// account whose key is then in `data`/key.json.
///
/// # Errors
/// When it cannot be installed or started.
pub fn gcs(data: &Path) -> Result<Server> {
    std::fs::create_dir_all(folder())?;
    let program = FAKE.installed()?;
    Server::start("fake-gcs-server", |port| {
        let mut command = Command::new("python3");
        command.args(["-c", DOOR, &port.to_string()]).arg(&program).arg(data);
        command
    })
}
