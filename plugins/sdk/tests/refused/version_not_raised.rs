//! Refused while compiling, in words that help.
//~ a previous state has the same or a higher version: raise yours
use retally::prelude::*;

#[derive(State, Default)]
pub struct Old {
    net: i64,
}

#[derive(State, Default)]
#[state(previous = Old)]
pub struct Account {
    net: i64,
    tier: u8,
}

fn main() {}
