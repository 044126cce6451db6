//! What live work refuses, and what it does when something is gone from under it: each is told in a
//! sentence, nothing is published that should not be, and there is a way on.

use anyhow::{Context as _, Result, ensure};
use retally_tests::every_file;
use retally_tests::kafka::Kafka;
use retally_tests::live::{Live, asked, until};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xtask::services::{KAFKA_KEYS, free_port};

/// Works up to the end, which is to fail, and gives what it said.
fn refused(live: &Live, args: &[&str]) -> Result<String> {
    let ran = live.project.run(&[&["run", "--until-end"], args].concat())?;
    ensure!(ran.code == 1, "exit {}: {}", ran.code, ran.stderr);
    Ok(ran.stderr)
}

/// Holds what was said against what it is to say.
fn says(said: &str, all: &[&str]) {
    for text in all {
        assert!(said.contains(text), "{text:?} is not in:\n{said}");
    }
}

#[test]
fn a_topic_with_more_partitions_is_refused_by_all_of_them() -> Result<()> {
    let live = Live::named("grown", Kafka::shared()?, 2)?;
    live.put(0..2, 0..500)?;
    live.work(&[])?;
    let before = live.check()?;
    live.kafka.grow("grown", 3)?;
    live.put(0..3, 500..600)?;
    let said = refused(&live, &[])?;
    // The one that is new has nothing committed, and would begin with keys of the others.
    for partition in 0..3 {
        let stops = format!("partition {partition} stops: the topic has 3 partitions, and had 2");
        says(&said, &[&stops, "--accept"]);
    }
    assert_eq!(live.committed()?, before["committed"]);
    live.work(&["--accept"])?;
    let told = live.check()?;
    assert_eq!(told["committed"]["2"]["partitions"], 3, "{told}");
    let applied = &told["committed"]["1"]["applied"];
    assert_eq!(applied[1], accepted(&applied[0], 500), "{told}");
    live.work(&[])?;
    // One that grows under a worker: what it has goes on.
    let refreshes = "source.kafka.topic.metadata.refresh.interval.ms=200";
    let worker = live.worker(&["--set", refreshes])?;
    worker.says("took over partitions 0, 1, 2")?;
    live.kafka.grow("grown", 4)?;
    worker.says("partition 3 stops: the topic has 4 partitions, and had 3")?;
    live.put(0..3, 600..700)?;
    until(|| live.committed(), |all| all["2"]["events"] == 200)?;
    let (code, said) = worker.finish()?;
    assert_eq!(code, 1, "{said}");
    live.check()?;
    Ok(())
}

#[test]
fn offsets_that_expired_are_refused_where_snapshots_are_left() -> Result<()> {
    let live = Live::named("expired", Kafka::shared()?, 2)?;
    live.put(0..2, 0..500)?;
    live.work(&[])?;
    live.kafka.forget("expired")?;
    let said = refused(&live, &[])?;
    says(&said, &["partition 0 stops: the group has committed nothing", "--accept begins anew"]);
    assert!(live.kafka.committed("expired", "expired")?.is_empty());
    live.check()?;
    let said = live.work(&["--accept"])?;
    for partition in 0..2 {
        says(&said, &[&format!("partition {partition}: begins anew from the start of the topic")]);
    }
    assert_eq!(live.committed()?["1"]["events"], 500);
    // As it said.
    let twice = live.check().map_err(|error| error.to_string());
    assert!(twice.as_ref().is_err_and(|why| why.contains("too many")), "{twice:?}");
    Ok(())
}

