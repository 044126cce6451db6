//! `retally reducer`: scaffold, compile, look into reducers.

mod build;
mod inspect;
mod new;
mod package;

use crate::error::Failure;
use crate::exit::Exit;

/// Scaffold, compile and look into reducers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    Build(build::Args),
    Inspect(inspect::Args),
    New(new::Args),
}

pub(crate) fn run(verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Build(args) => build::run(&args),
        Verb::Inspect(args) => inspect::run(&args),
        Verb::New(args) => new::run(&args),
    }
}
