//! Kafka as a log: a topic's partitions under their own numbers, from their first offset to where
//! they ended when the log was opened.
//!
//! ```text
//!  url, properties -- client.rs --> a consumer        told.rs: what it says of brokers
//!                     topic.rs  --> KafkaLog          where partitions begin and end
//!                     reader.rs --> Reader            one consumer for many partitions, and who
//!                                                     watches over it
//!                     feed.rs   --> a partition's records, slab by slab
//!                     groups.rs     where a group of consumers stands
//!                     since.rs      from which offset on there are records of a time
//!                     continued.rs  an archive, and the topic from where that ends: merge.rs
//!                     receipts.rs   by which records a partition is known again
//!                     beside.rs     what they have beside their values, column by column
//!                     written.rs    records as somebody wrote them, with all that they have
//!                     deletions.rs  which of them have no value
//!                     avro.rs       values as rows; registry.rs: by which schemas
//! ```
//!
//! Offsets are asked for one by one, by nobody's group: nothing is committed and no worker is
//! disturbed. Records of transactions count once they are committed (`read_committed`), so that a
//! replay sees what every other reader sees. Of offsets without a record it is told which are gone
//! for good (retention) and which never were an event (marks of transactions, what was aborted or
//! compacted away); a record without a value is a deletion, counted apart, and no event.

mod avro;
mod beside;
mod client;
mod continued;
mod deletions;
mod feed;
mod groups;
mod member;
mod merge;
mod reader;
mod receipts;
mod records;
mod registry;
mod same;
mod since;
mod told;
mod topic;
mod url;
mod written;

pub(crate) use client::AGAIN_AFTER;
pub use client::Kafka;
pub use continued::ContinuedLog;
pub(crate) use feed::Gathered;
pub(crate) use groups::told as told_committed;
pub(crate) use member::is_member;
pub(crate) use records::{Next, Queue, until};
pub use registry::{Registry, Schemas};
pub(crate) use told::Told;
pub use topic::{KafkaLog, Reads};
pub use url::Topic;
pub(crate) use written::{Written, WrittenRecord};
