//! The run digest: one value over all that came out of a run.

use super::{Canonical, Hash, PartitionDigest};
use crate::schema::EmitKind;

/// The four digests of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Digests {
    /// What became of every event.
    pub outcomes: Hash,
    /// Keys and their view rows.
    pub views: Hash,
    /// Keys, their states, and how many events were applied to each.
    pub states: Hash,
    /// Keys and the violations found.
    pub violations: Hash,
}

/// How many events of a partition have a record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PartitionCount {
    /// The partition's name.
    pub partition: String,
    /// Events with a record since the history began.
    pub events: u64,
}

/// The outcomes' digest over the trees of all partitions, which are given in the order of their
/// names.
pub fn outcomes_digest(emits: &[EmitKind], partitions: &[PartitionDigest]) -> Hash {
    debug_assert!(partitions.is_sorted_by(|a, b| a.partition < b.partition));
    let mut canonical = Canonical::new("retally outcomes v1");
    canonical.number(emits.len() as u64);
    for kind in emits {
        canonical.text(&kind.name).shape(&kind.fields);
    }
    canonical.number(partitions.len() as u64);
    for partition in partitions {
        canonical.text(&partition.partition).number(partition.events).hash(&partition.root);
    }
    canonical.finish()
}

/// The run digest; partitions as in [`outcomes_digest`].
pub fn run_digest(digests: &Digests, partitions: &[PartitionCount]) -> Hash {
    debug_assert!(partitions.is_sorted_by(|a, b| a.partition < b.partition));
    let mut canonical = Canonical::new("retally run v1");
    canonical.hash(&digests.outcomes).hash(&digests.views);
    canonical.hash(&digests.states).hash(&digests.violations);
    canonical.number(partitions.len() as u64);
    for partition in partitions {
        canonical.text(&partition.partition).number(partition.events);
    }
    canonical.finish()
}
