//! What the shards made of a batch, as they hand it in.

use super::Folded;
use std::collections::BTreeMap;

/// Each shard's share of a batch, in one piece or several. It can be merged once all are there.
#[derive(Debug, Default)]
pub struct Shares(BTreeMap<usize, Vec<Folded>>);

impl Shares {
    /// Adds the share of a shard.
    pub fn add(&mut self, shard: usize, share: Vec<Folded>) {
        self.0.insert(shard, share);
    }

    /// The pieces of all of `shards` shards.
    pub(super) fn whole(self, shards: usize) -> Result<Vec<Folded>, Unfolded> {
        let missing = (0..shards).find(|shard| !self.0.contains_key(shard));
        let alien = || self.0.keys().copied().find(|&shard| shard >= shards);
        match missing.or_else(alien) {
            Some(shard) => Err(Unfolded { shard, shards }),
            None => Ok(self.0.into_values().flatten().collect()),
        }
    }
}

/// A batch that some shard has not folded: a fault of whoever drives the fold, never of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a batch has no share of each of its {shards} shards: shard {shard} is at fault")]
pub struct Unfolded {
    /// The first that is missing, or is none of them.
    pub shard: usize,
    /// How many there are.
    pub shards: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_when_every_shard_has_folded_and_no_other() {
        let shares = |shards: &[usize]| {
            let mut shares = Shares::default();
            shards.iter().for_each(|&shard| shares.add(shard, vec![Folded::default()]));
            shares
        };
        assert_eq!(shares(&[2, 0, 1]).whole(3).map(|folded| folded.len()), Ok(3));
        let fault = |shards: &[usize]| shares(shards).whole(3).map(|_| ()).unwrap_err().shard;
        assert_eq!([fault(&[0, 2]), fault(&[]), fault(&[0, 1, 2, 3])], [1, 0, 3]);
    }
}