#[test]
fn a_mark_that_was_altered_stops_its_partition_alone() -> Result<()> {
    let live = Live::named("altered", Kafka::shared()?, 2)?;
    live.put(0..2, 0..500)?;
    live.work(&[])?;
    let (_, offset, mark) = live.kafka.committed("altered", "altered")?.remove(0);
    let turned = |name: &str| -> Result<String> {
        let at = mark.find(name).context("no such thing")? + name.len();
        let other = if mark[at..].starts_with('0') { "1" } else { "0" };
        Ok(format!("{}{other}{}", &mark[..at], &mark[at + 1..]))
    };
    for (number, (other, what)) in [
        (mark.replace("\"events\":500", "\"events\":499"), "differs in its number of events"),
        (turned("\"outcomes\":\"")?, "differs in its outcomes"),
        (turned("\"states\":\"")?, "differs in its states"),
        (mark.replace("\"retally\":1", "\"retally\":9"), "its version is 9"),
        ("x".to_owned(), "somebody changed it"),
        (String::new(), "name another group in [live] group"),
    ]
    .into_iter()
    .enumerate()
    {
        live.kafka.commit_text("altered", "altered", (0, offset, &other))?;
        let number = 500 + 10 * number as u64;
        live.put(0..2, number..number + 10)?;
        let said = refused(&live, &[])?;
        says(&said, &["partition 0 stops: ", what]);
        // The other one goes on.
        let all = live.kafka.committed("altered", "altered")?;
        assert_eq!((all[0].1, &all[0].2), (offset, &other), "{said}");
        assert_eq!(all[1].1, offset + (number + 10 - 500) as i64, "{said}");
    }
    live.kafka.commit_text("altered", "altered", (0, offset, &turned("\"states\":\"")?))?;
    says(&live.work(&["--accept"])?, &["partition 0: what it comes to", "gone on with (--accept)"]);
    live.work(&[])?;
    let told = live.check()?;
    assert_eq!(told["committed"]["0"]["events"], 560);
    let applied = &told["committed"]["0"]["applied"];
    assert_eq!(applied[1], accepted(&applied[0], offset as u64), "{told}");
    Ok(())
}

/// What a mark tells of the reducer that began and, from an offset on, was told to go on.
fn accepted(begun: &Value, from: u64) -> Value {
    let mut own = begun.clone();
    (own["from"], own["how"]) = (from.into(), "accepted".into());
    own
}

/// The snapshots of partition 0, oldest first.
fn snapshots(live: &Live) -> Result<Vec<PathBuf>> {
    let folder = live.project.path(&format!("snapshots/live/{}/0", live.source));
    let all = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut all = all.collect::<Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}

fn copied(from: &Path, into: &Path) -> Result<()> {
    for (path, bytes) in every_file(from)? {
        let own = into.join(path);
        fs::create_dir_all(own.parent().context("no folder")?)?;
        fs::write(own, bytes)?;
    }
    Ok(())
}

#[test]
fn snapshots_that_will_not_do_are_passed_over() -> Result<()> {
    let live = Live::named("passed", Kafka::shared()?, 2)?;
    let mut to = 0;
    let mut more = || {
        to += 100;
        live.put(0..2, to - 100..to)
    };
    for _ in 0..3 {
        more()?;
        live.work(&[])?;
    }
    let newest = || snapshots(&live)?.pop().context("no snapshot");
    // A byte of every file in turn, as a disk turns it.
    for file in ["manifest.json", "keys-0000.parquet", "outcomes.parquet"] {
        let (own, name) = (newest()?, newest()?.join(file));
        let mut bytes = fs::read(&name)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&name, bytes)?;
        more()?;
        let said = live.work(&[])?;
        let own = own.file_name().context("no name")?.to_string_lossy().into_owned();
        assert!(said.contains("partition 0: ") && said.contains(&own), "{file} {own}: {said}");
        assert!(!said.contains("partition 1: "), "{said}");
    }
    // One that is gone is not missed, as long as another is there.
    fs::remove_dir_all(newest()?)?;
    more()?;
    live.work(&[])?;
    live.check()?;
    let home = live.project.path("snapshots/live/passed/0");
    // Of later, for this group: another one has come farther.
    more()?;
    let job = fs::read_to_string(live.project.path("retally.toml"))?;
    let (own, publish) = job.split_once("\n[publish]").context("it publishes nothing")?;
    let (_, kept) = publish.split_once("\n[snapshots]").context("no snapshots")?;
    live.project.write("silent.toml", format!("{own}\n[snapshots]{kept}"))?;
    let silent = ["--job", "silent.toml", "--set", "snapshots.url=other", "--set"];
    live.work(&[&silent[..], &["live.group=passed-2"]].concat())?;
    copied(&live.project.path("other/live/passed/0"), &home)?;
    let said = live.work(&[])?;
    says(&said, &["partition 0: passed over snapshot", "it is of offset", "is committed"]);
    // Of another reducer.
    let other = retally_tests::reducer("orders-v2").display().to_string();
    fs::remove_dir_all(&home)?;
    fs::remove_dir_all(live.project.path("other"))?;
    live.work(&[&silent[..], &["live.group=passed-3", "--reducer", &other]].concat())?;
    copied(&live.project.path("other/live/passed/0"), &home)?;
    more()?;
    let said = live.work(&[])?;
    says(&said, &["partition 0: passed over snapshot", "its state version is 2, this run's is 1"]);
    live.check()?;
    Ok(())
}

