//! Live work in a project: its topics, its workers, and what it published held against a replay.

use crate::kafka::Kafka;
use crate::{Project, python, root};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
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
}

/// A worker, killed when it is dropped.
pub struct Worker(Child);

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
        Ok(Self { project, kafka })
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn worker(&self, args: &[&str]) -> Result<Worker> {
        let args: Vec<&str> = ["run"].iter().chain(args).copied().collect();
        let mut command = self.project.command(&args);
        Ok(Worker(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?))
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
        let kinds = json!({ "balance": "out-balance", "tier_changed": "out-tier_changed" });
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
        let asked = json!({
            "brokers": self.kafka.brokers(), "run": self.project.path(run),
            "emits": kinds, "views": "out-views", "refused": "out-refused",
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
        for (partition, offset, text) in self.kafka.committed(GROUP, SOURCE)? {
            let mut mark: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
            mark["offset"] = offset.into();
            all.insert(partition.to_string(), mark);
        }
        Ok(Value::Object(all))
    }
}

impl Worker {
    /// Sends a signal.
    #[expect(unsafe_code, reason = "the standard library sends no signal but the one that kills")]
    pub fn signal(&self, signal: i32) {
        // SAFETY: `kill` only sends a signal, to a child that was not waited for.
        unsafe { libc::kill(self.0.id() as i32, signal) };
    }

    /// Ends it as a machine that dies does.
    pub fn kill(mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Asks it to finish, and gives its exit code and what it said.
    ///
    /// # Errors
    /// When it does not come to an end.
    pub fn finish(mut self) -> Result<(i32, String)> {
        self.signal(libc::SIGTERM);
        self.ended()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When there is none.
    pub fn ended(&mut self) -> Result<(i32, String)> {
        let mut stderr = self.0.stderr.take().context("it was asked before")?;
        let reads = std::thread::spawn(move || {
            let mut said = String::new();
            std::io::Read::read_to_string(&mut stderr, &mut said).map(|_| said)
        });
        let since = Instant::now();
        let code = loop {
            if let Some(status) = self.0.try_wait()? {
                break status.code().unwrap_or(-1);
            }
            if since.elapsed() > PATIENCE {
                let _ = self.0.kill();
                let said = reads.join().map_err(|_| anyhow::anyhow!("no reader"))??;
                anyhow::bail!("the worker does not finish: {said}");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        Ok((code, reads.join().map_err(|_| anyhow::anyhow!("no reader"))??))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
