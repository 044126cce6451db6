//! A real Kafka, started for one test, and what fills its topics.

use crate::certificates;
use crate::held::Held;
use anyhow::{Context as _, Result, anyhow};
use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tempfile::TempDir;
use xtask::services::{self, Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// A broker, or several that are one Kafka. All clones are the same; it ends with the last of them.
#[derive(Clone)]
pub struct Kafka(Arc<Own>);

struct Own {
    brokers: Mutex<Vec<Server>>,
    /// Where each is asked.
    ports: Vec<u16>,
    /// Where it speaks TLS and asks who comes, if it does.
    secured: Option<u16>,
    data: TempDir,
}

/// A record: its partition, its key, its value.
pub type Record<'a> = (i32, Option<&'a str>, Option<&'a str>);

/// What puts records.
pub type Producer = ThreadedProducer<DefaultProducerContext>;

impl Kafka {
    /// Starts one.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let broker = services::kafka(data.path())?;
        Ok(Self::of(vec![broker], None, data))
    }

    fn of(brokers: Vec<Server>, secured: Option<u16>, data: TempDir) -> Self {
        let ports = brokers.iter().map(|broker| broker.port).collect();
        Self(Arc::new(Own { brokers: Mutex::new(brokers), ports, secured, data }))
    }

    /// The one that tests share which run at the same time: each has topics and groups of its own
    /// there.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn shared() -> Result<Self> {
        static SHARED: Mutex<Weak<Own>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = shared.upgrade() {
            return Ok(Self(own));
        }
        let started = Self::start()?;
        *shared = Arc::downgrade(&started.0);
        Ok(started)
    }

    /// Starts three that are one Kafka: every topic is on each of them, and what two have is there.
    ///
    /// # Errors
    /// When they cannot be installed or started.
    pub fn three() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let brokers = services::kafka_three(data.path())?;
        Ok(Self::of(brokers, None, data))
    }

    /// Starts one that is secured too; who trusts the authority in the file that is given back
    /// trusts it.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn secured() -> Result<(Self, PathBuf)> {
        let data = tempfile::tempdir()?;
        let file = |name: &str| data.path().join(name);
        certificates(data.path())?;
        let read = |name: &str| std::fs::read_to_string(file(name));
        std::fs::write(file("both.pem"), read("key.pem")? + &read("cert.pem")?)?;
        let (server, secured) = services::kafka_secured(data.path(), &file("both.pem"))?;
        let authority = file("ca.pem");
        Ok((Self::of(vec![server], Some(secured), data), authority))
    }

    /// Starts one that is reached by a way on which ends of transactions are held up.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn behind() -> Result<(Self, Held)> {
        let (data, own) = (tempfile::tempdir()?, services::free_port()?);
        let held = Held::new(own)?;
        let server = services::kafka_behind(data.path(), own, held.port)?;
        Ok((Self::of(vec![server], None, data), held))
    }

    /// Ends it as a machine that dies does, and starts it again where it was.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.kill(0);
        self.again(0)
    }

    /// Ends one of its brokers as a machine that dies does.
    pub fn kill(&self, broker: usize) {
        self.servers()[broker].kill();
    }

    /// Starts one of its brokers that was killed where it was.
    ///
    /// # Errors
    /// When it does not start.
    pub fn again(&self, broker: usize) -> Result<()> {
        let folder = match self.0.ports.len() {
            1 => self.data().to_owned(),
            _ => self.data().join(broker.to_string()),
        };
        let started = services::kafka_again(&folder, self.0.ports[broker])?;
        self.servers()[broker] = started;
        Ok(())
    }

    fn servers(&self) -> MutexGuard<'_, Vec<Server>> {
        self.0.brokers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder in which it keeps what it has.
    pub fn data(&self) -> &Path {
        self.0.data.path()
    }

    /// The URL of a topic where it is secured.
    pub fn secured_url(&self, topic: &str) -> String {
        format!("kafka://127.0.0.1:{}/{topic}", self.0.secured.unwrap_or_default())
    }

    /// Where it is asked first.
    pub fn brokers(&self) -> String {
        let all: Vec<String> = self.0.ports.iter().map(|p| format!("127.0.0.1:{p}")).collect();
        all.join(",")
    }

    /// The URL of a topic.
    pub fn url(&self, topic: &str) -> String {
        format!("kafka://{}/{topic}", self.brokers())
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        config
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        Ok(self.config().create()?)
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// When there is one.
    pub fn make(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<()> {
        let all = self.0.ports.len() as i32;
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(all));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = block_on(self.admin()?.create_topics([&new], &options))?;
        made.into_iter().try_for_each(|one| match one {
            Ok(_) => Ok(()),
            Err((name, code)) => Err(anyhow!("{name}: {code}")),
        })
    }

    /// Deletes a topic, and waits until it is gone.
    ///
    /// # Errors
    /// When there is none.
    pub fn unmake(&self, topic: &str) -> Result<()> {
        let admin = self.admin()?;
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for deleted in block_on(admin.delete_topics(&[topic], &options))? {
            deleted.map_err(|(name, code)| anyhow!("{name}: {code}"))?;
        }
        let is_there = || -> Result<bool> {
            let all = admin.inner().fetch_metadata(None, PATIENCE)?;
            Ok(all.topics().iter().any(|own| own.name() == topic))
        };
        while is_there()? {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Deletes the records of a partition in front of an offset, as retention does.
    ///
    /// # Errors
    /// When they are not there.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: i64) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        block_on(self.admin()?.delete_records(&list, &options))?;
        Ok(())
    }

    /// Gives a topic more partitions.
    ///
    /// # Errors
    /// When it has as many.
    pub fn grow(&self, topic: &str, partitions: usize) -> Result<()> {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let new = NewPartitions::new(topic, partitions);
        let grown = block_on(self.admin()?.create_partitions([&new], &options))?;
        let refused = grown.into_iter().find_map(Result::err);
        refused.map_or(Ok(()), |(name, code)| Err(anyhow!("{name}: {code}")))
    }

    /// Has a group forgotten, with its offsets, as time does.
    ///
    /// # Errors
    /// When it has members.
    pub fn forget(&self, group: &str) -> Result<()> {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let forgotten = block_on(self.admin()?.delete_groups(&[group], &options))?;
        let refused = forgotten.into_iter().find_map(Result::err);
        refused.map_or(Ok(()), |(name, code)| Err(anyhow!("{name}: {code}")))
    }

    /// Commits the offset of a partition as a group of consumers, and a text beside it.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub fn commit_text(&self, group: &str, topic: &str, own: (i32, i64, &str)) -> Result<()> {
        let consumer: BaseConsumer = self.config().set("group.id", group).create()?;
        let (partition, offset, text) = own;
        let mut list = TopicPartitionList::new();
        let mut entry = list.add_partition(topic, partition);
        entry.set_offset(Offset::Offset(offset))?;
        entry.set_metadata(text);
        Ok(consumer.commit(&list, CommitMode::Sync)?)
    }

    /// Commits offsets as a group of consumers.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub fn commit(&self, group: &str, topic: &str, offsets: &[(i32, i64)]) -> Result<()> {
        let consumer: BaseConsumer = self.config().set("group.id", group).create()?;
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
        }
        Ok(consumer.commit(&list, CommitMode::Sync)?)
    }

    /// What a group has committed of each partition of a topic, and the text beside it.
    ///
    /// # Errors
    /// When the broker does not tell.
    pub fn committed(&self, group: &str, topic: &str) -> Result<Vec<(i32, i64, String)>> {
        let consumer: BaseConsumer = self.config().set("group.id", group).create()?;
        let all = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let partitions = all.topics().first().map_or(0, |topic| topic.partitions().len() as i32);
        let mut list = TopicPartitionList::new();
        (0..partitions).for_each(|partition| _ = list.add_partition(topic, partition));
        let committed = consumer.committed_offsets(list, PATIENCE)?;
        let own = committed.elements();
        let own = own.iter().filter_map(|own| {
            let offset = own.offset().to_raw().filter(|offset| *offset >= 0)?;
            Some((own.partition(), offset, own.metadata().to_owned()))
        });
        Ok(own.collect())
    }

    /// What puts records, in transactions if it gets a name.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub fn producer(&self, transactional: Option<&str>) -> Result<Producer> {
        let mut config = self.config();
        config.set("linger.ms", "5").set("enable.idempotence", "true");
        if let Some(name) = transactional {
            config.set("transactional.id", name);
        }
        let producer: Producer = config.create()?;
        if transactional.is_some() {
            producer.init_transactions(PATIENCE)?;
        }
        Ok(producer)
    }

    /// Begins a transaction over offsets of a group of consumers, as a worker does that dies before
    /// it ends it.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub fn begin_offsets(
        &self,
        producer: &Producer,
        group: &str,
        topic: &str,
        offsets: &[(i32, i64)],
    ) -> Result<()> {
        let consumer: BaseConsumer = self.config().set("group.id", group).create()?;
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
        }
        producer.begin_transaction()?;
        let group = consumer.group_metadata().context("no group")?;
        Ok(producer.send_offsets_to_transaction(&list, &group, PATIENCE)?)
    }

    /// Puts records, and waits until they are there.
    ///
    /// # Errors
    /// When they are not.
    pub fn put(&self, topic: &str, records: &[Record<'_>]) -> Result<()> {
        put(&self.producer(None)?, topic, records)
    }
}

