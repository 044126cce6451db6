//! `cargo xtask setup`: installs what is missing and says so; a second call does nothing.

use crate::steps;
use crate::toolchain::{Toolchain, Ways};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn run() -> Result<()> {
    build()?;
    component("rustfmt", &["fmt", "--version"])?;
    component("clippy", &["clippy", "--version"])?;
    println!("python   {}", python()?.display());
    println!("browser  {}", chromium()?.display());
    tools()?;
    for server in xtask::services::install()? {
        println!("server   {}", server.display());
    }
    fetch()
}

/// What a build needs beside Rust.
pub(crate) fn build() -> Result<()> {
    native()?;
    wasm()
}

/// What the client of Kafka is made of: it is written in C, and speaks TLS by OpenSSL.
fn native() -> Result<()> {
    let is_there = ["c++", "make", "pkg-config"].iter().all(|p| steps::succeeds(p, &["--version"]))
        && steps::succeeds("pkg-config", &["--exists", "openssl"]);
    if !is_there {
        apt_install(&["g++", "make", "pkg-config", "libssl-dev"])?;
    }
    println!("openssl  is there, for the client of Kafka");
    Ok(())
}

/// What compiles reducers: the toolchain's own target, else Debian's compiler with its sources.
fn wasm() -> Result<()> {
    let mut say = |line: &str| println!("wasm     {line}");
    if let Ok(found) = Toolchain::find(&steps::root(), Ways::Any, &mut say) {
        say(&found.describe());
        return Ok(());
    }
    say("neither this toolchain's target nor a compiler with its sources: asking Debian");
    apt_install(&["rustc-web", "rust-web-src"])?;
    let found = Toolchain::find(&steps::root(), Ways::Sources, &mut say)?;
    say(&found.describe());
    Ok(())
}

fn component(name: &str, probe: &[&str]) -> Result<()> {
    if steps::succeeds("cargo", probe) {
        println!("{name:<8} is there");
        return Ok(());
    }
    steps::run(name, Command::new("rustup").args(["component", "add", name]))
        .with_context(|| format!("cargo has no {name}, and rustup cannot add it"))
}

/// What a Python must have.
const MODULES: &str = "import pip, pyarrow.parquet, duckdb, fastavro, cramjam, \
                       confluent_kafka.schema_registry.avro";

/// A Python that has pyarrow, DuckDB, fastavro and Confluent's client of Kafka, for what is
/// computed or written by others than us (the digests; the examples' numbers, in SQL; Avro files
/// and records): the system's if it has them, else one in target/python.
pub(crate) fn python() -> Result<PathBuf> {
    let own = steps::root().join("target/python/bin/python");
    for candidate in [Path::new("python3"), &own] {
        if steps::succeeds(&candidate.to_string_lossy(), &["-c", MODULES]) {
            return Ok(candidate.to_owned());
        }
    }
    let folder = steps::root().join("target/python");
    if !steps::succeeds("python3", &["-c", "import ensurepip, venv"]) {
        apt_install(&["python3", "python3-venv"])?;
    }
    // An earlier attempt may have left half of one.
    let make = ["-m", "venv", "--clear"];
    steps::run("python", Command::new("python3").args(make).arg(&folder))?;
    let mut pip = Command::new(&own);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    let kafka = "confluent-kafka[avro,schemaregistry]";
    let packages = ["pyarrow", "duckdb", "fastavro[codecs]", kafka];
    steps::run("pyarrow, DuckDB, fastavro and confluent-kafka", pip.args(packages))?;
    Ok(own)
}

/// A Chromium, which opens the pages of reports: one that is there, else Debian's.
pub(crate) fn chromium() -> Result<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let there = || names.iter().find(|name| steps::succeeds(name, &["--version"]));
    if there().is_none() {
        apt_install(&["chromium"])?;
    }
    there().map(PathBuf::from).context("chromium was installed and does not run")
}

/// By what the servers of the tests are fetched, built and run, and rules of alerts are tried.
const TOOLS: [(&str, &[&str], &[&str]); 5] = [
    ("java", &["mvn", "javac", "java"], &["openjdk-17-jdk-headless", "maven"]),
    ("npm", &["npm"], &["npm"]),
    ("go", &["go"], &["golang-go"]),
    ("openssl", &["openssl"], &["openssl"]),
    ("promtool", &["promtool"], &["prometheus"]),
];

fn tools() -> Result<()> {
    for (name, programs, packages) in TOOLS {
        let runs = |program: &&str| {
            steps::succeeds(program, &["--version"]) || steps::succeeds(program, &["version"])
        };
        if !programs.iter().all(runs) {
            apt_install(packages)?;
        }
        if let Some(missing) = programs.iter().find(|&program| !runs(program)) {
            bail!("{} installed and {missing} does not run", packages.join(" and "));
        }
        println!("{name:<8} is there");
    }
    Ok(())
}

/// What reducers depend on, so that later builds, new reducers included, need no network.
fn fetch() -> Result<()> {
    if !Path::new("plugins/Cargo.lock").is_file() {
        return Ok(());
    }
    let args = ["fetch", "--quiet", "--locked", "--manifest-path", "plugins/Cargo.toml"];
    steps::run("fetch", &mut steps::cargo(&args))
}

pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    if !steps::succeeds("apt-get", &["--version"]) {
        bail!(
            "this system has no apt-get: `rustup target add wasm32-unknown-unknown`, and python3 \
             with pyarrow and duckdb, and what {packages:?} are here, are all that Retally needs"
        );
    }
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    let apt = || {
        let mut command = Command::new(if is_root { "apt-get" } else { "sudo" });
        if !is_root {
            command.arg("apt-get");
        }
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    steps::run("apt-get", apt().args(["update", "-qq"]))?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    steps::run("apt-get", apt().args(install).args(packages))
}
