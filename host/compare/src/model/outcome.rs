//! What became of an event, by the words of the outcomes table: what reports read and compare by,
//! because the numbers of reject codes are each reducer's own.

use retally_core::reduce::Outcome;
use retally_core::schema::Description;
use serde::{Deserialize, Serialize};

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedOutcome {
    /// `applied`, `rejected`, `trapped`, `duplicate`, `conflict`, `malformed`, `ignored`,
    /// `quarantined` or `filtered`.
    pub what: String,
    /// The code, of rejected and malformed events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl NamedOutcome {
    /// An outcome by its word and code. `rejects`: the declared codes by their numbers.
    pub fn of(outcome: Outcome, rejects: &[String]) -> Self {
        let code = outcome.code(rejects).map(str::to_owned);
        Self { what: outcome.word().to_owned(), code }
    }
}

impl std::fmt::Display for NamedOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " {code}"))
    }
}

/// The reject codes of both sides, by their numbers.
#[derive(Debug, Clone, Default)]
pub struct Rejects(pub [Vec<String>; 2]);

impl Rejects {
    /// Those that two reducers declare.
    pub fn of(described: [&Description; 2]) -> Self {
        Self(described.map(reject_codes))
    }

    /// Whether a number is the same code on both sides.
    pub(crate) fn alike(&self) -> bool {
        self.0[0] == self.0[1]
    }

    /// Whether an outcome of A is the same as one of B.
    pub(crate) fn same(&self, a: Outcome, b: Outcome) -> bool {
        match (a, b) {
            (Outcome::Rejected(a), Outcome::Rejected(b)) => {
                self.0[0].get(usize::from(a)) == self.0[1].get(usize::from(b))
            }
            (a, b) => a == b,
        }
    }

    /// The outcomes of A and B by their names; none where a side has none.
    pub fn named(&self, outcomes: [Option<Outcome>; 2]) -> [Option<NamedOutcome>; 2] {
        [0, 1].map(|side| Some(NamedOutcome::of(outcomes[side]?, &self.0[side])))
    }
}

/// The reject codes of a reducer, by their numbers.
pub fn reject_codes(described: &Description) -> Vec<String> {
    described.rejects.iter().map(|reason| reason.code.clone()).collect()
}
