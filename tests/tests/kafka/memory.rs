//! Live work holds what its keys need and the ids of its window, however long it goes on.

use anyhow::Result;
use retally_tests::kafka::Kafka;
use retally_tests::live::{Live, until};

const PARTITIONS: i32 = 3;
const ROUNDS: u64 = 5;
/// Of each partition, in each round.
const EVENTS: u64 = 5_100_000 / ROUNDS / PARTITIONS as u64;

/// An event a second, so that a window of a day has 86,400 ids however many came before.
fn event(partition: i32, number: u64) -> String {
    let (day, second) = (1 + number / 86_400, number % 86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "{{\"event_id\":\"{partition}-{number}\",\"type\":\"payment\",\
         \"ts\":\"2026-03-{day:02}T{hour:02}:{minute:02}:{second:02}Z\",\
         \"account_id\":\"p{partition}-{}\",\"amount\":\"1.00\",\"currency\":\"EUR\",\
         \"order_id\":\"{number}\"}}",
        number % 1_000
    )
}

#[test]
fn five_million_events_need_no_more_memory_than_one_million() -> Result<()> {
    let live = Live::on(Kafka::start()?, PARTITIONS)?;
    let worker = live.worker(&[
        "--set",
        "dedup.window=1d",
        "--set",
        "snapshots.every=100000 events",
        "--set",
        "live.interval=500ms",
    ])?;
    let mut megabytes = Vec::new();
    for round in 0..ROUNDS {
        for tenth in 0..10 {
            let from = round * EVENTS + tenth * EVENTS / 10;
            live.put_each(0..PARTITIONS, from..from + EVENTS / 10, event)?;
        }
        let end = (round + 1) * EVENTS;
        let is_there = |all: &serde_json::Value| {
            (0..PARTITIONS).all(|own| all[own.to_string()]["events"] == end)
        };
        until(|| live.committed(), is_there)?;
        megabytes.push(worker.megabytes()?);
    }
    let (code, said) = worker.finish()?;
    assert_eq!(code, 0, "{said}");
    println!("{megabytes:?} MB");
    // What an allocator keeps goes up and down.
    assert!(megabytes[ROUNDS as usize - 1] <= megabytes[0] * 5 / 4, "{megabytes:?} MB");
    Ok(())
}
