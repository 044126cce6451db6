//! Refused while compiling, in words that help.
//~ for money write `Decimal<2>`; for what truly is a float
use retally::prelude::*;

#[derive(State, Default)]
pub enum Account {
    #[default]
    New,
    Open { paid: Vec<(u8, f32)> },
}

fn main() {}
