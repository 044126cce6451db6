//! The words in which tables are declared.

use arrow_schema::{DataType, Field, TimeUnit};

/// Time zone of every timestamp.
pub(super) const UTC: &str = "UTC";

/// A column that has a value in every row.
fn column(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

/// The same column, where rows may be without a value.
pub(crate) fn optional(column: Field) -> Field {
    column.with_nullable(true)
}

/// UTF-8 texts.
pub(crate) fn text(name: &str) -> Field {
    column(name, DataType::Utf8)
}

/// Byte strings.
pub(crate) fn binary(name: &str) -> Field {
    column(name, DataType::Binary)
}

/// Byte strings of one length.
pub(crate) fn fixed(name: &str, bytes: i32) -> Field {
    column(name, DataType::FixedSizeBinary(bytes))
}

/// Offsets and counts, which are far below 2^63: signed, because not every tool knows others.
pub(crate) fn number(name: &str) -> Field {
    column(name, DataType::Int64)
}

/// Small counts.
pub(crate) fn small(name: &str) -> Field {
    column(name, DataType::Int32)
}

/// Numbers of which every bit counts.
pub(crate) fn unsigned(name: &str) -> Field {
    column(name, DataType::UInt64)
}

/// Small numbers without a sign.
pub(crate) fn unsigned32(name: &str) -> Field {
    column(name, DataType::UInt32)
}

/// Yes or no.
pub(crate) fn flag(name: &str) -> Field {
    column(name, DataType::Boolean)
}

/// Times in microseconds.
pub(crate) fn time(name: &str) -> Field {
    column(name, timestamp_type())
}

/// Names of partitions in memory: each once, and its number for every row.
pub(crate) fn partition(name: &str) -> Field {
    column(name, DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
}

/// The type of every timestamp.
pub(super) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}
