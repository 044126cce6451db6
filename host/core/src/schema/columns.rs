//! Typed columns: flat number lists, or one byte list with ends. This is the only shape in which
//! values cross a boundary (decoder to fold, host to guest, fold to output).

use super::Kind;
use std::mem::discriminant;

/// Many byte strings in one list: the first ends at `ends[0]`, the next at `ends[1]`, and so on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans {
    /// Where each string ends in `bytes`; never decreasing, the last equals `bytes.len()`.
    pub ends: Vec<u32>,
    /// The strings, one behind the other.
    pub bytes: Vec<u8>,
}

impl Spans {
    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string at `row`. Panics when there is none, as a slice would.
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[start..self.ends[row] as usize]
    }

    /// Whether `rows` strings from `row` on are those of `other` from `other_row` on. Panics when
    /// there are not as many, as a slice would.
    pub fn same_rows(&self, row: usize, other: &Self, other_row: usize, rows: usize) -> bool {
        let start = |spans: &Self, row: usize| if row == 0 { 0 } else { spans.ends[row - 1] };
        let (start_a, start_b) = (start(self, row), start(other, other_row));
        let ends_a = &self.ends[row..row + rows];
        let ends_b = &other.ends[other_row..other_row + rows];
        let end = |start: u32, ends: &[u32]| ends.last().map_or(start, |&end| end) as usize;
        // Without a branch in it the loop takes many rows a step.
        let lengths = ends_a.iter().zip(ends_b).fold(0, |differ, (&a, &b)| {
            differ | (a.wrapping_sub(start_a) ^ b.wrapping_sub(start_b))
        });
        lengths == 0
            && self.bytes[start_a as usize..end(start_a, ends_a)]
                == other.bytes[start_b as usize..end(start_b, ends_b)]
    }

    /// Whether strings of these lengths fit into one list, whose ends have 32 bits.
    pub fn can_hold(lens: impl IntoIterator<Item = usize>) -> bool {
        let sum = lens.into_iter().try_fold(0usize, usize::checked_add);
        sum.is_some_and(|sum| u32::try_from(sum).is_ok())
    }

    /// Appends a string. The caller makes sure that the list [can hold](Spans::can_hold) it: what
    /// is read of a batch is cut far below, what reducers make of it is asked about.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.close();
    }

    /// Ends the string that was written straight into `bytes`.
    #[inline]
    pub fn close(&mut self) {
        self.ends.push(self.bytes.len() as u32);
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// Memory that the strings take, in bytes.
    pub fn memory(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..])
    }

    /// Empties both lists and keeps their memory.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }

    /// Keeps the first `rows` strings.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.bytes.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }

    /// Checks what a guest promised: ends never decrease and the last is the number of bytes.
    pub fn check(&self) -> Result<(), ColumnError> {
        let mut last = 0;
        for (row, &end) in self.ends.iter().enumerate() {
            if end < last {
                return Err(ColumnError(format!("ends row {row} before it begins")));
            }
            last = end;
        }
        if last as usize != self.bytes.len() {
            let bytes = self.bytes.len();
            return Err(ColumnError(format!("ends its last row at byte {last} of {bytes}")));
        }
        Ok(())
    }
}

impl<'a> FromIterator<&'a [u8]> for Spans {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(rows: I) -> Self {
        let mut spans = Self::default();
        for row in rows {
            spans.push(row);
        }
        spans
    }
}

/// The values of a column, one per row, of one [`Kind`]. A row without a value holds zero or the
/// empty string here and is named in [`Column::missing`].
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// 0 or 1.
    Boolean(Vec<u8>),
    /// As they are.
    Integer(Vec<i64>),
    /// In units of 10^-scale; the scale stands in the declaration.
    Decimal(Vec<i64>),
    /// NaN only in its canonical form.
    Float(Vec<f64>),
    /// Microseconds since 1970.
    Timestamp(Vec<i64>),
    /// Days since 1970.
    Date(Vec<i32>),
    /// UTF-8.
    Text(Spans),
    /// Any bytes.
    Bytes(Spans),
    /// JSON texts.
    Json(Spans),
}

