//! What Kafka costs: reading a topic beside reading it plainly and beside files; live work beside
//! the limit of a client that only hands records on in transactions, and beside Kafka Streams at
//! the same work; how long a worker is gone; how long a result takes. A broker of its own, a
//! process for each, CPU seconds of that process: the machine is shared with the broker.

mod latency;
mod plain;
mod topics;

use crate::Args;
use crate::logs::{Logs, remove};
use crate::retally::{REDUCER, anew, options};
use crate::sitting::{megabytes, processor};
use anyhow::{Context as _, Result, bail, ensure};
use retally_engine::job::{Authored, Resolved};
use retally_engine::live::{self, LiveOptions, Status, Watch};
use retally_engine::run::{Silent, replay};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::process::{Command, Stdio};
use std::time::Instant;
use topics::{SOURCE, Streams};

/// How often is committed, wherever something is.
const INTERVAL_MS: u64 = 100;

/// What a process came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Told {
    seconds: f64,
    /// Of its own CPU time.
    cpu: f64,
    /// Peak of resident memory.
    megabytes: f64,
    /// Records that it published.
    #[serde(default)]
    records: u64,
    /// From its start until it had all of its state.
    #[serde(default)]
    ready: f64,
    #[serde(default)]
    digest: String,
}

impl Told {
    fn new(since: Instant) -> Self {
        let seconds = since.elapsed().as_secs_f64();
        let (cpu, megabytes) = (processor("self"), megabytes("VmHWM:"));
        Self { seconds, cpu, megabytes, ready: seconds, ..Self::default() }
    }
}

/// In a child: does one work and tells the parent.
pub(crate) fn one(words: &[&str], logs: &Logs) -> Result<()> {
    let [work, brokers, name] = words else { bail!("work, brokers, name") };
    let since = Instant::now();
    let told = match *work {
        "consume" => {
            plain::consume(brokers)?;
            Told::new(since)
        }
        "plain" => {
            let records = plain::hand_on(brokers, name)?;
            Told { records, ..Told::new(since) }
        }
        "topic" | "files" => {
            let url = match *work {
                "topic" => format!("kafka://{brokers}/{SOURCE}"),
                _ => logs.json().display().to_string(),
            };
            let job = job(&url, name, logs, "")?;
            let report = replay(&job, &anew(logs, 2)?, &Silent).context("Retally stopped")?;
            let digest = report.manifest.run_digest.to_string();
            Told { digest, ..Told::new(since) }
        }
        "run" => run(brokers, SOURCE, name, logs, true)?,
        "run-latency" => run(brokers, latency::SOURCE, name, logs, false)?,
        other => bail!("no work {other}"),
    };
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}

fn job(url: &str, name: &str, logs: &Logs, more: &str) -> Result<Resolved> {
    let here = std::env::current_dir()?;
    let snapshots = logs.dir.join("live");
    let text = format!(
        r#"
        [job]
        name = "{name}"
        reducer = {REDUCER:?}
        [source]
        url = "{url}"
        key = "/account_id"
        id = "/event_id"
        time = "/ts"
        [snapshots]
        url = {snapshots:?}
        {more}
        "#
    );
    Ok(Resolved::new(&Authored::parse(&text, "the benchmark's job", &here)?)?)
}

/// Keeps the last status.
#[derive(Default)]
struct Last(RefCell<Status>);

impl Watch for Last {
    fn note(&self, _: &str) {}

    fn stopped(&self, partition: i32, why: &str) {
        eprintln!("partition {partition}: {why}");
    }

    fn status(&self, status: &Status) {
        self.0.replace(status.clone());
    }
}

/// `retally run`, with all that it can publish.
fn run(brokers: &str, source: &str, name: &str, logs: &Logs, until_end: bool) -> Result<Told> {
    let since = Instant::now();
    let publish = format!(
        "[publish]\nemits = \"run-{{kind}}\"\nviews = \"run-views\"\nrefused = \"run-refused\"\n\
         [live]\ninterval = \"{INTERVAL_MS}ms\"\n"
    );
    let job = job(&format!("kafka://{brokers}/{source}"), name, logs, &publish)?;
    let cache = options(logs).cache;
    let options = LiveOptions { cache, until_end, ..LiveOptions::default() };
    let last = Last::default();
    live::run(&job, &options, &last)?;
    let status = last.0.into_inner();
    ensure!(status.stopped == 0, "a partition stopped");
    Ok(Told { records: status.records, ..Told::new(since) })
}

