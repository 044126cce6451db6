//! Real servers, for the tests and for a person: installed once into `target/services`, started on
//! a port of this machine that is free, and gone with whoever started them.

mod gcs;
mod hdfs;
mod kafka;
mod maven;
mod registry;

pub use gcs::gcs;
pub use hdfs::hdfs;
pub use kafka::{KAFKA_KEYS, kafka, kafka_again, kafka_behind, kafka_secured, kafka_three};
pub use maven::Maven;
pub use registry::registry;

use anyhow::{Context as _, Result, bail, ensure};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The key that the S3 server knows, and its secret: of a server that nobody else reaches.
pub const S3_KEYS: [&str; 2] = ["testkey", "testsecret"];

/// A server that keeps what S3 promises (conditional puts and gets too) and is small.
const VERSITYGW: Go = Go {
    name: "versitygw",
    package: "github.com/versity/versitygw/cmd/versitygw",
    version: "v1.8.0",
};

/// The version of Azurite, Azure's own emulator.
const AZURITE: &str = "3.35.0";

/// The account that Azurite has, and its key, which is the same everywhere and no secret.
pub const AZ_KEYS: [&str; 2] = [
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
];

/// A server that is written in Go.
struct Go {
    name: &'static str,
    package: &'static str,
    version: &'static str,
}

impl Go {
    /// Its program, which has its version in its name.
    fn program(&self) -> PathBuf {
        folder().join(format!("{}-{}", self.name, self.version))
    }

    /// Its program, installed if need be. Several may come at once: a rename makes it whole.
    fn installed(&self) -> Result<PathBuf> {
        let program = self.program();
        if program.exists() {
            return Ok(program);
        }
        let bin = folder().join(format!("bin-{}", std::process::id()));
        std::fs::create_dir_all(&bin)?;
        let package = format!("{}@{}", self.package, self.version);
        let output = Command::new("go")
            .args(["install", &package])
            .env("GOBIN", &bin)
            .stdin(Stdio::null())
            .output()
            .context("no Go here, in which the servers of the tests are written: install Go")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "go install {package} failed: {said}");
        std::fs::rename(bin.join(self.name), &program)?;
        let _ = std::fs::remove_dir(&bin);
        Ok(program)
    }
}

fn folder() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).join("target/services")
}

/// Installs what is missing; says what is there.
///
/// # Errors
/// When something cannot be installed.
pub fn install() -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder())?;
    Ok(vec![
        VERSITYGW.installed()?,
        gcs::FAKE.installed()?,
        azurite()?,
        hdfs::HADOOP.installed()?,
        kafka::KAFKA.installed()?,
        registry::installed()?,
    ])
}

/// Azurite's program, installed if need be.
fn azurite() -> Result<PathBuf> {
    let home = folder().join(format!("azurite-{AZURITE}"));
    let program = home.join("node_modules/.bin/azurite-blob");
    if program.exists() {
        return Ok(program);
    }
    let made = folder().join(format!("azurite-{}", std::process::id()));
    std::fs::create_dir_all(&made)?;
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", &format!("azurite@{AZURITE}")])
        .current_dir(&made)
        .stdin(Stdio::null())
        .output()
        .context("no npm here, with which a server of the tests is installed: install Node.js")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "npm install azurite failed: {said}");
    std::fs::rename(&made, &home)?;
    Ok(program)
}

/// A port of this machine on which nobody listens.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A server that runs as long as this is held.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts a command with a port that was free, and waits until somebody listens there.
    fn start(name: &str, command: impl Fn(u16) -> Command) -> Result<Self> {
        /// Somebody else may take a port between looking and listening.
        const TRIES: usize = 5;
        let mut said = String::new();
        for _ in 0..TRIES {
            let port = free_port()?;
            match Self::start_at(name, port, command(port))? {
                Ok(server) => return Ok(server),
                Err(why) => said = why,
            }
        }
        bail!("{name} does not start: {said}")
    }

    /// The same at a port; what it said where nobody listens there.
    fn start_at(name: &str, port: u16, command: Command) -> Result<Result<Self, String>> {
        Self::spawn(name, port, command)?.listening()
    }

    /// Starts one that may not listen yet.
    fn spawn(name: &str, port: u16, mut command: Command) -> Result<Self> {
        let child = command
            // It ends when whoever started the server does, however that happens.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, port })
    }

    /// Waits until somebody listens at its port; what it said where nobody does.
    fn listening(mut self) -> Result<Result<Self, String>> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let errors = self.child.stderr.take();
        let since = Instant::now();
        while since.elapsed() < PATIENCE && self.child.try_wait()?.is_none() {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                // Read on, or the server stands still once the pipe is full.
                std::thread::spawn(move || {
                    let lines = errors.map(|errors| BufReader::new(errors).lines());
                    lines.into_iter().flatten().for_each(drop);
                });
                return Ok(Ok(self));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let mut said = String::new();
        if let Some(mut errors) = errors {
            let _ = errors.read_to_string(&mut said);
        }
        Ok(Err(said))
    }
}