#[test]
fn records_that_are_gone_before_they_were_taken_stop_a_partition() -> Result<()> {
    let live = Live::named("gone", Kafka::shared()?, 2)?;
    live.put(0..2, 0..500)?;
    live.work(&[])?;
    let before = live.check()?;
    live.put(0..2, 500..600)?;
    live.kafka.delete_before("gone", 0, 550)?;
    let said = refused(&live, &[])?;
    says(&said, &["partition 0 stops: offsets 500 to 549 are gone, and were not taken"]);
    let after = live.committed()?;
    assert_eq!(after["0"], before["committed"]["0"]);
    assert_eq!(after["1"]["events"], 600);
    // A snapshot that holds what they made is enough; one that does not is passed over.
    live.kafka.delete_before("gone", 1, 600)?;
    live.put(1..2, 600..700)?;
    let said = refused(&live, &[])?;
    assert_eq!(live.committed()?["1"]["events"], 700, "{said}");
    live.kafka.delete_before("gone", 1, 650)?;
    let folder = live.project.path("snapshots/live/gone/1");
    let mut all: Vec<_> =
        fs::read_dir(&folder)?.map(|own| Ok(own?.path())).collect::<Result<_>>()?;
    all.sort();
    fs::remove_dir_all(all.pop().context("no snapshot")?)?;
    let said = refused(&live, &[])?;
    says(
        &said,
        &[
            "partition 1: passed over snapshot",
            "the topic begins at offset 650 by now",
            "partition 1 stops: offsets 0 to 649 are gone, and no snapshot holds what they made",
        ],
    );
    Ok(())
}

/// So that what is gone is seen within seconds.
const SOON: [&str; 4] = [
    "--set",
    "source.kafka.topic.metadata.refresh.interval.ms=200",
    "--set",
    "source.kafka.topic.metadata.propagation.max.ms=1000",
];

#[test]
fn a_topic_that_is_deleted_under_a_worker_ends_it() -> Result<()> {
    let live = Live::named("deleted", Kafka::shared()?, 2)?;
    live.put(0..2, 0..500)?;
    let mut worker = live.worker(&SOON)?;
    until(|| live.committed(), |all| all["0"]["events"] == 500 && all["1"]["events"] == 500)?;
    // One to which it publishes: what is not published stays to be done.
    live.kafka.unmake("deleted-out-balance")?;
    live.put(0..2, 500..600)?;
    let (code, said) = worker.ended()?;
    assert_eq!(code, 2, "{said}");
    says(&said, &["there is no topic `deleted-out-balance` any more", "start the worker again"]);
    assert_eq!(live.committed()?["0"]["events"], 500);
    live.kafka.make("deleted-out-balance", 3, &[])?;
    live.work(&[])?;
    assert_eq!(live.committed()?["0"]["events"], 600);
    // The one that it reads.
    let mut worker = live.worker(&SOON)?;
    worker.says("took over partitions 0, 1")?;
    live.kafka.unmake("deleted")?;
    let (code, said) = worker.ended()?;
    assert_eq!(code, 2, "{said}");
    says(&said, &["the topic is gone, or a partition of it"]);
    // One that has its name is another one.
    live.kafka.make("deleted", 2, &[])?;
    live.put(0..2, 0..100)?;
    let said = refused(&live, &[])?;
    says(&said, &["the topic was made anew"]);
    Ok(())
}