/// A child of this program.
fn child(args: &Args, words: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("one-kafka").args(words).args(args.to_words());
    Ok(command)
}

/// Runs a process to its end; its last line says what it came to.
fn finished(mut command: Command, what: &str) -> Result<Told> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{what} failed: {}", output.status);
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{what} said {said:?}"))
}

const WORKS: [(&str, &str); 8] = [
    ("consume", "a topic is read, plainly"),
    ("topic", "replay of the topic"),
    ("files", "replay of the same events in files"),
    ("plain", "records handed on in transactions, plainly"),
    ("run", "live work"),
    ("streams", "Kafka Streams, the same work"),
    ("again", "a worker takes over"),
    ("restore", "Kafka Streams takes over"),
];

pub(crate) fn all(args: &Args, logs: &Logs) -> Result<()> {
    let (kafka, streams) = (topics::filled(logs)?, Streams::installed(logs)?);
    let brokers = kafka.brokers();
    let mut measured: Vec<Vec<Told>> = vec![Vec::new(); WORKS.len()];
    let is_asked = |work: &str| args.only.is_empty() || args.only.split(',').any(|own| own == work);
    for round in 1..=args.rounds {
        let name = format!("bench-{round}");
        for ((work, _), all) in WORKS.iter().zip(&mut measured) {
            if !is_asked(work) {
                continue;
            }
            eprint!("\rround {round} of {}: {work}          ", args.rounds);
            let command = match *work {
                "streams" => streams.command(&brokers, SOURCE, &name, "end")?,
                "restore" => {
                    streams.forget(&name)?;
                    streams.command(&brokers, SOURCE, &name, "running")?
                }
                "again" => child(args, &["run", &brokers, &name])?,
                work => child(args, &[work, &brokers, &name])?,
            };
            all.push(finished(command, work)?);
        }
        remove(&logs.dir.join("live"))?;
    }
    eprintln!();
    print(logs, &measured);
    if is_asked("latency") {
        latency::all(args, logs, &kafka, &streams)?;
    }
    Ok(())
}

/// The run whose CPU time is the median.
fn median(runs: &[Told]) -> Option<Told> {
    let mut runs = runs.to_vec();
    runs.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    runs.get(runs.len() / 2).cloned()
}

fn print(logs: &Logs, measured: &[Vec<Told>]) {
    let medians: Vec<Option<Told>> = measured.iter().map(|runs| median(runs)).collect();
    println!("{} events, {} partitions", logs.shape.events, logs.shape.files);
    println!(
        "{:44} {:>9} {:>9} {:>12} {:>8} {:>8}",
        "", "seconds", "CPU s", "events/CPU s", "peak MB", "records"
    );
    for ((work, name), told) in WORKS.iter().zip(&medians) {
        let Some(told) = told else { continue };
        let is_whole = !["again", "restore"].contains(work);
        let speed = is_whole.then(|| format!("{:.0}", logs.shape.events as f64 / told.cpu));
        let seconds = if is_whole { told.seconds } else { told.ready };
        println!(
            "{name:44} {seconds:>9.2} {:>9.2} {:>12} {:>8.0} {:>8}",
            told.cpu,
            speed.unwrap_or_default(),
            told.megabytes,
            told.records
        );
    }
    let of = |work: &str| {
        let at = WORKS.iter().position(|(known, _)| *known == work)?;
        medians[at].as_ref()
    };
    let ratio = |what: &str, wanted: &str, ratio: Option<f64>| {
        if let Some(ratio) = ratio {
            println!("{what:60} {ratio:>7.2}  {wanted}");
        }
    };
    println!();
    let cpu = |work: &str| of(work).map(|told| told.cpu);
    let by = |one: &str, other: &str| Some(cpu(other)? / cpu(one)?);
    let slower = cpu("consume").zip(cpu("files")).map(|(one, other)| one.max(other));
    let to_slower = slower.and_then(|slower| Some(slower / cpu("topic")?));
    ratio("replay of the topic, to the slower of plain and files", "at least 0.8", to_slower);
    ratio("live work, to plain records", "at least 0.5", by("run", "plain"));
    ratio("live work, to Kafka Streams", "at least 2", by("run", "streams"));
    let ready = |work: &str| of(work).map(|told| told.ready);
    let sooner = ready("restore").zip(ready("again")).map(|(one, other)| one / other);
    ratio("taking over, to Kafka Streams", "more than 1", sooner);
}
