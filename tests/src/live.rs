//! Live work in a project: its topics, its workers, and what it published held against a replay.

use crate::kafka::{Kafka, Record};
use crate::{Project, payment, python, root};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The topic from which it reads.
pub const SOURCE: &str = "orders";

/// Its group of consumers: the job's name.
pub const GROUP: &str = "test";

const JOB: &str = "\n[publish]\nemits = \"out-{kind}\"\nviews = \"out-views\"\n\
    refused = \"out-refused\"\n\n[snapshots]\nurl = \"snapshots\"\n";

/// A project whose job is worked live on a Kafka.
pub struct Live {
    /// The project.
    pub project: Project,
    /// Where it works.
    pub kafka: Kafka,
    /// The topic from which it reads.
    pub source: String,
    /// Its group of consumers.
    pub group: String,
    /// What the names of the topics begin with to which it publishes.
    pub out: String,
}

/// A worker, killed when it is dropped.
pub struct Worker {
    child: Child,
    said: Arc<Mutex<String>>,
    reads: Option<JoinHandle<()>>,
}

/// A worker does what it is asked for long before that.
const PATIENCE: Duration = Duration::from_secs(120);

impl Live {
    /// The topics of a job of `orders`, the source with so many partitions.
    ///
    /// # Errors
    /// When a broker cannot be started.
    pub fn new(partitions: i32) -> Result<Self> {
        Self::on(Kafka::start()?, partitions)
    }

    /// The same on a broker that is there.
    ///
    /// # Errors
    /// When there are such topics already.
    pub fn on(kafka: Kafka, partitions: i32) -> Result<Self> {
        let live = Self::of("orders", kafka, partitions, JOB)?;
        for topic in ["out-balance", "out-tier_changed", "out-refused"] {
            live.kafka.make(topic, 3, &[])?;
        }
        Ok(live)
    }

    /// A job of another reducer, with what stands at its end, that publishes views at most.
    ///
    /// # Errors
    /// When there are such topics already.
    pub fn of(reducer: &str, kafka: Kafka, partitions: i32, more: &str) -> Result<Self> {
        let project = Project::new(reducer)?;
        let job = std::fs::read_to_string(project.path("retally.toml"))?;
        let url = kafka.url(SOURCE);
        project.write("retally.toml", job.replace("file:log/", &url) + more)?;
        kafka.make(SOURCE, partitions, &[])?;
        kafka.make("out-views", 3, &[("cleanup.policy", "compact")])?;
        let [source, group, out] = [SOURCE, GROUP, "out-"].map(str::to_owned);
        Ok(Self { project, kafka, source, group, out })
    }

    /// A job of `orders` whose job, group and topics have a name of their own: for a broker that
    /// others use too.
    ///
    /// # Errors
    /// When there are such topics already.
    pub fn named(name: &str, kafka: Kafka, partitions: i32) -> Result<Self> {
        let (project, out) = (Project::new("orders")?, format!("{name}-out-"));
        let job = std::fs::read_to_string(project.path("retally.toml"))?;
        let job = job.replace("file:log/", &kafka.url(name)) + &JOB.replace("out-", &out);
        project.write("retally.toml", job.replace("\"test\"", &format!("{name:?}")))?;
        kafka.make(name, partitions, &[])?;
        for topic in ["balance", "tier_changed", "refused"] {
            kafka.make(&format!("{out}{topic}"), 3, &[])?;
        }
        kafka.make(&format!("{out}views"), 3, &[("cleanup.policy", "compact")])?;
        Ok(Self { project, kafka, source: name.to_owned(), group: name.to_owned(), out })
    }

    /// Puts some of the events that follow from their numbers into every partition.
    ///
    /// # Errors
    /// When they cannot be put.
    pub fn put(&self, partitions: Range<i32>, numbers: Range<u64>) -> Result<()> {
        self.put_each(partitions, numbers, event)
    }

