//! Records of a file as Arrow rows, a slab at a time.

use super::columns::{Column, push_record};
use super::cursor::Cursor;
use super::error::AvroError;
use super::plan::Plan;
use super::schema::Schema;
use crate::limits::{SLAB_BYTES, SLAB_EVENTS};
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Schema as Columns, SchemaRef};
use std::sync::Arc;

/// Rows that are gathered.
pub(crate) struct Records {
    schema: Arc<Schema>,
    plan: Plan,
    names: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    /// About as many bytes are in them.
    bytes: usize,
}

impl Records {
    /// Rows with the fields of these names, as far as the file has them; none: with all.
    pub(crate) fn new(schema: &Arc<Schema>, names: Option<&[String]>) -> Result<Self, AvroError> {
        let plan = Plan::new(schema, names)?;
        let columns = plan.columns.iter().map(|field| Column::new(field.data_type())).collect();
        let names = Arc::new(Columns::new(plan.columns.clone()));
        Ok(Self { schema: schema.clone(), plan, names, columns, rows: 0, bytes: 0 })
    }

    /// Appends the record at the front of `bytes` and says how many of them it takes, or what is
    /// wrong with it; then there must be no more.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let mut cursor = Cursor::new(bytes);
        push_record(&self.plan.parts, &mut self.columns, &mut cursor, &self.schema)
            .map_err(|fault| fault.describe())?;
        let taken = bytes.len() - cursor.left();
        self.rows += 1;
        self.bytes += taken + cursor.grown();
        Ok(taken)
    }

    /// Passes over a record, likewise.
    pub(crate) fn skip(&self, bytes: &[u8]) -> Result<usize, String> {
        let mut cursor = Cursor::new(bytes);
        for (name, id) in &self.schema.event().fields {
            let skipped = self.schema.skip(*id, &mut cursor, 0);
            skipped.map_err(|fault| fault.within(name).describe())?;
        }
        Ok(bytes.len() - cursor.left())
    }

    /// Whether they are as many as a slab takes.
    pub(crate) fn are_full(&self) -> bool {
        self.rows >= SLAB_EVENTS || self.bytes >= SLAB_BYTES
    }

    /// Whether there are none.
    pub(crate) fn are_none(&self) -> bool {
        self.rows == 0
    }

    /// The rows so far.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter_mut().map(Column::finish).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new_with_options(self.names.clone(), columns, &options)
    }
}
