//! Refused while compiling, in words that help.
//~ for money write `Decimal<2>`; for what truly is a float
use retally::prelude::*;

type Money = f64;

#[derive(State, Default)]
pub struct Account {
    paid: std::collections::BTreeMap<String, Money>,
}

fn main() {}
