//! Refused while compiling, in words that help.
//~ a state owns its values: write `String`, not `&'a str`
use retally::prelude::*;

#[derive(State)]
pub struct Account<'a> {
    name: &'a str,
}

fn main() {}
