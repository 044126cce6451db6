//! `retally reducer inspect`: what a component declares, or why it is no reducer.

use crate::error::Failure;
use crate::exit::Exit;
use crate::report::reducer::Inspected;
use anyhow::Context as _;
use std::path::PathBuf;

/// Show what a component declares: name, version, inputs, params, emits, view, state layout,
/// SHA-256.
///
/// It is loaded as a run would load it, so what is no reducer is refused with the reason.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let place = args.file.display();
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("cannot read {place}"))
        .map_err(|e| Failure::usage(e).hint("retally reducer build makes one"))?;
    let inspected = Inspected::of(&bytes)
        .with_context(|| format!("{place} is not a reducer"))
        .map_err(Failure::usage)?;
    inspected.print(&args.file, args.json)?;
    Ok(Exit::Ok)
}
