//! A Kafka for the tests: a real broker, which is its own controller, from Maven Central.

use super::maven::Maven;
use super::{Server, folder, free_port};
use anyhow::{Result, anyhow};
use std::path::Path;
use std::process::Command;

/// Kafka, in the version that the list of what it needs has. Not 4.3 or 4.4, of which a broker that
/// was killed may forget to end transactions when it comes back (KAFKA-20734).
pub(super) const KAFKA: Maven = Maven {
    name: "kafka-4.2.2",
    class: "Broker",
    program: include_str!("kafka/Broker.java"),
    needs: include_str!("kafka/pom.xml"),
};

/// The file in the folder of a broker that holds its settings.
const SETTINGS: &str = "broker.properties";

/// A broker that keeps what it has in `data`, where it goes on from what it had. It ends with
/// whoever started it. Topics are made by whoever wants them.
///
/// # Errors
/// When it cannot be installed or started.
pub fn kafka(data: &Path) -> Result<Server> {
    started(data, &|port, controller| settings(data, (1, port), &[controller]))
}

/// Three brokers that are one Kafka, which keep what they have in `0`, `1` and `2` of `data`: what
/// two of them have is there.
///
/// # Errors
/// When they cannot be installed or started.
pub fn kafka_three(data: &Path) -> Result<Vec<Server>> {
    const ALL: [usize; 3] = [0, 1, 2];
    std::fs::create_dir_all(folder())?;
    let home = KAFKA.installed()?;
    let controllers = ALL.map(|_| free_port()).into_iter().collect::<Result<Vec<_>>>()?;
    let spawn = |own: usize| {
        let (data, port) = (data.join(own.to_string()), free_port()?);
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join(SETTINGS), settings(&data, (own + 1, port), &controllers))?;
        Server::spawn("Kafka", port, command(&home, &data))
    };
    // One alone waits for another before it listens.
    let all = ALL.map(spawn).into_iter().collect::<Result<Vec<_>>>()?;
    let all = all.into_iter().map(|own| {
        own.listening()?.map_err(|said| anyhow!("a Kafka of three does not start: {said}"))
    });
    all.collect()
}

fn command(home: &Path, data: &Path) -> Command {
    let mut command = KAFKA.command(home, 512);
    command.arg(data.join(SETTINGS));
    command
}

/// A broker that listens at a second port too, which is given back: there it speaks TLS, by the key
/// and the certificate in `pem`, and lets in who shows [`KAFKA_KEYS`].
///
/// # Errors
/// When it cannot be installed or started.
pub fn kafka_secured(data: &Path, pem: &Path) -> Result<(Server, u16)> {
    let secured = free_port()?;
    let server = started(data, &|port, controller| {
        settings(data, (1, port), &[controller]) + &secured_by(port, controller, secured, pem)
    })?;
    Ok((server, secured))
}

/// The broker of `data`, which ended, once more at its port.
///
/// # Errors
/// When it does not start.
pub fn kafka_again(data: &Path, port: u16) -> Result<Server> {
    let started = Server::start_at("Kafka", port, command(&KAFKA.installed()?, data))?;
    started.map_err(|said| anyhow!("Kafka does not start again: {said}"))
}

/// A broker that listens at `own` too, and says that it is reached at `known`: for whoever is to
/// come by another way.
///
/// # Errors
/// When it cannot be installed or started.
pub fn kafka_behind(data: &Path, own: u16, known: u16) -> Result<Server> {
    started(data, &|port, controller| {
        settings(data, (1, port), &[controller])
            + &format!(
                "listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},\
                 BEHIND://127.0.0.1:{own}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},BEHIND://127.0.0.1:{known}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,BEHIND:PLAINTEXT
"
            )
    })
}

/// Whom a broker that is secured lets in: a name and its password.
pub const KAFKA_KEYS: [&str; 2] = ["reader", "passwordsecret"];

/// What stands behind the other settings of a broker that is secured; of two the last counts.
fn secured_by(port: u16, controller: u16, secured: u16, pem: &Path) -> String {
    const MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let [name, password] = KAFKA_KEYS;
    let pem = pem.display();
    format!(
        "listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},\
         SASL_SSL://127.0.0.1:{secured}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config={MODULE} required user_{name}=\"{password}\";
ssl.keystore.type=PEM
ssl.keystore.location={pem}
"
    )
}

fn started(data: &Path, settings: &dyn Fn(u16, u16) -> String) -> Result<Server> {
    std::fs::create_dir_all(folder())?;
    let home = KAFKA.installed()?;
    let file = data.join(SETTINGS);
    Server::start("Kafka", |port| {
        // What cannot be written is said by the broker, which does not find it.
        let _ = free_port().map(|other| std::fs::write(&file, settings(port, other)));
        command(&home, data)
    })
}

/// Settings of one of as many brokers as there are controllers, by its number from one.
fn settings(data: &Path, (own, port): (usize, u16), controllers: &[u16]) -> String {
    let logs = data.join("logs").display().to_string();
    let controller = controllers[own - 1];
    let voters = controllers.iter().enumerate();
    let voters: Vec<_> = voters.map(|(at, port)| format!("{}@127.0.0.1:{port}", at + 1)).collect();
    let (voters, all, most) = (voters.join(","), controllers.len(), controllers.len().div_ceil(2));
    format!(
        "process.roles=broker,controller
node.id={own}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
min.insync.replicas={most}
offsets.topic.replication.factor={all}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={all}
transaction.state.log.min.isr={most}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={all}
share.coordinator.state.topic.min.isr={most}
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# A broker that dies is noticed within seconds.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Who dies is noticed as soon as it asked for, and so is a transaction that it leaves open.
group.min.session.timeout.ms=100
transaction.abort.timed.out.transaction.cleanup.interval.ms=200
# What is to be deleted or compacted is so soon.
log.retention.check.interval.ms=200
log.segment.delete.delay.ms=0
log.cleaner.backoff.ms=200
log.cleaner.min.cleanable.ratio=0.01
"
    )
}
