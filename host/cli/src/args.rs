//! The shapes of the command line, and the way from arguments to an exit code.

use crate::commands::{audit, compare, explain, reducer, replay, results, run as live, verify};
use crate::error::Failure;
use crate::exit::Exit;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// Re-tally the books from the event log.
///
/// Streams events into a sandboxed WebAssembly reducer, so that a business calculation is a
/// versioned artifact that can be replayed over history and proved deterministic by hashes.
#[derive(Debug, Parser)]
#[command(name = "retally", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 as asked; 1 a check failed; 2 bad usage, job or reducer; \
                        3 the run could not finish.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Replay(Box<replay::Args>),
    Run(Box<live::Args>),
    Audit(Box<audit::Args>),
    Compare(Box<compare::Args>),
    Explain(Box<explain::Args>),
    Verify(Box<verify::Args>),
    #[command(subcommand)]
    Reducer(reducer::Verb),
    #[command(subcommand)]
    Results(results::Verb),
}

/// Verbs that the design names and nobody has built yet: asking for one is no typing error.
const TO_COME: [&str; 3] = ["log", "snapshot", "correct"];

/// Parses, runs, prints what failed.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error, &args),
    };
    let result = match cli.verb {
        Verb::Replay(args) => replay::run(&args),
        Verb::Run(args) => live::run(&args),
        Verb::Audit(args) => audit::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::Reducer(verb) => reducer::run(verb),
        Verb::Results(verb) => results::run(verb),
    };
    result.unwrap_or_else(|failure| {
        // Nothing is to be said to whoever listens no more; but what was asked was not all given.
        if failure.is_broken_pipe() {
            return Exit::Unfinished;
        }
        eprint!("{}", failure.render());
        failure.exit()
    })
}

/// What clap has to say, help and version included.
fn misunderstood(error: &clap::Error, args: &[OsString]) -> Exit {
    let asked = args.get(1).and_then(|arg| arg.to_str());
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(verb) = asked.filter(|verb| TO_COME.contains(verb))
    {
        let failure = Failure::usage(anyhow::anyhow!("`retally {verb}` is not built yet"))
            .hint("retally --help lists what is");
        eprint!("{}", failure.render());
        return failure.exit();
    }
    // Help that nobody reads to its end is no failure.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Ok }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_shapes_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_verb_to_come_is_built() {
        let command = Cli::command();
        for verb in command.get_subcommands() {
            assert!(!TO_COME.contains(&verb.get_name()), "{} is built", verb.get_name());
        }
    }
}
