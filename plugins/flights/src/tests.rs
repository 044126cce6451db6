//! What the rules of flights come to, flight by flight.

use super::*;
use retally::testing::{Ledger, Value, json};

/// A flight as the log has it, with what is not known left out.
fn flight(origin: &str, dep_delay: Option<i64>) -> Value {
    let mut flight = json!({"carrier": "UA", "flight": 1545, "origin": origin, "dest": "IAH"});
    if let Some(minutes) = dep_delay {
        flight["dep_delay"] = json!(minutes);
    }
    flight
}

fn row(origin: &str, counts: [i64; 5], on_time: &str, rating: &str) -> Value {
    let [flights, cancelled, delayed, delay_minutes, longest] = counts;
    json!({
        "origin": origin, "flights": flights, "cancelled": cancelled, "delayed": delayed,
        "delay_minutes": delay_minutes, "longest": longest, "on_time": on_time, "rating": rating,
    })
}

#[test]
fn every_origin_has_a_row_of_its_own() {
    let ledger = Ledger::<Flights>::new()
        .event("N14228", flight("EWR", Some(2)))
        .event("N14228", flight("LGA", Some(-3)))
        .event("N14228", flight("EWR", Some(40)))
        .event("N14228", flight("EWR", Some(0)))
        .event("N24211", flight("EWR", Some(7)));
    let ewr = row("EWR", [3, 0, 2, 42, 40], "0.3333", "poor");
    let lga = row("LGA", [1, 0, 0, 0, 0], "1.0000", "good");
    assert_eq!(ledger.view("N14228"), [ewr, lga]);
    assert!(ledger.violations("N14228").is_empty());
}

#[test]
fn a_cancelled_flight_has_no_delay_and_was_not_on_time() {
    let mut null = flight("JFK", None);
    null["dep_delay"] = Value::Null;
    let ledger = Ledger::<Flights>::new()
        .event("N1", flight("JFK", Some(-5)))
        .event("N1", flight("JFK", None))
        .event("N1", null);
    assert_eq!(ledger.view("N1"), [row("JFK", [3, 2, 0, 0, 0], "0.3333", "poor")]);
    assert!(ledger.emits("delay").is_empty());
}

#[test]
fn every_delay_is_emitted() {
    let ledger = Ledger::<Flights>::new()
        .event("N1", flight("JFK", Some(0)))
        .event("N1", flight("JFK", Some(1)))
        .event("N2", flight("LGA", Some(1301)));
    let delay =
        |origin: &str, minutes: i64| json!({"origin": origin, "dest": "IAH", "minutes": minutes});
    assert_eq!(ledger.emits("delay"), [delay("JFK", 1), delay("LGA", 1301)]);
}

#[test]
fn a_delay_begins_where_the_job_says() {
    let ledger = Ledger::<Flights>::new()
        .param("delayed_from", "15")
        .event("N1", flight("JFK", Some(14)))
        .event("N1", flight("JFK", Some(15)));
    assert_eq!(ledger.view("N1"), [row("JFK", [2, 0, 1, 15, 15], "0.5000", "poor")]);
}

#[test]
fn ratings_begin_where_the_job_says() {
    let rating = |good: &str, fair: &str| {
        let ledger = Ledger::<Flights>::new()
            .param("good_from", good)
            .param("fair_from", fair)
            .event("N1", flight("JFK", Some(0)))
            .event("N1", flight("JFK", Some(90)))
            .event("N1", flight("JFK", Some(0)));
        ledger.view("N1")[0]["rating"].clone()
    };
    // 2 of 3 are rounded to the nearest.
    assert_eq!(rating("0.6667", "0.5"), "good");
    assert_eq!(rating("0.6668", "0.6667"), "fair");
    assert_eq!(rating("0.7", "0.6668"), "poor");
}

#[test]
fn a_state_that_cannot_be_is_found() {
    let book = Book { flights: 1, cancelled: 1, delayed: 1, delay_minutes: 2, longest: 3 };
    let aircraft = Aircraft { origins: [("EWR".to_owned(), book)].into() };
    let ledger = Ledger::<Flights>::new().given("N1", &aircraft);
    assert_eq!(ledger.violations("N1"), ["counts-are-off", "minutes-are-off"]);
}

#[test]
fn what_is_no_flight_is_malformed() {
    let ledger = Ledger::<Flights>::new()
        .event("N1", json!({"type": "login"}))
        .event("N1", json!({"origin": "EWR", "dest": "IAH", "dep_delay": "2"}));
    assert_eq!(ledger.outcomes(), ["malformed: field-missing", "malformed: field-kind"]);
}
