//! Rows on their way into a table, columns under their names in any order; and a table's file while
//! it is written, a batch at a time.

use super::TableError;
use super::checked::{CheckedPages, with_checksums};
use super::columns::{Digits, byte_array, timestamps, to_arrow};
use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, Decimal128Type, Utf8Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Int32Array, Int64Array,
    RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow_buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use retally_core::digest::History;
use retally_core::schema::{Column, Kind, Spans};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that are not written yet.
#[derive(Default)]
pub(crate) struct NewRows {
    columns: Vec<(String, ArrayRef)>,
    /// The first column that has no array.
    error: Option<TableError>,
}

impl NewRows {
    fn with(self, name: &str, array: impl Array + 'static) -> Self {
        self.tried(name, Ok(Arc::new(array)))
    }

    fn tried(mut self, name: &str, array: Result<ArrayRef, TableError>) -> Self {
        match array {
            Ok(array) => self.columns.push((name.to_owned(), array)),
            Err(error) => _ = self.error.get_or_insert(error),
        }
        self
    }

    /// Texts.
    pub(crate) fn texts<T: AsRef<str>>(self, name: &str, rows: impl Iterator<Item = T>) -> Self {
        self.with(name, StringArray::from_iter_values(rows))
    }

    /// Texts, some of which are missing.
    pub(crate) fn some_texts<T: AsRef<str>>(
        self,
        name: &str,
        rows: impl Iterator<Item = Option<T>>,
    ) -> Self {
        self.with(name, rows.collect::<StringArray>())
    }

    /// Texts that lie in one buffer, which is taken over.
    pub(crate) fn text(self, name: &str, rows: Spans) -> Self {
        self.tried(name, byte_array::<Utf8Type>(rows, None, name))
    }

    /// Byte strings that lie in one buffer, which is taken over.
    pub(crate) fn bytes(self, name: &str, rows: Spans) -> Self {
        self.tried(name, byte_array::<BinaryType>(rows, None, name))
    }

    /// Byte strings of one length, one behind the other.
    pub(crate) fn fixed(self, name: &str, bytes: i32, rows: Vec<u8>) -> Self {
        self.with(name, FixedSizeBinaryArray::new(bytes, Buffer::from_vec(rows), None))
    }

    /// Numbers that fit, as signed ones.
    pub(crate) fn numbers(self, name: &str, rows: Vec<u64>) -> Self {
        let count = rows.len();
        self.with(name, Int64Array::new(ScalarBuffer::new(Buffer::from_vec(rows), 0, count), None))
    }

    /// Small numbers that fit, as signed ones.
    pub(crate) fn small(self, name: &str, rows: Vec<u32>) -> Self {
        self.with(name, signed(rows))
    }

    /// Numbers as they are.
    pub(crate) fn unsigned(self, name: &str, rows: Vec<u64>) -> Self {
        self.with(name, UInt64Array::from(rows))
    }

    /// Small numbers as they are.
    pub(crate) fn unsigned32(self, name: &str, rows: Vec<u32>) -> Self {
        self.with(name, UInt32Array::from(rows))
    }

    /// Yes or no.
    pub(crate) fn flags(self, name: &str, rows: Vec<bool>) -> Self {
        self.with(name, BooleanArray::from(rows))
    }

    /// Times.
    pub(crate) fn times(self, name: &str, rows: Vec<i64>) -> Self {
        self.with(name, timestamps(rows, None))
    }

    /// Times, but for the rows that have none.
    pub(crate) fn some_times(self, name: &str, rows: Vec<i64>, has: &[bool]) -> Self {
        self.with(name, timestamps(rows, Some(NullBuffer::from(has))))
    }

    /// Numbers of partitions, as the names behind them.
    pub(crate) fn partitions(self, name: &str, rows: Vec<u32>, names: &ArrayRef) -> Self {
        self.with(name, DictionaryArray::new(signed(rows), names.clone()))
    }

    /// A reducer's own column.
    pub(crate) fn own(self, name: &str, column: Column, kind: Kind, digits: Digits) -> Self {
        self.tried(name, to_arrow(column, kind, digits, name))
    }

