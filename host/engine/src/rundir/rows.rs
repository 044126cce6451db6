//! What a pass gives, as rows of the tables.

use super::RunDirError;
use super::shape::{Shape, Table};
use crate::table::{Digits, NewRows};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::Schema;
use retally_core::digest::Leaf;
use retally_core::log::{PartitionIndex, Reach};
use retally_core::reduce::{EmitRows, Outcome, Refused, Viewed, Violated};
use retally_core::schema::{Column, Description, Reason, Spans};
use std::path::Path;
use std::sync::Arc;

/// Events of one outcome that follow one another in a partition.
#[derive(Clone, Copy)]
pub(super) struct Alike {
    pub(super) partition: PartitionIndex,
    pub(super) offset: u64,
    pub(super) events: u64,
    pub(super) outcome: Outcome,
}

/// Makes rows of what one reducer gives in a pass: it knows the names behind the numbers.
pub(crate) struct RowMaker {
    pub(super) shape: Shape,
    /// The partitions' names, which are the dictionary of the emits' column.
    names: ArrayRef,
    rejects: Vec<String>,
    violations: Vec<String>,
}

impl RowMaker {
    /// `partitions`: the names, in the order of the pass's numbers.
    pub(crate) fn new(description: &Description, partitions: &[String]) -> Self {
        let codes = |of: &[Reason]| of.iter().map(|reason| reason.code.clone()).collect();
        Self {
            shape: Shape::of(description),
            names: Arc::new(StringArray::from_iter_values(partitions)),
            rejects: codes(&description.rejects),
            violations: codes(&description.violations),
        }
    }

    /// Rows as a batch of their table.
    pub(crate) fn batch(&self, table: Table, rows: NewRows) -> Result<RecordBatch, RunDirError> {
        let schema = Arc::new(Schema::new(self.shape.columns(table, Digits::Wide)));
        Ok(rows.batch(&schema, Path::new(&self.shape.file(table)))?)
    }

    fn name(&self, number: PartitionIndex) -> &str {
        let names = self.names.as_string::<i32>();
        if (number as usize) < names.len() { names.value(number as usize) } else { "" }
    }

    /// Adds the reducer's own columns of a table.
    fn with_own(
        &self,
        table: Table,
        mut rows: NewRows,
        columns: Vec<Column>,
        digits: Digits,
    ) -> NewRows {
        for (field, column) in self.shape.own(table).iter().zip(columns) {
            rows = rows.own(&field.name, column, field.kind, digits);
        }
        rows
    }

    /// View rows of `keys`.
    pub(crate) fn views(&self, keys: &Spans, viewed: Viewed) -> NewRows {
        let owners: Spans = viewed.owners.iter().map(|&owner| keys.get(owner as usize)).collect();
        let rows = NewRows::default().text("key", owners);
        self.with_own(Table::Views, rows, viewed.columns, Digits::Wide)
    }

    /// Records of a kind.
    pub(crate) fn emits(&self, kind: usize, rows: EmitRows, digits: Digits) -> NewRows {
        let before = NewRows::default()
            .partitions("partition", rows.partitions, &self.names)
            .numbers("offset", rows.offsets)
            .small("seq", rows.seqs)
            .times("time", rows.times)
            .text("key", rows.keys)
            .text("event_id", rows.ids);
        self.with_own(Table::Emits(kind), before, rows.columns, digits)
    }

    /// Violations of `keys`.
    pub(crate) fn violations(&self, keys: &Spans, violated: &[Violated]) -> NewRows {
        NewRows::default()
            .text("key", violated.iter().map(|v| keys.get(v.owner as usize)).collect())
            .texts("code", violated.iter().map(|v| &self.violations[usize::from(v.code)]))
            .texts("detail", violated.iter().map(|v| &v.detail))
    }

    /// Outcomes.
    pub(super) fn outcomes(&self, all: &[Alike]) -> NewRows {
        NewRows::default()
            .texts("partition", all.iter().map(|alike| self.name(alike.partition)))
            .numbers("offset", all.iter().map(|alike| alike.offset).collect())
            .numbers("events", all.iter().map(|alike| alike.events).collect())
            .texts("what", all.iter().map(|alike| alike.outcome.word()))
            .some_texts("code", all.iter().map(|alike| alike.outcome.code(&self.rejects)))
    }

    /// Refused events.
    pub(crate) fn refused(&self, all: &[Refused]) -> NewRows {
        let text = |key: &Vec<u8>| String::from_utf8_lossy(key).into_owned();
        NewRows::default()
            .texts("partition", all.iter().map(|refused| self.name(refused.partition)))
            .numbers("offset", all.iter().map(|refused| refused.offset).collect())
            .texts("what", all.iter().map(|refused| refused.what.word()))
            .some_texts("code", all.iter().map(|refused| refused.what.code(&self.rejects)))
            .texts("detail", all.iter().map(|refused| &refused.detail))
            .some_texts("key", all.iter().map(|refused| refused.key.as_ref().map(text)))
            .bytes("bytes", all.iter().map(|refused| refused.bytes.as_slice()).collect())
    }

    /// Where the events of keys lie.
    pub(super) fn places(&self, keys: Spans, places: &[Reach]) -> NewRows {
        NewRows::default()
            .text("key", keys)
            .texts("first_partition", places.iter().map(|place| self.name(place.first.partition)))
            .numbers("first_offset", places.iter().map(|place| place.first.offset).collect())
            .texts("last_partition", places.iter().map(|place| self.name(place.last.partition)))
            .numbers("last_offset", places.iter().map(|place| place.last.offset).collect())
            .numbers("events", places.iter().map(|place| place.events).collect())
    }
}

/// States of keys.
pub(crate) fn state_rows(
    keys: Spans,
    states: Spans,
    applied: Vec<u64>,
    times: Vec<i64>,
) -> NewRows {
    NewRows::default()
        .text("key", keys)
        .bytes("state", states)
        .numbers("applied", applied)
        .times("time", times)
}

/// The leaves of a tree.
pub(super) fn leaf_rows(tree: &str, leaves: &[Leaf]) -> NewRows {
    NewRows::default()
        .texts("tree", leaves.iter().map(|_| tree))
        .numbers("first_row", leaves.iter().map(|leaf| leaf.first_row).collect())
        .numbers("rows", leaves.iter().map(|leaf| leaf.rows).collect())
        .numbers("keys", leaves.iter().map(|leaf| leaf.keys).collect())
        .fixed("hash", 32, leaves.iter().flat_map(|leaf| leaf.hash.0).collect())
}
