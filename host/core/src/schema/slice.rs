//! Rows that follow one another, out of the lists that hold them.

use super::{Column, Spans, Values};
use std::ops::Range;

impl Spans {
    /// The strings in `rows`.
    #[must_use]
    pub(crate) fn slice(&self, rows: Range<usize>) -> Self {
        let begin = rows.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let ends: Vec<u32> = self.ends[rows].iter().map(|end| end - begin).collect();
        let length = ends.last().copied().unwrap_or_default();
        let bytes = self.bytes[begin as usize..(begin + length) as usize].to_vec();
        Self { bytes, ends }
    }
}

impl Values {
    fn slice(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Boolean(v) => Self::Boolean(v[rows].to_vec()),
            Self::Integer(v) => Self::Integer(v[rows].to_vec()),
            Self::Decimal(v) => Self::Decimal(v[rows].to_vec()),
            Self::Float(v) => Self::Float(v[rows].to_vec()),
            Self::Timestamp(v) => Self::Timestamp(v[rows].to_vec()),
            Self::Date(v) => Self::Date(v[rows].to_vec()),
            Self::Text(v) => Self::Text(v.slice(rows)),
            Self::Bytes(v) => Self::Bytes(v.slice(rows)),
            Self::Json(v) => Self::Json(v.slice(rows)),
        }
    }
}

impl Column {
    /// The values in `rows`.
    #[must_use]
    pub(crate) fn slice(&self, rows: Range<usize>) -> Self {
        let before = |row: usize| self.missing.partition_point(|&missing| (missing as usize) < row);
        let missing = &self.missing[before(rows.start)..before(rows.end)];
        let missing = missing.iter().map(|row| row - rows.start as u32).collect();
        Self { values: self.values.slice(rows), missing }
    }
}
