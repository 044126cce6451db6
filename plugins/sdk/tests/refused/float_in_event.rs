//! Refused while compiling, in words that help.
//~ for money write `Decimal<2>`; for what truly is a float
use retally::prelude::*;

#[derive(Event)]
#[select("/type")]
pub enum Event<'a> {
    #[when("payment")]
    Payment { currency: &'a str, amount: Option<f64> },
}

fn main() {}
