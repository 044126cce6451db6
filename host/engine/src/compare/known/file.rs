//! A file of known results as texts, whatever its format: a column for each name, a row for each
//! record, and where each row stands, so that a message can say where.

use crate::compare::CompareError;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use retally_core::decode::convert::from_text;
use retally_core::digest::Hash;
use retally_core::schema::{Column, Field, Kind, Value, Values, display};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file of known results.
#[derive(Debug)]
pub(super) struct Texts {
    path: PathBuf,
    /// The last part of its path.
    pub(super) name: String,
    pub(super) sha256: Hash,
    pub(super) bytes: u64,
    /// What a place is: `line` or `row`.
    unit: &'static str,
    /// Where each row stands.
    pub(super) places: Vec<u64>,
    /// Names of the columns, in the order in which they first occur.
    pub(super) names: Vec<String>,
    /// One column of texts for each; missing where a row has no value.
    pub(super) columns: Vec<Column>,
}

/// Bytes of one column that its ends can count.
const COLUMN_MAX_BYTES: usize = u32::MAX as usize;

impl Texts {
    /// Reads a file; its extension tells the format. `is_json`: whether a field is of kind JSON, of
    /// which the text counts as it stands.
    pub(super) fn read(path: &Path, is_json: &dyn Fn(&str) -> bool) -> Result<Self, CompareError> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let bytes = std::fs::read(path).map_err(|error| CompareError::Known {
            path: path.to_owned(),
            what: format!("cannot be read: {error}"),
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut texts = Self {
            path: path.to_owned(),
            name,
            sha256: Hash::of(&bytes),
            bytes: bytes.len() as u64,
            unit: "line",
            places: Vec::new(),
            names: Vec::new(),
            columns: Vec::new(),
        };
        match extension.as_deref() {
            Some("csv") => texts.csv(&bytes)?,
            Some("jsonl" | "ndjson" | "json") => texts.json(&bytes, is_json)?,
            Some("parquet") => texts.parquet(bytes.into())?,
            _ => {
                let what = "is of no known format: name it .csv, .jsonl (JSON lines) or .parquet";
                return Err(texts.wrong(what));
            }
        }
        Ok(texts)
    }

    /// An error about the file.
    pub(super) fn wrong(&self, what: impl Into<String>) -> CompareError {
        CompareError::Known { path: self.path.clone(), what: what.into() }
    }

    /// An error about a row, counted from 0.
    pub(super) fn wrong_at(&self, row: usize, what: impl std::fmt::Display) -> CompareError {
        self.wrong(format!("{} {}: {what}", self.unit, self.places[row]))
    }

    /// How a row is called.
    pub(super) fn place(&self, row: usize) -> String {
        format!("{} {}", self.unit, self.places[row])
    }

    /// The number of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// The text in a row.
    pub(super) fn text(&self, row: usize, column: usize) -> Option<&str> {
        match self.columns[column].get(row) {
            Some(Value::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// A column's values in some order of rows, as a field of the run.
    pub(super) fn typed(
        &self,
        column: usize,
        field: &Field,
        order: &[usize],
    ) -> Result<Column, CompareError> {
        let mut typed = Column::new(field.kind);
        for &row in order {
            let text = self.text(row, column);
            // CSV cannot tell an empty text from none: where there must be one, it is empty.
            let empty = (field.kind == Kind::Text && field.required).then_some("");
            match text.or(empty) {
                None => typed.push(None).map_err(|error| self.wrong_at(row, error))?,
                Some(text) => from_text(field.kind, text, &mut typed.values).map_err(|code| {
                    let text: String = text.chars().take(60).collect();
                    let what = format!("`{}` is {text:?}, which is no {}", field.name, field.kind);
                    self.wrong_at(row, format!("{what} ({})", code.as_str()))
                })?,
            }
        }
        Ok(typed)
    }

    /// Begins a row; every column must get a value or none.
    fn begin(&mut self, place: u64) {
        self.places.push(place);
    }

    /// The number of a column, made if it is new: rows before have no value in it.
    fn named(&mut self, name: &str) -> usize {
        self.column(name).unwrap_or_else(|| {
            let rows = self.places.len().saturating_sub(1);
            let mut column = Column::new(Kind::Text);
            for row in 0..rows {
                column.missing.push(row as u32);
                column.values.push_zero();
            }
            self.names.push(name.to_owned());
            self.columns.push(column);
            self.names.len() - 1
        })
    }

    /// Sets the value of the row at hand.
    fn set(&mut self, column: usize, text: &str) -> Result<(), CompareError> {
        let row = self.places.len() - 1;
        if self.columns[column].len() != row {
            return Err(self.wrong_at(row, format!("`{}` stands twice", self.names[column])));
        }
        if let Values::Text(spans) = &mut self.columns[column].values {
            if spans.bytes.len() + text.len() > COLUMN_MAX_BYTES || row >= u32::MAX as usize {
                return Err(self.wrong("is too large: a column may have 4 GiB"));
            }
            spans.push(text.as_bytes());
        }
        Ok(())
    }

    /// Ends a row: columns without a value have none.
    fn end(&mut self) {
        let rows = self.places.len();
        for column in self.columns.iter_mut().filter(|column| column.len() < rows) {
            column.missing.push(rows as u32 - 1);
            column.values.push_zero();
        }
    }

    fn csv(&mut self, bytes: &[u8]) -> Result<(), CompareError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
        let bad = |error: csv::Error| format!("is no CSV: {error}");
        let header = reader.headers().map_err(|error| self.wrong(bad(error)))?.clone();
        for name in &header {
            if self.column(name).is_some() {
                return Err(self.wrong(format!("has two columns called `{name}`")));
            }
            self.named(name);
        }
        let (mut line, mut counted) = (1, 0);
        for record in reader.records() {
            let record = record.map_err(|error| self.wrong(bad(error)))?;
            // The reader's own count is off by one where lines end in two characters.
            let at = record.position().map_or(counted, |position| position.byte() as usize);
            let ends = bytes[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            line += memchr::memchr_iter(b'\n', &bytes[counted..at + ends]).count() as u64;
            counted = at + ends;
            self.begin(line);
            for (column, cell) in record.iter().enumerate() {
                if !cell.is_empty() {
                    self.set(column, cell)?;
                }
            }
            self.end();
        }
        Ok(())
    }

    fn json(&mut self, bytes: &[u8], is_json: &dyn Fn(&str) -> bool) -> Result<(), CompareError> {
        for (line, place) in bytes.split(|&byte| byte == b'\n').zip(1..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            self.begin(place);
            let row = self.places.len() - 1;
            let object: BTreeMap<String, &RawValue> = serde_json::from_slice(line)
                .map_err(|error| self.wrong_at(row, format!("no JSON object: {error}")))?;
            for (name, value) in object {
                let column = self.named(&name);
                let raw = value.get();
                match raw.as_bytes().first() {
                    Some(b'n') => {}
                    Some(b'"') if !is_json(&name) => {
                        let text: String = serde_json::from_str(raw)
                            .map_err(|error| self.wrong_at(row, format!("`{name}`: {error}")))?;
                        self.set(column, &text)?;
                    }
                    _ => self.set(column, raw)?,
                }
            }
            self.end();
        }
        Ok(())
    }

    fn parquet(&mut self, bytes: bytes::Bytes) -> Result<(), CompareError> {
        self.unit = "row";
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let bad = |error: &dyn std::fmt::Display| format!("is no Parquet file: {error}");
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(|error| self.wrong(bad(&error)))?;
        for batch in reader {
            let batch: RecordBatch = batch.map_err(|error| self.wrong(bad(&error)))?;
            let schema = batch.schema();
            for row in 0..batch.num_rows() {
                self.begin(self.places.len() as u64);
                for (field, array) in schema.fields().iter().zip(batch.columns()) {
                    let column = self.named(field.name());
                    if array.is_null(row) {
                        continue;
                    }
                    let text = cell(array, row).ok_or_else(|| {
                        let (name, of) = (field.name(), array.data_type());
                        self.wrong(format!("has a column `{name}` of type {of}, which is not read"))
                    })?;
                    self.set(column, &text)?;
                }
                self.end();
            }
        }
        Ok(())
    }
}

/// The text of a cell; none of a type that no field of a run has.
fn cell(array: &dyn Array, row: usize) -> Option<String> {
    macro_rules! number {
        ($type:ty) => {
            array.as_primitive::<$type>().value(row).to_string()
        };
    }
    let time = |micros: i64| display(Value::Timestamp(micros), Kind::Timestamp);
    Some(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            display(Value::Float(value.into()), Kind::Float)
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            display(Value::Float(value), Kind::Float)
        }
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => array.as_string_view().value(row).to_owned(),
        DataType::Binary => display(Value::Bytes(array.as_binary::<i32>().value(row)), Kind::Bytes),
        DataType::Date32 => {
            display(Value::Date(array.as_primitive::<Date32Type>().value(row)), Kind::Date)
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            time(array.as_primitive::<TimestampSecondType>().value(row).checked_mul(1_000_000)?)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            time(array.as_primitive::<TimestampMillisecondType>().value(row).checked_mul(1000)?)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            time(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        _ => return None,
    })
}
