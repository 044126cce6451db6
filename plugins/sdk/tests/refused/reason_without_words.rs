//! Refused while compiling, in words that help.
//~ say what `TooLarge` means in a doc comment
use retally::prelude::*;

#[derive(Reason)]
pub enum Refusal {
    TooLarge,
}

fn main() {}
