//! A registry of schemas for the tests: Apicurio, which speaks as Confluent's does too, from Maven
//! Central.

use super::maven::succeeds;
use super::{Server, folder};
use anyhow::{Result, ensure};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const VERSION: &str = "2.6.13.Final";

/// What starts it, and ends it with whoever started it.
const PROGRAM: &str = include_str!("registry/Registry.java");

/// Where it speaks as Confluent's registry does.
const PATH: &str = "/apis/ccompat/v7";

/// The folder of its programs, installed if need be. Several may come at once: a rename makes it
/// whole.
pub(super) fn installed() -> Result<PathBuf> {
    let home = folder().join(format!("registry-{VERSION}"));
    let is_same = || {
        let there = std::fs::read_to_string(home.join("Registry.java"));
        there.is_ok_and(|there| there == PROGRAM)
    };
    if is_same() {
        return Ok(home);
    }
    let made = folder().join(format!("registry-{VERSION}-{}", std::process::id()));
    std::fs::create_dir_all(&made)?;
    std::fs::write(made.join("Registry.java"), PROGRAM)?;
    let mut fetch = Command::new("mvn");
    let artifact = format!("io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all");
    fetch.args(["-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"]);
    fetch.arg(format!("-Dartifact={artifact}")).arg("-DoutputDirectory=.");
    succeeds(fetch.current_dir(&made))?;
    let packed = format!("apicurio-registry-app-{VERSION}-all.tar.gz");
    succeeds(Command::new("tar").args(["xzf", &packed]).current_dir(&made))?;
    std::fs::remove_file(made.join(packed))?;
    succeeds(Command::new("javac").args(["-d", "classes", "Registry.java"]).current_dir(&made))?;
    let _ = std::fs::remove_dir_all(&home);
    if let Err(error) = std::fs::rename(&made, &home) {
        // Somebody else was as fast.
        let _ = std::fs::remove_dir_all(&made);
        ensure!(is_same(), "{}: {error}", home.display());
    }
    Ok(home)
}

/// A registry that knows nothing yet, and its URL as one of Confluent's. It ends with whoever
/// started it.
///
/// # Errors
/// When it cannot be installed or started.
pub fn registry() -> Result<(Server, String)> {
    const PATIENCE: Duration = Duration::from_secs(30);
    std::fs::create_dir_all(folder())?;
    let home = installed()?;
    let server = Server::start("the registry", |port| {
        let mut command = Command::new("java");
        command.args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
        command.arg(format!("apicurio-registry-app-{VERSION}-runner.jar:classes"));
        command.args(["Registry", &port.to_string()]).current_dir(&home);
        command
    })?;
    let url = server.url() + PATH;
    let since = Instant::now();
    // It listens before it answers.
    while !answers(server.port).unwrap_or_default() {
        ensure!(since.elapsed() < PATIENCE, "the registry of schemas does not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((server, url))
}

fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let asked = format!("GET {PATH}/subjects HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes())?;
    let mut first = String::new();
    BufReader::new(stream).read_line(&mut first)?;
    Ok(first.contains(" 200 "))
}
