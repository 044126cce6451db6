//! A state that the SDK wrote is read by the host by the names of its layout: whatever the values,
//! and to the last byte.

#![cfg(feature = "testing")]

use proptest::prelude::*;
use retally::__private::{Codec as _, Layout};
use retally::prelude::*;
use retally_core::schema::{LayoutError, shown_state};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(State, Default, Debug, Clone)]
struct Account {
    orders: u64,
    change: i16,
    books: BTreeMap<String, Book>,
    seen: BTreeSet<u8>,
    last: VecDeque<char>,
    pairs: Vec<(bool, i128)>,
    three: [u32; 3],
    tier: Tier,
    boxed: Box<Place>,
    #[float]
    ratio: f64,
}

#[derive(State, Default, Debug, Clone)]
struct Book {
    net: Decimal<2>,
    since: Option<Timestamp>,
    day: Date,
}

#[derive(State, Default, Debug, Clone)]
struct Place(i64, Option<u8>);

#[derive(State, Default, Debug, Clone)]
enum Tier {
    #[default]
    Bronze,
    Silver(u8),
    Gold {
        left: i32,
    },
}

fn listed(begin: &str, end: &str, all: Vec<String>) -> String {
    let (begin, end) = if all.is_empty() { (begin.trim(), end.trim()) } else { (begin, end) };
    format!("{begin}{}{end}", all.join(", "))
}

fn money(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", units.unsigned_abs() / 100, units.unsigned_abs() % 100)
}

/// What is to be read.
fn expected(of: &Account) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let book = |(name, book): (&String, &Book)| {
        let since = or_none(book.since.map(|_| "1970-01-01T00:00:00.000005Z".to_owned()));
        let net = money(book.net.units());
        format!("{name:?}: {{ net: {net}, since: {since}, day: 1970-01-03 }}")
    };
    let tier = match &of.tier {
        Tier::Bronze => "Bronze".to_owned(),
        Tier::Silver(of) => format!("Silver({of})"),
        Tier::Gold { left } => format!("Gold {{ left: {left} }}"),
    };
    let Place(first, second) = &*of.boxed;
    format!(
        "{{ orders: {}, change: {}, books: {}, seen: {}, last: {}, pairs: {}, three: {}, tier: \
         {tier}, boxed: ({first}, {}), ratio: {:?} }}",
        of.orders,
        of.change,
        listed("{ ", " }", of.books.iter().map(book).collect()),
        listed("[", "]", of.seen.iter().map(u8::to_string).collect()),
        listed("[", "]", of.last.iter().map(|c| format!("{c:?}")).collect()),
        listed("[", "]", of.pairs.iter().map(|(a, b)| format!("({a}, {b})")).collect()),
        listed("[", "]", of.three.iter().map(u32::to_string).collect()),
        or_none(second.map(|second| second.to_string())),
        of.ratio,
    )
}

fn accounts() -> impl Strategy<Value = Account> {
    let book = (any::<i64>(), any::<bool>()).prop_map(|(units, has_begun)| Book {
        net: Decimal::from_units(units.into()),
        since: has_begun.then(|| Timestamp::from_micros(5)),
        day: Date::from_days(2),
    });
    let tier = prop_oneof![
        Just(Tier::Bronze),
        any::<u8>().prop_map(Tier::Silver),
        any::<i32>().prop_map(|left| Tier::Gold { left }),
    ];
    let numbers = (any::<u64>(), any::<i16>(), any::<[u32; 3]>(), -1e9..1e9f64);
    let lists = (
        prop::collection::btree_map(".{0,4}", book, 0..4),
        prop::collection::btree_set(any::<u8>(), 0..4),
        prop::collection::vec_deque(any::<char>(), 0..4),
        prop::collection::vec((any::<bool>(), any::<i128>()), 0..3),
    );
    let place = (any::<i64>(), any::<Option<u8>>()).prop_map(|(a, b)| Place(a, b));
    (numbers, lists, tier, place).prop_map(|(numbers, lists, tier, place)| {
        let (orders, change, three, ratio) = numbers;
        let (books, seen, last, pairs) = lists;
        let boxed = Box::new(place);
        Account { orders, change, books, seen, last, pairs, three, tier, boxed, ratio }
    })
}

proptest! {
    #[test]
    fn a_state_is_read_by_its_names(account in accounts()) {
        let layout = Layout::of::<Account>();
        let mut bytes = Vec::new();
        account.encode(&mut bytes);
        prop_assert_eq!(shown_state(&layout, &bytes), Ok(expected(&account)));
        // A byte less or more is no such state.
        bytes.push(0);
        prop_assert_eq!(shown_state(&layout, &bytes), Err(LayoutError::Bytes));
        bytes.truncate(bytes.len() - 2);
        prop_assert_eq!(shown_state(&layout, &bytes), Err(LayoutError::Bytes));
    }
}
