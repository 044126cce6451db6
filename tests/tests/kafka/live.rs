//! What a worker publishes is what a replay of the topic gives, exactly once, whatever happens to
//! workers and transactions on the way.

use anyhow::Result;
use retally_tests::kafka::{Kafka, Record};
use retally_tests::live::{Live, SOURCE};
use retally_tests::payment;
use serde_json::Value;
use std::time::Duration;

/// Events of partitions, some of which are no events, refused, or there twice.
fn events(partition: i32, from: u64, to: u64) -> Vec<String> {
    let account = |n: u64| format!("p{partition}-{:03}", n % 17);
    let one = |n: u64| match n % 50 {
        7 => "{\"no event\"".to_owned(),
        11 => payment(n - 1, &account(n - 1), "10.00"),
        13 => payment(n, &account(n), "1e3x"),
        _ => payment(n, &account(n), &format!("{}.{:02}", n % 90, n % 100)),
    };
    (from..to).map(|n| one(n).trim_end().to_owned()).collect()
}

fn put(live: &Live, partitions: i32, from: u64, to: u64) -> Result<()> {
    for partition in 0..partitions {
        let lines = events(partition, from, to);
        let records: Vec<Record<'_>> =
            lines.iter().map(|line| (partition, Some("k"), Some(line.as_str()))).collect();
        live.kafka.put(SOURCE, &records)?;
    }
    Ok(())
}

#[test]
fn live_work_publishes_what_a_replay_gives_and_goes_on_where_it_was() -> Result<()> {
    let live = Live::new(3)?;
    put(&live, 3, 0, 10_000)?;
    let said = live.work(&[])?;
    assert!(said.contains("took over partitions 0, 1, 2"), "{said}");
    let first = live.check()?;
    put(&live, 3, 10_000, 15_000)?;
    let said = live.work(&["--log", "json"])?;
    assert!(said.lines().all(|line| line.starts_with('{')), "{said}");
    let second = live.check()?;
    for (told, events) in [(&first, 10_000), (&second, 15_000)] {
        for partition in ["0", "1", "2"] {
            assert_eq!(told["committed"][partition]["events"], events, "{told}");
        }
    }
    // Nothing is new, so nothing is published.
    live.work(&[])?;
    assert_eq!(live.check()?["emits"], second["emits"]);
    // Without its snapshots a worker comes to the same from the start of the topic.
    std::fs::remove_dir_all(live.project.path("snapshots"))?;
    put(&live, 3, 15_000, 16_000)?;
    live.work(&[])?;
    assert_eq!(live.check()?["run"]["counts"]["events"], 48_000);
    Ok(())
}

#[test]
fn the_end_of_a_transaction_that_comes_late_ends_no_other() -> Result<()> {
    let (kafka, held) = Kafka::behind()?;
    let live = Live::on(kafka, 2)?;
    let source = format!("kafka://127.0.0.1:{}/{SOURCE}", held.port);
    put(&live, 2, 0, 1_000)?;
    let worker = live.worker(&["--source", &source])?;
    let committed = |events: i64| -> Result<()> {
        let since = std::time::Instant::now();
        loop {
            // At the beginning there is nobody yet who knows.
            let all = live.committed();
            let is_there = |all: &Value| ["0", "1"].iter().all(|own| all[own]["events"] == events);
            if all.as_ref().is_ok_and(is_there) {
                return Ok(());
            }
            anyhow::ensure!(since.elapsed() < Duration::from_secs(60), "{events}: {all:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    committed(1_000)?;
    held.hold();
    put(&live, 2, 1_000, 2_000)?;
    held.wait()?;
    // The client asks once more by itself, and so this is committed.
    committed(2_000)?;
    put(&live, 2, 2_000, 60_000)?;
    let code = held.deliver()?;
    // INVALID_PRODUCER_EPOCH, PRODUCER_FENCED: it is of a producer that is no more.
    assert!([47, 90].contains(&code), "it was answered with {code}");
    committed(60_000)?;
    let (code, said) = worker.finish()?;
    assert_eq!(code, 0, "{said}");
    live.check()?;
    Ok(())
}

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[test]
fn workers_that_are_killed_stopped_and_started_publish_everything_once() -> Result<()> {
    const PARTITIONS: i32 = 6;
    const STEPS: u64 = 25;
    const EVENTS: u64 = 300_000 / PARTITIONS as u64 / STEPS;
    let seed = std::env::var("RETALLY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("seed {seed}; RETALLY_SEED=N tries another");
    let (mut live, mut dice) = (Live::new(PARTITIONS)?, Dice(seed));
    // A transaction that a dead worker leaves open is soon over, and so is its membership.
    let args = [
        "--set",
        "source.kafka.transaction.timeout.ms=2000",
        "--set",
        "source.kafka.session.timeout.ms=6000",
        "--set",
        "snapshots.every=5000 events",
    ];
    let mut workers = vec![Some(live.worker(&args)?), None, None];
    for step in 0..STEPS {
        put(&live, PARTITIONS, step * EVENTS, (step + 1) * EVENTS)?;
        if step == STEPS / 2 {
            live.kafka.restart()?;
        }
        let at = dice.below(3) as usize;
        let roll = dice.below(4);
        println!("step {step}: worker {at}, {roll}");
        match (workers[at].take(), roll) {
            (None, _) => workers[at] = Some(live.worker(&args)?),
            (Some(worker), 0) => worker.kill(),
            (Some(worker), 1) => {
                let (code, said) = worker.finish()?;
                assert_eq!(code, 0, "{said}");
            }
            (Some(worker), 2) => {
                worker.signal(libc::SIGSTOP);
                // At times for longer than its membership lasts.
                std::thread::sleep(Duration::from_millis(500 + dice.below(8_000)));
                worker.signal(libc::SIGCONT);
                workers[at] = Some(worker);
            }
            (kept, _) => workers[at] = kept,
        }
    }
    for worker in workers.into_iter().flatten() {
        let (code, said) = worker.finish()?;
        assert_eq!(code, 0, "{said}");
    }
    live.work(&args)?;
    let told = live.check()?;
    assert_eq!(told["run"]["counts"]["events"], 300_000, "{told}");
    Ok(())
}