    /// Puts into every partition what follows from its number and the event's.
    ///
    /// # Errors
    /// When they cannot be put.
    pub fn put_each(
        &self,
        partitions: Range<i32>,
        numbers: Range<u64>,
        event: impl Fn(i32, u64) -> String,
    ) -> Result<()> {
        for partition in partitions {
            let line = |number| event(partition, number).trim_end().to_owned();
            let lines: Vec<String> = numbers.clone().map(line).collect();
            let records: Vec<Record<'_>> =
                lines.iter().map(|line| (partition, Some("k"), Some(line.as_str()))).collect();
            self.kafka.put(&self.source, &records)?;
        }
        Ok(())
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn worker(&self, args: &[&str]) -> Result<Worker> {
        let args: Vec<&str> = ["run"].iter().chain(args).copied().collect();
        let mut command = self.project.command(&args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let (said, stderr) = (Arc::<Mutex<String>>::default(), child.stderr.take());
        let hears = said.clone();
        let reads = std::thread::spawn(move || {
            let lines = stderr.map(|stderr| BufReader::new(stderr).lines());
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                *hears.lock().unwrap_or_else(PoisonError::into_inner) += &(line + "\n");
            }
        });
        Ok(Worker { child, said, reads: Some(reads) })
    }

    /// Works up to the end of what there is.
    ///
    /// # Errors
    /// When it ends otherwise than well.
    pub fn work(&self, args: &[&str]) -> Result<String> {
        let args: Vec<&str> = ["run", "--until-end"].iter().chain(args).copied().collect();
        let ran = self.project.run(&args)?;
        ensure!(ran.code == 0, "exit {}: {}{}", ran.code, ran.stdout, ran.stderr);
        Ok(ran.stderr)
    }

    /// Holds what was published against a replay of the topic. Gives what was counted and what is
    /// committed.
    ///
    /// # Errors
    /// What differs.
    pub fn check(&self) -> Result<Value> {
        let run = self.project.replay(&["--out", "replayed", "--replace"])?;
        let out = |topic: &str| format!("{}{topic}", self.out);
        let kinds = json!({ "balance": out("balance"), "tier_changed": out("tier_changed") });
        let mut told = self.published("replayed", kinds)?;
        let emits = told["emits"].as_object().context("no emits")?.values();
        let emits: u64 = emits.filter_map(Value::as_u64).sum();
        ensure!(run["counts"]["emits"] == emits, "{told} {run}");
        std::fs::remove_dir_all(self.project.path("replayed"))?;
        told["run"] = run;
        told["committed"] = self.committed()?;
        Ok(told)
    }

    /// Holds what was published against a run: views, refused events, and these kinds of emits, by
    /// the topics in which they are. Gives what was counted.
    ///
    /// # Errors
    /// What differs.
    pub fn published(&self, run: &str, kinds: Value) -> Result<Value> {
        let out = |topic: &str| format!("{}{topic}", self.out);
        let asked = json!({
            "brokers": self.kafka.brokers(), "run": self.project.path(run),
            "emits": kinds, "views": out("views"), "refused": out("refused"),
        });
        let script = root().join("tests/python/published.py");
        let output = Command::new(python()?).arg(script).arg(asked.to_string()).output()?;
        let (said, why) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
        ensure!(output.status.success(), "{why}");
        Ok(serde_json::from_slice(&said)?)
    }

    /// Of each partition the offset that is committed, and the mark beside it.
    ///
    /// # Errors
    /// When the broker does not tell, or a mark is none.
    pub fn committed(&self) -> Result<Value> {
        let mut all = serde_json::Map::new();
        for (partition, offset, text) in self.kafka.committed(&self.group, &self.source)? {
            let mut mark: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
            mark["offset"] = offset.into();
            all.insert(partition.to_string(), mark);
        }
        Ok(Value::Object(all))
    }
}

/// An event of a partition; some are no events, refused, or there twice.
fn event(partition: i32, number: u64) -> String {
    let account = |number: u64| format!("p{partition}-{:03}", number % 17);
    match number % 50 {
        7 => "{\"no event\"".to_owned(),
        11 => payment(number - 1, &account(number - 1), "10.00"),
        13 => payment(number, &account(number), "1e3x"),
        _ => payment(number, &account(number), &format!("{}.{:02}", number % 90, number % 100)),
    }
}

/// What an address of this machine answers to a path: its status and its text.
///
/// # Errors
/// When nobody listens there.
pub fn asked(port: u16, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.unwrap_or_default(), text))
}

/// Waits until something holds.
///
/// # Errors
/// When it does not for long, with what it was last.
pub fn until<T: std::fmt::Debug>(
    what: impl Fn() -> Result<T>,
    holds: impl Fn(&T) -> bool,
) -> Result<T> {
    let since = Instant::now();
    loop {
        let is = what();
        match is {
            Ok(is) if holds(&is) => return Ok(is),
            is => ensure!(since.elapsed() < PATIENCE, "it is still {is:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a process hears of a signal itself, and is not ended by it; or has ended.
///
/// # Errors
/// When it never does.
pub fn listens(pid: u32, signal: i32) -> Result<()> {
    let status = || Ok(std::fs::read_to_string(format!("/proc/{pid}/status"))?);
    let hears = |status: &String| {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let caught = field("SigCgt:").and_then(|own| u64::from_str_radix(own.trim(), 16).ok());
        let is_over = field("State:").is_some_and(|own| own.trim().starts_with('Z'));
        is_over || caught.is_some_and(|caught| caught >> (signal - 1) & 1 == 1)
    };
    until(status, hears).map(drop)
}

impl Worker {
    /// Sends a signal.
    #[expect(unsafe_code, reason = "the standard library sends no signal but the one that kills")]
    pub fn signal(&self, signal: i32) {
        // SAFETY: `kill` only sends a signal, to a child that was not waited for.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The memory that it has, in MB.
    ///
    /// # Errors
    /// When it is gone.
    pub fn megabytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let own = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = own.and_then(|own| own.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.context("it has no memory")? / 1024)
    }

    /// Waits until it says something.
    ///
    /// # Errors
    /// When it does not, with what it said.
    pub fn says(&self, text: &str) -> Result<String> {
        until(|| Ok(self.said()), |said| said.contains(text))
    }

    /// Ends it as a machine that dies does.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to finish, and gives its exit code and what it said.
    ///
    /// # Errors
    /// When it does not come to an end.
    pub fn finish(mut self) -> Result<(i32, String)> {
        listens(self.child.id(), libc::SIGTERM)?;
        self.signal(libc::SIGTERM);
        self.ended()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When there is none.
    pub fn ended(&mut self) -> Result<(i32, String)> {
        let since = Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait()? {
                break status.code().unwrap_or(-1);
            }
            ensure!(since.elapsed() < PATIENCE, "the worker does not finish: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        };
        let reads = self.reads.take().context("it was asked before")?;
        reads.join().map_err(|_| anyhow::anyhow!("no reader"))?;
        Ok((code, self.said()))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
