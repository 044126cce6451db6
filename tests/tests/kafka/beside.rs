//! Key, id and time of records from beside their values: every order, range, subset and question
//! gives what files give that have them in the events.

use anyhow::Result;
use retally_tests::kafka::{Full, Kafka, put_full};
use retally_tests::{Project, payment};
use serde_json::Value;

/// An event: its partition, its line in a file, and as a record key, id, time, value.
struct Event {
    partition: i32,
    line: String,
    key: String,
    id: String,
    time: i64,
    value: String,
}

impl Event {
    /// The last of a name counts.
    fn headers(&self) -> [(&str, Option<&[u8]>); 3] {
        [("id", Some(&b"other"[..])), ("x", None), ("id", Some(self.id.as_bytes()))]
    }
}

/// 2026-03-01T12:00:00Z in milliseconds, when the first payment is.
const NOON: i64 = 1_772_366_400_000;

fn events() -> Vec<Event> {
    let event = |number: u64| {
        // Within a partition times go back, and some come twice.
        let first = if number.is_multiple_of(10) && number > 33 { number - 33 } else { number };
        let own = if (first / 3).is_multiple_of(2) { first + 3 } else { first - 3 };
        let (partition, key) = (own as i32 % 3, format!("{}-{}", own % 3, own / 3 % 7));
        let line = payment(own, &key, "10.00");
        let (id, time) = (format!("evt-{own:08}"), NOON + own as i64 % 3600 * 1000);
        let stripped: Value = serde_json::from_str(&line).unwrap_or_default();
        let mut value = stripped;
        for name in ["event_id", "account_id", "ts"] {
            value.as_object_mut().map(|members| members.remove(name));
        }
        Event { partition, line, key, id, time, value: value.to_string() }
    };
    (0..3000).map(event).collect()
}

const READS: [&str; 6] = [
    "--set",
    "source.key=@key",
    "--set",
    "source.id=@header:id",
    "--set",
    "source.time=@timestamp",
];

#[test]
fn what_records_have_beside_their_values_is_as_what_is_in_events() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    kafka.make("orders", 3, &[])?;
    let all = events();
    for partition in 0..3 {
        let own = all.iter().filter(|event| event.partition == partition);
        let text: String = own.map(|event| event.line.as_str()).collect();
        project.write(&format!("log/{partition}.jsonl"), text)?;
    }
    let headers: Vec<_> = all.iter().map(Event::headers).collect();
    let full = |own: usize| Full {
        partition: all[own].partition,
        key: Some(all[own].key.as_bytes()),
        value: Some(all[own].value.as_bytes()),
        headers: &headers[own],
        time: Some(all[own].time),
    };
    let records: Vec<Full<'_>> = (0..all.len()).map(full).collect();
    put_full(&kafka.producer(None)?, "orders", &records)?;
    let source = kafka.url("orders");
    let range = ["--from", "2026-03-01T12:10:00Z", "--to", "2026-03-01T12:30:00Z"];
    for how in [
        &[][..],
        &["--set", "job.order=path"],
        &["--set", "job.order=time"],
        &range,
        &[&["--set", "job.order=time"][..], &range].concat(),
        &["--passes", "3"],
        &["--keys", "1-3"],
        &["--limit", "500"],
    ] {
        let local = project.replay(how)?;
        let topic = [how, &["--source", &source], &READS].concat();
        let topic = project.replay(&topic)?;
        for what in ["digest", "counts"] {
            assert_eq!(topic[what], local[what], "{what} of {how:?}");
        }
        assert!(local["counts"]["duplicates"].as_u64() > Some(0), "{local}");
    }
    let explain = |more: &[&str]| -> Result<Value> {
        let own = ["explain", "1-3", "--json"];
        let mut told = project.run(&[&own[..], more].concat())?.ok()?;
        told.as_object_mut().map(|told| told.remove("read"));
        Ok(told)
    };
    let url = format!("source.url={source}");
    let more = [&["--set", url.as_str()][..], &READS].concat();
    let local = explain(&[])?;
    assert!(local["told"].as_array().is_some_and(|told| !told.is_empty()), "{local}");
    assert_eq!(explain(&more)?["told"], local["told"]);
    compares(&project, &more)
}

/// Two reducers in one pass.
fn compares(project: &Project, more: &[&str]) -> Result<()> {
    let b = retally_tests::reducer("orders-v2").display().to_string();
    let compare = |more: &[&str]| -> Result<Value> {
        project.run(&[&["compare", "--json", "--b", &b][..], more].concat())?.json()
    };
    let (topic, local) = (compare(more)?, compare(&[])?);
    assert_eq!(topic["keys"], local["keys"], "{topic}");
    assert!(local["keys"].is_object(), "{local}");
    Ok(())
}

#[test]
fn a_log_that_has_no_such_thing_is_refused() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/0.jsonl", payment(1, "a", "1.00"))?;
    project.write("topics/t+0+0000000000.json", payment(1, "a", "1.00"))?;
    let archive = ["--source", "topics/", "--set", "source.layout=connect"];
    for (how, says) in [
        (&["--set", "source.key=@key"][..], "the key is read from `@key`, the key of a record"),
        (&["--set", "source.id=@header:x"], "the id is read from `@header:x`, the header `x`"),
        (&["--set", "source.time=@timestamp"], "this log is no topic"),
        (
            &[&archive[..], &["--set", "source.key=@key"]].concat(),
            "the files of an archive hold the values of records alone",
        ),
    ] {
        let ran = project.run(&[&["replay"], how].concat())?;
        assert!(ran.code == 2 && ran.stderr.contains(says), "{} {}", ran.code, ran.stderr);
    }
    assert!(!project.path("runs").exists());
    Ok(())
}
