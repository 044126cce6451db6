//! `retally replay`: recompute a log, or a part of it, into a run directory.

use crate::commands::job;
use crate::commands::old_run::{self, Named, Old, absolute_url};
use crate::commands::range::RangeArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::Shown;
use crate::report::repeated::Repeated;
use crate::report::replay::{nothing_new, print_json, print_text};
use anyhow::anyhow;
use retally_core::manifest::Manifest;
use retally_core::subset::Sample;
use retally_engine::job::{Authored, Resolved};
use retally_engine::run::{self, Passes, ReplayOptions, Report, RunError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Recompute a log into a run directory.
///
/// Nothing is published: the results lie in the run directory until a person publishes them. Paths
/// on the command line start at the working directory, paths in the job file at its folder.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job file; retally.toml unless it is named.
    #[arg(long, value_name = "FILE")]
    job: Option<PathBuf>,
    /// Set a value of the job, such as `dedup.window=7d` or `params.gold_from=500.00`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Take this reducer instead of the job's.
    #[arg(long, value_name = "FILE")]
    reducer: Option<PathBuf>,
    /// Take this log instead of the job's: a file, a folder, a glob, or a URL such as
    /// s3://bucket/orders/. Twice: an archive, and the topic that goes on where it ends.
    #[arg(long, value_name = "URL")]
    source: Vec<String>,
    /// Write the run directory here, a path or a URL, instead of into a new folder in the job's
    /// output folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Let the run directory take the place of one that was begun there and never finished.
    #[arg(long)]
    replace: bool,
    /// Share the work out over so many threads; 0: one a core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Events of a batch, which ends with the piece of the log that reaches so many: pieces have up
    /// to 8,192. Changes no result.
    #[arg(long, value_name = "N", default_value_t = run::BATCH_EVENTS)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Only these keys; they get exactly what the full run gives them.
    #[arg(long, value_name = "KEY", value_delimiter = ',', conflicts_with = "keys_file")]
    keys: Vec<String>,
    /// Only the keys in this file, one a line.
    #[arg(long, value_name = "FILE")]
    keys_file: Option<PathBuf>,
    /// Only a share of all keys, such as `1%`: the same keys each time, which get exactly what the
    /// full run gives them.
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["keys", "keys_file"])]
    sample: Option<Sample>,
    /// Only the first N events of each partition.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    range: RangeArgs,
    /// Fold the log in N passes and hold an N-th of the keys in each, where memory does not hold
    /// all of them: changes no result. `auto`: in one, and if that holds more than `[limits]
    /// host_memory` allows, anew in as many as it takes.
    #[arg(long, value_name = "N|auto", default_value = "1")]
    passes: Passes,
    /// Read and decode the log in every pass. Otherwise, up to 256 passes, the first one puts the
    /// events of the others into files, which is cheaper and takes room.
    #[arg(long)]
    reread: bool,
    /// The folder of this machine that keeps what passes came to until the last one is done, which
    /// takes about as much room as the run; the events of later passes, about half as much as a log
    /// of JSON or twice as much as one of Parquet; and events while they are sorted, as many as a
    /// folder of the log has. The one around the run unless it is named.
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
    /// Save a snapshot at the end here.
    #[arg(long, value_name = "URL")]
    snapshot: Option<String>,
    /// Go on from a snapshot: one, or the newest in a folder.
    #[arg(long, value_name = "URL", group = GOES_ON)]
    from_snapshot: Option<String>,
    /// Go on from the newest snapshot that fits in the folder in which this run saves its own, from
    /// the start if there is none; where nothing is new, run nothing. What a run left that did not
    /// finish, broke a gate or applied nothing is passed over: `--from-snapshot` goes on from it.
    #[arg(long, group = GOES_ON, conflicts_with_all = ["limit", "manifest"])]
    resume: bool,
    /// Before going on, hold every byte that was taken of the log against what is there.
    #[arg(long, requires = GOES_ON)]
    recheck: bool,
    /// Go on though the log is no longer what was taken of it. Every report of the run says so.
    #[arg(long, requires = GOES_ON)]
    accept_changed_log: bool,
    /// Take over the states that an older version of the reducer made: as its `migrate` says, or as
    /// they are, if they are of the same version and layout. Said in this run and all that go on
    /// from it.
    #[arg(long, requires = GOES_ON)]
    migrate: bool,
    /// Of so many keys, hold the view of the state that was taken over against that of a replay of
    /// this version from the start of the log; a difference ends the run (exit code 1).
    #[arg(long, value_name = "N", requires = "migrate", default_value_t = 0)]
    check_migrated: u64,
    /// Repeat the run of this manifest: compare the digests, and check the files of that run. Paths
    /// of its job start at the folder of `--job`, else at the nearest folder above the run in which
    /// all of them lie. With `--reducer` another file of the reducer is taken, also one of other
    /// bytes, which is told.
    #[arg(long, value_name = "MANIFEST")]
    manifest: Option<String>,
    /// Add a SHA-256 of every object of the log to the input description.
    #[arg(long)]
    attest: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Say nothing on stderr but what is wrong.
    #[arg(long)]
    quiet: bool,
}

