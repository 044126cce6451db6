//! An audit finds what somebody did to what was published, names it, and takes nothing for a fault
//! that is none.

use anyhow::{Context as _, Result};
use rdkafka::producer::Producer as _;
use retally_tests::kafka::{Kafka, Record};
use retally_tests::live::{GROUP, Live, SOURCE};
use retally_tests::records::{Stands, copy, records};
use retally_tests::{Ran, payment};
use serde_json::{Value, json};
use std::time::Duration;

/// Events of a partition, of which some are refused.
fn put(live: &Live, partition: i32, from: u64, to: u64) -> Result<()> {
    let account = |n: u64| format!("p{partition}-{:03}", n % 23);
    let one = |n: u64| match n % 40 {
        7 => "{\"no event\"".to_owned(),
        13 => payment(n, &account(n), "1e3x"),
        _ => payment(n, &account(n), &format!("{}.{:02}", n % 90, n % 100)),
    };
    live.put_each(partition..partition + 1, from..to, |_, number| one(number))
}

/// Events of three partitions, and what a worker made of them.
fn worked() -> Result<Live> {
    let live = Live::new(3)?;
    (0..3).try_for_each(|partition| put(&live, partition, 0, 2_000))?;
    live.work(&[])?;
    Ok(live)
}

fn audit(live: &Live, args: &[&str]) -> Result<Ran> {
    live.project.run(&[&["audit", "--json", "--quiet"], args].concat())
}

/// An audit that finds nothing.
fn agrees(live: &Live, args: &[&str]) -> Result<Value> {
    let ran = audit(live, args)?;
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let told = ran.json()?;
    assert_eq!(told["agrees"], true, "{told}");
    Ok(told)
}

/// An audit that finds something.
fn differs(live: &Live, args: &[&str]) -> Result<Value> {
    let ran = audit(live, args)?;
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let told = ran.json()?;
    assert_eq!(told["agrees"], false, "{told}");
    Ok(told)
}

fn topic<'a>(told: &'a Value, name: &str) -> &'a Value {
    let all = told["topics"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|own| own["topic"] == name).unwrap_or(&Value::Null)
}

/// What of a sort was found of a topic, and the named ones.
fn found(told: &Value, name: &str, what: &str) -> (u64, Vec<Value>) {
    let own = topic(told, name);
    let named = own["named"].as_array().cloned().unwrap_or_default();
    let named = named.into_iter().filter(|one| one["what"] == what).collect();
    (own["findings"][what].as_u64().unwrap_or_default(), named)
}

/// All that was found, as sorts and counts, topic by topic.
fn all(told: &Value) -> Vec<(String, String, u64)> {
    let mut all = Vec::new();
    for own in told["topics"].as_array().into_iter().flatten() {
        for (what, count) in own["findings"].as_object().into_iter().flatten() {
            let name = own["topic"].as_str().unwrap_or_default().to_owned();
            all.extend(count.as_u64().filter(|n| *n > 0).map(|n| (name, what.clone(), n)));
        }
    }
    all
}

