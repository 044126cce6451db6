//! Refused while compiling, in words that help.
//~ say which events this variant takes: `#[when("payment")]`
use retally::prelude::*;

#[derive(Event)]
#[select("/type")]
pub enum Event {
    Payment { amount: i64 },
}

fn main() {}
