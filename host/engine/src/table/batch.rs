//! Rows of a table as they are read, their columns by name.

use super::TableError;
use super::columns::{byte_spans, from_arrow, text_spans};
use super::guard::guarded;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int32Type, Int64Type, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{
    ArrayRef, BinaryArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, StringArray,
};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;
use retally_core::digest::{Hash, History};
use retally_core::schema::{Column, Kind, Spans};
use std::path::Path;
use std::sync::Arc;

/// Rows of a table. A file may be of another make, so every column is asked for by its name and
/// type, and what is not there is an error that names the file.
#[derive(Debug, Clone)]
pub struct Batch {
    path: Arc<Path>,
    rows: RecordBatch,
}

impl Batch {
    pub(crate) fn new(path: &Arc<Path>, rows: RecordBatch) -> Self {
        Self { path: path.clone(), rows }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows as Arrow has them.
    pub fn arrow(&self) -> &RecordBatch {
        &self.rows
    }

    /// A column of any type.
    pub fn array(&self, name: &str) -> Result<&ArrayRef, TableError> {
        self.rows.column_by_name(name).ok_or_else(|| self.wrong(name))
    }

    /// A column of texts.
    pub fn texts(&self, name: &str) -> Result<&StringArray, TableError> {
        self.array(name)?.as_string_opt().ok_or_else(|| self.wrong(name))
    }

    /// A column of byte strings.
    pub fn bytes(&self, name: &str) -> Result<&BinaryArray, TableError> {
        self.array(name)?.as_binary_opt().ok_or_else(|| self.wrong(name))
    }

    /// A column of whole numbers.
    pub fn numbers(&self, name: &str) -> Result<&[i64], TableError> {
        Ok(self.primitives::<Int64Type>(name)?.values())
    }

    /// A column of offsets or counts.
    pub(crate) fn counts(&self, name: &str) -> Result<Vec<u64>, TableError> {
        Ok(self.numbers(name)?.iter().map(|&number| number as u64).collect())
    }

    /// A column of small counts.
    pub(crate) fn small(&self, name: &str) -> Result<&[i32], TableError> {
        Ok(self.primitives::<Int32Type>(name)?.values())
    }

    /// A column of numbers without a sign.
    pub(crate) fn unsigned(&self, name: &str) -> Result<&[u64], TableError> {
        Ok(self.primitives::<UInt64Type>(name)?.values())
    }

    /// A column of times.
    pub(crate) fn times(
        &self,
        name: &str,
    ) -> Result<&PrimitiveArray<TimestampMicrosecondType>, TableError> {
        self.primitives(name)
    }

    /// A column of byte strings of one length.
    pub(crate) fn fixed(
        &self,
        name: &str,
        bytes: i32,
    ) -> Result<&FixedSizeBinaryArray, TableError> {
        let column = self.array(name)?.as_fixed_size_binary_opt();
        column.filter(|column| column.value_length() == bytes).ok_or_else(|| self.wrong(name))
    }

    /// A column of numbers of one type.
    pub(crate) fn primitives<T: ArrowPrimitiveType>(
        &self,
        name: &str,
    ) -> Result<&PrimitiveArray<T>, TableError> {
        self.array(name)?.as_primitive_opt().ok_or_else(|| self.wrong(name))
    }

    /// A column of texts in one buffer.
    pub(crate) fn text_spans(&self, name: &str) -> Result<Spans, TableError> {
        Ok(text_spans(self.texts(name)?))
    }

    /// A column of byte strings in one buffer.
    pub(crate) fn byte_spans(&self, name: &str) -> Result<Spans, TableError> {
        Ok(byte_spans(self.bytes(name)?))
    }

    /// Outcome trees; how many events they are of stands in a column whose type is the table's.
    pub(crate) fn trees(&self, events: &[u64]) -> Result<Vec<History>, TableError> {
        let (names, edges, opens) =
            (self.texts("partition")?, self.bytes("edge")?, self.bytes("open")?);
        let tree = |(row, &events): (usize, &u64)| {
            let hash = |bytes: &[u8]| bytes.try_into().ok().map(Hash);
            let edge = edges.value(row).chunks(32).map(hash).collect::<Option<_>>();
            Ok(History {
                partition: names.value(row).to_owned(),
                events,
                edge: edge.ok_or_else(|| self.changed("an edge is no list of hashes"))?,
                open: opens.value(row).to_vec(),
            })
        };
        events.iter().enumerate().map(tree).collect()
    }

    /// A reducer's own column.
    pub fn column(&self, name: &str, kind: Kind) -> Result<Column, TableError> {
        from_arrow(self.array(name)?, kind)
            .ok_or_else(|| self.changed("a column is of another type"))
    }

    fn wrong(&self, name: &str) -> TableError {
        self.changed(&format!("column {name} is wrong"))
    }

    fn changed(&self, what: &str) -> TableError {
        TableError::Changed { path: self.path.to_path_buf(), what: what.to_owned() }
    }
}

/// Opens a file. What it says of Arrow is not believed.
pub(crate) fn open<R: ChunkReader + 'static>(
    file: R,
    options: ArrowReaderOptions,
    path: &Path,
) -> Result<ParquetRecordBatchReaderBuilder<R>, TableError> {
    let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options));
    builder.map_err(|error| TableError::of("read", path, error))
}
