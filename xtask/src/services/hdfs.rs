//! An HDFS for the tests: Hadoop's own namenode and datanode in one process, from Maven Central.

use super::maven::Maven;
use super::{Server, folder};
use anyhow::{Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

/// Hadoop, in the version that the list of what it needs has.
pub(super) const HADOOP: Maven = Maven {
    name: "hdfs-3.4.2",
    class: "Dfs",
    program: include_str!("hdfs/Dfs.java"),
    needs: include_str!("hdfs/pom.xml"),
};

/// An HDFS that keeps its blocks in `data`. It ends with whoever started it, also if that is
/// killed: then its standard input ends.
///
/// # Errors
/// When it cannot be installed or started.
pub fn hdfs(data: &Path) -> Result<Server> {
    const PATIENCE: Duration = Duration::from_secs(60);
    std::fs::create_dir_all(folder())?;
    let home = HADOOP.installed()?;
    let server = Server::start("HDFS", |port| {
        let mut command = HADOOP.command(&home, 512);
        command.arg(port.to_string()).arg(data);
        command
    })?;
    let since = Instant::now();
    while !data.join("ready").exists() {
        ensure!(since.elapsed() < PATIENCE, "the datanode of HDFS does not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}
