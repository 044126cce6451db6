//! Comparing results: two finished runs from their files, or a run against results that somebody
//! knows. What equal means and what is counted lives in [`retally_compare`]; here is where
//! the two sides come from, and when they are refused because no comparison of them would mean
//! anything.
//!
//! ```text
//! manifests --> refuse: are these comparable at all?
//! leaves    --> which rows differ at all? --> only those are read --> Tally
//! outcomes  --> differ? then both logs are walked side by side -----> Tally
//! ```
//!
//! Beside it people keep what they expect to differ: [`expectations`].

mod differences;
mod error;
pub mod expectations;
mod firsts;
mod gated;
mod known;
mod log;
mod refuse;
mod runs;
mod shown;
mod sides;
#[cfg(test)]
mod tests;
mod totals;

pub use differences::Differences;
pub use error::CompareError;
pub(crate) use gated::Gated;
pub use known::{KnownFiles, KnownStyle, NumberStyle, known};
pub(crate) use refuse::{lone_params, misread, refusals, refuse};
pub(crate) use runs::NO_COMMON_KEY;
pub use runs::{CompareOptions, runs};
pub use sides::side;
pub(crate) use sides::{head, sides};
