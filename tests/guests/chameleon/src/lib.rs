//! A reducer that behaves as each event's `/do` tells it, mostly badly: every way in which a guest
//! can break its contract, its limits or its word. It uses no SDK, because the SDK would not let
//! it.
//!
//! An event without `/do` (or with `ok`) is folded as an honest reducer would: its `/amount` is
//! added to the key's total, its count goes up by one, and it emits one `did`.

mod describe;
mod looks;
mod misdeeds;

wit_bindgen::generate!({ path: "../../../wit", world: "reducer" });

use crate::retally::reducer::types::{Column, Emitted, Rejected, Trace, Values};
use misdeeds::Misdeed;

struct Chameleon;

export!(Chameleon);

/// State of a key: total, count, and in which ways its view shall misbehave; 18 bytes, and as many
/// more as it was told to take.
#[derive(Default, Clone, Copy)]
struct Account {
    total: i64,
    count: i64,
    oddity: u16,
    padding: usize,
}

/// Bits of [`Account::oddity`].
struct Odd;

impl Odd {
    /// A NaN with payload bits in the view.
    const NAN: u16 = 1;
    /// The iteration order of a hash map in the view.
    const ORDER: u16 = 2;
    /// A violation in `check`.
    const VIOLATION: u16 = 4;
    /// Two rows of the view, which has no row key.
    const TWO_ROWS: u16 = 8;
    /// A negative NaN in the view.
    const SIGN: u16 = 16;
    /// A NaN like any other in the view.
    const PLAIN_NAN: u16 = 32;
    /// The number of views that the instance gave, in the view.
    const VIEWS: u16 = 64;
    /// As many rows of the view as the total has hundredths.
    const MANY_ROWS: u16 = 128;
    /// Text of the violation as long as the total has hundredths.
    const LONG: u16 = 256;
}

/// What the record of one event shall hold.
struct Step {
    x: f64,
    order: String,
    /// How many such records.
    times: usize,
}

impl Account {
    fn decode(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        let number = |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let oddity = u16::from_le_bytes([bytes[16], bytes[17]]);
        Self { total: number(0), count: number(8), oddity, padding: bytes.len() - 18 }
    }

    fn encode(self, to: &mut Spans) {
        to.bytes.extend_from_slice(&self.total.to_le_bytes());
        to.bytes.extend_from_slice(&self.count.to_le_bytes());
        to.bytes.extend_from_slice(&self.oddity.to_le_bytes());
        to.bytes.resize(to.bytes.len() + self.padding, 0);
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
        let (mut row, mut before) = (0, 0);
        for (key, &end) in b.key_ends.iter().enumerate() {
            let mut account = Account::decode(b.states.get(key));
            while row < end as usize {
                account.total += of_the_call(misdeeds::asked(what.get(row)), &b, key, before);
                let step = misdeeds::step(what.get(row), &mut account, amount[row]);
                match step {
                    Ok(Step { x, order, times }) => {
                        account.count += 1;
                        for _ in 0..times {
                            did.emit(row, what.get(row), account.count, x, &order);
                        }
                    }
                    Err(code) => {
                        let detail = misdeeds::detail(what.get(row), &account, amount[row]);
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
            before = account.total;
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
        let odd = accounts(&k).into_iter().filter(|(_, a)| a.oddity & Odd::VIOLATION != 0);
        let detail = |a: Account| match a.oddity & Odd::LONG {
            0 => format!("count {}", a.count),
            _ => "x".repeat(a.total as usize),
        };
        odd.map(|(owner, a)| Violated { owner, code: 0, detail: detail(a) }).collect()
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

/// What an event adds that looks at the call in which it came; `before` is the total of the key in
/// front.
fn of_the_call(asked: Misdeed, b: &Batch, key: usize, before: i64) -> i64 {
    match asked {
        Misdeed::Peek => b.key_ends.len() as i64,
        Misdeed::BatchSize => b.inputs.len() as i64,
        Misdeed::FirstKey => i64::from(key == 0),
        Misdeed::Carry => before,
        Misdeed::Watched => i64::from(matches!(b.trace, Trace::Views)),
        _ => 0,
    }
}

fn view_rows(accounts: &[(u32, Account)]) -> Viewed {
    let mut rows = Vec::new();
    for &(owner, account) in accounts {
        let odd = |bit| account.oddity & bit != 0;
        let many = if odd(Odd::MANY_ROWS) { account.total } else { 1 };
        let many = if odd(Odd::TWO_ROWS) { 2 } else { many };
        // Of many rows each has another count, by which they are told apart.
        let step = i64::from(odd(Odd::MANY_ROWS));
        rows.extend(
            (0..many).map(|n| (owner, Account { count: account.count + n * step, ..account })),
        );
    }
    let (mut x, mut order) = (Vec::new(), Spans::new());
    for (_, account) in &rows {
        x.push(shown(account));
        let is_odd = account.oddity & Odd::ORDER != 0;
        order.push(if is_odd { looks::hash_order() } else { String::new() }.as_bytes());
    }
    let column = |values| Column { values, missing: Vec::new() };
    Viewed {
        owners: rows.iter().map(|(owner, _)| *owner).collect(),
        columns: vec![
            column(Values::Decimal(rows.iter().map(|(_, a)| a.total).collect())),
            column(Values::Integer(rows.iter().map(|(_, a)| a.count).collect())),
            column(Values::Float(x)),
            column(Values::Text(order)),
        ],
    }
}

/// The field `x` of a row.
fn shown(account: &Account) -> f64 {
    let odd = |bit| account.oddity & bit != 0;
    match () {
        () if odd(Odd::NAN) => looks::nan(account.count),
        () if odd(Odd::SIGN) => -f64::NAN,
        () if odd(Odd::PLAIN_NAN) => f64::NAN,
        () if odd(Odd::VIEWS) => looks::views() as f64,
        () => account.count as f64,
    }
}
