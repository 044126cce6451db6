//! Refused while compiling, in words that help.
//~ for money write `Decimal<2>`; for what truly is a float
use retally::prelude::*;

#[derive(Params)]
pub struct Rates {
    #[param(default = 0.015)]
    fee_rate: f64,
}

fn main() {}
