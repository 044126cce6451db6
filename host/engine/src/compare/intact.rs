//! Whether what a comparison takes from a run's files is what the manifest seals, where reading the
//! rows does not show it by itself. Cheap: a count, or a digest over what is read anyway.

use super::error::CompareError;
use crate::rundir::{RunReader, Table, log_finding, violations_digest};
use std::path::Path;

fn changed(dir: &Path, file: &str, what: impl Into<String>) -> CompareError {
    CompareError::Changed { path: dir.join(file), what: what.into() }
}

/// Outcomes, emits and refused events, all of them read.
pub(super) fn log(run: &RunReader, dir: &Path) -> Result<(), CompareError> {
    match log_finding(run)? {
        Some(what) => Err(CompareError::Changed { path: dir.to_path_buf(), what }),
        None => Ok(()),
    }
}

/// The number of view rows, which the leaves tell too: what stands behind the last leaf would not
/// be looked at.
pub(super) fn view_rows(run: &RunReader, dir: &Path, rows: u64) -> Result<(), CompareError> {
    let found = run.count(Table::Views)?;
    if found == rows {
        return Ok(());
    }
    let what = format!("it has {found} rows, and the leaves of the views have {rows}");
    Err(changed(dir, "view.parquet", what))
}

/// The number of refused events: their codes are in the outcomes' digest, and their rows are not.
pub(super) fn refused_rows(run: &RunReader, dir: &Path) -> Result<(), CompareError> {
    let counts = &run.manifest().counts;
    let parts = [counts.malformed, counts.conflicts, counts.rejected, counts.quarantined];
    let (found, counted) = (run.count(Table::Refused)?, parts.iter().sum::<u64>());
    if found == counted {
        return Ok(());
    }
    let what = format!("it has {found} rows, and the manifest counts {counted} refused events");
    Err(changed(dir, "refused.parquet", what))
}

/// The violations, of which there are few.
pub(super) fn violations(run: &RunReader, dir: &Path) -> Result<(), CompareError> {
    if violations_digest(run)? == run.manifest().digests.violations {
        return Ok(());
    }
    Err(changed(dir, "violations.parquet", "its rows are not those of the violations' digest"))
}
