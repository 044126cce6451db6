//! Two results of one log, side by side: what differs, by how much, since which event, and where
//! the differences come from.
//!
//! ```text
//! two descriptions --> align ------------> Alignment: what can be compared at all
//! view rows of a key, of both sides -----> tally --> sink (every single difference)
//! emits and outcomes of an event, both --> tally
//!                                           |
//!                                           v
//!                                       Comparison (the model that reports and gates read)
//! ```
//!
//! Nothing here knows where the two sides come from: of one pass over the log, of two run
//! directories, of a file of known results. What could not be compared is named in the
//! [`Comparison`](model::Comparison) and never counted as equal.

pub mod model;
pub mod sink;
