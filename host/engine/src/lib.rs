//! The library that others embed: logs in, runs, snapshots and run directories out.

pub mod audit;
pub mod clock;
pub mod compare;
pub mod job;
pub mod ledger;
mod limits;
pub mod run;
pub mod rundir;
pub mod snapshot;
pub mod source;
pub mod store;