    /// Outcome trees, but for the number of events.
    pub(crate) fn trees(trees: &[History]) -> Self {
        let edge = |of: &History| of.edge.iter().flat_map(|hash| hash.0).collect();
        let edges: Vec<Vec<u8>> = trees.iter().map(edge).collect();
        Self::default()
            .texts("partition", trees.iter().map(|of| &of.partition))
            .bytes("edge", edges.iter().map(Vec::as_slice).collect())
            .bytes("open", trees.iter().map(|of| of.open.as_slice()).collect())
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.columns.first().map_or(0, |(_, array)| array.len())
    }

    /// The rows as a batch of a table.
    pub(crate) fn batch(
        mut self,
        schema: &SchemaRef,
        path: &Path,
    ) -> Result<RecordBatch, TableError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let failed = |error: ArrowError| TableError::of("write", path, error.into());
        let mut take = |name: &String| {
            let place = self.columns.iter().position(|(own, _)| own == name);
            let missing = || ArrowError::SchemaError(format!("column {name} was not written"));
            place.map(|place| self.columns.swap_remove(place).1).ok_or_else(missing)
        };
        let columns = schema.fields().iter().map(|field| take(field.name()));
        let columns = columns.collect::<Result<_, _>>().map_err(failed)?;
        RecordBatch::try_new(schema.clone(), columns).map_err(failed)
    }
}

fn signed(rows: Vec<u32>) -> Int32Array {
    let count = rows.len();
    Int32Array::new(ScalarBuffer::new(Buffer::from_vec(rows), 0, count), None)
}

/// What files say of who wrote them: no version, so that a new one does not change their bytes.
pub(crate) const CREATED_BY: &str = "retally";

/// Files that say of themselves what Parquet says, and nothing of Arrow.
pub(crate) fn plain(properties: WriterProperties) -> ArrowWriterOptions {
    ArrowWriterOptions::new()
        .with_skip_arrow_metadata(true)
        .with_schema_root(CREATED_BY.to_owned())
        .with_properties(properties)
}

/// A table's file while it is written.
pub(crate) struct TableWriter<W: Write + Send> {
    path: PathBuf,
    schema: SchemaRef,
    writer: SerializedFileWriter<W>,
    encoders: ArrowRowGroupWriterFactory,
    /// The open row group: its columns, and how many rows they have.
    open: Vec<ArrowColumnWriter>,
    open_rows: usize,
    group_rows_max: usize,
    /// Of each column the pages so far, if somebody wants to know.
    pages: Option<Vec<Vec<Page>>>,
    /// Rows so far.
    pub(crate) rows: u64,
}

/// A page of a column that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// Its first row in the file.
    pub(crate) first_row: u64,
    /// The first byte of the file behind it.
    pub(crate) end: u64,
}

impl<W: Write + Send> TableWriter<W> {
    /// Begins a file that messages call `path`.
    pub(crate) fn new(
        out: W,
        path: &Path,
        columns: Vec<Field>,
        options: ArrowWriterOptions,
    ) -> Result<Self, TableError> {
        let schema = Arc::new(Schema::new(columns));
        let options = options.with_page_store_factory(Arc::new(CheckedPages));
        let begun = ArrowWriter::try_new_with_options(out, schema.clone(), options)
            .and_then(ArrowWriter::into_serialized_writer);
        let (writer, encoders) = begun.map_err(|error| TableError::of("write", path, error))?;
        let group_rows_max = writer.properties().max_row_group_row_count().unwrap_or(usize::MAX);
        let (path, open) = (path.to_path_buf(), Vec::new());
        let (open_rows, pages, rows) = (0, None, 0);
        Ok(Self { path, schema, writer, encoders, open, open_rows, group_rows_max, pages, rows })
    }

    /// Notes where pages lie.
    pub(crate) fn noting_pages(mut self) -> Self {
        self.pages = Some(vec![Vec::new(); self.schema.fields().len()]);
        self
    }

    /// Appends rows.
    pub(crate) fn write(&mut self, rows: NewRows) -> Result<(), TableError> {
        if rows.len() == 0 {
            return Ok(());
        }
        let batch = self.batch(rows)?;
        self.append(&batch)
    }

    /// Rows as they are appended.
    pub(crate) fn batch(&self, rows: NewRows) -> Result<RecordBatch, TableError> {
        rows.batch(&self.schema, &self.path)
    }

