//! One reducer's side of a run: its recipe and shards; and the lanes of a pass, which are one alone
//! or two side by side.

use super::error::RunError;
use super::misread::Signs;
use crate::snapshot::{Past, SnapshotError};
use retally_compare::pair::{BothFolded, DETAIL_LEVELS, PairShard, Shared, Side, level_of};
use retally_core::fold::{Fold, Recipe, Slabs};
use retally_core::limits::SHARDS;
use retally_core::log::Micros;
use retally_core::reduce::{
    Folded, Instance, Manner, Probe, Shard, Stop, Undone, Unsure, first_stop,
};
use retally_core::schema::Description;
use retally_core::shard::Decoded;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) struct Lane {
    pub recipe: Recipe,
    pub shards: Vec<Mutex<Shard>>,
    /// Ids seen that they do not hold.
    past: Option<Past>,
    /// Memory of each shard's keys and ids, in bytes, as of its last fold.
    bytes: Vec<[AtomicUsize; 2]>,
    /// First and last time of events with a key, to tell which window would fit into memory.
    times: [AtomicI64; 2],
    /// Limits that were met and not met again.
    pub passing_limits: AtomicU64,
    /// What its reading of the log showed.
    pub signs: Signs,
}

impl Lane {
    /// A lane that begins with what `fold` holds.
    pub(crate) fn new(fold: Fold, past: Option<Past>) -> Self {
        let Fold { recipe, shards, .. } = fold;
        Self {
            signs: Signs::new(recipe.description()),
            recipe,
            past,
            bytes: shards.iter().map(|shard| held(shard).map(AtomicUsize::new)).collect(),
            shards: shards.into_iter().map(Mutex::new).collect(),
            times: [AtomicI64::new(Micros::MAX), AtomicI64::new(Micros::MIN)],
            passing_limits: AtomicU64::new(0),
        }
    }

    /// A shard for its share of the next batch; `expected`: events of the run in all.
    fn hold(&self, number: usize, expected: u64) -> MutexGuard<'_, Shard> {
        let mut shard = lock(&self.shards[number]);
        shard.expect(expected, self.shards.len());
        shard
    }

    /// Notes what a shard holds, and what its share met.
    fn note(&self, shard: &Shard, share: &[Folded]) {
        for (noted, held) in self.bytes[shard.number].iter().zip(held(shard)) {
            noted.store(held, Ordering::Relaxed);
        }
        let passed = share.iter().map(|folded| folded.passing_limits).sum();
        self.passing_limits.fetch_add(passed, Ordering::Relaxed);
    }

    /// Memory of all keys with their states, and of all ids, in bytes.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let sum = |of: usize| self.bytes.iter().map(|b| b[of].load(Ordering::Relaxed)).sum();
        (sum(0), sum(1) + self.past.as_ref().map_or(0, Past::bytes))
    }

    /// Gives a shard what was seen of the ids of its share of a batch, so that it can be judged.
    fn recall(&self, number: usize, slabs: &[Decoded]) -> Result<(), SnapshotError> {
        let Some(past) = &self.past else { return Ok(()) };
        let mut shard = lock(&self.shards[number]);
        let ids = past.recall(number, &shard.ids_not_held(slabs))?;
        shard.recall(&ids);
        Ok(())
    }

    /// Notes the times of decoded events, and what shows how they are read.
    fn see(&self, slab: &Decoded) {
        self.signs.see(slab);
        let times = &slab.events.times;
        // 0 stands for "no time was read", and for 1970: neither tells anything of the log's span.
        let known = |time: Micros| if time > 0 { time } else { Micros::MAX };
        let span = |(first, last): (Micros, Micros), &time: &Micros| {
            (first.min(known(time)), last.max(time))
        };
        let (first, last) = times.iter().fold((Micros::MAX, 0), span);
        if last > 0 {
            self.times[0].fetch_min(first, Ordering::Relaxed);
            self.times[1].fetch_max(last, Ordering::Relaxed);
        }
    }

    /// First and last time of events.
    pub(crate) fn times(&self) -> (Micros, Micros) {
        (self.times[0].load(Ordering::Relaxed), self.times[1].load(Ordering::Relaxed))
    }

    /// Forgets all keys, once nobody asks for them any more.
    pub(crate) fn forget(&self) {
        for mut shard in self.lock_shards() {
            *shard = Shard::new(shard.number, &self.recipe.rules);
        }
    }

    /// All shards, once no thread folds.
    pub(crate) fn lock_shards(&self) -> Vec<MutexGuard<'_, Shard>> {
        self.shards.iter().map(lock).collect()
    }
}

/// The lanes of a pass. There is no other number of them, and none that is not folded.
pub(crate) enum Lanes {
    One(Box<[Lane; 1]>),
    /// With what they have between them.
    Two(Box<[Lane; 2]>, Box<Pair>),
}

/// What a shard made of its share of a batch, lane by lane.
pub(crate) type LaneShares = Vec<Vec<Folded>>;

/// A thread's instances, lane by lane.
pub(crate) type Instances = [Option<Box<dyn Instance>>; 2];

impl Lanes {
    /// One lane without a pair, or two with one.
    pub(crate) fn new(lanes: Vec<Lane>, pair: Option<Pair>) -> Result<Self, RunError> {
        let count = lanes.len();
        let unfit = |_| RunError::Internal(format!("{count} lanes cannot be folded together"));
        match pair {
            None => Ok(Self::One(lanes.try_into().map_err(unfit)?)),
            Some(pair) => Ok(Self::Two(lanes.try_into().map_err(unfit)?, Box::new(pair))),
        }
    }

