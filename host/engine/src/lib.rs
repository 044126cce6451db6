//! The library that others embed: logs in, runs, snapshots and run directories out.
//!
//! ```text
//! job::Resolved   what is to be calculated, from a job file or made by a program
//! range           where outputs begin and end: a time or positions
//! log::Log        events: objects of a store (source), memory, or a log of your own
//! run             replay_into, compare, explain: one pass over the log
//! verify          the same pass again and again, with one thing changed that must not matter
//! sink::Sink      what comes out: a run directory, snapshots, memory, or a sink of your own
//! ```
//!
//! A reducer is loaded by `retally_sandbox`; [`run::replay_into`] folds a log with it into a sink
//! and gives the manifest: what ran, on what, with what result. Progress goes to an
//! [`Observer`](run::Observer), a [`Cancel`] stops a pass also while it waits, and limits stand in
//! the job and the options. The library keeps no global, sets no panic hook (what the program's own
//! has to know is [`table::panic_is_told`]), reads no environment, prints nothing and asks the
//! machine for nothing but threads; `examples/embed` is a whole program around it.

pub mod audit;
mod avro;
pub mod bounded;
mod cancel;
pub mod clock;
pub mod compare;
pub mod job;
pub mod kafka;
pub mod ledger;
pub mod limits;
pub mod live;
pub mod log;
pub mod range;
pub mod run;
pub mod rundir;
pub mod sink;
pub mod snapshot;
mod sorted;
pub mod source;
pub mod store;
pub mod table;
mod threads;
pub mod verify;

pub use cancel::{Cancel, Waiting};
pub use threads::ThreadError;