    /// A batch with the columns of this table, but for the digits of its decimals, as its own.
    pub(crate) fn fitted(&self, batch: RecordBatch) -> Result<RecordBatch, TableError> {
        let column = |(column, field): (&ArrayRef, &Arc<Field>)| -> ArrayRef {
            match column.as_primitive_opt::<Decimal128Type>() {
                Some(own) => Arc::new(own.clone().with_data_type(field.data_type().clone())),
                None => column.clone(),
            }
        };
        let columns = batch.columns().iter().zip(self.schema.fields()).map(column).collect();
        let fitted = RecordBatch::try_new(self.schema.clone(), columns);
        fitted.map_err(|error| self.failed(error.into()))
    }

    /// Appends a batch of its rows. Pages end where this is told of rows, so the same rows in other
    /// batches may make other bytes.
    pub(crate) fn append(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        self.rows += batch.num_rows() as u64;
        let mut left = batch.clone();
        while left.num_rows() > 0 {
            let now = left.num_rows().min(self.group_rows_max - self.open_rows);
            self.fill(&left.slice(0, now)).map_err(|error| self.failed(error))?;
            left = left.slice(now, left.num_rows() - now);
            if self.open_rows == self.group_rows_max {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Appends rows to the open row group, which has room for them.
    fn fill(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        if self.open.is_empty() {
            let number = self.writer.flushed_row_groups().len();
            self.open = self.encoders.create_column_writers(number)?;
        }
        self.open_rows += rows.num_rows();
        let mut encoders = self.open.iter_mut();
        for (field, column) in self.schema.fields().iter().zip(rows.columns()) {
            for (leaf, encoder) in compute_leaves(field, column)?.iter().zip(&mut encoders) {
                encoder.write(leaf)?;
            }
        }
        Ok(())
    }

    /// Bytes that the open row group is going to have.
    pub(crate) fn open_bytes(&self) -> usize {
        self.open.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    /// Bytes that the open row group holds in memory.
    pub(crate) fn held(&self) -> usize {
        self.open.iter().map(ArrowColumnWriter::memory_size).sum()
    }

    /// Ends the open row group.
    pub(crate) fn flush(&mut self) -> Result<(), TableError> {
        self.end_group().map_err(|error| self.failed(error))
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        if self.open.is_empty() {
            return Ok(());
        }
        let before = self.writer.flushed_row_groups().iter();
        let first_row = before.map(|group| group.num_rows() as u64).sum::<u64>();
        self.open_rows = 0;
        let mut group = self.writer.next_row_group()?;
        let mut found = Vec::new();
        for encoder in self.open.drain(..) {
            let mut column = encoder.close()?;
            with_checksums(column.close_mut())?;
            let index = column.close().offset_index.as_ref().filter(|_| self.pages.is_some());
            found.push(index.map_or_else(Vec::new, |index| index.page_locations.clone()));
            column.append_to_row_group(&mut group)?;
        }
        let closed = group.close()?;
        for ((pages, found), column) in
            self.pages.iter_mut().flatten().zip(found).zip(closed.columns())
        {
            let first = found.first().map_or(0, |page| page.offset);
            let at = |offset: i64| (offset - first + column.data_page_offset()) as u64;
            pages.extend(found.iter().map(|page| Page {
                first_row: first_row + page.first_row_index as u64,
                end: at(page.offset) + page.compressed_page_size as u64,
            }));
        }
        Ok(())
    }

    /// Ends the file and gives back what it was written to.
    pub(crate) fn finish(self) -> Result<W, TableError> {
        self.finish_noted().map(|(out, _)| out)
    }

    /// The same, with the pages of each column if they were to be noted.
    pub(crate) fn finish_noted(mut self) -> Result<(W, Vec<Vec<Page>>), TableError> {
        self.flush()?;
        let (path, pages) = (self.path, self.pages.unwrap_or_default());
        let out = self.writer.into_inner();
        Ok((out.map_err(|error| TableError::of("write", &path, error))?, pages))
    }

    /// An error that names the file.
    pub(crate) fn failed(&self, error: ParquetError) -> TableError {
        TableError::of("write", &self.path, error)
    }
}
