//! A file of known results as texts, whatever its format: a column for each name, a row for each
//! record, and where each row stands, so that a message can say where.

use super::json::{self, Pairs};
use super::style::KnownStyle;
use super::{cells, csv_faults};
use crate::bounded::{self, BYTE_ORDER_MARK};
use crate::compare::CompareError;
use crate::limits::KNOWN_MAX_BYTES;
use crate::table::{guarded, next_rows};
use arrow_array::RecordBatchReader as _;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use retally_compare::model::{KnownFile, Place};
use retally_core::digest::Hash;
use retally_core::schema::{Column, Field, Kind, Value, Values, display};
use std::path::{Path, PathBuf};

/// A file of known results.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) path: PathBuf,
    /// The last part of its path.
    pub(super) name: String,
    pub(super) sha256: Hash,
    pub(super) bytes: u64,
    /// What a place is: `line` or `row`.
    unit: &'static str,
    pub(super) style: KnownStyle,
    /// Whether it is a CSV.
    pub(super) is_csv: bool,
    /// Names of the columns that were called otherwise.
    pub(super) renamed: Vec<String>,
    /// Of a folder: its files, each with its first row.
    files: Vec<(usize, String)>,
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
    /// Reads a file, or a folder of Parquet files, with values of `declared` fields, and with
    /// columns in `front` that tell of which key or event a row is; its extension tells the format.
    pub(super) fn read(
        path: &Path,
        declared: &[Field],
        front: &[&str],
        style: &KnownStyle,
    ) -> Result<Self, CompareError> {
        let want = |name: &str| match (name, field(declared, front, name)) {
            (_, Some(number)) => Want::Of(declared[number].kind),
            ("offset" | "seq", _) if front.contains(&name) => Want::Of(Kind::Integer),
            ("partition" | "key" | "event_id", _) if front.contains(&name) => Want::Key,
            _ => Want::Nothing,
        };
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut texts = Self {
            path: path.to_owned(),
            name,
            sha256: Hash([0; 32]),
            bytes: 0,
            unit: "line",
            style: style.clone(),
            is_csv: extension.as_deref() == Some("csv"),
            renamed: Vec::new(),
            files: Vec::new(),
            places: Vec::new(),
            names: Vec::new(),
            columns: Vec::new(),
        };
        if path.is_dir() {
            texts.folder(&want)?;
            return Ok(texts);
        }
        texts.file(extension.as_deref(), &want)?;
        Ok(texts)
    }

    fn file(
        &mut self,
        extension: Option<&str>,
        want: &dyn Fn(&str) -> Want,
    ) -> Result<(), CompareError> {
        // Before it is read: nobody waits for a log that was named by mistake.
        if !matches!(extension, Some("csv" | "jsonl" | "ndjson" | "json" | "parquet")) {
            let what = "is of no known format: name it .csv, .jsonl (JSON lines) or .parquet";
            return Err(self.wrong(what));
        }
        let bytes = self.bytes_of(&self.path.clone())?;
        self.sha256 = Hash::of(&bytes);
        match extension {
            Some("csv") => self.csv(&bytes),
            Some("parquet") => self.parquet(bytes.into(), want),
            _ => self.json(&bytes, want),
        }
    }

    fn bytes_of(&mut self, path: &Path) -> Result<Vec<u8>, CompareError> {
        let bytes = bounded::read(path, KNOWN_MAX_BYTES);
        let bytes = bytes.map_err(|error| self.wrong(format!("cannot be read: {error}")))?;
        self.bytes += bytes.len() as u64;
        // The files of a folder are kept together.
        if self.bytes > KNOWN_MAX_BYTES {
            let what = format!("has more than the {KNOWN_MAX_BYTES} bytes that can be compared");
            return Err(self.wrong(what));
        }
        Ok(bytes)
    }

    /// Reads the Parquet files of a folder in the order of their names. Its hash is that of the
    /// hashes of the files.
    fn folder(&mut self, want: &dyn Fn(&str) -> Want) -> Result<(), CompareError> {
        let path = self.path.clone();
        let unread = |error: std::io::Error| CompareError::Known {
            path: path.clone(),
            what: format!("cannot be read: {error}"),
        };
        let entries = std::fs::read_dir(&path).map_err(&unread)?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(&unread)?.file_name().to_string_lossy().into_owned();
            // Markers and checksums that others leave beside their files.
            if !name.starts_with(['_', '.']) {
                names.push(name);
            }
        }
        names.sort();
        let is_parquet = |name: &String| name.to_ascii_lowercase().ends_with(".parquet");
        if let Some(other) = names.iter().find(|name| !is_parquet(name)) {
            return Err(self.wrong(format!(
                "is a folder with `{other}`; of a folder the Parquet files in it are read, and \
                 nothing else may lie there"
            )));
        }
        if names.is_empty() {
            return Err(self.wrong("is a folder without a Parquet file"));
        }
        let mut hashes = Vec::new();
        for name in names {
            let bytes = self.bytes_of(&path.join(&name))?;
            hashes.extend(Hash::of(&bytes).0);
            self.files.push((self.places.len(), name));
            self.parquet(bytes.into(), want)?;
        }
        self.sha256 = Hash::of(&hashes);
        Ok(())
    }

    /// An error about the file.
    pub(super) fn wrong(&self, what: impl Into<String>) -> CompareError {
        CompareError::Known { path: self.path.clone(), what: what.into() }
    }

    /// An error about a row, counted from 0.
    pub(super) fn wrong_at(&self, row: usize, what: impl std::fmt::Display) -> CompareError {
        self.wrong(format!("{}: {what}", self.place(row)))
    }

    /// An error about a column that must be there.
    pub(super) fn lacks(&self, what: &str) -> CompareError {
        match self.names.as_slice() {
            [] => self.wrong("is empty"),
            names => {
                let (all, more) = (names.join("`, `"), self.divided());
                self.wrong(format!("has {what}; its columns are `{all}`{more}"))
            }
        }
    }

    /// What to write where something else than a comma seems to divide the cells of a CSV.
    fn divided(&self) -> String {
        let [only] = self.names.as_slice() else { return String::new() };
        let mark = [';', '\t', '|'].into_iter().find(|mark| only.contains(*mark) && self.is_csv);
        let mark = mark.map(|mark| match mark {
            '\t' => "tab".to_owned(),
            mark => format!("'{mark}'"),
        });
        mark.map_or(String::new(), |mark| {
            format!("; if that divides its cells, write --known-separator {mark}")
        })
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
        let place = format!("{} {}", self.unit, self.places[row]);
        match self.files.iter().rev().find(|(first, _)| *first <= row) {
            Some((_, file)) => format!("{place} of {file}"),
            None => place,
        }
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

    /// What a column is called here.
    fn named(&mut self, own: &str) -> String {
        let name = self.style.name(own).to_owned();
        if self.style.names.contains_key(own) && !self.renamed.iter().any(|known| known == own) {
            self.renamed.push(own.to_owned());
        }
        name
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

    /// What is wrong with the file of a folder at hand.
    fn other_columns(&self) -> String {
        let [first, .., last] = self.files.as_slice() else {
            return "has other columns".to_owned();
        };
        format!("is a folder in which {} has other columns than {}", last.1, first.1)
    }

    fn csv(&mut self, bytes: &[u8]) -> Result<(), CompareError> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let separator = self.style.separator.unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(bytes);
        let bad = |error: csv::Error| csv_faults::bad_csv(bytes, &error);
        let header = reader.headers().map_err(|error| self.wrong(bad(error)))?.clone();
        for name in &header {
            let name = self.named(name);
            self.add(&name)?;
        }
        let (mut line, mut counted) = (1, 0);
        for record in reader.records() {
            let record = record.map_err(|error| self.wrong(bad(error) + &self.divided()))?;
            // The reader's own count is off by one where lines end in two characters.
            let at = record.position().map_or(counted, |position| position.byte() as usize);
            let at = csv_faults::behind_ends(bytes, at);
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
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        for (line, place) in bytes.split(|&byte| byte == b'\n').zip(1..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            self.places.push(place);
            let row = self.places.len() - 1;
            let Pairs(pairs) = Pairs::of(line).map_err(|why| self.wrong_at(row, why))?;
            for (own, value) in &pairs {
                let name = &self.named(own);
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
        let (mut wants, mut places) = (Vec::new(), Vec::new());
        let (first, mut given) = (self.places.is_empty() && self.files.len() < 2, 0u64);
        for field in reader.schema().fields() {
            let name = self.named(field.name());
            let known = self.column(&name).filter(|_| !first);
            places.push(match known {
                Some(column) => column,
                None if first => self.add(&name)?,
                None => return Err(self.wrong(self.other_columns())),
            });
            wants.push(want(&name));
        }
        if places.len() != self.names.len() {
            return Err(self.wrong(self.other_columns()));
        }
        while let Some(batch) = next_rows(&mut reader).map_err(|error| self.wrong(bad(error)))? {
            for row in 0..batch.num_rows() {
                self.places.push(given);
                given += 1;
                for (number, array) in batch.columns().iter().enumerate() {
                    let column = places[number];
                    let text = cells::text(array, row, wants[number]);
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
