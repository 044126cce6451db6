//! `retally audit`: what live work published, held against a replay.

use crate::commands::job;
use crate::commands::live_job::LiveJob;
use crate::commands::range::BoundArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::Shown;
use crate::report::audit::{print_json, print_text};
use retally_engine::audit::{AuditError, audit};
use retally_engine::run::{Passes, ReplayOptions};
use std::path::PathBuf;
use std::sync::Arc;

/// Hold what `retally run` published against a replay: each result stands exactly once, and nothing
/// else is there.
///
/// Reads the topic of the job and, as everybody else does, what is committed on the topics of its
/// `[publish]`; writes nothing, and disturbs no worker that goes on meanwhile. Everything is
/// audited that the job's group has committed, or a part of it (--from, --to).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    job: LiveJob,
    /// Share the work out over so many threads; 0: one a core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    #[command(flatten)]
    range: BoundArgs,
    /// Fold the log in N passes and hold an N-th of the keys in each, where memory does not hold
    /// all of them: changes no result.
    #[arg(long, value_name = "N|auto", default_value = "1")]
    passes: Passes,
    /// Read the log in every pass. Otherwise the first one puts the events of the others into
    /// files.
    #[arg(long)]
    reread: bool,
    /// The folder of this machine that keeps what passes came to until the last one is done, and
    /// the events of later passes.
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Say nothing on stderr but what is wrong.
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let job = args.job.resolved()?;
    let shown = Arc::new(Shown::new(args.quiet));
    let options = ReplayOptions {
        from: args.range.from()?,
        to: args.range.to()?,
        passes: args.passes,
        reread: args.reread,
        spill: args.spill.clone(),
        ..job::options(args.threads, &shown)?
    };
    let result = audit(&job, &options, shown.as_ref());
    shown.finish();
    let report = result?;
    match args.json {
        true => print_json(&report)?,
        false => print_text(&report, args.quiet)?,
    }
    Ok(if report.agrees() { Exit::Ok } else { Exit::CheckFailed })
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Run(error) => error.into(),
            AuditError::Live(error) => error.into(),
            AuditError::Unrepeatable => Self::check_failed(error),
            error => {
                let is_usage = error.is_usage();
                Self::of(error, is_usage)
            }
        }
    }
}
