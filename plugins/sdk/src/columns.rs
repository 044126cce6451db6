//! Columns as they grow while a reducer emits, and the values that can be put into them.

use crate::abi::{self, Kind};
use crate::decimal::Decimal;
use crate::describe::Shape;
use crate::event::Json;
use crate::time::{Date, Timestamp};

/// The columns of one kind of record.
pub struct Columns {
    columns: Vec<Column>,
}

/// One column: values and which of them are absent.
pub struct Column {
    kind: Kind,
    store: Store,
    missing: Vec<u32>,
}

enum Store {
    Byte(Vec<u8>),
    Number(Vec<i64>),
    Float(Vec<f64>),
    Day(Vec<i32>),
    Spans { ends: Vec<u32>, bytes: Vec<u8> },
}

impl Columns {
    pub(crate) fn new(fields: &[Shape]) -> Self {
        Self { columns: fields.iter().map(|field| Column::new(field.kind)).collect() }
    }

    /// Appends `value` to the column of field `field`.
    #[inline]
    #[track_caller]
    pub fn put<C: Cell>(&mut self, field: usize, value: &C) {
        value.put(&mut self.columns[field]);
    }

    /// Takes all rows from number `rows` on back.
    #[cold]
    pub(crate) fn cut(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.cut(rows);
        }
    }

    pub(crate) fn finish(self) -> abi::List<abi::Column> {
        self.columns.into_iter().map(Column::finish).collect()
    }
}

impl Column {
    fn new(kind: Kind) -> Self {
        let store = match kind {
            Kind::Boolean => Store::Byte(Vec::new()),
            Kind::Integer | Kind::Decimal | Kind::Timestamp => Store::Number(Vec::new()),
            Kind::Float => Store::Float(Vec::new()),
            Kind::Date => Store::Day(Vec::new()),
            Kind::Text | Kind::Bytes | Kind::Json => {
                Store::Spans { ends: Vec::new(), bytes: Vec::new() }
            }
        };
        Self { kind, store, missing: Vec::new() }
    }

    fn len(&self) -> usize {
        match &self.store {
            Store::Byte(v) => v.len(),
            Store::Number(v) => v.len(),
            Store::Float(v) => v.len(),
            Store::Day(v) => v.len(),
            Store::Spans { ends, .. } => ends.len(),
        }
    }

    fn cut(&mut self, rows: usize) {
        match &mut self.store {
            Store::Byte(v) => v.truncate(rows),
            Store::Number(v) => v.truncate(rows),
            Store::Float(v) => v.truncate(rows),
            Store::Day(v) => v.truncate(rows),
            Store::Spans { ends, bytes } => {
                ends.truncate(rows);
                bytes.truncate(ends.last().map_or(0, |&end| end as usize));
            }
        }
        while self.missing.last().is_some_and(|&row| row as usize >= rows) {
            self.missing.pop();
        }
    }

    fn missing(&mut self) {
        self.missing.push(self.len() as u32);
        match &mut self.store {
            Store::Byte(v) => v.push(0),
            Store::Number(v) => v.push(0),
            Store::Float(v) => v.push(0.0),
            Store::Day(v) => v.push(0),
            Store::Spans { ends, bytes } => ends.push(bytes.len() as u32),
        }
    }

    fn finish(self) -> abi::Column {
        let values = match (self.store, self.kind) {
            (Store::Byte(v), _) => abi::Values::Boolean(v.into()),
            (Store::Number(v), Kind::Integer) => abi::Values::Integer(v.into()),
            (Store::Number(v), Kind::Timestamp) => abi::Values::Timestamp(v.into()),
            (Store::Number(v), _) => abi::Values::Decimal(v.into()),
            (Store::Float(v), _) => abi::Values::Float(v.into()),
            (Store::Day(v), _) => abi::Values::Date(v.into()),
            (Store::Spans { ends, bytes }, kind) => {
                let spans = abi::Spans { ends: ends.into(), bytes: bytes.into() };
                match kind {
                    Kind::Text => abi::Values::Text(spans),
                    Kind::Json => abi::Values::Json(spans),
                    _ => abi::Values::Bytes(spans),
                }
            }
        };
        abi::Column { values, missing: self.missing.into() }
    }

