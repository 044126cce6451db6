//! Refused while compiling, in words that help.
//~ write `#[select("/type")]` over the enum
use retally::prelude::*;

#[derive(Event)]
pub enum Event {
    #[when("payment")]
    Payment { amount: i64 },
}

fn main() {}
