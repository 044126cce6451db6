//! A portion of all keys: what one pass over a log folds where memory cannot hold all of them.
//!
//! What a key comes to depends on no other key, so passes that each fold a portion give together
//! what one pass over all keys does ([`join_blocks`](crate::reduce::join_blocks)). Every event
//! belongs to exactly one portion: that of its key, or the first if it has none.

use crate::limits::SHARDS;
use crate::shard::shard_of;

/// One of several equal portions of all keys, told by their hashes: the shards of a portion are
/// some of the shards that there would be if all portions were folded at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    number: usize,
    of: usize,
}

impl Default for Portion {
    fn default() -> Self {
        Self { number: 0, of: 1 }
    }
}

impl Portion {
    /// How many portions there can be: shards are told by 16 bits.
    pub const MAX: usize = (1 << 16) / SHARDS;

    /// All of `of` portions; none: there cannot be as many.
    pub fn all(of: usize) -> Option<impl Iterator<Item = Self>> {
        (1..=Self::MAX).contains(&of).then(|| (0..of).map(move |number| Self { number, of }))
    }

    /// How many portions there are.
    pub fn of(self) -> usize {
        self.of
    }

    /// Whether it is the only one.
    pub fn is_all(self) -> bool {
        self.of == 1
    }

    /// Its place among all, from 0 on.
    pub fn number(self) -> usize {
        self.number
    }

    /// The place of the one to which a key belongs.
    #[inline]
    pub fn number_of(self, key_hash: u64) -> usize {
        // As many shards of each come before those of the next.
        shard_of(key_hash, self.of)
    }

    /// Whether events without a key belong to it.
    pub fn has_keyless(self) -> bool {
        self.number == 0
    }

    /// The shard of a key, of `shards` shards of this portion; none: the key is of another.
    #[inline]
    pub fn shard_of(self, key_hash: u64, shards: usize) -> Option<usize> {
        let shard = shard_of(key_hash, shards * self.of).checked_sub(self.number * shards);
        shard.filter(|&shard| shard < shards)
    }

    /// As [`Portion::shard_of`], of an id's key.
    #[inline]
    pub fn shard_of_id(self, id: u128, shards: usize) -> Option<usize> {
        self.shard_of((id as u64) << 48, shards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_shard_in_one_portion() {
        for of in [1, 2, 3, 16, Portion::MAX] {
            for hash in (0..1 << 16).map(|upper| upper << 48 | 77) {
                let own = |portion: Portion| portion.shard_of(hash, SHARDS);
                assert_eq!(Portion::all(of).unwrap().filter_map(own).count(), 1);
                let owner = Portion::all(of).unwrap().find(|one| own(*one).is_some()).unwrap();
                assert_eq!(owner.number_of(hash), owner.number());
            }
        }
        assert!(Portion::all(0).is_none() && Portion::all(Portion::MAX + 1).is_none());
        let whole = Portion::default();
        assert!(whole.is_all() && whole.has_keyless());
        assert_eq!(whole.shard_of(u64::MAX, 32), Some(31));
    }
}
