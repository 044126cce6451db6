//! What the integration tests share: a project in a folder of its own, the built binary, and logs.
//!
//! The binary and the reducers are those that `cargo xtask test` builds before it runs the tests.

pub mod browser;
pub mod comparison;
pub mod held;
pub mod kafka;
pub mod live;
pub mod pages;
pub mod proxy;
pub mod records;
pub mod sources;
pub mod stores;
pub mod verify;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The built binary.
pub fn retally() -> PathBuf {
    root().join("target/release/retally")
}

/// A built reducer, or guest that misbehaves, by name.
pub fn reducer(name: &str) -> PathBuf {
    let built = |folder: &str| root().join(format!("target/{folder}/{name}.wasm"));
    let guest = built("guests");
    if guest.exists() { guest } else { built("reducers") }
}

/// A folder with a job and a log.
#[derive(Debug)]
pub struct Project {
    dir: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; -1 after a signal.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it told the person.
    pub stderr: String,
}

impl Ran {
    /// The object printed under `--json`.
    ///
    /// # Errors
    /// When stdout is not one JSON object, with what the command said.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("exit {}: {}{}", self.code, self.stdout, self.stderr))
    }

    /// The object printed under `--json` by a command that succeeded.
    ///
    /// # Errors
    /// When it did not.
    pub fn ok(&self) -> Result<Value> {
        ensure!(self.code == 0, "exit {}: {}{}", self.code, self.stdout, self.stderr);
        self.json()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Project {
    /// A project for `reducer` whose events have `/account_id`, `/event_id` and `/ts`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(reducer_name: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let project = Self { dir };
        let path = reducer(reducer_name);
        ensure!(path.exists(), "{} is missing: run `cargo xtask test`", path.display());
        project.write("retally.toml", job(&path))?;
        std::fs::create_dir(project.path("log"))?;
        Ok(project)
    }

    /// A path in the project.
    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// The run directory that a replay printed.
    pub fn dir_of(&self, run: &Value) -> PathBuf {
        self.path(run["run"].as_str().unwrap_or_default())
    }

    /// Writes a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, below: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path(below);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())
    }

    /// Replaces text in the job file.
    ///
    /// # Errors
    /// When the text is not there.
    pub fn edit_job(&self, from: &str, to: &str) -> Result<()> {
        let text = std::fs::read_to_string(self.path("retally.toml"))?;
        ensure!(text.contains(from), "the job has no {from:?}");
        self.write("retally.toml", text.replace(from, to))
    }

    /// The command `retally` in this project, its cache inside.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(retally());
        command.args(args).current_dir(self.dir.path());
        command.env("XDG_CACHE_HOME", self.dir.path().join("cache"));
        command
    }

    /// Runs `retally`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, args: &[&str]) -> Result<Ran> {
        let output = self.command(args).output();
        Ok(output.with_context(|| retally().display().to_string())?.into())
    }

    /// Runs `retally replay --json` and reads what it printed.
    ///
    /// # Errors
    /// When it did not succeed.
    pub fn replay(&self, args: &[&str]) -> Result<Value> {
        let all: Vec<&str> = ["replay", "--json"].iter().chain(args).copied().collect();
        self.run(&all)?.ok()
    }
}

const PARAMS: &str = "\n[params]\nsilver_from = \"100.00\"\ngold_from = \"1000.00\"\n";

fn job(reducer: &Path) -> String {
    format!(
        "[job]\nname = \"test\"\nreducer = {:?}\norder = \"log\"\n\n[source]\nurl = \"file:log/\"\n\
         format = \"json\"\nkey = \"/account_id\"\nid = \"/event_id\"\ntime = \"/ts\"\n\n\
         [output]\ndir = \"runs\"\n{}",
        reducer.display().to_string(),
        if reducer.ends_with("orders.wasm") { PARAMS } else { "" }
    )
}

/// A Python with DuckDB, pyarrow and fastavro: the one that `cargo xtask test` names, or once made.
///
/// # Errors
/// When there is none.
pub fn python() -> Result<PathBuf> {
    let made = root().join("target/python/bin/python");
    let named = std::env::var_os("RETALLY_PYTHON").map(PathBuf::from);
    let python = named.or_else(|| made.exists().then_some(made));
    python.context("no Python with DuckDB, pyarrow and fastavro: run `cargo xtask setup`")
}

/// An event of the guest `chameleon`: the one with this number, of a key, which does `what`; one
/// line.
pub fn act(n: u64, key: &str, what: &str, amount: &str) -> String {
    format!(
        "{{\"event_id\":\"e{n}\",\"account_id\":\"{key}\",\"ts\":\"2026-03-01T00:00:00Z\",\
         \"do\":\"{what}\",\"amount\":{amount}}}\n"
    )
}

/// Events of the chameleon of 50 keys, of which every seventh does `what`: those of each key some.
pub fn acts(events: u64, what: &str) -> String {
    let does = |n: u64| if n % 7 == 3 { what } else { "ok" };
    (0..events).map(|n| act(n, &format!("k{}", n % 50), does(n), "1")).collect()
}

/// The chameleon with the name of a lie over its marker.
///
/// # Errors
/// When it is not built, or has no marker.
pub fn liar(lie: &str) -> Result<Vec<u8>> {
    let mut bytes = std::fs::read(reducer("chameleon"))?;
    let marker = b"chameleon-s:truth   ";
    let place = bytes.windows(marker.len()).position(|at| at == marker).context("no marker")?;
    bytes[place + 12..][..8].copy_from_slice(format!("{lie:8}").as_bytes());
    Ok(bytes)
}

/// A payment as `orders` reads it, one line.
pub fn payment(id: u64, account: &str, amount: &str) -> String {
    let (minute, second) = (id / 60 % 60, id % 60);
    format!(
        "{{\"event_id\":\"evt-{id:08}\",\"type\":\"payment\",\
         \"ts\":\"2026-03-01T12:{minute:02}:{second:02}Z\",\"account_id\":\"{account}\",\
         \"amount\":\"{amount}\",\"currency\":\"EUR\",\"order_id\":\"ord-{id:08}\"}}\n"
    )
}

/// So many payments over a few accounts whose names begin with `prefix`.
pub fn payments(events: u64, prefix: &str) -> String {
    (0..events).map(|n| payment(n, &format!("{prefix}-{:03}", n % 17), "10.00")).collect()
}

/// Every file of a run directory but its audit, by path, with its bytes.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut all = every_file(dir)?;
    all.retain(|path, _| !Path::new(path).ends_with("audit.jsonl"));
    Ok(all)
}

/// Every file of a folder, by path, with its bytes.
///
/// # Errors
/// When the folder cannot be read.
pub fn every_file(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir)?.display().to_string();
                all.insert(name, std::fs::read(&path)?);
            }
        }
    }
    Ok(all)
}

/// Makes an authority, `ca.pem`, and of it a key, `key.pem`, and a certificate for this machine's
/// own address, `cert.pem`.
///
/// # Errors
/// When there is no openssl.
pub fn certificates(folder: &Path) -> Result<()> {
    let own = ["req", "-x509", "-nodes", "-days", "30", "-newkey", "ec", "-pkeyopt"];
    let curve = "ec_paramgen_curve:prime256v1";
    let of_authority = ["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"];
    let of_server = [
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-subj",
        "/CN=server",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    for rest in [&of_authority[..], &of_server[..]] {
        let mut openssl = Command::new("openssl");
        openssl.args(own).arg(curve).args(rest).current_dir(folder);
        let output = openssl.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
