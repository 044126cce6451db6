//! What records have beside their values, gathered column by column: of all that a record has only
//! what somebody reads.

use arrow_array::builder::{BinaryBuilder, TimestampMillisecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Field, Schema};
use rdkafka::Message as _;
use rdkafka::bindings::{rd_kafka_header_get_last, rd_kafka_message_headers};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::{RDKafkaHeaders, RDKafkaRespErr};
use retally_core::decode::Beside;
use std::ffi::{CString, c_void};
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
    pub(super) fn push(&mut self, record: &BorrowedMessage<'_>) {
        for column in &mut self.columns {
            match &mut column.values {
                Values::Keys(values) => {
                    self.bytes += record.key_len();
                    values.append_option(record.key());
                }
                Values::Headers(name, values) => {
                    let value = last_header(record, name);
                    self.bytes += value.map_or(0, <[u8]>::len);
                    values.append_option(value);
                }
                Values::Times(values) => values.append_option(record.timestamp().to_millis()),
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

/// The value of a record's last header of this name; none: it has no such header, or it is null.
///
/// `rdkafka` reads names as UTF-8 and panics where one is not, which whoever writes a record can
/// bring about.
#[expect(unsafe_code, reason = "the client of Kafka gives a header by its name in C alone")]
fn last_header<'a>(record: &'a BorrowedMessage<'_>, name: &CString) -> Option<&'a [u8]> {
    let mut headers: *mut RDKafkaHeaders = std::ptr::null_mut();
    // SAFETY: the message lives as long as `record`; its headers are parsed once and kept in it.
    let found = unsafe { rd_kafka_message_headers(record.ptr(), &raw mut headers) };
    if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || headers.is_null() {
        return None;
    }
    let (mut value, mut size): (*const c_void, usize) = (std::ptr::null(), 0);
    // SAFETY: the headers are those of the message, the name ends with a zero.
    let found =
        unsafe { rd_kafka_header_get_last(headers, name.as_ptr(), &raw mut value, &raw mut size) };
    if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || value.is_null() {
        return None;
    }
    // SAFETY: the value lies in the message, has so many bytes, and is not changed any more.
    Some(unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) })
}
