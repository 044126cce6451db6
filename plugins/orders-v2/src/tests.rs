//! What is new in version 2. What stayed the same is tested with version 1.

use super::*;
use retally::testing::{Ledger, Value, json};

fn event(kind: &str, amount: &str) -> Value {
    json!({"type": kind, "amount": amount, "currency": "EUR"})
}

fn tiers(ledger: &Ledger<Orders>) -> Vec<Value> {
    ledger.emits("balance").iter().map(|balance| balance["tier"].clone()).collect()
}

#[test]
fn refunds_and_chargebacks_lower_the_tier_at_once() {
    let ledger = Ledger::<Orders>::new()
        .event("a1", event("payment", "250.00"))
        .event("a1", event("refund", "0.01"))
        .event("a1", event("payment", "0.01"))
        .event("a1", event("chargeback", "300.00"));
    assert_eq!(tiers(&ledger), ["silver", "bronze", "silver", "bronze"]);
    assert_eq!(ledger.emits("tier_changed").len(), 4);
}

#[test]
fn gold_takes_orders_too() {
    let ledger = Ledger::<Orders>::new()
        .event("a1", event("payment", "5000.00"))
        .event("a1", event("payment", "1.00"))
        .event("a1", event("payment", "1.00"));
    assert_eq!(tiers(&ledger), ["silver", "silver", "gold"]);
    assert_eq!(ledger.param("gold_orders", "1").view("a1")[0]["tier"], "gold");
}

#[test]
fn a_state_of_version_1_is_taken_over() {
    let book = v1::Book {
        gross: decimal!("300.00"),
        refunds: decimal!("60.00"),
        net: decimal!("240.00"),
        orders: 2,
        largest: decimal!("200.00"),
        last: Timestamp::from_micros(5),
        tier: v1::Tier::Silver,
    };
    let mut old = v1::Account { books: [("EUR".to_owned(), book)].into() };
    let ledger = Ledger::<Orders>::new();
    let new = ledger.migrate("a1", &old).expect("it can be taken over");
    let row = json!({
        "currency": "EUR", "gross": "300.00", "refunds": "60.00", "net": "240.00", "orders": 2,
        "largest": "200.00", "last": "1970-01-01T00:00:00.000005Z", "tier": "bronze",
    });
    assert_eq!(Ledger::<Orders>::new().given("a1", &new).view("a1"), [row]);

    old.books.slot("EUR").net = decimal!("1.00");
    let refused = ledger.migrate("a1", &old).err();
    assert_eq!(refused.as_deref(), Some("key a1: net 1.00 of EUR was wrong already"));
}
