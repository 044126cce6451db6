//! Whether two values, rows or lists of rows are the same: the one place that says what equal
//! means. Floats are the same by their bits, decimals of two scales by their value, unless a
//! tolerance says how far apart two of them may be; JSON by its text as it stood in the event.

use super::align::{Fields, Pair};
use super::exact::{delta, units};
use super::model::SideOf;
use super::sink::Delta;
use retally_core::schema::{Column, Kind, Value};
use std::collections::BTreeMap;

/// Rows of one key (or records of one event) on one side: a range of the rows of some columns.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// One column per declared field.
    pub columns: &'a [Column],
    /// The first row.
    pub start: usize,
    /// Behind the last row.
    pub end: usize,
}

impl<'a> Rows<'a> {
    /// No rows.
    pub const NONE: Rows<'static> = Rows { columns: &[], start: 0, end: 0 };

    /// All rows of some columns.
    pub fn all(columns: &'a [Column]) -> Self {
        Self { columns, start: 0, end: columns.first().map_or(0, Column::len) }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The value of a field in a row, counted from the first.
    #[inline]
    pub fn get(&self, row: usize, field: usize) -> Option<Value<'a>> {
        self.columns[field].get(self.start + row)
    }

    /// The same of a row that there may not be.
    #[inline]
    pub(crate) fn find(&self, row: Option<usize>, field: usize) -> Option<Value<'a>> {
        self.get(row?, field)
    }
}

/// What comparing two values found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judged {
    /// The same, or missing on both sides.
    Same,
    /// Not the same, and within the field's tolerance.
    Tolerated(Delta),
    /// Not the same.
    Different,
}

/// Compares two values of a field.
#[inline]
pub fn judge(pair: &Pair, a: Option<Value<'_>>, b: Option<Value<'_>>) -> Judged {
    let (Some(a), Some(b)) = (a, b) else {
        return if a.is_none() && b.is_none() { Judged::Same } else { Judged::Different };
    };
    let same = match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Decimal(_), Value::Decimal(_)) if pair.kind_a != pair.kind_b => {
            let scale = if let Kind::Decimal { scale } = pair.kind() { scale } else { 0 };
            units(a, pair.kind_a, scale) == units(b, pair.kind_b, scale)
        }
        (a, b) => a == b,
    };
    match &pair.tolerance {
        _ if same => Judged::Same,
        None => Judged::Different,
        Some(tolerance) => match delta(Some(a), Some(b), pair.kind_a, pair.kind_b) {
            Some(delta) if tolerance.allows(delta) => Judged::Tolerated(delta),
            _ => Judged::Different,
        },
    }
}

impl Fields {
    /// Whether a row of A and one of B are the same in all shared fields.
    #[inline]
    pub(crate) fn same_row(&self, a: Rows<'_>, row_a: usize, b: Rows<'_>, row_b: usize) -> bool {
        self.pairs.iter().all(|pair| {
            let (a, b) = (a.get(row_a, pair.a), b.get(row_b, pair.b));
            judge(pair, a, b) != Judged::Different
        })
    }

    /// Whether two lists of rows are the same in all shared fields: what decides whether an event
    /// made two versions part.
    pub fn same_rows(&self, a: Rows<'_>, b: Rows<'_>) -> bool {
        if a.len() != b.len() {
            return false;
        }
        if (0..a.len()).all(|row| self.same_row(a, row, b, row)) {
            return true;
        }
        // The same rows in another order are the same, where the row key tells them apart.
        let mut pairs = Vec::new();
        self.row_pairs(a, b, &mut pairs);
        pairs.iter().all(|pair| match *pair {
            (Some(row_a), Some(row_b)) => self.same_row(a, row_a, b, row_b),
            _ => false,
        })
    }

    /// Which row of A belongs to which of B: by the row key, or by position. A's rows in their
    /// order, then those that only B has.
    pub(crate) fn row_pairs(
        &self,
        a: Rows<'_>,
        b: Rows<'_>,
        pairs: &mut Vec<(Option<usize>, Option<usize>)>,
    ) {
        pairs.clear();
        let side_by_side = a.len().min(b.len());
        if self.row_key.is_empty() || self.same_keys(a, b) {
            pairs.extend((0..side_by_side).map(|row| (Some(row), Some(row))));
            pairs.extend((side_by_side..a.len()).map(|row| (Some(row), None)));
            pairs.extend((side_by_side..b.len()).map(|row| (None, Some(row))));
            return;
        }
        // Of rows with one row key, which no reducer should make, the first belongs to the first.
        let mut of_b: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
        for row in (0..b.len()).rev() {
            of_b.entry(self.row_key_bytes(b, row, SideOf::B)).or_default().push(row);
        }
        let mut taken = vec![false; b.len()];
        for row in 0..a.len() {
            let rows = of_b.get_mut(&self.row_key_bytes(a, row, SideOf::A));
            let other = rows.and_then(Vec::pop);
            if let Some(other) = other {
                taken[other] = true;
            }
            pairs.push((Some(row), other));
        }
        pairs.extend((0..b.len()).filter(|&row| !taken[row]).map(|row| (None, Some(row))));
    }

    /// Whether both sides have the same row keys in the same places, which they nearly always do.
    fn same_keys(&self, a: Rows<'_>, b: Rows<'_>) -> bool {
        let same = |row: usize| {
            let mut keys = self.row_key.iter().map(|&number| &self.pairs[number]);
            keys.all(|pair| judge(pair, a.get(row, pair.a), b.get(row, pair.b)) == Judged::Same)
        };
        a.len() == b.len() && (0..a.len()).all(same)
    }

    /// The row key as bytes that are equal if and only if the values are.
    fn row_key_bytes(&self, rows: Rows<'_>, row: usize, of: SideOf) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &number in &self.row_key {
            let pair = &self.pairs[number];
            let (field, kind) = pair.side(of);
            let scale = if let Kind::Decimal { scale } = pair.kind() { scale } else { 0 };
            match rows.get(row, field) {
                None => bytes.push(0),
                Some(Value::Boolean(value)) => bytes.extend([1, u8::from(value)]),
                Some(Value::Float(value)) => {
                    bytes.push(1);
                    bytes.extend(value.to_bits().to_be_bytes());
                }
                Some(Value::Text(value) | Value::Bytes(value) | Value::Json(value)) => {
                    bytes.push(1);
                    bytes.extend((value.len() as u64).to_be_bytes());
                    bytes.extend(value);
                }
                Some(number) => {
                    bytes.push(1);
                    let units = units(number, kind, scale).unwrap_or_default();
                    bytes.extend(units.to_be_bytes());
                }
            }
        }
        bytes
    }
}
