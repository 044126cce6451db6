//! What became of an event, in the words of the outcomes table and of reports.

use super::model::Fate;
use retally_core::reduce::Outcome;

impl Fate {
    /// A fate with its code. `reject`: the declared code of a number.
    pub fn of(what: Outcome, reject: impl FnOnce(u16) -> Option<String>) -> Self {
        let code = match what {
            Outcome::Rejected(number) => reject(number),
            Outcome::Malformed(code) => Some(code.as_str().to_owned()),
            _ => None,
        };
        Self { what: what.word().to_owned(), code }
    }
}
