//! Where outputs begin and end (`--from`, `--to`): what was asked for, a time, positions or where a
//! group of consumers stands, becomes positions once, before the run, and these are what the run,
//! its digests and its manifest know. A time never filters single events.
//!
//! ```text
//! order "log"   a position in each partition
//! order "path"  one place of the sequence: partitions before it whole, those behind it not at all
//! ```

mod bound;
mod error;
mod folders;
mod groups;
mod places;
mod scan;

pub use bound::Bound;
pub use error::RangeError;
pub(crate) use groups::taken_by;
pub(crate) use places::{Asked, Bounds, Of};

/// What the two ends are called.
const FLAGS: [&str; 2] = ["--from", "--to"];
