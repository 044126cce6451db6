//! Between the core's columns and Arrow's arrays. Buffers are moved where their layouts agree: only
//! missing rows, booleans, decimals and the ends of texts are written anew.

use super::TableError;
use super::declared::{UTC, timestamp_type};
use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    BinaryType, ByteArrayType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType, Utf8Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    GenericByteArray, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};
use retally_core::schema::{Column, Kind, Spans, Values};
use std::sync::Arc;

/// Digits of a decimal in a narrow column, which Parquet stores as a 64-bit number.
pub(crate) const NARROW_DIGITS: u8 = 18;

/// Digits of the largest `s64`: no decimal is too long for a wide column.
const WIDE_DIGITS: u8 = 19;

/// Above this scale a column is wide from the start: small amounts have 19 digits there.
const NARROW_SCALE_MAX: u8 = 9;

/// How many digits the decimals of a table have. Narrow columns are five times as fast to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digits {
    /// 18 if that is likely to be enough.
    Narrow,
    /// 19.
    Wide,
}

impl Digits {
    fn of(self, scale: u8) -> u8 {
        let narrow = self == Self::Narrow && scale <= NARROW_SCALE_MAX;
        if narrow { NARROW_DIGITS } else { WIDE_DIGITS }
    }

    /// The first row of `column` whose value has no place.
    pub(crate) fn lacking(self, column: &Column, kind: Kind) -> Option<usize> {
        let (Kind::Decimal { scale }, Values::Decimal(values)) = (kind, &column.values) else {
            return None;
        };
        const BOUND: u64 = 10u64.pow(NARROW_DIGITS as u32);
        if self.of(scale) == WIDE_DIGITS {
            return None;
        }
        values.iter().position(|value| value.unsigned_abs() >= BOUND)
    }
}

/// The Arrow type that holds values of a kind.
pub(crate) fn arrow_type(kind: Kind, digits: Digits) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Decimal { scale } => DataType::Decimal128(digits.of(scale), scale as i8),
        Kind::Float => DataType::Float64,
        Kind::Timestamp => timestamp_type(),
        Kind::Date => DataType::Date32,
        Kind::Text | Kind::Json => DataType::Utf8,
        Kind::Bytes => DataType::Binary,
    }
}

/// A column as an array.
pub(super) fn to_arrow(
    column: Column,
    kind: Kind,
    digits: Digits,
    name: &str,
) -> Result<ArrayRef, TableError> {
    let rows = column.len();
    let nulls = present(&column.missing, rows);
    Ok(match column.values {
        Values::Boolean(values) => {
            let values = BooleanBuffer::collect_bool(rows, |row| values[row] != 0);
            Arc::new(BooleanArray::new(values, nulls))
        }
        Values::Integer(values) => Arc::new(Int64Array::new(values.into(), nulls)),
        Values::Decimal(values) => {
            let values: Vec<i128> = values.into_iter().map(i128::from).collect();
            let array = Decimal128Array::new(values.into(), nulls);
            Arc::new(array.with_data_type(arrow_type(kind, digits)))
        }
        Values::Float(values) => Arc::new(Float64Array::new(values.into(), nulls)),
        Values::Timestamp(values) => Arc::new(timestamps(values, nulls)),
        Values::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
        Values::Text(spans) | Values::Json(spans) => byte_array::<Utf8Type>(spans, nulls, name)?,
        Values::Bytes(spans) => byte_array::<BinaryType>(spans, nulls, name)?,
    })
}

/// Times as an array.
pub(super) fn timestamps(values: Vec<i64>, nulls: Option<NullBuffer>) -> TimestampMicrosecondArray {
    TimestampMicrosecondArray::new(values.into(), nulls).with_timezone(UTC)
}

/// Byte strings, or UTF-8 texts, as an array.
pub(super) fn byte_array<T: ByteArrayType<Offset = i32>>(
    spans: Spans,
    nulls: Option<NullBuffer>,
    name: &str,
) -> Result<ArrayRef, TableError> {
    let not_text = |_: ArrowError| TableError::NotText(name.to_owned());
    if spans.bytes.len() > i32::MAX as usize {
        return Err(TableError::TooLong(name.to_owned()));
    }
    let mut offsets = Vec::with_capacity(spans.ends.len() + 1);
    offsets.push(0);
    offsets.extend(spans.ends.iter().map(|&end| end as i32));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let array = GenericByteArray::<T>::try_new(offsets, Buffer::from_vec(spans.bytes), nulls);
    Ok(Arc::new(array.map_err(not_text)?))
}

/// Which rows have a value; none if all have.
fn present(missing: &[u32], rows: usize) -> Option<NullBuffer> {
    if missing.is_empty() {
        return None;
    }
    let mut bits = BooleanBufferBuilder::new(rows);
    bits.append_n(rows, true);
    missing.iter().for_each(|&row| bits.set_bit(row as usize, false));
    Some(NullBuffer::new(bits.finish()))
}

