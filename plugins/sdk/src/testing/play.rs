//! One way through the events: decode, fold, finish, with the host's own code.

use super::Value;
use retally_core::decode::{Address, Addressing, Decoder, Lines, Placed, Plan, Slab, TimeUnit};
use retally_core::dedup::{Prints, Window};
use retally_core::log::{Offsets, Order};
use retally_core::reduce::{
    Block, NoProbe, OnConflict, OnTrap, Originals, Outcome, Reducer, Rules, Shard, Stop, StopCause,
    finals, merge, sorted_keys,
};
use retally_core::schema::{Column, Description, Field, Kind, display};
use retally_core::seed::Seed;
use retally_core::shard::Decoded;
use retally_core::snapshot::KeyRows;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Members of an event that hold what a test says beside it; no log uses such names.
pub(super) const KEY: &str = "@key";
pub(super) const ID: &str = "@id";
pub(super) const TIME: &str = "@time";

/// What is played.
pub(super) struct Plays<'a> {
    pub(super) artifact: &'a dyn Reducer,
    pub(super) params: Arc<Vec<Column>>,
    pub(super) given: &'a BTreeMap<String, Vec<u8>>,
    pub(super) events: &'a [String],
}

/// What came out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Played {
    /// One per event.
    pub(super) outcomes: Vec<String>,
    /// Free text, one per event.
    pub(super) details: Vec<String>,
    /// For each kind the records.
    pub(super) emits: Vec<Vec<Value>>,
    pub(super) keys: BTreeMap<String, PlayedKey>,
}

/// The end of one key.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PlayedKey {
    pub(super) state: Vec<u8>,
    pub(super) view: Vec<Value>,
    pub(super) violations: Vec<String>,
}

impl Plays<'_> {
    /// Folds the events in calls of `size` events each.
    pub(super) fn play(&self, size: usize) -> Played {
        let description = self.artifact.description();
        let plan = match Plan::new(&[description], &addressing()) {
            Ok(plan) => plan,
            Err(error) => panic!("the reducer's inputs make no sense: {error}"),
        };
        let mut decoder = Decoder::new(Arc::new(plan));
        let rules = self.rules();
        let seed = Seed([0; 32]);
        let mut shards = vec![Shard::new(0, &rules)];
        Shard::import_keys(&mut shards, &self.given(), &[0], &rules, &seed);
        let mut played = Played::default();
        played.emits.resize_with(description.emits.len(), Vec::new);
        let mut instance = None;
        for (number, lines) in self.events.chunks(size).enumerate() {
            let placed = placed(number * size, lines);
            let mut events = Vec::new();
            match (decoder.decode(&placed, &mut events), events.pop()) {
                (Ok(()), Some(events)) => {
                    let slabs = [Decoded::new(placed, events, &seed, 1, &mut Prints::default())];
                    let folded =
                        shards[0].fold(&slabs, self.artifact, &rules, &mut instance, &mut NoProbe);
                    let folded = folded.unwrap_or_else(|stop| stopped(&stop, number * size, lines));
                    let block = merge(description, &slabs, &[folded], Originals::InSlabs);
                    played.take(description, block);
                }
                (Err(error), _) => panic!("the events cannot be decoded: {error}"),
                (Ok(()), None) => unreachable!("one reader, one list of events"),
            }
        }
        self.finish(&shards[0], &rules, &mut played);
        played
    }

    fn rules(&self) -> Rules {
        Rules {
            order: Order::Log,
            window: Window::All,
            on_conflict: OnConflict::KeepFirst,
            on_trap: OnTrap::Stop,
            params: self.params.clone(),
            keys: None,
            quarantine: Default::default(),
            trace: false,
        }
    }

    fn given(&self) -> KeyRows {
        let mut rows = KeyRows::default();
        for (key, state) in self.given {
            rows.keys.push(key.as_bytes());
            rows.states.push(state);
            rows.applied.push(1);
            rows.highest.push(0);
            rows.last.push(0);
            rows.home.push(0);
        }
        rows
    }

    fn finish(&self, shard: &Shard, rules: &Rules, played: &mut Played) {
        let description = self.artifact.description();
        let shards = [shard];
        let keys = sorted_keys(&shards);
        let finals = match finals(&shards, &keys, self.artifact, rules, &mut None) {
            Ok(finals) => finals,
            Err(fault) => panic!("view or check fails: {fault:?}"),
        };
        let name = |number: usize| String::from_utf8_lossy(finals.keys.get(number)).into_owned();
        for (number, state) in finals.states.iter().enumerate() {
            let key = PlayedKey { state: state.to_vec(), ..PlayedKey::default() };
            played.keys.insert(name(number), key);
        }
        for (row, &owner) in finals.viewed.owners.iter().enumerate() {
            let record = record(&description.view.fields, &finals.viewed.columns, row);
            played.keys.entry(name(owner as usize)).or_default().view.push(record);
        }
        for found in &finals.violated {
            let code = description.violations[found.code as usize].code.clone();
            played.keys.entry(name(found.owner as usize)).or_default().violations.push(code);
        }
        for (key, played) in &played.keys {
            check_rows(description, key, &played.view);
        }
    }
}

