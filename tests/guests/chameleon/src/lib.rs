//! A reducer that behaves as each event's `/do` tells it, mostly badly: every way in which a guest
//! can break its contract, its limits or its word. It uses no SDK, because the SDK would not let
//! it.
//!
//! An event without `/do` (or with `ok`) is folded as an honest reducer would: its `/amount` is
//! added to the key's total, its count goes up by one, and it emits one `did`.

mod describe;
mod misdeeds;

wit_bindgen::generate!({ path: "../../../wit", world: "reducer" });

use crate::retally::reducer::types::{Column, Emitted, Rejected, Trace, Values};
use misdeeds::Misdeed;

struct Chameleon;

export!(Chameleon);

/// State of a key: total, count, and whether its view shall misbehave; 17 bytes.
#[derive(Default, Clone, Copy)]
struct Account {
    total: i64,
    count: i64,
    oddity: u8,
}

/// [`Account::oddity`]: a NaN with payload bits in the view.
const ODD_NAN: u8 = 1;
/// [`Account::oddity`]: the iteration order of a hash map in the view.
const ODD_ORDER: u8 = 2;
/// [`Account::oddity`]: a violation in `check`.
const ODD_VIOLATION: u8 = 4;
/// [`Account::oddity`]: two rows of the view, which has no row key.
const ODD_ROWS: u8 = 8;

impl Account {
    fn decode(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        let number = |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        Self { total: number(0), count: number(8), oddity: bytes[16] }
    }

    fn encode(self, to: &mut Spans) {
        to.bytes.extend_from_slice(&self.total.to_le_bytes());
        to.bytes.extend_from_slice(&self.count.to_le_bytes());
        to.bytes.push(self.oddity);
        to.close();
    }
}

impl Spans {
    fn new() -> Self {
        Self { ends: Vec::new(), bytes: Vec::new() }
    }

    fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[start..self.ends[row] as usize]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.close();
    }

    fn close(&mut self) {
        self.ends.push(self.bytes.len() as u32);
    }
}

/// The records of kind `did`.
struct Did {
    rows: Vec<u32>,
    what: Spans,
    count: Vec<i64>,
    x: Vec<f64>,
    order: Spans,
}

impl Did {
    fn emit(&mut self, row: usize, what: &[u8], count: i64, x: f64, order: &str) {
        self.rows.push(row as u32);
        self.what.push(what);
        self.count.push(count);
        self.x.push(x);
        self.order.push(order.as_bytes());
    }
}

impl Guest for Chameleon {
    fn describe() -> Description {
        describe::describe()
    }

    fn apply(b: Batch) -> Outcome {
        misdeeds::called();
        let mut states = Spans::new();
        let mut did = Did {
            rows: Vec::new(),
            what: Spans::new(),
            count: Vec::new(),
            x: Vec::new(),
            order: Spans::new(),
        };
        let mut rejects = Vec::new();
        let mut after = Vec::new();
        let Values::Text(what) = &b.columns[0][0].values else { panic!("`do` is not text") };
        let Values::Decimal(amount) = &b.columns[0][1].values else { panic!("no amounts") };
        let mut row = 0;
        for (key, &end) in b.key_ends.iter().enumerate() {
            let mut account = Account::decode(b.states.get(key));
            while row < end as usize {
                match misdeeds::asked(what.get(row)) {
                    Misdeed::Peek => account.total += b.key_ends.len() as i64,
                    Misdeed::Watched if matches!(b.trace, Trace::Views) => account.total += 1,
                    _ => {}
                }
                let step = misdeeds::step(what.get(row), &mut account, amount[row]);
                match step {
                    Ok((x, order)) => {
                        account.count += 1;
                        did.emit(row, what.get(row), account.count, x, &order);
                    }
                    Err(code) => {
                        let detail = format!("told to reject {}", account.count);
                        rejects.push(Rejected { row: row as u32, code, detail });
                        if misdeeds::asked(what.get(row)) == Misdeed::EmitOfRejected {
                            did.emit(row, what.get(row), account.count, 0.0, "");
                        }
                    }
                }
                if matches!(b.trace, Trace::Views) {
                    after.push((row as u32, account));
                }
                row += 1;
            }
            account.encode(&mut states);
        }
        let asked = |misdeed| (0..row).any(|r| misdeeds::asked(what.get(r)) == misdeed);
        if asked(Misdeed::FewStates) {
            states.ends.pop();
        }
        if asked(Misdeed::ShortColumn) {
            did.count.pop();
        }
        if asked(Misdeed::RowsOutOfOrder) {
            did.rows.reverse();
        }
        if asked(Misdeed::NotUtf8) {
            did.what.bytes.fill(0xff);
        }
        Outcome {
            states,
            emits: vec![emitted(did)],
            rejects,
            trace: view_rows(&after),
            imprints: Vec::new(),
        }
    }

    fn view(k: Keyed) -> Viewed {
        view_rows(&accounts(&k))
    }

    fn check(k: Keyed) -> Vec<Violated> {
        let odd = accounts(&k).into_iter().filter(|(_, a)| a.oddity & ODD_VIOLATION != 0);
        odd.map(|(owner, a)| Violated { owner, code: 0, detail: format!("count {}", a.count) })
            .collect()
    }

    fn migrate(old_version: u32, k: Keyed) -> Result<Spans, String> {
        if old_version != 1 {
            return Err(format!("nothing is known of version {old_version}"));
        }
        // Version 1 had the total alone.
        let mut states = Spans::new();
        for key in 0..k.states.ends.len() {
            let total = i64::from_le_bytes(k.states.get(key).try_into().unwrap_or_default());
            Account { total, ..Account::default() }.encode(&mut states);
        }
        Ok(states)
    }
}

fn accounts(k: &Keyed) -> Vec<(u32, Account)> {
    (0..k.states.ends.len()).map(|i| (i as u32, Account::decode(k.states.get(i)))).collect()
}

fn emitted(did: Did) -> Emitted {
    let column = |values| Column { values, missing: Vec::new() };
    Emitted {
        rows: did.rows,
        columns: vec![
            column(Values::Text(did.what)),
            column(Values::Integer(did.count)),
            column(Values::Float(did.x)),
            column(Values::Text(did.order)),
        ],
    }
}

fn view_rows(accounts: &[(u32, Account)]) -> Viewed {
    let rows = |of: &(u32, Account)| if of.1.oddity & ODD_ROWS != 0 { 2 } else { 1 };
    let accounts: Vec<(u32, Account)> =
        accounts.iter().flat_map(|of| std::iter::repeat_n(*of, rows(of))).collect();
    let (mut x, mut order) = (Vec::new(), Spans::new());
    for (_, account) in &accounts {
        let odd = |bit| account.oddity & bit != 0;
        x.push(if odd(ODD_NAN) { misdeeds::nan(account.count) } else { account.count as f64 });
        let text = if odd(ODD_ORDER) { misdeeds::hash_order() } else { String::new() };
        order.push(text.as_bytes());
    }
    let column = |values| Column { values, missing: Vec::new() };
    Viewed {
        owners: accounts.iter().map(|(owner, _)| *owner).collect(),
        columns: vec![
            column(Values::Decimal(accounts.iter().map(|(_, a)| a.total).collect())),
            column(Values::Integer(accounts.iter().map(|(_, a)| a.count).collect())),
            column(Values::Float(x)),
            column(Values::Text(order)),
        ],
    }
}
