//! Parts of the fold on their own: the table of ids, and the hashes of events.

use crate::clock::cpu_nanos;
use crate::sitting::megabytes;
use retally_core::decode::{Events, Reading};
use retally_core::dedup::{IdTable, Prints, Seen, Window, prints};
use retally_core::schema::{Column, Kind, Value};
use retally_core::seed::Seed;
use std::hint::black_box;
use xtask::orders_log::Random;

const IDS: u64 = 5_000_000;
const SHARDS: usize = 32;
/// Events of a batch, as the fold forms them.
const BATCH_EVENTS: u64 = 65_536;
/// Ids that the fold hands to a table at once: a shard's share of a slab.
const SHARE: usize = 256;

type Insert = Box<dyn FnMut(usize, &[u128])>;

/// Inserts of new ids into 32 tables, as the fold does it, beside hashbrown.
pub(crate) fn ids() {
    let table = |name: &str, mut insert: Insert| {
        let start = cpu_nanos();
        batches(|shard, ids| insert(shard, ids));
        let spent = (cpu_nanos() - start) as f64 / IDS as f64;
        println!("{name:32} {spent:6.1} ns an id, {:5.0} MB resident", megabytes("VmRSS:"));
    };
    table("only shared out", Box::new(|_, ids| _ = black_box(ids)));
    for (name, window) in [("window all", Window::All), ("window of a span", Window::Span(1))] {
        let mut tables: Vec<IdTable> = (0..SHARDS).map(|_| IdTable::new(&window)).collect();
        let start = cpu_nanos();
        batches(|shard, ids| {
            for share in ids.chunks(SHARE) {
                tables[shard].touch(share.iter().copied());
                for &id in share {
                    assert_eq!(tables[shard].see(id, id as u64, 0, 0, 0), Seen::New);
                }
            }
        });
        let spent = (cpu_nanos() - start) as f64 / IDS as f64;
        let bytes: usize = tables.iter().map(IdTable::bytes).sum();
        let an_id = bytes as f64 / IDS as f64;
        println!(
            "{name:32} {spent:6.1} ns an id, {:5.0} MB resident, {an_id:.1} bytes an id",
            megabytes("VmRSS:")
        );
    }
    let mut maps = vec![hashbrown::HashMap::<u128, u64>::new(); SHARDS];
    table(
        "hashbrown, growing",
        Box::new(move |shard, ids| {
            for &id in ids {
                maps[shard].entry(id).or_insert(id as u64);
            }
        }),
    );
}

/// Random ids, a batch at a time, shared out to the shards.
fn batches(mut each: impl FnMut(usize, &[u128])) {
    let mut random = Random::new(7);
    let mut shares = vec![Vec::new(); SHARDS];
    let mut left = IDS;
    while left > 0 {
        let batch = left.min(BATCH_EVENTS);
        left -= batch;
        for _ in 0..batch {
            let id = u128::from(random.draw()) << 64 | u128::from(random.draw());
            shares[id as usize % SHARDS].push(id);
        }
        for (shard, share) in shares.iter_mut().enumerate() {
            each(shard, share);
            share.clear();
        }
    }
}

/// Hashes of events with seven columns and ids of 30 bytes.
pub(crate) fn prints_of_orders() {
    const EVENTS: usize = 8192;
    const ROUNDS: usize = 300;
    let events = orders(EVENTS);
    let (seed, mut out) = (Seed([5; 32]), Prints::default());
    let start = cpu_nanos();
    for _ in 0..ROUNDS {
        prints(black_box(&events), &seed, &mut out);
        black_box(&out);
    }
    let spent = (cpu_nanos() - start) as f64 / (EVENTS * ROUNDS) as f64;
    println!("prints {spent:.1} ns an event");
}

fn orders(len: usize) -> Events {
    let kinds = [
        Kind::Decimal { scale: 2 },
        Kind::Text,
        Kind::Text,
        Kind::Text,
        Kind::Text,
        Kind::Integer,
        Kind::Timestamp,
    ];
    let mut events = Events {
        columns: vec![kinds.iter().map(|&kind| Column::new(kind)).collect()],
        ..Events::default()
    };
    let mut random = Random::new(3);
    for row in 0..len {
        events.readings.push(Reading::Ready);
        events.inputs.push(0);
        events.rows.push(row as u32);
        let account = random.below(100_000);
        events.keys.push(format!("acct-{account:06}").as_bytes());
        events.ids.push(format!("evt-2026-03-01-{:015}", random.below(1 << 40)).as_bytes());
        events.times.push(random.below(1 << 50) as i64);
        let order = format!("ord-{:08}", random.below(100_000_000));
        let values = [
            Value::Decimal(random.below(100_000) as i64),
            Value::Text(b"EUR"),
            Value::Text(order.as_bytes()),
            Value::Text(b"credit-card"),
            Value::Text(b"web"),
            Value::Integer(1),
            Value::Timestamp(random.below(1 << 50) as i64),
        ];
        for (column, value) in events.columns[0].iter_mut().zip(values) {
            column.push(Some(value)).unwrap_or_else(|error| unreachable!("{error}"));
        }
    }
    events
}
