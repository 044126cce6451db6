//! Events as a reducer reads them: one value per field, straight from the batch's columns.

use crate::abi::{self, Kind, Values};
use crate::decimal::Decimal;
use crate::describe::{Shape, fields, texts};
use crate::time::{Date, Timestamp};

/// The types of event that a reducer reads. Made by `#[derive(Event)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no event",
    note = "write `#[derive(Event)] #[select(\"/type\")]` over an enum with a variant for each \
            type of event"
)]
pub trait Event<'a>: Sized {
    /// What is declared.
    const INPUTS: &'static [Input];
    /// The columns of all inputs, opened.
    type Columns;

    /// Opens the columns of a batch.
    fn open(columns: &'a [abi::List<abi::Column>]) -> Self::Columns;
    /// The event in row `row` of the columns of input `input`.
    fn read(columns: &Self::Columns, input: u8, row: usize) -> Self;
}

/// A type of event, as a macro declares it.
#[derive(Debug)]
pub struct Input {
    /// Its name.
    pub name: &'static str,
    /// All of these must hold.
    pub when: &'static [Condition],
    /// Pointers of the key's parts.
    pub key: &'static [&'static str],
    /// What is read.
    pub fields: &'static [Shape],
}

/// A condition of a selector.
#[derive(Debug)]
pub struct Condition {
    /// Pointer of the value.
    pub path: &'static str,
    /// Values that it may have; none: it must be there.
    pub any_of: &'static [&'static str],
}

impl Input {
    pub(crate) fn describe(&self) -> abi::Input {
        let condition =
            |c: &Condition| abi::Condition { path: c.path.into(), any_of: texts(c.any_of) };
        abi::Input {
            name: self.name.into(),
            when: self.when.iter().map(condition).collect(),
            key: texts(self.key),
            fields: fields(self.fields),
        }
    }
}

/// The text of a JSON value, as it stood in the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// A JSON value of `text`, which must be one.
    pub const fn from_text(text: &'a str) -> Self {
        Self(text)
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// A value that an event can hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of an event",
    label = "no kind of value",
    note = "an event holds bool, i64, Decimal<SCALE>, Timestamp, Date, &'a str, &'a [u8], \
            Json<'a>, f64 under `#[float]`, and Option of these for what may be absent",
    note = "other integers: write `i64`; text: write `&'a str` and `enum Event<'a>`; \
            amounts of money: write `Decimal<2>`"
)]
pub trait EventField<'a>: Sized {
    /// Its kind.
    const KIND: Kind;
    /// Digits after the point, of a decimal.
    const SCALE: u8 = 0;
    /// Whether an event without it is malformed.
    const REQUIRED: bool = true;
    /// Whether it is a float.
    const FLOAT: bool = matches!(Self::KIND, Kind::Float);
    /// Its column, opened.
    type Column;

    /// Opens a column.
    fn open(column: &'a abi::Column) -> Self::Column;
    /// The value in a row.
    fn get(column: &Self::Column, row: usize) -> Self;
}

/// The shape of an event's field.
pub const fn event_shape<'a, F: EventField<'a>>(
    name: &'static str,
    paths: &'static [&'static str],
) -> Shape {
    Shape { name, paths, kind: F::KIND, scale: F::SCALE, required: F::REQUIRED }
}

/// The host passes the columns that were declared, in their order.
#[cold]
fn wrong() -> ! {
    unreachable!("a column of another kind than its field")
}

macro_rules! fields {
    ($(
        $type:ty $([const $s:ident: u8])?: $kind:ident, $column:ty,
        |$list:ident| $open:expr, |$opened:ident, $row:ident| $get:expr;
    )+) => {$(
        impl<'a $(, const $s: u8)?> EventField<'a> for $type {
            const KIND: Kind = Kind::$kind;
            $(const SCALE: u8 = $s;)?
            type Column = $column;

            fn open(column: &'a abi::Column) -> Self::Column {
                match &column.values {
                    Values::$kind($list) => $open,
                    _ => wrong(),
                }
            }

            #[inline]
            fn get($opened: &Self::Column, $row: usize) -> Self {
                $get
            }
        }
    )+};
}

fields! {
    bool: Boolean, &'a [u8], |list| list, |list, row| list[row] != 0;
    i64: Integer, &'a [i64], |list| list, |list, row| list[row];
    f64: Float, &'a [f64], |list| list, |list, row| list[row];
    Timestamp: Timestamp, &'a [i64], |list| list, |list, row| Self::from_micros(list[row]);
    Date: Date, &'a [i32], |list| list, |list, row| Self::from_days(list[row]);
    Decimal<S> [const S: u8]: Decimal, &'a [i64], |list| list,
        |list, row| Self::from_units(list[row].into());
    &'a str: Text, Texts<'a>, |spans| Texts::open(spans), |texts, row| texts.get(row);
    Json<'a>: Json, Texts<'a>, |spans| Texts::open(spans), |texts, row| Json(texts.get(row));
    &'a [u8]: Bytes, &'a abi::Spans, |spans| spans, |spans, row| spans.get(row);
}

/// Texts of one column: checked once as a whole, so that each is only a slice.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    ends: &'a [u32],
    text: &'a str,
}

impl<'a> Texts<'a> {
    pub(crate) fn open(spans: &'a abi::Spans) -> Self {
        match std::str::from_utf8(&spans.bytes) {
            Ok(text) => Self { ends: &spans.ends, text },
            Err(error) => panic!("the host passed text that is not UTF-8: {error}"),
        }
    }

    #[inline]
    pub(crate) fn get(&self, row: usize) -> &'a str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.text[start..self.ends[row] as usize]
    }
}

impl abi::Spans {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[start..self.ends[row] as usize]
    }
}

impl<'a, T: EventField<'a>> EventField<'a> for Option<T> {
    const KIND: Kind = T::KIND;
    const SCALE: u8 = T::SCALE;
    const REQUIRED: bool = false;
    /// The values, and a bit for each row up to the last missing one.
    type Column = (T::Column, Vec<u64>);

    fn open(column: &'a abi::Column) -> Self::Column {
        const { assert!(T::REQUIRED, "an Option inside of an Option: one is enough") }
        let words = column.missing.last().map_or(0, |&row| row as usize / 64 + 1);
        let mut missing = vec![0u64; words];
        for &row in column.missing.iter() {
            missing[row as usize / 64] |= 1 << (row % 64);
        }
        (T::open(column), missing)
    }

    #[inline]
    fn get((values, missing): &Self::Column, row: usize) -> Self {
        let gone = missing.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1);
        (!gone).then(|| T::get(values, row))
    }
}
