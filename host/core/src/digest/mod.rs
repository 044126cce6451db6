//! Hashes over what came out of a run: canonical bytes, RFC 9162 trees, and the values made of
//! them. docs/digest.md specifies every byte.
//!
//! A digest says what came out and nothing else: no name of a place, no time of day, no text that
//! an engine made, no seed.

pub mod canonical;
mod keys;
mod outcomes;
mod positions;
mod records;
mod run;
mod sum;
#[cfg(test)]
mod tests;
mod tree;

pub use canonical::Canonical;
pub use keys::{
    KeyTree, KeyTreeError, KeyedDigest, Leaf, RowDigest, Tables, Trees, state_rows, states_digest,
    view_rows, views_digest, violation_row, violation_rows,
};
pub use outcomes::{History, HistoryError, Outcomes, PartitionDigest};
pub use positions::Positions;
pub use records::{BlockError, OutcomeShape, Records};
pub use run::{Digests, PartitionCount, outcomes_digest, run_digest};
pub use sum::{StateSum, StateTerm};
pub use tree::Tree;

pub use crate::hash::Hash;
