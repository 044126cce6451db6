//! Columns that grow value by value, and the arrays that they become.

use super::cursor::Cursor;
use super::error::Fault;
use super::plan::{Parts, Step};
use super::schema::Schema;
use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    Int32Type, Int64Type, Time32MillisecondType, Time64MicrosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, ListArray, MapArray, NullArray, PrimitiveArray,
    StringArray, StructArray, UnionArray,
};
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer, i256};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use std::mem::take;
use std::sync::Arc;

/// The values of one field.
pub(super) struct Column {
    data_type: DataType,
    nulls: NullBufferBuilder,
    values: Values,
    /// Columns that a null of this one grows.
    width: usize,
}

enum Values {
    Nulls(usize),
    Booleans(BooleanBufferBuilder),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Decimals(Vec<i128>),
    Wide(Vec<i256>),
    Texts(Ends, Vec<u8>),
    List(Ends, Box<Column>),
    /// With keys and values.
    Map(Ends, Box<(Column, Column)>),
    Record(Vec<Column>),
    /// For each value its type and its place among those of that type.
    Several(Vec<i8>, Vec<i32>, Vec<Column>),
}

/// Where each value ends, behind a zero.
struct Ends(Vec<i32>);

impl Ends {
    fn new() -> Self {
        Self(vec![0])
    }

    #[inline]
    fn push(&mut self, end: usize) {
        // What a slab may hold fits: `limits.rs`.
        self.0.push(end as i32);
    }

    fn finish(&mut self) -> OffsetBuffer<i32> {
        let ends = std::mem::replace(&mut self.0, vec![0]);
        OffsetBuffer::new(ScalarBuffer::from(ends))
    }
}

impl Column {
    pub(super) fn new(data_type: &DataType) -> Self {
        let (values, width) = match data_type {
            DataType::Boolean => (Values::Booleans(BooleanBufferBuilder::new(0)), 1),
            DataType::Int32 | DataType::Date32 | DataType::Time32(_) => {
                (Values::Ints(Vec::new()), 1)
            }
            DataType::Int64 | DataType::Time64(_) | DataType::Timestamp(..) => {
                (Values::Longs(Vec::new()), 1)
            }
            DataType::Float32 => (Values::Floats(Vec::new()), 1),
            DataType::Float64 => (Values::Doubles(Vec::new()), 1),
            DataType::Decimal128(..) => (Values::Decimals(Vec::new()), 1),
            DataType::Decimal256(..) => (Values::Wide(Vec::new()), 1),
            DataType::Utf8 | DataType::Binary => (Values::Texts(Ends::new(), Vec::new()), 1),
            DataType::List(item) => {
                (Values::List(Ends::new(), Box::new(Self::new(item.data_type()))), 1)
            }
            DataType::Map(entries, _) => {
                let inner = match entries.data_type() {
                    DataType::Struct(fields) => Self::new(fields[1].data_type()),
                    other => Self::new(other),
                };
                let both = Box::new((Self::new(&DataType::Utf8), inner));
                (Values::Map(Ends::new(), both), 1)
            }
            DataType::Struct(fields) => {
                let inner: Vec<_> =
                    fields.iter().map(|field| Self::new(field.data_type())).collect();
                let width = inner.iter().map(|column| column.width).sum::<usize>() + 1;
                (Values::Record(inner), width)
            }
            DataType::Union(kinds, _) => {
                let kinds = kinds.iter().map(|(_, kind)| Self::new(kind.data_type())).collect();
                (Values::Several(Vec::new(), Vec::new(), kinds), 1)
            }
            _ => (Values::Nulls(0), 1),
        };
        Self { data_type: data_type.clone(), nulls: NullBufferBuilder::new(0), values, width }
    }

    /// Appends a null, also to the columns within.
    pub(super) fn push_null(&mut self) {
        match &mut self.values {
            Values::Nulls(count) => *count += 1,
            Values::Booleans(values) => values.append(false),
            Values::Ints(values) => values.push(0),
            Values::Longs(values) => values.push(0),
            Values::Floats(values) => values.push(0.0),
            Values::Doubles(values) => values.push(0.0),
            Values::Decimals(values) => values.push(0),
            Values::Wide(values) => values.push(i256::ZERO),
            Values::Texts(ends, bytes) => ends.push(bytes.len()),
            Values::List(ends, items) => ends.push(items.len()),
            Values::Map(ends, entries) => ends.push(entries.0.len()),
            Values::Record(columns) => columns.iter_mut().for_each(Self::push_null),
            Values::Several(kinds, places, columns) => {
                kinds.push(0);
                places.push(columns[0].len() as i32);
                columns[0].push_null();
            }
        }
        self.nulls.append_null();
    }

    fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Appends the value that comes next.
    pub(super) fn push(
        &mut self,
        step: &Step,
        cursor: &mut Cursor<'_>,
        schema: &Schema,
    ) -> Result<(), Fault> {
        match (step, &mut self.values) {
            (Step::Union(branches), _) => {
                let branch = cursor.one_of(branches.len(), "branch")?;
                return self.push(&branches[branch], cursor, schema);
            }
            (Step::Null, _) => {
                cursor.grow(self.width)?;
                self.push_null();
                return Ok(());
            }
            (Step::Boolean, Values::Booleans(values)) => values.append(cursor.boolean()?),
            (Step::Int, Values::Ints(values)) => values.push(cursor.int()?),
            (Step::Long, Values::Longs(values)) => values.push(cursor.long()?),
            (Step::Widen, Values::Longs(values)) => values.push(cursor.int()?.into()),
            (Step::Float, Values::Floats(values)) => {
                values.push(f32::from_le_bytes(cursor.array()?));
            }
            (Step::Double, Values::Doubles(values)) => {
                values.push(f64::from_le_bytes(cursor.array()?));
            }
            (Step::Decimal(size), Values::Decimals(values)) => {
                let bytes = digits::<16>(*size, cursor)?;
                values.push(i128::from_be_bytes(bytes));
            }
            (Step::Decimal(size), Values::Wide(values)) => {
                let bytes = digits::<32>(*size, cursor)?;
                values.push(i256::from_be_bytes(bytes));
            }
            (_, Values::Texts(ends, bytes)) => {
                texts(step, cursor, bytes, schema)?;
                ends.push(bytes.len());
            }
            (Step::Array(item), Values::List(ends, items)) => {
                each_item(cursor, |cursor| items.push(item, cursor, schema))?;
                ends.push(items.len());
            }
            (Step::Map(value), Values::Map(ends, entries)) => {
                let (keys, values) = &mut **entries;
                each_item(cursor, |cursor| {
                    keys.push(&Step::Text, cursor, schema)?;
                    values.push(value, cursor, schema)
                })?;
                ends.push(keys.len());
            }
            (Step::Record(parts), Values::Record(columns)) => {
                push_record(parts, columns, cursor, schema)?;
            }
            (Step::Among(number, step), Values::Several(kinds, places, columns)) => {
                let column = &mut columns[*number];
                let place = column.len() as i32;
                column.push(step, cursor, schema)?;
                kinds.push(*number as i8);
                places.push(place);
            }
            _ => return Err(Fault::new(format!("has no place in {}", self.data_type))),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// The array, and an empty column.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.nulls.finish();
        let data_type = &self.data_type;
        Ok(match &mut self.values {
            Values::Nulls(count) => Arc::new(NullArray::new(take(count))),
            Values::Booleans(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Ints(values) => ints(data_type, take(values), nulls),
            Values::Longs(values) => longs(data_type, take(values), nulls),
            Values::Floats(values) => primitive::<Float32Type>(data_type, take(values), nulls),
            Values::Doubles(values) => primitive::<Float64Type>(data_type, take(values), nulls),
            Values::Decimals(values) => primitive::<Decimal128Type>(data_type, take(values), nulls),
            Values::Wide(values) => primitive::<Decimal256Type>(data_type, take(values), nulls),
            Values::Texts(ends, bytes) => {
                let (ends, bytes) = (ends.finish(), Buffer::from_vec(take(bytes)));
                match data_type {
                    DataType::Utf8 => Arc::new(StringArray::try_new(ends, bytes, nulls)?),
                    _ => Arc::new(BinaryArray::try_new(ends, bytes, nulls)?),
                }
            }
            Values::List(ends, items) => {
                let DataType::List(item) = data_type else { return Err(unfit(data_type)) };
                let (ends, items) = (ends.finish(), items.finish()?);
                Arc::new(ListArray::try_new(item.clone(), ends, items, nulls)?)
            }
            Values::Map(ends, entries) => {
                let DataType::Map(field, _) = data_type else { return Err(unfit(data_type)) };
                let DataType::Struct(fields) = field.data_type() else {
                    return Err(unfit(data_type));
                };
                let both = vec![entries.0.finish()?, entries.1.finish()?];
                let both = StructArray::try_new(fields.clone(), both, None)?;
                Arc::new(MapArray::try_new(field.clone(), ends.finish(), both, nulls, false)?)
            }
            Values::Record(columns) => {
                let DataType::Struct(fields) = data_type else { return Err(unfit(data_type)) };
                let columns: Vec<_> =
                    columns.iter_mut().map(Self::finish).collect::<Result<_, _>>()?;
                Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?)
            }
            Values::Several(kinds, places, columns) => {
                let DataType::Union(fields, _) = data_type else { return Err(unfit(data_type)) };
                let columns = columns.iter_mut().map(Self::finish).collect::<Result<_, _>>()?;
                let (kinds, places) = (take(kinds).into(), Some(take(places).into()));
                Arc::new(UnionArray::try_new(fields.clone(), kinds, places, columns)?)
            }
        })
    }
}

/// Appends the fields of a record to its columns.
pub(super) fn push_record(
    parts: &Parts,
    columns: &mut [Column],
    cursor: &mut Cursor<'_>,
    schema: &Schema,
) -> Result<(), Fault> {
    for part in &parts.fields {
        let pushed = match &part.step {
            Step::Skip(id) => schema.skip(*id, cursor, 0),
            step => columns[part.column].push(step, cursor, schema),
        };
        pushed.map_err(|fault| fault.within(&part.name))?;
    }
    for absent in &parts.absent {
        cursor.grow(columns[*absent].width)?;
        columns[*absent].push_null();
    }
    Ok(())
}

#[inline]
fn each_item(
    cursor: &mut Cursor<'_>,
    mut push: impl FnMut(&mut Cursor<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    loop {
        let (items, bytes) = cursor.items()?;
        if items == 0 {
            return Ok(());
        }
        let end = bytes.map(|bytes| cursor.left() - bytes);
        for _ in 0..items {
            push(cursor)?;
        }
        if end.is_some_and(|end| end != cursor.left()) {
            return Err(Fault::new("has items of other bytes than it says"));
        }
    }
}

/// Appends what is held as bytes: a text, or one that stands for the value.
#[inline]
fn texts(
    step: &Step,
    cursor: &mut Cursor<'_>,
    out: &mut Vec<u8>,
    schema: &Schema,
) -> Result<(), Fault> {
    match step {
        Step::Text => {
            let text = cursor.sized()?;
            if std::str::from_utf8(text).is_err() {
                return Err(Fault::new("is a string that is not UTF-8"));
            }
            out.extend_from_slice(text);
        }
        Step::Bytes => out.extend_from_slice(cursor.sized()?),
        Step::Fixed(size) => out.extend_from_slice(cursor.take(*size)?),
        Step::Enum(symbols) => {
            let symbol = &symbols[cursor.one_of(symbols.len(), "symbol")?];
            cursor.grow(symbol.len())?;
            out.extend_from_slice(symbol.as_bytes());
        }
        Step::Uuid => {
            cursor.grow(36)?;
            for (at, byte) in cursor.array::<16>()?.into_iter().enumerate() {
                if matches!(at, 4 | 6 | 8 | 10) {
                    out.push(b'-');
                }
                out.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[digit as usize]));
            }
        }
        Step::Duration => {
            let [months, days, millis] = [cursor.array()?, cursor.array()?, cursor.array()?]
                .map(|bytes: [u8; 4]| u32::from_le_bytes(bytes));
            let (seconds, rest) = (millis / 1000, millis % 1000);
            let text = format!("P{months}M{days}DT{seconds}.{rest:03}S");
            cursor.grow(text.len())?;
            out.extend_from_slice(text.as_bytes());
        }
        Step::Told(id, text) => {
            schema.skip(*id, cursor, 0)?;
            cursor.grow(text.len())?;
            out.extend_from_slice(text.as_bytes());
        }
        _ => return Err(Fault::new("has no place in a column of texts")),
    }
    Ok(())
}

