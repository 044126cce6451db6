//! One way through the events: decode, fold, finish, with the host's own code.

use super::Value;
use retally_core::decode::{Address, Addressing, Lines, Placed, Plan, Slab, TimeUnit};
use retally_core::dedup::Window;
use retally_core::fold::{Decoding, Fold, FoldError, Recipe};
use retally_core::log::{Offsets, Order};
use retally_core::portion::Portion;
use retally_core::reduce::{Block, Finals, OnConflict, OnTrap, Reducer, Rules, Stop, StopCause};
use retally_core::schema::{Column, Description, Field, Kind, display};
use retally_core::seed::Seed;
use retally_core::snapshot::KeyRows;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Members of an event that hold what a test says beside it; no log uses such names.
pub(super) const KEY: &str = "@key";
pub(super) const ID: &str = "@id";
pub(super) const TIME: &str = "@time";

/// The only partition of such a log.
const PARTITION: &str = "test";

pub(super) struct Plays<'a> {
    pub(super) artifact: &'a Arc<dyn Reducer>,
    pub(super) params: Arc<Vec<Column>>,
    pub(super) given: &'a BTreeMap<String, Vec<u8>>,
    pub(super) events: &'a [String],
}

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
        let plan = Plan::new(&[description], &addressing())
            .unwrap_or_else(|error| panic!("the reducer's inputs make no sense: {error}"));
        let (reducer, rules) = (self.artifact.clone(), self.rules());
        let recipe =
            Recipe { reducer, rules, seed: Seed([0; 32]), shards: 1, portion: Portion::default() };
        let mut decoding = Decoding::new(Arc::new(plan), &recipe);
        let mut fold = Fold::new(recipe, &[PARTITION.to_owned()]);
        fold.import_keys(&self.given(), &[0]);
        let mut played = Played::default();
        played.emits.resize_with(description.emits.len(), Vec::new);
        for (number, lines) in self.events.chunks(size).enumerate() {
            let slabs = decoding
                .batch(&[placed(number * size, lines)])
                .unwrap_or_else(|error| panic!("the events cannot be decoded: {error}"));
            match fold.fold(slabs.of(0)) {
                Ok(block) => played.take(description, block),
                Err(FoldError::Stopped { stop, .. }) => stopped(&stop, number * size, lines),
                Err(error) => panic!("{error}"),
            }
        }
        fold.end(|finals| played.finish(description, &finals))
            .unwrap_or_else(|error| panic!("view or check fails: {error}"));
        played
    }

    fn rules(&self) -> Rules {
        Rules {
            order: Order::Log,
            window: Window::All,
            on_conflict: OnConflict::KeepFirst,
            on_trap: OnTrap::Stop,
            params: self.params.clone(),
            subset: Arc::default(),
            quarantine: Default::default(),
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
        name: Arc::from(PARTITION),
        offsets: Offsets::From(first as u64),
        folders: Default::default(),
        beside: None,
        slab: Arc::new(Slab::Lines(text)),
    }
}

fn stopped(stop: &Stop, first: usize, lines: &[String]) -> ! {
    let StopCause::Trap { message, .. } = &stop.cause else {
        panic!("event {} stops the run: {:?}", first + stop.event as usize + 1, stop.cause);
    };
    let line = &lines[stop.event as usize];
    panic!("event {} stops the run: {message}\n  {line}", first + stop.event as usize + 1);
}

impl Played {
    fn finish(&mut self, description: &Description, finals: &Finals) {
        let name = |number: usize| String::from_utf8_lossy(finals.keys.get(number)).into_owned();
        for (number, state) in finals.states.iter().enumerate() {
            let key = PlayedKey { state: state.to_vec(), ..PlayedKey::default() };
            self.keys.insert(name(number), key);
        }
        for (row, &owner) in finals.viewed.owners.iter().enumerate() {
            let record = record(&description.view.fields, &finals.viewed.columns, row);
            self.keys.entry(name(owner as usize)).or_default().view.push(record);
        }
        for found in &finals.violated {
            let code = description.violations[found.code as usize].code.clone();
            self.keys.entry(name(found.owner as usize)).or_default().violations.push(code);
        }
        for (key, played) in &self.keys {
            check_rows(description, key, &played.view);
        }
    }

    fn take(&mut self, description: &Description, block: Block) {
        let first = self.outcomes.len();
        let rejects: Vec<String> = description.rejects.iter().map(|r| r.code.clone()).collect();
        for what in &block.outcomes {
            self.outcomes.push(match what.code(&rejects) {
                Some(code) => format!("{}: {code}", what.word()),
                None => what.word().to_owned(),
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
