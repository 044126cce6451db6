//! Two results of one log, side by side: what differs, by how much, since which event, and where
//! the differences come from.
//!
//! ```text
//! two descriptions --> Plan ------------------------> what can be compared at all
//! view rows of a key, of both sides ------> Tally --> DifferenceSink (every single difference)
//! a stretch of the log, of both sides ---> Tally
//!                                             |
//!                                             v
//!                                      model::Comparison, for reports and gates
//! ```
//!
//! Nothing here knows where the two sides come from: of one pass over the log, of two run
//! directories, of a file of known results. What could not be compared is named in the
//! [`Comparison`](model::Comparison) and never counted as equal. Everything is exact: differences
//! of decimals and whole numbers are whole numbers of 128 bits.

mod align;
mod attribution;
mod divergence;
mod emits;
mod error;
mod exact;
mod field;
pub mod gate;
mod histogram;
mod join;
mod judge;
pub mod limits;
pub mod model;
mod notes;
pub mod pair;
pub mod sink;
mod tally;
#[cfg(test)]
mod tests;
mod totals;
mod view;
mod worst;

pub use align::{By, Declared, Emits, Fields, Options, Pair, Plan, Tolerance};
pub use attribution::{KeyFacts, Words};
pub use divergence::First;
pub use emits::Records;
pub use error::CompareError;
pub use join::{Sorted, join};
pub use judge::{Judged, Rows, judge};
pub use model::SideOf;
pub use notes::Head;
pub use tally::{SideStretch, Tally};
