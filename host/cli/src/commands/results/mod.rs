//! `retally results`: what a run directory holds, and whether it still holds it.

mod check;
mod show;
mod sign;

use crate::error::Failure;
use crate::exit::Exit;
use crate::report::text::harmless;
use retally_core::manifest::{FromSnapshot, Manifest};

/// Show a run's results, recompute its digests, sign them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    Show(show::Args),
    Check(check::Args),
    Sign(sign::Args),
}

pub(crate) fn run(verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Show(args) => show::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Sign(args) => sign::run(&args),
    }
}

/// A run directory that cannot be read is named wrongly, or was altered: nothing of it is shown.
fn unreadable(error: retally_engine::rundir::RunDirError) -> Failure {
    let is_altered = error.is_altered();
    let failure = Failure::of(error, !is_altered);
    if !is_altered {
        return failure;
    }
    failure.hint("`retally results check RUN` tells what else was changed")
}

/// Whoever looks at a part must know that it is one.
fn tell_marks(manifest: &Manifest) {
    let marks = &manifest.marks;
    let told = [
        (marks.empty_state, "this run began without the state of its first position"),
        (marks.partial, "this run took a part of the log only"),
    ];
    for (_, text) in told.iter().filter(|(is_so, _)| *is_so) {
        eprintln!("note: {text}");
    }
    if let Some(range) = manifest.range_text() {
        eprintln!("note: its range: {}", harmless(&range));
    }
    if marks.subset {
        eprintln!("note: this run took {}", manifest.job.settings.keys_text());
    }
    let from = manifest.from_snapshot.as_ref();
    if let Some(from) = from.filter(|_| marks.migrated) {
        eprintln!("note: {}", harmless(&from.migrated_text()));
    }
    if let Some(from) = from.filter(|_| marks.changed_log) {
        let text = format!(
            "this run went on from snapshot {} though the log is not what was taken of it: {}",
            from.name,
            from.accepted_text()
        );
        eprintln!("note: {}", harmless(&text));
    }
    if let Some(from) = from.filter(|_| marks.hole) {
        eprintln!("note: {}", harmless(&from.holes_text()));
    }
    if let Some(text) = from.and_then(FromSnapshot::broke_text) {
        eprintln!("note: {}", harmless(&text));
    }
}