#[test]
fn what_a_worker_published_is_what_a_replay_gives_also_while_it_goes_on() -> Result<()> {
    let live = worked()?;
    let counted = live.check()?;
    let told = agrees(&live, &[])?;
    assert_eq!(topic(&told, "out-balance")["published"], counted["emits"]["balance"], "{told}");
    assert_eq!(topic(&told, "out-refused")["published"], counted["refused"], "{told}");
    assert_eq!(topic(&told, "out-views")["replay"], counted["views"], "{told}");
    assert_eq!(told["digest"], counted["run"]["digest"], "{told}");
    // In several passes, and with the state of what lies before.
    for (args, came_to) in [
        (&[][..], "same"),
        (&["--passes", "2", "--spill", "."], "same"),
        (&["--from", "0:1500,1:0,2:1900"], "same"),
        (&["--from", "0:1500,1:0,2:1990"], "not compared"),
    ] {
        let told = agrees(&live, args)?;
        for own in told["committed"].as_array().context("no marks")? {
            assert_eq!(own["came_to"], came_to, "{args:?}: {told}");
            let why = own["why"].as_str().unwrap_or("its outcomes are the same");
            assert!(why.starts_with("its outcomes are the same"), "{told}");
        }
    }
    // A part: the state is that of what lies before.
    let part = agrees(&live, &["--from", "0:500,1:0,2:1990", "--to", "0:900,1:100,2:1995"])?;
    assert_eq!(part["counts"]["events"], 505, "{part}");
    let (before, later) = (&topic(&part, "out-balance")["before"], &part["topics"][0]["later"]);
    assert!(before.as_u64() > Some(2_000) && later.as_u64() > Some(2_000), "{part}");
    let worker = live.worker(&["--set", "live.interval=20ms"])?;
    for step in 1..6 {
        (0..3)
            .try_for_each(|partition| put(&live, partition, step * 2_000, step * 2_000 + 2_000))?;
        agrees(&live, &[])?;
    }
    let (code, said) = worker.finish()?;
    assert_eq!(code, 0, "{said}");
    live.work(&[])?;
    let told = agrees(&live, &[])?;
    assert_eq!(told["counts"]["events"], 36_000, "{told}");
    assert_eq!(topic(&told, "out-views")["not_compared"], 0, "{told}");
    Ok(())
}

#[test]
fn what_hides_behind_an_open_transaction_is_waited_for() -> Result<()> {
    let live = Live::new(1)?;
    put(&live, 0, 0, 500)?;
    let producer = live.kafka.producer(Some("somebody"))?;
    producer.begin_transaction()?;
    let open: Vec<Record<'_>> = (0..3).map(|own| (own, Some("k"), Some("{}"))).collect();
    retally_tests::kafka::put(&producer, "out-balance", &open)?;
    live.work(&[])?;
    let waits = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        producer.abort_transaction(Duration::from_secs(30))
    });
    agrees(&live, &[])?;
    waits.join().map_err(|_| anyhow::anyhow!("no producer"))??;
    Ok(())
}

/// Where the event of a record lies.
fn at(own: &Stands) -> (i32, u64) {
    let at = own.header("at");
    let (partition, offset) = at.split_once(':').unwrap_or_default();
    (partition.parse().unwrap_or(-1), offset.parse().unwrap_or(0))
}

/// The number of a record of an early event of a partition.
fn early(all: &[Stands], partition: i32) -> usize {
    let is_early = |own: &Stands| at(own).0 == partition && (100..500).contains(&at(own).1);
    all.iter().position(is_early).unwrap_or_default()
}

const COPIED: [&str; 6] = [
    "--set",
    "publish.emits=bad-{kind}",
    "--set",
    "publish.refused=bad-refused",
    "--set",
    "publish.views=bad-views",
];

