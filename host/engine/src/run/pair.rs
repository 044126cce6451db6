//! What two lanes of one pass have between them: the records of their keys, and the bound of what
//! is kept of the events at which keys part.

use super::lane::lock;
use retally_compare::pair::{BothFolded, DETAIL_LEVELS, PairShard, Shared, Side, level_of};
use retally_core::limits::SHARDS;
use retally_core::reduce::Probe;
use retally_core::reduce::Stop;
use retally_core::schema::Description;
use retally_core::shard::Decoded;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// Bytes of what is kept of events at which keys part: enough for the records and views of some
/// hundred thousand keys.
pub(crate) const DETAIL_BYTES: u64 = 128 << 20;

/// See the module.
pub(crate) struct Pair {
    pub shared: Shared,
    pub shards: Vec<Mutex<PairShard>>,
    /// Bytes of details by level, summed over shards: they only ever grow, so the level that holds
    /// at the end does not depend on who was first.
    weights: [AtomicU64; DETAIL_LEVELS],
    level: AtomicU8,
    bound: u64,
    /// Memory of each shard's records, in bytes.
    bytes: Vec<AtomicUsize>,
}

impl Pair {
    pub(crate) fn new(a: &Description, b: &Description, shared: Shared, bound: u64) -> Self {
        Self {
            shared,
            shards: (0..SHARDS).map(|_| Mutex::new(PairShard::new(a, b))).collect(),
            weights: [const { AtomicU64::new(0) }; DETAIL_LEVELS],
            level: AtomicU8::new(0),
            bound,
            bytes: (0..SHARDS).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Folds a shard's share of a batch on both sides.
    pub(crate) fn fold(
        &self,
        shard: usize,
        sides: &mut [Side<'_>; 2],
        slabs: [&[Decoded]; 2],
        probe: &mut impl Probe,
    ) -> Result<BothFolded, (usize, Stop)> {
        let mut held = lock(&self.shards[shard]);
        let before = *held.weights();
        let level = self.level.load(Ordering::Relaxed);
        let folded = held.fold(&self.shared, sides, slabs, level, probe)?;
        let after = *held.weights();
        self.bytes[shard].store(held.bytes(), Ordering::Relaxed);
        drop(held);
        if before != after {
            self.weigh(&before, &after);
        }
        Ok(folded)
    }

    fn weigh(&self, before: &[u64; DETAIL_LEVELS], after: &[u64; DETAIL_LEVELS]) {
        for ((sum, before), after) in self.weights.iter().zip(before).zip(after) {
            sum.fetch_add(after - before, Ordering::Relaxed);
        }
        let sums = self.weights.each_ref().map(|sum| sum.load(Ordering::Relaxed));
        self.level.fetch_max(level_of(&sums, self.bound), Ordering::Relaxed);
    }

    /// Drops what is beyond the bound, once no thread folds: from then on what is kept repeats.
    pub(crate) fn settle(&self) {
        let sums = self.weights.each_ref().map(|sum| sum.load(Ordering::Relaxed));
        let level = level_of(&sums, self.bound);
        self.shards.iter().for_each(|shard| lock(shard).prune(level));
    }

    /// Memory of the records, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }
}