/// A whole number, most significant byte first, as one of `N` bytes.
#[inline]
fn digits<const N: usize>(size: Option<usize>, cursor: &mut Cursor<'_>) -> Result<[u8; N], Fault> {
    let bytes = match size {
        Some(size) => cursor.take(size)?,
        None => cursor.sized()?,
    };
    let Some(first) = bytes.first() else {
        return Err(Fault::new("is a decimal of no bytes"));
    };
    let sign = if first & 0x80 == 0 { 0 } else { 0xff };
    let more = bytes.len().saturating_sub(N);
    let (beyond, own) = bytes.split_at(more);
    // Bytes in front may only say the sign again.
    let same = own.first().is_some_and(|first| (first ^ sign) & 0x80 == 0);
    if !same || beyond.iter().any(|byte| *byte != sign) {
        return Err(Fault::new(format!("is a decimal of more than {} bits", N * 8)));
    }
    let mut out = [sign; N];
    out[N - own.len()..].copy_from_slice(own);
    Ok(out)
}

#[cold]
fn unfit(data_type: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("{data_type} is held otherwise"))
}

fn primitive<T: ArrowPrimitiveType>(
    data_type: &DataType,
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    let array = PrimitiveArray::<T>::new(values.into(), nulls);
    Arc::new(array.with_data_type(data_type.clone()))
}

fn ints(data_type: &DataType, values: Vec<i32>, nulls: Option<NullBuffer>) -> ArrayRef {
    match data_type {
        DataType::Date32 => primitive::<Date32Type>(data_type, values, nulls),
        DataType::Time32(_) => primitive::<Time32MillisecondType>(data_type, values, nulls),
        _ => primitive::<Int32Type>(&DataType::Int32, values, nulls),
    }
}

fn longs(data_type: &DataType, values: Vec<i64>, nulls: Option<NullBuffer>) -> ArrayRef {
    match data_type {
        DataType::Time64(_) => primitive::<Time64MicrosecondType>(data_type, values, nulls),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            primitive::<TimestampMillisecondType>(data_type, values, nulls)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive::<TimestampNanosecondType>(data_type, values, nulls)
        }
        DataType::Timestamp(..) => primitive::<TimestampMicrosecondType>(data_type, values, nulls),
        _ => primitive::<Int64Type>(&DataType::Int64, values, nulls),
    }
}
