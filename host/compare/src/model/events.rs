//! From which event on, and why: first divergences over event time, and what the differing keys
//! have in common.

use super::NamedOutcome;
use serde::{Deserialize, Serialize};

/// The first diverging events of all differing keys. A key diverges with the first of its events
/// whose outcome (over what both versions declare) or view after it differs; in the files of two
/// runs with the first whose outcome or emits differ, because they hold no view after each event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergences {
    /// Keys that differ in their view at the end, or in the outcome of any of their events.
    pub keys: u64,
    /// Of these: the first diverging event is known.
    pub found: u64,
    /// Of these: it is not, because it is not in the files.
    pub not_in_files: u64,
    /// Of those that are known: the views at the end are equal all the same.
    pub healed: u64,
    /// Of those that are known: it lies before the range that was compared.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub before_range: u64,
    /// By the input that took the event; most frequent first.
    pub by_input: Vec<InputCount>,
    /// First divergences over event time, earliest first, without empty buckets.
    pub over_time: Vec<TimeBucket>,
    /// How long each bucket is; none without buckets.
    pub step: Option<TimeStep>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// First divergences of one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputCount {
    /// The input; none: neither version recognises the event, or the files do not tell.
    pub input: Option<String>,
    /// Keys.
    pub keys: u64,
}

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeStep {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl TimeStep {
    /// How long it is in microseconds; of months and years about.
    pub fn micros(self) -> i64 {
        let minutes = match self {
            Self::Minute => 1,
            Self::Hour => 60,
            Self::Day => 24 * 60,
            Self::Month => 30 * 24 * 60,
            Self::Year => 365 * 24 * 60,
        };
        minutes * 60_000_000
    }
}

/// First divergences within a stretch of event time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeBucket {
    /// Where it begins, as RFC 3339. It ends with its step.
    pub from: String,
    /// Keys that diverge in it.
    pub keys: u64,
    /// Of all keys that diverged in it or before: the sum of their differences at the end, per
    /// numeric field of the view.
    pub cumulative: Vec<Cumulative>,
}

/// A sum of differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cumulative {
    /// The field of the view.
    pub field: String,
    /// The sum, B minus A.
    pub difference: String,
}

/// Where the differences come from: conditions that hold for many of the keys that differ and for
/// few of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribution {
    /// Keys that differ.
    pub changed: u64,
    /// Keys that do not.
    pub others: u64,
    /// What explains most first.
    pub findings: Vec<Finding>,
    /// What could not be looked at, as sentences.
    pub not_looked: Vec<String>,
}

/// A condition, and for how many keys it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The condition.
    pub condition: Condition,
    /// Keys that differ and for which it holds.
    pub changed_with: u64,
    /// Keys that differ.
    pub changed: u64,
    /// Other keys for which it holds; none if it makes no sense for them, or is not known.
    pub others_with: Option<u64>,
    /// Other keys; none likewise.
    pub others: Option<u64>,
    /// `changed_with / changed`, four digits behind the point.
    pub share: String,
    /// How many times as often among those that differ as among the others, two digits; none if no
    /// other key has it, or if it is not known for them.
    pub lift: Option<String>,
}

/// What may hold for a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Condition {
    /// It had an event of this input.
    HadInput {
        /// The input.
        input: String,
    },
    /// One of its events had this outcome in one of the versions.
    HadOutcome {
        /// The outcome.
        outcome: NamedOutcome,
    },
    /// A row of it has this value in a field of the view: in both versions, or in the one that has
    /// rows of the key.
    FieldIs {
        /// The field.
        field: String,
        /// The value; none: missing.
        value: Option<String>,
    },
    /// Its first diverging event is of this input.
    FirstInput {
        /// The input.
        input: String,
    },
    /// The outcome of its first diverging event changed so.
    FirstChange {
        /// In A.
        a: NamedOutcome,
        /// In B.
        b: NamedOutcome,
    },
    /// Its first diverging event is not before this time.
    FirstFrom {
        /// The time, as RFC 3339.
        time: String,
    },
}
