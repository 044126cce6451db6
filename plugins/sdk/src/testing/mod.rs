//! Native tests of a reducer, with no wasm in sight: a [`Ledger`] takes events as JSON, reads them
//! with the host's own decoder, folds them with the host's own fold, and shows what came out.
//!
//! ```
//! # use retally::prelude::*;
//! # #[derive(Event)]
//! # #[select("/type")]
//! # enum Event { #[when("payment")] Payment { amount: Decimal<2> } }
//! # #[derive(State, Default)]
//! # struct Account { paid: Decimal<2> }
//! # #[derive(Record)]
//! # struct Row { paid: Decimal<2> }
//! # struct Paid;
//! # retally::export!(Paid);
//! # impl Reducer for Paid {
//! #     type Event<'a> = Event;
//! #     type State = Account;
//! #     type Params = ();
//! #     type Emit<'a> = Never;
//! #     type View<'a> = Row;
//! #     type Reject = Never;
//! #     type Violation = Never;
//! #     fn apply(
//! #         state: &mut Account, event: Event, _: &Meta, _: &(), _: &mut Emitter<Self>,
//! #     ) -> Result<(), Reject<Never>> {
//! #         let Event::Payment { amount } = event;
//! #         state.paid += amount;
//! #         Ok(())
//! #     }
//! #     fn view(state: &Account, _: &Key, _: &(), rows: &mut Rows<Self>) {
//! #         rows.push(Row { paid: state.paid });
//! #     }
//! # }
//! use retally::testing::{Ledger, json};
//!
//! let ledger = Ledger::<Paid>::new()
//!     .event("a1", json!({"type": "payment", "amount": "41.00"}))
//!     .event("a1", json!({"type": "payment", "amount": "1.50"}))
//!     .event("a2", json!({"type": "payment", "amount": "1.234"}));
//! assert_eq!(ledger.outcomes(), ["applied", "applied", "malformed: field-scale"]);
//! assert_eq!(ledger.view("a1"), [json!({"paid": "42.50"})]);
//! ```
//!
//! Every answer is worked out twice, with all events in one call and with one call per event, and
//! both must agree: a reducer that keeps anything outside of its state fails its first test.
//!
//! The same tests run against a built component: `Ledger::of` takes whatever implements the host's
//! `Reducer`, and with the feature `component` [`Ledger::new`] takes the file that the environment
//! variable `RETALLY_COMPONENT` names.

mod convert;
mod native;
mod play;

pub use native::Native;
pub use retally_core::reduce::Reducer as Artifact;
pub use serde_json::{Value, json};

use crate::Reducer;
use crate::state::{Bytes, Codec};
use play::{Played, Plays};
use retally_core::decode::convert::column_from_text;
use retally_core::reduce::Keyed;
use retally_core::schema::{Column, Description, Field, Kind, Values};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

/// 2026-01-01T00:00:00Z, the time of the first event unless a test says otherwise.
const FIRST_MICROS: i64 = 1_767_225_600_000_000;
const SECOND_MICROS: i64 = 1_000_000;

/// Events, and what a reducer makes of them. See the [module](self).
pub struct Ledger<R: Reducer> {
    artifact: Arc<dyn Artifact>,
    params: BTreeMap<String, String>,
    given: BTreeMap<String, Vec<u8>>,
    events: Vec<String>,
    next_id: Option<String>,
    next_micros: i64,
    played: OnceLock<Played>,
    of: PhantomData<fn(R)>,
}

impl<R: Reducer> Default for Ledger<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Reducer> Ledger<R> {
    /// A ledger for the reducer as it stands in code; with the feature `component` and the
    /// environment variable `RETALLY_COMPONENT` for that component instead.
    pub fn new() -> Self {
        #[cfg(feature = "component")]
        if let Some(artifact) = component() {
            return Self::of(artifact);
        }
        Self::of(Arc::new(Native::<R>::new()))
    }

