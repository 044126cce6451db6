//! Columns of two sides held against each other, a column at a time: which steps differ in their
//! records or view rows. What equal means is [`judge()`]'s to say; values of one kind that are
//! equal only if they are the same are compared in loops of their own, because every event comes by
//! here.

use super::rows::Range;
use crate::{Fields, Judged, Pair, Rows, judge};
use retally_core::schema::{Column, Spans, Value, Values};

/// Most rows of a run or block: of one that differs each row is looked at.
const RUN_ROWS_MAX: usize = 64;

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

/// Rows that lie one behind the other on both sides, of a few steps. Mostly all of them are the
/// same, and told at once.
#[derive(Debug)]
struct Run {
    /// Where the rows begin on each side.
    at: [usize; 2],
    rows: usize,
    /// The first of its spans, and the first that is not.
    spans: [usize; 2],
}

/// Rows that face each other: those of a step must be equal for it to be.
#[derive(Debug)]
pub(super) enum Facing<'a> {
    /// Row by row, as they lie on both sides; the step of each row.
    Aligned(&'a [u32]),
    /// Step by step.
    Spanned(Spanned),
}

/// Spans, and the runs that they make.
#[derive(Debug, Default)]
pub(super) struct Spanned {
    spans: Vec<Span>,
    runs: Vec<Run>,
}

impl Spanned {
    /// Room for `spans`.
    pub(super) fn with_capacity(spans: usize) -> Self {
        Self { spans: Vec::with_capacity(spans), runs: Vec::new() }
    }

    /// Adds a step's rows.
    #[inline]
    pub(super) fn push(&mut self, span: Span) {
        let Self { spans, runs } = self;
        let [a, b] = span.at.map(|at| at as usize);
        let (rows, number) = (span.len as usize, spans.len());
        spans.push(span);
        if let Some(run) = runs.last_mut()
            && [run.at[0] + run.rows, run.at[1] + run.rows] == [a, b]
            && run.rows + rows <= RUN_ROWS_MAX
        {
            run.rows += rows;
            run.spans[1] = number + 1;
            return;
        }
        runs.push(Run { at: [a, b], rows, spans: [number, number + 1] });
    }
}

impl Facing<'_> {
    /// Marks the steps with rows that are not the same. `all`: whether so many rows from these two
    /// on are the same; where it says no, each is looked at.
    #[inline(always)]
    fn each(
        &self,
        marks: &mut [bool],
        all: impl Fn([usize; 2], usize) -> bool,
        same: impl Fn(usize, usize) -> bool,
    ) {
        match self {
            Self::Aligned(steps) => {
                for (block, steps) in steps.chunks(RUN_ROWS_MAX).enumerate() {
                    let at = block * RUN_ROWS_MAX;
                    if all([at; 2], steps.len()) {
                        continue;
                    }
                    for (row, &step) in (at..).zip(steps) {
                        marks[step as usize] |= !same(row, row);
                    }
                }
            }
            Self::Spanned(Spanned { spans, runs }) => {
                for run in runs {
                    if all(run.at, run.rows) {
                        continue;
                    }
                    for span in &spans[run.spans[0]..run.spans[1]] {
                        let [a, b] = span.at.map(|at| at as usize);
                        let equal = (0..span.len as usize).all(|row| same(a + row, b + row));
                        marks[span.step as usize] |= !equal;
                    }
                }
            }
        }
    }
}

/// Marks the steps in which a shared field differs, row by row.
pub(super) fn mark(
    fields: &Fields,
    columns: [&[Column]; 2],
    facing: &Facing<'_>,
    marks: &mut [bool],
) {
    for pair in &fields.pairs {
        let (a, b) = (&columns[0][pair.a], &columns[1][pair.b]);
        let is_plain = pair.kind_a == pair.kind_b && pair.tolerance.is_none();
        if a.missing.is_empty() && b.missing.is_empty() && is_plain {
            mark_values(pair, a, b, facing, marks);
        } else {
            facing.each(marks, |_, _| false, |i, j| same(pair, a.get(i), b.get(j)));
        }
    }
}

