//! Two folds side by side, without thread or I/O.

use super::{PairShard, Parted, Shared, Side};
use retally_core::fold::{Fold, FoldError, Slabs};
use retally_core::reduce::{Block, NoProbe, Shares, Stop};

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
        let [a, b] = &mut self.folds;
        for (pair, (shard_a, shard_b)) in
            self.shards.iter_mut().zip(a.shards.iter_mut().zip(&mut b.shards))
        {
            let number = shard_a.number;
            let mut sides = [
                Side::new(&a.recipe, shard_a, a.instance.for_call()),
                Side::new(&b.recipe, shard_b, b.instance.for_call()),
            ];
            match pair.fold(&self.shared, &mut sides, slabs, 0, &mut NoProbe) {
                Ok(folded) => {
                    let both = shares.iter_mut().zip(folded);
                    both.for_each(|(shares, share)| shares.add(number, share));
                }
                Err(later) if stop.as_ref().is_some_and(|(_, s)| s.event <= later.1.event) => {}
                Err(first) => stop = Some(first),
            }
        }
        if let Some((side, stop)) = stop {
            return Err((side, FoldError::stopped(slabs[side], stop)));
        }
        let [shares_a, shares_b] = shares;
        let block_a = a.take(slabs[0], shares_a).map_err(|error| (0, error))?;
        Ok([block_a, b.take(slabs[1], shares_b).map_err(|error| (1, error))?])
    }
}
