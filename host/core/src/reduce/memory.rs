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
use crate::state::Slot;
use std::collections::BTreeMap;

impl Shard {
    /// All keys, and the ids seen since the last export.
    pub fn export(&mut self, rules: &Rules) -> Vec<Piece> {
        let mut pieces: BTreeMap<Option<PartitionIndex>, Piece> = BTreeMap::new();
        let mut row_of = Vec::with_capacity(self.keys.len());
        let of = |home| (rules.order == Order::Log).then_some(home);
        for slot in 0..self.keys.len() as Slot {
            let key = self.keys.get(slot);
            let piece = pieces.entry(of(key.home)).or_default();
            row_of.push(piece.keys.len() as u32);
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
    /// each partition of the snapshot.
    pub fn import_keys(
        shards: &mut [Self],
        rows: &KeyRows,
        homes: &[PartitionIndex],
        (seed, portion): (&Seed, Portion),
    ) -> Vec<Option<Slot>> {
        let count = shards.len();
        let one = |row: usize| {
            let bytes = rows.keys.get(row);
            let hash = seed.key(bytes);
            let keys = &mut shards[portion.shard_of(hash, count)?].keys;
            let slot = keys.slot(hash, bytes, homes[rows.home[row] as usize]);
            keys.set_state(slot, rows.states.get(row));
            let key = keys.get_mut(slot);
            (key.applied, key.highest, key.last) =
                (rows.applied[row], rows.highest[row], rows.last[row]);
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

fn push_key(rows: &mut KeyRows, shard: &Shard, slot: Slot) {
    let key = shard.keys.get(slot);
    rows.keys.push(shard.keys.key(slot));
    rows.states.push(shard.keys.state(slot));
    rows.applied.push(key.applied);
    rows.highest.push(key.highest);
    rows.last.push(key.last);
    rows.home.push(key.home);
}
