//! Two reducers compared in one pass: each side is what a replay of it alone is, to the last byte
//! of its files; what makes the two part is found; a stop of either stops both.

mod time;
mod versions;

use anyhow::{Context as _, Result};
use retally_compare::model::{FirstDivergence, Verdict};
use retally_compare::sink::NoSink;
use retally_core::manifest::Manifest;
use retally_core::reduce::Reducer;
use retally_engine::compare::CompareOptions;
use retally_engine::job::{Authored, Resolved};
use retally_engine::run::{
    Compared, PassOptions, ReplayOptions, RunError, Silent, compare, replay_reducer,
};
use retally_tests::{files, reducer};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Payments, refunds and what neither reads, with bad values and events that come again, some of
/// them with another currency; keys of a partition are its own.
fn log(dir: &Path) -> Result<()> {
    std::fs::create_dir(dir.join("log"))?;
    for part in ["a", "b"] {
        let mut text = String::new();
        for n in 0..6_000u64 {
            let kinds = ["payment", "payment", "refund", "payment", "chargeback", "login"];
            let kind = kinds[(n * 7 % 11 % 6) as usize];
            let amount = match n % 131 {
                0 => "\"x\"".to_owned(),
                _ => format!("\"{}.{:02}\"", n * 31 % 400, n % 100),
            };
            let line = |currency: &str| {
                format!(
                    "{{\"event_id\":\"e{n}\",\"type\":\"{kind}\",\
                     \"account_id\":\"{part}-{}\",\"ts\":\"2026-03-{:02}T12:00:{:02}Z\",\
                     \"amount\":{amount},\"currency\":{currency}}}\n",
                    n * n % 251,
                    n % 28 + 1,
                    n % 60
                )
            };
            let currency = if n % 211 == 0 { "7" } else { "\"EUR\"" };
            text += &line(currency);
            if n % 97 == 0 {
                text += &line(currency);
            }
            if n % 89 == 0 {
                text += &line("\"USD\"");
            }
        }
        text += "not json\n";
        std::fs::write(dir.join(format!("log/{part}.jsonl")), text)?;
    }
    Ok(())
}

fn job(dir: &Path, params: &str) -> Result<Resolved> {
    let text = format!(
        "[job]\nname = \"t\"\nreducer = \"r.wasm\"\n[source]\nurl = \"file:log/\"\n\
         format = \"json\"\nkey = \"/account_id\"\nid = \"/event_id\"\ntime = \"/ts\"\n\
         [output]\ndir = \"runs\"\n{params}"
    );
    Ok(Resolved::new(&Authored::parse(&text, "job", dir)?)?)
}

fn project(params: &str) -> Result<(TempDir, Resolved)> {
    let dir = tempfile::tempdir()?;
    log(dir.path())?;
    let job = job(dir.path(), params)?;
    Ok((dir, job))
}

fn with(threads: usize, batch_events: u64) -> ReplayOptions {
    ReplayOptions { threads, batch_events, ..ReplayOptions::default() }
}

/// What both say that came out, went in, and was counted.
fn same(alone: &Manifest, side: &Manifest) {
    assert_eq!(alone.digests, side.digests);
    assert_eq!(alone.run_digest, side.run_digest);
    assert_eq!(alone.seal, side.seal);
    assert_eq!(alone.counts, side.counts);
    assert_eq!(alone.partitions, side.partitions);
}

/// Compares with several threads and batches, and holds each side against its replay, which has a
/// job of its own: with the params that this side declares.
fn check(
    dir: &Path,
    job: &Resolved,
    jobs_alone: [&Resolved; 2],
    reducers: [Arc<dyn Reducer>; 2],
) -> Result<Compared> {
    let alone = [0, 1].map(|side: usize| {
        let to = dir.join(format!("alone-{side}"));
        let options = ReplayOptions { dir: Some(to.into()), ..with(2, 2_000) };
        replay_reducer(jobs_alone[side], reducers[side].clone(), &options, &Silent)
    });
    let [alone_a, alone_b] = alone;
    let (alone_a, alone_b) = (alone_a?, alone_b?);
    let mut compared = Vec::new();
    for (threads, batch, written) in [(2, 3_000, true), (1, 131_072, false), (3, 1, false)] {
        let dirs = ["a", "b"].map(|side| written.then(|| dir.join(format!("side-{side}")).into()));
        let options = PassOptions { replay: with(threads, batch), dirs, ..PassOptions::default() };
        let both = compare(job, reducers.clone(), &options, &Silent, &mut NoSink)?;
        for (alone, side) in [&alone_a, &alone_b].into_iter().zip(&both.manifests) {
            same(&alone.manifest, side);
        }
        if written {
            for (alone, side) in [(&alone_a, "side-a"), (&alone_b, "side-b")] {
                assert!(files(&alone.dir)? == files(&dir.join(side))?, "the files of {side}");
            }
        }
        compared.push(both);
    }
    let first = compared[0].comparison.to_bytes()?;
    assert!(compared.iter().all(|c| c.comparison.to_bytes().is_ok_and(|bytes| bytes == first)));
    compared.pop().context("compared")
}

fn wasm(name: &str) -> Result<Arc<dyn Reducer>> {
    let bytes = std::fs::read(reducer(name)).with_context(|| format!("{name} is missing"))?;
    let config = retally_sandbox::SandboxConfig::default();
    Ok(retally_sandbox::Sandbox::new(config)?.load(&bytes)?)
}

