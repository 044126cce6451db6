//! What a snapshot holds: everything that decides how a run goes on from a position of the log, and
//! nothing else. Who writes, finds and reads it lies in the engine.
//!
//! A snapshot is bound: [`Binding`] names all that could have decided its content, and a run whose
//! own binding differs does not go on from it. Rows come unordered, in as many pieces as the fold
//! has shards; they are put in order when they are saved, so that neither shards nor threads show.

use crate::digest::{Hash, History};
use crate::log::{Micros, PartitionIndex};
use crate::manifest::{Counts, Difference, ReducerId, Settings};
use crate::schema::{Description, Spans};
use crate::seed::Seed;

/// Keys and what the host keeps of each; all lists have one entry per key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRows {
    /// The keys, each once; also those that have no state.
    pub keys: Spans,
    /// The reducer's bytes; empty: no state.
    pub states: Spans,
    /// Events that the reducer applied.
    pub applied: Vec<u64>,
    /// Highest time of events seen; [`Micros::MIN`] before the first.
    pub highest: Vec<Micros>,
    /// Time of the last applied event; 0 before the first.
    pub last: Vec<Micros>,
    /// The partition in which the key lives or was first seen: its number in [`Head::partitions`].
    pub home: Vec<PartitionIndex>,
}

/// Ids seen; their digests tell the shards of their keys ([`Seed::id`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdRows {
    /// [`Seed::id`] of key and id.
    pub digests: Vec<u128>,
    /// What is kept of the content of the event that counts.
    pub content: Vec<u64>,
    /// The key of each: its row in the [`KeyRows`] that come with it. Empty unless the window is a
    /// span.
    pub keys: Vec<u32>,
    /// The key's highest time when the id was seen. Empty unless the window is a span.
    pub highest: Vec<Micros>,
}

/// A piece of the fold's memory, such as one shard's: keys, and ids of no other keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// The partition to which all of it belongs, by its number in [`Head::partitions`], where the
    /// fold tells ids apart by partition. (Keys know their homes, and under a span ids know their
    /// keys.)
    pub partition: Option<PartitionIndex>,
    /// Keys: all of them, whether or not a snapshot before held them.
    pub keys: KeyRows,
    /// Ids that no snapshot before this one holds.
    pub ids: IdRows,
}

/// What stands at the top of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What it is bound to.
    pub binding: Binding,
    /// The secret of this history.
    pub seed: Seed,
    /// How far each partition was read, in the order of their names' bytes.
    pub partitions: Vec<Reached>,
    /// The outcome trees so far.
    pub outcomes: Vec<History>,
    /// Counts since the history began; violations are not known before the end of a run.
    pub counts: Counts,
    /// Whether the history began without the state that belonged to its first position.
    pub empty_state: bool,
}

/// How far a partition was read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// The partition's name.
    pub partition: String,
    /// Offset of the first event that was not read yet.
    pub next: u64,
}

/// All that could decide what a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The reducer.
    pub reducer: ReducerId,
    /// The job's settings that can decide a result.
    pub settings: Settings,
}

impl Binding {
    /// The binding of a run: its reducer, known by the hash of its bytes, and its settings.
    pub fn new(reducer: &Description, sha256: Hash, contract: &str, settings: Settings) -> Self {
        Self { reducer: ReducerId::new(reducer, sha256, contract), settings }
    }

    /// The binding of a snapshot at a position: ranges bind nothing, because a range can end and
    /// another go on from there, and of the ledger only what lies before the position counts.
    #[must_use]
    pub fn up_to(mut self, reached: &[Reached]) -> Self {
        self.settings = self.settings.up_to(reached);
        self
    }

    /// The first thing in which a snapshot with this binding differs from what a run needs.
    /// `reached` is the snapshot's position.
    pub fn difference(&self, needed: &Self, reached: &[Reached]) -> Option<Difference> {
        let of_reducer = self.reducer.difference(&needed.reducer);
        of_reducer.or_else(|| self.settings.difference(&needed.settings.clone().up_to(reached)))
    }
}

impl KeyRows {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether all lists have one entry per key.
    pub fn is_whole(&self) -> bool {
        let lists = [self.applied.len(), self.highest.len(), self.last.len(), self.home.len()];
        self.states.len() == self.len() && lists.iter().all(|&list| list == self.len())
    }
}

impl IdRows {
    /// Number of ids.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// Whether the lists fit each other, and the window.
    pub fn is_whole(&self, window_is_span: bool) -> bool {
        let spanned = if window_is_span { self.len() } else { 0 };
        self.content.len() == self.len()
            && self.keys.len() == spanned
            && self.highest.len() == spanned
    }
}
