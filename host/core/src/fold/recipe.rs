//! What is folded, and by which rules: the part of a fold that threads share, because nothing of
//! it changes.

use crate::reduce::{
    Block, Finals, Folded, Instance, KeyFault, KeyRef, Originals, Probe, Reducer, Rules, Shard,
    Shares, Stop, Unfolded, finals, merge,
};
use crate::schema::Description;
use crate::seed::Seed;
use crate::shard::Decoded;
use std::sync::Arc;

/// See the module.
#[derive(Clone)]
pub struct Recipe {
    /// The reducer.
    pub reducer: Arc<dyn Reducer>,
    /// The settings that can decide a result.
    pub rules: Rules,
    /// The secret of the history; no result depends on it.
    pub seed: Seed,
    /// Number of shards; no result depends on it.
    pub shards: usize,
}

impl Recipe {
    /// What the reducer declares.
    pub fn description(&self) -> &Description {
        self.reducer.description()
    }

    /// Folds a shard's share of a batch. `instance` is reused, and left empty after a fault.
    ///
    /// # Errors
    /// [`Stop`] at the first event, in log order, with which the run cannot go on; the shard is of
    /// no use then.
    pub fn fold(
        &self,
        shard: &mut Shard,
        slabs: &[Decoded],
        instance: &mut Option<Box<dyn Instance>>,
        probe: &mut impl Probe,
    ) -> Result<Folded, Stop> {
        shard.fold(slabs, self.reducer.as_ref(), &self.rules, instance, probe)
    }

    /// Puts what the shards made of a batch back into log order.
    ///
    /// # Errors
    /// When a shard has not folded its share.
    pub fn merge(
        &self,
        slabs: &[Decoded],
        shares: Shares,
        originals: Originals,
    ) -> Result<Block, Unfolded> {
        merge(self.description(), slabs, shares, originals)
    }

    /// Derives the view rows and finds the violations of `keys`, a piece of
    /// [`sorted_keys`](crate::reduce::sorted_keys).
    ///
    /// # Errors
    /// A fault that repeats, with the first key that gives it alone.
    pub fn finals(
        &self,
        shards: &[&Shard],
        keys: &[KeyRef],
        instance: &mut Option<Box<dyn Instance>>,
    ) -> Result<Finals, KeyFault> {
        finals(shards, keys, self.reducer.as_ref(), &self.rules, instance)
    }
}