/// Waits until the address at which a worker answers says something of its readiness.
fn ready(port: u16, text: &str) -> Result<()> {
    until(|| asked(port, "/readyz"), |(_, said)| said.contains(text)).map(drop)
}

#[test]
fn brokers_that_are_away_are_waited_for_but_not_by_who_is_to_finish() -> Result<()> {
    let (kafka, authority) = Kafka::secured()?;
    let live = Live::named("away", kafka, 2)?;
    live.put(0..2, 0..500)?;
    let port = free_port()?;
    let metrics = ["--metrics", &format!("127.0.0.1:{port}")];
    let ends = |worker: retally_tests::live::Worker, code: i32, text: &str| -> Result<()> {
        let since = Instant::now();
        let (ended, said) = worker.finish()?;
        assert_eq!(ended, code, "{said}");
        says(&said, &[text]);
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}: {said}", since.elapsed());
        Ok(())
    };
    live.kafka.kill(0);
    let worker = live.worker(&metrics)?;
    ready(port, "brokers do not answer")?;
    assert_eq!(asked(port, "/readyz")?.0, 503);
    ends(worker, 0, "look whether its brokers run and are reachable from here; waits for them")?;
    // They come.
    let worker = live.worker(&metrics)?;
    ready(port, "brokers do not answer")?;
    live.kafka.again(0)?;
    until(|| live.committed(), |all| all["0"]["events"] == 500 && all["1"]["events"] == 500)?;
    ready(port, "\nready")?;
    ends(worker, 0, "brokers answer")?;
    // They go while there is something to commit.
    let rare = [&metrics[..], &["--set", "live.interval=60s"]].concat();
    let worker = live.worker(&rare)?;
    live.put(0..2, 500..600)?;
    let folded = |partition: i32| format!("partition=\"{partition}\",outcome=\"malformed\"}} 24\n");
    let has_all = |(_, told): &(u16, String)| (0..2).all(|own| told.contains(&folded(own)));
    until(|| asked(port, "/metrics"), has_all)?;
    live.kafka.kill(0);
    ready(port, "brokers do not answer")?;
    ends(worker, 3, "what is not committed is left to whoever takes its partitions over")?;
    live.kafka.again(0)?;
    live.work(&[])?;
    live.check()?;
    denied(&live, &authority)
}

/// Whoever shows wrong credentials is told what to look at.
fn denied(live: &Live, authority: &Path) -> Result<()> {
    let [name, password] = KAFKA_KEYS;
    let job = fs::read_to_string(live.project.path("retally.toml"))?;
    let properties = format!(
        "\n[source.kafka]\nsecurity.protocol = \"SASL_SSL\"\nsasl.mechanism = \"PLAIN\"\n\
         sasl.username = {name:?}\nsasl.password = {{ env = \"WORKER\" }}\n\
         ssl.ca.location = {:?}\n",
        authority.display().to_string()
    );
    live.project.write("retally.toml", job + &properties)?;
    let source = live.kafka.secured_url("away");
    for (shown, code, text) in [
        ("other-secret", 2, "look whether these are the credentials of this Kafka"),
        (password, 0, "took over partitions 0, 1"),
    ] {
        let mut command = live.project.command(&["run", "--until-end", "--source", &source]);
        let output = command.env("WORKER", shown).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        says(&said, &[text]);
        assert!(!said.contains(shown), "{said}");
    }
    Ok(())
}
