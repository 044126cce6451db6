//! What records have beside their values, gathered column by column: of all that a record has only
//! what somebody reads.

use super::records::Record;
use arrow_array::builder::{BinaryBuilder, TimestampMillisecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Field, Schema};
use retally_core::decode::Beside;
use std::ffi::CString;
use std::sync::Arc;

/// Rows that are gathered.
pub(super) struct Gathering {
    columns: Vec<Column>,
    /// Bytes that are in them.
    bytes: usize,
}

struct Column {
    beside: Beside,
    values: Values,
}

enum Values {
    Keys(BinaryBuilder),
    /// With the header's name.
    Headers(CString, BinaryBuilder),
    Times(TimestampMillisecondBuilder),
}

impl Gathering {
    /// Of these.
    pub(super) fn new(read: &[Beside]) -> Self {
        let column = |beside: &Beside| {
            let values = match beside {
                Beside::Key => Values::Keys(BinaryBuilder::new()),
                // No address has a zero in it.
                Beside::Header(name) => {
                    Values::Headers(CString::new(&**name).unwrap_or_default(), BinaryBuilder::new())
                }
                Beside::Timestamp => Values::Times(TimestampMillisecondBuilder::new()),
            };
            Column { beside: beside.clone(), values }
        };
        Self { columns: read.iter().map(column).collect(), bytes: 0 }
    }

    /// Appends those of a record.
    pub(super) fn push(&mut self, record: &Record<'_>) {
        for column in &mut self.columns {
            match &mut column.values {
                Values::Keys(values) => {
                    self.bytes += record.key().map_or(0, <[u8]>::len);
                    values.append_option(record.key());
                }
                Values::Headers(name, values) => {
                    let value = record.last_header(name);
                    self.bytes += value.map_or(0, <[u8]>::len);
                    values.append_option(value);
                }
                Values::Times(values) => values.append_option(record.milliseconds()),
            }
        }
    }

    /// Bytes that were gathered.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows; none: nothing of records is read but their values.
    pub(super) fn finish(self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.columns.is_empty() {
            return Ok(None);
        }
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for Column { beside, values } in self.columns {
            fields.push(Field::new(beside.to_string(), beside.data_type(), true));
            columns.push(match values {
                Values::Keys(mut all) | Values::Headers(_, mut all) => {
                    Arc::new(all.finish()) as ArrayRef
                }
                Values::Times(mut all) => Arc::new(all.finish()),
            });
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map(Some)
    }
}
