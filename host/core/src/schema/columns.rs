//! Typed columns: flat number lists, or one byte list with ends. This is the only shape in which
//! values cross a boundary (decoder to fold, host to guest, fold to output).

use super::Kind;

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

    /// Appends a string. The caller keeps the sum of lengths below 4 GiB: batches are cut far
    /// below.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.close();
    }

    /// Ends the string that was written straight into `bytes`.
    #[inline]
    pub fn close(&mut self) {
        debug_assert!(self.bytes.len() <= u32::MAX as usize);
        self.ends.push(self.bytes.len() as u32);
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// Empties both lists and keeps their memory.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }

    /// Checks what a guest promised: ends never decrease and the last is the number of bytes.
    pub fn check(&self) -> Result<(), ColumnError> {
        let mut last = 0;
        for (row, &end) in self.ends.iter().enumerate() {
            if end < last {
                return Err(ColumnError::EndsDecrease { row });
            }
            last = end;
        }
        if last as usize != self.bytes.len() {
            return Err(ColumnError::LastEnd { end: last, bytes: self.bytes.len() });
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

impl Values {
    /// An empty list for values of `kind`.
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(Vec::new()),
            Kind::Integer => Self::Integer(Vec::new()),
            Kind::Decimal { .. } => Self::Decimal(Vec::new()),
            Kind::Float => Self::Float(Vec::new()),
            Kind::Timestamp => Self::Timestamp(Vec::new()),
            Kind::Date => Self::Date(Vec::new()),
            Kind::Text => Self::Text(Spans::default()),
            Kind::Bytes => Self::Bytes(Spans::default()),
            Kind::Json => Self::Json(Spans::default()),
        }
    }

    /// An empty list for values of the same kind.
    pub fn empty(&self) -> Self {
        match self {
            Self::Boolean(_) => Self::Boolean(Vec::new()),
            Self::Integer(_) => Self::Integer(Vec::new()),
            Self::Decimal(_) => Self::Decimal(Vec::new()),
            Self::Float(_) => Self::Float(Vec::new()),
            Self::Timestamp(_) => Self::Timestamp(Vec::new()),
            Self::Date(_) => Self::Date(Vec::new()),
            Self::Text(_) => Self::Text(Spans::default()),
            Self::Bytes(_) => Self::Bytes(Spans::default()),
            Self::Json(_) => Self::Json(Spans::default()),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Boolean(v) => v.len(),
            Self::Integer(v) | Self::Decimal(v) | Self::Timestamp(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Date(v) => v.len(),
            Self::Text(v) | Self::Bytes(v) | Self::Json(v) => v.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether these values can be of `kind` (a decimal's scale is not told by its values).
    pub fn is(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Boolean(_), Kind::Boolean)
                | (Self::Integer(_), Kind::Integer)
                | (Self::Decimal(_), Kind::Decimal { .. })
                | (Self::Float(_), Kind::Float)
                | (Self::Timestamp(_), Kind::Timestamp)
                | (Self::Date(_), Kind::Date)
                | (Self::Text(_), Kind::Text)
                | (Self::Bytes(_), Kind::Bytes)
                | (Self::Json(_), Kind::Json)
        )
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
    ///
    /// # Errors
    /// [`ColumnError::WrongKind`] when it is not.
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
            _ => return Err(ColumnError::WrongKind),
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

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value at `row`, or none. A search among the missing rows: for loops over a whole column
    /// walk `missing` beside the rows instead.
    pub fn get(&self, row: usize) -> Option<Value<'_>> {
        if !self.missing.is_empty() && self.missing.binary_search(&(row as u32)).is_ok() {
            return None;
        }
        Some(self.values.get(row))
    }

    /// Appends a value or its absence.
    ///
    /// # Errors
    /// [`ColumnError::WrongKind`] when the value is of another kind than the column.
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
            return Err(ColumnError::WrongKind);
        }
        if self.len() != rows {
            return Err(ColumnError::WrongLength { rows: self.len(), expected: rows });
        }
        if let Some(row) = self.missing.windows(2).position(|w| w[0] >= w[1]) {
            return Err(ColumnError::MissingOutOfOrder { row: self.missing[row + 1] as usize });
        }
        if let Some(&last) = self.missing.last()
            && last as usize >= rows
        {
            return Err(ColumnError::MissingBeyond { row: last as usize, rows });
        }
        match &self.values {
            Values::Boolean(v) if v.iter().any(|&b| b > 1) => Err(ColumnError::NotBoolean),
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
        let bad = self.iter().position(|row| std::str::from_utf8(row).is_err());
        Err(ColumnError::NotUtf8 { row: bad.unwrap_or(0) })
    }
}

/// A column that does not keep its promises. A fragment that fits behind "column `net` ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// Values of one kind under the declaration of another.
    #[error("is of another kind than declared")]
    WrongKind,
    /// Too few or too many rows.
    #[error("has {rows} rows instead of {expected}")]
    WrongLength {
        /// Rows that it has.
        rows: usize,
        /// Rows that it must have.
        expected: usize,
    },
    /// An end lies before the end of the row before.
    #[error("ends row {row} before it begins")]
    EndsDecrease {
        /// The row.
        row: usize,
    },
    /// The last end is not the number of bytes.
    #[error("ends its last row at byte {end} of {bytes}")]
    LastEnd {
        /// Where the last row ends.
        end: u32,
        /// How many bytes there are.
        bytes: usize,
    },
    /// The list of missing rows is not ascending.
    #[error("names missing row {row} out of order")]
    MissingOutOfOrder {
        /// The row.
        row: usize,
    },
    /// A missing row that the column does not have.
    #[error("names missing row {row} of {rows}")]
    MissingBeyond {
        /// The row.
        row: usize,
        /// Rows that the column has.
        rows: usize,
    },
    /// A boolean other than 0 or 1.
    #[error("holds a boolean that is neither 0 nor 1")]
    NotBoolean,
    /// Text that is not UTF-8.
    #[error("holds text that is not UTF-8 in row {row}")]
    NotUtf8 {
        /// The row.
        row: usize,
    },
}
