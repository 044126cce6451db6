//! What is new in version 2. What stayed the same is tested with version 1.

use super::*;
use retally::testing::{Ledger, json};

#[test]
fn a_flight_is_late_from_15_minutes_on() {
    let departed = |minutes: i64| json!({"origin": "JFK", "dest": "IAH", "dep_delay": minutes});
    let ledger = Ledger::<Flights>::new()
        .event("N1", departed(1))
        .event("N1", departed(14))
        .event("N1", departed(15))
        .event("N1", departed(45))
        .event("N1", json!({"origin": "JFK", "dest": "IAH"}));
    let row = json!({
        "origin": "JFK", "flights": 5, "cancelled": 1, "delayed": 2, "delay_minutes": 60,
        "longest": 45, "on_time": "0.4000", "rating": "poor",
    });
    assert_eq!(ledger.view("N1"), [row]);
    let minutes: Vec<_> = ledger.emits("delay").iter().map(|d| d["minutes"].clone()).collect();
    assert_eq!(minutes, [15, 45]);
}
