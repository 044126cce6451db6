//! What became of an event, in the words of the outcomes table and of reports.

use super::model::Fate;
use crate::reduce::What;

/// The word of a fate, as the outcomes table has it.
pub fn word(what: What) -> &'static str {
    match what {
        What::Applied => "applied",
        What::Rejected(_) => "rejected",
        What::Trapped => "trapped",
        What::Duplicate => "duplicate",
        What::Conflict => "conflict",
        What::Malformed(_) => "malformed",
        What::Ignored => "ignored",
        What::Quarantined => "quarantined",
        What::Filtered => "filtered",
    }
}

impl Fate {
    /// A fate with its code. `reject`: the declared code of a number.
    pub fn of(what: What, reject: impl FnOnce(u16) -> Option<String>) -> Self {
        let code = match what {
            What::Rejected(number) => reject(number),
            What::Malformed(code) => Some(code.as_str().to_owned()),
            _ => None,
        };
        Self { what: word(what).to_owned(), code }
    }
}
