//! One key's history, as plain data: what `--json` prints and what the table shows.

use retally_compare::model::{NamedOutcome, ShownRecord, ShownRow, ShownValue};
use retally_core::digest::Hash;
use retally_core::log::Position;
use serde::{Deserialize, Serialize};

/// Version of the history's format. Raise it when a reader of today would misread a history of
/// tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HistoryFormat(pub u32);

impl HistoryFormat {
    /// What this version writes.
    pub const CURRENT: Self = Self(1);
}

/// A key's history under one reducer, or two side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Version of this format.
    pub format: HistoryFormat,
    /// The key.
    pub key: String,
    /// The reducers: one, or A and B.
    pub reducers: Vec<ReducerOf>,
    /// What a reader must know first.
    pub notes: Vec<String>,
    /// How many events the key has; 0: nothing is known of it.
    pub events: u64,
    /// Of these: how many stand before those that are told.
    pub left_out_before: u64,
    /// And how many behind.
    pub left_out_behind: u64,
    /// The events that are told, in the order of the log.
    pub told: Vec<Told>,
    /// Of two reducers: the first event at which they part, if they do.
    pub first_difference: Option<Position>,
    /// The range that is told; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// Of a range that begins in the middle: the view with which it begins, for each reducer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub view_before: Vec<Option<Vec<ShownRow>>>,
    /// The view at the end, for each reducer; none: it fails.
    pub view: Vec<Option<Vec<ShownRow>>>,
    /// Why the history ends early: an event with which a run cannot go on.
    pub stopped: Option<String>,
    /// What was read for it.
    pub read: ReadFor,
}

/// A reducer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReducerOf {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the artifact.
    pub sha256: Hash,
    /// Fields of its view that tell the rows of a key apart.
    pub row_key: Vec<String>,
}

/// An event of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Its number among the key's events, from 1.
    pub number: u64,
    /// Where it lies.
    pub place: Position,
    /// Its time, as RFC 3339.
    pub time: String,
    /// Its id.
    pub event_id: String,
    /// What it is for each reducer; none: for that one it is no event of this key.
    pub sides: Vec<Option<ToldSide>>,
}

/// What an event is for a reducer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldSide {
    /// The input that took it.
    pub input: String,
    /// The fields that the reducer reads of it, in declared order; none where one is malformed.
    pub fields: Option<Vec<ShownValue>>,
    /// What became of it.
    pub outcome: NamedOutcome,
    /// Free text beside it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What it emitted.
    pub emits: Vec<ShownRecord>,
    /// What changed in the view.
    pub changes: Vec<RowChange>,
    /// The view after it; none: it fails.
    pub view: Option<Vec<ShownRow>>,
}

/// A view row that came, went or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowChange {
    /// Values of the row key; empty if rows are told apart by their position.
    pub row_key: Vec<ShownValue>,
    /// What happened to the row.
    pub what: RowWhat,
    /// The fields that changed; of a row that came or went all others that have a value.
    pub fields: Vec<FieldChange>,
}

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowWhat {
    /// It was not there before.
    Came,
    /// It is not there any more.
    Went,
    /// It is another.
    Changed,
}

/// A field that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// The field.
    pub field: String,
    /// Its value before; none: missing.
    pub from: Option<String>,
    /// Its value after; none: missing.
    pub to: Option<String>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadFor {
    /// Partitions that were read, at least in part.
    pub partitions: u64,
    /// Partitions of the log.
    pub partitions_total: u64,
    /// Events that were passed by.
    pub events: u64,
    /// Stored bytes of the parts that were read.
    pub bytes: u64,
    /// Stored bytes of the log.
    pub bytes_total: u64,
    /// Lines that hold the key's text and are no valid events, so that nobody knows whose they are.
    pub unreadable: u64,
}

/// What changed from one view to the next. `row_key`: the fields that tell rows apart.
pub(super) fn changes(
    row_key: &[String],
    before: &[ShownRow],
    after: &[ShownRow],
) -> Vec<RowChange> {
    let key = |row: &ShownRow| -> Vec<ShownValue> {
        row.values.iter().filter(|value| row_key.contains(&value.field)).cloned().collect()
    };
    let mut rest: Vec<Option<&ShownRow>> = before.iter().map(Some).collect();
    let mut changes = Vec::new();
    for (at, row) in after.iter().enumerate() {
        let own = key(row);
        let same = |(number, old): &(usize, &Option<&ShownRow>)| match row_key {
            [] => *number == at && old.is_some(),
            _ => old.is_some_and(|old| key(old) == own),
        };
        let old = rest.iter().enumerate().find(same).map(|(number, _)| number);
        let old = old.and_then(|number| rest[number].take());
        let what = if old.is_some() { RowWhat::Changed } else { RowWhat::Came };
        changes.extend(change(row_key, own, what, old, Some(row)));
    }
    let went = rest.into_iter().flatten();
    changes
        .extend(went.filter_map(|old| change(row_key, key(old), RowWhat::Went, Some(old), None)));
    changes
}

fn change(
    row_key: &[String],
    own: Vec<ShownValue>,
    what: RowWhat,
    from: Option<&ShownRow>,
    to: Option<&ShownRow>,
) -> Option<RowChange> {
    let any = to.or(from)?;
    let value = |row: Option<&ShownRow>, at: usize| {
        row.and_then(|row| row.values.get(at)).and_then(|value| value.value.clone())
    };
    let mut fields = Vec::new();
    for (at, named) in any.values.iter().enumerate() {
        let (from, to) = (value(from, at), value(to, at));
        if !row_key.contains(&named.field) && from != to {
            fields.push(FieldChange { field: named.field.clone(), from, to });
        }
    }
    let empty = fields.is_empty() && what == RowWhat::Changed;
    (!empty).then_some(RowChange { row_key: own, what, fields })
}
