//! What is read of records beside their values, and whether a log has it: one that does not is
//! refused, as no event would have anything there.

use super::error::RunError;
use super::sorting::Sorting;
use crate::job::Resolved;
use crate::log::{Log, LogError};
use retally_core::decode::{Beside, Plan};

/// What is read, and who reads it first.
pub(super) fn asked<'a>(
    plan: &'a Plan,
    sorting: Option<&'a Sorting>,
) -> Vec<(&'a Beside, &'a str)> {
    let mut all = plan.besides();
    for own in sorting.into_iter().flat_map(Sorting::besides) {
        if all.iter().all(|(beside, _)| *beside != own.0) {
            all.push(own);
        }
    }
    all
}

/// Refuses a log that lacks some of it.
pub(super) fn check(
    asked: &[(&Beside, &str)],
    job: &Resolved,
    log: &dyn Log,
) -> Result<(), RunError> {
    let has = log.besides();
    let Some((beside, who)) = asked.iter().find(|(beside, _)| !has.contains(beside)) else {
        return Ok(());
    };
    let is_archive = job.source.layout.as_ref().is_some_and(|layout| layout.joins());
    let why = match is_archive {
        true => "the files of an archive hold the values of records alone",
        false => "this log is no topic",
    };
    Err(RunError::Log(LogError::usage(format!(
        "{who} is read from `{beside}`, {}, and {why}: read the topic itself \
         (kafka://HOST:PORT/TOPIC), or say where in an event it lies",
        what(beside)
    ))))
}

fn what(beside: &Beside) -> String {
    match beside {
        Beside::Key => "the key of a record in Kafka".to_owned(),
        Beside::Header(name) => format!("the header `{name}` of a record in Kafka"),
        Beside::Timestamp => "when a record was written to Kafka".to_owned(),
    }
}
