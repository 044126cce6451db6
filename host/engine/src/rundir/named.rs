//! Rows of a table as the core's columns: for whoever shows them and knows nothing of Arrow.

use super::RunDirError;
use super::reader::RunReader;
use super::shape::Table;
use crate::table::{Batch, byte_spans, from_arrow};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_schema::{DataType, Field};
use retally_core::schema::{Column, Kind, Values};
use std::sync::Arc;

/// A column of a table under its name there.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The column's name in the table.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// One value per row.
    pub column: Column,
}

impl RunReader {
    /// The columns of a batch that [`RunReader::rows`] read from `table`.
    ///
    /// # Errors
    /// When the batch is of another table.
    pub fn columns(&self, table: Table, batch: &Batch) -> Result<Vec<Named>, RunDirError> {
        let kinds = self.kinds(table);
        let named = |(field, array): (&Arc<Field>, &ArrayRef)| {
            let name = field.name().clone();
            let (kind, column) = column(array, kinds.get(&name).copied())?;
            Some(Named { name, kind, column })
        };
        let columns = batch.arrow().schema_ref().fields().iter().zip(batch.arrow().columns());
        let wrong = || self.wrong(table, "a column is of another type");
        columns.map(named).collect::<Option<_>>().ok_or_else(wrong)
    }
}

/// An array as a column of the kind that a reducer declares, or else of the kind that its type
/// tells.
fn column(array: &dyn Array, declared: Option<Kind>) -> Option<(Kind, Column)> {
    let kind = match (declared, array.data_type()) {
        (Some(kind), _) => kind,
        (None, DataType::Utf8) => Kind::Text,
        (None, DataType::Int64) => Kind::Integer,
        (None, DataType::Timestamp(..)) => Kind::Timestamp,
        (None, DataType::Binary) => Kind::Bytes,
        (None, DataType::Int32) => {
            let values = array.as_primitive::<Int32Type>().values();
            let values = Values::Integer(values.iter().map(|&value| value.into()).collect());
            return Some((Kind::Integer, Column { values, missing: Vec::new() }));
        }
        (None, DataType::FixedSizeBinary(_)) => {
            let hashes: BinaryArray = array.as_fixed_size_binary().iter().collect();
            let values = Values::Bytes(byte_spans(&hashes));
            return Some((Kind::Bytes, Column { values, missing: Vec::new() }));
        }
        _ => return None,
    };
    Some((kind, from_arrow(array, kind)?))
}
