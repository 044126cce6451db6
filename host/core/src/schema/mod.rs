//! What crosses every boundary: the kinds of values, the fields, inputs and records that a reducer
//! declares ([`Description`]), and the typed columns that carry them ([`Column`]).
//!
//! The same words stand in `wit/reducer.wit`; the sandbox translates one into the other.

pub(crate) mod base64;
mod civil;
mod columns;
mod description;
mod exact;
mod layout;
pub(crate) mod pick;
mod slice;
pub(crate) mod text;

pub(crate) use civil::days_in_month;
pub use civil::{civil_from_days, days_from_civil};
pub use columns::{Column, ColumnError, Spans, Value, Values};
pub use description::{
    Condition, Description, DescriptionError, EMIT_COLUMNS, EmitKind, Field, Input, Reason,
    StateShape, VIEW_COLUMNS, ViewShape,
};
pub use exact::{Exact, ExactError};
pub use layout::{LayoutError, shown_state};
pub(crate) use text::serde_as_text;
pub use text::{display, write_text};

use std::fmt;
use std::str::FromStr;

/// What a value is. Decimals carry their scale, so that two kinds are equal only if their columns
/// can stand for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `true` or `false`; one byte, 0 or 1.
    Boolean,
    /// A whole number of 64 bits with sign.
    Integer,
    /// A whole number of 64 bits with sign, in units of 10^-scale.
    Decimal {
        /// Digits after the point, at most [`crate::limits::DECIMAL_SCALE_MAX`].
        scale: u8,
    },
    /// An IEEE 754 double; every NaN is the canonical one.
    Float,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// Days since 1970-01-01.
    Date,
    /// UTF-8.
    Text,
    /// Bytes; base64 in JSON.
    Bytes,
    /// A JSON subtree as it stood in the event.
    Json,
}

impl Kind {
    /// Digits after the point; 0 for all but decimals.
    pub fn scale(self) -> u8 {
        match self {
            Self::Decimal { scale } => scale,
            _ => 0,
        }
    }
}

/// All kinds but decimals, and how they are shown.
const SHOWN: [(&str, Kind); 8] = [
    ("boolean", Kind::Boolean),
    ("integer", Kind::Integer),
    ("float", Kind::Float),
    ("timestamp", Kind::Timestamp),
    ("date", Kind::Date),
    ("text", Kind::Text),
    ("bytes", Kind::Bytes),
    ("json", Kind::Json),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SHOWN.iter().find(|(_, kind)| kind == self) {
            Some((text, _)) => f.write_str(text),
            None => write!(f, "decimal({})", self.scale()),
        }
    }
}

impl FromStr for Kind {
    type Err = NoKind;

    /// The kind that is shown as `text`.
    fn from_str(text: &str) -> Result<Self, NoKind> {
        if let Some((_, kind)) = SHOWN.iter().find(|(shown, _)| *shown == text) {
            return Ok(*kind);
        }
        let digits = text.strip_prefix("decimal(").and_then(|d| d.strip_suffix(')'));
        let scale = digits.and_then(|digits| digits.parse().ok());
        let scale = scale.filter(|&scale| scale <= crate::limits::DECIMAL_SCALE_MAX);
        let kind = scale.map(|scale| Self::Decimal { scale });
        // "decimal(02)" and "decimal(+2)" are read as numbers too.
        kind.filter(|kind| kind.to_string() == text).ok_or_else(|| NoKind(text.to_owned()))
    }
}

/// A text that names no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind")]
pub struct NoKind(pub String);

serde_as_text!(Kind, str::parse);
