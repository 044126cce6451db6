//! What gates found, of a run or of a comparison, as plain data: what reports show and `--json`
//! prints.

use super::Presence;
use serde::{Deserialize, Serialize};

/// What the gate of a comparison found. It names no day, so that it is the same bytes when repeated
/// while the same entries hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateVerdict {
    /// Whether all differences are expected, and every expectation is met and in force.
    pub holds: bool,
    /// Differences that an entry takes.
    pub expected: u64,
    /// Differences that none takes.
    pub unexpected: u64,
    /// The latter by what differs.
    pub by_what: Vec<Unexpected>,
    /// Keys that differ in what no entry takes: in the view, or, where emits or outcomes differ
    /// unexpectedly, in anything at all.
    pub keys: u64,
    /// How many keys may differ unexpectedly, and whether that covers all that does; none: not one
    /// may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_keys: Option<Judged>,
    /// Each entry, in its order.
    pub entries: Vec<EntryVerdict>,
    /// The first unexpected differences of the view, in the order of keys; bounded. What is
    /// expected is never among them.
    pub samples: Vec<Sample>,
    /// Unexpected differences of the view beyond the bound.
    pub more: u64,
}

/// Differences that no entry takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unexpected {
    /// What differs, as an entry would name it: `view.tier`, `balance.@rows`, `@outcomes`.
    pub what: String,
    /// How many.
    pub differences: u64,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryVerdict {
    /// Where it stands.
    pub origin: String,
    /// Its short form.
    pub entry: String,
    /// Why it is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where that is written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Differences that met it; also if it has expired, and then they are unexpected.
    pub differences: u64,
    /// Sum of the sizes of those of the view; none if it has no total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    /// Differences of emits, as `KIND.FIELD` or `KIND.@rows`, that it names and cannot take: they
    /// are told by tallies, which know neither keys nor a total.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_take: Vec<String>,
    /// Whether it is as it must be.
    pub status: EntryStatus,
}

/// Whether an entry is as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryStatus {
    /// It is.
    Holds,
    /// Nothing met it: it should be taken out.
    Unused,
    /// It was expected up to this day.
    Expired(String),
    /// The sum of sizes is above its total.
    OverTotal {
        /// The total that it allows.
        most: String,
        /// By how much the sum is above it; none if the sum is beyond what can be told.
        over: Option<String>,
    },
}

/// An unexpected difference of the view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The key.
    pub key: String,
    /// Values of the row key; empty if rows are told apart by position.
    pub row_key: Vec<String>,
    /// Number of the row among those of its key, on the side that has it (A's if both).
    pub position: u32,
    /// On which side the row stands.
    pub presence: Presence,
    /// The field; none: of the whole row, which one side alone has.
    pub field: Option<String>,
    /// The value in A; none: missing.
    pub a: Option<String>,
    /// The value in B; none: missing.
    pub b: Option<String>,
    /// B minus A, where that means something.
    pub difference: Option<String>,
}

/// What a gate found of a number, or of the numbers of one kind: in a run or in a comparison.
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
    /// Why nothing was judged, if so: because it could not be, which breaks a gate, or because it
    /// would mean nothing of this run, which does not.
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

    /// A gate that means nothing of this run, and was left out: neither broken nor passed.
    pub fn left_out(gate: String, limit: String, why: String) -> Self {
        Self { holds: true, ..Self::unjudged(gate, limit, why) }
    }

    /// Whether it was left out.
    pub fn is_left_out(&self) -> bool {
        self.holds && self.why.is_some()
    }
}
