//! Events as their original bytes: a line as it stands, an Arrow row as the JSON that says the
//! same.

use super::convert::float_text;
use super::leaf::Leaf;
use super::raw::Raw;
use super::{Placed, Slab, VALUE};
use crate::schema::{base64, text};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal256Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use std::borrow::Cow;

/// The original bytes of the event at `row`: a line without its line end, or an Arrow row as
/// compact JSON, members in the order of the columns and nulls left out. Decimals and floats are
/// numbers, timestamps RFC 3339 in UTC, bytes base64; what JSON cannot say (NaN, infinities, types
/// without a meaning here) is a string.
pub fn original(slab: &Slab, row: usize) -> Cow<'_, [u8]> {
    match slab {
        Slab::Lines(lines) => Cow::Borrowed(lines.get(row)),
        Slab::Rows(rows) => Cow::Owned(record(rows, row)),
    }
}

impl Placed {
    /// The original bytes of the event at `row`: those of [`original`], or, of what is no valid
    /// record, the value that it has.
    pub fn original(&self, row: usize) -> Cow<'_, [u8]> {
        original_of((&self.slab, self.beside.as_ref()), row)
    }
}

/// The same of a slab, and what its events have beside themselves.
pub fn original_of<'a>(
    (slab, beside): (&'a Slab, Option<&'a RecordBatch>),
    row: usize,
) -> Cow<'a, [u8]> {
    let values = beside.and_then(|beside| beside.column_by_name(VALUE));
    let values = values.and_then(|values| values.as_binary_opt::<i32>());
    match values.filter(|values| !values.is_null(row)) {
        Some(values) => Cow::Borrowed(values.value(row)),
        None => original(slab, row),
    }
}

fn record(rows: &RecordBatch, row: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let fields = rows.schema_ref().fields().iter().map(|f| f.name().as_str());
    members(fields.zip(rows.columns().iter().map(AsRef::as_ref)), row, &mut out);
    out
}

fn members<'a>(
    columns: impl Iterator<Item = (&'a str, &'a dyn Array)>,
    row: usize,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    let mut first = true;
    for (name, array) in columns.filter(|(_, array)| !is_null(*array, row)) {
        if !first {
            out.push(b',');
        }
        first = false;
        quote(name.as_bytes(), out);
        out.push(b':');
        cell(array, row, out);
    }
    out.push(b'}');
}

fn is_null(array: &dyn Array, row: usize) -> bool {
    if array.is_null(row) || matches!(array.data_type(), DataType::Null) {
        return true;
    }
    if let Some(several) = array.as_union_opt() {
        let (values, row) = (several.child(several.type_id(row)), several.value_offset(row));
        return is_null(values, row);
    }
    entry(array, row).is_some_and(|(values, key)| values.is_empty() || is_null(&values, key))
}

/// The values of a dictionary and the number of the one that `row` means.
fn entry(array: &dyn Array, row: usize) -> Option<(ArrayRef, usize)> {
    array.as_any_dictionary_opt()?;
    // Of one row only: the keys of all would be translated for each.
    let one = array.slice(row, 1);
    let dictionary = one.as_any_dictionary_opt()?;
    let values = dictionary.values().clone();
    let key = if values.is_empty() { 0 } else { dictionary.normalized_keys()[0] };
    Some((values, key))
}

fn elements(array: &dyn Array, out: &mut Vec<u8>) {
    out.push(b'[');
    for row in 0..array.len() {
        if row > 0 {
            out.push(b',');
        }
        cell(array, row, out);
    }
    out.push(b']');
}

/// Appends the JSON text of a cell.
pub(super) fn cell(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    if is_null(array, row) {
        out.extend_from_slice(b"null");
        return;
    }
    if let Some((values, key)) = entry(array, row) {
        return cell(&values, key, out);
    }
    match array.data_type() {
        DataType::Struct(fields) => {
            let names = fields.iter().map(|f| f.name().as_str());
            let columns = array.as_struct().columns().iter().map(AsRef::as_ref);
            members(names.zip(columns), row, out);
        }
        DataType::List(_) => elements(array.as_list::<i32>().value(row).as_ref(), out),
        DataType::LargeList(_) => elements(array.as_list::<i64>().value(row).as_ref(), out),
        DataType::FixedSizeList(..) => {
            elements(array.as_fixed_size_list().value(row).as_ref(), out);
        }
        DataType::Map(..) => map(array, row, out),
        DataType::Union(..) => {
            let several = array.as_union();
            cell(several.child(several.type_id(row)), several.value_offset(row), out);
        }
        DataType::Timestamp(unit, _) => timestamp(array, *unit, row, out),
        DataType::Decimal256(_, scale) => {
            let value = array.as_primitive::<Decimal256Type>().value(row);
            let mut shown = String::new();
            decimal(&value.to_string(), *scale, &mut shown);
            out.extend_from_slice(shown.as_bytes());
        }
        _ => match Leaf::of(array).raw(row) {
            Raw::Nested => unknown(array, row, out),
            raw => plain(raw, out),
        },
    }
}

