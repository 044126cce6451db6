//! XXH3-128 (and SHA-256 if attested) of the stored bytes of an object, for the input description.
//!
//! Hashing costs little, reading twice costs much where a store is far away. So whoever reads bytes
//! offers them here, and they are taken if they are the next ones; [`super::Source::fingerprint`]
//! reads only what nobody offered in order. An object read by one reader from its beginning
//! (compressed, or not split) is never read twice; one read by several readers at once, or Parquet,
//! is.

use retally_core::digest::Hash;
use retally_core::manifest;
use sha2::{Digest, Sha256};
use std::sync::{Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::Xxh3;

/// The hash of one object as far as its bytes have been seen.
pub(super) struct Hashing(Mutex<State>);

pub(super) struct State {
    /// All bytes before this have been hashed.
    pub(super) next: u64,
    xxh3: Box<Xxh3>,
    sha256: Option<Sha256>,
}

impl Hashing {
    pub(super) fn new(attest: bool) -> Self {
        let sha256 = attest.then(Sha256::new);
        Self(Mutex::new(State { next: 0, xxh3: Box::new(Xxh3::new()), sha256 }))
    }

    /// Takes what of `bytes`, which lie at `at`, comes next. Never waits: a reader that finds
    /// another one here leaves its bytes to the pass that fills the gaps.
    pub(super) fn offer(&self, at: u64, bytes: &[u8]) {
        if let Ok(mut state) = self.0.try_lock() {
            state.take(at, bytes);
        }
    }

    /// The state for a pass that reads the rest.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic inside a hash function would leave at worst a wrong hash behind, and there is
        // none.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What tells the bytes taken so far from any others: XXH3-128 with seed 0 against accidents,
    /// SHA-256, if asked for, against people.
    pub(super) fn fingerprint(&self) -> (manifest::Xxh3, Option<Hash>) {
        let sha256 = self.sha256.clone().map(|sha256| Hash(sha256.finalize().into()));
        (manifest::Xxh3(self.xxh3.digest128()), sha256)
    }

    /// Takes what of `bytes`, which lie at `at`, comes next.
    pub(super) fn take(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        if at <= self.next && self.next < end {
            let new = &bytes[(self.next - at) as usize..];
            self.xxh3.update(new);
            if let Some(sha256) = &mut self.sha256 {
                sha256.update(new);
            }
            self.next = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_next_is_taken_and_nothing_twice() {
        let data: Vec<u8> = (0..10_000u32).flat_map(|n| n.to_le_bytes()).collect();
        let hashing = Hashing::new(true);
        hashing.offer(100, &data[100..200]);
        assert_eq!(hashing.lock().next, 0);
        hashing.offer(0, &data[..150]);
        hashing.offer(100, &data[100..200]);
        hashing.offer(50, &data[50..150]);
        assert_eq!(hashing.lock().next, 200);
        let mut rest = hashing.lock();
        hashing.offer(200, &data[200..]);
        rest.take(200, &data[200..]);
        let xxh3 = manifest::Xxh3(xxhash_rust::xxh3::xxh3_128(&data));
        assert_eq!(rest.fingerprint(), (xxh3, Some(Hash::of(&data))));
    }
}
