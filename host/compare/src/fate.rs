//! What became of an event, in the words of the outcomes table and of reports.

use super::model::Fate;
use retally_core::reduce::Outcome;

/// The word of a fate, as the outcomes table has it.
pub fn word(what: Outcome) -> &'static str {
    match what {
        Outcome::Applied => "applied",
        Outcome::Rejected(_) => "rejected",
        Outcome::Trapped => "trapped",
        Outcome::Duplicate => "duplicate",
        Outcome::Conflict => "conflict",
        Outcome::Malformed(_) => "malformed",
        Outcome::Ignored => "ignored",
        Outcome::Quarantined => "quarantined",
        Outcome::Filtered => "filtered",
    }
}

impl Fate {
    /// A fate with its code. `reject`: the declared code of a number.
    pub fn of(what: Outcome, reject: impl FnOnce(u16) -> Option<String>) -> Self {
        let code = match what {
            Outcome::Rejected(number) => reject(number),
            Outcome::Malformed(code) => Some(code.as_str().to_owned()),
            _ => None,
        };
        Self { what: word(what).to_owned(), code }
    }
}
