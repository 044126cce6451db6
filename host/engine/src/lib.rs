//! The library that others embed: logs in, runs, snapshots and run directories out.

pub mod job;
pub mod rundir;
pub mod source;
