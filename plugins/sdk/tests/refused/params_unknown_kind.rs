//! Refused while compiling, in words that help.
//~ `u64` cannot be a param
use retally::prelude::*;

#[derive(Params)]
pub struct Tiers {
    gold_from: u64,
}

fn main() {}
