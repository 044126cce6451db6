//! How the files of a run directory are written: with settings that are fixed, so that the same
//! rows make the same bytes.
//!
//! The settings are measured, one thread, per row (ns, bytes), snappy unless said otherwise:
//!
//! | column | dictionary | plain | delta | plain, not compressed |
//! | --- | --- | --- | --- | --- |
//! | offset | 56, 5.0 | 24, 4.0 | **7, 0.0** | 5, 8.0 |
//! | time | 59, 6.0 | 18, 5.0 | **9, 1.4** | 3, 8.0 |
//! | seq (nearly always 0) | 9, 0.0 | **1, 0.2** | 9, 0.0 | 2, 4.0 |
//! | decimal of 18 digits | 50, 6.9 | 26, 5.9 | **9, 3.5** | 3, 8.0 |
//! | decimal of 19 digits | 116, 7.2 | **46, 6.3** | split: 45, 3.9 | 29, 9.0 |
//! | key of 11 bytes, Zipf | 78, 2.9 | 67, 4.7 | **72, 4.2** | 16, 15.0 |
//! | event id of 16 bytes | 72, 5.4 | 45, 5.0 | **34, 4.9** | 15, 20.0 |
//! | text of three values | 25, 0.3 | 23, 1.6 | **18, 0.9** | 11, 7.0 |
//!
//! zstd(1) makes texts half as large and costs 10 to 30 ns more for each; lz4 is like snappy.
//! Statistics of texts cost 15 to 30 ns a value and help nobody in log order. So: no dictionaries
//! (which also bounds memory), deltas, snappy, statistics of sorted keys only. Long decimals are
//! not split by bytes, because DuckDB could not read them.

use super::RunDirError;
use super::shape::{Shape, Table};
use super::sums::{Hashed, Sums};
use crate::limits::{RUN_CHUNK_BYTES, RUN_CHUNK_ROWS, RUN_GROUP_MIN_BYTES, RUN_HELD_MAX_BYTES};
use crate::store::Folder;
use crate::table::{CREATED_BY, Digits, NARROW_DIGITS, NewRows, TableWriter, plain};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field};
use arrow_select::concat::concat_batches;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::path::Path;

/// Rows of a row group at the most.
const GROUP_ROWS: usize = 262_144;

/// The same in tables that are sorted by key: what a reader of one key reads at the least.
const SORTED_GROUP_ROWS: usize = 65_536;

/// Bytes of a page before compression.
const PAGE_BYTES: usize = 256 << 10;

/// Rows of a page in tables that are sorted by key: with the offset index, which every file has,
/// what a reader of one leaf reads at the least. A leaf has some 256 keys.
const SORTED_PAGE_ROWS: usize = 1024;

/// A file of a run directory while it is written. Pages and row groups end where rows alone say so,
/// not where the pieces end in which they come: batches and threads leave no trace in its bytes.
pub(super) struct RunFile {
    table: TableWriter<Hashed>,
    /// Rows of a chunk that is not whole yet, how many, and the bytes of their texts.
    waiting: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    /// An open row group that has so many bytes is ended.
    group_max_bytes: usize,
}

impl RunFile {
    /// Makes the file of `table`, empty so far. Emits have a file for narrow decimals and, if need
    /// be, another one for wide ones.
    pub(super) fn create(
        folder: &Folder,
        sums: &mut Sums,
        shape: &Shape,
        table: Table,
        digits: Digits,
    ) -> Result<Self, RunDirError> {
        let name = match (table, digits) {
            (Table::Emits(kind), Digits::Wide) => shape.emit_file(kind, 1),
            _ => shape.file(table),
        };
        let columns = shape.columns(table, digits);
        let options = plain(properties(&columns, table));
        let shown = folder.show(&name);
        let out = folder.write(&name)?.only_new();
        let out = sums.of(name, out);
        let writer = TableWriter::new(out, Path::new(&shown), columns, options)?;
        // The tables by key are written behind those of the log: three of them have much.
        let at_once = if is_sorted(table) { 3 } else { 2 + shape.emits.len() };
        let group_max_bytes = (RUN_HELD_MAX_BYTES / at_once).max(RUN_GROUP_MIN_BYTES);
        Ok(Self { table: writer, waiting: Vec::new(), rows: 0, bytes: 0, group_max_bytes })
    }

    /// Appends rows.
    pub(super) fn write(&mut self, rows: NewRows) -> Result<(), RunDirError> {
        if rows.len() == 0 {
            return Ok(());
        }
        let batch = self.table.batch(rows)?;
        self.take(batch)
    }

    /// Appends a batch of the table, whatever the digits of its decimals: they fit.
    pub(super) fn append(&mut self, batch: RecordBatch) -> Result<(), RunDirError> {
        let fitted = self.table.fitted(batch)?;
        self.take(fitted)
    }

