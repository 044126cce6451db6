//! Refused while compiling, in words that help.
//~ "payment" is taken by `Payment` already: the first variant wins
use retally::prelude::*;

#[derive(Event)]
#[select("/type")]
pub enum Event {
    #[when("payment")]
    Payment { amount: i64 },
    #[when("capture", "payment")]
    Capture { amount: i64 },
}

fn main() {}
