//! A shard's memory to and from a snapshot.
//!
//! Under order "log" keys come in one piece per partition; ids do not know their partition (16
//! bytes tell no more than their key's shard), so under a window without end they come in a piece
//! of their own.

use super::{IdRows, KeyRows, Piece, Rules, Shard};
use crate::dedup::{Remembered, Window};
use crate::log::{Order, PartitionIndex};
use crate::portion::Portion;
use crate::seed::Seed;
use crate::shard::Decoded;
use crate::state::Slot;
use std::collections::BTreeMap;

impl Shard {
    /// The keys that may have changed, and the ids that were seen, since the last export or import.
    pub fn export(&mut self, rules: &Rules) -> Vec<Piece> {
        let mut pieces: BTreeMap<Option<PartitionIndex>, Piece> = BTreeMap::new();
        // An id that was seen has changed its key.
        let mut row_of = vec![u32::MAX; self.keys.len()];
        let of = |home| (rules.order == Order::Log).then_some(home);
        for slot in 0..self.keys.len() as Slot {
            if !self.keys.is_fresh(slot) {
                continue;
            }
            self.keys.settle(slot);
            let piece = pieces.entry(of(self.keys.get(slot).home)).or_default();
            row_of[slot as usize] = piece.keys.len() as u32;
            push_key(&mut piece.keys, self, slot);
        }
        let ids = self.ids.export_new();
        let spanned = matches!(rules.window, Window::Span(_));
        for row in 0..ids.digests.len() {
            let partition = if spanned { of(self.keys.get(ids.slots[row]).home) } else { None };
            let into = &mut pieces.entry(partition).or_default().ids;
            into.digests.push(ids.digests[row]);
            into.content.push(ids.content[row]);
            if spanned {
                into.keys.push(row_of[ids.slots[row] as usize]);
                into.highest.push(ids.highest[row]);
            }
        }
        let named = |(partition, piece)| Piece { partition, ..piece };
        pieces.into_iter().map(named).collect()
    }

    /// Takes keys of a snapshot into the shards to which they belong, and gives their slots; keys
    /// of other portions than that of these shards have none. `homes` gives this run's number for
    /// each partition of the snapshot. Of a key that comes several times the last counts.
    pub fn import_keys(
        shards: &mut [Self],
        rows: &KeyRows,
        homes: &[PartitionIndex],
        (seed, portion): (&Seed, Portion),
    ) -> Vec<Option<Slot>> {
        let count = shards.len();
        // A little more than a shard has on average.
        let more = rows.len() / count / portion.of();
        shards.iter_mut().for_each(|shard| shard.keys.reserve(more + more / 8));
        let one = |row: usize| {
            let bytes = rows.keys.get(row);
            let hash = seed.key(bytes);
            let keys = &mut shards[portion.shard_of(hash, count)?].keys;
            let slot = keys.slot(hash, bytes, homes[rows.home[row] as usize]);
            keys.set_state(slot, rows.states.get(row));
            let key = keys.get_mut(slot);
            (key.applied, key.highest, key.last) =
                (rows.applied[row], rows.highest[row], rows.last[row]);
            keys.settle(slot);
            Some(slot)
        };
        (0..rows.len()).map(one).collect()
    }

    /// Takes ids of a snapshot into the shards of their keys, the oldest first. `slots` are those
    /// of the keys that the ids name.
    pub fn import_ids(shards: &mut [Self], ids: &IdRows, slots: &[Option<Slot>], portion: Portion) {
        let mut split: Vec<Remembered> = shards.iter().map(|_| Remembered::default()).collect();
        for (row, &digest) in ids.digests.iter().enumerate() {
            let Some(shard) = portion.shard_of_id(digest, shards.len()) else { continue };
            let into = &mut split[shard];
            into.digests.push(digest);
            into.content.push(ids.content[row]);
            into.highest.extend(ids.highest.get(row));
            into.slots.extend(ids.keys.get(row).and_then(|&key| slots[key as usize]));
        }
        for (shard, ids) in shards.iter_mut().zip(&split) {
            shard.ids.import(ids);
        }
    }
}

impl Shard {
    /// The ids of its events in a batch that it does not hold, in order and each once: whoever
    /// keeps ids of a snapshot elsewhere gives those of them that were seen
    /// ([`Shard::recall`]) before the batch is judged.
    pub fn ids_not_held(&self, slabs: &[Decoded]) -> Vec<u128> {
        let mut all = Vec::new();
        for slab in slabs {
            let own = &slab.candidates()[slab.range(self.number)];
            self.ids.touch(own.iter().map(|event| event.id));
            all.extend(own.iter().map(|event| event.id).filter(|&id| !self.ids.holds(id)));
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Takes in ids that a snapshot holds, and no other ever will. Only where the window is without
    /// end: what can be forgotten has to be there from the beginning.
    pub fn recall(&mut self, ids: &IdRows) {
        let (digests, content) = (ids.digests.clone(), ids.content.clone());
        self.ids.import(&Remembered { digests, content, ..Remembered::default() });
    }
}

fn push_key(rows: &mut KeyRows, shard: &Shard, slot: Slot) {
    let key = shard.keys.get(slot);
    rows.keys.push(shard.keys.key(slot));
    rows.states.push(shard.keys.state(slot));
    rows.applied.push(key.applied);
    rows.highest.push(key.highest);
    rows.last.push(key.last);
    rows.home.push(key.home);
}
