//! Order "sort": from what the job says to a log in order.

use super::error::RunError;
use super::options::ReplayOptions;
use super::prepare::host_bytes;
use super::replay::Observer;
use crate::job::Resolved;
use crate::limits::{SORTED_BYTES, SORTED_SHARE};
use crate::log::{Log, LogError};
use crate::sorted::{How, SortedLog};
use crate::source::Source;
use retally_core::decode::{Beside, Plan, Terms};
use retally_core::log::{Order, Sort};
use std::sync::Arc;

/// How a log is sorted, and what is read of it for that.
pub(super) struct Sorting {
    how: How,
    terms: Terms,
}

/// What order "sort" may hold of events, in bytes; under another order nothing.
pub(super) fn sorted_bytes(job: &Resolved, options: &ReplayOptions) -> usize {
    match job.order {
        Order::Sort => SORTED_BYTES.min(host_bytes(job, options.host_memory_bytes) / SORTED_SHARE),
        Order::Log | Order::Path | Order::Time => 0,
    }
}

impl Sorting {
    /// None: the job has another order.
    pub(super) fn new(
        job: &Resolved,
        options: &ReplayOptions,
        plan: &Arc<Plan>,
    ) -> Result<Option<Self>, RunError> {
        let sort = match (job.order, &job.sort) {
            (Order::Sort, Some(sort)) => sort.clone(),
            (Order::Log | Order::Path | Order::Time, None) => return Ok(None),
            _ => {
                return Err(RunError::Log(LogError::usage(
                    "order \"sort\" and what events are sorted by go together: a job has both or \
                     none",
                )));
            }
        };
        let addressing = job.source.addressing.clone();
        let terms = Terms::new(&sort, &addressing, plan)?;
        // Where runs lie there is room for what they hold.
        let runs = || job.runs().ok()?.file("");
        let dir = options.spill.clone().or_else(runs);
        let bytes = sorted_bytes(job, options);
        Ok(Some(Self { how: How { sort, addressing, plan: plan.clone(), bytes, dir }, terms }))
    }

    /// The columns to read: those of the plan, and those that are sorted by.
    pub(super) fn columns(&self, plan: &Plan) -> Vec<String> {
        let mut columns = plan.columns();
        columns.extend(self.terms.columns());
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The values of paths to read, those of the plan first.
    pub(super) fn folders(&self) -> Vec<String> {
        self.terms.folders().into_iter().map(str::to_owned).collect()
    }

    /// What records have beside their values, by which events are sorted, and who reads it.
    pub(super) fn besides(&self) -> Vec<(&Beside, &str)> {
        self.terms.besides()
    }

    /// Refuses a table without a column that is sorted by; that some files lack it is told.
    pub(super) fn there(&self, source: &Source, observer: &dyn Observer) -> Result<(), RunError> {
        let (known, files) = (source.columns(), source.objects().len());
        if known.is_empty() {
            return Ok(());
        }
        for column in self.terms.columns() {
            let Sort { by, .. } = &self.how.sort;
            match known.get(&column).copied().unwrap_or_default() {
                0 => {
                    return Err(RunError::Log(LogError::usage(format!(
                        "no file of the log has a column `{column}`, by which events are sorted \
                         ({}): say in `order` of [job] where what they are sorted by lies",
                        by.join(", ")
                    ))));
                }
                count if count < files => observer.note(&format!(
                    "{} of {files} files have no column `{column}`, by which events are sorted: \
                     all of their rows come first in their folders",
                    files - count
                )),
                _ => {}
            }
        }
        Ok(())
    }

    /// The events of a log in order.
    pub(super) fn over(self, log: Arc<dyn Log>) -> Result<Arc<dyn Log>, RunError> {
        Ok(Arc::new(SortedLog::new(log, self.how)?))
    }
}
