//! `retally run`: live work, until it is asked to finish.

mod metrics;
mod watch;

use crate::commands::job;
use crate::commands::live_job::LiveJob;
use crate::compiler;
use crate::error::Failure;
use crate::exit::Exit;
use crate::machine;
use metrics::Metrics;
use retally_engine::live::{self, LiveError, LiveOptions};
use std::net::SocketAddr;
use watch::{Log, Watching};

/// Calculate live: consume a topic, and publish every result exactly once.
///
/// Works as a member of a group of consumers, one process or many. SIGTERM and Ctrl-C have it
/// finish: what is under way commits, snapshots are saved, the group is left. An event that cannot
/// be folded stops its partition alone; the others go on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    job: LiveJob,
    /// Answer here to /metrics (Prometheus), /healthz and /readyz.
    #[arg(long, value_name = "HOST:PORT")]
    metrics: Option<SocketAddr>,
    /// How what happens is told on stderr.
    #[arg(long, value_name = "FORM", default_value = "text")]
    log: Log,
    /// Finish once each partition is worked up to where it ended when it was taken over.
    #[arg(long)]
    until_end: bool,
    /// Go on from what this reducer comes to though the digests that are committed differ, and from
    /// the start of the topic where offsets are gone and snapshots are left. Told, and said in
    /// every mark that follows.
    #[arg(long)]
    accept: bool,
    /// Take over what another version of the reducer committed: its states as this one's `migrate`
    /// says, or as they are if they are of the same version and layout. Told, and said in every
    /// snapshot that follows.
    #[arg(long)]
    migrate: bool,
    /// Of so many keys of each partition that is taken over so, hold the view of the state against
    /// that of a replay of this version from the start of the topic; a difference stops it.
    #[arg(long, value_name = "N", requires = "migrate", default_value_t = 0)]
    check_migrated: u64,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let job = args.job.resolved()?;
    let options = LiveOptions {
        cancel: job::cancel_on_signal()?,
        cache: job::cache_folder(),
        compiler_process: compiler::this_program(),
        accept: args.accept,
        until_end: args.until_end,
        migrate: args.migrate,
        check_migrated: args.check_migrated,
        host_memory_bytes: machine::memory_for_runs(),
    };
    let watching = Watching::new(args.log, &job.name);
    let serving = args.metrics.map(|at| Metrics::serve(at, &job.name, watching.status()));
    let _serving = serving.transpose()?;
    live::run(&job, &options, &watching)?;
    match watching.stopped() {
        0 => Ok(Exit::Ok),
        // Whoever waits for its end is told what stderr said before.
        _ => Ok(Exit::CheckFailed),
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Run(error) => error.into(),
            error => {
                let is_usage = error.is_usage();
                Self::of(error, is_usage)
            }
        }
    }
}
