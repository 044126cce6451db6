//! Whether what a comparison takes from a run's files is what the manifest seals, where reading the
//! rows does not show it by itself. Cheap: a count, or a digest over what is read anyway.

use crate::rundir::{self, RunDirError, RunReader, Table, log_finding};
use crate::table::TableError;
use std::path::PathBuf;

pub(super) fn changed(path: PathBuf, what: String) -> RunDirError {
    TableError::Changed { path, what }.into()
}

/// Outcomes, emits and refused events, all of them read.
pub(super) fn log(run: &RunReader) -> Result<(), RunDirError> {
    log_finding(run)?.map_or(Ok(()), |what| Err(changed(run.dir().into(), what)))
}

/// The number of view rows, which the leaves tell too: what stands behind the last leaf would not
/// be looked at.
pub(super) fn view_rows(run: &RunReader, rows: u64) -> Result<(), RunDirError> {
    let found = run.count(Table::Views)?;
    if found == rows {
        return Ok(());
    }
    let what = format!("it has {found} rows, and the leaves of the views have {rows}");
    Err(run.wrong(Table::Views, what))
}

/// The number of refused events: their codes are in the outcomes' digest, and their rows are not.
pub(super) fn refused_rows(run: &RunReader) -> Result<(), RunDirError> {
    let counts = &run.manifest().counts;
    let parts = [counts.malformed, counts.conflicts, counts.rejected, counts.quarantined];
    let (found, counted) = (run.count(Table::Refused)?, parts.iter().sum::<u64>());
    if found == counted {
        return Ok(());
    }
    let what = format!("it has {found} rows, and the manifest counts {counted} refused events");
    Err(run.wrong(Table::Refused, what))
}

/// The violations, of which there are few.
pub(super) fn violations(run: &RunReader) -> Result<(), RunDirError> {
    if rundir::violations(run)?.digest == run.manifest().digests.violations {
        return Ok(());
    }
    Err(run.wrong(Table::Violations, "its rows are not those of the violations' digest"))
}
