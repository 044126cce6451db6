//! Reducers as the fold sees them: [`Reducer`] is the artifact, [`Instance`] one running copy of
//! it, [`Batch`] and [`Answer`] what goes in and comes out.
//!
//! The sandbox makes a `Reducer` of a wasm component; [`native`] makes one of plain Rust for tests.
//! A call is a pure function of its arguments, so any instance may be dropped at any time.

mod allowance;
mod block;
mod check;
mod engine;
mod finals;
mod fold;
mod gather;
mod imprint;
mod isolate;
mod join;
mod judge;
mod manner;
mod memory;
mod merge;
mod migrate;
pub mod native;
mod outcome;
mod pieces;
mod probe;
mod reaches;
mod rules;
mod running;
mod scout;
mod shares;
mod stop;

pub use allowance::Allowance;
pub use block::{Block, EmitRows, Finals, Refused};
pub use check::{AnswerError, check_answer, check_keyed, check_viewed, check_violated};
pub use engine::Engine;
pub use finals::{KeyFault, KeyRef, calls, finals, sorted_keys, stateless, view_of};
pub use fold::{Folded, Shard};
pub use imprint::Imprint;
pub use join::{Ahead, Unjoined, join_blocks, join_keys, spread};
pub use manner::{Manner, Undone};
pub use merge::{Originals, merge};
pub use migrate::{MigrateError, migrate};
pub use outcome::Outcome;
pub use pieces::{IdRows, KeyRows, Piece};
pub use probe::{NoProbe, Probe, Step};
pub use rules::{OnConflict, OnTrap, Quarantine, Rules};
pub use scout::{Scouted, Unsure, first_stop};
pub use shares::{Shares, Unfolded};
pub use stop::{Stop, StopCause};

/// The steps of a shard's fold one by one, for whoever drives two shards side by side: judge
/// ([`Shard::judged`]), group ([`steps::gather`]), call ([`steps::Call`]), keep ([`Shard::keep`]).
pub mod steps {
    pub use super::fold::numbers;
    pub use super::gather::{Grouped, gather, states};
    pub use super::isolate::{Call, Called, OneByOne, alone, append, grow};
    pub use super::judge::Taken;
    pub use super::running::apply_within;
}

use crate::hash::Hash;
use crate::schema::{Column, Description, Spans};
use std::sync::Arc;

/// A reducer that is loaded and checked.
pub trait Reducer: Send + Sync {
    /// What it declares; already checked.
    fn description(&self) -> &Description;

    /// SHA-256 of the artifact.
    fn digest(&self) -> Hash;

    /// What runs it.
    fn engine(&self) -> Engine;

    /// A fresh instance.
    ///
    /// # Errors
    /// [`Fault::Trap`], [`Fault::Limit`] or [`Fault::Machine`] when it does not start.
    fn open(&self) -> Result<Box<dyn Instance>, Fault>;
}

/// Whether a call that still runs shall end because nobody wants what it would return.
pub type Halt = Arc<dyn Fn() -> bool + Send + Sync>;

/// One running copy of a reducer. After an error it must be dropped.
pub trait Instance: Send {
    /// From now on calls look at `halt` from time to time, and end with [`Fault::Halted`] when it
    /// says so. One that cannot look just goes on.
    fn halt_when(&mut self, halt: Halt) {
        drop(halt);
    }

    /// From now on a call may take one of so many equal parts of its CPU time, at first all of it;
    /// then [`Limit::Deadline`] is met. One that cannot measure just goes on.
    fn hurry(&mut self, _parts: u32) {}

    /// Folds a batch: new states, emits, rejects.
    ///
    /// # Errors
    /// See [`Fault`]. The result is not checked yet: see [`check_answer`].
    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault>;

    /// Derives the view rows of keys.
    ///
    /// # Errors
    /// See [`Fault`].
    fn view(&mut self, keyed: &Keyed) -> Result<Viewed, Fault>;

    /// Finds the violations in the states of keys.
    ///
    /// # Errors
    /// See [`Fault`].
    fn check(&mut self, keyed: &Keyed) -> Result<Vec<Violated>, Fault>;

    /// Turns states of an older version into states of this one.
    ///
    /// # Errors
    /// The outer error as above; the inner one is the reducer's own refusal.
    fn migrate(&mut self, version: u32, keyed: &Keyed) -> Result<Result<Spans, String>, Fault>;
}

/// Events for one call of `apply`: grouped by key, in log order within a key.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The keys touched, each once.
    pub keys: Spans,
    /// Each key's state; empty: none yet.
    pub states: Spans,
    /// Where each key's events end in the lists below.
    pub key_ends: Vec<u32>,
    /// Each event's input.
    pub inputs: Vec<u8>,
    /// Each event's id.
    pub ids: Spans,
    /// Each event's time.
    pub times: Vec<i64>,
    /// For each input one column per field, over that input's events in batch order.
    pub columns: Vec<Vec<Column>>,
    /// One column of one row per param.
    pub params: Arc<Vec<Column>>,
    /// What is wanted of the views after its events.
    pub trace: Trace,
}

