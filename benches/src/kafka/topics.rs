//! The broker of a sitting, its topics, and the Kafka Streams application.

use super::{INTERVAL_MS, latency};
use crate::logs::{Logs, remove};
use anyhow::{Context as _, Result};
use rdkafka::producer::{BaseRecord, Producer as _};
use retally_tests::kafka::Kafka;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use xtask::services::Maven;

/// The topic of the log.
pub(super) const SOURCE: &str = "orders";

/// What records are handed on to.
pub(super) const PLAIN: &str = "plain";

/// The same work, as somebody would write it with Kafka Streams.
const STREAMS: Maven = Maven {
    name: "streams-4.4.0",
    class: "Orders",
    program: include_str!("../../streams/Orders.java"),
    needs: include_str!("../../streams/pom.xml"),
};

/// A broker with the log in a topic, a partition for each file, and topics for all that is
/// published.
pub(super) fn filled(logs: &Logs) -> Result<Kafka> {
    let kafka = Kafka::start()?;
    let partitions = logs.shape.files as i32;
    let outs = ["balance", "tier_changed", "refused"];
    let outs = outs.iter().flat_map(|kind| [format!("run-{kind}"), format!("streams-{kind}")]);
    let plain = [SOURCE, PLAIN, latency::SOURCE].map(str::to_owned);
    for topic in outs.chain(plain) {
        kafka.make(&topic, partitions, &[])?;
    }
    kafka.make("run-views", partitions, &[("cleanup.policy", "compact")])?;
    eprintln!("putting the log into a topic ...");
    let producer = kafka.producer(None)?;
    for (partition, file) in logs.json_files().iter().enumerate() {
        for line in fs::read(file)?.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let mut record: BaseRecord<'_, [u8], [u8]> =
                BaseRecord::to(SOURCE).partition(partition as i32).payload(line);
            record.key = field(line, b"\"account_id\":\"");
            while let Err((_, back)) = producer.send(record) {
                record = back;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(kafka)
}

/// A text in a line of the log.
pub(super) fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = line.windows(name.len()).position(|window| window == name)? + name.len();
    let rest = &line[at..];
    Some(&rest[..rest.iter().position(|&byte| byte == b'"')?])
}

/// The Kafka Streams application.
pub(super) struct Streams {
    home: PathBuf,
    /// Its local state.
    state: PathBuf,
}

impl Streams {
    pub(super) fn installed(logs: &Logs) -> Result<Self> {
        let state = std::path::absolute(logs.dir.join("streams"))?;
        let streams = Self { home: STREAMS.installed().context("Kafka Streams")?, state };
        remove(&streams.state)?;
        Ok(streams)
    }

    /// `until`: end, running or forever.
    pub(super) fn command(
        &self,
        brokers: &str,
        source: &str,
        name: &str,
        until: &str,
    ) -> Result<Command> {
        fs::create_dir_all(&self.state)?;
        let mut command = Command::new("java");
        command.args(["-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]);
        command.args(["-cp", "libs/*:classes", STREAMS.class, brokers, source, "streams-"]);
        command.arg(format!("streams-{name}")).arg(&self.state).arg(INTERVAL_MS.to_string());
        command.arg(until).current_dir(&self.home);
        Ok(command)
    }

    /// Its machine is lost.
    pub(super) fn forget(&self, name: &str) -> Result<()> {
        remove(&self.state.join(format!("streams-{name}")))
    }
}