    /// A ledger for an artifact that was made of this reducer: a component in the host's sandbox.
    ///
    /// # Panics
    /// When what it declares is not what the code declares.
    pub fn of(artifact: Arc<dyn Artifact>) -> Self {
        let native = Native::<R>::new();
        if let Err(error) = native.description().check() {
            panic!("the reducer is refused: {error}");
        }
        assert_eq!(
            artifact.description(),
            native.description(),
            "the artifact was not made of this code: build it again"
        );
        Self {
            artifact,
            params: BTreeMap::new(),
            given: BTreeMap::new(),
            events: Vec::new(),
            next_id: None,
            next_micros: FIRST_MICROS,
            played: OnceLock::new(),
            of: PhantomData,
        }
    }

    /// Sets a param, as `[params]` of a job does: `.param("gold_from", "1000.00")`.
    ///
    /// # Panics
    /// When there is no such param, or the text is no value of its kind.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        let fields = &self.artifact.description().params;
        let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        let Some(field) = fields.iter().find(|f| f.name == name) else {
            panic!("there is no param `{name}`; there are {names:?}");
        };
        if let Err(code) = column_from_text(field.kind, value) {
            panic!("param `{name}` cannot be {value:?}: it is a {} ({code})", field.kind);
        }
        self.params.insert(name.to_owned(), value.to_owned());
        self.again()
    }

    /// Gives a key a state before the first event: for what no event leads to, such as a state that
    /// `check` must find.
    #[must_use]
    pub fn given(mut self, key: &str, state: &R::State) -> Self {
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        self.given.insert(key.to_owned(), bytes);
        self.again()
    }

    /// Sets the id of the next event; otherwise they are `event-1`, `event-2` and so on.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.next_id = Some(id.to_owned());
        self
    }

    /// Sets the time of the next event, in RFC 3339; those behind follow by seconds. The first
    /// event is of 2026-01-01T00:00:00Z.
    ///
    /// # Panics
    /// When it is no such time.
    #[must_use]
    pub fn time(mut self, time: &str) -> Self {
        match column_from_text(Kind::Timestamp, time).map(|column| column.values) {
            Ok(Values::Timestamp(micros)) => self.next_micros = micros[0],
            _ => panic!("{time:?} is no time: write it like \"2026-03-01T12:00:00Z\""),
        }
        self
    }

    /// Adds an event of `key`, as it stands in the log. Id and time are known beside it.
    ///
    /// # Panics
    /// When it is no JSON object.
    #[must_use]
    pub fn event(mut self, key: &str, event: Value) -> Self {
        let Value::Object(mut members) = event else {
            panic!("an event is a JSON object, not {event}");
        };
        let number = self.events.len() + 1;
        let id = self.next_id.take().unwrap_or_else(|| format!("event-{number}"));
        members.insert(play::KEY.to_owned(), key.into());
        members.insert(play::ID.to_owned(), id.into());
        members.insert(play::TIME.to_owned(), self.next_micros.into());
        self.next_micros += SECOND_MICROS;
        self.events.push(Value::Object(members).to_string());
        self.again()
    }

    /// What became of each event, in order: `applied`, `ignored`, `duplicate`, `conflict`,
    /// `malformed: field-scale`, `rejected: refund-too-large`.
    pub fn outcomes(&self) -> Vec<String> {
        self.played().outcomes.clone()
    }

    /// The free text beside the outcome of each event; empty where there is none.
    pub fn details(&self) -> Vec<String> {
        self.played().details.clone()
    }

    /// The records of a kind that were emitted, in the order of the log.
    ///
    /// # Panics
    /// When there is no such kind.
    pub fn emits(&self, kind: &str) -> Vec<Value> {
        let kinds = &self.artifact.description().emits;
        let names: Vec<&str> = kinds.iter().map(|k| k.name.as_str()).collect();
        match names.iter().position(|name| *name == kind) {
            Some(number) => self.played().emits[number].clone(),
            None => panic!("there is no emit kind `{kind}`; there are {names:?}"),
        }
    }

    /// Whether a key has a state.
    pub fn has(&self, key: &str) -> bool {
        self.played().keys.contains_key(key)
    }

    /// The rows of the result for a key.
    ///
    /// # Panics
    /// When it has no state.
    pub fn view(&self, key: &str) -> Vec<Value> {
        self.key(key).view.clone()
    }

    /// The codes of the violations of a key.
    ///
    /// # Panics
    /// When it has no state.
    pub fn violations(&self, key: &str) -> Vec<String> {
        self.key(key).violations.clone()
    }

    /// The state of a key.
    ///
    /// # Panics
    /// When it has none.
    pub fn state(&self, key: &str) -> R::State {
        Bytes::whole(&self.key(key).state)
    }

    /// What `migrate` makes of an older state of `key`.
    ///
    /// # Errors
    /// The sentence of the reducer.
    ///
    /// # Panics
    /// When `migrate` panics.
    pub fn migrate<Old: crate::State>(&self, key: &str, old: &Old) -> Result<R::State, String> {
        let mut bytes = Vec::new();
        old.encode(&mut bytes);
        let keyed = Keyed {
            keys: [key.as_bytes()].into_iter().collect(),
            states: [bytes.as_slice()].into_iter().collect(),
            times: vec![FIRST_MICROS],
            params: Arc::new(self.columns()),
        };
        let migrated =
            self.artifact.open().and_then(|mut instance| instance.migrate(Old::VERSION, &keyed));
        match migrated {
            Ok(states) => states.map(|states| Bytes::whole(states.get(0))),
            Err(fault) => panic!("migrate ends in a {fault}"),
        }
    }

    fn key(&self, key: &str) -> &play::PlayedKey {
        let played = self.played();
        let events = || {
            let outcomes = played.outcomes.iter().zip(&played.details).enumerate();
            let line = |(number, (what, detail))| format!("\n  {}. {what} {detail}", number + 1);
            outcomes.map(line).collect::<String>()
        };
        match played.keys.get(key) {
            Some(key) => key,
            None => panic!("key {key:?} has no state; what became of the events:{}", events()),
        }
    }

    fn again(mut self) -> Self {
        self.played = OnceLock::new();
        self
    }

    fn columns(&self) -> Vec<Column> {
        let Description { params, defaults, .. } = self.artifact.description();
        let column = |(field, default): (&Field, &Column)| match self
            .params
            .get(&field.name)
            .map(|value| column_from_text(field.kind, value))
        {
            Some(Ok(set)) => set,
            None if field.required => panic!("the param `{}` is not set", field.name),
            _ => default.clone(),
        };
        params.iter().zip(defaults).map(column).collect()
    }

    fn played(&self) -> &Played {
        self.played.get_or_init(|| {
            let plays = Plays {
                artifact: &self.artifact,
                params: Arc::new(self.columns()),
                given: &self.given,
                events: &self.events,
            };
            let together = plays.play(self.events.len().max(1));
            let singly = plays.play(1);
            assert_eq!(
                together, singly,
                "the result depends on how events are cut into calls: does the reducer keep \
                 something outside of its state?"
            );
            together
        })
    }
}

/// The component that the environment names, loaded once.
#[cfg(feature = "component")]
fn component() -> Option<Arc<dyn Artifact>> {
    static LOADED: OnceLock<Option<Arc<retally_sandbox::WasmReducer>>> = OnceLock::new();
    let load = || {
        let path = std::path::PathBuf::from(std::env::var_os("RETALLY_COMPONENT")?);
        let shown = path.display();
        let bytes = std::fs::read(&path).unwrap_or_else(|error| {
            panic!("RETALLY_COMPONENT: {shown} cannot be read: {error}");
        });
        let sandbox = retally_sandbox::Sandbox::new(Default::default());
        let sandbox = sandbox.unwrap_or_else(|error| panic!("{error}"));
        let loaded = sandbox.load(&bytes);
        Some(loaded.unwrap_or_else(|error| panic!("RETALLY_COMPONENT: {shown}: {error}")))
    };
    LOADED.get_or_init(load).clone().map(|reducer| reducer as Arc<dyn Artifact>)
}