    /// What two lanes have between them.
    pub(crate) fn pair(&self) -> Option<&Pair> {
        match self {
            Self::One(_) => None,
            Self::Two(_, pair) => Some(pair),
        }
    }

    /// Before a shard's share of a batch is folded: gives it of what was seen before the run began
    /// what the share asks for.
    pub(crate) fn recall(&self, number: usize, slabs: &Slabs) -> Result<(), SnapshotError> {
        self.iter().enumerate().try_for_each(|(lane, own)| own.recall(number, slabs.of(lane)))
    }

    /// Folds a shard's share of a batch in every lane. `expected`: events of the run in all.
    ///
    /// # Errors
    /// The first stop in log order, with its lane.
    pub(crate) fn fold(
        &self,
        (number, manner): (usize, Manner),
        slabs: &Slabs,
        expected: u64,
        [instance_a, instance_b]: &mut Instances,
        probe: &mut impl Probe,
    ) -> Result<LaneShares, Undone<(usize, Stop)>> {
        match self {
            Self::One(lanes) => {
                let [lane] = &**lanes;
                let mut shard = lane.hold(number, expected);
                let folded = lane.recipe.fold(&mut shard, slabs.of(0), manner, instance_a, probe);
                let share = folded.map(|folded| vec![folded]);
                let share = share.map_err(|undone| undone.map(|stop| (0, stop)));
                lane.note(&shard, share.as_deref().unwrap_or_default());
                Ok(vec![share?])
            }
            Self::Two(lanes, pair) => {
                let [a, b] = &**lanes;
                let [mut shard_a, mut shard_b] = [a, b].map(|lane| lane.hold(number, expected));
                let mut sides = [
                    Side::new(&a.recipe, &mut shard_a, instance_a),
                    Side::new(&b.recipe, &mut shard_b, instance_b),
                ];
                let both = [slabs.of(0), slabs.of(1)];
                let shares = pair.fold((number, manner), &mut sides, both, probe);
                for (lane, shard, side) in [(a, &shard_a, 0), (b, &shard_b, 1)] {
                    lane.note(shard, shares.as_ref().map_or(&[], |shares| &shares[side]));
                }
                shares.map(Vec::from)
            }
        }
    }

    /// The first stop, with its lane, of shards that a limit kept from folding their share of a
    /// batch, if it comes before that event of that lane.
    pub(crate) fn first_stop(
        &self,
        shards: &[usize],
        slabs: &Slabs,
        before: Option<(u32, usize)>,
        probe: &mut impl Probe,
    ) -> Option<(usize, Stop)> {
        let hold = |lane: usize| -> Vec<_> {
            shards.iter().map(|&shard| lock(&self[lane].shards[shard])).collect()
        };
        match self {
            Self::One(lanes) => {
                let [lane] = &**lanes;
                let mut held = hold(0);
                held.iter_mut().for_each(|shard| shard.begin(slabs.of(0), &lane.recipe.rules));
                let unsure: Vec<Unsure<'_>> =
                    held.iter().filter_map(|shard| shard.unsure()).collect();
                first_stop(&[lane.recipe.scouted(slabs.of(0))], &unsure, before, probe)
            }
            Self::Two(lanes, pair) => {
                let [a, b] = &**lanes;
                let (mut held_a, mut held_b) = (hold(0), hold(1));
                let mut pairs: Vec<_> = shards.iter().map(|&at| lock(&pair.shards[at])).collect();
                let both = [slabs.of(0), slabs.of(1)];
                for (at, own) in pairs.iter_mut().enumerate() {
                    let (mut none_a, mut none_b) = (None, None);
                    let mut sides = [
                        Side::new(&a.recipe, &mut held_a[at], &mut none_a),
                        Side::new(&b.recipe, &mut held_b[at], &mut none_b),
                    ];
                    own.begin(&pair.shared, &mut sides, both);
                }
                let mut unsure = Vec::new();
                for (at, own) in pairs.iter().enumerate() {
                    unsure.extend(own.unsure(&pair.shared, [&held_a[at], &held_b[at]]));
                }
                let lanes = [a.recipe.scouted(both[0]), b.recipe.scouted(both[1])];
                first_stop(&lanes, &unsure, before, probe)
            }
        }
    }

    /// Looks at a decoded slab.
    pub(crate) fn see(&self, readers: &[Decoded]) {
        // Lanes that read events alike share a reader: what it shows, the first of them has seen.
        self.iter().zip(readers).for_each(|(lane, read)| lane.see(read));
    }
}

impl Deref for Lanes {
    type Target = [Lane];

    fn deref(&self) -> &[Lane] {
        match self {
            Self::One(lanes) => &**lanes,
            Self::Two(lanes, _) => &**lanes,
        }
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

/// Bytes of what is kept of events at which keys part: enough for the records and views of some
/// hundred thousand keys.
pub(crate) const DETAIL_BYTES: u64 = 128 << 20;

/// What two lanes have between them: the records of their keys, and the bound of what is kept of
/// the events at which keys part.
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
        (shard, manner): (usize, Manner),
        sides: &mut [Side<'_>; 2],
        slabs: [&[Decoded]; 2],
        probe: &mut impl Probe,
    ) -> Result<BothFolded, Undone<(usize, Stop)>> {
        let mut held = lock(&self.shards[shard]);
        let before = *held.weights();
        let level = self.level.load(Ordering::Relaxed);
        let folded = held.fold(&self.shared, sides, slabs, (level, manner), probe)?;
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