#[test]
fn what_was_done_to_what_was_published_is_found_and_named() -> Result<()> {
    let live = worked()?;
    for topic in ["bad-balance", "bad-tier_changed", "bad-refused", "bad-views"] {
        live.kafka.make(topic, 3, &[])?;
    }
    // One is removed, one altered, one there twice.
    let mut balance = records(&live.kafka, "out-balance")?;
    let removed = balance.remove(early(&balance, 0));
    let altered = early(&balance, 1);
    let before = balance[altered].value.replace(b"{\"net\":\"1000000.00\"}".to_vec());
    let doubled = balance[early(&balance, 2)].clone();
    balance.push(doubled.clone());
    copy(&live.kafka, "bad-balance", &balance)?;
    copy(&live.kafka, "bad-tier_changed", &records(&live.kafka, "out-tier_changed")?)?;
    let mut refused = records(&live.kafka, "out-refused")?;
    let unrefused = refused.remove(early(&refused, 1));
    copy(&live.kafka, "bad-refused", &refused)?;
    let mut views = records(&live.kafka, "out-views")?;
    let viewed = views.iter().rposition(|own| own.key.as_deref() == Some(b"p1-003"));
    let viewed = viewed.context("no view of p1-003")?;
    views[viewed].value = Some(b"[]".to_vec());
    copy(&live.kafka, "bad-views", &views)?;
    let told = differs(&live, &COPIED)?;
    let expected = [
        ("bad-balance", "missing", 1),
        ("bad-balance", "doubled", 1),
        ("bad-balance", "altered", 1),
        ("bad-refused", "missing", 1),
        ("bad-views", "altered", 1),
    ];
    let expected = expected.map(|(topic, what, n)| (topic.to_owned(), what.to_owned(), n));
    assert_eq!(all(&told), expected, "{told}");
    let text = |bytes: &Option<Vec<u8>>| {
        bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    for (topic, what, own) in [
        ("bad-balance", "missing", &removed),
        ("bad-balance", "doubled", &doubled),
        ("bad-balance", "altered", &balance[altered]),
        ("bad-refused", "missing", &unrefused),
        ("bad-views", "altered", &views[viewed]),
    ] {
        let (_, named) = found(&told, topic, what);
        let one = named.first().context("nothing is named")?;
        assert_eq!(one["event"], own.header("at"), "{one}");
        assert_eq!(one["key"], json!(text(&own.key)), "{one}");
        if what == "altered" {
            assert_eq!(one["published"]["value"], json!(text(&own.value)), "{one}");
        }
    }
    let (_, named) = found(&told, "bad-balance", "altered");
    assert_eq!(named[0]["replay"]["value"], json!(text(&before)), "{named:?}");
    // What lies outside of a range is left alone, and the same is found within it.
    let emits = &COPIED[..4];
    agrees(&live, &[emits, &["--from", "0:500,1:500,2:500"]].concat())?;
    let told = differs(&live, &[emits, &["--to", "0:500,1:0,2:0"]].concat())?;
    assert_eq!(all(&told), [("bad-balance".to_owned(), "missing".to_owned(), 1)], "{told}");
    said_to_a_person(&live, &removed)
}

/// What a person reads of it.
fn said_to_a_person(live: &Live, removed: &Stands) -> Result<()> {
    let ran = live.project.run(&[&["audit"], &COPIED[..]].concat())?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in [
        "  differs     ".to_owned(),
        format!("event {} seq 0, key", removed.header("at")),
        "published  {\"net\":\"1000000.00\"}".to_owned(),
        "check failed: what is published is not what the replay gives".to_owned(),
    ] {
        assert!(ran.stdout.contains(&part), "{part:?} is not in\n{}", ran.stdout);
    }
    Ok(())
}

#[test]
fn what_is_not_ours_stands_out_of_order_or_was_never_computed_is_found() -> Result<()> {
    let live = worked()?;
    live.kafka.put("out-balance", &[(1, Some("a"), Some("{}"))])?;
    let mut views = records(&live.kafka, "out-views")?;
    let mut own = views.pop().context("no views")?;
    own.key = Some(b"nobody".to_vec());
    copy(&live.kafka, "out-views", std::slice::from_ref(&own))?;
    let balance = records(&live.kafka, "out-balance")?;
    let mut never = balance[early(&balance, 0)].clone();
    never.headers[2].1 = Some(b"99".to_vec());
    copy(&live.kafka, "out-balance", std::slice::from_ref(&never))?;
    let refused = records(&live.kafka, "out-refused")?;
    copy(&live.kafka, "out-refused", &refused[..1])?;
    let told = differs(&live, &[])?;
    let expected = [
        ("out-balance", "unexpected", 1),
        ("out-balance", "not_ours", 1),
        ("out-refused", "doubled", 1),
        ("out-views", "unexpected", 1),
    ];
    let expected = expected.map(|(topic, what, n)| (topic.to_owned(), what.to_owned(), n));
    assert_eq!(all(&told), expected, "{told}");
    assert_eq!(found(&told, "out-balance", "not_ours").1[0]["key"], "a", "{told}");
    assert_eq!(found(&told, "out-balance", "unexpected").1[0]["seq"], 99, "{told}");
    assert_eq!(found(&told, "out-views", "unexpected").1[0]["key"], "nobody", "{told}");
    // Two records of a key that changed places.
    live.kafka.make("swapped-balance", 3, &[])?;
    live.kafka.make("swapped-tier_changed", 3, &[])?;
    copy(&live.kafka, "swapped-tier_changed", &records(&live.kafka, "out-tier_changed")?)?;
    let mut balance: Vec<Stands> =
        balance.into_iter().filter(|own| !own.headers.is_empty()).collect();
    let one = early(&balance, 1);
    let next = balance.iter().skip(one + 1).position(|own| own.key == balance[one].key);
    let moved = balance[one].header("at");
    balance.swap(one, one + 1 + next.context("no other of the key")?);
    copy(&live.kafka, "swapped-balance", &balance)?;
    let told = differs(&live, &["--set", "publish.emits=swapped-{kind}"])?;
    let (count, named) = found(&told, "swapped-balance", "out_of_order");
    assert_eq!(count, 1, "{told}");
    assert_eq!(named[0]["event"], moved, "{told}");
    Ok(())
}

#[test]
fn what_retention_removed_is_told_and_taken_for_no_fault() -> Result<()> {
    let live = worked()?;
    let all_of = records(&live.kafka, "out-balance")?;
    let second: Vec<&Stands> = all_of.iter().filter(|own| own.partition == 0).collect();
    let first = second[second.len() / 2].offset;
    live.kafka.delete_before("out-balance", 0, first)?;
    let told = agrees(&live, &[])?;
    let gone = &topic(&told, "out-balance")["gone"];
    assert_eq!(gone["partitions"], json!([[0, first]]), "{told}");
    assert!(gone["untold"].as_u64() > Some(100), "{told}");
    assert_eq!(topic(&told, "out-refused")["gone"], Value::Null, "{told}");
    let ran = live.project.run(&["audit"])?;
    assert!(ran.stdout.contains("so nothing is told of"), "{}", ran.stdout);
    // Views that may have been there.
    let views = records(&live.kafka, "out-views")?;
    live.kafka.make("cut-views", 3, &[])?;
    copy(&live.kafka, "cut-views", &views)?;
    let gone = views.iter().filter(|own| own.partition == 0).count();
    live.kafka.delete_before("cut-views", 0, gone as i64)?;
    let told = agrees(&live, &["--set", "publish.views=cut-views"])?;
    assert_eq!(topic(&told, "cut-views")["gone"]["untold"], gone, "{told}");
    Ok(())
}

#[test]
fn what_cannot_be_audited_is_refused_and_what_is_committed_is_held_against_it_too() -> Result<()> {
    let live = Live::new(2)?;
    (0..2).try_for_each(|partition| put(&live, partition, 0, 300))?;
    let other = retally_tests::reducer("orders-v2").display().to_string();
    let refused = |args: &[&str], code: i32, says: &str| -> Result<()> {
        let ran = audit(&live, args)?;
        assert_eq!(ran.code, code, "{args:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        Ok(())
    };
    refused(&[], 2, "no group of this name has committed anything")?;
    live.work(&[])?;
    refused(&["--source", "file:log/"], 2, "an audit is of what live work made of a topic")?;
    refused(&["--set", "publish.views=nowhere"], 2, "there is no topic `nowhere`")?;
    refused(&["--set", "publish.views=out-refused"], 2, "audit with a topic for each")?;
    refused(&["--set", "live.group=nobody"], 2, "no group of this name")?;
    refused(&["--reducer", &other], 2, "by another reducer")?;
    refused(&["--set", "dedup.window=1h"], 2, "under other settings of the job")?;
    refused(&["--from", "0:400"], 2, "0:400")?;
    live.kafka.commit("other", SOURCE, &[(0, 10), (1, 10)])?;
    refused(&["--set", "live.group=other"], 2, "without a mark")?;
    // Who says for which events gets it, and is told.
    let told = agrees(&live, &["--reducer", &other, "--from", "0:10,1:10"])?;
    let notes = told["notes"].as_array().context("no notes")?;
    let says = |note: &Value| note.as_str().is_some_and(|own| own.contains("another reducer"));
    assert!(notes.iter().any(says), "{told}");
    assert_eq!(told["committed"][0]["came_to"], "not compared", "{told}");
    // Beyond what is committed nothing is published.
    (0..2).try_for_each(|partition| put(&live, partition, 300, 400))?;
    let told = agrees(&live, &["--to", "0:350"])?;
    assert_eq!(told["range"][0]["to"], 300, "{told}");
    agrees(&live, &[])?;
    // Somebody altered what is committed.
    let committed = live.kafka.committed(GROUP, SOURCE)?;
    let (_, offset, text) = committed.first().context("nothing is committed")?;
    let mut mark: Value = serde_json::from_str(text)?;
    mark["states"] = mark["outcomes"].clone();
    live.kafka.commit_text(GROUP, SOURCE, (0, *offset, &mark.to_string()))?;
    let told = differs(&live, &[])?;
    assert_eq!(told["committed"][0]["what"], "states", "{told}");
    assert_eq!(told["committed"][1]["came_to"], "same", "{told}");
    assert_eq!(all(&told), [], "{told}");
    Ok(())
}

#[test]
fn a_job_that_publishes_nothing_has_nothing_to_audit() -> Result<()> {
    let live = Live::of("orders", Kafka::start()?, 1, "")?;
    let ran = audit(&live, &[])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("publishes nothing that could be audited"), "{}", ran.stderr);
    Ok(())
}

/// The files that a sink would write of a topic's first records, a hundred each.
fn archived(live: &Live, to: i64) -> Result<()> {
    let all = records(&live.kafka, SOURCE)?;
    for partition in 0..3 {
        let own = all.iter().filter(|own| own.partition == partition && own.offset < to);
        for some in own.collect::<Vec<_>>().chunks(100) {
            let lines = some.iter().flat_map(|own| {
                let value = own.value.as_deref().unwrap_or_default();
                value.iter().copied().chain(*b"\n")
            });
            let name = format!("log/orders+{partition}+{:010}.json", some[0].offset);
            live.project.write(&name, lines.collect::<Vec<u8>>())?;
        }
    }
    Ok(())
}

#[test]
fn an_audit_reads_an_archive_where_the_topic_has_lost_its_first_records() -> Result<()> {
    let live = worked()?;
    let told = agrees(&live, &[])?;
    archived(&live, 1_500)?;
    for (partition, begins) in [(0, 1_200), (1, 1_500)] {
        live.kafka.delete_before(SOURCE, partition, begins)?;
    }
    let url = live.kafka.url(SOURCE);
    // Without what is gone its states are others.
    let cut = audit(&live, &[])?;
    assert_eq!(cut.code, 1, "{}{}", cut.stdout, cut.stderr);
    live.project.edit_job(&format!("url = {url:?}"), &format!("url = [\"log/\", {url:?}]"))?;
    live.project.edit_job("format = \"json\"", "format = \"json\"\nlayout = \"connect\"")?;
    let both = agrees(&live, &[])?;
    for what in ["digest", "range", "committed", "topics"] {
        assert_eq!(both[what], told[what], "{what}: {both}");
    }
    agrees(&live, &["--from", "0:1000,1:1400,2:1900"])?;
    agrees(&live, &["--from", "0:1300", "--to", "1:1700"])?;
    // The worker takes what the topic has, by the same job, and the audit goes on behind it.
    (0..3).try_for_each(|partition| put(&live, partition, 2_000, 3_000))?;
    live.work(&[])?;
    let both = agrees(&live, &[])?;
    assert_eq!(both["counts"]["events"], 9_000, "{both}");
    assert_eq!(both["committed"][0]["came_to"], "same", "{both}");
    // And finds what somebody altered.
    let balance = records(&live.kafka, "out-balance")?;
    copy(&live.kafka, "out-balance", &balance[early(&balance, 1)..][..1])?;
    let told = differs(&live, &[])?;
    assert_eq!(all(&told), [("out-balance".to_owned(), "doubled".to_owned(), 1)], "{told}");
    Ok(())
}
