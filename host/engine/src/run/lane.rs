//! One reducer's side of a run: its shards, and what is committed of it in log order.

use retally_compare::pair::Side;
use retally_core::log::Micros;
use retally_core::reduce::{Instance, Reducer, Rules, Shard};
use retally_core::seed::Seed;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module. What is committed in order (`C`) is the caller's: a replay digests and writes
/// it.
pub(crate) struct Lane<C> {
    pub reducer: Arc<dyn Reducer>,
    pub rules: Rules,
    pub seed: Seed,
    pub shards: Vec<Mutex<Shard>>,
    /// Memory of each shard's keys and ids, in bytes, as of its last fold.
    bytes: Vec<[AtomicUsize; 2]>,
    /// First and last time of events with a key, to tell which window would fit into memory.
    times: [AtomicI64; 2],
    /// Limits that were met and not met again.
    pub passing_limits: AtomicU64,
    pub commit: Mutex<C>,
}

impl<C> Lane<C> {
    pub(crate) fn new(
        reducer: Arc<dyn Reducer>,
        rules: Rules,
        seed: Seed,
        shards: Vec<Shard>,
        commit: C,
    ) -> Self {
        Self {
            reducer,
            rules,
            seed,
            bytes: shards.iter().map(|shard| held(shard).map(AtomicUsize::new)).collect(),
            shards: shards.into_iter().map(Mutex::new).collect(),
            times: [AtomicI64::new(Micros::MAX), AtomicI64::new(Micros::MIN)],
            passing_limits: AtomicU64::new(0),
            commit: Mutex::new(commit),
        }
    }

    /// The lane as a side of a pair, with what it holds of one shard.
    pub(crate) fn side<'a>(
        &'a self,
        shard: &'a mut Shard,
        instance: &'a mut Option<Box<dyn Instance>>,
    ) -> Side<'a> {
        Side { reducer: self.reducer.as_ref(), rules: &self.rules, shard, instance }
    }

    /// Notes how much memory a shard holds.
    pub(crate) fn weigh(&self, number: usize, shard: &Shard) {
        for (noted, held) in self.bytes[number].iter().zip(held(shard)) {
            noted.store(held, Ordering::Relaxed);
        }
    }

    /// Memory of all keys with their states, and of all ids, in bytes.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let sum = |of: usize| self.bytes.iter().map(|b| b[of].load(Ordering::Relaxed)).sum();
        (sum(0), sum(1))
    }

    /// Notes the times of decoded events.
    pub(crate) fn see(&self, times: &[Micros]) {
        // 0 stands for "no time was read", and for 1970: neither tells anything of the log's span.
        let known = || times.iter().copied().filter(|&time| time > 0);
        if let (Some(first), Some(last)) = (known().min(), known().max()) {
            self.times[0].fetch_min(first, Ordering::Relaxed);
            self.times[1].fetch_max(last, Ordering::Relaxed);
        }
    }

    /// First and last time of events.
    pub(crate) fn times(&self) -> (Micros, Micros) {
        (self.times[0].load(Ordering::Relaxed), self.times[1].load(Ordering::Relaxed))
    }

    /// All shards, once no thread folds.
    pub(crate) fn lock_shards(&self) -> Vec<MutexGuard<'_, Shard>> {
        self.shards.iter().map(lock).collect()
    }
}

fn held(shard: &Shard) -> [usize; 2] {
    [shard.bytes() - shard.ids.bytes(), shard.ids.bytes()]
}

/// Locks a mutex. A thread that panicked while it held one ends the run with that panic anyway
/// (threads are scoped), so what it left is never used as a result.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
