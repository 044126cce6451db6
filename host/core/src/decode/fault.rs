//! What stops the decoding of a whole slab. What concerns one event alone is a [`super::Code`].

use super::Code;
use crate::schema::Kind;
use std::fmt;

/// Why an event is no valid record, and at which byte of it that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) code: Code,
    pub(super) at: u32,
}

/// A slab of which no event could ever be read as declared: a column of a type that cannot become
/// what is declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "column `{column}` is of type {found}, which cannot be read as {wanted}{}", .wanted.hint(found)
)]
pub struct DecodeError {
    /// The column, as a pointer.
    pub column: String,
    /// Its type.
    pub found: String,
    /// What is declared.
    pub wanted: Wanted,
}

/// What a value is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// What lies inside of it.
    Parts,
    /// A key or a part of one.
    Key,
    /// An id.
    Id,
    /// An event's time; whether the job gives a unit for numbers.
    Time {
        /// Whether numbers count.
        unit: bool,
    },
    /// A field.
    Field {
        /// Its kind.
        kind: Kind,
        /// Whether the job gives a unit for times that are numbers.
        unit: bool,
    },
}

impl Wanted {
    /// What a column that was `found` in the place of a time lacks: a number its unit, a date the
    /// time of day.
    fn hint(self, found: &str) -> &'static str {
        let (Self::Time { unit } | Self::Field { kind: Kind::Timestamp, unit }) = self else {
            return "";
        };
        let is = |kinds: &[&str]| kinds.iter().any(|kind| found.starts_with(kind));
        match unit {
            false if is(&["Int", "UInt", "Float"]) => {
                " (numbers are times only with `time_unit` in the job's [source])"
            }
            _ if is(&["Date"]) => " (a date has no time of day: write a column of timestamps)",
            _ => "",
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parts => f.write_str("an object or array with parts"),
            Self::Key => f.write_str("a key (text or integer)"),
            Self::Id => f.write_str("an id (text or integer)"),
            Self::Time { .. } => f.write_str("a time"),
            Self::Field { kind, .. } => write!(f, "{kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_lacks_a_unit() {
        let (time, kind) = (Wanted::Time { unit: false }, Kind::Timestamp);
        let field = Wanted::Field { kind, unit: true };
        assert!(time.hint("Int64").contains("`time_unit`"));
        for wanted in [time, field] {
            assert!(wanted.hint("Date32").contains("no time of day"));
            assert_eq!(wanted.hint("Boolean"), "");
        }
        assert_eq!(field.hint("Int64"), "");
        assert_eq!(Wanted::Key.hint("Date32"), "");
    }
}
