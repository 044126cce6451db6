//! Refused while compiling, in words that help.
//~ two kinds with the same record
use retally::prelude::*;

#[derive(Record)]
pub struct Balance {
    net: i64,
}

#[derive(Emit)]
pub enum Out {
    Before(Balance),
    After(Balance),
}

fn main() {}
