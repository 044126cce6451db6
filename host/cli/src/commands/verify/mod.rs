//! `retally verify`: whether a calculation is deterministic, and still what it was.

mod elsewhere;
mod golden;

use crate::commands::range::BoundArgs;
use crate::commands::{flag, job};
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::Shown;
use crate::report::verify::{Verified, annotations, junit, print_json, print_text};
use anyhow::{Context as _, anyhow};
use retally_core::subset::Sample;
use retally_engine::run::ReplayOptions;
use retally_engine::verify::{Chosen, VerifyOptions, VerifyReport, verify};
use retally_report::shell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Verify that a calculation is deterministic: replay it again and again, each time with one thing
/// changed that must not matter, and compare digests.
///
/// What is changed: `again` (nothing), `instances-fresh`, `instances-shared`, `call-twice`,
/// `trace`, `batch-1`, `batch-2`, `batch-prime`, `batch-random`, `batch-largest`, `threads-one`,
/// `threads-many`, `restore`, `passes`, `duplicates`, `compile-afresh`, `compile-unoptimised`,
/// `compile-baseline`, `compile-winch`, `compile-pulley`, `memory-garbage`, `process`. Each is
/// passed, failed or not exercised, which is never called passed. What comes out is hashed and
/// thrown away: no run is written. Exit code 1: something differs; 3: the budget ended, or Ctrl-C,
/// before all were done; 2: nothing could be exercised.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job file.
    #[arg(long, value_name = "FILE", default_value = "retally.toml")]
    job: PathBuf,
    /// Set a value of the job, such as `params.gold_from=500.00`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Only these perturbations, or groups of them (`batch`, `compile`, `instances`, `threads`);
    /// with `-` in front, all but these (`--vary=-process`); `none`: the replay alone.
    #[arg(long, value_name = "NAME,-NAME", value_delimiter = ',', allow_hyphen_values = true)]
    vary: Vec<String>,
    /// Take all of the log for each of them. Otherwise those that cost many times a replay, or show
    /// what they show in any part of it, take its first events.
    #[arg(long)]
    whole: bool,
    /// By which what is changed by chance is changed the same way again.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Begin nothing more after so many seconds, and end what is at work.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    budget: u64,
    /// Hold the digests against those in this file, which --record wrote: if they differ, it is
    /// said which of reducer, job and log is another one.
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    golden: Option<PathBuf>,
    /// Write the digests into this file, unless something differs or was not done.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Write the report as JUnit's XML into this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Share the work out over so many threads; 0: one a core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Only a share of all keys, such as `1%`: the same keys each time.
    #[arg(long, value_name = "SHARE")]
    sample: Option<Sample>,
    /// Only the first N events of each partition.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    range: BoundArgs,
    /// The folder of this machine for the snapshot of a replay that stops, and for what passes came
    /// to; that of temporary files unless it is named.
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Say nothing on stderr but what is wrong.
    #[arg(long)]
    quiet: bool,
}

impl Args {
    /// The words that ask for the same replay of the same job.
    fn of_replay(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        self.set.iter().for_each(|set| words.extend(flag("--set", set)));
        if let Some(sample) = self.sample {
            words.extend(flag("--sample", &sample.to_string()));
        }
        if let Some(limit) = self.limit {
            words.extend(flag("--limit", &limit.to_string()));
        }
        words.extend(self.range.words());
        words.extend(self.whole.then(|| "--whole".to_owned()));
        words
    }

    /// The command that asks for it.
    fn command(&self) -> String {
        let mut words = ["retally", "verify"].map(str::to_owned).to_vec();
        words.extend(flag("--job", &self.job.to_string_lossy()));
        words.extend(self.of_replay());
        shell::command(&words)
    }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let chosen = Chosen::parse(&args.vary).context("--vary").map_err(Failure::usage)?;
    let golden = args.golden.as_deref().map(golden::read).transpose()?;
    let scratch = args.spill.clone().unwrap_or_else(std::env::temp_dir);
    if !scratch.is_dir() {
        let text = format!("--spill: {} is no folder of this machine", scratch.display());
        return Err(Failure::usage(anyhow!(text)));
    }
    let job = job::resolve(job::load(&args.job)?, &args.set)?;
    let shown = Arc::new(Shown::new(args.quiet));
    let options = VerifyOptions {
        replay: ReplayOptions {
            sample: args.sample,
            limit: args.limit,
            from: args.range.from()?,
            to: args.range.to()?,
            ..job::options(args.threads, &shown)?
        },
        chosen,
        whole: args.whole,
        seed: args.seed,
        budget: Duration::from_secs(args.budget),
        scratch,
        elsewhere: Some(elsewhere::way(args)?),
    };
    let result = verify(&job, &options, shown.as_ref());
    shown.finish();
    let report = result?;
    let held = golden.as_ref().zip(report.reference.as_ref());
    let held = held.map(|(golden, manifest)| golden.held_against(manifest));
    let verified = Verified { report: &report, held: held.as_ref(), command: args.command() };
    if let Some(path) = &args.junit {
        let written = std::fs::write(path, junit(&verified));
        written.with_context(|| format!("--junit {}", path.display())).map_err(Failure::usage)?;
    }
    match args.json {
        true => print_json(&verified)?,
        false => print_text(&verified, args.quiet)?,
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        // With --json, stdout has one object and nothing else; the runner reads both.
        eprint!("{}", annotations(&verified));
    }
    let exit = exit(&verified, &options.chosen)?;
    if let Some(path) = &args.record {
        golden::record(path, &report, exit)?;
    }
    Ok(exit)
}

fn exit(verified: &Verified<'_>, chosen: &Chosen) -> Result<Exit, Failure> {
    let VerifyReport { reference, .. } = verified.report;
    let tally = verified.report.tally();
    let is_other = verified.held.is_some_and(|held| !held.agrees());
    if tally.failed > 0 || is_other {
        return Ok(Exit::CheckFailed);
    }
    if tally.cut > 0 || reference.is_none() {
        return Ok(Exit::Unfinished);
    }
    if tally.passed == 0 && !chosen.is_empty() {
        let text = "nothing was exercised, so nothing is known: the report says why of each";
        return Err(Failure::usage(anyhow!(text)).hint(
            "take more of the log, one whose events reach the reducer, or other perturbations \
             (--vary)",
        ));
    }
    Ok(Exit::Ok)
}
