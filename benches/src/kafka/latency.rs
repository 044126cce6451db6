//! How long a result takes, at a load that leaves the machine time: from the moment at which an
//! event is handed to a producer until whoever reads what is committed has what it emitted.

use super::child;
use super::topics::{Streams, field};
use crate::Args;
use crate::logs::{Logs, remove};
use anyhow::Result;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _};
use retally_tests::kafka::Kafka;
use std::collections::HashMap;
use std::fs;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The topic from which is read.
pub(super) const SOURCE: &str = "latency";

/// Events a second.
const RATE: usize = 5_000;
/// Seconds that are measured, behind those in which processes start and warm up.
const MEASURED: usize = 20;
const WARM: usize = 15;

/// Killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn all(args: &Args, logs: &Logs, kafka: &Kafka, streams: &Streams) -> Result<()> {
    println!("\nfrom an event to its result, at {RATE} events a second");
    let brokers = kafka.brokers();
    for (name, topic) in [("live work", "run-balance"), ("Kafka Streams", "streams-balance")] {
        let mut command = match topic {
            "run-balance" => child(args, &["run-latency", &brokers, "latency"])?,
            _ => streams.command(&brokers, SOURCE, "latency", "forever")?,
        };
        let worker = Killed(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
        let mut times = measured(logs, kafka, topic)?;
        drop(worker);
        remove(&logs.dir.join("live"))?;
        times.sort();
        let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied();
        let [Some(half), Some(most)] = [at(0.5), at(0.99)] else {
            anyhow::bail!("{name} gives nothing");
        };
        println!(
            "{name:16} p50 {:>7.1} ms   p99 {:>7.1} ms   of {} results",
            half.as_secs_f64() * 1e3,
            most.as_secs_f64() * 1e3,
            times.len()
        );
        kafka.unmake(SOURCE)?;
        kafka.make(SOURCE, logs.shape.files as i32, &[])?;
    }
    Ok(())
}

/// Sends events at the rate, and gives how long the result of each took.
fn measured(logs: &Logs, kafka: &Kafka, topic: &str) -> Result<Vec<Duration>> {
    let (sent, over) = (Mutex::new(HashMap::<Vec<u8>, Instant>::new()), AtomicBool::new(false));
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers()).set("group.id", "latency-reader");
    config.set("isolation.level", "read_committed").set("auto.offset.reset", "latest");
    config.set("enable.auto.commit", "false").set("fetch.wait.max.ms", "5");
    let reader: BaseConsumer = config.create()?;
    reader.subscribe(&[topic])?;
    std::thread::scope(|scope| {
        let reads = scope.spawn(|| {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let Some(Ok(record)) = reader.poll(Duration::from_millis(50)) else { continue };
                let now = Instant::now();
                let id = record.headers().and_then(|all| {
                    all.iter().find(|own| own.key == "id").and_then(|own| own.value)
                });
                let sent = id.and_then(|id| {
                    let mut sent = sent.lock().ok()?;
                    sent.remove(id)
                });
                times.extend(sent.map(|sent| now - sent));
            }
            times
        });
        let sends = send(logs, kafka, |id, is_measured| {
            if let (true, Ok(mut sent)) = (is_measured, sent.lock()) {
                sent.insert(id.to_vec(), Instant::now());
            }
        });
        std::thread::sleep(Duration::from_secs(3));
        over.store(true, Ordering::Relaxed);
        let times = reads.join().map_err(|_| anyhow::anyhow!("no reader"))?;
        sends.map(|()| times)
    })
}

fn send(logs: &Logs, kafka: &Kafka, mut sent: impl FnMut(&[u8], bool)) -> Result<()> {
    let files = logs.json_files();
    let texts: Vec<Vec<u8>> = files.iter().map(fs::read).collect::<Result<_, _>>()?;
    let mut lines: Vec<_> = texts.iter().map(|text| text.split(|&byte| byte == b'\n')).collect();
    let (producer, since) = (kafka.producer(None)?, Instant::now());
    for number in 0..RATE * (WARM + MEASURED) {
        let partition = number % lines.len();
        let Some(line) = lines[partition].next().filter(|line| !line.is_empty()) else { break };
        let due = Duration::from_secs_f64(number as f64 / RATE as f64);
        if let Some(early) = due.checked_sub(since.elapsed()) {
            std::thread::sleep(early);
        }
        let id = field(line, b"\"event_id\":\"").unwrap_or_default();
        sent(id, number >= RATE * WARM);
        let mut record: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(SOURCE).partition(partition as i32).payload(line);
        record.key = field(line, b"\"account_id\":\"");
        producer.send(record).map_err(|(error, _)| error)?;
    }
    Ok(producer.flush(Duration::from_secs(30))?)
}
