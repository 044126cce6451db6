//! `retally verify`: whether a calculation is deterministic, and still what it was.

mod elsewhere;
mod golden;
mod grown;

use crate::commands::old_run::{self, Named, Old, absolute_url};
use crate::commands::range::BoundArgs;
use crate::commands::{flag, job};
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::Shown;
use crate::report::verify::{Verified, annotations, junit, print_json, print_text};
use anyhow::{Context as _, anyhow};
use retally_core::subset::Sample;
use retally_engine::bounded;
use retally_engine::job::Resolved;
use retally_engine::run::ReplayOptions;
use retally_engine::verify::{
    Chosen, Golden, REPRO_JOB, Repro, VerifyOptions, VerifyReport, verify,
};
use retally_report::shell;
use retally_sandbox::{COMPONENT_MAX_BYTES, look};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Verify that a calculation is deterministic: replay it again and again, each time with one thing
/// changed that must not matter, and compare digests.
///
/// What is changed: `again` (nothing), `instances-fresh`, `instances-shared`, `call-twice`,
/// `trace`, `batch-1`, `batch-2`, `batch-prime`, `batch-random`, `batch-largest`, `threads-one`,
/// `threads-many`, `chunks`, `arrival`, `restore`, `passes`, `duplicates`, `compile-afresh`,
/// `compile-unoptimised`, `compile-baseline`, `compile-winch`, `compile-pulley`, `memory-garbage`,
/// `process`. Each is passed, failed or not exercised, which is never called passed. What comes out
/// is hashed and thrown away: no run is written. Where something differs, a small log that shows it
/// is looked for and left in a folder. Exit code 1: something differs; 3: the budget ended, or
/// Ctrl-C, before all were done; 2: nothing could be exercised.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The job file; retally.toml unless it is named.
    #[arg(long, value_name = "FILE")]
    job: Option<PathBuf>,
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
    /// Repeat a run, perhaps of another machine, from its manifest alone, and hold the digests
    /// against its own; nothing is changed meanwhile unless --vary says what. Paths of its job
    /// start at the folder of `--job`, else at the nearest folder above the run in which all of
    /// them lie.
    #[arg(long, value_name = "MANIFEST")]
    #[arg(conflicts_with_all = ["golden", "record", "sample", "limit", "from", "to"])]
    #[arg(group = AGAIN)]
    compare_with: Option<String>,
    /// The file of that run's reducer, or the folder in which it lies and is told by its hash;
    /// unless it is named, it is looked for beside the run, in target/reducers, reducers and here.
    /// With `--repro` another reducer, such as one that was mended.
    #[arg(long, value_name = "PATH", requires = AGAIN)]
    reducer: Option<PathBuf>,
    /// Where that run's log lies now: a file, a folder, a glob or a URL.
    #[arg(long, value_name = "URL", requires = "compare_with")]
    source: Vec<String>,
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
    /// Where something differs, leave a folder in this one with as small a log as shows it, its job
    /// and its reducer: `--repro` shows it again.
    #[arg(long, value_name = "DIR", default_value = "retally-repro")]
    shrink_to: PathBuf,
    /// Look for no smaller log.
    #[arg(long)]
    no_shrink: bool,
    /// Verify the folder that an earlier verification left, by the perturbation that made a
    /// difference there: exit code 1 while it does.
    #[arg(long, value_name = "DIR", group = AGAIN)]
    #[arg(conflicts_with_all = ["job", "vary", "seed", "compare_with", "golden", "record"])]
    #[arg(conflicts_with_all = ["sample", "limit", "from", "to"])]
    repro: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Say nothing on stderr but what is wrong.
    #[arg(long)]
    quiet: bool,
}

/// What repeats something that was done before.
const AGAIN: &str = "again";

/// The job file unless another one is named.
const DEFAULT: &str = "retally.toml";

