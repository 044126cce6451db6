//! One Arrow array without children: its cells as [`Raw`] values, and what its type can become.

use super::Wanted;
use super::raw::{Raw, Wide};
use super::simple::{Simple, Texts};
use crate::schema::Kind;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, Float16Array,
    LargeBinaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray,
};
use arrow_buffer::i256;
use arrow_schema::{DataType, TimeUnit};

/// An array by its type. What is no such type (nested, or unknown here) is [`Leaf::Other`].
#[derive(Debug)]
pub(super) enum Leaf<'a> {
    /// The column is not there, or of nulls only.
    Nothing,
    /// There are several columns of that name.
    Twice,
    Bool(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float16(&'a Float16Array),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal32(&'a [i32], i8),
    Decimal64(&'a [i64], i8),
    Decimal128(&'a [i128], i8),
    Decimal256(&'a [i256], i8),
    Timestamp(&'a [i64], TimeUnit),
    Date32(&'a [i32]),
    Date64(&'a [i64]),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
    FixedBinary(&'a FixedSizeBinaryArray),
    Other,
}

fn values<T: arrow_array::ArrowPrimitiveType>(array: &dyn Array) -> &[T::Native] {
    array.as_primitive_opt::<T>().map_or(&[], |array: &PrimitiveArray<T>| array.values())
}

impl<'a> Leaf<'a> {
    pub(super) fn of(array: &'a dyn Array) -> Self {
        match array.data_type() {
            DataType::Null => Self::Nothing,
            DataType::Boolean => Self::Bool(array.as_boolean()),
            DataType::Int8 => Self::Int8(values::<Int8Type>(array)),
            DataType::Int16 => Self::Int16(values::<Int16Type>(array)),
            DataType::Int32 => Self::Int32(values::<Int32Type>(array)),
            DataType::Int64 => Self::Int64(values::<Int64Type>(array)),
            DataType::UInt8 => Self::UInt8(values::<UInt8Type>(array)),
            DataType::UInt16 => Self::UInt16(values::<UInt16Type>(array)),
            DataType::UInt32 => Self::UInt32(values::<UInt32Type>(array)),
            DataType::UInt64 => Self::UInt64(values::<UInt64Type>(array)),
            DataType::Float16 => Self::Float16(array.as_primitive::<Float16Type>()),
            DataType::Float32 => Self::Float32(values::<Float32Type>(array)),
            DataType::Float64 => Self::Float64(values::<Float64Type>(array)),
            DataType::Decimal32(_, scale) => {
                Self::Decimal32(values::<Decimal32Type>(array), *scale)
            }
            DataType::Decimal64(_, scale) => {
                Self::Decimal64(values::<Decimal64Type>(array), *scale)
            }
            DataType::Decimal128(_, scale) => {
                Self::Decimal128(values::<Decimal128Type>(array), *scale)
            }
            DataType::Decimal256(_, scale) => {
                Self::Decimal256(values::<Decimal256Type>(array), *scale)
            }
            DataType::Timestamp(unit, _) => Self::Timestamp(timestamps(array, *unit), *unit),
            DataType::Date32 => Self::Date32(values::<Date32Type>(array)),
            DataType::Date64 => Self::Date64(values::<Date64Type>(array)),
            DataType::Utf8 => Self::Utf8(array.as_string()),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string()),
            DataType::Utf8View => Self::Utf8View(array.as_string_view()),
            DataType::Binary => Self::Binary(array.as_binary()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary()),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view()),
            DataType::FixedSizeBinary(_) => Self::FixedBinary(array.as_fixed_size_binary()),
            _ => Self::Other,
        }
    }

    /// The cell at `row`, which is not null.
    #[inline]
    pub(super) fn raw(&self, row: usize) -> Raw<'a> {
        let decimal = |value: i128, scale| Raw::Decimal(Wide::new(value), scale);
        match *self {
            Self::Nothing => Raw::Absent,
            Self::Twice => Raw::Twice,
            Self::Bool(array) => Raw::Bool(array.value(row)),
            Self::Int8(v) => Raw::Int(v[row].into()),
            Self::Int16(v) => Raw::Int(v[row].into()),
            Self::Int32(v) => Raw::Int(v[row].into()),
            Self::Int64(v) => Raw::Int(v[row]),
            Self::UInt8(v) => Raw::Int(v[row].into()),
            Self::UInt16(v) => Raw::Int(v[row].into()),
            Self::UInt32(v) => Raw::Int(v[row].into()),
            Self::UInt64(v) => Raw::Unsigned(v[row]),
            Self::Float16(array) => Raw::Single(array.value(row).to_f32()),
            Self::Float32(v) => Raw::Single(v[row]),
            Self::Float64(v) => Raw::Float(v[row]),
            Self::Decimal32(v, scale) => decimal(v[row].into(), scale),
            Self::Decimal64(v, scale) => decimal(v[row].into(), scale),
            Self::Decimal128(v, scale) => decimal(v[row], scale),
            Self::Decimal256(v, scale) => match v[row].to_i128() {
                Some(value) => decimal(value, scale),
                None => Raw::Huge,
            },
            Self::Timestamp(v, unit) => Raw::Micros(micros(v[row], unit)),
            Self::Date32(v) => Raw::Days(v[row]),
            Self::Date64(v) => match i32::try_from(v[row].div_euclid(86_400_000)) {
                Ok(days) => Raw::Days(days),
                Err(_) => Raw::Huge,
            },
            Self::Utf8(array) => Raw::Plain(array.value(row).as_bytes()),
            Self::LargeUtf8(array) => Raw::Plain(array.value(row).as_bytes()),
            Self::Utf8View(array) => Raw::Plain(array.value(row).as_bytes()),
            Self::Binary(array) => Raw::Bytes(array.value(row)),
            Self::LargeBinary(array) => Raw::Bytes(array.value(row)),
            Self::BinaryView(array) => Raw::Bytes(array.value(row)),
            Self::FixedBinary(array) => Raw::Bytes(array.value(row)),
            Self::Other => Raw::Nested,
        }
    }
}

impl<'a> Leaf<'a> {
    /// Some cells, none of which is null, if they are of a plain type.
    pub(super) fn simple(&self, first: usize, count: usize) -> Option<Simple<'a>> {
        let rows = first..first + count;
        Some(match *self {
            Self::Bool(array) => Simple::Bools(array, first),
            Self::Int64(v) => Simple::Ints(&v[rows]),
            Self::Float64(v) => Simple::Floats(&v[rows]),
            Self::Decimal128(v, scale) => Simple::Decimals(&v[rows], scale),
            Self::Timestamp(v, TimeUnit::Microsecond) => Simple::Times(&v[rows]),
            Self::Date32(v) => Simple::Days(&v[rows]),
            Self::Utf8(array) => Simple::Texts(Texts::of_offsets(array, first, count)),
            Self::Utf8View(array) => Simple::Texts(Texts::of_views(array, first, count)),
            _ => return None,
        })
    }
}

fn timestamps(array: &dyn Array, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => values::<TimestampSecondType>(array),
        TimeUnit::Millisecond => values::<TimestampMillisecondType>(array),
        TimeUnit::Microsecond => values::<TimestampMicrosecondType>(array),
        TimeUnit::Nanosecond => values::<TimestampNanosecondType>(array),
    }
}

fn micros(value: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second => value.checked_mul(1_000_000),
        TimeUnit::Millisecond => value.checked_mul(1_000),
        TimeUnit::Microsecond => Some(value),
        TimeUnit::Nanosecond => Some(value.div_euclid(1_000)),
    }
}

/// Whether a value of this type can ever be what is wanted.
pub(super) fn fits(found: &DataType, wanted: Wanted) -> bool {
    use DataType as T;
    let text = matches!(found, T::Utf8 | T::LargeUtf8 | T::Utf8View);
    let integer = found.is_integer()
        || matches!(
            found,
            T::Decimal32(_, scale)
            | T::Decimal64(_, scale)
            | T::Decimal128(_, scale)
            | T::Decimal256(_, scale) if *scale <= 0
        );
    let number = integer || found.is_decimal() || found.is_floating();
    match wanted {
        Wanted::Key | Wanted::Id => text || integer,
        Wanted::Time { unit } | Wanted::Field { kind: Kind::Timestamp, unit } => {
            text || matches!(found, T::Timestamp(..)) || unit && number
        }
        Wanted::Field { kind, .. } => match kind {
            Kind::Boolean => matches!(found, T::Boolean),
            Kind::Integer => integer,
            Kind::Decimal { .. } => number || text,
            Kind::Float => number,
            Kind::Date => text || matches!(found, T::Date32 | T::Date64),
            Kind::Text => text,
            Kind::Bytes => text || found.is_binary() || matches!(found, T::FixedSizeBinary(_)),
            Kind::Json | Kind::Timestamp => true,
        },
    }
}
