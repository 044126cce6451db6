//! The differing keys that are shown one by one: bounded, each with its values on both sides and
//! the first event that made them part.

use super::{NamedOutcome, Presence};
use retally_core::schema::{Column, EmitKind, Field, Kind, display};
use serde::{Deserialize, Serialize};

/// The differing keys that are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worst {
    /// All that differ.
    pub of: u64,
    /// Those that are shown, in byte order: the first of every ranking.
    pub keys: Vec<KeyDifference>,
    /// The orders in which they can be read.
    pub rankings: Vec<Ranking>,
}

/// An order of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranking {
    /// By the size of the difference in this field of the view: of a key's rows the largest counts.
    /// None: the keys as they come, in byte order, for keys that differ in no number.
    pub field: Option<String>,
    /// Numbers of the keys in [`Worst::keys`], the largest difference first, then in byte order.
    pub keys: Vec<u32>,
}

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDifference {
    /// The key.
    pub key: String,
    /// On which side it has view rows.
    pub presence: Presence,
    /// Its rows that differ; bounded.
    pub rows: Vec<RowDifference>,
    /// Rows that differ beyond the bound.
    pub more_rows: u64,
    /// The first event that made the sides part.
    pub first: FirstDivergence,
}

/// A view row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowDifference {
    /// Values of the row key, in its order; empty if rows are told apart by position.
    pub row_key: Vec<String>,
    /// Number of the row among those of its key, on the side that has it (A's if both).
    pub position: u32,
    /// On which side it stands.
    pub presence: Presence,
    /// The fields that differ; of a row of one side alone all shared fields that have a value.
    pub values: Vec<ValueDifference>,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueDifference {
    /// The field.
    pub field: String,
    /// The value in A; none: missing.
    pub a: Option<String>,
    /// The value in B; none: missing.
    pub b: Option<String>,
    /// B minus A, where that means something and both are there.
    pub difference: Option<String>,
}

/// The first event that made the sides part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstDivergence {
    /// This one.
    Event(Box<FirstEvent>),
    /// The files do not hold it: explaining the key finds it.
    NotInFiles,
    /// Nobody looked: known results have no events.
    NoEvents,
}

impl FirstDivergence {
    /// The event, if it is known.
    pub fn event(&self) -> Option<&FirstEvent> {
        match self {
            Self::Event(event) => Some(event),
            Self::NotInFiles | Self::NoEvents => None,
        }
    }
}

/// An event whose outcome, or view after it, differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstEvent {
    /// Its partition.
    pub partition: String,
    /// Its offset.
    pub offset: u64,
    /// Whether it lies before the range that was compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub before_range: bool,
    /// Its time, as RFC 3339; none where it was not decoded, or the files do not tell.
    pub time: Option<String>,
    /// Its id; none likewise.
    pub event_id: Option<String>,
    /// The input that took it; none likewise.
    pub input: Option<String>,
    /// What became of it in A; none: A has no record of it.
    pub outcome_a: Option<NamedOutcome>,
    /// What became of it in B; none likewise.
    pub outcome_b: Option<NamedOutcome>,
    /// What A emitted.
    pub emits_a: Vec<ShownRecord>,
    /// What B emitted.
    pub emits_b: Vec<ShownRecord>,
    /// A's view of the key after it; none: not known (two finished runs do not keep it).
    pub view_a: Option<Vec<ShownRow>>,
    /// B's view of the key after it; none likewise.
    pub view_b: Option<Vec<ShownRow>>,
}

/// An emitted record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownRecord {
    /// Its kind.
    pub kind: String,
    /// Its fields, in declared order.
    pub values: Vec<ShownValue>,
}

/// A view row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownRow {
    /// Its fields, in declared order.
    pub values: Vec<ShownValue>,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownValue {
    /// The field.
    pub field: String,
    /// Its text; none: missing.
    pub value: Option<String>,
}

impl ShownValue {
    /// The value of a field in a row.
    pub fn of(field: &str, kind: Kind, column: &Column, row: usize) -> Self {
        let value = column.get(row).map(|value| display(value, kind));
        Self { field: field.to_owned(), value }
    }
}

impl ShownRow {
    /// A row of the columns of these fields.
    pub fn of(fields: &[Field], columns: &[Column], row: usize) -> Self {
        let fields = fields.iter().zip(columns);
        let value =
            |(field, column): (&Field, _)| ShownValue::of(&field.name, field.kind, column, row);
        Self { values: fields.map(value).collect() }
    }
}

impl ShownRecord {
    /// A row of the columns of this kind.
    pub fn of(kind: &EmitKind, columns: &[Column], row: usize) -> Self {
        let values = ShownRow::of(&kind.fields, columns, row).values;
        Self { kind: kind.name.clone(), values }
    }
}
