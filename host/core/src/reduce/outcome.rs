//! What became of an event, and the words for it: the one place where tables, reports and whoever
//! reads them have these from.

use crate::decode::Code;

/// What became of one event. The order of judgement stands in docs/determinism.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It reached the reducer, which took it.
    Applied,
    /// It reached the reducer, which refused it: number of the declared code.
    Rejected(u16),
    /// It reached the reducer, which trapped, and the job says `on_trap = "reject"`.
    Trapped,
    /// Key, id and content were seen before.
    Duplicate,
    /// Key and id were seen before with other content.
    Conflict,
    /// No valid record, or a value that could not be decoded.
    Malformed(Code),
    /// No input recognises it.
    Ignored,
    /// An entry in the ledger takes it out.
    Quarantined,
    /// Outside the range or subset: leaves no record.
    Filtered,
}

impl Outcome {
    /// Its word, as it stands in tables and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Rejected(_) => "rejected",
            Self::Trapped => "trapped",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Malformed(_) => "malformed",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
            Self::Filtered => "filtered",
        }
    }

    /// The code beside the word, if there is one. `rejects`: the declared reject codes.
    pub fn code(self, rejects: &[String]) -> Option<&str> {
        match self {
            Self::Malformed(code) => Some(code.as_str()),
            Self::Rejected(number) => rejects.get(usize::from(number)).map(String::as_str),
            _ => None,
        }
    }

    /// The outcome that a record has with this word and code; none: no record can.
    pub fn parse(word: &str, code: Option<&str>, rejects: &[String]) -> Option<Self> {
        const PLAIN: [Outcome; 6] = [
            Outcome::Applied,
            Outcome::Trapped,
            Outcome::Duplicate,
            Outcome::Conflict,
            Outcome::Ignored,
            Outcome::Quarantined,
        ];
        let code = code.unwrap_or_default();
        let plain = PLAIN.into_iter().filter(|_| code.is_empty());
        let malformed = Code::ALL.iter().find(|known| known.as_str() == code);
        let rejected = rejects.iter().position(|known| known == code);
        plain
            .chain(malformed.map(|&code| Self::Malformed(code)))
            .chain(rejected.map(|number| Self::Rejected(number as u16)))
            .find(|outcome| outcome.word() == word)
    }

    /// Whether the event is kept with position, reason and bytes.
    pub fn is_refused(self) -> bool {
        !matches!(self, Self::Applied | Self::Duplicate | Self::Ignored | Self::Filtered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_from_its_word_and_code() {
        let rejects = ["too-large".to_owned(), "not-json".to_owned()];
        let coded = [Outcome::Rejected(1), Outcome::Malformed(Code::NotJson)];
        let plain = [Outcome::Applied, Outcome::Trapped, Outcome::Duplicate, Outcome::Conflict];
        let rest = [Outcome::Ignored, Outcome::Quarantined, Outcome::Rejected(0)];
        for outcome in coded.into_iter().chain(plain).chain(rest) {
            let code = outcome.code(&rejects);
            assert_eq!(Outcome::parse(outcome.word(), code, &rejects), Some(outcome));
        }
        for (word, code) in [
            ("filtered", None),
            ("applied", Some("too-large")),
            ("rejected", None),
            ("rejected", Some("unheard-of")),
            ("malformed", Some("too-large")),
        ] {
            assert_eq!(Outcome::parse(word, code, &rejects), None, "{word} {code:?}");
        }
    }
}
