//! Gates: what a result may be, fixed beforehand by whoever answers for it. They judge a finished
//! run and decide nothing of it: neither a digest nor a file depends on them.
//!
//! ```text
//! [gates]     a limit for a count ---> limit::Limit ------> Judged
//! [[expect]]  a bound for a total ---> expect::Expectation > Judged
//! ```
//!
//! What could not be judged is broken, never passed.

mod expect;
mod limit;

pub use expect::{Bounds, By, Expectation, Sums, Table};
pub use limit::{Limit, LimitError};

use serde::{Deserialize, Serialize};

/// Findings of one gate that are told one by one.
pub const FINDINGS_MAX: usize = 20;

/// What a gate found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// What was judged: `malformed`, `net by currency`.
    pub gate: String,
    /// What it may be: `at most 0.1% of events`, `exactly 0.00`.
    pub limit: String,
    /// Whether it is.
    pub holds: bool,
    /// How many numbers were judged: one, or one for each value of a field.
    pub judged: u64,
    /// The number that was judged; of several those that are not as they may be, bounded.
    pub findings: Vec<Finding>,
    /// Findings beyond the bound.
    pub more: u64,
    /// Why nothing could be judged, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A number that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Of several, the value of the field that it belongs to; none: a missing value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The number.
    pub actual: String,
    /// What it was held against, if that is a share: how many there are in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub among: Option<u64>,
    /// By how much it is too large, or with a minus too small; none if it is as it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
}

impl Judged {
    /// A gate that nothing could be held against: broken.
    pub fn unjudged(gate: String, limit: String, why: String) -> Self {
        let (holds, findings) = (false, Vec::new());
        Self { gate, limit, holds, judged: 0, findings, more: 0, why: Some(why) }
    }
}
