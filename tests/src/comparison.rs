//! Comparisons of any size, made by the core's own tally: `orders` against a version that keeps a
//! fee for refunds, with as many differing keys as asked for. Reports are tested with them where a
//! log of that size would take longer than the report.

use anyhow::Result;
use retally_compare::model::{
    Comparison, FirstDivergence, FirstEvent, How, NamedOutcome, Read, ReducerSide, RunSide, Sets,
    ShownRecord, ShownRow, ShownValue, Side,
};
use retally_compare::sink::DifferenceSink;
use retally_compare::{
    Declared, First, Head, KeyFacts, Options, Plan, Records, Rows, SideOf, Tally, Words,
};
use retally_core::digest::{Digests, Hash};
use retally_core::manifest::{Counts, Marks};
use retally_core::schema::{Column, EmitKind, Field, Kind, Value, ViewShape, display};

/// What is compared.
#[derive(Debug, Clone)]
pub struct Made {
    /// Keys.
    pub keys: u64,
    /// Of these: how many differ, spread evenly.
    pub changed: u64,
    /// What a key begins with.
    pub prefix: String,
    /// The field by whose values totals are grouped.
    pub by: Option<String>,
    /// Keys to show for each field.
    pub shown: usize,
}

impl Default for Made {
    fn default() -> Self {
        let by = Some("currency".to_owned());
        Self { keys: 40, changed: 10, prefix: "acct-".to_owned(), by, shown: 100 }
    }
}

const DAY: i64 = 86_400_000_000;

/// 2026-02-01.
const FEBRUARY: i64 = 20_485 * DAY;

/// 2026-03-01.
const MARCH: i64 = 20_513 * DAY;

const CURRENCIES: [&str; 3] = ["EUR", "GBP", "USD"];

const MONEY: Kind = Kind::Decimal { scale: 2 };

/// A view row: currency, net, orders, last, share, tier.
struct Row {
    currency: &'static str,
    net: i64,
    orders: i64,
    last: i64,
    share: f64,
    tier: &'static str,
}

fn field(name: &str, kind: Kind) -> Field {
    Field { name: name.to_owned(), paths: Vec::new(), kind, required: true }
}

fn view() -> ViewShape {
    let fields = vec![
        field("currency", Kind::Text),
        field("net", MONEY),
        field("orders", Kind::Integer),
        field("last", Kind::Timestamp),
        field("share", Kind::Float),
        field("tier", Kind::Text),
    ];
    ViewShape { fields, row_key: vec![0] }
}

fn emits() -> [EmitKind; 1] {
    let fields = vec![field("currency", Kind::Text), field("net", MONEY)];
    [EmitKind { name: "balance".to_owned(), fields }]
}

fn columns(rows: &[Row]) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = view().fields.iter().map(|f| Column::new(f.kind)).collect();
    for row in rows {
        let values = [
            Value::Text(row.currency.as_bytes()),
            Value::Decimal(row.net),
            Value::Integer(row.orders),
            Value::Timestamp(row.last),
            Value::Float(row.share),
            Value::Text(row.tier.as_bytes()),
        ];
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(Some(value))?;
        }
    }
    Ok(columns)
}

/// The rows of a key; those of B keep a fee if the key had a refund.
fn rows(number: u64, is_changed: bool) -> Vec<Row> {
    let rows = 1 + number.is_multiple_of(3) as usize;
    let row = |offset: usize| {
        let size = (number * 7919 + offset as u64 * 104_729) % 50_000;
        // Some accounts are much larger than most.
        let net = size as i64 * if number.is_multiple_of(97) { 400 } else { 10 } + 995;
        let fee = (size % 2_000) as i64 + 25;
        let fee = if number.is_multiple_of(97) { fee * 30 + (number % 1_009) as i64 } else { fee };
        // A few gain, most pay.
        let fee = if number.is_multiple_of(11) { -fee / 10 } else { fee };
        let net = if is_changed { net - fee } else { net };
        let tier = match net {
            100_000.. => "gold",
            25_000.. => "silver",
            _ => "bronze",
        };
        Row {
            currency: CURRENCIES[(number as usize + offset) % 3],
            net,
            orders: (size % 40) as i64 + i64::from(is_changed && number.is_multiple_of(5)),
            last: MARCH + size as i64 * 50_000_000,
            share: size as f64 / 50_000.0 + if is_changed { 1e-7 } else { 0.0 },
            tier,
        }
    };
    let mut rows: Vec<Row> = (0..rows).map(row).collect();
    rows.sort_by_key(|row| row.currency);
    rows
}