impl Args {
    /// Those that an earlier verification left, if it is asked for again, and how often to try.
    fn again(&self) -> Result<(Self, u32), Failure> {
        let Some(dir) = &self.repro else { return Ok((self.clone(), 1)) };
        let read = Repro::read(dir).with_context(|| format!("--repro {}", dir.display()));
        let repro = read.map_err(Failure::usage)?;
        let threads = if self.threads == 0 { repro.threads } else { self.threads };
        let mut set = self.set.clone();
        if let Some(reducer) = &self.reducer {
            let reducer = std::path::absolute(reducer).map_err(Failure::usage)?;
            set.push(format!("job.reducer.path={}", reducer.display()));
        }
        let args = Self {
            job: Some(dir.join(REPRO_JOB)),
            vary: vec![repro.vary],
            seed: repro.seed,
            threads,
            set,
            reducer: None,
            no_shrink: true,
            ..self.clone()
        };
        Ok((args, repro.tries))
    }

    /// The words that ask for the same replay of the same job, with paths that hold anywhere or as
    /// they were given.
    fn of_replay(&self, absolute: bool) -> Result<Vec<String>, Failure> {
        let path = |path: &Path| {
            let path = if absolute { std::path::absolute(path) } else { Ok(path.to_owned()) };
            Ok::<_, Failure>(path.map_err(Failure::usage)?.to_string_lossy().into_owned())
        };
        let url = |url: &str| if absolute { absolute_url(url) } else { Ok(url.to_owned()) };
        let mut words: Vec<String> = Vec::new();
        match (&self.job, &self.compare_with) {
            (Some(job), _) => words.extend(flag("--job", &path(job)?)),
            (None, None) => words.extend(flag("--job", &path(Path::new(DEFAULT))?)),
            (None, Some(_)) => {}
        }
        if let Some(other) = &self.compare_with {
            words.extend(flag("--compare-with", &url(other)?));
        }
        if let Some(reducer) = &self.reducer {
            words.extend(flag("--reducer", &path(reducer)?));
        }
        for source in &self.source {
            words.extend(flag("--source", &url(source)?));
        }
        self.set.iter().for_each(|set| words.extend(flag("--set", set)));
        if let Some(sample) = self.sample {
            words.extend(flag("--sample", &sample.to_string()));
        }
        if let Some(limit) = self.limit {
            words.extend(flag("--limit", &limit.to_string()));
        }
        words.extend(self.range.words());
        words.extend(self.whole.then(|| "--whole".to_owned()));
        Ok(words)
    }

    /// The command that asks for it.
    fn command(&self) -> Result<Option<String>, Failure> {
        let mut words = ["retally", "verify"].map(str::to_owned).to_vec();
        words.extend(self.of_replay(false)?);
        Ok(self.repro.is_none().then(|| shell::command(&words)))
    }

