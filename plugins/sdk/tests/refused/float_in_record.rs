//! Refused while compiling, in words that help.
//~ for money write `Decimal<2>`; for what truly is a float
use retally::prelude::*;

#[derive(Record)]
pub struct Balance<'a> {
    currency: &'a str,
    paid: f64,
}

fn main() {}