/// An S3 whose objects lie in `data`; it knows [`S3_KEYS`].
///
/// # Errors
/// When it cannot be installed or started.
pub fn s3(data: &Path) -> Result<Server> {
    s3_with(data, &[])
}

/// The same, with more options of the server.
///
/// # Errors
/// When it cannot be installed or started.
pub fn s3_with(data: &Path, options: &[&str]) -> Result<Server> {
    std::fs::create_dir_all(folder())?;
    let program = VERSITYGW.installed()?;
    let [key, secret] = S3_KEYS;
    Server::start("versitygw", |port| {
        let mut command = Command::new(&program);
        command.env("ROOT_ACCESS_KEY", key).env("ROOT_SECRET_KEY", secret);
        // Without being told to, it closes every connection behind its answer.
        command.args(["--quiet", "--keep-alive", "--port", &format!("127.0.0.1:{port}")]);
        command.args(options).arg("posix").arg(data);
        command
    })
}

/// Makes the container `bucket`: a request that is signed as Azure has it.
const CONTAINER: &str = r#"
import base64, email.utils, hashlib, hmac, sys, urllib.request
port, account, key = sys.argv[1:]
date = email.utils.formatdate(usegmt=True)
named = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n/{account}/{account}/bucket\nrestype:container"
text = "PUT" + "\n" * 12 + named
signed = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
request = urllib.request.Request(
    f"http://127.0.0.1:{port}/{account}/bucket?restype=container", method="PUT",
    headers={"x-ms-date": date, "x-ms-version": "2021-08-06", "Content-Length": "0",
        "Authorization": f"SharedKey {account}:{base64.b64encode(signed).decode()}"})
urllib.request.urlopen(request)
"#;

/// An Azure Blob Storage that keeps its one container, `bucket`, in `data`; it knows [`AZ_KEYS`].
///
/// # Errors
/// When it cannot be installed or started.
pub fn az(data: &Path) -> Result<Server> {
    std::fs::create_dir_all(folder())?;
    let program = azurite()?;
    let server = Server::start("azurite", |port| {
        let mut command = Command::new(&program);
        command.args(["--blobHost", "127.0.0.1", "--skipApiVersionCheck", "--silent"]);
        command.args(["--blobPort", &port.to_string(), "--location"]).arg(data);
        command
    })?;
    let mut python = Command::new("python3");
    python.args(["-c", CONTAINER, &server.port.to_string()]).args(AZ_KEYS);
    let output = python.output().context("no python3 here: run `cargo xtask setup`")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "no container: {said}");
    Ok(server)
}

/// What a shell must hold for `retally` to reach the server.
pub fn s3_environment(server: &Server) -> Vec<(String, String)> {
    let [key, secret] = S3_KEYS;
    let url = server.url();
    [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// `cargo xtask services up`: starts the servers of these names, all if there is none, and waits
/// for a line, or the end, of standard input. `three`: brokers of Kafka.
///
/// # Errors
/// A name that no server has; when one cannot be started.
pub fn run(names: &[&str], three: bool, out: &mut dyn std::io::Write) -> Result<()> {
    const ALL: [&str; 2] = ["s3", "kafka"];
    if let Some(name) = names.iter().find(|name| !ALL.contains(name)) {
        bail!("no server is called `{name}`: there are {}", ALL.join(" and "));
    }
    let is_wanted = |name| names.is_empty() || names.contains(&name);
    let mut running = Vec::new();
    if is_wanted("s3") {
        let data = folder().join("s3");
        std::fs::create_dir_all(data.join("bucket"))?;
        let server = s3(&data)?;
        writeln!(out, "# S3, its objects in {}; there is s3://bucket/", data.display())?;
        for (name, value) in s3_environment(&server) {
            writeln!(out, "export {name}={value}")?;
        }
        running.push(server);
    }
    if is_wanted("kafka") {
        let data = folder().join(if three { "kafka-three" } else { "kafka" });
        std::fs::create_dir_all(&data)?;
        let brokers = if three { kafka_three(&data)? } else { vec![kafka(&data)?] };
        let all: Vec<_> = brokers.iter().map(|own| format!("127.0.0.1:{}", own.port)).collect();
        writeln!(out, "# Kafka, its records in {}; topics are yours to make", data.display())?;
        writeln!(out, "export KAFKA={}", all.join(","))?;
        running.extend(brokers);
    }
    writeln!(out, "# Return ends it")?;
    out.flush()?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}
