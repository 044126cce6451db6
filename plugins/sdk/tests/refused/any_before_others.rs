//! Refused while compiling, in words that help.
//~ put it last
use retally::prelude::*;

#[derive(Event)]
pub enum Event {
    #[when(any)]
    Other,
    #[when(present = "/amount")]
    Payment { amount: i64 },
}

fn main() {}