/// The job file unless another one is named.
const DEFAULT: &str = "retally.toml";

/// What goes on from a snapshot.
const GOES_ON: &str = "goes_on";

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let old = args.manifest.as_deref().map(old_run::load).transpose()?;
    let repeated = old.as_ref().map(|old| &old.manifest);
    if let Some(from) = repeated.and_then(|manifest| manifest.from_snapshot.as_ref())
        && args.from_snapshot.is_none()
    {
        let text = format!("the run that is to be repeated went on from snapshot {}", from.name);
        return Err(Failure::usage(anyhow!(text)).hint("name it by --from-snapshot URL"));
    }
    let job = resolve(args, old.as_ref())?;
    let shown = Arc::new(Shown::new(args.quiet));
    let options = options(args, repeated, &shown)?;
    let result = run::replay(&job, &options, shown.as_ref());
    shown.finish();
    let report = match result {
        Err(RunError::NothingNew(nothing)) => {
            nothing_new(&nothing, args.json)?;
            return Ok(Exit::Ok);
        }
        other => other?,
    };
    let repeated = match &old {
        Some(old) => {
            let (manifest, asked) = (&old.manifest, args.reducer.is_some());
            Some(Repeated::new(manifest, &report.manifest, asked, old.altered()?))
        }
        None => None,
    };
    match args.json {
        true => print_json(&report, repeated.as_ref())?,
        false => print_text(&report, repeated.as_ref(), args.quiet)?,
    }
    Ok(exit(&report, repeated.as_ref()))
}

/// The job: its file, the manifest that is repeated, the command line, in this order.
fn resolve(args: &Args, old: Option<&Old>) -> Result<Resolved, Failure> {
    let Args { job, reducer, source, .. } = args;
    let named = Named { job: job.as_deref(), reducer: reducer.as_deref(), source };
    let file = job.as_deref().unwrap_or(Path::new(DEFAULT));
    let mut authored = match old {
        Some(old) => old.authored(&named)?,
        // Whoever names reducer and log may do without a file.
        None if !file.exists() && reducer.is_some() && !source.is_empty() => {
            Authored::empty("command line")
        }
        None => job::load(file)?,
    };
    named.put(&mut authored, old.is_some())?;
    job::resolve(authored, &args.set)
}

fn options(
    args: &Args,
    repeated: Option<&Manifest>,
    shown: &Arc<Shown>,
) -> Result<ReplayOptions, Failure> {
    let old = repeated.map(|manifest| &manifest.job.settings);
    let asked = super::keys_asked(&args.keys, args.keys_file.as_ref())?;
    // Whoever asks for a subset wants that, and not the one of the run that is repeated.
    let (keys, sample) = match (old, &asked, args.sample) {
        (Some(old), None, None) => (old.keys.clone(), old.sample),
        _ => (asked, args.sample),
    };
    // Whoever asks for a range wants that.
    let old_range = repeated.filter(|_| !args.range.is_given() && args.limit.is_none());
    let limit = || old_range?.job.settings.range.limit;
    let [old_from, old_to] = old_range.map_or([None, None], old_run::bounds);
    let is_empty = old_range.is_some_and(|old| old.job.settings.range.empty_state);
    let absolute = |url: &Option<String>| url.as_deref().map(absolute_url).transpose();
    Ok(ReplayOptions {
        batch_events: args.batch,
        keys,
        sample,
        limit: args.limit.or_else(limit),
        from: args.range.from()?.or(old_from),
        to: args.range.to()?.or(old_to),
        empty_state: args.range.empty_state || is_empty,
        from_snapshot: absolute(&args.from_snapshot)?,
        resume: args.resume,
        recheck: args.recheck,
        accept_changed_log: args.accept_changed_log,
        migrate: args.migrate,
        check_migrated: args.check_migrated,
        passes: args.passes,
        reread: args.reread,
        spill: args.spill.clone(),
        snapshot: absolute(&args.snapshot)?,
        attest: args.attest || repeated.is_some_and(old_run::is_attested),
        dir: super::run_folder(&args.out)?,
        replace: args.replace,
        ..job::options(args.threads, shown)?
    })
}

fn exit(report: &Report, repeated: Option<&Repeated>) -> Exit {
    let is_different = repeated.is_some_and(|repeated| !repeated.agrees());
    if is_different || !report.broke.is_empty() { Exit::CheckFailed } else { Exit::Ok }
}
