//! The hashes of a slab's events: each event on its own, so that slabs can be hashed in parallel.

use super::content::Contents;
use crate::decode::{Events, Verdict};
use crate::seed::Seed;

/// Keyed hashes, one of each per event; 0 where there is nothing to hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prints {
    /// [`Seed::key`] of every event with a key.
    pub key: Vec<u64>,
    /// [`Seed::id`] of every event with a key.
    pub id: Vec<u128>,
    /// 64 bits that stand for the content of every event whose fields could be read.
    pub content: Vec<u64>,
}

/// Hashes all events that have a key.
pub fn prints(events: &Events, seed: &Seed, out: &mut Prints) {
    let len = events.verdicts.len();
    out.key.clear();
    out.id.clear();
    out.content.clear();
    out.key.reserve(len);
    out.id.reserve(len);
    out.content.reserve(len);
    let mut contents = Contents::new(events, seed);
    for (event, verdict) in events.verdicts.iter().enumerate() {
        let (mut key_hash, mut id, mut content) = (0, 0, 0);
        if matches!(verdict, Verdict::Ready | Verdict::BadField(_)) {
            let key = events.keys.get(event);
            key_hash = seed.key(key);
            id = seed.id(key_hash, key, events.ids.get(event));
        }
        if *verdict == Verdict::Ready {
            content = contents.of(event);
        }
        out.key.push(key_hash);
        out.id.push(id);
        out.content.push(content);
    }
}

#[cfg(test)]
#[path = "prints_tests.rs"]
mod tests;