/// An array as a column; nothing if it is of another type than `kind` asks for.
pub(crate) fn from_arrow(array: &dyn Array, kind: Kind) -> Option<Column> {
    let fits = |digits| *array.data_type() == arrow_type(kind, digits);
    if !fits(Digits::Narrow) && !fits(Digits::Wide) {
        return None;
    }
    let rows = 0..array.len();
    let missing: Vec<u32> = match array.nulls() {
        Some(nulls) => rows.filter(|&row| nulls.is_null(row)).map(|row| row as u32).collect(),
        None => Vec::new(),
    };
    let mut values = match kind {
        Kind::Boolean => {
            Values::Boolean(array.as_boolean().values().iter().map(u8::from).collect())
        }
        Kind::Integer => Values::Integer(array.as_primitive::<Int64Type>().values().to_vec()),
        Kind::Decimal { .. } => {
            let values = array.as_primitive::<Decimal128Type>().values().iter();
            Values::Decimal(values.map(|&v| i64::try_from(v).ok()).collect::<Option<_>>()?)
        }
        Kind::Float => Values::Float(array.as_primitive::<Float64Type>().values().to_vec()),
        Kind::Timestamp => {
            let values = array.as_primitive::<TimestampMicrosecondType>().values();
            Values::Timestamp(values.to_vec())
        }
        Kind::Date => Values::Date(array.as_primitive::<Date32Type>().values().to_vec()),
        Kind::Text => Values::Text(text_spans(array.as_string())),
        Kind::Json => Values::Json(text_spans(array.as_string())),
        Kind::Bytes => Values::Bytes(byte_spans(array.as_binary())),
    };
    for &row in &missing {
        clear(&mut values, row as usize);
    }
    Some(Column { values, missing })
}

/// A missing row holds zero (strings are empty by themselves).
fn clear(values: &mut Values, row: usize) {
    match values {
        Values::Boolean(v) => v[row] = 0,
        Values::Integer(v) | Values::Decimal(v) | Values::Timestamp(v) => v[row] = 0,
        Values::Float(v) => v[row] = 0.0,
        Values::Date(v) => v[row] = 0,
        Values::Text(_) | Values::Bytes(_) | Values::Json(_) => {}
    }
}

/// An array of texts as spans; a null is empty.
pub(super) fn text_spans(array: &StringArray) -> Spans {
    spans(array)
}

/// An array of byte strings as spans; a null is empty.
pub(crate) fn byte_spans(array: &BinaryArray) -> Spans {
    spans(array)
}

fn spans<'a, T: ByteArrayType<Offset = i32>>(array: &'a GenericByteArray<T>) -> Spans {
    if array.null_count() > 0 {
        // A null may have bytes.
        let bytes = |row: Option<&'a T::Native>| -> &'a [u8] {
            row.map_or(&[], |row| AsRef::<[u8]>::as_ref(row))
        };
        return array.iter().map(bytes).collect();
    }
    let ends = array.value_offsets();
    let (from, to) = (ends[0], ends[array.len()]);
    Spans {
        ends: ends[1..].iter().map(|end| (end - from) as u32).collect(),
        bytes: array.value_data()[from as usize..to as usize].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::schema::Value;

    #[test]
    fn every_kind_comes_back_as_it_went() {
        let values: [(Kind, Value<'_>); 9] = [
            (Kind::Boolean, Value::Boolean(true)),
            (Kind::Integer, Value::Integer(i64::MIN)),
            (Kind::Decimal { scale: 18 }, Value::Decimal(i64::MAX)),
            (Kind::Float, Value::Float(-0.0)),
            (Kind::Timestamp, Value::Timestamp(1)),
            (Kind::Date, Value::Date(-1)),
            (Kind::Text, Value::Text("ü".as_bytes())),
            (Kind::Bytes, Value::Bytes(&[0xff])),
            (Kind::Json, Value::Json(b"{}")),
        ];
        for (kind, value) in values {
            let mut column = Column::new(kind);
            for value in [Some(value), None, Some(value)] {
                column.push(value).unwrap();
            }
            let array = to_arrow(column.clone(), kind, Digits::Narrow, "c").unwrap();
            assert_eq!(array.null_count(), 1);
            assert_eq!(from_arrow(&array, kind), Some(column));
        }
    }

    #[test]
    fn an_array_of_another_type_is_no_column() {
        let array = to_arrow(Column::new(Kind::Integer), Kind::Integer, Digits::Wide, "c").unwrap();
        assert_eq!(from_arrow(&array, Kind::Float), None);
    }

    #[test]
    fn a_decimal_of_19_digits_has_no_place_in_a_narrow_column() {
        let kind = Kind::Decimal { scale: 2 };
        let column =
            |value| Column { values: Values::Decimal(vec![0, value]), missing: Vec::new() };
        let bound = 10i64.pow(18);
        assert_eq!(Digits::Narrow.lacking(&column(1 - bound), kind), None);
        assert_eq!(Digits::Narrow.lacking(&column(-bound), kind), Some(1));
        assert_eq!(Digits::Narrow.lacking(&column(i64::MIN), kind), Some(1));
        assert_eq!(Digits::Wide.lacking(&column(i64::MIN), kind), None);
        let scale = Kind::Decimal { scale: 10 };
        assert_eq!(Digits::Narrow.lacking(&column(i64::MIN), scale), None);
    }
}
