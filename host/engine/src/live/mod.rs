//! Live work: what a replay computes, computed as events come, and published exactly once.
//!
//! ```text
//! Broker -- who owns which partition, records, what is committed --> Worker
//!                                   per partition: Owned (a fold, its digests, what it owes)
//! Broker <-- transactions: emits, views, refused events, offsets with digests -- Worker
//! ```
//!
//! A partition's results and the offset behind its last event commit in one transaction, with a
//! [`Mark`]: digests of outcomes and states there. There is no changelog. Whoever takes a partition
//! over loads the newest snapshot at or before the committed offset, folds what lies between in
//! silence, and holds its digests against the mark: because reducers are deterministic they agree,
//! and if they do not, the partition stops.
//!
//! What was computed is kept until its transaction is known to be committed. Where that is not
//! certain, the committed offsets are read back: they tell whether the same records are to be sent
//! once more. Nothing is computed twice for that.
//!
//! [`Broker`] is the seam: Kafka is one (`group`), and a simulated one drives the worker through
//! seeded faults in the tests.

mod batch;
mod broken;
mod broker;
mod doubt;
mod error;
mod group;
mod mark;
mod memory;
mod migrate;
mod owned;
mod publish;
mod recover;
mod saving;
mod sender;
mod setup;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod simulated_tests;
mod status;
mod taking;
mod worker;

pub use batch::{Batch, Outgoing};
pub use broker::{Broker, Committed, Taken, Told, Transaction};
pub use error::LiveError;
pub(crate) use mark::Made;
pub use mark::{Applied, How, Mark, MarkError};
pub(crate) use publish::Publishes;
pub use setup::{LiveOptions, run};
pub(crate) use setup::{Setup, group_of, topic_of};
pub use status::{PartitionStatus, Standing, Status, Watch};
