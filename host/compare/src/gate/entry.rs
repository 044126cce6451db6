//! One expectation: of which values, of which keys, by how much at the most, why and until when.
//! The short form of the command line is `WHAT[:KEYS][<=SIZE]`.

use super::glob::Glob;
use crate::model::Place;
use crate::sink::Delta;
use retally_core::schema::Exact;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Differences that are expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands, for messages: `expectations.toml:12`, `--allow tier:*`.
    pub origin: String,
    /// Of what.
    pub what: Subject,
    /// Of which keys.
    pub keys: Keys,
    /// How far apart two values may be at the most; none: any two.
    pub most: Option<Exact>,
    /// The largest sum of the sizes of all differences that it takes; none: any. Sizes, not signed
    /// differences: plus and minus must not hide each other.
    pub total: Option<Exact>,
    /// Why it is expected.
    pub reason: Option<String>,
    /// Where that is written down.
    pub ticket: Option<String>,
    /// The last day on which it is expected, in days since 1970.
    pub expires: Option<i32>,
    /// Whether something must meet it: an expectation, and not only an allowance.
    pub must: bool,
}

/// What may differ: `tier`, `view.tier`, `balance.tier`, `balance.*`, `*`, `@rows`,
/// `balance.@rows`, `@outcomes`, `@violations`, `@history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// In the view, or in an emit kind; none: wherever the name stands.
    pub place: Option<Place>,
    /// The name of a field, `*` for any field, or a word: `@rows` of view rows or emitted records
    /// that stand on one side alone, `@outcomes` of what became of events, `@violations` of how
    /// often they were found, `@history` of views that differed on the way and are equal at the
    /// end, with no emit or outcome to show for it.
    pub name: String,
}

/// Which keys are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// All of them.
    All,
    /// Those that fit a pattern.
    Like(Glob),
    /// These.
    These(BTreeSet<Vec<u8>>),
}

const WORDS: &str = "a field, @rows, @outcomes, @violations or @history";

impl FromStr for Subject {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let (place, name) = match text.split_once('.') {
            Some(("view", name)) => (Some(Place::View), name),
            Some((kind, name)) if is_name(kind) => (Some(Place::Emit(kind.to_owned())), name),
            _ => (None, text),
        };
        let is_known = match name {
            "*" | "@rows" => true,
            "@outcomes" | "@violations" | "@history" => place.is_none(),
            name => is_name(name),
        };
        let known = is_known.then(|| Self { place, name: name.to_owned() });
        known.ok_or_else(|| EntryError::Subject(text.to_owned()))
    }
}

impl Subject {
    /// Whether it speaks of what has this name in this place.
    pub(super) fn covers(&self, place: &Place, name: &str) -> bool {
        let is_named = self.name == name || self.name == "*" && !name.starts_with('@');
        is_named && self.place.as_ref().is_none_or(|own| own == place)
    }

    /// The field that it names, and not any.
    pub(super) fn field(&self) -> Option<&str> {
        Some(self.name.as_str()).filter(|name| is_name(name))
    }
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain)
}

impl Keys {
    /// Whether a key is meant.
    pub fn mean(&self, key: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Like(glob) => glob.matches(key),
            Self::These(keys) => keys.contains(key),
        }
    }
}

impl Entry {
    /// An entry that allows any differences of any keys, and expects none.
    pub fn new(origin: String, what: Subject) -> Self {
        Self {
            origin,
            what,
            keys: Keys::All,
            most: None,
            total: None,
            reason: None,
            ticket: None,
            expires: None,
            must: false,
        }
    }

    /// Reads the short form: `tier`, `tier:acct-*`, `net<=0.01`, `net:acct-*<=0.01`. It allows and
    /// expects nothing.
    ///
    /// # Errors
    /// What of it cannot be understood.
    pub fn allow(text: &str) -> Result<Self, EntryError> {
        let colon = text.find(':').filter(|&at| text.find("<=").is_none_or(|sign| at < sign));
        let (what, keys, most) = match (colon, text.split_once("<=")) {
            (Some(at), _) => {
                let keys = &text[at + 1..];
                let sized = keys.rsplit_once("<=");
                let sized = sized.and_then(|(keys, size)| Some((keys, size.trim().parse().ok()?)));
                match sized {
                    Some((keys, most)) => (&text[..at], keys.trim_end(), Some(most)),
                    None => (&text[..at], keys, None),
                }
            }
            (None, Some((what, size))) => {
                let wrong = |_| EntryError::Size(size.trim().to_owned());
                (what, "*", Some(size.trim().parse().map_err(wrong)?))
            }
            (None, None) => (text, "*", None),
        };
        let keys = if keys == "*" { Keys::All } else { Keys::Like(Glob::new(keys)) };
        let entry = Self::new(format!("--allow {text}"), what.trim().parse()?);
        let entry = Self { keys, most, ..entry };
        entry.check()?;
        Ok(entry)
    }

