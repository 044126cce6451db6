//! The log as the fold sees it: partitions, each a sequence of events ordered by offset.
//!
//! How bytes become events lies in [`crate::decode`]; where the bytes come from is the engine's
//! business. A partition is known by its name, never by its number: numbers are given per run.

use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z, the only unit of time inside Retally.
pub type Micros = i64;

/// A partition's number within one run: its place in the run's table of partitions, which is sorted
/// by the bytes of their names.
pub type PartitionIndex = u32;

/// Where an event lies. It is shown as `partition:offset`, the form that commands take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Kafka's number, or the path below the URL without format and compression suffix.
    pub partition: String,
    /// Row or line number from 0, or Kafka's offset.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

/// How the events of several partitions follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// A key lives in one partition, which is checked; partitions are independent of each other.
    Log,
    /// Partitions one after another by the bytes of their names; a key may be in many.
    Path,
}
