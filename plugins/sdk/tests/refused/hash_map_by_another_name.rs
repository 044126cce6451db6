//! Refused while compiling, in words that help.
//~ a HashMap or HashSet has another order in every run: write BTreeMap or BTreeSet
use retally::prelude::*;

type Table = std::collections::HashMap<String, u64>;

#[derive(State, Default)]
pub struct Account {
    net: Table,
}

fn main() {}
