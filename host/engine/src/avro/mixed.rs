//! Records of several schemas as rows of one table: each field has one column, by its name, and a
//! record has nothing in those of fields that its schema does not know.
//!
//! A field that is of one type here and of another there has no column for both: what it is judged
//! as would not be what it is in a file of its own. Then a table ends, and another one begins.

use super::columns::{Column, push_record};
use super::cursor::Cursor;
use super::error::AvroError;
use super::plan::{Parts, Plan};
use super::schema::Schema;
use crate::limits::SLAB_BYTES;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, FieldRef, Schema as Columns};
use std::sync::Arc;

/// Rows that are gathered.
#[derive(Default)]
pub(crate) struct Mixed {
    fields: Vec<FieldRef>,
    columns: Vec<Column>,
    members: Vec<Member>,
    rows: usize,
    /// About as many bytes are in them.
    bytes: usize,
}

struct Member {
    schema: Arc<Schema>,
    parts: Parts,
}

impl Mixed {
    /// The number of a schema among those of these rows; none: it does not fit with the others.
    pub(crate) fn member(&mut self, schema: &Arc<Schema>) -> Result<Option<usize>, AvroError> {
        let known = self.members.iter().position(|own| Arc::ptr_eq(&own.schema, schema));
        if known.is_some() {
            return Ok(known);
        }
        let Plan { columns: own, mut parts } = Plan::new(schema, None)?;
        let place = |name: &str| self.fields.iter().position(|field| field.name() == name);
        let places: Vec<_> = own.iter().map(|field| place(field.name())).collect();
        let fits = |(place, field): (&Option<usize>, &FieldRef)| {
            place.is_none_or(|place| self.fields[place].data_type() == field.data_type())
        };
        if !places.iter().zip(&own).all(fits) {
            return Ok(None);
        }
        let mut numbers = Vec::with_capacity(own.len());
        for (place, field) in places.into_iter().zip(&own) {
            numbers.push(place.unwrap_or_else(|| self.add(field)));
        }
        parts.fields.iter_mut().for_each(|part| part.column = numbers[part.column]);
        parts.absent = (0..self.columns.len()).filter(|own| !numbers.contains(own)).collect();
        self.members.push(Member { schema: schema.clone(), parts });
        Ok(Some(self.members.len() - 1))
    }

    /// A column for a field that no record so far has.
    fn add(&mut self, field: &FieldRef) -> usize {
        let (number, mut column) = (self.columns.len(), Column::new(field.data_type()));
        (0..self.rows).for_each(|_| column.push_null());
        self.members.iter_mut().for_each(|member| member.parts.absent.push(number));
        self.columns.push(column);
        self.fields.push(field.clone());
        number
    }

    /// Appends the record that `bytes` are, by the schema with this number, or says what is wrong
    /// with it; then there must be no more.
    pub(crate) fn push(&mut self, member: usize, bytes: &[u8]) -> Result<(), String> {
        let Member { schema, parts } = &self.members[member];
        let mut cursor = Cursor::new(bytes);
        push_record(parts, &mut self.columns, &mut cursor, schema)
            .map_err(|fault| fault.describe())?;
        match cursor.left() {
            0 => {}
            left => return Err(format!("{left} bytes are behind it")),
        }
        self.rows += 1;
        self.bytes += bytes.len() + cursor.grown();
        Ok(())
    }

    /// Appends a row with nothing in it.
    pub(crate) fn push_none(&mut self) {
        self.columns.iter_mut().for_each(Column::push_null);
        self.rows += 1;
    }

    /// Whether they are as many bytes as a slab takes.
    pub(crate) fn are_full(&self) -> bool {
        self.bytes >= SLAB_BYTES
    }

    /// The rows.
    pub(crate) fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter_mut().map(Column::finish).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::new(Columns::new(self.fields)), columns, &options)
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema_of;
    use super::*;
    use retally_core::decode::{Slab, original};

    fn schema(fields: &str) -> Arc<Schema> {
        let json = format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
        schema_of(json.as_bytes(), &[]).unwrap()
    }

    #[test]
    fn records_of_several_schemas_share_columns_by_their_names() {
        let a = schema(r#"{"name":"x","type":"long"}"#);
        let b = schema(r#"{"name":"y","type":"string"},{"name":"x","type":"long"}"#);
        let other = schema(r#"{"name":"x","type":"string"}"#);
        let mut rows = Mixed::default();
        let of_a = rows.member(&a).unwrap().unwrap();
        rows.push(of_a, &[2]).unwrap();
        rows.push_none();
        let of_b = rows.member(&b).unwrap().unwrap();
        rows.push(of_b, b"\x02t\x04").unwrap();
        rows.push(of_a, &[6]).unwrap();
        assert_eq!(rows.member(&a).unwrap(), Some(of_a));
        assert!(rows.member(&other).unwrap().is_none());
        rows.push_none();
        let slab = Slab::Rows(rows.finish().unwrap());
        let told: Vec<_> = (0..slab.len())
            .map(|row| String::from_utf8(original(&slab, row).into_owned()).unwrap())
            .collect();
        assert_eq!(told, [r#"{"x":1}"#, "{}", r#"{"x":2,"y":"t"}"#, r#"{"x":3}"#, "{}"]);
    }

    #[test]
    fn a_record_is_all_of_its_bytes() {
        let a = schema(r#"{"name":"x","type":"long"}"#);
        let push = |bytes: &[u8]| {
            let mut rows = Mixed::default();
            let number = rows.member(&a).unwrap().unwrap();
            rows.push(number, bytes).map_err(|why| why.to_owned())
        };
        assert_eq!(push(&[2, 0]).unwrap_err(), "1 bytes are behind it");
        assert_eq!(push(&[]).unwrap_err(), "field `/x` ends in the middle of a number");
        assert_eq!(push(&[2]), Ok(()));
    }

    #[test]
    fn a_schema_that_cannot_be_read_is_refused() {
        let within = r#"{"type":"record","name":"R","fields":[{"name":"x","type":"long"},
            {"name":"next","type":["null","R"]}]}"#;
        let told = |json: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            schema_of(json.as_bytes(), &names).map(drop).unwrap_err()
        };
        assert!(told(within, &["next"]).contains("`next` in which `R` contains itself"));
        assert!(schema_of(within.as_bytes(), &["x".to_owned()]).is_ok());
        assert!(told("\"string\"", &[]).contains("no records"));
        assert!(told("{", &[]).starts_with("its schema is no JSON"), "{}", told("{", &[]));
    }
}
