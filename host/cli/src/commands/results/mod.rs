//! `retally results`: what a run directory holds, and whether it still holds it.

mod check;
mod show;

use crate::error::Failure;
use crate::exit::Exit;

/// Show a run's results, and recompute its digests.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    Show(show::Args),
    Check(check::Args),
}

pub(crate) fn run(verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Show(args) => show::run(&args),
        Verb::Check(args) => check::run(&args),
    }
}

/// A run directory that cannot be read is named wrongly or broken: trying again is no use.
fn unreadable(error: retally_engine::rundir::RunDirError) -> Failure {
    Failure::usage(error)
}
