//! The same under order "time", where keys are in all partitions: also where one side takes events
//! that the other passes by, whose times count for both.

use super::{check, project, versions, wasm};
use anyhow::Result;
use retally_compare::model::Verdict;
use retally_compare::sink::NoSink;
use retally_core::log::Order;
use retally_engine::compare::{CompareOptions, runs};
use retally_engine::job::Resolved;
use tempfile::TempDir;

/// The same log with keys that all of its partitions share.
fn merged(params: &str) -> Result<(TempDir, Resolved)> {
    let (dir, mut job) = project(params)?;
    job.order = Order::Time;
    for part in ["a", "b"] {
        let file = dir.path().join(format!("log/{part}.jsonl"));
        let text = std::fs::read_to_string(&file)?.replace(&format!("\"{part}-"), "\"k-");
        let text = text.replace("\"event_id\":\"e", &format!("\"event_id\":\"{part}"));
        std::fs::write(file, text)?;
    }
    Ok((dir, job))
}

#[test]
fn orders_and_orders_v2_are_what_they_are_alone() -> Result<()> {
    let params = "[params]\nsilver_from = \"100.00\"\n";
    let (dir, job_a) = merged(params)?;
    let mut job_b = super::job(dir.path(), &format!("{params}gold_orders = 2\n"))?;
    job_b.order = Order::Time;
    let compared =
        check(dir.path(), &job_b, [&job_a, &job_b], [wasm("orders")?, wasm("orders-v2")?])?;
    let passed = compared.comparison;
    assert_eq!(passed.verdict, Verdict::Different);
    // Two finished runs come to the same as the pass.
    let of = |side: &str| dir.path().join(side);
    let files = runs(of("alone-0"), of("alone-1"), &CompareOptions::default(), &mut NoSink)?;
    assert_eq!(files.verdict, passed.verdict);
    assert_eq!(
        (files.keys.different, files.keys.equal),
        (passed.keys.different, passed.keys.equal)
    );
    Ok(())
}

#[test]
fn sides_that_read_events_each_in_its_way_are_what_they_are_alone() -> Result<()> {
    let (dir, job) = merged("")?;
    let reducers = [versions::version(false), versions::version(true)];
    let compared = check(dir.path(), &job, [&job, &job], reducers)?;
    let [a, b] = &compared.manifests;
    assert_ne!(a.counts.ignored, b.counts.ignored, "other inputs");
    Ok(())
}