/// Rows of one key that their row key does not tell apart would be refused by a run.
fn check_rows(description: &Description, key: &str, rows: &[Value]) {
    let numbers = &description.view.row_key;
    let names: Vec<&str> =
        numbers.iter().map(|&n| description.view.fields[n as usize].name.as_str()).collect();
    let row_key = |row: &Value| names.iter().map(|name| row[name].clone()).collect::<Vec<_>>();
    for (number, row) in rows.iter().enumerate() {
        if rows[..number].iter().any(|other| row_key(other) == row_key(row)) {
            panic!(
                "key {key:?} has two view rows with the same row key {names:?}: mark the fields \
                 that tell them apart with #[row_key]"
            );
        }
    }
}

fn addressing() -> Addressing {
    let path = |name: &str| Address::Path(format!("/{name}"));
    Addressing {
        key: vec![path(KEY)],
        id: path(ID),
        time: path(TIME),
        time_unit: Some(TimeUnit::Micros),
    }
}

fn placed(first: usize, lines: &[String]) -> Placed {
    let mut text = Lines::default();
    for line in lines {
        text.bytes.extend_from_slice(line.as_bytes());
        text.bytes.push(b'\n');
        text.ends.push(text.bytes.len() as u32);
    }
    Placed {
        partition: 0,
        name: Arc::from("test"),
        offsets: Offsets::From(first as u64),
        slab: Arc::new(Slab::Lines(text)),
    }
}

fn stopped<T>(stop: &Stop, first: usize, lines: &[String]) -> T {
    let StopCause::Trap { message, .. } = &stop.cause else {
        panic!("event {} stops the run: {:?}", first + stop.event as usize + 1, stop.cause);
    };
    let line = &lines[stop.event as usize];
    panic!("event {} stops the run: {message}\n  {line}", first + stop.event as usize + 1);
}

impl Played {
    fn take(&mut self, description: &Description, block: Block) {
        let first = self.outcomes.len();
        for what in &block.outcomes {
            self.outcomes.push(match what {
                Outcome::Applied => "applied".to_owned(),
                Outcome::Rejected(code) => {
                    format!("rejected: {}", description.rejects[*code as usize].code)
                }
                Outcome::Malformed(code) => format!("malformed: {code}"),
                Outcome::Duplicate => "duplicate".to_owned(),
                Outcome::Conflict => "conflict".to_owned(),
                Outcome::Ignored => "ignored".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            });
            self.details.push(String::new());
        }
        for refused in block.refused {
            self.details[first + refused.event as usize] = refused.detail;
        }
        for (number, rows) in block.emits.iter().enumerate() {
            let fields = &description.emits[number].fields;
            let records = (0..rows.events.len()).map(|row| record(fields, &rows.columns, row));
            self.emits[number].extend(records);
        }
    }
}

/// A record as JSON: decimals, times, days and bytes as text.
fn record(fields: &[Field], columns: &[Column], row: usize) -> Value {
    let member = |(field, column): (&Field, &Column)| {
        let value = column.get(row).map_or(Value::Null, |value| {
            let text = display(value, field.kind);
            match field.kind {
                Kind::Boolean | Kind::Integer | Kind::Float | Kind::Json => {
                    serde_json::from_str(&text).unwrap_or(Value::String(text))
                }
                _ => Value::String(text),
            }
        });
        (field.name.clone(), value)
    };
    Value::Object(fields.iter().zip(columns).map(member).collect())
}
