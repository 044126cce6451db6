//! The library that others embed: logs in, runs, snapshots and run directories out.

pub mod audit;
mod cancel;
pub mod clock;
pub mod compare;
pub mod job;
pub mod ledger;
pub mod limits;
pub mod log;
pub mod run;
pub mod rundir;
pub mod sink;
pub mod snapshot;
pub mod source;
pub mod store;
pub mod table;

pub use cancel::{Cancel, Waiting};
