//! What the boundary costs, and what the batch's layout does to it:
//!
//!     cargo build --release --workspace --example boundary && target/release/examples/boundary
//!
//! The shape is that of a shard's share of a batch: 2,048 events of 7 columns. Best of many rounds,
//! the variants interleaved, so that ratios hold although the machine does not.
//! docs/decisions/batch-layout.md has the figures and what follows from them.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use retally_core::reduce::{Batch, Instance, Reducer, Trace};
use retally_core::schema::{Column, Spans, Values};
use retally_sandbox::{Sandbox, SandboxConfig};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const EVENTS: usize = 2048;
const ROUNDS: usize = 400;

fn main() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/layouts.wasm");
    let bytes = std::fs::read(path).unwrap();
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let begin = Instant::now();
    let reducer = sandbox.load(&bytes).unwrap();
    println!("load and compile {} bytes: {:?}", bytes.len(), begin.elapsed());
    let mut opens: Vec<_> = (0..50)
        .map(|_| {
            let begin = Instant::now();
            let mut instance = reducer.open().unwrap();
            instance.apply(&log(1, 1).grouped(0)).unwrap();
            begin.elapsed()
        })
        .collect();
    opens.sort();
    println!("open an instance and call it once: {:?} (median)", opens[25]);
    let mut instance = reducer.open().unwrap();
    let mut calls = Vec::new();
    for _ in 0..2000 {
        let batch = log(1, 1).grouped(0);
        let begin = Instant::now();
        black_box(instance.apply(&batch).unwrap());
        calls.push(begin.elapsed());
    }
    calls.sort();
    println!("a call with one event that does nothing: {:?} (median)\n", calls[1000]);

    println!(
        "ns per event of {EVENTS} (best of {ROUNDS}); the host's share is gather, guest, scatter"
    );
    println!(
        "keys state  emits | boundary | grouped: gather guest scatter = sum | slots: ... = sum"
    );
    for keys in [64, 640, 1400, 2048] {
        for (name, map) in [("plain", 0), ("map", 8)] {
            for emits in [0, 4] {
                row(&mut *instance, keys, name, map | emits);
            }
        }
    }
}

fn row(instance: &mut dyn Instance, keys: usize, name: &str, flags: i64) {
    let log = log(EVENTS, keys);
    let warm = instance.apply(&log.grouped(1 | (flags & 8))).unwrap().states;
    let mut best = [f64::MAX; 7];
    for _ in 0..ROUNDS {
        let mut take = |slot: usize, begin: Instant| {
            let ns = begin.elapsed().as_nanos() as f64 / EVENTS as f64;
            best[slot] = best[slot].min(ns);
        };
        let mut nothing = log.grouped(0);
        nothing.states = warm.clone();
        let begin = Instant::now();
        black_box(instance.apply(&nothing).unwrap());
        take(0, begin);

        for (at, slots) in [(1, false), (4, true)] {
            let begin = Instant::now();
            let mut batch = if slots { log.slots(2 | flags) } else { log.grouped(1 | flags) };
            take(at, begin);
            // A slab keeps states in slots of its own order in both layouts.
            batch.states = warm.clone();
            let begin = Instant::now();
            let outcome = instance.apply(&batch).unwrap();
            take(at + 1, begin);
            let begin = Instant::now();
            black_box(scatter(&log, &outcome.emits[0], slots));
            take(at + 2, begin);
        }
    }
    let [nothing, g, gg, gs, s, sg, ss] = best;
    let emits = if flags & 4 != 0 { "all" } else { "none" };
    println!(
        "{keys:4} {name:6} {emits:5} | {nothing:8.1} | {g:5.1} {gg:6.1} {gs:5.1} = {:6.1} | \
         {s:5.1} {sg:6.1} {ss:5.1} = {:6.1}",
        g + gg + gs,
        s + sg + ss
    );
}

/// Events in log order, as the decoder leaves them, with each one's key as a number.
struct Log {
    slots: Vec<u32>,
    keys: Spans,
    ids: Spans,
    times: Vec<i64>,
    columns: Vec<Column>,
    /// Rows in the order of their keys, and where each key's rows end: made once here, because
    /// grouping itself is timed in [`Log::grouped`].
    count: usize,
}

