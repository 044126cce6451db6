//! A file of known results as texts, whatever its format: a column for each name, a row for each
//! record, and where each row stands, so that a message can say where.

use super::cells;
use super::json::{self, Pairs};
use crate::compare::CompareError;
use crate::table::{guarded, next_rows};
use arrow_array::RecordBatchReader as _;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use retally_compare::model::{KnownFile, Place};
use retally_core::decode::convert::from_text;
use retally_core::digest::Hash;
use retally_core::schema::{Column, Field, Kind, Value, Values, display};
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

/// What a column is read for, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// The text of a key or an id: a text, a whole number, or the list of a composite key.
    Key,
    /// Values of a field.
    Of(Kind),
    /// Nothing: it is passed over, or refused by name.
    Nothing,
}

/// Bytes of one column that its ends can count.
const COLUMN_MAX_BYTES: usize = u32::MAX as usize;

impl Texts {
    /// Reads a file with values of `declared` fields, and with columns in `front` that tell of
    /// which key or event a row is; its extension tells the format.
    pub(super) fn read(
        path: &Path,
        declared: &[Field],
        front: &[&str],
    ) -> Result<Self, CompareError> {
        let want = |name: &str| match (name, field(declared, front, name)) {
            (_, Some(number)) => Want::Of(declared[number].kind),
            ("offset" | "seq", _) if front.contains(&name) => Want::Of(Kind::Integer),
            ("partition" | "key" | "event_id", _) if front.contains(&name) => Want::Key,
            _ => Want::Nothing,
        };
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
            Some("jsonl" | "ndjson" | "json") => texts.json(&bytes, &want)?,
            Some("parquet") => texts.parquet(bytes.into(), &want)?,
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

    /// An error about a column that must be there.
    pub(super) fn lacks(&self, what: &str) -> CompareError {
        match self.names.as_slice() {
            [] => self.wrong("is empty"),
            names => self.wrong(format!("has {what}; its columns are `{}`", names.join("`, `"))),
        }
    }

    /// An error about a row without a key or an id.
    pub(super) fn no_key(&self, row: usize, what: &str) -> CompareError {
        let csv = self.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        let advice = match csv {
            true => " (CSV cannot tell an empty one from none; JSON lines can)",
            false => "",
        };
        self.wrong_at(row, format!("there is no {what}{advice}"))
    }

    /// How a row is called.
    pub(super) fn place(&self, row: usize) -> String {
        format!("{} {}", self.unit, self.places[row])
    }

    /// What a report says of the file.
    pub(super) fn about(&self, of: Place, fields: &[Field]) -> KnownFile {
        let (name, rows) = (self.name.clone(), self.places.len() as u64);
        let fields = fields.iter().map(|field| field.name.clone()).collect();
        KnownFile { name, sha256: self.sha256, of, rows, fields }
    }

    /// The declared fields that the file gives, each with its column, by their numbers. `whose`
    /// they are, for a column that is none of them.
    pub(super) fn given(
        &self,
        declared: &[Field],
        front: &[&str],
        whose: &str,
    ) -> Result<Vec<(usize, usize)>, CompareError> {
        let own = self.names.iter().enumerate().filter(|(_, name)| !front.contains(&name.as_str()));
        let given = |(column, name): (usize, &String)| {
            let number = field(declared, front, name);
            let known = || declared.iter().map(|field| field.name.as_str()).collect::<Vec<_>>();
            let number = number.ok_or_else(|| self.wrong(unknown(name, whose, &known())))?;
            Ok((number, column))
        };
        own.map(given).collect()
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

    /// Makes a column that must not be there yet: rows before have no value in it.
    fn add(&mut self, name: &str) -> Result<usize, CompareError> {
        if self.column(name).is_some() {
            return Err(self.wrong(format!("has two columns called `{name}`")));
        }
        let mut column = Column::new(Kind::Text);
        fill(&mut column, self.places.len().saturating_sub(1));
        self.names.push(name.to_owned());
        self.columns.push(column);
        Ok(self.names.len() - 1)
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
        self.columns.iter_mut().for_each(|column| fill(column, self.places.len()));
    }

    fn csv(&mut self, bytes: &[u8]) -> Result<(), CompareError> {
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
        let bad = |error: csv::Error| bad_csv(bytes, &error);
        let header = reader.headers().map_err(|error| self.wrong(bad(error)))?.clone();
        for name in &header {
            self.add(name)?;
        }
        let (mut line, mut counted) = (1, 0);
        for record in reader.records() {
            let record = record.map_err(|error| self.wrong(bad(error)))?;
            // The reader's own count is off by one where lines end in two characters.
            let at = record.position().map_or(counted, |position| position.byte() as usize);
            let at = behind_ends(bytes, at);
            line += memchr::memchr_iter(b'\n', &bytes[counted..at]).count() as u64;
            counted = at;
            self.places.push(line);
            for (column, cell) in record.iter().enumerate() {
                if !cell.is_empty() {
                    self.set(column, cell)?;
                }
            }
            self.end();
        }
        Ok(())
    }

    fn json(&mut self, bytes: &[u8], want: &dyn Fn(&str) -> Want) -> Result<(), CompareError> {
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        for (line, place) in bytes.split(|&byte| byte == b'\n').zip(1..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            self.places.push(place);
            let row = self.places.len() - 1;
            let Pairs(pairs) = Pairs::of(line).map_err(|why| self.wrong_at(row, why))?;
            for (name, value) in &pairs {
                let column = self.column(name).map_or_else(|| self.add(name), Ok)?;
                let text = json::text(value.get(), want(name));
                if let Some(text) =
                    text.map_err(|why| self.wrong_at(row, format!("`{name}` {why}")))?
                {
                    self.set(column, &text)?;
                }
            }
            self.end();
        }
        Ok(())
    }

    fn parquet(
        &mut self,
        bytes: bytes::Bytes,
        want: &dyn Fn(&str) -> Want,
    ) -> Result<(), CompareError> {
        self.unit = "row";
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let bad = |error| match error {
            ParquetError::External(error) => format!("is no Parquet file: {error}"),
            other => format!("is no Parquet file: {other}"),
        };
        let reader = guarded(|| {
            ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)?.build()
        });
        let mut reader = reader.map_err(|error| self.wrong(bad(error)))?;
        let mut wants = Vec::new();
        for field in reader.schema().fields() {
            self.add(field.name())?;
            wants.push(want(field.name()));
        }
        while let Some(batch) = next_rows(&mut reader).map_err(|error| self.wrong(bad(error)))? {
            for row in 0..batch.num_rows() {
                self.places.push(self.places.len() as u64);
                for (column, array) in batch.columns().iter().enumerate() {
                    let text = cells::text(array, row, wants[column]);
                    let text = text.map_err(|why| {
                        let what = format!("`{}` {why}", self.names[column]);
                        self.wrong_at(self.places.len() - 1, what)
                    })?;
                    if let Some(text) = text {
                        self.set(column, &text)?;
                    }
                }
                self.end();
            }
        }
        Ok(())
    }
}

/// Rows without a value, until there are so many.
fn fill(column: &mut Column, rows: usize) {
    while column.len() < rows {
        column.missing.push(column.len() as u32);
        column.values.push_zero();
    }
}

/// The number of the field that a column is called by.
fn field(declared: &[Field], front: &[&str], name: &str) -> Option<usize> {
    declared.iter().position(|field| field.name == name && !front.contains(&name))
}

/// A column that is no field, and what it may have been.
fn unknown(name: &str, whose: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(name, known), *known)).min();
    let hint = match near {
        Some((distance, known)) if distance <= 2 => format!("; is it `{known}`?"),
        _ => format!("; there are `{}`", known.join("`, `")),
    };
    format!("has a column `{name}`, which is no field of {whose}{hint}")
}

/// The values of a row as texts.
pub(super) fn shown<'a>(
    columns: impl Iterator<Item = (&'a Field, &'a Column)>,
    row: usize,
) -> Vec<Option<String>> {
    columns.map(|(field, column)| Some(display(column.get(row)?, field.kind))).collect()
}

/// What spreadsheets put in front of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Behind the line ends at a place.
fn behind_ends(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// What is wrong with a CSV, and in which line.
fn bad_csv(bytes: &[u8], error: &csv::Error) -> String {
    let line = |position: &Option<csv::Position>| {
        let at = position.as_ref().map_or(0, |position| position.byte() as usize);
        1 + memchr::memchr_iter(b'\n', &bytes[..behind_ends(bytes, at.min(bytes.len()))]).count()
    };
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let (line, cells) = (line(pos), if *len == 1 { "cell" } else { "cells" });
            format!("line {line}: {len} {cells} where the header names {expected_len}")
        }
        csv::ErrorKind::Utf8 { pos, .. } => {
            format!("line {}: that is no UTF-8; save the file as UTF-8", line(pos))
        }
        _ => format!("is no CSV: {error}"),
    }
}
