//! Values of records in the form of Confluent's serializers: a zero, the number of a schema, and a
//! record of Avro by that schema.
//!
//! ```text
//! 00 | schema's id: 4 bytes, the most significant first | the record
//! ```
//!
//! A value that is not so is malformed, as a line that is no JSON is. One whose schema cannot be
//! had is not: nobody knows what it says, so the run stops.

use super::registry::{NoSchema, Schemas};
use crate::avro::Mixed;
use crate::log::LogError;
use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use retally_core::decode::{FAULT, Lines, VALUE};
use retally_core::limits::LINE_MAX_BYTES;
use std::sync::Arc;

/// Some records as rows, and what is wrong with those that are none.
pub(super) struct Rows {
    pub(super) rows: RecordBatch,
    /// For each record.
    faults: Vec<Option<String>>,
}

/// Why values cannot be read at all.
pub(super) enum Unread {
    /// The schema of this one cannot be had.
    Schema(usize, NoSchema),
    /// What they hold makes no rows.
    Rows(ArrowError),
}

/// Why a record goes no further.
enum Stop {
    /// Its schema has no place beside those of the records before it.
    Apart,
    /// It is none.
    Fault(String),
    Unread(Unread),
}

/// Reads values as rows: from `first` on as many as go into one table, at least one.
pub(super) fn read(values: &Lines, first: usize, schemas: &Schemas) -> Result<Rows, Unread> {
    match gather(values, first, schemas, false) {
        // With one that is none the table is of no use: now each is tried alone before.
        Err(Stop::Fault(_)) => gather(values, first, schemas, true),
        gathered => gathered,
    }
    .map_err(|stop| match stop {
        Stop::Unread(unread) => unread,
        Stop::Fault(why) => Unread::Rows(ArrowError::AvroError(why)),
        Stop::Apart => Unread::Rows(ArrowError::AvroError("no row at all".to_owned())),
    })
}

fn gather(values: &Lines, first: usize, schemas: &Schemas, is_careful: bool) -> Result<Rows, Stop> {
    let (mut rows, mut faults) = (Mixed::default(), Vec::new());
    for row in first..values.ends.len() {
        if rows.are_full() {
            break;
        }
        match push(&mut rows, values, row, (schemas, is_careful)) {
            Ok(fault) => faults.push(fault),
            // What is in front of it is good.
            Err(Stop::Apart | Stop::Unread(_)) if !faults.is_empty() => break,
            Err(stop) => return Err(stop),
        }
    }
    let rows = rows.finish().map_err(|error| Stop::Unread(Unread::Rows(error)))?;
    Ok(Rows { rows, faults })
}

/// Appends a record, or a row with nothing in it for a value that is none; then what is wrong with
/// it.
fn push(
    rows: &mut Mixed,
    values: &Lines,
    row: usize,
    (schemas, is_careful): (&Schemas, bool),
) -> Result<Option<String>, Stop> {
    let (id, body) = match framed(values, row) {
        Ok(framed) => framed,
        Err(why) => {
            rows.push_none();
            return Ok(Some(why));
        }
    };
    let lacks = |why| Stop::Unread(Unread::Schema(row, why));
    let schema = schemas.get(id).map_err(lacks)?;
    let unread = |error: crate::avro::AvroError| lacks(NoSchema::Unread(id, error.to_string()));
    if is_careful {
        let mut alone = Mixed::default();
        let own = alone.member(&schema).map_err(unread)?.unwrap_or_default();
        if let Err(why) = alone.push(own, body) {
            rows.push_none();
            return Ok(Some(format!("not a record of schema {id}: {why}")));
        }
    }
    let number = rows.member(&schema).map_err(unread)?.ok_or(Stop::Apart)?;
    rows.push(number, body).map_err(Stop::Fault)?;
    Ok(None)
}

/// The id of a value's schema, and its record; or why it has none.
fn framed(values: &Lines, row: usize) -> Result<(u32, &[u8]), String> {
    let value = values.get(row);
    if let Some((_, length)) = values.cut.iter().find(|(own, _)| *own as usize == row) {
        return Err(format!("the value is {length} bytes long, above {LINE_MAX_BYTES}"));
    }
    match value {
        [0, a, b, c, d, body @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), body)),
        [0, ..] => Err(format!("the value has {} bytes, too few for a schema's id", value.len())),
        [] => Err("the value is empty".to_owned()),
        [first, ..] => Err(format!(
            "the value begins with byte {first}, not with 0 and the id of a schema{}",
            if matches!(first, b'{' | b'[') { ": it looks like JSON" } else { "" }
        )),
    }
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.faults.len()
    }

    /// What they have beside themselves, with what is wrong with those that are none. `values` are
    /// all, of which `first` is the first of these.
    pub(super) fn beside(
        &self,
        own: Option<&RecordBatch>,
        (values, first): (&Lines, usize),
    ) -> Result<Option<RecordBatch>, ArrowError> {
        let own = own.map(|own| own.slice(first, self.len()));
        if self.faults.iter().all(Option::is_none) {
            return Ok(own);
        }
        let (mut faults, mut kept) = (StringBuilder::new(), BinaryBuilder::new());
        for (row, fault) in self.faults.iter().enumerate() {
            faults.append_option(fault.as_ref());
            kept.append_option(fault.as_ref().map(|_| values.get(first + row)));
        }
        let mut fields: Vec<_> = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        if let Some(own) = own {
            fields.extend(own.schema_ref().fields().iter().cloned());
            columns.extend(own.columns().iter().cloned());
        }
        fields.push(Arc::new(Field::new(FAULT, DataType::Utf8, true)));
        fields.push(Arc::new(Field::new(VALUE, DataType::Binary, true)));
        columns.push(Arc::new(faults.finish()));
        columns.push(Arc::new(kept.finish()));
        let options = RecordBatchOptions::new().with_row_count(Some(self.len()));
        let schema = Arc::new(Schema::new(fields));
        RecordBatch::try_new_with_options(schema, columns, &options).map(Some)
    }
}

