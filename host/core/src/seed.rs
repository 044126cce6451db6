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

    /// 128 bits that stand for (key, id): SipHash-2-4 under a secret key, so that neither accident
    /// (2^-129 for a pair) nor somebody who chooses ids can make two of them equal.
    #[inline]
    pub fn id(&self, key: &[u8], id: &[u8]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.half(16));
        hasher.write_u32(key.len() as u32);
        hasher.write(key);
        hasher.write(id);
        hasher.finish128().as_u128()
    }

    /// 64 bits that stand for an event's content.
    #[inline]
    pub fn content(&self, canonical: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.half(8));
        hasher.write(canonical);
        hasher.finish()
    }
}
