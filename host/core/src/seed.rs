//! The secret of one history, and the hashes keyed by it.
//!
//! Keys and ids are chosen by others, so every table over them is keyed by a [`Seed`] that nobody
//! who chooses ids knows. No result depends on it. The engine draws it (the core has no chance of
//! its own) and a snapshot carries it on.

mod lanes;
mod sip;

pub(crate) use lanes::{Inputs, LANES};
pub(crate) use sip::Sip;

/// 32 secret bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(secret)")
    }
}

/// Hashes an event's content; see [`Seed::content`].
pub(crate) type Content = Sip<1, 3>;

impl Seed {
    fn part(&self, part: usize) -> [u64; 2] {
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.0[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        [word(part), word(part + 8)]
    }

    /// Place of a key in tables, and its shard: SipHash-1-3.
    #[inline]
    pub fn key(&self, key: &[u8]) -> u64 {
        let mut sip = Sip::<1, 3>::new(self.part(0));
        sip.text(key);
        sip.finish()
    }

    /// 128 bits that stand for (key, id), where `key_hash` is [`Seed::key`] of the key: 112 bits of
    /// SipHash-2-4 under a secret key, so that neither accident (2^-112 for a pair) nor somebody
    /// who chooses ids can make two of them equal; the lowest 16 are the highest of the key's hash,
    /// so that an id in a snapshot still tells its shard.
    #[inline]
    pub fn id(&self, key_hash: u64, key: &[u8], id: &[u8]) -> u128 {
        let mut sip = Sip::<2, 4>::new_wide(self.part(16));
        sip.text(key);
        sip.text(id);
        sip.finish_wide() & !0xffff | u128::from(key_hash >> 48)
    }

    /// [`Seed::key`] and [`Seed::id`] of as many keys and ids as there are lanes: each lane holds
    /// a key, then an id, and `keys` says how many words are the key's.
    #[inline]
    pub(crate) fn keys_and_ids(
        &self,
        inputs: &Inputs,
        keys: [usize; LANES],
    ) -> ([u64; LANES], [u128; LANES]) {
        let hashes = inputs.narrow::<1, 3>(self.part(0), keys);
        let [lower, upper] = inputs.wide(self.part(16));
        let id = |lane: usize| {
            let wide = u128::from(upper[lane]) << 64 | u128::from(lower[lane]);
            wide & !0xffff | u128::from(hashes[lane] >> 48)
        };
        (hashes, std::array::from_fn(id))
    }

    /// What [`Seed::content`] comes to for each lane.
    #[inline]
    pub(crate) fn contents(&self, inputs: &Inputs) -> [u64; LANES] {
        inputs.narrow::<1, 3>(self.part(8), inputs.counts())
    }

    /// Begins 64 bits that stand for an event's content.
    #[inline]
    pub(crate) fn content(&self) -> Content {
        Sip::new(self.part(8))
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