/// A map as an object; its keys are strings, or else their JSON text as strings.
fn map(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    let entries = array.as_map().value(row);
    out.push(b'{');
    for entry in 0..entries.len() {
        if entry > 0 {
            out.push(b',');
        }
        let mut name = Vec::new();
        cell(entries.column(0).as_ref(), entry, &mut name);
        match name.first() {
            Some(b'"') => out.append(&mut name),
            _ => quote(&name, out),
        }
        out.push(b':');
        cell(entries.column(1).as_ref(), entry, out);
    }
    out.push(b'}');
}

fn plain(raw: Raw<'_>, out: &mut Vec<u8>) {
    let mut shown = String::new();
    match raw {
        Raw::Plain(text) => return quote(text, out),
        Raw::Bool(value) => shown.push_str(if value { "true" } else { "false" }),
        Raw::Decimal(value, scale) => decimal(&value.get().to_string(), scale, &mut shown),
        Raw::Float(value, _) => shown = float_text(raw).unwrap_or_else(|| format!("\"{value}\"")),
        Raw::Bytes(bytes) => {
            shown.push('"');
            base64::encode(bytes, &mut shown);
            shown.push('"');
        }
        Raw::Days(days) => {
            shown.push('"');
            text::date(days.into(), &mut shown);
            shown.push('"');
        }
        raw => {
            if !raw.name(out) {
                shown.push_str("null");
            }
        }
    }
    out.extend_from_slice(shown.as_bytes());
}

/// A whole number in units of 10^-scale.
fn decimal(unscaled: &str, scale: i8, out: &mut String) {
    let digits = unscaled.trim_start_matches('-');
    let sign = &unscaled[..unscaled.len() - digits.len()];
    // Of a scale below zero the zeros are written out.
    let zeros = if digits == "0" { 0 } else { usize::from(scale.min(0).unsigned_abs()) };
    let digits = format!("{digits}{:0<zeros$}", "");
    text::decimal(sign, &digits, usize::try_from(scale).unwrap_or(0), out);
}

fn timestamp(array: &dyn Array, unit: TimeUnit, row: usize, out: &mut Vec<u8>) {
    use arrow_array::types as t;
    let nanos = match unit {
        TimeUnit::Nanosecond => array.as_primitive::<t::TimestampNanosecondType>().value(row),
        _ => 0,
    };
    let mut shown = String::from("\"");
    match Leaf::of(array).raw(row) {
        // Nine digits, so that nothing is lost.
        Raw::Micros(Some(micros)) if nanos % 1000 != 0 => {
            text::timestamp(micros.div_euclid(1_000_000) * 1_000_000, &mut shown);
            shown.pop();
            shown.push_str(&format!(".{:09}Z", nanos.rem_euclid(1_000_000_000)));
        }
        Raw::Micros(Some(micros)) => text::timestamp(micros, &mut shown),
        // Beyond what microseconds can say: thousands of years from here.
        _ => shown.push_str("beyond all times"),
    }
    shown.push('"');
    out.extend_from_slice(shown.as_bytes());
}

/// Types without a meaning for any kind, in a form that shows as much as possible.
fn unknown(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    let number = match array.data_type() {
        DataType::Time32(TimeUnit::Second) => {
            i64::from(array.as_primitive::<Time32SecondType>().value(row))
        }
        DataType::Time32(_) => i64::from(array.as_primitive::<Time32MillisecondType>().value(row)),
        DataType::Time64(TimeUnit::Microsecond) => {
            array.as_primitive::<Time64MicrosecondType>().value(row)
        }
        DataType::Time64(_) => array.as_primitive::<Time64NanosecondType>().value(row),
        other => return quote(format!("({other})").as_bytes(), out),
    };
    out.extend_from_slice(number.to_string().as_bytes());
}

/// Appends `text` as a JSON string, escaping only what must be.
pub(super) fn quote(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut from = 0;
    for (at, &byte) in text.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            8 => b'b',
            9 => b't',
            10 => b'n',
            12 => b'f',
            13 => b'r',
            0..0x20 => 0,
            _ => continue,
        };
        out.extend_from_slice(&text[from..at]);
        from = at + 1;
        match short {
            0 => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            short => out.extend_from_slice(&[b'\\', short]),
        }
    }
    out.extend_from_slice(&text[from..]);
    out.push(b'"');
}
