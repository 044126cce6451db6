//! [`Reducer`]: what an author writes.

use crate::emit::{Emit, Emitter, Record, Rows};
use crate::event::Event;
use crate::export::Exported;
use crate::params::Params;
use crate::reason::{Reason, Reject, Violations};
use crate::state::{Previous, State};
use crate::time::Timestamp;

/// A business calculation over events: a pure function of (state, events, params).
///
/// Every key (an account, say) has a state of its own, which the host keeps. Nothing else may be
/// kept from one call to the next: no statics, no thread locals. The same events then give the same
/// results, in whatever batches they come, on whatever machine.
pub trait Reducer: Exported + Sized {
    /// The types of event that it reads: an enum with `#[derive(Event)]`.
    type Event<'a>: Event<'a>;
    /// What it keeps per key: a struct with `#[derive(State, Default)]`. A new key begins with
    /// `Default`.
    type State: State + Default;
    /// Values that the job may set: a struct with `#[derive(Params)]`, or `()`.
    type Params: Params;
    /// What it emits for single events: a struct with `#[derive(Record)]`, an enum of several with
    /// `#[derive(Emit)]`, or [`Never`](crate::Never).
    type Emit<'a>: Emit;
    /// A row of the result for a key: a struct with `#[derive(Record)]`.
    type View<'a>: Record;
    /// Why an event may be rejected: an enum with `#[derive(Reason)]`, or [`Never`](crate::Never).
    type Reject: Reason;
    /// What may be found wrong with a state: an enum with `#[derive(Reason)]`, or
    /// [`Never`](crate::Never).
    type Violation: Reason;

    /// Folds one event into its key's state, and emits. A rejected event leaves no trace: whatever
    /// was done to `state` and emitted before is taken back.
    ///
    /// # Errors
    /// The reason for which the event is rejected.
    fn apply(
        state: &mut Self::State,
        event: Self::Event<'_>,
        meta: &Meta<'_>,
        params: &Self::Params,
        out: &mut Emitter<Self>,
    ) -> Result<(), Reject<Self::Reject>>;

    /// Derives the rows of the result for one key.
    fn view(state: &Self::State, key: &Key<'_>, params: &Self::Params, rows: &mut Rows<Self>);

    /// Looks for what must never be true of a state. Called for every key at the end of a run.
    fn check(
        state: &Self::State,
        key: &Key<'_>,
        params: &Self::Params,
        found: &mut Violations<Self::Violation>,
    ) {
        let _ = (state, key, params, found);
    }

    /// Whether a key has no state any more: it is then absent from results, and its next event
    /// begins with `Default` again. Asked after every event that was applied.
    fn is_gone(state: &Self::State) -> bool {
        let _ = state;
        false
    }

    /// Makes a state of one of an older version, which `#[state(version = 2, previous =
    /// v1::Account)]` names.
    ///
    /// # Errors
    /// A sentence that says why it cannot be done; the run stops with it.
    fn migrate(
        old: <Self::State as State>::Previous,
        key: &Key<'_>,
        params: &Self::Params,
    ) -> Result<Self::State, String> {
        const {
            assert!(
                <<Self::State as State>::Previous as Previous>::VERSIONS.is_empty(),
                "the state names an older version: write `fn migrate` in `impl Reducer`"
            );
        }
        let _ = (old, key, params);
        Err("there is no older version".to_owned())
    }
}

/// What is known of every event beside its fields. Never its position: that differs between
/// engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Its time.
    pub time: Timestamp,
}

/// A key, when its state is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// The key.
    pub key: &'a str,
    /// Time of its last applied event.
    pub time: Timestamp,
}