impl Unread {
    /// What it means for the run; `at` says where a record lies.
    pub(super) fn told(self, at: impl Fn(usize) -> String) -> LogError {
        match self {
            Self::Schema(row, why) => why.told(&at(row)),
            Self::Rows(error) => LogError::new(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array as _;
    use arrow_array::cast::AsArray as _;

    /// Schemas 7 and 8, which share a field, and 9, in which it is of another type.
    fn schemas() -> (Schemas, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        for (id, fields) in [
            (7, r#"{"name":"x","type":"long"}"#),
            (8, r#"{"name":"x","type":"long"},{"name":"y","type":"string"}"#),
            (9, r#"{"name":"x","type":"string"}"#),
        ] {
            let json = format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
            std::fs::write(folder.path().join(format!("{id}.avsc")), json).unwrap();
        }
        (Schemas::of_folder(folder.path().to_owned(), Vec::new()), folder)
    }

    fn values(all: &[&[u8]]) -> Lines {
        let mut values = Lines { whole: true, ..Lines::default() };
        for value in all {
            values.bytes.extend_from_slice(value);
            values.ends.push(values.bytes.len() as u32);
        }
        values
    }

    /// The rows of each table, and what is wrong with them.
    fn tables(values: &Lines) -> Vec<(usize, Vec<String>)> {
        let (schemas, _folder) = schemas();
        let (mut first, mut all) = (0, Vec::new());
        while first < values.ends.len() {
            let Ok(rows) = read(values, first, &schemas) else { panic!("unread") };
            assert_eq!(rows.rows.num_rows(), rows.len());
            let beside = rows.beside(None, (values, first)).unwrap();
            let told = beside.map(|beside| {
                let kept = beside.column_by_name(VALUE).unwrap().as_binary::<i32>().clone();
                let faults = beside.column_by_name(FAULT).unwrap().as_string::<i32>().clone();
                let bad = |row: &usize| !faults.is_null(*row);
                let own = (0..rows.len()).filter(bad);
                own.map(|row| {
                    assert_eq!(kept.value(row), values.get(first + row));
                    faults.value(row).to_owned()
                })
                .collect()
            });
            all.push((rows.len(), told.unwrap_or_default()));
            first += rows.len();
        }
        all
    }

    #[test]
    fn several_schemas_go_into_one_table_and_what_is_no_record_is_told() {
        let bad = values(&[
            b"\0\0\0\0\x07\x02",
            b"\0\0\0\0\x08\x02\x02a",
            b"{\"x\":1}",
            b"",
            b"\0\0\0",
            b"\0\0\0\0\x07",
            b"\0\0\0\0\x07\x02\x02",
            b"\0\0\0\0\x09\x02a",
            b"\0\0\0\0\x07\x02",
        ]);
        let found = tables(&bad);
        let rows: Vec<_> = found.iter().map(|(rows, _)| *rows).collect();
        assert_eq!(rows, [7, 1, 1]);
        assert_eq!(
            found[0].1,
            [
                "the value begins with byte 123, not with 0 and the id of a schema: it looks like \
                 JSON",
                "the value is empty",
                "the value has 3 bytes, too few for a schema's id",
                "not a record of schema 7: field `/x` ends in the middle of a number",
                "not a record of schema 7: 1 bytes are behind it",
            ]
        );
    }

    #[test]
    fn a_record_whose_schema_is_not_there_stops_the_run() {
        let (schemas, _folder) = schemas();
        let lacks = values(&[b"\0\0\0\0\x07\x02", b"\0\0\0\0\x0a\x02"]);
        let Ok(good) = read(&lacks, 0, &schemas) else { panic!("unread") };
        assert_eq!(good.len(), 1);
        let Err(unread) = read(&lacks, 1, &schemas) else { panic!("read") };
        let error = unread.told(|row| format!("record {row}"));
        assert!(error.is_usage());
        let told = error.to_string();
        assert!(told.starts_with("record 1 names schema 10, which is not there: "), "{told}");
        assert!(told.contains("10.avsc"), "{told}");
    }
}
