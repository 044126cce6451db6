//! A worker that is killed at any boundary of a transaction, to the request: whoever goes on
//! publishes what is missing and nothing else.

use anyhow::{Context as _, Result};
use retally_tests::held::{Moment, OF_TRANSACTION};
use retally_tests::kafka::Kafka;
use retally_tests::live::{Live, SOURCE, until};
use serde_json::Value;

/// What a dead worker leaves open is soon over, and so is its membership.
const SOON: [&str; 8] = [
    "--set",
    "source.kafka.transaction.timeout.ms=2000",
    "--set",
    "source.kafka.session.timeout.ms=1000",
    "--set",
    "source.kafka.heartbeat.interval.ms=200",
    "--set",
    "snapshots.every=100 events",
];

/// Events of a partition that come at a time.
const EVENTS: u64 = 150;

/// How many events of each partition are committed.
fn committed(live: &Live) -> Result<[u64; 2]> {
    let all = live.committed()?;
    let events = |partition: &str| all[partition]["events"].as_u64().context("nothing");
    Ok([events("0")?, events("1")?])
}

#[test]
fn a_worker_that_is_killed_at_any_boundary_of_a_transaction_leaves_nothing_twice() -> Result<()> {
    let (kafka, held) = Kafka::behind()?;
    let live = Live::on(kafka, 2)?;
    let source = format!("kafka://127.0.0.1:{}/{SOURCE}", held.port);
    let args = [&SOON[..], &["--source", &source]].concat();
    let last = OF_TRANSACTION[OF_TRANSACTION.len() - 1];
    let both = [Moment::Before, Moment::Unanswered];
    let all = OF_TRANSACTION.into_iter().flat_map(|kind| both.map(|moment| (kind, moment)));
    let mut there = 0;
    let put = |there: &mut u64| {
        *there += EVENTS;
        live.put(0..2, *there - EVENTS..*there)
    };
    // Once one is answered it is before the next; behind the last there is none.
    for (kind, moment) in all.chain([(last, Moment::Answered)]) {
        let name = format!("{moment:?} {}", kind.0);
        put(&mut there)?;
        let worker = live.worker(&args)?;
        until(|| committed(&live), |events| *events == [there; 2]).context(name.clone())?;
        held.stop_at(kind.1, moment);
        let before = there;
        put(&mut there)?;
        held.stopped().with_context(|| format!("{name}: {}", worker.said()))?;
        worker.kill();
        held.go_on();
        // It was where this says.
        let is_committed = kind == last && moment != Moment::Before;
        let is_so = |events: &[u64; 2]| (*events != [before; 2]) == is_committed;
        until(|| committed(&live), is_so).context(name)?;
    }
    live.work(&args)?;
    let told: Value = live.check()?;
    assert_eq!(told["committed"]["1"]["events"], there, "{told}");
    Ok(())
}