fn log(events: usize, keys: usize) -> Log {
    let mut seed = 7u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize
    };
    let mut names = Spans::default();
    (0..keys).for_each(|k| names.push(format!("acct-{k:06}").as_bytes()));
    // Every key once, so that the count of keys is what it says; the rest by chance.
    let mut slots: Vec<u32> = (0..keys as u32).collect();
    (keys..events).for_each(|_| slots.push((random() % keys) as u32));
    for i in (1..slots.len()).rev() {
        slots.swap(i, random() % (i + 1));
    }
    let text = |f: &mut dyn FnMut(usize) -> String| {
        let mut spans = Spans::default();
        (0..events).for_each(|i| spans.push(f(i).as_bytes()));
        Values::Text(spans)
    };
    let currency = text(&mut |_| ["EUR", "USD", "GBP"][random() % 3].into());
    let columns = [
        Values::Decimal((0..events).map(|i| (i as i64 * 37) % 10_000).collect()),
        Values::Integer((0..events as i64).collect()),
        Values::Float((0..events).map(|i| i as f64 / 100.0).collect()),
        Values::Boolean((0..events).map(|i| u8::from(i % 7 == 0)).collect()),
        currency,
        text(&mut |i| format!("item-{:08}", i * 31 % 100_000)),
        text(&mut |i| format!("note number {i} of a customer")),
    ];
    let columns = columns.map(|values| Column { values, missing: Vec::new() }).to_vec();
    let mut ids = Spans::default();
    (0..events).for_each(|i| ids.push(format!("evt-{i:012}").as_bytes()));
    let times = (0..events as i64).map(|i| 1_700_000_000_000_000 + i).collect();
    Log { slots, keys: names, ids, times, columns, count: keys }
}

impl Log {
    /// Rows in the order of their keys, in log order within a key, and where each key's rows end.
    fn order(&self) -> (Vec<u32>, Vec<u32>) {
        let mut ends = vec![0u32; self.count + 1];
        self.slots.iter().for_each(|&s| ends[s as usize + 1] += 1);
        (1..ends.len()).for_each(|i| ends[i] += ends[i - 1]);
        let mut rows = vec![0; self.slots.len()];
        for (row, &slot) in self.slots.iter().enumerate() {
            let place = &mut ends[slot as usize];
            rows[*place as usize] = row as u32;
            *place += 1;
        }
        ends.pop();
        (rows, ends)
    }

    fn grouped(&self, mode: i64) -> Batch {
        let (rows, key_ends) = self.order();
        self.gather(&rows, key_ends, mode)
    }

    /// In log order: the shard's rows are taken one after another, which costs a copy, too.
    fn slots(&self, mode: i64) -> Batch {
        let rows: Vec<u32> = (0..self.slots.len() as u32).collect();
        let mut batch = self.gather(&rows, Vec::new(), mode);
        let slots = self.slots.iter().map(|&s| i64::from(s)).collect();
        batch.columns[0][1].values = Values::Integer(slots);
        batch
    }

    fn gather(&self, rows: &[u32], key_ends: Vec<u32>, mode: i64) -> Batch {
        let param = Column { values: Values::Integer(vec![mode]), missing: Vec::new() };
        Batch {
            keys: self.keys.clone(),
            states: (0..self.count).map(|_| b"".as_slice()).collect(),
            key_ends,
            inputs: vec![0; rows.len()],
            ids: spans(&self.ids, rows),
            times: rows.iter().map(|&r| self.times[r as usize]).collect(),
            columns: vec![self.columns.iter().map(|c| column(c, rows)).collect()],
            params: Arc::new(vec![param]),
            trace: Trace::Nothing,
        }
    }
}

fn column(column: &Column, rows: &[u32]) -> Column {
    fn pick<T: Copy>(list: &[T], rows: &[u32]) -> Vec<T> {
        rows.iter().map(|&r| list[r as usize]).collect()
    }
    let values = match &column.values {
        Values::Decimal(v) => Values::Decimal(pick(v, rows)),
        Values::Integer(v) => Values::Integer(pick(v, rows)),
        Values::Float(v) => Values::Float(pick(v, rows)),
        Values::Boolean(v) => Values::Boolean(pick(v, rows)),
        Values::Text(v) => Values::Text(spans(v, rows)),
        other => other.clone(),
    };
    Column { values, missing: Vec::new() }
}

fn spans(from: &Spans, rows: &[u32]) -> Spans {
    let mut to =
        Spans { ends: Vec::with_capacity(rows.len()), bytes: Vec::with_capacity(from.bytes.len()) };
    rows.iter().for_each(|&r| to.push(from.get(r as usize)));
    to
}

/// Brings emits into log order: by a permutation when they came grouped, as they are otherwise.
fn scatter(log: &Log, emits: &retally_core::reduce::Emitted, in_order: bool) -> Vec<Column> {
    if emits.rows.is_empty() {
        return Vec::new();
    }
    let rows: Vec<u32> = if in_order {
        (0..emits.rows.len() as u32).collect()
    } else {
        let (order, _) = log.order();
        let mut inverse = vec![0u32; order.len()];
        order.iter().enumerate().for_each(|(at, &row)| inverse[row as usize] = at as u32);
        inverse
    };
    emits.columns.iter().map(|c| column(c, &rows)).collect()
}
