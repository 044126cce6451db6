//! Two folds side by side, without thread or I/O.

use super::{PairShard, Parted, Shared, Side};
use retally_core::fold::{Fold, FoldError, Slabs};
use retally_core::reduce::{
    Block, Folded, Manner, NoProbe, Shard, Shares, Stop, Undone, Unsure, first_stop,
};
use retally_core::shard::Decoded;

/// Two folds whose keys are held against each other.
pub struct PairFold {
    /// What the two have in common.
    pub shared: Shared,
    /// The fold of each side; both have the same seed and number of shards.
    pub folds: [Fold; 2],
    shards: Vec<PairShard>,
}

impl PairFold {
    /// Two folds that have seen nothing.
    pub fn new(shared: Shared, folds: [Fold; 2]) -> Self {
        let [a, b] = folds.each_ref().map(|fold| fold.recipe.description());
        let shards = folds[0].shards.iter().map(|_| PairShard::new(a, b)).collect();
        Self { shared, folds, shards }
    }

    /// What is kept of the keys of each shard.
    pub fn shards(&self) -> &[PairShard] {
        &self.shards
    }

    /// Where a key parted, as far as a side has seen it.
    pub fn parted(&self, side: usize, key: &[u8]) -> Option<&Parted> {
        let (shard, slot) = self.folds[side].find(key)?;
        self.shards[shard as usize].parted(&self.shared, side, slot)
    }

    /// Folds the next batch of the log on both sides.
    ///
    /// # Errors
    /// The side and why it cannot go on; both are of no use then.
    pub fn fold(&mut self, slabs: &Slabs) -> Result<[Block; 2], (usize, FoldError)> {
        let slabs = [slabs.of(0), slabs.of(1)];
        let mut shares: [Shares; 2] = Default::default();
        let mut stop: Option<(usize, Stop)> = None;
        let folded = self.fold_from(0, slabs, Manner::Hurried(1), &mut shares, &mut stop);
        if folded < self.shards.len() {
            let before = stop.as_ref().map(|(side, stop)| (stop.event, *side));
            match self.first_stop(folded, slabs, before) {
                Some(first) => stop = Some(first),
                None if stop.is_some() => {}
                None => {
                    self.fold_from(folded, slabs, Manner::Singly, &mut shares, &mut stop);
                }
            }
        }
        if let Some((side, stop)) = stop {
            return Err((side, FoldError::stopped(slabs[side], stop)));
        }
        let [a, b] = &mut self.folds;
        let [shares_a, shares_b] = shares;
        let block_a = a.take(slabs[0], shares_a).map_err(|error| (0, error))?;
        Ok([block_a, b.take(slabs[1], shares_b).map_err(|error| (1, error))?])
    }

    /// Folds shards one after another, up to one that is slow, and gives its number.
    fn fold_from(
        &mut self,
        from: usize,
        slabs: [&[Decoded]; 2],
        manner: Manner,
        shares: &mut [Shares; 2],
        stop: &mut Option<(usize, Stop)>,
    ) -> usize {
        let [a, b] = &mut self.folds;
        let shards = a.shards.iter_mut().zip(&mut b.shards).zip(&mut self.shards);
        for (number, ((shard_a, shard_b), pair)) in shards.enumerate().skip(from) {
            let mut sides = [
                Side::new(&a.recipe, shard_a, a.instance.for_call()),
                Side::new(&b.recipe, shard_b, b.instance.for_call()),
            ];
            match pair.fold(&self.shared, &mut sides, slabs, (0, manner), &mut NoProbe) {
                Ok(folded) => {
                    let both = shares.iter_mut().zip(folded);
                    both.for_each(|(shares, share): (_, Vec<Folded>)| shares.add(number, share));
                }
                Err(Undone::Slow(_)) => return number,
                Err(Undone::Stopped(own)) => {
                    if stop.as_ref().is_none_or(|(_, stop)| own.1.event < stop.event) {
                        *stop = Some(own);
                    }
                }
            }
        }
        self.shards.len()
    }

    /// The first stop of the shards that are not folded.
    fn first_stop(
        &mut self,
        from: usize,
        slabs: [&[Decoded]; 2],
        before: Option<(u32, usize)>,
    ) -> Option<(usize, Stop)> {
        let [a, b] = &mut self.folds;
        let shards = a.shards.iter_mut().zip(&mut b.shards).zip(&mut self.shards).skip(from);
        for ((shard_a, shard_b), pair) in shards {
            let mut sides = [
                Side::new(&a.recipe, shard_a, a.instance.for_call()),
                Side::new(&b.recipe, shard_b, b.instance.for_call()),
            ];
            pair.begin(&self.shared, &mut sides, slabs);
        }
        let shards = a.shards.iter().zip(&b.shards).zip(&self.shards).skip(from);
        let unsure: Vec<Unsure<'_>> = shards
            .flat_map(|((a, b), pair): ((&Shard, &Shard), _)| pair.unsure(&self.shared, [a, b]))
            .collect();
        let lanes = [a.recipe.scouted(slabs[0]), b.recipe.scouted(slabs[1])];
        first_stop(&lanes, &unsure, before, &mut NoProbe)
    }
}
