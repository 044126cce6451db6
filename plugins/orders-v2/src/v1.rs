//! The state of version 1, as it was.

use retally::prelude::*;
use std::collections::BTreeMap;

#[derive(State, Default)]
pub struct Account {
    pub books: BTreeMap<String, Book>,
}

#[derive(State, Default)]
pub struct Book {
    pub gross: Decimal<2>,
    pub refunds: Decimal<2>,
    pub net: Decimal<2>,
    pub orders: u64,
    pub largest: Decimal<2>,
    pub last: Timestamp,
    pub tier: Tier,
}

#[derive(State, Default)]
pub enum Tier {
    #[default]
    Bronze,
    Silver,
    Gold,
}
