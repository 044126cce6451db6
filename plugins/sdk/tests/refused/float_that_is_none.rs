//! Refused while compiling, in words that help.
//~ `#[float]` stands over a field that holds no float
use retally::prelude::*;

#[derive(State, Default)]
pub struct Account {
    #[float]
    paid: Decimal<2>,
}

fn main() {}