    /// The job, and which part of the log it takes.
    fn job(
        &self,
        old: Option<&Old>,
        shown: &Arc<Shown>,
    ) -> Result<(Resolved, ReplayOptions), Failure> {
        let options = job::options(self.threads, shown)?;
        let Some(old) = old else {
            let file = self.job.as_deref().unwrap_or(Path::new(DEFAULT));
            let options = ReplayOptions {
                sample: self.sample,
                limit: self.limit,
                from: self.range.from()?,
                to: self.range.to()?,
                ..options
            };
            return Ok((job::resolve(job::load(file)?, &self.set)?, options));
        };
        let reducer = old.reducer(self.reducer.as_deref())?;
        let (job, source) = (self.job.as_deref(), &self.source);
        let named = Named { job, reducer: Some(&reducer), source };
        let mut authored = old.authored(&named)?;
        named.put(&mut authored, true)?;
        let options = old.part(options)?;
        Ok((job::resolve(authored, &self.set)?, options))
    }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let (args, tries) = &args.again()?;
    let chosen = match &args.compare_with {
        Some(_) if args.vary.is_empty() => Chosen::none(),
        _ => Chosen::parse(&args.vary).context("--vary").map_err(Failure::usage)?,
    };
    let old = args.compare_with.as_deref().map(old_run::load).transpose()?;
    let golden = match &old {
        Some(old) => Some(Golden::of(&old.manifest)),
        None => args.golden.as_deref().map(golden::read).transpose()?,
    };
    let scratch = args.spill.clone().unwrap_or_else(std::env::temp_dir);
    if !scratch.is_dir() {
        let text = format!("--spill: {} is no folder of this machine", scratch.display());
        return Err(Failure::usage(anyhow!(text)));
    }
    let shown = Arc::new(Shown::new(args.quiet));
    let (job, replay) = args.job(old.as_ref(), &shown)?;
    let elsewhere = Some(elsewhere::way(args, &job)?);
    let options = VerifyOptions {
        replay,
        chosen,
        whole: args.whole,
        seed: args.seed,
        budget: Duration::from_secs(args.budget),
        scratch,
        shrink_to: (!args.no_shrink).then(|| args.shrink_to.clone()),
        elsewhere,
    };
    let component = bounded::read(&job.path(&job.reducer.path), COMPONENT_MAX_BYTES as u64);
    let report = verified(&job, &options, *tries, &shown)?;
    let held = golden.as_ref().zip(report.reference.as_ref());
    let mut held = held.map(|(golden, manifest)| golden.held_against(manifest));
    if let (Some(old), Some(golden), Some(all), Some(now)) =
        (&old, &golden, &held, &report.reference)
        && !all.agrees()
    {
        let (both, asked) = ((golden, &old.manifest), (&job, &options));
        held = grown::held(both, (now, all), asked, &shown)?.or(held);
    }
    let verified = Verified {
        report: &report,
        held: held.as_ref(),
        old: old.as_ref().map(|old| &old.manifest),
        look: component.ok().map(|bytes| look(&bytes)),
        command: args.command()?,
    };
    told(args, &verified)?;
    let exit = exit(&verified, &options.chosen);
    if let Some(path) = &args.junit {
        written(path, &verified, *exit.as_ref().unwrap_or(&Exit::Usage))?;
    }
    let exit = exit?;
    if let Some(path) = &args.record {
        golden::record(path, &report, exit)?;
    }
    Ok(exit)
}

/// Verifies, as often as it takes to see what shows by chance, all of it within one budget.
fn verified(
    job: &Resolved,
    options: &VerifyOptions,
    tries: u32,
    shown: &Arc<Shown>,
) -> Result<VerifyReport, Failure> {
    let mut spent = 0.0;
    let mut report = verify(job, options, shown.as_ref());
    for _ in 1..tries {
        let goes_on = |report: &VerifyReport| report.tally().failed + report.tally().cut == 0;
        spent += report.as_ref().map_or(0.0, |report| report.seconds);
        let rest = options.budget.saturating_sub(Duration::from_secs_f64(spent));
        if rest.is_zero() || !report.as_ref().is_ok_and(goes_on) {
            break;
        }
        let next = verify(job, &VerifyOptions { budget: rest, ..options.clone() }, shown.as_ref());
        // One that was cut off says less than that before.
        if next.as_ref().is_ok_and(|next| next.tally().cut > 0) {
            break;
        }
        report = next;
    }
    shown.finish();
    Ok(report?)
}

/// Says what came of it, wherever somebody wants to hear it.
fn told(args: &Args, verified: &Verified<'_>) -> Result<(), Failure> {
    match args.json {
        true => print_json(verified)?,
        false => print_text(verified, args.quiet)?,
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        // With --json, stdout has one object and nothing else; the runner reads both.
        eprint!("{}", annotations(verified));
    }
    Ok(())
}

/// Writes the report for CI servers. Where it cannot, that is what is said last, and a check that
/// failed stays one.
fn written(path: &Path, verified: &Verified<'_>, exit: Exit) -> Result<(), Failure> {
    let written = std::fs::write(path, junit(verified));
    match written.with_context(|| format!("--junit {}", path.display())) {
        Err(error) if exit == Exit::Ok => Err(Failure::usage(error)),
        Err(error) => {
            eprintln!("error: {error:#}");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
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
