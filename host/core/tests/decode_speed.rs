//! How long an event takes to decode, beside `serde_json` into a borrowed struct on the same lines.
//! Not a check: run it with `cargo test --release -p retally-core --test decode_speed -- --ignored
//! --nocapture`.
#![expect(clippy::unwrap_used, reason = "a test may end so")]
#![expect(clippy::disallowed_types, reason = "it measures time")]

use arrow_array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use retally_core::decode::{Decoder, Events, Lines, Plan, Reading, Slab};
use retally_core::schema::Kind;
use retally_kit::decode::{addressing, field, input, placed, reader};
use std::sync::Arc;
use std::time::Instant;

const EVENTS: usize = 8192;
const ROUNDS: usize = 60;

fn plan() -> Arc<Plan> {
    let fields = |names: &[(&str, Kind)]| {
        names.iter().map(|(name, kind)| field(name, &format!("/{name}"), *kind, true)).collect()
    };
    let input = |name: &str, names| input(name, &[("/type", &[name])], fields(names));
    let (amount, currency) = (("amount", Kind::Decimal { scale: 2 }), ("currency", Kind::Text));
    let reader = reader(vec![
        input("payment", &[amount, currency, ("quantity", Kind::Integer)]),
        input("refund", &[amount, currency, ("of", Kind::Text)]),
        input("chargeback", &[amount, currency]),
    ]);
    let addressing = addressing(&["/account_id"], "/event_id", "/ts", None);
    Arc::new(Plan::new(&[&reader], &addressing).unwrap())
}

/// One type of event when `types` is 1, else a mix in no order.
fn lines(types: u64) -> Lines {
    let mut lines = Lines::default();
    let mut seed = 7u64;
    for number in 0..EVENTS {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let kind = (seed >> 40) % types;
        let (name, extra) = match kind {
            0 | 3 | 4 => ("payment", format!("\"quantity\":{}", seed >> 60)),
            1 => ("refund", format!("\"of\":\"evt-{:012}\"", seed >> 45)),
            _ => ("chargeback", "\"by\":\"bank\"".to_owned()),
        };
        let amount =
            format!("{}.{:02}", (seed >> 33) % 10u64.pow(1 + (seed >> 20) as u32 % 4), seed % 100);
        let line = format!(
            "{{\"event_id\":\"evt-{number:012}\",\"type\":\"{name}\",\"account_id\":\"acct-{:06}\",\
             \"amount\":\"{amount}\",\"currency\":\"EUR\",\
             \"ts\":\"2024-01-{:02}T{:02}:00:00.123Z\",\
             {extra},\"channel\":\"web\",\"merchant\":\"m-{:05}\",\"note\":\"{}\"}}\n",
            seed % 100_000,
            seed % 28 + 1,
            seed % 24,
            seed % 9999,
            &"abcdefghijkl"[..(seed >> 50) as usize % 12],
        );
        lines.bytes.extend_from_slice(line.as_bytes());
        lines.ends.push(lines.bytes.len() as u32);
    }
    lines
}

/// The best of several rounds, in nanoseconds an event: what the machine can do undisturbed.
fn best(mut round: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round();
        best = best.min(start.elapsed().as_nanos() as f64 / EVENTS as f64);
    }
    best
}

#[test]
#[ignore = "prints figures"]
fn json() {
    for types in [1, 5] {
        let lines = lines(types);
        let bytes = lines.bytes.len() as f64 / EVENTS as f64;
        let serde = best(|| {
            for row in 0..EVENTS {
                let value: Borrowed<'_> = serde_json::from_slice(lines.get(row)).unwrap();
                std::hint::black_box(value);
            }
        });
        let utf8 = best(|| {
            std::hint::black_box(simdutf8::basic::from_utf8(&lines.bytes).is_ok());
        });
        let placed = placed(Slab::Lines(lines));
        let mut decoder = Decoder::new(plan());
        let mut out: Vec<Events> = Vec::new();
        let ours = best(|| decoder.decode(&placed, &mut out).unwrap());
        println!(
            "{types} types, {bytes:.0} bytes: {ours:.0} ns/event, of it UTF-8 {utf8:.0}; \
             serde_json {serde:.0}, ratio {:.1}",
            serde / ours
        );
    }
}

/// The declared fields and nothing converted.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "read for the time that it takes")]
struct Borrowed<'a> {
    event_id: &'a str,
    r#type: &'a str,
    account_id: &'a str,
    amount: &'a str,
    currency: &'a str,
    ts: &'a str,
    quantity: Option<u64>,
    of: Option<&'a str>,
}

/// The same events as columns: text, but for the numbers and the time.
fn rows(lines: &Lines) -> RecordBatch {
    let events: Vec<serde_json::Value> =
        (0..EVENTS).map(|row| serde_json::from_slice(lines.get(row)).unwrap()).collect();
    let text = |name: &'static str| -> (&str, ArrayRef) {
        (name, Arc::new(events.iter().map(|e| e[name].as_str()).collect::<StringArray>()))
    };
    let cents = events.iter().map(|e| e["amount"].as_str().unwrap().replace('.', "").parse().ok());
    let amount = cents.collect::<Decimal128Array>().with_precision_and_scale(18, 2).unwrap();
    let times = (0..EVENTS as i64).map(|n| 1_704_067_200_000_000 + n);
    let quantity: Int64Array = events.iter().map(|e| e["quantity"].as_i64()).collect();
    RecordBatch::try_from_iter([
        text("event_id"),
        text("type"),
        text("account_id"),
        text("currency"),
        text("of"),
        ("amount", Arc::new(amount)),
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(times))),
        ("quantity", Arc::new(quantity)),
    ])
    .unwrap()
}

#[test]
#[ignore = "prints figures"]
fn arrow() {
    for types in [1, 5] {
        let placed = placed(Slab::Rows(rows(&lines(types))));
        let mut decoder = Decoder::new(plan());
        let mut out: Vec<Events> = Vec::new();
        let ours = best(|| decoder.decode(&placed, &mut out).unwrap());
        let ready = out[0].readings.iter().filter(|v| **v == Reading::Ready).count();
        assert_eq!(ready, EVENTS);
        println!("{types} types as Arrow rows: {ours:.0} ns/event");
    }
}

#[test]
#[ignore = "for a profiler"]
fn json_alone() {
    let placed = placed(Slab::Lines(lines(5)));
    let mut decoder = Decoder::new(plan());
    let mut out: Vec<Events> = Vec::new();
    for _ in 0..20 {
        println!("{:.0} ns/event", best(|| decoder.decode(&placed, &mut out).unwrap()));
    }
}
