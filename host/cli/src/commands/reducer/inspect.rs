//! `retally reducer inspect`: what a component declares, or why it is no reducer.

use crate::error::Failure;
use crate::exit::Exit;
use crate::report::reducer::Inspected;
use anyhow::Context as _;
use retally_engine::bounded;
use retally_sandbox::{COMPONENT_MAX_BYTES, LoadError};

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
    let bytes = bounded::read(&args.file, COMPONENT_MAX_BYTES as u64)
        .with_context(|| format!("cannot read {place}"))
        .map_err(|e| Failure::usage(e).hint("retally reducer build makes one"))?;
    let inspected = Inspected::of(&bytes).map_err(|error| {
        // A sandbox that does not start says nothing of the file.
        let of_file = error.downcast_ref::<LoadError>().is_some_and(LoadError::is_of_reducer);
        if of_file {
            Failure::usage(error.context(format!("{place} is not a reducer")))
        } else {
            Failure::unfinished(error.context(format!("cannot load {place}")))
        }
    })?;
    inspected.print(&args.file, args.json)?;
    Ok(Exit::Ok)
}
