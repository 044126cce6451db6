//! A worker that has to finish does so at once, whatever it waits for, and one that is shut out or
//! holds too much loses nothing.

use anyhow::{Context as _, Result};
use rdkafka::producer::Producer as _;
use retally_tests::live::{GROUP, Live, SOURCE, until};
use retally_tests::records::records;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_worker_that_holds_too_much_finishes_and_another_goes_on() -> Result<()> {
    let live = Live::new(3)?;
    live.put(0..3, 0..30_000)?;
    let run = |limit: &str| {
        let limit = format!("limits.host_memory={limit}");
        live.project.run(&["run", "--until-end", "--set", &limit])
    };
    let ran = run("3MiB")?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    for part in [
        "states of partitions 0, 1, 2 hold",
        "together above the limit of 3 MiB (host_memory): the worker has finished, and what it \
         published is committed; start more workers",
        "remember ids for a shorter time ([dedup] window)",
    ] {
        assert!(ran.stderr.contains(part), "{part:?} is not in:\n{}", ran.stderr);
    }
    let events = || -> Result<u64> {
        let committed = live.committed()?;
        let own = ["0", "1", "2"].map(|own| committed[own]["events"].as_u64().unwrap_or(0));
        Ok(own.iter().sum())
    };
    let first = events()?;
    assert!((1..90_000).contains(&first), "{first}");
    // Where what is taken over is too much already, nothing more is.
    let ran = run("8KiB")?;
    assert!(ran.code == 3 && ran.stderr.contains("limit of 8 KiB"), "{}", ran.stderr);
    assert_eq!(events()?, first);
    live.work(&["--set", "limits.host_memory=64MiB"])?;
    assert_eq!(events()?, 90_000);
    live.check()?;
    Ok(())
}

#[test]
fn a_worker_that_waits_for_a_dead_ones_transaction_finishes_at_once() -> Result<()> {
    let live = Live::new(2)?;
    live.put(0..2, 0..1_000)?;
    let producer = live.kafka.producer(Some("somebody"))?;
    live.kafka.begin_offsets(&producer, GROUP, SOURCE, &[(1, 0)])?;
    let worker = live.worker(&[])?;
    worker.says("took over partitions")?;
    std::thread::sleep(Duration::from_secs(2));
    let since = Instant::now();
    let (code, said) = worker.finish()?;
    assert_eq!(code, 0, "{said}");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}: {said}", since.elapsed());
    println!("{:?}", since.elapsed());
    // Once it has ended the next worker takes over.
    let worker = live.worker(&[])?;
    worker.says("took over partitions")?;
    producer.abort_transaction(PATIENCE)?;
    until(|| live.committed(), |all| ["0", "1"].iter().all(|own| all[own]["events"] == 1_000))?;
    let (code, said) = worker.finish()?;
    assert_eq!(code, 0, "{said}");
    live.check()?;
    Ok(())
}

/// The names under which transactions are sent, as a broker keeps them.
fn senders(live: &Live) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for own in records(&live.kafka, "__transaction_state")? {
        // A version, a length, and the name.
        let name = own.key.as_deref().and_then(|key| key.get(4..)).context("no name")?;
        names.push(String::from_utf8_lossy(name).into_owned());
    }
    names.sort();
    names.dedup();
    Ok(names)
}

#[test]
fn a_worker_whose_producer_is_shut_out_goes_on_with_another() -> Result<()> {
    let live = Live::new(2)?;
    live.put(0..2, 0..1_000)?;
    let worker = live.worker(&[])?;
    let committed = |events: i64| -> Result<()> {
        let is_there =
            |all: &serde_json::Value| ["0", "1"].iter().all(|own| all[own]["events"] == events);
        until(|| live.committed(), is_there).map(drop)
    };
    committed(1_000)?;
    for round in 1..4_u64 {
        let names = senders(&live)?;
        let own = names.iter().find(|name| name.starts_with("retally-test-"));
        // Whoever has the name is the only one who may use it.
        drop(live.kafka.producer(own.map(String::as_str))?);
        live.put(0..2, round * 1_000..(round + 1) * 1_000)?;
        committed((round as i64 + 1) * 1_000)?;
    }
    let (code, said) = worker.finish()?;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("a transaction may not be committed"), "{said}");
    live.check()?;
    Ok(())
}
