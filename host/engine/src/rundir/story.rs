//! Whether outcomes, emits and refused of a run tell the same story: its outcome trees are grown
//! again from the first two, and the refused are held against the outcomes.

use super::RunDirError;
use super::log::{Alike, EmitRowsOf, OutcomeRows, RefusedRow, RefusedRows, Regrown};
use super::reader::RunReader;
use crate::limits::CHECKED_EVENTS;
use retally_core::log::Stretch;
use retally_core::reduce::Outcome;

/// What the three tables come to.
pub(super) struct Story<'a> {
    pub(super) regrown: Regrown<'a>,
    /// The first thing in which the refused do not fit the outcomes. They are in no digest, so a
    /// difference is a finding of its own.
    pub(super) refused: Option<String>,
}

/// Reads the three tables.
pub(super) fn story(run: &RunReader) -> Result<Story<'_>, RunDirError> {
    let mut regrown = Regrown::new(run)?;
    let kinds = 0..run.emits().len();
    let mut emits =
        kinds.map(|kind| EmitRowsOf::new(run, kind, None)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = RefusedRows::new(run, None)?;
    let mut refused = None;
    for alike in OutcomeRows::new(run, None)? {
        let alike = alike?;
        let outcome = regrown.what(&alike)?;
        if outcome.is_refused() && refused.is_none() {
            refused = missing(&mut rows, &alike)?;
        }
        let number = regrown.partitions.binary_search(&alike.partition).unwrap_or_default();
        let end = alike.offset + alike.events;
        for first in (alike.offset..end).step_by(CHECKED_EVENTS as usize) {
            let events = CHECKED_EVENTS.min(end - first) as u32;
            let stretch = Stretch { partition: number as u32, first_offset: first, events };
            // Whatever was not applied emits nothing: such a record is left over.
            let upto = if outcome == Outcome::Applied { first + u64::from(events) } else { first };
            let taken = emits.iter_mut().map(|kind| kind.take(&alike.partition, first, upto));
            let taken = taken.collect::<Result<Vec<_>, _>>()?;
            regrown.add(stretch, vec![outcome; events as usize], &taken)?;
        }
    }
    if refused.is_none()
        && let Some(RefusedRow { partition, offset, .. }) = rows.next().transpose()?
    {
        let problem = "has a row for an event that was not refused";
        refused = Some(format!("refused.parquet {problem}: {partition}:{offset}"));
    }
    emits.iter_mut().try_for_each(EmitRowsOf::end)?;
    Ok(Story { regrown, refused })
}

/// The first of some refused events that has no row of its own.
fn missing(rows: &mut RefusedRows<'_>, alike: &Alike) -> Result<Option<String>, RunDirError> {
    let Alike { partition, offset, events, what, code } = alike;
    for offset in *offset..offset + events {
        let fits = |row: &RefusedRow| {
            (&row.partition, row.offset) == (partition, offset)
                && (&row.what, &row.code) == (what, code)
        };
        if !rows.next().transpose()?.as_ref().is_some_and(fits) {
            return Ok(Some(format!("refused.parquet has no row for {partition}:{offset}")));
        }
    }
    Ok(None)
}