/// When a key begins to differ: more and more of them from the first of March on.
fn time(number: u64) -> i64 {
    let spread = (number * 7919) % 1_000;
    MARCH + (spread * spread / 1_000) as i64 * DAY * 31 / 1_000 + (number % 86_400) as i64 * 1_000
}

/// The comparison; every difference goes to `sink` as well.
///
/// # Errors
/// When the tally refuses what it is fed.
pub fn comparison(made: &Made, sink: &mut dyn DifferenceSink) -> Result<Comparison> {
    let (view, emits) = (view(), emits());
    let fee = EmitKind { name: "fee".to_owned(), fields: vec![field("amount", MONEY)] };
    let [balance] = emits.clone();
    let more = [balance, fee];
    let options = Options {
        tolerances: [("share".to_owned(), "1e-6".to_owned())].into(),
        by: made.by.clone(),
        shown: Some(made.shown),
    };
    let a = Declared { view: &view, emits: &emits };
    let b = Declared { view: &view, emits: &more };
    let plan = Plan::new(a, b, &options)?;
    let mut tally = Tally::new(plan.clone());
    let every = made.keys.checked_div(made.changed).unwrap_or(u64::MAX).max(1);
    let changes = |n: u64| n.is_multiple_of(every) && n / every < made.changed;
    records(&mut tally, made, &changes)?;
    for number in 0..made.keys {
        let key = format!("{}{number:06}", made.prefix);
        let is_changed = changes(number);
        let (rows_a, rows_b) =
            (columns(&rows(number, false))?, columns(&rows(number, is_changed))?);
        let first = First { time: Some(time(number)), input: Some("refund"), ..First::default() };
        let facts = KeyFacts {
            inputs: Some(0b01 | u64::from(is_changed || number % 13 == 0) << 1),
            outcomes: Some(u64::from(is_changed && (number / every).is_multiple_of(4))),
            first: is_changed.then_some(first),
        };
        // A few keys stand on one side alone.
        let alone = if is_changed { number / every % 40 } else { 0 };
        let a = if alone == 17 { Rows::NONE } else { Rows::all(&rows_a) };
        let b = if alone == 31 { Rows::NONE } else { Rows::all(&rows_b) };
        tally.key(key.as_bytes(), a, b, &facts, sink)?;
    }
    codes(&mut tally, made);
    let words = Words {
        inputs: vec!["payment".to_owned(), "refund".to_owned()],
        outcomes: vec![rejected()],
        span: Some((FEBRUARY, MARCH + 31 * DAY)),
        ..Words::default()
    };
    let mut comparison = tally.finish(head(made), &words, &mut |key| first(key, made));
    comparison.explain = words_of("retally explain --job orders.toml");
    Ok(comparison)
}

fn words_of(command: &str) -> Vec<String> {
    command.split(' ').map(str::to_owned).collect()
}

fn rejected() -> NamedOutcome {
    NamedOutcome { what: "rejected".to_owned(), code: Some("refund-too-large".to_owned()) }
}

/// One running balance for each key.
fn records(tally: &mut Tally, made: &Made, changes: &dyn Fn(u64) -> bool) -> Result<()> {
    let own = |is_b: bool| -> Result<(Vec<u32>, Vec<Column>)> {
        let mut columns = vec![Column::new(Kind::Text), Column::new(MONEY)];
        let mut events = Vec::new();
        for number in 0..made.keys {
            for row in rows(number, is_b && changes(number)).iter().take(1) {
                events.push(number as u32);
                columns[0].push(Some(Value::Text(row.currency.as_bytes())))?;
                columns[1].push(Some(Value::Decimal(row.net)))?;
            }
        }
        Ok((events, columns))
    };
    let ((events_a, columns_a), (events_b, columns_b)) = (own(false)?, own(true)?);
    let times: Vec<i64> = (0..made.keys).map(time).collect();
    let a = Records { events: &events_a, columns: &columns_a, times: &times };
    let b = Records { events: &events_b, columns: &columns_b, times: &times };
    tally.emits(0, a, b, &mut |_| {})?;
    // The version that keeps a fee writes it down.
    let kept: Vec<u32> = (0..made.keys).filter(|n| changes(*n)).map(|n| n as u32).collect();
    let mut fees = Column::new(MONEY);
    kept.iter().try_for_each(|n| fees.push(Some(Value::Decimal(25 + i64::from(*n)))))?;
    let times: Vec<i64> = kept.iter().map(|n| time(u64::from(*n))).collect();
    let fees = Records { events: &kept, columns: &[fees], times: &times };
    tally.emits(1, Records::NONE, fees, &mut |_| {})?;
    Ok(())
}

