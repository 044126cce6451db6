//! What a comparison of two reducers in one pass costs, beside a replay of each: in one sitting, a
//! process each, as a ratio to the dearer replay.

use crate::Args;
use crate::logs::Logs;
use crate::retally::{REDUCER, job, options};
use crate::sitting::{Measured, child, median};
use anyhow::{Result, bail};
use retally_compare::sink::NoSink;
use retally_engine::run::{PassOptions, ReplayOptions, Silent, compare_files, replay};

/// The other version.
const OTHER: &str = "target/reducers/orders-v2.wasm";

const WORKS: [&str; 4] = ["replay-v1", "replay-v2", "compare", "compare-same"];

/// In a child: does one work and tells the parent run digests of the sides, and of a comparison how
/// many keys parted.
pub(crate) fn one(words: &[&str], logs: &Logs) -> Result<()> {
    let [work, writes, threads] = words else { bail!("work, emits, threads") };
    let (writes, threads) = (*writes == "b", threads.parse()?);
    let dir = logs.dir.join("run");
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    let options = ReplayOptions { threads, ..options(logs) };
    let (first, second) = match *work {
        "replay-v2" => (OTHER, OTHER),
        "compare-same" => (REDUCER, REDUCER),
        _ => (REDUCER, OTHER),
    };
    let (seconds, stages, results) = if work.starts_with("replay") {
        let options = ReplayOptions { dir: Some(dir.into()), ..options };
        let report = replay(&job(logs, first, false, writes)?, &options, &Silent)?;
        (report.seconds, report.stages, vec![report.manifest.run_digest.to_string()])
    } else {
        let options = PassOptions { replay: options, ..PassOptions::default() };
        let files = (first.as_ref(), second.as_ref());
        let job = job(logs, first, false, writes)?;
        let compared = compare_files(&job, files, &options, &Silent, &mut NoSink)?;
        let mut results: Vec<String> =
            compared.manifests.iter().map(|m| m.run_digest.to_string()).collect();
        results.push(format!("{} keys part", compared.comparison.divergences.keys));
        (compared.seconds, compared.stages, results)
    };
    Measured::new(seconds, &stages, results).tell()
}

pub(crate) fn all(args: &Args, logs: &Logs) -> Result<()> {
    for writes in ["a", "b"] {
        for threads in ["1", "2"] {
            sitting(args, logs, writes, threads)?;
        }
    }
    Ok(())
}

fn sitting(args: &Args, logs: &Logs, writes: &str, threads: &str) -> Result<()> {
    let name = format!("{writes}-{threads}");
    if !name.contains(&args.only) {
        return Ok(());
    }
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); WORKS.len()];
    for _ in 0..args.rounds {
        for (work, runs) in WORKS.iter().zip(&mut measured) {
            runs.push(child(args, &["one-pair", work, writes, threads])?);
        }
    }
    let runs: Vec<Measured> = measured.into_iter().map(median).collect();
    let alone = [&runs[0].results[0], &runs[1].results[0]];
    if runs[2].results[..2].iter().ne(alone) {
        bail!("the sides of the comparison came to other digests than the replays");
    }
    let dearer = runs[0].seconds.max(runs[1].seconds);
    println!("\n{name}: {} events, ns an event, all threads together", logs.shape.events);
    print!("{:14} {:>8} {:>6}", "", "seconds", "ratio");
    runs[0].stages.iter().for_each(|(name, _)| print!(" {name:>8}"));
    println!();
    for (work, run) in WORKS.iter().zip(&runs) {
        print!("{work:14} {:>8.2} {:>6.2}", run.seconds, run.seconds / dearer);
        let nanos = |seconds: f64| seconds * 1e9 / logs.shape.events as f64;
        run.stages.iter().for_each(|(_, seconds)| print!(" {:>8.0}", nanos(*seconds)));
        println!("  {}", run.results.get(2).map_or("", String::as_str));
    }
    Ok(())
}
