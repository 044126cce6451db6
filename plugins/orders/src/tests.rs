//! What the rules of orders come to, event by event.

use super::*;
use retally::testing::{Ledger, Value, json};

fn event(kind: &str, amount: &str, currency: &str) -> Value {
    json!({"type": kind, "amount": amount, "currency": currency})
}

fn eur(kind: &str, amount: &str) -> Value {
    event(kind, amount, "EUR")
}

#[test]
fn payments_refunds_and_chargebacks_add_up() {
    let ledger = Ledger::<Orders>::new()
        .time("2026-03-01T12:00:00Z")
        .event("a1", eur("payment", "41.00"))
        .event("a1", eur("payment", "300.50"))
        .event("a1", eur("refund", "41.00"))
        .event("a1", eur("chargeback", "0.50"))
        .event("a1", event("payment", "7", "USD"));
    let eur = json!({
        "currency": "EUR", "gross": "341.50", "refunds": "41.50", "net": "300.00", "orders": 2,
        "largest": "300.50", "last": "2026-03-01T12:00:03Z", "tier": "silver",
    });
    let usd = json!({
        "currency": "USD", "gross": "7.00", "refunds": "0.00", "net": "7.00", "orders": 1,
        "largest": "7.00", "last": "2026-03-01T12:00:04Z", "tier": "bronze",
    });
    assert_eq!(ledger.view("a1"), [eur, usd]);
    assert!(ledger.violations("a1").is_empty());
}

#[test]
fn every_event_emits_the_running_balance() {
    let ledger = Ledger::<Orders>::new()
        .event("a1", eur("payment", "250.00"))
        .event("a1", eur("refund", "50.00"));
    assert_eq!(
        ledger.emits("balance"),
        [
            json!({"currency": "EUR", "net": "250.00", "tier": "silver"}),
            json!({"currency": "EUR", "net": "200.00", "tier": "silver"}),
        ]
    );
    let changed = json!({"currency": "EUR", "from": "bronze", "to": "silver"});
    assert_eq!(ledger.emits("tier_changed"), [changed]);
    assert!(ledger.param("emit_balances", "false").emits("balance").is_empty());
}

#[test]
fn a_refund_larger_than_what_was_captured_is_rejected() {
    let ledger = Ledger::<Orders>::new()
        .event("a1", eur("refund", "0.01"))
        .event("a2", eur("payment", "10.00"))
        .event("a2", eur("refund", "10.01"))
        .event("a2", event("refund", "1.00", "USD"))
        .event("a2", eur("refund", "10.00"))
        .event("a2", eur("chargeback", "10.00"));
    let (applied, rejected) = ("applied", "rejected: refund-too-large");
    assert_eq!(ledger.outcomes(), [rejected, applied, rejected, rejected, applied, applied]);
    assert_eq!(ledger.details()[2], "10.01 EUR, of which 10.00 is left");
    assert!(!ledger.has("a1"), "a rejected event gives no state");
    assert_eq!(ledger.view("a2").len(), 1, "nor a row");
    assert_eq!(ledger.view("a2")[0]["net"], "-10.00");
    assert_eq!(ledger.emits("balance").len(), 3);
}

#[test]
fn tiers_begin_where_the_job_says() {
    let ledger = Ledger::<Orders>::new()
        .param("silver_from", "1.00")
        .param("gold_from", "2.00")
        .event("a1", eur("payment", "1.99"))
        .event("a1", eur("payment", "0.01"))
        .event("a1", eur("chargeback", "2.00"));
    let tiers: Vec<Value> = ledger.emits("balance").iter().map(|b| b["tier"].clone()).collect();
    assert_eq!(tiers, ["silver", "gold", "gold"]);
}

#[test]
fn a_state_that_cannot_be_is_found() {
    let book = Book { gross: decimal!("300.00"), net: decimal!("299.99"), ..Book::default() };
    let account = Account { books: [("EUR".to_owned(), book)].into() };
    let ledger = Ledger::<Orders>::new().given("a1", &account);
    assert_eq!(ledger.violations("a1"), ["net-is-off", "tier-is-off"]);
}

#[test]
fn other_events_are_ignored_and_bad_ones_are_malformed() {
    let ledger = Ledger::<Orders>::new()
        .event("a1", json!({"type": "login"}))
        .event("a1", json!({"type": "payment", "amount": "1.001", "currency": "EUR"}))
        .event("a1", json!({"type": "payment", "amount": "1.00"}));
    let expected = ["ignored", "malformed: field-scale", "malformed: field-missing"];
    assert_eq!(ledger.outcomes(), expected);
}

#[test]
#[should_panic(expected = "event 2 stops the run: 184467440737095516.14 does not fit a record")]
fn a_sum_beyond_64_bits_stops_the_run_with_its_reason() {
    let much = || eur("payment", "92233720368547758.07");
    let _ = Ledger::<Orders>::new().event("a1", much()).event("a1", much()).outcomes();
}
