//! What keeps two results from being compared at all.

use super::sink::SinkError;
use retally_core::schema::Kind;

/// Why a comparison cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A tolerance for a field that is not compared anywhere, and the fields that may have one.
    #[error(
        "a tolerance is given for `{0}`, which is no field that both sides have{more}",
        more = there_are(.1)
    )]
    UnknownTolerance(String, Vec<String>),
    /// A tolerance for a field of a kind that is compared exactly, always.
    #[error(
        "a tolerance is given for `{0}`, which is {1}: only floats and decimals may have one, \
         everything else is compared exactly"
    )]
    ExactKind(String, Kind),
    /// A field's tolerance that is no number to measure by.
    #[error(
        "the tolerance of `{0}` is {1:?}; it must be a number, zero or more: of floats like 1e-9, \
         of decimals like 0.01"
    )]
    Tolerance(String, String),
    /// Groups by a field that is not compared, and the fields by which one can.
    #[error(
        "cannot group by `{0}`, which is neither `month` nor a field that both sides have{more}",
        more = there_are(.1)
    )]
    UnknownGroup(String, Vec<String>),
    /// Groups by a field of which other values count as equal.
    #[error(
        "cannot group by `{0}`, which has a tolerance: two values that count as equal would stand \
         in two groups; leave out the tolerance of `{0}`, or group by another field"
    )]
    ToleratedGroup(String),
    /// Months of what has no time.
    #[error("known results have no events, so nothing of them is by month: group by a field")]
    NoMonths,
    /// A key that does not come in byte order, and the one before it.
    #[error("key {0:?} stands behind {1:?}, out of byte order")]
    Order(String, String),
    /// Columns that are not those of the declared fields.
    #[error("the columns of the view are not those of its fields")]
    Columns,
    /// A sum of this field that is too large.
    #[error("a sum of `{0}` is beyond 128 bits, and a wrong sum is worse than none")]
    Sum(String),
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
