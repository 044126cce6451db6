//! Columns of two sides held against each other, a column at a time: which steps differ in their
//! records or view rows.

use super::rows::Range;
use super::shared::{Equality, SharedField, SharedFields};
use crate::digest::put_value;
use crate::schema::{Column, Spans, Value, Values};

/// Rows of both sides that must be equal for a step to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The step.
    pub(super) step: u32,
    /// Where the rows begin on each side.
    pub(super) at: [u32; 2],
    /// How many.
    pub(super) len: u32,
}

/// Marks the steps in which a shared field differs.
pub(super) fn mark(
    fields: &SharedFields,
    columns: [&[Column]; 2],
    spans: &[Span],
    marks: &mut [bool],
) {
    for field in &fields.pairs {
        let [a, b] = [0, 1].map(|side| &columns[side][field.columns[side]]);
        if a.missing.is_empty() && b.missing.is_empty() {
            mark_values(field, a, b, spans, marks);
        } else {
            each(spans, marks, |i, j| same(field, a.get(i), b.get(j)));
        }
    }
}

/// A loop for each kind, so that it is told once a column and not once a value.
fn mark_values(field: &SharedField, a: &Column, b: &Column, spans: &[Span], marks: &mut [bool]) {
    match (&a.values, &b.values, field.equality) {
        (Values::Boolean(a), Values::Boolean(b), _) => each(spans, marks, |i, j| a[i] == b[j]),
        (Values::Date(a), Values::Date(b), _) => each(spans, marks, |i, j| a[i] == b[j]),
        (Values::Integer(a), Values::Integer(b), _)
        | (Values::Timestamp(a), Values::Timestamp(b), _)
        | (Values::Decimal(a), Values::Decimal(b), Equality::Exact) => {
            each(spans, marks, |i, j| a[i] == b[j]);
        }
        (Values::Text(a), Values::Text(b), _)
        | (Values::Bytes(a), Values::Bytes(b), _)
        | (Values::Json(a), Values::Json(b), _) => mark_spans(a, b, spans, marks),
        _ => each(spans, marks, |i, j| same(field, a.get(i), b.get(j))),
    }
}

fn mark_spans(a: &Spans, b: &Spans, spans: &[Span], marks: &mut [bool]) {
    each(spans, marks, |i, j| a.get(i) == b.get(j));
}

#[inline(always)]
fn each(spans: &[Span], marks: &mut [bool], same: impl Fn(usize, usize) -> bool) {
    for span in spans {
        let [a, b] = span.at.map(|at| at as usize);
        if !(0..span.len as usize).all(|row| same(a + row, b + row)) {
            marks[span.step as usize] = true;
        }
    }
}

/// Whether two values of a shared field count as equal.
fn same(field: &SharedField, a: Option<Value<'_>>, b: Option<Value<'_>>) -> bool {
    match (a, b, field.equality) {
        (Some(Value::Decimal(a)), Some(Value::Decimal(b)), Equality::Scaled([fa, fb])) => {
            i128::from(a) * i128::from(fa) == i128::from(b) * i128::from(fb)
        }
        (Some(Value::Float(a)), Some(Value::Float(b)), equality) => {
            a.to_bits() == b.to_bits()
                || matches!(equality, Equality::Within(most) if (a - b).abs() <= most)
        }
        (Some(a), Some(b), _) => a == b,
        (a, b, _) => a.is_none() && b.is_none(),
    }
}

/// Whether the view rows of two sides are equal: row by row, or, where rows have a key, each with
/// the one of its key.
pub(super) fn same_views(
    fields: &SharedFields,
    columns: [&[Column]; 2],
    ranges: [Range; 2],
) -> bool {
    if ranges[0].len != ranges[1].len {
        return false;
    }
    let rows = |side: usize| ranges[side].at..ranges[side].at + ranges[side].len;
    let equal = |(i, j): (u32, u32)| {
        let value = |side: usize, field: &SharedField, row: u32| {
            columns[side].get(field.columns[side])?.get(row as usize)
        };
        fields.pairs.iter().all(|field| same(field, value(0, field, i), value(1, field, j)))
    };
    if rows(0).zip(rows(1)).all(equal) {
        return true;
    }
    if fields.row_key.is_empty() || ranges[0].len < 2 {
        return false;
    }
    let sorted = |side: usize| {
        let mut keyed: Vec<(Vec<u8>, u32)> =
            rows(side).map(|row| (row_key(fields, columns[side], side, row), row)).collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, row)| row).collect::<Vec<_>>()
    };
    sorted(0).into_iter().zip(sorted(1)).all(equal)
}

/// Bytes by which rows of both sides with the same row key find each other.
fn row_key(fields: &SharedFields, columns: &[Column], side: usize, row: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &pair in &fields.row_key {
        let field = &fields.pairs[pair];
        let value = columns[field.columns[side]].get(row as usize);
        match (value, field.equality) {
            (Some(Value::Decimal(units)), Equality::Scaled(factors)) => {
                let units = i128::from(units) * i128::from(factors[side]);
                bytes.extend_from_slice(&units.to_le_bytes());
            }
            (value, _) => put_value(&mut bytes, 0, value),
        }
    }
    bytes
}
