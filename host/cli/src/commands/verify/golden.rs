//! Golden digests as files.

use crate::error::Failure;
use crate::exit::Exit;
use anyhow::{Context as _, anyhow};
use retally_engine::bounded;
use retally_engine::limits::JOB_MAX_BYTES;
use retally_engine::verify::{Golden, VerifyReport};
use std::path::Path;

/// Golden digests that were recorded. They name each partition of the log, as a job file might.
pub(super) fn read(path: &Path) -> Result<Golden, Failure> {
    let place = || format!("--golden {}", path.display());
    let text = bounded::read_text(path, JOB_MAX_BYTES).with_context(place);
    let text = text.map_err(Failure::usage)?;
    Golden::parse(&text).with_context(place).map_err(Failure::usage)
}

/// Writes what was verified.
pub(super) fn record(path: &Path, report: &VerifyReport, exit: Exit) -> Result<(), Failure> {
    let Some(manifest) = report.reference.as_ref().filter(|_| exit == Exit::Ok) else {
        eprintln!("note: {} is not written: not everything was verified", path.display());
        return Ok(());
    };
    std::fs::write(path, Golden::of(manifest).to_text())
        .with_context(|| format!("--record {}", path.display()))
        .map_err(|error| Failure::unfinished(anyhow!(error)))
}
