//! Params: values that a job sets, read once per call.

use crate::abi;
use crate::columns::{Cell, Column};
use crate::decimal::Decimal;
use crate::describe::Shape;
use crate::event::EventField;
use crate::time::{Date, Timestamp};

/// Values that a job may set. Made by `#[derive(Params)]` over a struct; `()` for none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the params of a reducer",
    note = "write `#[derive(Params)]` over a struct with named fields, or `type Params = ();`"
)]
pub trait Params: Sized {
    /// What is declared.
    const FIELDS: &'static [Shape];

    /// What each is where the job sets none: a column of one row.
    fn defaults() -> abi::List<abi::Column>;

    /// Reads them: one column of one row each.
    fn read(columns: &[abi::Column]) -> Self;
}

impl Params for () {
    const FIELDS: &'static [Shape] = &[];

    fn defaults() -> abi::List<abi::Column> {
        abi::List::default()
    }

    fn read(_columns: &[abi::Column]) -> Self {}
}

/// A value that a job can set.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a param",
    label = "no kind of value",
    note = "a param is bool, i64, Decimal<SCALE>, Timestamp, Date, String, Vec<u8>, f64 under \
            `#[float]`, or Option of these; give others a value with `#[param(default = ...)]`"
)]
pub trait Param: Cell + Sized {
    /// Reads it, where it was set or has a default.
    fn read(column: &abi::Column) -> Option<Self>;
}

/// The default of a param, declared.
pub fn param_default<P: Param>(value: Option<P>) -> abi::Column {
    Column::one(value.as_ref())
}

/// The shape of a param. One with a default need not be set.
pub const fn param_shape<P: Param>(name: &'static str, default: bool) -> Shape {
    let required = P::REQUIRED && !default;
    Shape { name, paths: &[], kind: P::KIND, scale: P::SCALE, required }
}

macro_rules! params {
    ($($type:ty $([$(const $s:ident: u8),+])?: $read:ty, $into:expr;)+) => {$(
        impl$(<$(const $s: u8),+>)? Param for $type {
            fn read(column: &abi::Column) -> Option<Self> {
                if !column.missing.is_empty() {
                    return None;
                }
                let open = <$read as EventField>::open(column);
                Some($into(<$read as EventField>::get(&open, 0)))
            }
        }
    )+};
}

params! {
    bool: bool, |v| v;
    i64: i64, |v| v;
    f64: f64, |v| v;
    Timestamp: Timestamp, |v| v;
    Date: Date, |v| v;
    Decimal<S> [const S: u8]: Decimal<S>, |v| v;
    String: &str, |v: &str| v.to_owned();
    Vec<u8>: &[u8], |v: &[u8]| v.to_vec();
}

impl<P: Param> Param for Option<P> {
    fn read(column: &abi::Column) -> Option<Self> {
        const { assert!(P::REQUIRED, "an Option inside of an Option: one is enough") }
        Some(P::read(column))
    }
}
