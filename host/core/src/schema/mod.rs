//! What crosses every boundary: the kinds of values, the fields, inputs and records that a reducer
//! declares ([`Description`]), and the typed columns that carry them ([`Column`]).
//!
//! The same words stand in `wit/reducer.wit`; the sandbox translates one into the other.

pub(crate) mod base64;
mod civil;
mod columns;
mod description;
mod exact;
pub(crate) mod pick;
pub(crate) mod text;

pub(crate) use civil::days_in_month;
pub use civil::{civil_from_days, days_from_civil};
pub use columns::{Column, ColumnError, Spans, Value, Values};
pub use description::{
    Condition, Description, DescriptionError, EmitKind, Field, Input, Reason, StateShape, ViewShape,
};
pub use exact::{Exact, ExactError};
pub use text::{display, write_text};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
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

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Decimal { scale } => return write!(f, "decimal({scale})"),
            Self::Float => "float",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Json => "json",
        })
    }
}

impl FromStr for Kind {
    type Err = NoKind;

    /// The kind that is shown as `text`.
    fn from_str(text: &str) -> Result<Self, NoKind> {
        Ok(match text {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "float" => Self::Float,
            "timestamp" => Self::Timestamp,
            "date" => Self::Date,
            "text" => Self::Text,
            "bytes" => Self::Bytes,
            "json" => Self::Json,
            decimal => {
                let digits = decimal.strip_prefix("decimal(").and_then(|d| d.strip_suffix(')'));
                let scale = digits.and_then(|digits| digits.parse().ok());
                let scale = scale.filter(|&scale| scale <= crate::limits::DECIMAL_SCALE_MAX);
                let kind = scale.map(|scale| Self::Decimal { scale });
                // "decimal(02)" and "decimal(+2)" are read as numbers too.
                kind.filter(|kind| kind.to_string() == decimal)
                    .ok_or_else(|| NoKind(decimal.to_owned()))?
            }
        })
    }
}

/// A text that names no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind")]
pub struct NoKind(pub String);

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