    /// Whether it makes sense by itself.
    ///
    /// # Errors
    /// A size of what has none, a size below zero, a total over several fields, keys of what has
    /// none.
    pub fn check(&self) -> Result<(), EntryError> {
        for size in [self.most, self.total].into_iter().flatten() {
            if size.units < 0 {
                return Err(EntryError::Size(size.to_string()));
            }
        }
        match self.what.name.as_str() {
            "*" if self.total.is_some() => Err(EntryError::TotalOfAll),
            word if !word.starts_with('@') => Ok(()),
            _ if self.has_sizes() => Err(EntryError::NoSize),
            word if word != "@rows" && self.keys != Keys::All => Err(EntryError::NoKeys),
            _ => Ok(()),
        }
    }

    pub(super) fn has_sizes(&self) -> bool {
        self.most.is_some() || self.total.is_some()
    }

    pub(super) fn is_expired(&self, today: i32) -> bool {
        self.expires.is_some_and(|last| last < today)
    }

    /// Whether a difference of two values is within the size. Without a size all are; with one,
    /// what has no size is not.
    pub(super) fn allows(&self, delta: Option<Delta>) -> bool {
        let Some(most) = self.most else { return true };
        delta.is_some_and(|delta| match delta {
            Delta::Exact { units, scale } => units
                .checked_abs()
                .is_some_and(|units| Exact { units, scale }.compare(most).is_le()),
            Delta::Float(delta) => delta.abs() <= float(most),
        })
    }
}

pub(super) fn float(exact: Exact) -> f64 {
    exact.to_string().parse().unwrap_or(0.0)
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match &self.keys {
            Keys::All => {}
            Keys::Like(glob) => write!(f, ":{glob}")?,
            Keys::These(keys) => match keys.first() {
                Some(key) if keys.len() == 1 => write!(f, ":{}", String::from_utf8_lossy(key))?,
                _ => write!(f, " of {} keys", keys.len())?,
            },
        }
        self.most.map_or(Ok(()), |most| write!(f, "<={most}"))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(Place::View) => write!(f, "view.{}", self.name),
            Some(Place::Emit(kind)) => write!(f, "{kind}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What of an entry makes no sense. A fragment that fits behind its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not a thing that can differ.
    #[error("{0:?} is neither {WORDS}; write tier, tier:acct-*, balance.tier or net<=0.01")]
    Subject(String),
    /// Not a size.
    #[error("{0:?} is no size of a difference; write digits, without a sign: \"0.01\"")]
    Size(String),
    /// A size of what has none.
    #[error("only values of a field differ by so much; write net<=0.01, or leave the size out")]
    NoSize,
    /// A total over fields that have nothing to do with each other.
    #[error("a total is one of a single field; name it")]
    TotalOfAll,
    /// Keys of what is counted over all of them.
    #[error("outcomes, violations and history are counted over all keys; leave the keys out")]
    NoKeys,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_short_form() {
        for (text, short) in [
            ("tier:*", "tier"),
            ("tier", "tier"),
            ("view.tier:acct-*", "view.tier:acct-*"),
            ("net<=0.01", "net<=0.01"),
            ("net <= 0.01", "net<=0.01"),
            ("net:acct-*<=0.01", "net:acct-*<=0.01"),
            ("net:a<=b", "net:a<=b"),
            ("balance.net:a:b", "balance.net:a:b"),
            ("*:test-*", "*:test-*"),
            ("balance.@rows", "balance.@rows"),
            ("@outcomes", "@outcomes"),
            ("@rows:acct-1", "@rows:acct-1"),
        ] {
            assert_eq!(Entry::allow(text).map(|e| e.to_string()).as_deref(), Ok(short), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let told = |text: &str| Entry::allow(text).unwrap_err().to_string();
        for (text, part) in [
            ("", "\"\" is neither a field"),
            ("@row", "\"@row\" is neither a field, @rows"),
            ("ne t", "\"ne t\" is neither"),
            ("a.b.c", "\"a.b.c\" is neither"),
            ("net<=x", "\"x\" is no size"),
            ("net<=-1", "\"-1\" is no size"),
            ("@rows<=1", "only values of a field differ by so much"),
            ("@outcomes:acct-*", "counted over all keys"),
        ] {
            assert!(told(text).contains(part), "{text}: {}", told(text));
        }
    }

    #[test]
    fn a_size_is_of_two_values() {
        let entry = Entry::allow("net<=0.01").unwrap();
        let cents = |units| Some(Delta::Exact { units, scale: 2 });
        assert!(entry.allows(cents(-1)));
        assert!(entry.allows(Some(Delta::Exact { units: 100, scale: 4 })));
        assert!(!entry.allows(Some(Delta::Exact { units: 101, scale: 4 })));
        assert!(!entry.allows(cents(2)));
        assert!(!entry.allows(None), "a value that is missing has no distance");
        assert!(entry.allows(Some(Delta::Float(-0.01))));
        for delta in [0.011, f64::NAN, f64::INFINITY] {
            assert!(!entry.allows(Some(Delta::Float(delta))), "{delta}");
        }
        assert!(Entry::allow("net").unwrap().allows(None));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_the_short_form_is_read_as_itself(text in ".{0,20}") {
            if let Ok(entry) = Entry::allow(&text) {
                let again = Entry::allow(&entry.to_string()).unwrap();
                let parts = |entry: Entry| (entry.what, entry.keys, entry.most);
                prop_assert_eq!(parts(again), parts(entry));
            }
        }
    }
}
