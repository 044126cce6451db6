//! Refused while compiling, in words that help.
//~ "type" is no JSON pointer: write "/type"
use retally::prelude::*;

#[derive(Event)]
#[select("type")]
pub enum Event {
    #[when("payment")]
    Payment { amount: i64 },
}

fn main() {}
