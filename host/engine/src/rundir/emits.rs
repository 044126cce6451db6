//! Writing the emits of one kind: the hottest of all tables.

use super::RunDirError;
use super::columns::{Digits, small, text, timestamps, to_arrow, unsigned};
use super::folder::Folder;
use super::shape::{Shape, Table};
use super::table::TableWriter;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array};
use arrow_buffer::{Buffer, ScalarBuffer};
use retally_core::reduce::EmitRows;
use std::sync::Arc;

/// The files of one emit kind. There is one, unless a decimal needs more digits than the file has:
/// then another begins, with wider columns.
pub(super) struct EmitWriter {
    kind: usize,
    digits: Digits,
    done: u32,
    pub(super) table: TableWriter,
}

impl EmitWriter {
    /// Makes the first file.
    pub(super) fn create(folder: &Folder, shape: &Shape, kind: usize) -> Result<Self, RunDirError> {
        let table = TableWriter::create(folder, shape, Table::Emits(kind))?;
        Ok(Self { kind, digits: Digits::Narrow, done: 0, table })
    }

    /// Appends records. `names`: the partitions' names.
    pub(super) fn write(
        &mut self,
        folder: &Folder,
        shape: &Shape,
        names: &ArrayRef,
        rows: EmitRows,
    ) -> Result<(), RunDirError> {
        let fields = &shape.emits[self.kind].fields;
        let mut own = fields.iter().zip(&rows.columns);
        if !own.all(|(field, column)| self.digits.hold(column, field.kind)) {
            self.widen(folder, shape)?;
        }
        let length = rows.partitions.len();
        let partitions = ScalarBuffer::new(Buffer::from_vec(rows.partitions), 0, length);
        let partitions = Int32Array::new(partitions, None);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(DictionaryArray::new(partitions, names.clone())),
            Arc::new(unsigned(rows.offsets)),
            Arc::new(small(rows.seqs)),
            Arc::new(timestamps(rows.times, None)),
            Arc::new(text(rows.keys, None, "key")?),
            Arc::new(text(rows.ids, None, "event_id")?),
        ];
        for (field, column) in fields.iter().zip(rows.columns) {
            columns.push(to_arrow(column, field.kind, self.digits, &field.name)?);
        }
        self.table.write(folder, columns)
    }

    /// Ends the file and makes it durable.
    pub(super) fn finish(self, folder: &Folder, shape: &Shape) -> Result<(), RunDirError> {
        self.table.finish(folder)?;
        folder.sync_folder(&shape.emit_folder(self.kind))
    }

    fn widen(&mut self, folder: &Folder, shape: &Shape) -> Result<(), RunDirError> {
        self.done += 1;
        self.digits = Digits::Wide;
        let schema = shape.emit_schema(self.kind, self.digits);
        let name = shape.emit_file(self.kind, self.done);
        let wide = TableWriter::part(folder, name, schema, Table::Emits(self.kind))?;
        std::mem::replace(&mut self.table, wide).finish(folder)
    }
}
