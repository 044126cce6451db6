//! The fold, put together once: placed slabs in; blocks, finals and digests out.
//!
//! ```text
//! Placed --Decoding--> Slabs --Recipe::fold, shard by shard--> Shares --Recipe::merge--> Block
//!                                                  all keys --Recipe::finals--> Finals, digests
//! ```
//!
//! What does not change while a log is folded is a [`Recipe`]; what does is a shard's
//! ([`Shard`]), so whoever has threads calls the same pieces from them. [`Fold`] is those pieces
//! called in order. Whoever keeps the states of keys elsewhere folds key by key:
//! [`Recipe::step`].

mod decoding;
mod interleave;
mod key;
mod recipe;

pub use decoding::{Decoding, Slabs};
pub use interleave::{Bounds, Interleave, Strand, Timed};
pub use key::KeyMemory;
pub use recipe::Recipe;

use crate::digest::{
    BlockError, Digests, History, HistoryError, KeyTreeError, OutcomeShape, Outcomes, Tables,
};
use crate::log::{PartitionIndex, Position};
use crate::reduce::{
    Block, Fault, Finals, Instance, KeyFault, KeyRef, Originals, Shard, Shares, Stop, Unfolded,
    Viewed, calls, sorted_keys, view_of,
};
use crate::shard::{Decoded, event_at};
use crate::snapshot::{IdRows, KeyRows, Piece};
use crate::state::Slot;

/// A fold without thread or I/O.
pub struct Fold {
    /// What is folded, and by which rules.
    pub recipe: Recipe,
    /// Keys, states and ids.
    pub shards: Vec<Shard>,
    /// What became of every event so far.
    pub outcomes: Outcomes,
    /// The instance at hand.
    pub instance: SpareInstance,
    /// Where the bytes of refused events are; in the slabs unless told otherwise.
    pub originals: Originals,
}

/// The instance that a fold without threads keeps from call to call.
#[derive(Default)]
pub struct SpareInstance {
    kept: Option<Box<dyn Instance>>,
    fresh: bool,
}

impl SpareInstance {
    /// With an instance at hand.
    fn with(kept: Option<Box<dyn Instance>>) -> Self {
        Self { kept, fresh: false }
    }

    /// For the next call.
    pub fn for_call(&mut self) -> &mut Option<Box<dyn Instance>> {
        self.kept = self.kept.take().filter(|_| !self.fresh);
        &mut self.kept
    }
}

impl Fold {
    /// A fold that has seen nothing. `partitions`: their names, in the order of the run's numbers.
    pub fn new(recipe: Recipe, partitions: &[String]) -> Self {
        let outcomes = Outcomes::new(OutcomeShape::of(recipe.description()), partitions);
        Self::with(recipe, outcomes)
    }

    /// A fold that goes on where [`Fold::save`] left the outcomes; its keys and ids come with
    /// [`Fold::import`].
    ///
    /// # Errors
    /// When a history does not fit together.
    pub fn resume(
        recipe: Recipe,
        partitions: &[String],
        outcomes: Vec<History>,
    ) -> Result<Self, HistoryError> {
        let shape = OutcomeShape::of(recipe.description());
        let outcomes = Outcomes::restore(shape, partitions, outcomes)?;
        Ok(Self::with(recipe, outcomes))
    }

    fn with(recipe: Recipe, outcomes: Outcomes) -> Self {
        let shards = (0..recipe.shards).map(|number| Shard::new(number, &recipe.rules)).collect();
        let (instance, originals) = (SpareInstance::default(), Originals::InSlabs);
        Self { recipe, shards, outcomes, instance, originals }
    }

    /// From now on every call gets an instance of its own. No result depends on it.
    #[must_use]
    pub fn with_fresh_instances(mut self) -> Self {
        self.instance.fresh = true;
        self
    }

    /// Takes in a piece of a snapshot, the oldest snapshot first. `homes` gives this run's number
    /// for each partition of the snapshot.
    pub fn import(&mut self, piece: &Piece, homes: &[PartitionIndex]) {
        let slots = self.import_keys(&piece.keys, homes);
        self.import_ids(&piece.ids, &slots);
    }

    /// Takes in those keys of a snapshot that are of the recipe's portion, and gives their slots.
    pub fn import_keys(&mut self, keys: &KeyRows, homes: &[PartitionIndex]) -> Vec<Option<Slot>> {
        let Recipe { seed, portion, .. } = &self.recipe;
        Shard::import_keys(&mut self.shards, keys, homes, (seed, *portion))
    }

    /// Takes in ids of a snapshot, the oldest first. `slots`: of the keys that they name.
    pub fn import_ids(&mut self, ids: &IdRows, slots: &[Option<Slot>]) {
        Shard::import_ids(&mut self.shards, ids, slots, self.recipe.portion);
    }