    fn take(&mut self, mut batch: RecordBatch) -> Result<(), RunDirError> {
        while batch.num_rows() > 0 {
            let fit = fitting(&batch, RUN_CHUNK_ROWS - self.rows, RUN_CHUNK_BYTES - self.bytes);
            let rest = batch.slice(fit, batch.num_rows() - fit);
            let chunk = batch.slice(0, fit);
            self.rows += fit;
            self.bytes += text_bytes(&chunk, fit);
            self.waiting.push(chunk);
            if self.rows == RUN_CHUNK_ROWS || self.bytes >= RUN_CHUNK_BYTES {
                self.write_chunk()?;
            }
            batch = rest;
        }
        Ok(())
    }

    fn write_chunk(&mut self) -> Result<(), RunDirError> {
        (self.rows, self.bytes) = (0, 0);
        let waiting = std::mem::take(&mut self.waiting);
        match waiting.as_slice() {
            [] => return Ok(()),
            [one] => self.table.append(one)?,
            [first, ..] => {
                let joined = concat_batches(&first.schema(), &waiting);
                self.table.append(&joined.map_err(|error| self.table.failed(error.into()))?)?;
            }
        }
        if self.table.open_bytes() >= self.group_max_bytes {
            self.table.flush()?;
        }
        Ok(())
    }

    /// Ends the open row group.
    pub(super) fn flush(&mut self) -> Result<(), RunDirError> {
        self.write_chunk()?;
        Ok(self.table.flush()?)
    }

    /// Ends the file: from then on it is there, for good.
    pub(super) fn finish(mut self) -> Result<(), RunDirError> {
        self.write_chunk()?;
        self.table.finish()?.finish()
    }
}

/// How many rows at the head of a batch go into a chunk that has room for so many rows and bytes of
/// texts: at least one, and the one with which the bytes are full is the last.
fn fitting(batch: &RecordBatch, rows: usize, bytes: usize) -> usize {
    let most = rows.min(batch.num_rows());
    if text_bytes(batch, most) < bytes {
        return most;
    }
    let (mut least, mut most) = (1, most);
    while least < most {
        let middle = (least + most) / 2;
        match text_bytes(batch, middle) < bytes {
            true => least = middle + 1,
            false => most = middle,
        }
    }
    least
}

/// Bytes of the texts and byte strings in the first rows of a batch.
fn text_bytes(batch: &RecordBatch, rows: usize) -> usize {
    let length = |ends: &[i32]| (ends[rows] - ends[0]) as usize;
    let of = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8 => length(column.as_string::<i32>().value_offsets()),
        DataType::Binary => length(column.as_binary::<i32>().value_offsets()),
        _ => 0,
    };
    batch.columns().iter().map(of).sum()
}

/// The column whose bounds stand in each row group: a reader of one key, or of one tree's leaves,
/// skips the groups in which it cannot be.
pub(super) fn bounded(table: Table) -> Option<&'static str> {
    match table {
        Table::Leaves => Some("tree"),
        _ => is_sorted(table).then_some("key"),
    }
}

/// Whether a table is sorted by key.
fn is_sorted(table: Table) -> bool {
    matches!(table, Table::Views | Table::States | Table::Violations | Table::Where)
}

/// The settings of a table. See the head of this file.
pub(super) fn properties(columns: &[Field], table: Table) -> WriterProperties {
    let sorted = is_sorted(table);
    let group_rows = if sorted { SORTED_GROUP_ROWS } else { GROUP_ROWS };
    let mut builder = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_max_row_group_row_count(Some(group_rows))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_enabled(false)
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::None);
    for field in columns {
        let path = ColumnPath::new(vec![field.name().clone()]);
        let encoding = match field.data_type() {
            DataType::Utf8 | DataType::Binary if sorted && field.name() == "key" => {
                Encoding::DELTA_BYTE_ARRAY
            }
            DataType::Utf8 | DataType::Binary | DataType::Dictionary(..) => {
                Encoding::DELTA_LENGTH_BYTE_ARRAY
            }
            DataType::Int64 | DataType::Timestamp(..) | DataType::Date32 => {
                Encoding::DELTA_BINARY_PACKED
            }
            DataType::Decimal128(digits, _) if *digits <= NARROW_DIGITS => {
                Encoding::DELTA_BINARY_PACKED
            }
            DataType::Float64 => Encoding::BYTE_STREAM_SPLIT,
            _ => Encoding::PLAIN,
        };
        builder = builder.set_column_encoding(path, encoding);
    }
    if let Some(name) = bounded(table) {
        let path = ColumnPath::new(vec![name.to_owned()]);
        builder = builder.set_column_statistics_enabled(path, EnabledStatistics::Chunk);
    }
    if sorted {
        builder = builder.set_data_page_row_count_limit(SORTED_PAGE_ROWS);
    }
    builder.build()
}
