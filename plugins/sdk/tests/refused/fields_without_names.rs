//! Refused while compiling, in words that help.
//~ name the fields: `Payment { amount: Decimal<2> }`
use retally::prelude::*;

#[derive(Event)]
#[select("/type")]
pub enum Event {
    #[when("payment")]
    Payment(Decimal<2>),
}

fn main() {}
