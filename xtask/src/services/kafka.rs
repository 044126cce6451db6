//! A Kafka for the tests: a real broker, which is its own controller, from Maven Central.

use super::maven::Maven;
use super::{Server, folder, free_port};
use anyhow::Result;
use std::path::Path;

/// Kafka, in the version that the list of what it needs has.
pub(super) const KAFKA: Maven = Maven {
    name: "kafka-4.4.0",
    class: "Broker",
    program: include_str!("kafka/Broker.java"),
    needs: include_str!("kafka/pom.xml"),
};

/// A broker that keeps what it has in `data`, where it goes on from what it had. It ends with
/// whoever started it. Topics are made by whoever wants them.
///
/// # Errors
/// When it cannot be installed or started.
pub fn kafka(data: &Path) -> Result<Server> {
    std::fs::create_dir_all(folder())?;
    let home = KAFKA.installed()?;
    let file = data.join("broker.properties");
    Server::start("Kafka", |port| {
        // What cannot be written is said by the broker, which does not find it.
        let _ = free_port().map(|other| std::fs::write(&file, settings(data, port, other)));
        let mut command = KAFKA.command(&home, 512);
        command.arg(&file);
        command
    })
}

fn settings(data: &Path, port: u16, controller: u16) -> String {
    let logs = data.join("logs").display().to_string();
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# What is to be deleted or compacted is so soon.
log.retention.check.interval.ms=200
log.segment.delete.delay.ms=0
log.cleaner.backoff.ms=200
log.cleaner.min.cleanable.ratio=0.01
"
    )
}
