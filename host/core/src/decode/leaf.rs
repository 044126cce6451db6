//! One Arrow array without children: its cells as [`Raw`] values, and what its type can become.

use super::Wanted;
use super::raw::{Raw, Wide, Width};
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
    LargeBinaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray, UnionArray,
};
use arrow_buffer::i256;
use arrow_schema::{DataType, TimeUnit};

fn values<T: arrow_array::ArrowPrimitiveType>(array: &dyn Array) -> &[T::Native] {
    array.as_primitive_opt::<T>().map_or(&[], |array: &PrimitiveArray<T>| array.values())
}

/// For each type what is held of an array, how it is taken from the array, and what a cell is.
macro_rules! leaves {
    ($array:ident, $v:ident, $row:ident;
     $($name:ident($held:ty), $type:pat => $hold:expr, $raw:expr;)+) => {
        /// An array by its type. What is no such type (nested, or unknown here) is
        /// [`Leaf::Other`].
        #[derive(Debug, Default)]
        pub(super) enum Leaf<'a> {
            /// The column is not there, or of nulls only.
            #[default]
            Nothing,
            /// There are several columns of that name.
            Twice,
            $($name($held),)+
            Other,
        }

        impl<'a> Leaf<'a> {
            pub(super) fn of($array: &'a dyn Array) -> Self {
                match $array.data_type() {
                    DataType::Null => Self::Nothing,
                    $($type => Self::$name($hold),)+
                    _ => Self::Other,
                }
            }

            /// The cell at `row`, which is not null.
            #[inline]
            pub(super) fn raw(&self, $row: usize) -> Raw<'a> {
                match *self {
                    Self::Nothing => Raw::Absent,
                    Self::Twice => Raw::Twice,
                    $(Self::$name($v) => $raw,)+
                    Self::Other => Raw::Nested,
                }
            }
        }
    };
}

leaves! {
    array, v, row;
    Boolean(&'a BooleanArray), DataType::Boolean => array.as_boolean(), Raw::Bool(v.value(row));
    Int8(&'a [i8]), DataType::Int8 => values::<Int8Type>(array), Raw::Int(v[row].into());
    Int16(&'a [i16]), DataType::Int16 => values::<Int16Type>(array), Raw::Int(v[row].into());
    Int32(&'a [i32]), DataType::Int32 => values::<Int32Type>(array), Raw::Int(v[row].into());
    Int64(&'a [i64]), DataType::Int64 => values::<Int64Type>(array), Raw::Int(v[row]);
    UInt8(&'a [u8]), DataType::UInt8 => values::<UInt8Type>(array), Raw::Int(v[row].into());
    UInt16(&'a [u16]), DataType::UInt16 => values::<UInt16Type>(array), Raw::Int(v[row].into());
    UInt32(&'a [u32]), DataType::UInt32 => values::<UInt32Type>(array), Raw::Int(v[row].into());
    UInt64(&'a [u64]), DataType::UInt64 => values::<UInt64Type>(array), Raw::Unsigned(v[row]);
    Float16(&'a Float16Array), DataType::Float16 =>
        array.as_primitive::<Float16Type>(), Raw::Float(v.value(row).to_f64(), Width::Half);
    Float32(&'a [f32]), DataType::Float32 =>
        values::<Float32Type>(array), Raw::Float(v[row].into(), Width::Single);
    Float64(&'a [f64]), DataType::Float64 =>
        values::<Float64Type>(array), Raw::Float(v[row], Width::Double);
    Decimal32((&'a [i32], i8)), DataType::Decimal32(_, scale) =>
        (values::<Decimal32Type>(array), *scale), decimal(v.0[row].into(), v.1);
    Decimal64((&'a [i64], i8)), DataType::Decimal64(_, scale) =>
        (values::<Decimal64Type>(array), *scale), decimal(v.0[row].into(), v.1);
    Decimal128((&'a [i128], i8)), DataType::Decimal128(_, scale) =>
        (values::<Decimal128Type>(array), *scale), decimal(v.0[row], v.1);
    Decimal256((&'a [i256], i8)), DataType::Decimal256(_, scale) =>
        (values::<Decimal256Type>(array), *scale),
        v.0[row].to_i128().map_or(Raw::Huge, |value| decimal(value, v.1));
    Timestamp((&'a [i64], TimeUnit)), DataType::Timestamp(unit, _) =>
        (timestamps(array, *unit), *unit), Raw::Micros(micros(v.0[row], v.1));
    Date32(&'a [i32]), DataType::Date32 => values::<Date32Type>(array), Raw::Days(v[row]);
    Date64(&'a [i64]), DataType::Date64 => values::<Date64Type>(array),
        i32::try_from(v[row].div_euclid(86_400_000)).map_or(Raw::Huge, Raw::Days);
    Utf8(&'a StringArray), DataType::Utf8 => array.as_string(), Raw::Plain(v.value(row).as_bytes());
    LargeUtf8(&'a LargeStringArray), DataType::LargeUtf8 =>
        array.as_string(), Raw::Plain(v.value(row).as_bytes());
    Utf8View(&'a StringViewArray), DataType::Utf8View =>
        array.as_string_view(), Raw::Plain(v.value(row).as_bytes());
    Binary(&'a BinaryArray), DataType::Binary => array.as_binary(), Raw::Bytes(v.value(row));
    LargeBinary(&'a LargeBinaryArray), DataType::LargeBinary =>
        array.as_binary(), Raw::Bytes(v.value(row));
    BinaryView(&'a BinaryViewArray), DataType::BinaryView =>
        array.as_binary_view(), Raw::Bytes(v.value(row));
    FixedSizeBinary(&'a FixedSizeBinaryArray), DataType::FixedSizeBinary(_) =>
        array.as_fixed_size_binary(), Raw::Bytes(v.value(row));
    Union(&'a UnionArray), DataType::Union(..) => array.as_union(), chosen(v, row);
}

/// A cell of a column of several types: what it is in the column of its type.
fn chosen(array: &UnionArray, row: usize) -> Raw<'_> {
    let (column, row) = (array.child(array.type_id(row)), array.value_offset(row));
    match column.is_null(row) {
        true => Raw::Absent,
        false => Leaf::of(column.as_ref()).raw(row),
    }
}

#[inline]
fn decimal(value: i128, scale: i8) -> Raw<'static> {
    Raw::Decimal(Wide::new(value), scale)
}

impl<'a> Leaf<'a> {
    /// Some cells, none of which is null, if they are of a plain type.
    pub(super) fn simple(&self, first: usize, count: usize) -> Option<Simple<'a>> {
        let rows = first..first + count;
        Some(match *self {
            Self::Boolean(array) => Simple::Bools(array, first),
            Self::Int64(v) => Simple::Ints(&v[rows]),
            Self::Float64(v) => Simple::Floats(&v[rows]),
            Self::Decimal128((v, scale)) => Simple::Decimals(&v[rows], scale),
            Self::Timestamp((v, TimeUnit::Microsecond)) => Simple::Times(&v[rows]),
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
    if let T::Union(types, _) = found {
        return types.iter().any(|(_, one)| fits(one.data_type(), wanted));
    }
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
        Wanted::Parts => found.is_nested(),
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

/// A type in words.
pub(super) fn type_name(found: &DataType) -> String {
    match found {
        DataType::Union(types, _) => {
            let names: Vec<_> = types.iter().map(|(_, one)| type_name(one.data_type())).collect();
            format!("Union({})", names.join(", "))
        }
        DataType::Struct(_) => "Struct".into(),
        DataType::List(_) => "List".into(),
        DataType::Map(..) => "Map".into(),
        other => other.to_string(),
    }
}
