//! How much differs: per field, per emit kind, per code, in total and per group.

use super::{Alignment, NamedOutcome, Place, Presence, Sets};
use retally_core::schema::Kind;
use serde::{Deserialize, Serialize};

/// How the values of a shared field differ, over all rows that both sides have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDifference {
    /// The field.
    pub name: String,
    /// Its kind: of two decimals the one with more digits.
    pub kind: Kind,
    /// Rows in which it was compared. Those that differ, and those that are equal, are the rest.
    pub compared: u64,
    /// Of these: in which it differs, a value on one side alone included.
    pub differ: u64,
    /// Of those that differ: A has none.
    pub missing_a: u64,
    /// Of those that differ: B has none.
    pub missing_b: u64,
    /// What the tolerance let pass; none without a tolerance.
    pub tolerated: Option<Tolerated>,
    /// Differences of numbers, times and dates; none for other kinds, or where none differs.
    pub numeric: Option<Numeric>,
    /// From which value to which; for text and booleans where any differs.
    pub transitions: Option<Transitions>,
}

/// What a tolerance let pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerated {
    /// The tolerance, as it was asked for.
    pub tolerance: String,
    /// Pairs of values that are not the same and within it.
    pub values: u64,
    /// Sum of their differences, B minus A.
    pub sum: String,
    /// The largest difference in size.
    pub largest: String,
}

/// Differences (B minus A) of the pairs that differ and have a value on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numeric {
    /// How many.
    pub values: u64,
    /// In what the differences are given.
    pub unit: Unit,
    /// B is larger.
    pub larger: u64,
    /// B is smaller.
    pub smaller: u64,
    /// Their sum.
    pub sum: String,
    /// Sum divided by `values`, rounded half to even, six digits more than the field has.
    pub mean: String,
    /// The smallest (most negative) difference.
    pub smallest: String,
    /// The largest difference.
    pub largest: String,
    /// Pairs of floats whose difference is no finite number: in the counts, not in the sums.
    #[serde(default)]
    pub not_finite: u64,
    /// How the differences are spread, from the most negative to the most positive; only bins that
    /// hold any.
    pub histogram: Vec<Bin>,
}

/// In what differences are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// The field's own.
    Value,
    /// Seconds, with six digits: of timestamps.
    Seconds,
    /// Days: of dates.
    Days,
}

/// A bin of a histogram: differences between two numbers of the form 1, 2 or 5 times a power of
/// ten. Bins never overlap, and depend on no value but the one that falls into them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// The end nearer to minus infinity.
    pub from: String,
    /// The other end. Of the two, the end that is nearer to zero belongs to the bin.
    pub to: String,
    /// How many differences.
    pub values: u64,
}

/// From which value to which.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transitions {
    /// The most frequent, then by their values.
    pub list: Vec<Transition>,
    /// Changes that are not in the list, which is bounded.
    pub others: u64,
}

/// A change of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// The value in A; none: missing.
    pub from: Option<String>,
    /// The value in B; none: missing.
    pub to: Option<String>,
    /// How often.
    pub values: u64,
}

/// How the emits of one kind differ. A record is known by its event and its number among those of
/// its kind and event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmitDifference {
    /// The kind.
    pub kind: String,
    /// Which version declares it. Of a kind of one version alone the records are counted and
    /// nothing is compared.
    pub declared: Presence,
    /// What of its fields can be compared.
    pub fields_aligned: Alignment,
    /// Records. None where they were not compared.
    pub records: Option<Sets>,
    /// Records of known emits for an event, kind and number that was given before.
    #[serde(default)]
    pub doubled: u64,
    /// Its shared fields, in A's order.
    pub fields: Vec<FieldDifference>,
}

/// Events with one outcome in A and another in B.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeChange {
    /// In A.
    pub a: NamedOutcome,
    /// In B.
    pub b: NamedOutcome,
    /// How many events.
    pub events: u64,
}

/// How often a code stands on each side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeCount {
    /// `malformed`, `conflict`, `rejected`, `trapped`, `quarantined` or `violation`.
    pub what: String,
    /// The code; none for conflicts, traps and quarantined events.
    pub code: Option<String>,
    /// How often in A.
    pub a: u64,
    /// How often in B.
    pub b: u64,
}

/// Total of a decimal or integer field over all rows or records of each side, those of one side
/// alone included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// Where the field stands.
    pub of: Place,
    /// The field.
    pub field: String,
    /// Its kind: of two decimals the one with more digits.
    pub kind: Kind,
    /// A's total; none where equal rows were not read and nothing else tells it.
    pub a: Option<String>,
    /// B's total; none likewise.
    pub b: Option<String>,
    /// B's total minus A's: of all differences, those of rows on one side alone included.
    pub difference: String,
    /// Of the difference: what a tolerance let pass; none without a tolerance.
    pub tolerated: Option<String>,
    /// Whose differences make up the difference: of the view key by key (over all rows of a key),
    /// of emits record by record. What a tolerance let pass is in neither.
    pub moved: Moved,
}

/// Differences above zero and below.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// B is higher.
    pub higher: Moves,
    /// B is lower.
    pub lower: Moves,
}

/// Differences of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moves {
    /// Of how many keys, or records.
    pub count: u64,
    /// Their sum, B minus A.
    pub sum: String,
}

/// Total of a decimal or integer field that one version alone has: there is nothing to compare it
/// with, and it may be what the change is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoneTotal {
    /// Where the field stands.
    pub of: Place,
    /// The field.
    pub field: String,
    /// Its kind.
    pub kind: Kind,
    /// Which version has it.
    pub side: Presence,
    /// How many rows or records have a value of it.
    pub values: u64,
    /// Their sum.
    pub sum: String,
}

/// Totals per value of a field, or per month of event time.
///
/// A record counts in the month of its event. A view has no time: of a key that differs the
/// difference at the end counts in the month of the first event at which it parts, so only the
/// difference of such a total is told. The files of two runs tell only of outcomes and emits when
/// they part, which may be after the view did. What is in no file is in the group without a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// The field; `month`, if the groups are months.
    pub by: String,
    /// Whether they are months of event time (`2026-03`, UTC) and not values of a field.
    #[serde(default)]
    pub is_month: bool,
    /// By value, a missing value first; bounded.
    pub groups: Vec<Group>,
    /// Everything with a value beyond the bound, if there is any.
    pub others: Option<Group>,
}

impl Groups {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().chain(&self.others)
    }
}

/// The rows (or records) in which the field has one value. A row with one value in A and another in
/// B counts in both groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The value; none: missing.
    pub value: Option<String>,
    /// View rows of A that differ from B's or are in A alone.
    pub rows_a: u64,
    /// View rows of B that differ from A's or are in B alone.
    pub rows_b: u64,
    /// As for the whole.
    pub totals: Vec<Total>,
}
