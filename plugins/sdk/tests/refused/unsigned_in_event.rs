//! Refused while compiling, in words that help.
//~ `u64` cannot be a field of an event
//~ other integers: write `i64`
use retally::prelude::*;

#[derive(Event)]
#[select("/type")]
pub enum Event {
    #[when("payment")]
    Payment { amount: u64 },
}

fn main() {}
