//! `retally explain`: one key's history, event by event, under one reducer or two.

mod guess;

use crate::commands::compare::{named, tolerances};
use crate::commands::range::RangeArgs;
use crate::commands::{folder, job};
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::Shown;
use crate::report::explain::{to_json, to_text};
use retally_compare::Options;
use retally_core::log::Position;
use retally_engine::job::Resolved;
use retally_engine::run::{
    AROUND, ExplainOptions, History, ReplayOptions, explain, load, load_file,
};
use retally_engine::store::Folder;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Explain one key: its history, event by event.
///
/// For every event where it lies, what the reducer reads of it, what it emitted or why it was
/// refused, and what it changed in the view. With two reducers side by side, and where they part.
/// Reads no more of the log than it must.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key.
    #[arg(value_name = "KEY", allow_hyphen_values = true)]
    key: String,
    /// The job file.
    #[arg(long, value_name = "FILE", default_value = "retally.toml")]
    job: PathBuf,
    /// Set a value of the job, such as `params.gold_from=500.00`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A reducer instead of the job's: the baseline of two.
    #[arg(long, value_name = "FILE")]
    a: Option<PathBuf>,
    /// A second reducer, to stand beside the first.
    #[arg(long, value_name = "FILE")]
    b: Option<PathBuf>,
    /// Only the events around this position.
    #[arg(long, value_name = "PARTITION:OFFSET", value_parser = position)]
    around: Option<Position>,
    /// Only the last N events; with --around so many on each side.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    last: Option<u32>,
    #[command(flatten)]
    range: RangeArgs,
    /// A finished run of the job, which tells where the key's events lie; without it the newest in
    /// the job's output folder that fits.
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// How far apart values of a float or decimal field may be and count as equal: `ratio=1e-9`.
    #[arg(long, value_name = "FIELD=NUMBER", value_parser = named, requires = "b")]
    tolerance: Vec<(String, String)>,
    /// Share the reading out over so many threads; 0: one a core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Say nothing on stderr but what is wrong.
    #[arg(long)]
    quiet: bool,
}

fn position(text: &str) -> Result<Position, String> {
    let parts = text.rsplit_once(':');
    let parts = parts.and_then(|(name, offset)| Some((name, offset.parse().ok()?)));
    match parts {
        Some((partition, offset)) if !partition.is_empty() => {
            Ok(Position { partition: partition.to_owned(), offset })
        }
        _ => Err("it must read PARTITION:OFFSET, such as events-03:90117".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let job = job::resolve(job::load(&args.job)?, &args.set)?;
    let asked = args.run.as_deref().map(folder).transpose()?;
    let shown = Arc::new(Shown::new(args.quiet));
    let history = history(args, &job, asked.as_ref(), &shown);
    shown.finish();
    let history = history?;
    // A run may stop at the very first event.
    let is_told = history.events > 0 || history.stopped.is_some();
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", to_json(&history))?,
        false if is_told => out.write_all(to_text(&history).as_bytes())?,
        false => {}
    }
    if is_told {
        return Ok(Exit::Ok);
    }
    let failure = guess::not_found(&job, &history, asked.as_ref());
    eprint!("{}", failure.render());
    Ok(Exit::CheckFailed)
}

fn history(
    args: &Args,
    job: &Resolved,
    run: Option<&Folder>,
    shown: &Arc<Shown>,
) -> Result<History, Failure> {
    let replay = ReplayOptions {
        from: args.range.from()?,
        to: args.range.to()?,
        empty_state: args.range.empty_state,
        ..job::options(args.threads, shown)?
    };
    let mut reducers = vec![match &args.a {
        Some(path) => load_file(job, path, &replay)?,
        None => load(job, &replay)?,
    }];
    if let Some(path) = &args.b {
        reducers.push(load_file(job, path, &replay)?);
    }
    let around = args.around.clone();
    let last = args.last.map(|last| last as usize).or(around.as_ref().map(|_| AROUND));
    let compare = Options { tolerances: tolerances(&args.tolerance)?, ..Options::default() };
    let options = ExplainOptions { replay, last, around, compare, run: run.cloned() };
    Ok(explain(job, &args.key, reducers, &options, shown.as_ref())?)
}