#[test]
fn orders_and_orders_v2_are_what_they_are_alone() -> Result<()> {
    let params = "[params]\nsilver_from = \"100.00\"\n";
    let (dir, job_a) = project(params)?;
    let job_b = job(dir.path(), &format!("{params}gold_orders = 2\n"))?;
    let reducers = [wasm("orders")?, wasm("orders-v2")?];
    let compared = check(dir.path(), &job_b, [&job_a, &job_b], reducers)?;
    let comparison = compared.comparison;
    assert_eq!(comparison.verdict, Verdict::Different);
    assert_eq!(comparison.divergences.found, comparison.divergences.keys);
    assert!(comparison.keys.different > 0 && comparison.keys.equal > 0, "{:?}", comparison.keys);
    let text = "the param `gold_orders` is declared by B alone";
    assert!(comparison.notes.iter().any(|note| note.text == text), "{:?}", comparison.notes);
    for key in &comparison.worst.keys {
        let FirstDivergence::Event(first) = &key.first else { panic!("{}: no event", key.key) };
        assert_eq!(first.input.is_some(), first.time.is_some());
        assert!(first.view_a.is_some() && first.view_b.is_some() && first.event_id.is_some());
        let parted = first.view_a != first.view_b || first.emits_a != first.emits_b;
        assert!(parted, "{}: {first:?}", key.key);
    }
    Ok(())
}

#[test]
fn sides_that_read_events_each_in_its_way_are_what_they_are_alone() -> Result<()> {
    let (dir, job) = project("")?;
    let reducers = [versions::version(false), versions::version(true)];
    let compared = check(dir.path(), &job, [&job, &job], reducers)?;
    let [a, b] = &compared.manifests;
    assert_ne!(a.counts.malformed, b.counts.malformed, "other fields, other malformed events");
    assert_ne!(a.counts.conflicts, b.counts.conflicts, "other content, other duplicates");
    let inputs: Vec<_> = compared.comparison.divergences.by_input.iter().collect();
    assert!(inputs.iter().any(|i| i.input.as_deref() == Some("refund")), "{inputs:?}");
    Ok(())
}

#[test]
fn a_version_compared_with_itself_is_the_same() -> Result<()> {
    let (dir, job) = project("")?;
    let orders = wasm("orders")?;
    let compared = check(dir.path(), &job, [&job, &job], [orders.clone(), orders])?;
    assert_eq!(compared.comparison.verdict, Verdict::Same);
    assert_eq!(compared.comparison.divergences.keys, 0);
    Ok(())
}

/// The times by which records are grouped are known whether or not the sides are written.
#[test]
fn records_are_of_a_month_without_files_too() -> Result<()> {
    let (dir, job_a) = project("[params]\nsilver_from = \"100.00\"\ngold_orders = 2\n")?;
    let reducers = [wasm("orders")?, wasm("orders-v2")?];
    let by_month = |written: bool| -> Result<_> {
        let dirs = ["a", "b"].map(|side| written.then(|| dir.path().join(side).into()));
        let by = retally_compare::Options { by: Some("month".into()), ..Default::default() };
        let how = CompareOptions { options: by, ..CompareOptions::default() };
        let options =
            PassOptions { replay: with(2, 3_000), compare: how, dirs, ..PassOptions::default() };
        Ok(compare(&job_a, reducers.clone(), &options, &Silent, &mut NoSink)?.comparison)
    };
    let (with, without) = (by_month(true)?, by_month(false)?);
    assert!(with.to_bytes()? == without.to_bytes()?);
    let groups = without.groups.context("no groups")?;
    assert!(groups.groups.iter().any(|group| group.value.as_deref() == Some("2026-03")));
    Ok(())
}

#[test]
fn a_stop_of_either_side_stops_both_and_names_the_side() -> Result<()> {
    let (dir, job) = project("")?;
    let (a, b) = (versions::version(false), versions::version(true));
    let trapping = |inner: &Arc<dyn Reducer>| versions::trapping(inner.clone(), "e501");
    for (reducers, side) in [
        ([trapping(&a), b.clone()], "stopped in a, sums@1, at event a:513"),
        ([a.clone(), trapping(&b)], "stopped in b, sums@2, at event a:513"),
        // A view at the end fails as well.
        (
            [versions::trapping(a.clone(), "b-4"), b.clone()],
            "cannot derive the results in a, sums@1: the reducer's `view` or `check` fails: key ",
        ),
        (
            [a.clone(), versions::trapping(b.clone(), "b-4")],
            "cannot derive the results in b, sums@2: the reducer's `view` or `check` fails: key ",
        ),
    ] {
        let dirs = ["a", "b"].map(|side| Some(dir.path().join(side).into()));
        let options = PassOptions { replay: with(2, 100), dirs, ..PassOptions::default() };
        let error = compare(&job, reducers, &options, &Silent, &mut NoSink).err();
        let error = error.context("it stops")?;
        assert!(error.to_string().starts_with(side), "{error}");
        assert!(!error.to_string().contains("--from-snapshot"), "{error}");
        assert!(!dir.path().join("a").exists() && !dir.path().join("b").exists());
    }
    Ok(())
}

#[test]
fn reducers_of_two_names_are_refused_unless_forced() -> Result<()> {
    let (_dir, job) = project("")?;
    let reducers = [wasm("orders")?, versions::version(false)];
    let mut options = PassOptions { replay: with(2, 3_000), ..PassOptions::default() };
    let refused = compare(&job, reducers.clone(), &options, &Silent, &mut NoSink).err();
    let refused = refused.context("it is refused")?;
    assert!(matches!(refused, RunError::Compare(_)) && refused.is_usage(), "{refused}");
    options.compare = CompareOptions { force: true, ..CompareOptions::default() };
    let forced = compare(&job, reducers, &options, &Silent, &mut NoSink)?;
    let note = &forced.comparison.notes[0].text;
    assert!(note.contains("`orders` and `sums`"), "{note}");
    Ok(())
}
