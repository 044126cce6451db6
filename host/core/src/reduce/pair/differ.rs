//! Columns of two sides held against each other, a column at a time: which steps differ in their
//! records or view rows. What equal means is [`judge`]'s to say; values of one kind that are equal
//! only if they are the same are compared in loops of their own, because every event comes by here.

use super::rows::Range;
use crate::compare::{Fields, Judged, Pair, Rows, judge};
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

/// Marks the steps in which a shared field differs, row by row.
pub(super) fn mark(fields: &Fields, columns: [&[Column]; 2], spans: &[Span], marks: &mut [bool]) {
    if spans.is_empty() {
        return;
    }
    for pair in &fields.pairs {
        let (a, b) = (&columns[0][pair.a], &columns[1][pair.b]);
        if a.missing.is_empty() && b.missing.is_empty() && pair.kind_a == pair.kind_b {
            mark_values(pair, a, b, spans, marks);
        } else {
            each(spans, marks, |i, j| same(pair, a.get(i), b.get(j)));
        }
    }
}

/// A loop for each kind, so that it is told once a column and not once a value.
fn mark_values(pair: &Pair, a: &Column, b: &Column, spans: &[Span], marks: &mut [bool]) {
    match (&a.values, &b.values) {
        (Values::Boolean(a), Values::Boolean(b)) => each(spans, marks, |i, j| a[i] == b[j]),
        (Values::Date(a), Values::Date(b)) => each(spans, marks, |i, j| a[i] == b[j]),
        (Values::Integer(a), Values::Integer(b))
        | (Values::Timestamp(a), Values::Timestamp(b))
        | (Values::Decimal(a), Values::Decimal(b)) => each(spans, marks, |i, j| a[i] == b[j]),
        (Values::Text(a), Values::Text(b))
        | (Values::Bytes(a), Values::Bytes(b))
        | (Values::Json(a), Values::Json(b)) => mark_spans(a, b, spans, marks),
        _ => each(spans, marks, |i, j| same(pair, a.get(i), b.get(j))),
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

fn same(pair: &Pair, a: Option<Value<'_>>, b: Option<Value<'_>>) -> bool {
    judge(pair, a, b) != Judged::Different
}

/// Whether the view rows of two sides are the same, in whatever order if they have a row key.
pub(super) fn same_views(fields: &Fields, columns: [&[Column]; 2], ranges: [Range; 2]) -> bool {
    let [a, b] = [0, 1].map(|side: usize| Rows {
        columns: columns[side],
        start: ranges[side].at as usize,
        end: (ranges[side].at + ranges[side].len) as usize,
    });
    fields.same_rows(a, b)
}