/// What a call tells of the views after its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trace {
    /// Nothing.
    #[default]
    Nothing,
    /// An [`Imprint`] of the view after each event, as far as the fields with these numbers go, at
    /// least one and of the first 64.
    Imprints(Vec<u16>),
    /// The rows of the view after each event.
    Views,
}

impl Batch {
    /// Number of events.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.keys.memory()
            + self.states.memory()
            + size_of_val(&self.key_ends[..])
            + self.inputs.len()
            + self.ids.memory()
            + size_of_val(&self.times[..])
            + self.columns.iter().flatten().map(Column::bytes).sum::<usize>()
    }
}

/// What a reducer made of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The new state of every key of the batch, in its order; empty: none.
    pub states: Spans,
    /// For each emit kind the records.
    pub emits: Vec<Emitted>,
    /// Rejected events, ascending by row.
    pub rejects: Vec<Rejected>,
    /// View rows after every event that was applied, owners being rows of the batch; only for
    /// [`Trace::Views`]. An applied event without rows: its key has none. The view after a rejected
    /// event is the one before it, and has no rows here.
    pub trace: Viewed,
    /// For [`Trace::Imprints`] the two words of one per event; or none at all from a reducer that
    /// makes none.
    pub imprints: Vec<u64>,
}

impl Answer {
    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let rejected = |reject: &Rejected| size_of::<Rejected>() + reject.detail.len();
        self.states.memory()
            + self.emits.iter().map(Emitted::bytes).sum::<usize>()
            + self.rejects.iter().map(rejected).sum::<usize>()
            + self.trace.bytes()
            + size_of_val(&self.imprints[..])
    }
}

/// Records of one emit kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Emitted {
    /// The event (row of the batch) of each record, never decreasing.
    pub rows: Vec<u32>,
    /// One column per field.
    pub columns: Vec<Column>,
}

impl Emitted {
    /// Memory that they take, in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.rows[..]) + self.columns.iter().map(Column::bytes).sum::<usize>()
    }
}

/// An event that a business rule refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The event's row in the batch.
    pub row: u32,
    /// Number of the declared reject code.
    pub code: u16,
    /// Free text; in the refused table, never in a digest.
    pub detail: String,
}

/// View rows and to whom they belong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Viewed {
    /// For each row the number of its key in the call (or of its event in a trace), never
    /// decreasing.
    pub owners: Vec<u32>,
    /// One column per field of the view.
    pub columns: Vec<Column>,
}

impl Viewed {
    /// Memory that they take, in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.owners[..]) + self.columns.iter().map(Column::bytes).sum::<usize>()
    }
}

/// Keys with their states.
#[derive(Debug, Clone, Default)]
pub struct Keyed {
    /// The keys, each once.
    pub keys: Spans,
    /// Their states.
    pub states: Spans,
    /// Time of each key's last applied event.
    pub times: Vec<i64>,
    /// As in [`Batch`].
    pub params: Arc<Vec<Column>>,
}

/// A broken business rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violated {
    /// Number of the key in the call.
    pub owner: u32,
    /// Number of the declared violation code.
    pub code: u16,
    /// Free text; in the violations table, never in a digest.
    pub detail: String,
}

/// Why a call did not return. They are kept apart because they mean different things for a run:
/// see docs/determinism.md.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The reducer trapped or panicked: the event's own doing if it repeats.
    #[error("trap: {message}")]
    Trap {
        /// The panic's message with file and line, or the engine's name of the trap; never in a
        /// digest.
        message: String,
    },
    /// A bound of the machine was met: never decides a result.
    #[error("limit: {which}: {message}")]
    Limit {
        /// Which bound.
        which: Limit,
        /// For a person.
        message: String,
    },
    /// The reducer returned something that its contract forbids.
    #[error("broken contract: {message}")]
    Contract {
        /// What is wrong.
        message: String,
    },
    /// The machine did not give what a call needs: neither the reducer's doing nor the event's.
    #[error("this machine did not give what the sandbox needs: {message}")]
    Machine {
        /// What it refused.
        message: String,
    },
    /// The call was ended because the run is over.
    #[error("the run was over before the call returned")]
    Halted,
}

/// The bounds of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// CPU time of one call.
    Deadline,
    /// Memory of one instance.
    Memory,
    /// Depth of the call stack.
    Stack,
    /// State of one key, of a reducer that is not trusted ([`Allowance`]).
    State,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::State => "state",
        })
    }
}
