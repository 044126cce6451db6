//! Three brokers, of which one dies: whichever it is, and so also where transactions and the group
//! are coordinated, work goes on by the others and publishes everything once.

use anyhow::{Context as _, Result};
use retally_tests::kafka::Kafka;
use retally_tests::live::{Live, until};

const PARTITIONS: u64 = 4;

/// Events of a partition that come at a time.
const EVENTS: u64 = 2_000;

#[test]
fn work_goes_on_whichever_broker_dies() -> Result<()> {
    let live = Live::on(Kafka::three()?, PARTITIONS as i32)?;
    let mut there = 0;
    let put = |there: &mut u64| {
        *there += EVENTS;
        live.put(0..PARTITIONS as i32, *there - EVENTS..*there)
    };
    let reaches = |there: u64| {
        let events = |all: &serde_json::Value| {
            (0..PARTITIONS).all(|own| all[own.to_string()]["events"] == there)
        };
        until(|| live.committed(), events)
    };
    let args = ["--set", "source.kafka.transaction.timeout.ms=5000"];
    let workers = [live.worker(&args)?, live.worker(&args)?];
    put(&mut there)?;
    reaches(there)?;
    for broker in 0..3 {
        let said = || format!("broker {broker}: {}\n{}", workers[0].said(), workers[1].said());
        // While it dies there is something under way, and while it is dead more comes.
        put(&mut there)?;
        live.kafka.kill(broker);
        put(&mut there)?;
        reaches(there).with_context(said)?;
        live.kafka.again(broker)?;
        put(&mut there)?;
        reaches(there).with_context(said)?;
    }
    for worker in workers {
        let (code, said) = worker.finish()?;
        assert_eq!(code, 0, "{said}");
    }
    let told = live.check()?;
    assert_eq!(told["run"]["counts"]["events"], there * PARTITIONS, "{told}");
    Ok(())
}