/// The same for the list of every kind.
macro_rules! list {
    ($values:expr, $list:ident => $result:expr) => {
        match $values {
            Values::Boolean($list) => $result,
            Values::Integer($list) | Values::Decimal($list) | Values::Timestamp($list) => $result,
            Values::Float($list) => $result,
            Values::Date($list) => $result,
            Values::Text($list) | Values::Bytes($list) | Values::Json($list) => $result,
        }
    };
}

/// Empty lists for values of each kind.
macro_rules! empty {
    ($($kind:ident)+) => {
        impl Values {
            /// An empty list for values of `kind`.
            pub fn new(kind: Kind) -> Self {
                match kind { $(Kind::$kind { .. } => Self::$kind(Default::default()),)+ }
            }

            /// An empty list for values of the same kind.
            pub fn empty(&self) -> Self {
                match self { $(Self::$kind(_) => Self::$kind(Default::default()),)+ }
            }
        }
    };
}

empty! { Boolean Integer Decimal Float Timestamp Date Text Bytes Json }

impl Values {
    /// Number of rows.
    pub fn len(&self) -> usize {
        list!(self, list => list.len())
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that the values take, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Boolean(v) => v.len(),
            Self::Integer(v) | Self::Decimal(v) | Self::Timestamp(v) => size_of_val(&v[..]),
            Self::Float(v) => size_of_val(&v[..]),
            Self::Date(v) => size_of_val(&v[..]),
            Self::Text(v) | Self::Bytes(v) | Self::Json(v) => v.memory(),
        }
    }

    /// Bytes of all strings; of other kinds none.
    pub fn texts(&self) -> usize {
        match self {
            Self::Text(v) | Self::Bytes(v) | Self::Json(v) => v.bytes.len(),
            _ => 0,
        }
    }

    /// Whether these values can be of `kind` (a decimal's scale is not told by its values).
    pub fn is(&self, kind: Kind) -> bool {
        discriminant(self) == discriminant(&Self::new(kind))
    }

    /// Keeps the first `rows` rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        list!(self, list => list.truncate(rows));
    }

    /// The value at `row`, whether or not the row is missing.
    pub fn get(&self, row: usize) -> Value<'_> {
        match self {
            Self::Boolean(v) => Value::Boolean(v[row] != 0),
            Self::Integer(v) => Value::Integer(v[row]),
            Self::Decimal(v) => Value::Decimal(v[row]),
            Self::Float(v) => Value::Float(v[row]),
            Self::Timestamp(v) => Value::Timestamp(v[row]),
            Self::Date(v) => Value::Date(v[row]),
            Self::Text(v) => Value::Text(v.get(row)),
            Self::Bytes(v) => Value::Bytes(v.get(row)),
            Self::Json(v) => Value::Json(v.get(row)),
        }
    }

    /// Appends zero or the empty string: the place of a missing value.
    pub fn push_zero(&mut self) {
        match self {
            Self::Boolean(v) => v.push(0),
            Self::Integer(v) | Self::Decimal(v) | Self::Timestamp(v) => v.push(0),
            Self::Float(v) => v.push(0.0),
            Self::Date(v) => v.push(0),
            Self::Text(v) | Self::Bytes(v) | Self::Json(v) => v.close(),
        }
    }

    /// Appends `value`, which must be of the same kind.
    pub fn push(&mut self, value: Value<'_>) -> Result<(), ColumnError> {
        match (self, value) {
            (Self::Boolean(v), Value::Boolean(x)) => v.push(u8::from(x)),
            (Self::Integer(v), Value::Integer(x))
            | (Self::Decimal(v), Value::Decimal(x))
            | (Self::Timestamp(v), Value::Timestamp(x)) => v.push(x),
            (Self::Float(v), Value::Float(x)) => v.push(x),
            (Self::Date(v), Value::Date(x)) => v.push(x),
            (Self::Text(v), Value::Text(x))
            | (Self::Bytes(v), Value::Bytes(x))
            | (Self::Json(v), Value::Json(x)) => v.push(x),
            _ => return Err(ColumnError::of_another_kind()),
        }
        Ok(())
    }
}

