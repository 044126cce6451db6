//! Runs: the pass over a log from its first batch to a complete run directory.

mod audit;
mod commit;
mod error;
mod finals;
mod finish;
mod gates;
mod lane;
mod memory;
mod originals;
mod pair;
mod pipeline;
mod prepare;
mod progress;
mod replay;
mod resume;
mod schedule;
mod sequence;
mod stages;
mod stopped;

pub use error::{RunError, Stopped};
pub use progress::{Observer, Progress, Silent};
pub use replay::{BATCH_EVENTS, ReplayOptions, Report, replay};
