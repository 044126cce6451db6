//! What a worker publishes is what a replay of the topic gives, exactly once, whatever happens to
//! workers and transactions on the way.

use anyhow::Result;
use retally_tests::kafka::Record;
use retally_tests::live::{Live, SOURCE};
use retally_tests::payment;

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