fn codes(tally: &mut Tally, made: &Made) {
    let applied = NamedOutcome { what: "applied".to_owned(), code: None };
    let more = made.changed.div_ceil(4);
    tally.outcome(&applied, &rejected(), more);
    tally.refusal(SideOf::A, &rejected(), 12);
    tally.refusal(SideOf::B, &rejected(), 12 + more);
    let conflict = NamedOutcome { what: "conflict".to_owned(), code: None };
    tally.refusal(SideOf::A, &conflict, 3);
    tally.refusal(SideOf::B, &conflict, 3);
    tally.violation(SideOf::A, "tier-is-off", 2);
    let equal = made.keys - made.changed;
    tally.states(Sets { equal, different: made.changed, ..Sets::default() });
}

/// What is shown of the event with which a key begins to differ.
fn first(key: &[u8], made: &Made) -> FirstDivergence {
    let key = String::from_utf8_lossy(key);
    let number: u64 = key[made.prefix.len()..].parse().unwrap_or_default();
    let value =
        |field: &str, value: String| ShownValue { field: field.to_owned(), value: Some(value) };
    let shown = |is_changed: bool| -> Vec<ShownRow> {
        let row = |row: &Row| ShownRow {
            values: vec![
                value("currency", row.currency.to_owned()),
                value("net", display(Value::Decimal(row.net), MONEY)),
                value("tier", row.tier.to_owned()),
            ],
        };
        rows(number, is_changed).iter().map(row).collect()
    };
    let emitted = |rows: &[ShownRow]| -> Vec<ShownRecord> {
        let record =
            |row: &ShownRow| ShownRecord { kind: "balance".to_owned(), values: row.values.clone() };
        rows.iter().take(1).map(record).collect()
    };
    let (view_a, view_b) = (shown(false), shown(true));
    FirstDivergence::Event(Box::new(FirstEvent {
        partition: (number % 4).to_string(),
        offset: 1_000 + number * 17,
        before_range: false,
        time: Some(display(Value::Timestamp(time(number)), Kind::Timestamp)),
        event_id: Some(format!("evt-{:08}", number * 17)),
        input: Some("refund".to_owned()),
        outcome_a: Some(NamedOutcome { what: "applied".to_owned(), code: None }),
        outcome_b: Some(NamedOutcome { what: "applied".to_owned(), code: None }),
        emits_a: emitted(&view_a),
        emits_b: emitted(&view_b),
        view_a: Some(view_a),
        view_b: Some(view_b),
    }))
}

fn head(made: &Made) -> Head {
    let side = |version: &str, seed: u8| Side {
        label: format!("orders@{version}"),
        reducer: Some(ReducerSide {
            name: "orders".to_owned(),
            version: version.to_owned(),
            sha256: Hash([seed; 32]),
            state_version: 1,
            layout: "Account { books: map }".to_owned(),
        }),
        run: Some(RunSide {
            name: None,
            seal: Hash([seed + 1; 32]),
            run_digest: Hash([seed + 2; 32]),
            digests: Digests {
                outcomes: Hash([seed + 3; 32]),
                views: Hash([seed + 4; 32]),
                states: Hash([seed + 5; 32]),
                violations: Hash([seed + 6; 32]),
            },
            job_digest: Hash([7; 32]),
            input_digest: Hash([8; 32]),
            counts: Counts {
                events: made.keys * 17,
                applied: made.keys * 17 - 15,
                ..Counts::default()
            },
            marks: Marks::default(),
            range: None,
            from_snapshot: None,
            changed_log: None,
            holes: None,
            broke: None,
            migrated: None,
        }),
        known: Vec::new(),
    };
    Head {
        retally: "0.1.0".to_owned(),
        how: How::OnePass,
        a: side("1.0.0", 16),
        b: side("1.1.0", 32),
        notes: Vec::new(),
        read: Read::default(),
        repeat: vec![words_of("retally compare --a v1.wasm --b v2.wasm --job orders.toml")],
    }
}
