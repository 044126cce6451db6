//! What a shard remembers, as rows: what a snapshot is made of. Rows come unordered.

use crate::log::{Micros, PartitionIndex};
use crate::schema::Spans;

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
    /// The partition in which the key lives or was first seen: its number in a snapshot's head.
    pub home: Vec<PartitionIndex>,
}

/// Ids seen; their digests tell the shards of their keys ([`Seed::id`](crate::seed::Seed::id)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdRows {
    /// [`Seed::id`](crate::seed::Seed::id) of key and id.
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
    /// The partition to which all of it belongs, by its number in a snapshot's head, where the
    /// fold tells ids apart by partition. (Keys know their homes, and under a span ids know their
    /// keys.)
    pub partition: Option<PartitionIndex>,
    /// Keys of which something may have changed since the snapshot before, or of which it has
    /// nothing.
    pub keys: KeyRows,
    /// Ids that no snapshot before this one holds.
    pub ids: IdRows,
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

    /// Keeps the keys that `keep` says, by their rows.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let old = std::mem::take(self);
        for row in (0..old.len()).filter(|&row| keep(row)) {
            self.keys.push(old.keys.get(row));
            self.states.push(old.states.get(row));
            self.applied.push(old.applied[row]);
            self.highest.push(old.highest[row]);
            self.last.push(old.last[row]);
            self.home.push(old.home[row]);
        }
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

    /// Appends ids of the same keys.
    pub fn append(&mut self, other: &Self) {
        self.digests.extend_from_slice(&other.digests);
        self.content.extend_from_slice(&other.content);
        self.keys.extend_from_slice(&other.keys);
        self.highest.extend_from_slice(&other.highest);
    }

    /// Keeps the ids that `keep` says, by their rows.
    pub fn retain(&mut self, keep: impl Fn(&Self, usize) -> bool) {
        let old = std::mem::take(self);
        for row in (0..old.len()).filter(|&row| keep(&old, row)) {
            self.digests.push(old.digests[row]);
            self.content.push(old.content[row]);
            self.keys.extend(old.keys.get(row));
            self.highest.extend(old.highest.get(row));
        }
    }

    /// Whether the lists fit each other, and the window.
    pub fn is_whole(&self, window_is_span: bool) -> bool {
        let spanned = if window_is_span { self.len() } else { 0 };
        self.content.len() == self.len()
            && self.keys.len() == spanned
            && self.highest.len() == spanned
    }
}
