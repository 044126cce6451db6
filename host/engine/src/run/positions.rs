//! Where a range of a job's log lies, for whoever has to know it before a run.

use super::error::RunError;
use super::options::ReplayOptions;
use super::prepare::{bounds, open, plan};
use super::replay::Observer;
use crate::job::Resolved;
use crate::log::{End, Log};
use retally_core::schema::Description;
use std::sync::Arc;

/// See the module.
pub(crate) struct Positions {
    /// The log.
    pub(crate) log: Arc<dyn Log>,
    /// Of each partition the first offset that is in the range.
    pub(crate) from: Vec<u64>,
    /// And the first behind it.
    pub(crate) to: Vec<u64>,
}

/// Turns the range of `options` into positions.
pub(crate) fn positions(
    job: &Resolved,
    description: &Description,
    options: &ReplayOptions,
    observer: &dyn Observer,
) -> Result<Positions, RunError> {
    let plan = Arc::new(plan(job, &[description])?);
    let log = open(job, options, observer, &plan)?;
    let names = log.names();
    let bounds = bounds(job, (log.as_ref(), &names, false), &[description], options, observer)?;
    let ends = log.partitions().iter().map(|own| match own.end {
        End::Before(end) => end,
        End::OfParts | End::Open => u64::MAX,
    });
    let to = bounds.to.unwrap_or_else(|| vec![u64::MAX; names.len()]);
    let to = to.into_iter().zip(ends).map(|(to, end)| to.min(end)).collect();
    let from = bounds.from.unwrap_or_else(|| vec![0; names.len()]);
    Ok(Positions { log, from, to })
}
