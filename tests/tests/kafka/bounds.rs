//! A range of a topic: by positions, by times, by where a group of consumers stands.

use anyhow::Result;
use rdkafka::producer::Producer as _;
use retally_engine::kafka::{KafkaLog, Reads};
use retally_engine::log::Log as _;
use retally_tests::kafka::{Full, Kafka, Record, put_full, transaction};
use retally_tests::{Project, payments, reducer};
use serde_json::Value;
use std::time::Duration;

/// Two partitions of 300 payments, one a second from noon on, as a topic and as files.
fn both() -> Result<(Project, Kafka)> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    kafka.make("orders", 2, &[])?;
    for partition in 0..2 {
        let lines = payments(300, &format!("p{partition}"));
        project.write(&format!("log/{partition}.jsonl"), &*lines)?;
        let records: Vec<Record<'_>> = lines.lines().map(|l| (partition, None, Some(l))).collect();
        kafka.put("orders", &records)?;
    }
    Ok((project, kafka))
}

fn seal(run: &Value) -> (&Value, &Value, &Value) {
    (&run["digest"], &run["digests"], &run["counts"])
}

#[test]
fn positions_and_times_of_a_topic_are_those_of_its_files() -> Result<()> {
    let (project, kafka) = both()?;
    let url = kafka.url("orders");
    let of_topic = |args: &[&str]| project.replay(&[&["--source", &url], args].concat());
    for (args, events) in [
        (&["--from", "0:100,1:250"][..], 250),
        (&["--from", "0:100", "--to", "1:200"], 400),
        (&["--from", "2026-03-01T12:01:40Z", "--to", "2026-03-01T12:03:20Z"], 200),
        (&["--set", "job.order=time", "--from", "2026-03-01T12:01:40Z"], 400),
    ] {
        let (topic, files) = (of_topic(args)?, project.replay(args)?);
        assert_eq!(seal(&topic), seal(&files), "{args:?}");
        assert_eq!(topic["counts"]["events"], events, "{args:?}");
        assert_eq!(topic["range"], files["range"], "{args:?}");
    }
    for (args, says) in [
        (&["--from", "0:301"][..], "partition 0 ends at offset 300"),
        (&["--from", "0:300,1:300"], "no event of the log lies in the range"),
        (&["--from", "3:1"], "its partitions are \"0\", \"1\""),
    ] {
        let ran = project.run(&[&["replay", "--source", &url], args].concat())?;
        assert!(ran.code == 2 && ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
    Ok(())
}

#[test]
fn a_range_begins_and_ends_where_a_group_stands() -> Result<()> {
    let (project, kafka) = both()?;
    let url = kafka.url("orders");
    kafka.commit("done", "orders", &[(0, 120), (1, 40)])?;
    kafka.commit("all:1", "orders", &[(0, 300), (1, 200)])?;
    let of_topic = |args: &[&str]| project.replay(&[&["--source", &url], args].concat());
    let words = ["--from", "@group:done", "--to", "@group:all:1"];
    let (own, files) =
        (of_topic(&words)?, project.replay(&["--from", "0:120,1:40", "--to", "1:200"])?);
    assert_eq!(seal(&own), seal(&files));
    assert_eq!(own["range"]["from"], "@group:done");
    // What it stood for is what is repeated, wherever the group stands by then.
    kafka.commit("done", "orders", &[(0, 10), (1, 10)])?;
    let manifest = project.dir_of(&own).join("manifest.json").display().to_string();
    let again = project.run(&["replay", "--json", "--manifest", &manifest])?.ok()?;
    assert_eq!((&again["seal"], &again["range"]), (&own["seal"], &own["range"]));
    let told = project.run(&["replay", "--source", &url, "--from", "@group:done"])?;
    let said = told.stdout + &told.stderr;
    assert!(said.contains("--from @group:done is 0:10, 1:10"), "{said}");
    // Verbs that pass over a range take the same.
    let set = format!("source.url={url}");
    let (a, b) =
        (reducer("orders").display().to_string(), reducer("orders-v2").display().to_string());
    let compared = project.run(&[
        "compare",
        "--a",
        &a,
        "--b",
        &b,
        "--json",
        "--report-only",
        "--set",
        &set,
        "--from",
        "@group:done",
    ])?;
    assert_eq!(compared.ok()?["a"]["run"]["counts"]["events"], 580);
    let explain =
        |from| project.run(&["explain", "p0-003", "--json", "--set", &set, "--from", from]);
    let of = |from| -> Result<Value> { Ok(explain(from)?.ok()?["events"].clone()) };
    assert_eq!(of("@group:done")?, of("0:10,1:10")?);
    Ok(())
}

#[test]
fn a_group_that_stands_nowhere_is_named() -> Result<()> {
    let (project, kafka) = both()?;
    let url = kafka.url("orders");
    kafka.commit("half", "orders", &[(1, 40)])?;
    let source = ["--source", &url];
    for (more, word, says) in [
        (&source[..], "@group:nobody", "no group of this name has committed anything"),
        (&source, "@group:half", "has committed nothing of partition 0, so that nobody knows"),
        (&source, "@group:half", "give positions: --from 1:40 and one more"),
        (&source, "@group:half,0:3", "nor, alone, a group of consumers"),
        (&["--source", &url, "--set", "job.order=time"], "@group:half", "at one place"),
        (&[], "@group:half", "this log is none"),
    ] {
        let ran = project.run(&[&["replay", "--from", word], more].concat())?;
        assert!(ran.code == 2 && ran.stderr.contains(says), "{word}: {} {}", ran.code, ran.stderr);
    }
    Ok(())
}

#[test]
fn a_group_may_stand_behind_marks_and_in_partitions_without_records() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    kafka.make("orders", 3, &[])?;
    let (a, b) = (payments(20, "a"), payments(10, "b"));
    let a: Vec<Record<'_>> = a.lines().map(|line| (0, None, Some(line))).collect();
    let b: Vec<Record<'_>> = b.lines().map(|line| (1, None, Some(line))).collect();
    transaction(&kafka.producer(Some("one"))?, "orders", &a, true)?;
    kafka.put("orders", &b)?;
    // Behind the mark of the transaction; nothing of the partition that has nothing.
    kafka.commit("done", "orders", &[(0, 21), (1, 4)])?;
    let source = kafka.url("orders");
    let run = project.replay(&["--source", &source, "--from", "@group:done"])?;
    assert_eq!((&run["counts"]["events"], &run["range"]["replayed"]), (&6.into(), &24.into()));
    Ok(())
}

/// Records with their own times, which do not ascend; some are deletions, some were aborted.
fn timed(kafka: &Kafka, at: impl Fn(i64) -> i64) -> Result<()> {
    kafka.make("timed", 3, &[])?;
    let texts: Vec<String> = (0..3_000_u64)
        .map(|n| {
            let time = at(n as i64 / 2);
            let second = time / 1_000;
            let ts = format!(
                "2026-03-01T{:02}:{:02}:{:02}.{:03}Z",
                12 + second / 3_600,
                second / 60 % 60,
                second % 60,
                time % 1_000
            );
            let partition = n % 2;
            let text = retally_tests::payment(n, &format!("p{partition}-{:02}", n % 13), "1.00");
            let line: Value = serde_json::from_str(&text).unwrap_or_default();
            let mut line = line;
            line["ts"] = ts.into();
            line.to_string()
        })
        .collect();
    let aborted = kafka.producer(Some("aborted"))?;
    for (round, some) in texts.chunks(500).enumerate() {
        let own = |(row, text): (usize, &String)| {
            let n = (round * 500 + row) as i64;
            let value = (n % 97 != 96).then_some(text.clone().into_bytes());
            (n, value)
        };
        let own: Vec<(i64, Option<Vec<u8>>)> = some.iter().enumerate().map(own).collect();
        let full: Vec<Full<'_>> = own
            .iter()
            .map(|(n, value)| Full {
                partition: (n % 2) as i32,
                value: value.as_deref(),
                time: Some(NOON + at(n / 2)),
                ..Full::default()
            })
            .collect();
        aborted.begin_transaction()?;
        put_full(&aborted, "timed", &full[..100])?;
        aborted.abort_transaction(Duration::from_secs(30))?;
        put_full(&kafka.producer(None)?, "timed", &full)?;
    }
    Ok(())
}

/// 2026-03-01T12:00:00Z, in milliseconds.
const NOON: i64 = 1_772_366_400_000;

#[test]
fn times_of_records_are_found_by_brokers_and_mean_what_reading_them_means() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    // A second each, but that every seventh came five minutes late; and half seconds.
    let at = |n: i64| n * 1_000 + 500 - if n % 7 == 3 { 300_000.min(n * 1_000) } else { 0 };
    timed(&kafka, at)?;
    let url = kafka.url("timed");
    // The same times stand in the records: those are read.
    let replay = |args: &[&str], of: &str| {
        let time = format!("source.time={of}");
        project.replay(&[&["--source", &url, "--set", &time], args].concat())
    };
    for args in [
        &["--from", "2026-03-01T12:10:00Z"][..],
        &["--from", "2026-03-01T12:10:00.5Z", "--to", "2026-03-01T12:20:00.500001Z"],
        &["--to", "2026-03-01T12:20:00Z"],
        &["--to", "2026-03-02"],
        &["--from", "2026-03-01", "--to", "2026-03-01T12:00:30Z"],
        &["--from", "2026-03-01T12:24:50Z", "--empty-state"],
        &[
            "--set",
            "job.order=time",
            "--from",
            "2026-03-01T12:10:00Z",
            "--to",
            "2026-03-01T12:11:00Z",
        ],
        &["--set", "job.order=path", "--from", "2026-03-01T12:10:00Z"],
    ] {
        let (own, read) = (replay(args, "@timestamp")?, replay(args, "/ts")?);
        assert_eq!(seal(&own), seal(&read), "{args:?}");
        assert_eq!(own["range"], read["range"], "{args:?}");
        assert_eq!(own["notes"], read["notes"], "{args:?}");
        let place = |run: &Value| -> Result<Value> {
            let manifest = project.dir_of(run).join("manifest.json");
            let manifest: Value = serde_json::from_slice(&std::fs::read(manifest)?)?;
            Ok(manifest["job"]["settings"]["range"].clone())
        };
        assert_eq!(place(&own)?, place(&read)?, "{args:?}");
    }
    let ran = |of: &str| -> Result<(i32, String)> {
        let time = format!("source.time={of}");
        let words = ["replay", "--source", &url, "--set", &time, "--from", "2026-03-02"];
        let ran = project.run(&words)?;
        Ok((ran.code, ran.stderr))
    };
    let (code, said) = ran("@timestamp")?;
    assert!(code == 2 && said.contains("event times go from 2026-03-01T12:00:0"), "{said}");
    assert_eq!(ran("/ts")?, (code, said));
    // What brokers say of it; of none that is as late they name the end.
    kafka.make("plain", 2, &[])?;
    let plain: Vec<Full<'_>> = (0..100)
        .map(|n| Full { value: Some(b"{}"), time: Some(NOON + n * 1_000), ..Full::default() })
        .collect();
    put_full(&kafka.producer(None)?, "plain", &plain)?;
    let log = KafkaLog::open(&kafka.url("plain"), &Default::default(), Reads::default())?;
    for (time, at) in [(0, 0), (NOON + 49_001, 50), (NOON + 99_000, 99), (NOON + 99_001, 100)] {
        assert_eq!(log.written_since(time * 1_000)?, Some(vec![at, 0]), "{time}");
    }
    Ok(())
}