/// A loop for each kind, so that it is told once a column and not once a value.
fn mark_values(pair: &Pair, a: &Column, b: &Column, facing: &Facing<'_>, marks: &mut [bool]) {
    match (&a.values, &b.values) {
        (Values::Boolean(a), Values::Boolean(b)) => numbers(a, b, facing, marks),
        (Values::Date(a), Values::Date(b)) => numbers(a, b, facing, marks),
        (Values::Integer(a), Values::Integer(b))
        | (Values::Timestamp(a), Values::Timestamp(b))
        | (Values::Decimal(a), Values::Decimal(b)) => numbers(a, b, facing, marks),
        (Values::Text(a), Values::Text(b))
        | (Values::Bytes(a), Values::Bytes(b))
        | (Values::Json(a), Values::Json(b)) => texts(a, b, facing, marks),
        _ => facing.each(marks, |_, _| false, |i, j| same(pair, a.get(i), b.get(j))),
    }
}

fn numbers<T: PartialEq>(a: &[T], b: &[T], facing: &Facing<'_>, marks: &mut [bool]) {
    facing.each(marks, |[i, j], rows| a[i..i + rows] == b[j..j + rows], |i, j| a[i] == b[j]);
}

fn texts(a: &Spans, b: &Spans, facing: &Facing<'_>, marks: &mut [bool]) {
    facing.each(marks, |[i, j], rows| a.same_rows(i, b, j, rows), |i, j| a.get(i) == b.get(j));
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(row: &u8) -> &'static [u8] {
        [&b""[..], b"a", b"b", b"ab"][usize::from(*row)]
    }

    fn spans(rows: &[u8]) -> Spans {
        let mut spans = Spans::default();
        rows.iter().for_each(|row| spans.push(text(row)));
        spans
    }

    /// How many rows a step leaves out on each side, and how many it has.
    type Gaps = ([u32; 2], u32);

    fn steps() -> impl Strategy<Value = Vec<Gaps>> {
        proptest::collection::vec(([0..2u32, 0..2], 1..40u32), 0..12)
    }

    proptest! {
        /// Side B is as side A, step by step, but for a few rows.
        #[test]
        fn runs_mark_what_each_row_would(
            steps in steps(),
            values in proptest::collection::vec(0..4u8, 600),
            other in proptest::collection::btree_set(0..600usize, 0..5),
        ) {
            let (mut a, mut b): (Vec<u8>, Vec<u8>) = Default::default();
            let (mut facing, mut expected) = (Spanned::default(), Vec::new());
            for (step, ([gap_a, gap_b], len)) in (0..).zip(steps) {
                a.resize(a.len() + gap_a as usize, 0);
                b.resize(b.len() + gap_b as usize, 1);
                let at = [a.len() as u32, b.len() as u32];
                let rows = a.len()..a.len() + len as usize;
                let changed = |row: usize| (values[row] + u8::from(other.contains(&row))) % 4;
                a.extend(&values[rows.clone()]);
                b.extend(rows.clone().map(changed));
                facing.push(Span { step, at, len });
                expected.push(rows.into_iter().any(|row| other.contains(&row)));
            }
            let (steps, facing) = (expected.len(), Facing::Spanned(facing));
            let mut marks = [vec![false; steps], vec![false; steps]];
            numbers(&a, &b, &facing, &mut marks[0]);
            texts(&spans(&a), &spans(&b), &facing, &mut marks[1]);
            prop_assert_eq!(&marks[0], &expected);
            prop_assert_eq!(&marks[1], &expected);
        }

        #[test]
        fn aligned_rows_mark_their_steps(
            steps in proptest::collection::vec(0..4usize, 0..100),
            values in proptest::collection::vec(0..4u8, 400),
            other in proptest::collection::btree_set(0..400usize, 0..5),
        ) {
            let of = |(step, &rows): (usize, &usize)| vec![step as u32; rows];
            let owners: Vec<u32> = steps.iter().enumerate().flat_map(of).collect();
            let changed = |row: usize| (values[row] + u8::from(other.contains(&row))) % 4;
            let a = &values[..owners.len()];
            let b: Vec<u8> = (0..owners.len()).map(changed).collect();
            let mut expected = vec![false; steps.len()];
            for &row in other.iter().filter(|&&row| row < owners.len()) {
                expected[owners[row] as usize] = true;
            }
            let mut marks = [vec![false; steps.len()], vec![false; steps.len()]];
            numbers(a, &b, &Facing::Aligned(&owners), &mut marks[0]);
            texts(&spans(a), &spans(&b), &Facing::Aligned(&owners), &mut marks[1]);
            prop_assert_eq!(&marks[0], &expected);
            prop_assert_eq!(&marks[1], &expected);
        }
    }
}