    /// The ids of a batch that the fold does not hold: whoever keeps ids of a snapshot elsewhere
    /// takes those of them that were seen in ([`Fold::import_ids`]) before the batch is folded.
    pub fn ids_not_held(&self, slabs: &[Decoded]) -> Vec<u128> {
        self.shards.iter().flat_map(|shard| shard.ids_not_held(slabs)).collect()
    }

    /// The keys that changed and the ids that came since the last time, and the outcomes.
    pub fn save(&mut self) -> (Vec<Piece>, Vec<History>) {
        let rules = &self.recipe.rules;
        let pieces = self.shards.iter_mut().flat_map(|shard| shard.export(rules)).collect();
        (pieces, self.outcomes.save())
    }

    /// How many keys there are, whether or not they have a state.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.keys.len()).sum()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Folds the next batch of the log.
    ///
    /// # Errors
    /// [`FoldError::Stopped`] at the first event with which the run cannot go on; the fold is of no
    /// use then.
    pub fn fold(&mut self, slabs: &[Decoded]) -> Result<Block, FoldError> {
        let folded = self.recipe.fold_all(&mut self.shards, slabs, &mut self.instance);
        let mut shares = Shares::default();
        for (shard, share) in folded.map_err(|stop| FoldError::stopped(slabs, stop))? {
            shares.add(shard, vec![share]);
        }
        self.take(slabs, shares)
    }

    /// Takes what the shards made of a batch, whoever had them fold it.
    ///
    /// # Errors
    /// When a shard has not folded its share.
    pub fn take(&mut self, slabs: &[Decoded], shares: Shares) -> Result<Block, FoldError> {
        let block = self.recipe.merge(slabs, shares, self.originals)?;
        self.outcomes.add(&block)?;
        Ok(block)
    }

    /// Where a key lies, if it was seen.
    pub fn find(&self, key: &[u8]) -> Option<KeyRef> {
        let hash = self.recipe.seed.key(key);
        let number = self.recipe.portion.shard_of(hash, self.shards.len())?;
        Some((number as u32, self.shards[number].keys.find(hash, key)?))
    }

    /// The view rows of a key as it stands now.
    pub fn view(&mut self, key: &[u8]) -> Result<Viewed, Fault> {
        let Recipe { reducer, rules, .. } = &self.recipe;
        let shards: Vec<&Shard> = self.shards.iter().collect();
        let has_state = |key: &KeyRef| !shards[key.0 as usize].keys.state(key.1).is_empty();
        match self.find(key).filter(has_state) {
            Some(key) => view_of(&shards, key, reducer.as_ref(), rules, self.instance.for_call()),
            None => Ok(Viewed::default()),
        }
    }

    /// Hands all keys with a state, in byte order and in pieces of bounded size, to `take`, and
    /// gives the digests of all that came out.
    ///
    /// # Errors
    /// When `view` or `check` fails for a key.
    pub fn end(&mut self, mut take: impl FnMut(Finals)) -> Result<Digests, FoldError> {
        let mut tables = Tables::new(self.recipe.description());
        let shards: Vec<&Shard> = self.shards.iter().collect();
        let keys = sorted_keys(&shards);
        for keys in calls(&shards, &keys) {
            let finals = self.recipe.finals_of(&shards, keys, self.instance.for_call())?;
            tables.add(&finals)?;
            take(finals);
        }
        Ok(tables.finish().digests(self.outcomes.digest()))
    }
}

/// Why a fold cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The first event with which the run cannot go on.
    #[error("the run stops at {position}: {}", .stop.cause)]
    Stopped {
        /// Where it lies.
        position: Position,
        /// Its number in the batch, and why.
        stop: Stop,
    },
    /// One key's step got an event of another key.
    #[error("the event at {position} is not of the key {key:?}")]
    OtherKey {
        /// Where it lies.
        position: Position,
        /// The key whose step it is.
        key: String,
    },
    /// What the shards made of a batch is not whole.
    #[error(transparent)]
    Unfolded(#[from] Unfolded),
    /// A block that does not fit together.
    #[error("the outcomes cannot be digested: {0}")]
    Block(#[from] BlockError),
    /// `view` or `check` fails.
    #[error(transparent)]
    Keys(#[from] KeyFault),
    /// Finals that do not fit together.
    #[error("the keys cannot be digested: {0}")]
    Tree(#[from] KeyTreeError),
}

impl FoldError {
    /// The error for a stop in a batch.
    pub fn stopped(slabs: &[Decoded], stop: Stop) -> Self {
        let position = event_at(slabs, stop.event).map(|(slab, row)| slab.position(row));
        let position = position.unwrap_or(Position { partition: String::new(), offset: 0 });
        Self::Stopped { position, stop }
    }
}
