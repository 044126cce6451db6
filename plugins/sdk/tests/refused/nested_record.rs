//! Refused while compiling, in words that help.
//~ `Money` cannot be a field of a record
//~ spread a nested struct out into fields of its own
use retally::prelude::*;

#[derive(State, Default)]
pub struct Money {
    cents: i64,
}

#[derive(Record)]
pub struct Balance {
    net: Money,
}

fn main() {}
