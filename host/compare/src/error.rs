//! What keeps two results from being compared at all.

use super::sink::SinkError;
use retally_core::schema::Kind;

/// Why a comparison cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A tolerance for a field that is not compared anywhere.
    #[error(
        "a tolerance is given for `{field}`, which is no field that both sides have{}",
        there_are(.fields)
    )]
    UnknownTolerance {
        /// The field.
        field: String,
        /// Fields for which there may be one.
        fields: Vec<String>,
    },
    /// A tolerance for a field that is compared exactly, always.
    #[error(
        "a tolerance is given for `{field}`, which is {kind}: only floats may have one, everything \
         else is compared exactly"
    )]
    ExactKind {
        /// The field.
        field: String,
        /// Its kind.
        kind: Kind,
    },
    /// A tolerance that is no number to measure by.
    #[error("the tolerance of `{field}` is {text:?}; it must be a number, zero or more, like 1e-9")]
    Tolerance {
        /// The field.
        field: String,
        /// What was given.
        text: String,
    },
    /// Groups by a field that is not compared.
    #[error(
        "cannot group by `{field}`, which is no field that both sides have{}",
        there_are(.fields)
    )]
    UnknownGroup {
        /// The field.
        field: String,
        /// Fields by which one can.
        fields: Vec<String>,
    },
    /// Keys that do not come in byte order.
    #[error("key {key:?} stands behind {before:?}, out of byte order")]
    Order {
        /// The key before.
        before: String,
        /// The key that should lie behind it.
        key: String,
    },
    /// Columns that are not those of the declared fields.
    #[error("the columns of {place} are not those of its fields")]
    Columns {
        /// Where.
        place: String,
    },
    /// A sum that is too large.
    #[error("a sum of `{field}` is beyond 128 bits, and a wrong sum is worse than none")]
    Sum {
        /// The field.
        field: String,
    },
    /// The sink stopped.
    #[error("a difference could not be written down: {0}")]
    Sink(#[source] SinkError),
}

/// What there is in place of something that there is not.
pub(crate) fn there_are(fields: &[String]) -> String {
    match fields {
        [] => String::new(),
        fields => format!("; there are `{}`", fields.join("`, `")),
    }
}
