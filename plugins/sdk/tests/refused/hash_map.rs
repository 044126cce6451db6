//! Refused while compiling, in words that help.
//~ write BTreeMap
use retally::prelude::*;

use std::collections::HashMap;

#[derive(State, Default)]
pub struct Account {
    net: HashMap<String, Decimal<2>>,
}

fn main() {}
