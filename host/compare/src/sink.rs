//! Where every single difference goes, as it is found: a table of differences, a gate that counts
//! what it allows. A comparison holds a bounded part of them; a sink sees them all, in the order of
//! keys, then rows, then fields.

pub use super::exact::Delta;

use super::align::{Fields, Pair};
use super::model::Presence;
use retally_core::schema::{Kind, Value};

/// Takes differences of the view, one by one.
pub trait DifferenceSink {
    /// Before the first: what is compared of the view.
    ///
    /// # Errors
    /// As below.
    fn begin(&mut self, _fields: &Fields) -> Result<(), SinkError> {
        Ok(())
    }

    /// A value that differs.
    ///
    /// # Errors
    /// Whatever keeps the sink from going on; it ends the comparison.
    fn value(&mut self, difference: &Difference<'_>) -> Result<(), SinkError>;

    /// A key ends whose values were given; called for differing keys alone.
    ///
    /// # Errors
    /// As above.
    fn key(&mut self, _key: &[u8], _presence: Presence) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Why a sink cannot go on.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// A sink for whoever wants none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl DifferenceSink for NoSink {
    fn value(&mut self, _: &Difference<'_>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A value of a view row that differs.
#[derive(Debug, Clone, Copy)]
pub struct Difference<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Number of the row among those of its key, on the side that has it (A's if both).
    pub position: u32,
    /// On which side the row stands. Of a row of one side alone every shared field is given.
    pub presence: Presence,
    /// Values of the row key with their kinds, of the side that has the row (A's if both); empty if
    /// rows are told apart by position.
    pub row_key: &'a [(Kind, Value<'a>)],
    /// Number of the field in [`Alignment::shared`](super::model::Alignment::shared).
    pub field: usize,
    /// The field, with its kind on each side.
    pub pair: &'a Pair,
    /// The value in A; none: missing.
    pub a: Option<Value<'a>>,
    /// The value in B; none: missing.
    pub b: Option<Value<'a>>,
    /// B minus A, where that means something; of a row of one side alone the other side counts as
    /// zero.
    pub delta: Option<Delta>,
    /// Whether a tolerance lets it pass: then it is no difference, and given here all the same.
    pub tolerated: bool,
}
