//! What a manifest says of where a run went on: how the log was held against what the snapshot
//! took, in what it had changed, what no finished run has, and which snapshots were passed over.

use crate::listed::listed;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How closely a log was held against what a snapshot took of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Checked {
    /// Not at all: this kind of log cannot tell, or the version that ran did not look.
    #[default]
    #[serde(rename = "nothing")]
    Nothing,
    /// Of a topic's partitions the last records that were taken, but not of all: some have none of
    /// them any more.
    #[serde(rename = "last records, where any are left")]
    SomeRecords,
    /// Of a topic's partitions the last records that were taken.
    #[serde(rename = "last records")]
    Records,
    /// Names, sizes, order, and of each object what its store or its edges say.
    #[serde(rename = "names, sizes, ETags or edges")]
    Edges,
    /// Every byte that was taken.
    #[serde(rename = "every byte")]
    EveryByte,
}

impl Checked {
    /// Whether of everything that was taken something was looked at.
    pub fn is_of_all(self) -> bool {
        self > Self::SomeRecords
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::SomeRecords => "last records, where any are left",
            Self::Records => "last records",
            Self::Edges => "names, sizes, ETags or edges",
            Self::EveryByte => "every byte",
        })
    }
}

/// In what an object of a log is no longer what a snapshot took of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The object's name in the log.
    pub object: String,
    /// Its partition.
    pub partition: String,
    /// First offset of the partition that the snapshot does not hold.
    pub next: u64,
    /// What differs, and where: a fragment behind the object's name.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, partition, next, what } = self;
        match next {
            0 => write!(f, "`{object}` (partition {partition}) {what}"),
            _ => write!(f, "`{object}` (partition {partition}, taken up to offset {next}) {what}"),
        }
    }
}

/// Changes that are named one by one in a sentence.
const NAMED: usize = 3;

/// What changed, in one sentence.
pub fn sentence(changes: &[Change]) -> String {
    listed(changes.iter(), NAMED, "; ")
}

/// Events before a snapshot that are in it, and of which no finished run has outcomes and emits:
/// the run that took them was gone on from before it had finished.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hole {
    /// Their partition.
    pub partition: String,
    /// Offset of the first.
    pub from: u64,
    /// First offset behind them.
    pub to: u64,
}

impl Hole {
    /// What no finished run has, in one sentence.
    pub fn sentence(holes: &[Self]) -> String {
        let named: Vec<String> = holes.iter().take(NAMED).map(Self::to_string).collect();
        let more = holes.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(", and {more} more stretches") } else { String::new() };
        format!("no finished run has the outcomes and emits of {}{more}", named.join(", "))
    }
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, from, to } = self;
        write!(f, "{partition}:{from} to {partition}:{}", to.saturating_sub(1))
    }
}

/// A snapshot from which a run did not go on, though it is newer than where the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassedOver {
    /// Its name.
    pub snapshot: String,
    /// Why.
    pub why: String,
}