/// One value, borrowed from its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// See [`Kind::Boolean`].
    Boolean(bool),
    /// See [`Kind::Integer`].
    Integer(i64),
    /// See [`Kind::Decimal`].
    Decimal(i64),
    /// See [`Kind::Float`].
    Float(f64),
    /// See [`Kind::Timestamp`].
    Timestamp(i64),
    /// See [`Kind::Date`].
    Date(i32),
    /// See [`Kind::Text`]; UTF-8, checked where it entered.
    Text(&'a [u8]),
    /// See [`Kind::Bytes`].
    Bytes(&'a [u8]),
    /// See [`Kind::Json`].
    Json(&'a [u8]),
}

/// Values and which of them are absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// One value per row.
    pub values: Values,
    /// Rows without a value, ascending, each once.
    pub missing: Vec<u32>,
}

impl Column {
    /// An empty column of `kind`.
    pub fn new(kind: Kind) -> Self {
        Self { values: Values::new(kind), missing: Vec::new() }
    }

    /// One row of `kind` without a value: a param that is not set, or has no default.
    pub fn absent(kind: Kind) -> Self {
        let mut column = Self::new(kind);
        column.values.push_zero();
        column.missing.push(0);
        column
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Memory that the column takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.values.bytes() + size_of_val(&self.missing[..])
    }

    /// Keeps the first `rows` rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.missing.truncate(self.missing.partition_point(|&row| (row as usize) < rows));
        self.values.truncate(rows);
    }

    /// The value at `row`, or none. A search among the missing rows: for loops over a whole column
    /// walk `missing` beside the rows instead.
    pub fn get(&self, row: usize) -> Option<Value<'_>> {
        if !self.missing.is_empty() && self.missing.binary_search(&(row as u32)).is_ok() {
            return None;
        }
        Some(self.values.get(row))
    }

    /// Appends a value of the column's kind or its absence.
    pub fn push(&mut self, value: Option<Value<'_>>) -> Result<(), ColumnError> {
        match value {
            Some(value) => self.values.push(value),
            None => {
                self.missing.push(self.len() as u32);
                self.values.push_zero();
                Ok(())
            }
        }
    }

    /// Checks that the column is of `kind`, has `rows` rows, and keeps its own promises (UTF-8
    /// text, booleans 0 or 1, ends in order, missing rows ascending). Called on whatever a guest
    /// returns.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn check(&self, kind: Kind, rows: usize) -> Result<(), ColumnError> {
        if !self.values.is(kind) {
            return Err(ColumnError::of_another_kind());
        }
        if self.len() != rows {
            return Err(ColumnError(format!("has {} rows instead of {rows}", self.len())));
        }
        if let Some(row) = self.missing.windows(2).position(|w| w[0] >= w[1]) {
            let row = self.missing[row + 1];
            return Err(ColumnError(format!("names missing row {row} out of order")));
        }
        if let Some(&last) = self.missing.last()
            && last as usize >= rows
        {
            return Err(ColumnError(format!("names missing row {last} of {rows}")));
        }
        match &self.values {
            Values::Boolean(v) if v.iter().any(|&b| b > 1) => {
                Err(ColumnError("holds a boolean that is neither 0 nor 1".into()))
            }
            Values::Text(spans) | Values::Json(spans) => {
                spans.check()?;
                spans.check_utf8()
            }
            Values::Bytes(spans) => spans.check(),
            _ => Ok(()),
        }
    }
}

impl Spans {
    fn check_utf8(&self) -> Result<(), ColumnError> {
        let text = simdutf8::basic::from_utf8(&self.bytes);
        // Valid as a whole is not enough: an end may lie inside a character.
        let whole = text.is_ok_and(|t| self.ends.iter().all(|&e| t.is_char_boundary(e as usize)));
        if whole {
            return Ok(());
        }
        let bad = self.iter().position(|row| std::str::from_utf8(row).is_err()).unwrap_or(0);
        Err(ColumnError(format!("holds text that is not UTF-8 in row {bad}")))
    }
}

/// A column that does not keep its promises. A fragment that fits behind "column `net` ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ColumnError(pub String);

impl ColumnError {
    fn of_another_kind() -> Self {
        Self("is of another kind than declared".into())
    }
}
