//! The secret of one history, and the hashes keyed by it.
//!
//! Keys and ids are chosen by others, so every table over them is keyed by a [`Seed`] that nobody who
//! chooses ids knows. No result depends on it. The engine draws it (the core has no chance of its own)
//! and a snapshot carries it on.

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// 32 secret bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(secret)")
    }
}

impl Seed {
    fn half(&self, at: usize) -> [u8; 16] {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0[at..at + 16]);
        half
    }

    /// Place of a key in tables, and its shard.
    #[inline]
    pub fn key(&self, key: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.half(0));
        hasher.write(key);
        hasher.finish()
    }

    /// 128 bits that stand for (key, id), where `key_hash` is [`Seed::key`] of the key: 112 bits of
    /// SipHash-2-4 under a secret key, so that neither accident (2^-112 for a pair) nor somebody who
    /// chooses ids can make two of them equal; the lowest 16 are the highest of the key's hash, so that
    /// an id in a snapshot still tells its shard.
    #[inline]
    pub fn id(&self, key_hash: u64, key: &[u8], id: &[u8]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.half(16));
        hasher.write_u32(key.len() as u32);
        hasher.write(key);
        hasher.write(id);
        hasher.finish128().as_u128() & !0xffff | u128::from(key_hash >> 48)
    }

    /// 64 bits that stand for an event's content.
    #[inline]
    pub fn content(&self, canonical: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.half(8));
        hasher.write(canonical);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_the_upper_bits_of_its_keys_hash() {
        let seed = Seed([3; 32]);
        let hash = seed.key(b"acct-1");
        let id = seed.id(hash, b"acct-1", b"evt-1");
        assert_eq!(id as u16, (hash >> 48) as u16);
        assert_ne!(id, seed.id(hash, b"acct-1", b"evt-2"));
    }

    #[test]
    fn key_and_id_do_not_run_into_each_other() {
        let seed = Seed([3; 32]);
        assert_ne!(seed.id(0, b"ab", b"c"), seed.id(0, b"a", b"bc"));
    }
}