/// Puts records by a producer, and waits until they are there.
///
/// # Errors
/// When they are not.
pub fn put(producer: &Producer, topic: &str, records: &[Record<'_>]) -> Result<()> {
    for (partition, key, value) in records {
        let mut record: BaseRecord<'_, str, str> = BaseRecord::to(topic).partition(*partition);
        record.key = *key;
        record.payload = *value;
        let mut left = Some(record);
        while let Some(record) = left.take() {
            if let Err((error, record)) = producer.send(record) {
                let is_full =
                    error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::QueueFull);
                left = is_full.then_some(record);
                left.as_ref().with_context(|| error.to_string())?;
                producer.flush(PATIENCE)?;
            }
        }
    }
    Ok(producer.flush(PATIENCE)?)
}

/// Puts records as one transaction, which is committed or aborted.
///
/// # Errors
/// When the broker refuses it.
pub fn transaction(
    producer: &Producer,
    topic: &str,
    records: &[Record<'_>],
    commits: bool,
) -> Result<()> {
    producer.begin_transaction()?;
    put(producer, topic, records)?;
    match commits {
        true => producer.commit_transaction(PATIENCE)?,
        false => producer.abort_transaction(PATIENCE)?,
    }
    Ok(())
}

/// All that a record may have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Full<'a> {
    /// Its partition.
    pub partition: i32,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none: a deletion.
    pub value: Option<&'a [u8]>,
    /// Its headers, in their order.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// Its time, in milliseconds.
    pub time: Option<i64>,
}

/// Puts records with all that they have, and waits until they are there.
///
/// # Errors
/// When they are not.
pub fn put_full(producer: &Producer, topic: &str, records: &[Full<'_>]) -> Result<()> {
    for own in records {
        let headers = own.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: *value })
        });
        let mut record: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(topic).partition(own.partition).headers(headers);
        (record.key, record.payload, record.timestamp) = (own.key, own.value, own.time);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    Ok(producer.flush(PATIENCE)?)
}
