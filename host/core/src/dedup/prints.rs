//! The hashes of a slab's events: each event on its own, so that slabs can be hashed in parallel.

use super::content::Contents;
use crate::decode::Events;
use crate::seed::{Inputs, LANES, Seed};

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
    let len = events.readings.len();
    out.key.clear();
    out.id.clear();
    out.content.clear();
    out.key.resize(len, 0);
    out.id.resize(len, 0);
    out.content.resize(len, 0);
    let mut ids = Ids { events, seed, inputs: Inputs::default(), keys: [0; LANES], open: 0 };
    let mut group = [0; LANES];
    for (event, reading) in events.readings.iter().enumerate() {
        if reading.has_key() {
            ids.add(event, &mut group, out);
        }
    }
    ids.flush(&group, out);
    Contents::new(events, seed).all(&mut out.content);
}

/// Keys and ids, a group of events at a time.
struct Ids<'a> {
    events: &'a Events,
    seed: &'a Seed,
    inputs: Inputs,
    /// Words of each lane that are its key's.
    keys: [usize; LANES],
    /// Lanes in use.
    open: usize,
}

impl Ids<'_> {
    #[inline]
    fn add(&mut self, event: usize, group: &mut [usize; LANES], out: &mut Prints) {
        let (key, id) = (self.events.keys.get(event), self.events.ids.get(event));
        let lane = self.open;
        let fits = self.inputs.text(lane, key);
        self.keys[lane] = self.inputs.counts()[lane];
        if !fits || !self.inputs.text(lane, id) {
            self.inputs.clear_lane(lane);
            out.key[event] = self.seed.key(key);
            out.id[event] = self.seed.id(out.key[event], key, id);
            return;
        }
        group[lane] = event;
        self.open += 1;
        if self.open == LANES {
            self.flush(group, out);
        }
    }

    fn flush(&mut self, group: &[usize; LANES], out: &mut Prints) {
        let (keys, ids) = self.seed.keys_and_ids(&self.inputs, self.keys);
        for (lane, &event) in group[..self.open].iter().enumerate() {
            out.key[event] = keys[lane];
            out.id[event] = ids[lane];
        }
        self.inputs.clear();
        self.open = 0;
    }
}

#[cfg(test)]
#[path = "prints_tests.rs"]
mod tests;
