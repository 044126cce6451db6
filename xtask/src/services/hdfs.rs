//! An HDFS for the tests: Hadoop's own namenode and datanode in one process, from Maven Central.

use super::{Server, folder};
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Hadoop's version, as the list of what it needs has it.
const VERSION: &str = "3.4.2";

const PROGRAM: &str = include_str!("Dfs.java");

const NEEDS: &str = include_str!("pom.xml");

/// Its programs, installed if need be. Several may come at once: a rename makes them whole.
pub(super) fn installed() -> Result<PathBuf> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let home = folder().join(format!("hdfs-{VERSION}"));
    // Another program is another server.
    let is_same = |path: &str, text: &str| {
        std::fs::read_to_string(home.join(path)).is_ok_and(|there| there == text)
    };
    if is_same("Dfs.java", PROGRAM) && is_same("pom.xml", NEEDS) {
        return Ok(home);
    }
    let made = folder().join(format!("hdfs-{}", std::process::id()));
    std::fs::create_dir_all(&made)?;
    std::fs::write(made.join("Dfs.java"), PROGRAM)?;
    std::fs::write(made.join("pom.xml"), NEEDS)?;
    let mut fetch = Command::new("mvn");
    fetch.args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    succeeds(fetch.arg("-DoutputDirectory=libs").current_dir(&made))?;
    let mut compile = Command::new("javac");
    compile.args(["-cp", "libs/*", "-d", "classes", "Dfs.java"]);
    succeeds(compile.current_dir(&made))?;
    let _ = std::fs::remove_dir_all(&home);
    if let Err(error) = std::fs::rename(&made, &home) {
        // Somebody else was as fast.
        let _ = std::fs::remove_dir_all(&made);
        ensure!(is_same("Dfs.java", PROGRAM), "{}: {error}", home.display());
    }
    Ok(home)
}

fn succeeds(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| {
        format!("no {name} here, which an HDFS for tests needs: run `cargo xtask setup`")
    })?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {said}");
    Ok(())
}

/// An HDFS that keeps its blocks in `data`. It ends with whoever started it, also if that is
/// killed: then its standard input ends.
///
/// # Errors
/// When it cannot be installed or started.
pub fn hdfs(data: &Path) -> Result<Server> {
    const PATIENCE: Duration = Duration::from_secs(60);
    std::fs::create_dir_all(folder())?;
    let home = installed()?;
    let server = Server::start("HDFS", |port| {
        let mut command = Command::new("java");
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
        command.args(["-cp", "libs/*:classes", "Dfs", &port.to_string()]).arg(data);
        command.current_dir(&home);
        command
    })?;
    let since = Instant::now();
    while !data.join("ready").exists() {
        ensure!(since.elapsed() < PATIENCE, "the datanode of HDFS does not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}
