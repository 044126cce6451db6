//! Rows of a table as the core's columns: for whoever shows them and knows nothing of Arrow.

use super::RunDirError;
use super::columns::{byte_spans, from_arrow};
use super::reader::RunReader;
use super::shape::Table;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, BinaryArray, RecordBatch};
use arrow_schema::DataType;
use retally_core::schema::{Column, Kind, Values};

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
    pub fn columns(&self, table: Table, batch: &RecordBatch) -> Result<Vec<Named>, RunDirError> {
        let own = match table {
            Table::Views => self.view(),
            Table::Emits(kind) => self.emits().get(kind).map_or(&[][..], |kind| &kind.fields),
            _ => &[],
        };
        let first = batch.num_columns().saturating_sub(own.len());
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).enumerate();
        let named = columns.map(|(at, (field, array))| {
            let declared = at.checked_sub(first).and_then(|at| own.get(at)).map(|f| f.kind);
            let (kind, column) = column(array, declared)?;
            Some(Named { name: field.name().clone(), kind, column })
        });
        let wrong = || self.wrong(table, "a column is of another type");
        named.collect::<Option<_>>().ok_or_else(wrong)
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