    #[inline]
    fn number(&mut self, value: i64) {
        match &mut self.store {
            Store::Number(v) => v.push(value),
            _ => wrong(),
        }
    }

    #[inline]
    fn span(&mut self, value: &[u8]) {
        match &mut self.store {
            Store::Spans { ends, bytes } => {
                bytes.extend_from_slice(value);
                assert!(bytes.len() <= u32::MAX as usize, "a batch's emits are beyond 4 GiB");
                ends.push(bytes.len() as u32);
            }
            _ => wrong(),
        }
    }
}

/// A column is made for the kind of the cells that are put into it.
#[cold]
fn wrong() -> ! {
    unreachable!("a value of another kind than its column")
}

/// A value that a record can hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a record",
    label = "no kind of value",
    note = "a record holds bool, i64 (i32, u32 and u64 are widened), f64, Decimal<SCALE>, \
            Timestamp, Date, &str, String, &[u8], Vec<u8>, Json, and Option of these",
    note = "spread a nested struct out into fields of its own"
)]
pub trait Cell {
    /// Its kind.
    const KIND: Kind;
    /// Digits after the point, of a decimal.
    const SCALE: u8 = 0;
    /// Whether every record has it.
    const REQUIRED: bool = true;

    /// Appends it. A panic is told of the line that emits.
    #[track_caller]
    fn put(&self, column: &mut Column);
}

macro_rules! numbers {
    ($($type:ty: $kind:ident, |$value:ident| $as:expr;)+) => {$(
        impl Cell for $type {
            const KIND: Kind = Kind::$kind;

            #[inline]
            fn put(&self, column: &mut Column) {
                let $value = *self;
                column.number($as);
            }
        }
    )+};
}

numbers! {
    i64: Integer, |v| v;
    i32: Integer, |v| i64::from(v);
    u32: Integer, |v| i64::from(v);
    u64: Integer, |v| match i64::try_from(v) {
        Ok(v) => v,
        Err(_) => panic!("{v} is beyond an integer of 64 bits"),
    };
    Timestamp: Timestamp, |v| v.micros();
}

impl<const S: u8> Cell for Decimal<S> {
    const KIND: Kind = Kind::Decimal;
    const SCALE: u8 = S;

    #[inline]
    fn put(&self, column: &mut Column) {
        column.number(self.to_column());
    }
}

impl Cell for bool {
    const KIND: Kind = Kind::Boolean;

    #[inline]
    fn put(&self, column: &mut Column) {
        match &mut column.store {
            Store::Byte(v) => v.push(u8::from(*self)),
            _ => wrong(),
        }
    }
}

impl Cell for f64 {
    const KIND: Kind = Kind::Float;

    #[inline]
    fn put(&self, column: &mut Column) {
        match &mut column.store {
            // One NaN for all: which bits a computation leaves is the machine's business.
            Store::Float(v) => v.push(if self.is_nan() { f64::NAN } else { *self }),
            _ => wrong(),
        }
    }
}

impl Cell for Date {
    const KIND: Kind = Kind::Date;

    #[inline]
    fn put(&self, column: &mut Column) {
        match &mut column.store {
            Store::Day(v) => v.push(self.days()),
            _ => wrong(),
        }
    }
}

macro_rules! spans {
    ($($type:ty: $kind:ident, |$value:ident| $bytes:expr;)+) => {$(
        impl Cell for $type {
            const KIND: Kind = Kind::$kind;

            #[inline]
            fn put(&self, column: &mut Column) {
                let $value = self;
                column.span($bytes);
            }
        }
    )+};
}

spans! {
    &str: Text, |v| v.as_bytes();
    String: Text, |v| v.as_bytes();
    &[u8]: Bytes, |v| v;
    Vec<u8>: Bytes, |v| v;
    Json<'_>: Json, |v| v.as_str().as_bytes();
}

impl<C: Cell> Cell for Option<C> {
    const KIND: Kind = C::KIND;
    const SCALE: u8 = C::SCALE;
    const REQUIRED: bool = false;

    #[inline]
    fn put(&self, column: &mut Column) {
        const { assert!(C::REQUIRED, "an Option inside of an Option: one is enough") }
        match self {
            Some(value) => value.put(column),
            None => column.missing(),
        }
    }
}
