//! The span of event times against the times that stand in the files.

use super::super::reader::RunReader;
use super::super::shape::Table;
use super::super::{RunDirError, recompute};

/// The first table with a time outside of the span of event times. Those of the states are of the
/// whole history, those of the emits of this run.
pub(super) fn finding(run: &RunReader) -> Result<Option<String>, RunDirError> {
    let manifest = run.manifest();
    let whole = manifest.since_start.as_ref().unwrap_or(&manifest.counts);
    let emits = (0..run.emits().len()).map(|kind| (Table::Emits(kind), &manifest.counts));
    for (table, counts) in [(Table::States, whole)].into_iter().chain(emits) {
        let (Some(span), Some((first, last))) = (counts.times, recompute::times(run, table)?)
        else {
            continue;
        };
        if Some(first) < span.earliest || Some(last) > span.latest {
            let file = run.shape.file(table);
            return Ok(Some(format!(
                "the times in {file} go from {first} to {last}, which is not within the span of \
                 event times that is recorded"
            )));
        }
    }
    Ok(None)
}
