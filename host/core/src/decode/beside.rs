//! What a record of a topic has beside its value: its key, its headers, its time. A slab's are rows
//! of their own, one for each event, in columns that bear the addresses as names.

use super::code::Code;
use super::fault::Bad;
use super::plan::Node;
use super::raw::Raw;
use super::trie::Trie;
use crate::schema::Kind;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, BinaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::{DataType, TimeUnit};
use std::fmt;

/// What an address begins with that is the value of a header.
pub(super) const OF_HEADER: &str = "@header:";

/// The column of why a record is none, for a person; null where it is one.
pub const FAULT: &str = "@fault";

/// The column of the value that such a record has, as it stands.
pub const VALUE: &str = "@value";

/// Something that a record has beside its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beside {
    /// `@key`: its key, bytes that are mostly a text.
    Key,
    /// `@header:NAME`: the value of its last header of this name, likewise.
    Header(Box<str>),
    /// `@timestamp`: when it was written, as its producer or its broker says.
    Timestamp,
}

impl Beside {
    /// What an address means, if it means such a thing.
    pub fn of(address: &str) -> Option<Self> {
        match address {
            "@key" => Some(Self::Key),
            "@timestamp" => Some(Self::Timestamp),
            _ => {
                let name = address.strip_prefix(OF_HEADER)?;
                // The client of Kafka takes names that end with a zero.
                let is_name = !name.is_empty() && !name.contains('\0');
                is_name.then(|| Self::Header(name.into()))
            }
        }
    }

    /// Whether a field of this kind can be read from it: as what a text in an event would be, and
    /// as bytes.
    pub(super) fn can_be(&self, kind: Kind) -> bool {
        match (self, kind) {
            (_, Kind::Timestamp) => true,
            (Self::Timestamp, _) => false,
            (_, Kind::Text | Kind::Bytes | Kind::Decimal { .. } | Kind::Date) => true,
            (_, Kind::Boolean | Kind::Integer | Kind::Float | Kind::Json) => false,
        }
    }

    /// The same for a person.
    pub(super) fn kinds(&self) -> &'static str {
        match self {
            Self::Timestamp => "a timestamp",
            Self::Key | Self::Header(_) => {
                "text or bytes, or as what is read from a text: a decimal, a date, a timestamp"
            }
        }
    }

    /// The type of the column in which it comes; what a record does not have is null.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Key | Self::Header(_) => DataType::Binary,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
        }
    }
}

/// As an address.
impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("@key"),
            Self::Header(name) => write!(f, "{OF_HEADER}{name}"),
            Self::Timestamp => f.write_str("@timestamp"),
        }
    }
}

/// The columns of a slab's rows that are read, by their nodes.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    read: Vec<(Node, Column<'a>)>,
    faults: Option<&'a StringArray>,
}

#[derive(Debug, Clone, Copy)]
enum Column<'a> {
    /// The log has no such thing, of no event.
    Nothing,
    Texts(&'a BinaryArray),
    Bytes(&'a BinaryArray),
    Times(&'a PrimitiveArray<TimestampMillisecondType>),
}

impl<'a> Columns<'a> {
    pub(super) fn of(trie: &Trie, rows: Option<&'a RecordBatch>) -> Self {
        let all = trie.besides.iter().map(|declared| {
            let array = rows.and_then(|rows| rows.column_by_name(&declared.beside.to_string()));
            let texts = array.and_then(|array| array.as_binary_opt::<i32>());
            let times = array.and_then(|array| array.as_primitive_opt());
            let column = match (texts, times) {
                (Some(texts), _) if declared.as_bytes => Column::Bytes(texts),
                (Some(texts), _) => Column::Texts(texts),
                (None, Some(times)) => Column::Times(times),
                (None, None) => Column::Nothing,
            };
            (declared.node, column)
        });
        let faults = rows.and_then(|rows| rows.column_by_name(FAULT)?.as_string_opt());
        Self { read: all.collect(), faults }
    }

    /// The value at a place, if it is one of these.
    #[inline]
    pub(super) fn raw(&self, node: Node, row: usize) -> Option<Raw<'a>> {
        let (_, column) = self.read.iter().find(|(own, _)| *own == node)?;
        Some(match *column {
            Column::Texts(all) if !all.is_null(row) => match all.value(row) {
                text if std::str::from_utf8(text).is_ok() => Raw::Plain(text),
                bytes => Raw::Bytes(bytes),
            },
            Column::Bytes(all) if !all.is_null(row) => Raw::Bytes(all.value(row)),
            Column::Times(all) if !all.is_null(row) => {
                Raw::Micros(all.value(row).checked_mul(1000))
            }
            _ => Raw::Absent,
        })
    }

    pub(super) fn has(&self, node: Node) -> bool {
        self.read.iter().any(|(own, _)| *own == node)
    }

    /// Whether some may be no valid records.
    pub(super) fn has_faults(&self) -> bool {
        self.faults.is_some()
    }

    /// Why a record is none.
    pub(super) fn fault(&self, row: usize) -> Option<(Bad, &'a str)> {
        let faults = self.faults.filter(|faults| !faults.is_null(row))?;
        Some((Bad { code: Code::NotAvro, at: 0 }, faults.value(row)))
    }
}
