//! The words in which tables are declared.

use arrow_schema::{DataType, Field, TimeUnit};

/// Time zone of every timestamp.
pub(super) const UTC: &str = "UTC";

/// The types of columns that have a value in every row.
macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident: $data_type:expr;)+) => {$(
        $(#[$doc])*
        pub(crate) fn $name(name: &str) -> Field {
            Field::new(name, $data_type, false)
        }
    )+};
}

columns! {
    /// UTF-8 texts.
    text: DataType::Utf8;
    /// Byte strings.
    binary: DataType::Binary;
    /// Offsets and counts, which are far below 2^63: signed, because not every tool knows others.
    number: DataType::Int64;
    /// Small counts.
    small: DataType::Int32;
    /// Numbers of which every bit counts.
    unsigned: DataType::UInt64;
    /// Small numbers without a sign.
    unsigned32: DataType::UInt32;
    /// Yes or no.
    flag: DataType::Boolean;
    /// Times in microseconds.
    time: timestamp_type();
    /// Names of partitions in memory: each once, and its number for every row.
    partition: DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
}

/// Byte strings of one length.
pub(crate) fn fixed(name: &str, bytes: i32) -> Field {
    Field::new(name, DataType::FixedSizeBinary(bytes), false)
}

/// The same column, where rows may be without a value.
pub(crate) fn optional(column: Field) -> Field {
    column.with_nullable(true)
}

/// The type of every timestamp.
pub(super) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}
