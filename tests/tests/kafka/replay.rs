//! A topic is replayed as the same events are from files; what it has no longer, and what it never
//! had, is told apart.

use anyhow::Result;
use rdkafka::producer::Producer as _;
use retally_core::decode::Beside;
use retally_engine::Cancel;
use retally_engine::kafka::{self, KafkaLog, Reads};
use retally_engine::log::{Log as _, conformance};
use retally_tests::kafka::{Kafka, Record, transaction};
use retally_tests::{Project, payments};

fn open(kafka: &Kafka, topic: &str) -> Result<KafkaLog> {
    Ok(KafkaLog::open(&kafka.url(topic), &kafka::Kafka::default(), Reads::default())?)
}

/// Events of three partitions, as lines.
fn lines(events: u64) -> Vec<(i32, Vec<String>)> {
    let of = |partition: i32| {
        payments(events, &format!("p{partition}")).lines().map(str::to_owned).collect()
    };
    (0..3).map(|partition| (partition, of(partition))).collect()
}

fn records(all: &[(i32, Vec<String>)]) -> Vec<Record<'_>> {
    let lines = all.iter().flat_map(|(partition, lines)| lines.iter().map(|l| (*partition, l)));
    lines.map(|(partition, line)| (partition, None, Some(line.as_str()))).collect()
}

#[test]
fn a_topic_gives_what_files_of_its_partitions_give() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    let all = lines(20_000);
    for (partition, lines) in &all {
        project.write(&format!("log/{partition}.jsonl"), lines.join("\n") + "\n")?;
    }
    kafka.make("orders", 3, &[])?;
    kafka.put("orders", &records(&all))?;
    let local = project.replay(&["--out", "local"])?;
    let source = kafka.url("orders");
    for (threads, batch) in [("1", "1000"), ("2", "7777"), ("4", "65536")] {
        let args = ["--source", &source, "--threads", threads, "--batch", batch];
        let run = project.replay(&args)?;
        for what in ["digest", "digests", "counts"] {
            assert_eq!(run[what], local[what], "{what}");
        }
    }
    Ok(())
}

#[test]
fn what_was_never_an_event_is_passed_over_and_the_log_keeps_its_promises() -> Result<()> {
    let kafka = Kafka::start()?;
    kafka.make("orders", 3, &[])?;
    let all = lines(300);
    let records = records(&all);
    let producer = kafka.producer(Some("one"))?;
    let mut expected: Vec<Vec<(u64, Vec<u8>)>> = vec![Vec::new(); 3];
    let mut next = [0_u64; 3];
    for (number, some) in records.chunks(70).enumerate() {
        let commits = number % 3 != 1;
        // A deletion among them: a record without a value; and values that look like lines.
        let of = some[0].0;
        let more = [(of, Some("k"), None), (of, None, Some("a\r\n")), (of, None, Some(""))];
        let some: Vec<Record<'_>> = some.iter().copied().chain(more).collect();
        transaction(&producer, "orders", &some, commits)?;
        let mut touched = [false; 3];
        for (partition, _, value) in &some {
            let partition = usize::try_from(*partition)?;
            if let Some(value) = value.filter(|_| commits) {
                expected[partition].push((next[partition], value.as_bytes().to_vec()));
            }
            next[partition] += 1;
            touched[partition] = true;
        }
        // The mark of its end takes an offset, too.
        for (next, _) in next.iter_mut().zip(touched).filter(|(_, touched)| *touched) {
            *next += 1;
        }
    }
    // One that is open hides what comes behind it.
    producer.begin_transaction()?;
    retally_tests::kafka::put(&producer, "orders", &records[..10])?;
    let beside = vec![Beside::Key, Beside::Header("x".into()), Beside::Timestamp];
    let reads = Reads { beside, ..Reads::default() };
    let log = KafkaLog::open(&kafka.url("orders"), &kafka::Kafka::default(), reads)?;
    let told = conformance::check(&log, &Cancel::default())?;
    assert!(told.into_values().eq(expected), "other events");
    Ok(())
}

#[test]
fn deletions_are_counted_apart() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    let lines = payments(1_000, "a");
    let lines: Vec<&str> = lines.lines().collect();
    project.write("log/0.jsonl", lines.join("\n"))?;
    kafka.make("orders", 1, &[])?;
    // One behind each tenth event, and some at the end.
    let mut records: Vec<Record<'_>> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        records.push((0, None, Some(line)));
        if number % 10 == 9 {
            records.push((0, Some("k"), None));
        }
    }
    records.extend([(0, Some("k"), None); 5]);
    kafka.put("orders", &records)?;
    let source = kafka.url("orders");
    for (how, deletions) in [
        (&[][..], 105),
        (&["--limit", "95"], 9),
        (&["--passes", "3"], 105),
        (&["--from", "2026-03-01T12:05:00Z"], 75),
        (&["--set", "job.order=time"], 105),
    ] {
        let local = project.replay(how)?;
        let topic = project.replay(&[how, &["--source", &source]].concat())?;
        assert_eq!(topic["digest"], local["digest"], "{how:?}");
        assert_eq!((&topic["deletions"], local.get("deletions")), (&deletions.into(), None));
    }
    let ran = project.run(&["replay", "--source", &source, "--out", "told"])?;
    assert!(ran.stdout.contains("deletions   105 records without a value"), "{}", ran.stdout);
    let check = project.run(&["results", "check", "told"])?;
    assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    let manifest = std::fs::read_to_string(project.path("told/manifest.json"))?;
    assert!(manifest.contains("\"deletions\": 105"), "{manifest}");
    Ok(())
}

#[test]
fn what_retention_took_is_a_finding() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    kafka.make("orders", 3, &[])?;
    let all = lines(1_000);
    kafka.put("orders", &records(&all))?;
    kafka.delete_before("orders", 1, 400)?;
    let log = open(&kafka, "orders")?;
    let firsts: Vec<_> = log.partitions().iter().map(|partition| partition.first).collect();
    assert_eq!(firsts, [0, 400, 0]);
    let ran = project.run(&["replay", "--source", &kafka.url("orders")])?;
    let said = ran.stderr + &ran.stdout;
    assert!(said.contains("offsets 0 to 399 of partition 1 are gone"), "{said}");
    Ok(())
}

#[test]
fn a_topic_that_cannot_be_read_is_named_and_leaves_nothing() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    let ran =
        project.run(&["replay", "--source", &kafka.url("x"), "--set", "source.format=parquet"])?;
    assert!(ran.code == 2 && ran.stderr.contains("of a topic are read as"), "{}", ran.stderr);
    for (url, code, says) in [
        (kafka.url("nowhere"), 2, "Kafka has no such topic"),
        ("kafka://127.0.0.1:1/orders".to_owned(), 3, "Kafka does not answer"),
    ] {
        let ran = project.run(&["replay", "--source", &url])?;
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    let sorted = ["--set", "job.order.sort=[\"time\"]"];
    let ran =
        project.run(&[&["replay", "--source", &kafka.url("orders")], &sorted[..]].concat())?;
    assert!(
        ran.code == 2 && ran.stderr.contains("partitions of a topic have one"),
        "{}",
        ran.stderr
    );
    assert!(!project.path("runs").exists());
    Ok(())
}
