//! Columns as they grow while a reducer emits, and the values that can be put into them.

use crate::abi::{self, Kind};
use crate::decimal::Decimal;
use crate::describe::Shape;
use crate::event::Json;
use crate::time::{Date, Timestamp};

/// Takes the fields of a record.
pub trait Sink {
    /// Takes the value of field `field`.
    #[track_caller]
    fn put<C: Cell>(&mut self, field: usize, value: &C);
}

/// The columns of one kind of record.
pub struct Columns {
    columns: Vec<Column>,
}

/// One column: values and which of them are absent.
pub(crate) struct Column {
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

impl Sink for Columns {
    #[inline(always)]
    #[track_caller]
    fn put<C: Cell>(&mut self, field: usize, value: &C) {
        self.columns[field].push(value.value());
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

    /// One row: a value, or none.
    pub(crate) fn one<C: Cell>(value: Option<&C>) -> abi::Column {
        let mut column = Self::new(C::KIND);
        column.push(value.map_or(Value::Missing, C::value));
        column.finish()
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

    /// Appends a value, which is of the column's kind.
    #[inline(always)]
    fn push(&mut self, value: Value<'_>) {
        match (&mut self.store, value) {
            (Store::Byte(v), Value::Byte(value)) => v.push(value),
            (Store::Number(v), Value::Number(value)) => v.push(value),
            (Store::Float(v), Value::Float(value)) => v.push(value),
            (Store::Day(v), Value::Day(value)) => v.push(value),
            (Store::Spans { ends, bytes }, Value::Span(value)) => {
                append(bytes, value);
                assert!(bytes.len() <= u32::MAX as usize, "a batch's emits are beyond 4 GiB");
                ends.push(bytes.len() as u32);
            }
            (_, Value::Missing) => self.missing(),
            _ => wrong(),
        }
    }
}

/// A column is made for the kind of the cells that are put into it.
#[cold]
fn wrong() -> ! {
    unreachable!("a value of another kind than its column")
}

/// A value as it stands in a column.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Byte(u8),
    Number(i64),
    Float(f64),
    Day(i32),
    Span(&'a [u8]),
    Missing,
}

/// Appends bytes, mostly few: a copy of known length is an instruction of wasm, one of unknown
/// length a call out of it.
#[inline]
pub(crate) fn append(into: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.split_first_chunk::<8>() {
        None => append_few(into, bytes),
        Some((first, rest)) if rest.len() <= 8 => {
            into.extend_from_slice(first);
            append_few(into, rest);
        }
        Some(_) => into.extend_from_slice(bytes),
    }
}

/// Appends at most 8 bytes, as a word of which the rest is cut off again.
#[inline]
fn append_few(into: &mut Vec<u8>, bytes: &[u8]) {
    let end = into.len() + bytes.len();
    into.extend_from_slice(&word(bytes));
    into.truncate(end);
}

/// At most 8 bytes, and zeros behind them.
#[inline]
pub(crate) fn word(bytes: &[u8]) -> [u8; 8] {
    let len = bytes.len();
    let half = |half: Option<&[u8; 4]>| half.map(|half| u64::from(u32::from_le_bytes(*half)));
    let word = match (half(bytes.first_chunk()), half(bytes.last_chunk())) {
        (Some(first), Some(last)) => first | last << (8 * (len - 4)),
        _ => {
            let byte = |at: usize| bytes.get(at).map_or(0, |&byte| u64::from(byte) << (8 * at));
            byte(0) | byte(1) | byte(2)
        }
    };
    word.to_le_bytes()
}

/// A value that a record can hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a record",
    label = "no kind of value",
    note = "a record holds bool, i64 (i32, u32 and u64 are widened), Decimal<SCALE>, \
            Timestamp, Date, &str, String, &[u8], Vec<u8>, Json, f64 under `#[float]`, and \
            Option of these",
    note = "spread a nested struct out into fields of its own"
)]
pub trait Cell {
    /// Its kind.
    const KIND: Kind;
    /// Digits after the point, of a decimal.
    const SCALE: u8 = 0;
    /// Whether every record has it.
    const REQUIRED: bool = true;
    /// Whether it is a float.
    const FLOAT: bool = matches!(Self::KIND, Kind::Float);

    /// What stands for it in a column. A panic is told of the line that emits.
    #[track_caller]
    fn value(&self) -> Value<'_>;
}

macro_rules! cells {
    ($($type:ty $([const $s:ident: u8])?: $kind:ident, |$v:ident| $value:expr;)+) => {$(
        impl$(<const $s: u8>)? Cell for $type {
            const KIND: Kind = Kind::$kind;
            $(const SCALE: u8 = $s;)?

            #[inline(always)]
            fn value(&self) -> Value<'_> {
                let $v = self;
                $value
            }
        }
    )+};
}

cells! {
    bool: Boolean, |v| Value::Byte(u8::from(*v));
    i64: Integer, |v| Value::Number(*v);
    i32: Integer, |v| Value::Number(i64::from(*v));
    u32: Integer, |v| Value::Number(i64::from(*v));
    u64: Integer, |v| Value::Number(match i64::try_from(*v) {
        Ok(v) => v,
        Err(_) => panic!("{v} is beyond an integer of 64 bits"),
    });
    // One NaN for all: which bits a computation leaves is the machine's business.
    f64: Float, |v| Value::Float(if v.is_nan() { f64::NAN } else { *v });
    Timestamp: Timestamp, |v| Value::Number(v.micros());
    Date: Date, |v| Value::Day(v.days());
    Decimal<S> [const S: u8]: Decimal, |v| Value::Number(v.to_column());
    &str: Text, |v| Value::Span(v.as_bytes());
    String: Text, |v| Value::Span(v.as_bytes());
    &[u8]: Bytes, |v| Value::Span(v);
    Vec<u8>: Bytes, |v| Value::Span(v);
    Json<'_>: Json, |v| Value::Span(v.as_str().as_bytes());
}

impl<C: Cell> Cell for Option<C> {
    const KIND: Kind = C::KIND;
    const SCALE: u8 = C::SCALE;
    const REQUIRED: bool = false;

    #[inline(always)]
    fn value(&self) -> Value<'_> {
        const { assert!(C::REQUIRED, "an Option inside of an Option: one is enough") }
        self.as_ref().map_or(Value::Missing, C::value)
    }
}
