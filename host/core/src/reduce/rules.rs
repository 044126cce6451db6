//! The settings of a job that can decide a result.

use crate::dedup::Window;
use crate::log::{Order, Spot};
use crate::schema::Column;
use crate::subset::Subset;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What happens when key and id were seen with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// The first counts, the other is kept among the refused.
    #[default]
    KeepFirst,
    /// The run stops.
    Stop,
}

/// What happens when an event makes the reducer trap, every time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnTrap {
    /// The run stops and names the event.
    #[default]
    Stop,
    /// The event is rejected with the word `trap`.
    Reject,
}

/// An entry of the ledger that takes an event out. What it says of key and id must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quarantine {
    /// The event's key, if the entry names it.
    pub key: Option<String>,
    /// The event's id, if the entry names it.
    pub id: Option<String>,
}

/// All rules of one fold.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How events of several partitions follow one another.
    pub order: Order,
    /// How long an id is remembered.
    pub window: Window,
    /// See [`OnConflict`].
    pub on_conflict: OnConflict,
    /// See [`OnTrap`].
    pub on_trap: OnTrap,
    /// Params of the reducer, one row each.
    pub params: Arc<Vec<Column>>,
    /// Which keys are taken.
    pub subset: Arc<Subset>,
    /// Events taken out.
    pub quarantine: BTreeMap<Spot, Quarantine>,
}
