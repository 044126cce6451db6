//! A well-behaved guest for one question, asked by `host/sandbox/examples/boundary.rs`: what does
//! it cost to get a batch grouped by key, and what in log order with each event's key as a number
//! (its slot)? The answer stands in docs/decisions/batch-layout.md.
//!
//! The param `mode` says how the batch is to be read: 0 not at all (the boundary alone), 1 grouped,
//! 2 by slots, which then stand in the integer column; 4 is added when every event is to be
//! emitted; 8 when states are maps by currency instead of plain numbers.

wit_bindgen::generate!({ path: "../../../wit", world: "reducer" });

mod state;

use crate::retally::reducer::types::{
    Column, EmitKind, Emitted, Field, Input, Kind, StateShape, Values, ViewShape,
};
use state::{Account, ByCurrency, Plain};

struct Layouts;

export!(Layouts);

const SLOTS: i64 = 2;
const EMITS: i64 = 4;
const MAPS: i64 = 8;

impl Guest for Layouts {
    fn describe() -> Description {
        let field = |name: &str, kind, scale| Field {
            name: name.into(),
            paths: Vec::new(),
            kind,
            scale,
            required: true,
        };
        let read = |name: &str, kind, scale| Field {
            paths: vec![format!("/{name}")],
            ..field(name, kind, scale)
        };
        Description {
            name: "layouts".into(),
            version: "0.1.0".into(),
            inputs: vec![Input {
                name: "order".into(),
                when: Vec::new(),
                key: Vec::new(),
                fields: vec![
                    read("amount", Kind::Decimal, 2),
                    read("quantity", Kind::Integer, 0),
                    read("weight", Kind::Float, 0),
                    read("express", Kind::Boolean, 0),
                    read("currency", Kind::Text, 0),
                    read("item", Kind::Text, 0),
                    read("note", Kind::Text, 0),
                ],
            }],
            params: vec![field("mode", Kind::Integer, 0)],
            defaults: vec![Column { values: Values::Integer(vec![0]), missing: vec![0] }],
            emits: vec![EmitKind {
                name: "balance".into(),
                fields: vec![field("currency", Kind::Text, 0), field("net", Kind::Decimal, 2)],
            }],
            view: ViewShape { fields: vec![field("net", Kind::Decimal, 2)], row_key: Vec::new() },
            state: StateShape { version: 1, layout: "measured".into(), migrates: Vec::new() },
            rejects: Vec::new(),
            violations: Vec::new(),
        }
    }

    fn apply(b: Batch) -> Outcome {
        let Values::Integer(mode) = &b.params[0].values else { panic!("no mode") };
        let mode = mode[0];
        let mut out = Balances::default();
        let states = match (mode & 3, mode & MAPS != 0) {
            (0, _) => b.states,
            (SLOTS, false) => slots::<Plain>(&b, mode & EMITS != 0, &mut out),
            (SLOTS, true) => slots::<ByCurrency>(&b, mode & EMITS != 0, &mut out),
            (_, false) => grouped::<Plain>(&b, mode & EMITS != 0, &mut out),
            (_, true) => grouped::<ByCurrency>(&b, mode & EMITS != 0, &mut out),
        };
        let trace = Viewed { owners: Vec::new(), columns: Vec::new() };
        let emits = vec![out.emitted()];
        Outcome { states, emits, rejects: Vec::new(), trace, imprints: Vec::new() }
    }

    fn view(k: Keyed) -> Viewed {
        let owners = (0..k.keys.ends.len() as u32).collect::<Vec<_>>();
        let net = vec![0; owners.len()];
        Viewed {
            owners,
            columns: vec![Column { values: Values::Decimal(net), missing: Vec::new() }],
        }
    }

    fn check(_: Keyed) -> Vec<Violated> {
        Vec::new()
    }

    fn migrate(_: u32, k: Keyed) -> Result<Spans, String> {
        Ok(k.states)
    }
}

/// The emitted records.
#[derive(Default)]
struct Balances {
    rows: Vec<u32>,
    currency_ends: Vec<u32>,
    currency: Vec<u8>,
    net: Vec<i64>,
}

impl Balances {
    #[inline]
    fn push(&mut self, row: usize, currency: &[u8], net: i64) {
        self.rows.push(row as u32);
        self.currency.extend_from_slice(currency);
        self.currency_ends.push(self.currency.len() as u32);
        self.net.push(net);
    }

    fn emitted(self) -> Emitted {
        let currency = Spans { ends: self.currency_ends, bytes: self.currency };
        let column = |values| Column { values, missing: Vec::new() };
        Emitted {
            rows: self.rows,
            columns: vec![column(Values::Text(currency)), column(Values::Decimal(self.net))],
        }
    }
}

/// The columns that are read.
struct Orders<'a> {
    amount: &'a [i64],
    slot: &'a [i64],
    weight: &'a [f64],
    express: &'a [u8],
    currency: &'a Spans,
}

impl<'a> Orders<'a> {
    fn of(b: &'a Batch) -> Self {
        let columns = &b.columns[0];
        let Values::Decimal(amount) = &columns[0].values else { panic!("no amounts") };
        let Values::Integer(slot) = &columns[1].values else { panic!("no quantities") };
        let Values::Float(weight) = &columns[2].values else { panic!("no weights") };
        let Values::Boolean(express) = &columns[3].values else { panic!("no flags") };
        let Values::Text(currency) = &columns[4].values else { panic!("no currencies") };
        Self { amount, slot, weight, express, currency }
    }

    #[inline]
    fn fold<A: Account>(&self, b: &Batch, account: &mut A, row: usize, out: Option<&mut Balances>) {
        let currency = self.currency.get(row);
        let heavy = self.weight[row] > 10.0 || self.express[row] != 0;
        let net = account.add(currency, self.amount[row], b.times[row], heavy);
        if let Some(out) = out {
            out.push(row, currency, net);
        }
    }
}

fn grouped<A: Account>(b: &Batch, emits: bool, out: &mut Balances) -> Spans {
    let orders = Orders::of(b);
    let mut states = Spans::like(&b.states);
    let mut row = 0;
    for (key, &end) in b.key_ends.iter().enumerate() {
        let mut account = A::decode(b.states.get(key));
        while row < end as usize {
            orders.fold(b, &mut account, row, emits.then_some(&mut *out));
            row += 1;
        }
        account.encode(&mut states.bytes);
        states.ends.push(states.bytes.len() as u32);
    }
    states
}

fn slots<A: Account>(b: &Batch, emits: bool, out: &mut Balances) -> Spans {
    let orders = Orders::of(b);
    let mut accounts: Vec<A> =
        (0..b.states.ends.len()).map(|key| A::decode(b.states.get(key))).collect();
    for row in 0..b.inputs.len() {
        let account = &mut accounts[orders.slot[row] as usize];
        orders.fold(b, account, row, emits.then_some(&mut *out));
    }
    let mut states = Spans::like(&b.states);
    for account in &accounts {
        account.encode(&mut states.bytes);
        states.ends.push(states.bytes.len() as u32);
    }
    states
}

impl Spans {
    #[inline]
    fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[start..self.ends[row] as usize]
    }

    fn like(other: &Spans) -> Self {
        let bytes = Vec::with_capacity(other.bytes.len() + other.ends.len() * 56);
        Self { ends: Vec::with_capacity(other.ends.len()), bytes }
    }
}
