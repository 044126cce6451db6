//! Runs: the pass over a log from its first batch to a complete run directory. One that fails
//! leaves nothing behind that looks finished.

mod aside;
#[cfg(test)]
mod aside_tests;
mod audit;
mod batch;
mod bell;
mod besides;
#[cfg(test)]
mod bytes_tests;
#[cfg(test)]
mod changed_tests;
mod chunk;
mod commit;
mod compare;
#[cfg(test)]
mod dates_tests;
mod decodes;
mod ends;
mod error;
mod explain;
mod filling;
mod finals;
mod firsts;
mod gates;
mod halt;
#[cfg(test)]
mod halt_tests;
mod join;
mod lane;
mod late;
mod load;
#[cfg(test)]
pub(crate) mod log_tests;
mod memory;
#[cfg(test)]
mod memory_tests;
mod merged;
mod migration;
mod misread;
mod notes;
mod options;
mod packed;
mod passes;
#[cfg(test)]
mod passes_snapshots_tests;
#[cfg(test)]
mod passes_tests;
#[cfg(test)]
mod past_tests;
mod pipeline;
mod positions;
mod prepare;
#[cfg(test)]
mod range_tests;
mod replay;
mod restore;
mod results;
mod resume;
mod schedule;
mod sealed;
mod sequence;
mod side;
#[cfg(test)]
mod sort_tests;
mod sorting;
mod spill;
mod stages;
#[cfg(test)]
mod standing_tests;
mod stopped;
mod supply;
mod task;
#[cfg(test)]
mod time_tests;
mod topic;
mod turns;

pub use crate::limits::BATCH_EVENTS;
pub use aside::AsideError;
pub use compare::{Compared, PassOptions, compare, compare_files};
pub use decodes::Decodes;
pub(crate) use error::size;
pub use error::{ChangedLog, NothingNew, RunError, Stopped};
pub use explain::{
    AROUND, ExplainOptions, FieldChange, History, HistoryFormat, ReadFor, ReducerOf, RowChange,
    RowWhat, TOLD_MAX, Told, ToldSide, explain, newest_run,
};
pub use load::{load, load_file};
pub(crate) use memory::Held;
pub(crate) use migration::{Check, Migration, check};
pub use options::ReplayOptions;
pub use passes::Passes;
pub(crate) use positions::{Positions, positions};
pub(crate) use prepare::{host_bytes, ledger, plan, seed};
pub use replay::{Observer, Progress, Report, Silent, replay, replay_into, replay_reducer};
pub(crate) use restore::Restoring;
pub(crate) use side::{bounded_by, rules, settings_of_all};
pub use spill::SpillError;
pub(crate) use stopped::{Around, described};
pub(crate) use topic::{kafka, reads_of};
