//! Run directories: what a run leaves behind, readable by any tool, complete or not at all.
//!
//! ```text
//! manifest.json             what ran, on what, with what result; written last
//! view.parquet              key, then the view's fields; by key
//! states.parquet            key, state, applied, time of the last applied event; by key
//! violations.parquet        key, code, detail; by key
//! emits/KIND/00000.parquet  partition, offset, seq, time, key, event_id, the fields; in log order
//! refused.parquet           partition, offset, what, code, detail, key, bytes; in log order
//! outcomes.parquet          partition, offset, events, what, code: of one outcome; in log order
//! where.parquet             key, first and last position of its events, how many; by key
//! leaves.parquet            tree, first_row, rows, keys, hash: the leaves of the trees over keys
//! history.parquet           partition, events, edge, open: only after a snapshot
//! ```
//!
//! `RunWriter` writes one, [`RunReader`] reads one, [`check()`] recomputes every digest from the
//! files alone. How the digests follow from the files stands in docs/digest.md.

mod check;
mod error;
mod file;
pub(crate) mod keys;
pub(crate) mod log;
mod meter;
mod reader;
mod recompute;
mod rows;
#[cfg(test)]
pub(crate) mod sample;
mod shape;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use check::log_finding;
pub use check::{CheckReport, Checked, check};
pub use error::RunDirError;
pub use reader::{Keys, Named, Part, Rows, RunReader};
pub(crate) use recompute::violations;
pub(crate) use rows::{RowMaker, state_rows};
pub(crate) use shape::BEFORE_EMITS;
pub use shape::Table;
pub(crate) use writer::RunWriter;
