//! A table's file while it is written, a batch at a time.

use super::{NewRows, TableError};
use arrow_schema::{Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What files say of who wrote them: no version, so that a new one does not change their bytes.
pub(crate) const CREATED_BY: &str = "retally";

/// Files that say of themselves what Parquet says, and nothing of Arrow.
pub(crate) fn plain(properties: WriterProperties) -> ArrowWriterOptions {
    ArrowWriterOptions::new()
        .with_skip_arrow_metadata(true)
        .with_schema_root(CREATED_BY.to_owned())
        .with_properties(properties)
}

/// See the module.
pub(crate) struct TableWriter<W: Write + Send> {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<W>,
    /// Rows so far.
    pub(crate) rows: u64,
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
        let writer = ArrowWriter::try_new_with_options(out, schema.clone(), options);
        let writer = writer.map_err(|error| TableError::of("write", path, error))?;
        Ok(Self { path: path.to_path_buf(), schema, writer, rows: 0 })
    }

    /// Appends rows.
    pub(crate) fn write(&mut self, rows: NewRows) -> Result<(), TableError> {
        if rows.len() == 0 {
            return Ok(());
        }
        let batch = rows.batch(&self.schema, &self.path)?;
        self.rows += batch.num_rows() as u64;
        self.writer.write(&batch).map_err(|error| self.failed(error))
    }

    /// Bytes that the open row group holds in memory.
    pub(crate) fn held(&self) -> usize {
        self.writer.memory_size()
    }

    /// Ends the open row group.
    pub(crate) fn flush(&mut self) -> Result<(), TableError> {
        self.writer.flush().map_err(|error| self.failed(error))
    }

    /// Ends the file and gives back what it was written to.
    pub(crate) fn finish(self) -> Result<W, TableError> {
        let path = self.path;
        self.writer.into_inner().map_err(|error| TableError::of("write", &path, error))
    }

    fn failed(&self, error: ParquetError) -> TableError {
        TableError::of("write", &self.path, error)
    }
}
