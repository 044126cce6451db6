//! What is folded, and by which rules: the part of a fold that threads share, because nothing of
//! it changes.

use super::SpareInstance;
use crate::portion::Portion;
use crate::reduce::{
    Block, Finals, Folded, Instance, KeyFault, KeyRef, Manner, NoProbe, Originals, Probe, Reducer,
    Rules, Scouted, Shard, Shares, Stop, Undone, Unfolded, Unsure, finals, first_stop, merge,
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
    /// Of which keys these are the shards.
    pub portion: Portion,
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
    /// no use then. Where it is only [slow](Undone::Slow) the same batch can be folded once more.
    pub fn fold(
        &self,
        shard: &mut Shard,
        slabs: &[Decoded],
        manner: Manner,
        instance: &mut Option<Box<dyn Instance>>,
        probe: &mut impl Probe,
    ) -> Result<Folded, Undone> {
        shard.fold(slabs, (self.reducer.as_ref(), &self.rules), manner, instance, probe)
    }

    /// The batch as its reducer reads it, to find out what keeps shares from being folded.
    pub fn scouted<'a>(&'a self, slabs: &'a [Decoded]) -> Scouted<'a> {
        Scouted { reducer: self.reducer.as_ref(), rules: &self.rules, slabs }
    }

    /// Folds the shares of a batch of shards, one after another.
    ///
    /// # Errors
    /// The first stop in log order; the shards are of no use then.
    pub fn fold_all(
        &self,
        shards: &mut [Shard],
        slabs: &[Decoded],
        instance: &mut SpareInstance,
    ) -> Result<Vec<(usize, Folded)>, Stop> {
        let (mut all, mut stop) = (Vec::new(), None);
        let hurried = Manner::Hurried(1);
        let mut fold = |shards: &mut [Shard], manner, stop: &mut Option<Stop>| {
            for (at, shard) in shards.iter_mut().enumerate() {
                match self.fold(shard, slabs, manner, instance.for_call(), &mut NoProbe) {
                    Ok(folded) => all.push((shard.number, folded)),
                    Err(Undone::Slow(_)) => return at,
                    Err(Undone::Stopped(own)) => earlier(stop, own),
                }
            }
            shards.len()
        };
        let folded = fold(shards, hurried, &mut stop);
        let rest = &mut shards[folded..];
        if !rest.is_empty() {
            rest.iter_mut().for_each(|shard| shard.begin(slabs, &self.rules));
            let unsure: Vec<Unsure<'_>> = rest.iter().filter_map(|shard| shard.unsure()).collect();
            let before = stop.as_ref().map(|stop| (stop.event, 0));
            match first_stop(&[self.scouted(slabs)], &unsure, before, &mut NoProbe) {
                Some((_, first)) => stop = Some(first),
                None if stop.is_some() => {}
                None => {
                    drop(unsure);
                    fold(rest, Manner::Singly, &mut stop);
                }
            }
        }
        stop.map_or(Ok(all), Err)
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
    /// A fault that repeats, with the first key that gives it alone; or that it is
    /// [slow](KeyFault::is_slow).
    pub fn finals(
        &self,
        shards: &[&Shard],
        keys: &[KeyRef],
        manner: Manner,
        instance: &mut Option<Box<dyn Instance>>,
    ) -> Result<Finals, KeyFault> {
        finals(shards, keys, (self.reducer.as_ref(), &self.rules), manner, instance)
    }

    /// The same for who has no threads: one by one where it is slow.
    ///
    /// # Errors
    /// A fault that repeats, with the first key that gives it alone.
    pub fn finals_of(
        &self,
        shards: &[&Shard],
        keys: &[KeyRef],
        instance: &mut Option<Box<dyn Instance>>,
    ) -> Result<Finals, KeyFault> {
        match self.finals(shards, keys, Manner::Hurried(1), instance) {
            Err(fault) if fault.is_slow() => self.finals(shards, keys, Manner::Singly, instance),
            finals => finals,
        }
    }
}

/// Keeps the first stop.
fn earlier(stop: &mut Option<Stop>, own: Stop) {
    if stop.as_ref().is_none_or(|stop| own.event < stop.event) {
        *stop = Some(own);
    }
}
