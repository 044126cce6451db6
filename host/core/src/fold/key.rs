//! One key's step: for whoever keeps states of its own, such as a stream processor. What it keeps
//! of a key goes in with the key's next events; outcomes, records and what is to be kept come out,
//! by the same judgement as in a run over all keys.
//!
//! The outcomes' digest of all is made from the blocks' records
//! ([`OutcomeShape::records`](crate::digest::OutcomeShape::records)), the others from the rows of
//! [`Recipe::key_finals`]: see [`crate::digest`].

use super::{FoldError, Recipe, SpareInstance};
use crate::dedup::Window;
use crate::log::{Micros, PartitionIndex};
use crate::portion::Portion;
use crate::reduce::{Block, Finals, Instance, KeyFault, Originals, Shard, Shares, sorted_keys};
use crate::shard::{Decoded, shard_of};
use crate::snapshot::{IdRows, KeyRows, Piece};

/// What is kept of one key between its events: all that decides what becomes of the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMemory {
    /// The key.
    pub key: Vec<u8>,
    /// The reducer's bytes; empty: no state.
    pub state: Vec<u8>,
    /// Events that the reducer applied.
    pub applied: u64,
    /// Highest time of events seen; [`Micros::MIN`] before the first.
    pub highest: Micros,
    /// Time of the last applied event; 0 before the first.
    pub last: Micros,
    /// The partition in which the key was first seen.
    pub home: PartitionIndex,
    /// Its ids within the window, each with the content of the event that counts, and under a span
    /// with the key's highest time when it was seen.
    pub ids: IdRows,
}

impl KeyMemory {
    /// A key of which no event was seen, and the partition of its first one.
    pub fn new(key: &[u8], home: PartitionIndex) -> Self {
        let (key, state, ids) = (key.to_vec(), Vec::new(), IdRows::default());
        Self { key, state, applied: 0, highest: Micros::MIN, last: 0, home, ids }
    }

    fn rows(&self) -> KeyRows {
        KeyRows {
            keys: [self.key.as_slice()].into_iter().collect(),
            states: [self.state.as_slice()].into_iter().collect(),
            applied: vec![self.applied],
            highest: vec![self.highest],
            last: vec![self.last],
            home: vec![0],
        }
    }

    /// Takes what a shard holds of the key after its step, and forgets what is beyond the window.
    fn take(&mut self, piece: &Piece, window: Window) {
        let Piece { keys, ids, .. } = piece;
        self.ids.append(ids);
        if keys.is_empty() {
            return;
        }
        self.state = keys.states.get(0).to_vec();
        (self.applied, self.highest, self.last) = (keys.applied[0], keys.highest[0], keys.last[0]);
        if let Window::Span(span) = window {
            let highest = self.highest;
            self.ids.retain(|ids, row| highest.saturating_sub(ids.highest[row]) <= span);
        }
    }
}

impl Recipe {
    /// Folds the next events of one key, in log order: slabs that hold no event of another key.
    /// Events without a key (ignored, unreadable) may be among them.
    ///
    /// # Errors
    /// [`FoldError::OtherKey`], or the first event with which a run could not go on. What is kept
    /// of the key is as it was then.
    pub fn step(
        &self,
        memory: &mut KeyMemory,
        slabs: &[Decoded],
        instance: &mut Option<Box<dyn Instance>>,
    ) -> Result<Block, FoldError> {
        for slab in slabs {
            let other = (0..slab.candidates().len()).find(|&at| slab.key(at) != memory.key);
            if let Some(at) = other {
                return Err(FoldError::OtherKey {
                    position: slab.position(slab.candidates()[at].row),
                    key: String::from_utf8_lossy(&memory.key).into_owned(),
                });
            }
        }
        let (mut shard, number) = self.shard_of_key(memory);
        let mut spare = SpareInstance::with(instance.take());
        let folded = self.fold_all(std::slice::from_mut(&mut shard), slabs, &mut spare);
        *instance = spare.kept;
        let mut shares = Shares::default();
        (0..self.shards).for_each(|shard| shares.add(shard, Vec::new()));
        for (_, share) in folded.map_err(|stop| FoldError::stopped(slabs, stop))? {
            shares.add(number, vec![share]);
        }
        let block = self.merge(slabs, shares, Originals::InSlabs)?;
        for piece in shard.export(&self.rules) {
            memory.take(&piece, self.rules.window);
        }
        Ok(block)
    }

    /// The view rows and violations of one key as it stands now; nothing if it has no state.
    ///
    /// # Errors
    /// A fault that repeats.
    pub fn key_finals(
        &self,
        memory: &KeyMemory,
        instance: &mut Option<Box<dyn Instance>>,
    ) -> Result<Finals, KeyFault> {
        let shard = &[&self.shard_of_key(memory).0];
        self.finals_of(shard, &sorted_keys(shard), instance)
    }

    /// The shard of a key with nothing in it but the key; and its number.
    fn shard_of_key(&self, memory: &KeyMemory) -> (Shard, usize) {
        let number = shard_of(self.seed.key(&memory.key), self.shards);
        let mut shard = Shard::new(number, &self.rules);
        let alone = std::slice::from_mut(&mut shard);
        let how = (&self.seed, Portion::default());
        let slots = Shard::import_keys(alone, &memory.rows(), &[memory.home], how);
        Shard::import_ids(alone, &memory.ids, &slots, how.1);
        (shard, number)
    }
}
