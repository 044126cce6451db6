//! Where all arrows meet: threads take tasks from the [`Schedule`] and do them.
//!
//! Nothing here decides a result. Threads are scoped: none outlives the call, and a panic in one is
//! a panic of the run.

use super::error::RunError;
use super::lane::{Lane, lock};
use super::originals;
use super::schedule::{Ended, Schedule, Task};
use super::sequence::{Cuts, Extent, Sequence};
use super::stages::{Stage, Stages};
use crate::source::{PartReader, Source};
use retally_core::decode::{Decoder, Events, Placed, Plan, Slab};
use retally_core::dedup::Prints;
use retally_core::limits::ID_MAX_BYTES;
use retally_core::reduce::{Block, Instance, Originals, merge};
use retally_core::shard::Decoded;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// What a pipeline calls in the order of the log.
pub(crate) trait Commit: Sync {
    /// What is kept per lane.
    type Kept: Send;

    /// Takes the outcomes of the next batch of `lane`.
    fn commit(
        &self,
        lane: &Lane<Self::Kept>,
        block: Block,
        stages: &mut Stages,
    ) -> Result<(), RunError>;

    /// Saves a snapshot: every batch so far is committed, and none behind is folded.
    fn snapshot(&self, lanes: &[Lane<Self::Kept>], extents: &[Extent]) -> Result<(), RunError>;
}

/// One pass over a log.
pub(crate) struct Pipeline<'a, C: Commit> {
    pub source: &'a Source,
    pub plan: Arc<Plan>,
    pub lanes: &'a [Lane<C::Kept>],
    pub commit: &'a C,
    pub threads: usize,
    pub cancel: &'a AtomicBool,
    /// Stored bytes read so far.
    pub bytes_read: &'a AtomicU64,
    /// Events read so far.
    pub events_read: AtomicU64,
    /// Bytes that ids to come may be given room in.
    pub ids_max_bytes: usize,
}

/// What threads share.
struct Shared {
    schedule: Mutex<Schedule>,
    changed: Condvar,
    stages: Mutex<Stages>,
    outlook: Outlook,
}

impl<C: Commit> Pipeline<'_, C> {
    /// Runs until the log is over or the run must stop. Gives what was taken of each partition.
    pub(crate) fn run(&self, cuts: Cuts) -> (Vec<Extent>, Stages, Result<(), Ended>) {
        let parts = self.source.parts();
        let outlook = Outlook::new(&cuts, self.ids_max_bytes);
        let sequence = Sequence::new(&self.source.partitions(), parts, cuts);
        let shards = self.lanes[0].shards.len();
        let shared = Shared {
            schedule: Mutex::new(Schedule::new(sequence, self.lanes.len(), shards)),
            changed: Condvar::new(),
            stages: Mutex::new(Stages::default()),
            outlook,
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads {
                scope.spawn(|| self.work(&shared));
            }
            self.work(&shared);
        });
        let mut schedule = shared.schedule.into_inner().unwrap_or_else(PoisonError::into_inner);
        let stages = shared.stages.into_inner().unwrap_or_else(PoisonError::into_inner);
        (schedule.sequence.extents().to_vec(), stages, schedule.outcome())
    }

    fn work(&self, shared: &Shared) {
        let mut worker = Worker {
            decoder: Decoder::new(self.plan.clone()),
            instances: self.lanes.iter().map(|_| None).collect(),
            prints: Prints::default(),
            stages: Stages::default(),
        };
        // Wakes the others if this thread panics, so that the panic is not waited for in vain.
        let alarm = Alarm(shared);
        while let Some(task) = self.next(shared) {
            self.perform(task, &mut worker, shared);
            shared.changed.notify_all();
        }
        shared.changed.notify_all();
        lock(&shared.stages).add(&worker.stages);
        std::mem::forget(alarm);
    }

    fn next(&self, shared: &Shared) -> Option<Task> {
        let mut schedule = lock(&shared.schedule);
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                schedule.fail(RunError::Cancelled);
            }
            if schedule.is_done() {
                return None;
            }
            schedule.advance();
            if let Some(task) = schedule.pick() {
                return Some(task);
            }
            if schedule.is_done() {
                return None;
            }
            schedule = shared.changed.wait(schedule).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn perform(&self, task: Task, worker: &mut Worker, shared: &Shared) {
        match task {
            Task::Read { part, reader } => {
                let read = worker.stages.time(Stage::Read, || self.read(part, reader));
                lock(&shared.schedule).sequence.read(part, read);
            }
            Task::Decode { batch, slab, placed } => {
                let decoded = self.decode(worker, placed);
                let mut schedule = lock(&shared.schedule);
                match decoded {
                    Ok(lanes) => schedule.decoded(batch, slab, lanes),
                    Err(error) => schedule.fail(error),
                }
            }
            Task::Fold { batch, lane, shard, slabs } => {
                let side = &self.lanes[lane];
                let mut held = lock(&side.shards[shard]);
                held.expect(self.events_expected(&shared.outlook));
                let instance = &mut worker.instances[lane];
                let reducer = side.reducer.as_ref();
                let result = held.fold(&slabs, reducer, &side.rules, instance, &mut worker.stages);
                side.weigh(shard, &held);
                drop(held);
                if let Ok(folded) = &result {
                    side.passing_limits.fetch_add(folded.passing_limits, Ordering::Relaxed);
                }
                drop(slabs);
                lock(&shared.schedule).folded(batch, lane, shard, result);
            }
            Task::Merge { batch, lane, slabs, folded } => {
                let description = self.lanes[lane].reducer.description();
                let originals = self.source.originals();
                let mut block = worker
                    .stages
                    .time(Stage::Merge, || merge(description, &slabs, &folded, originals));
                drop(slabs);
                let fetched = match originals {
                    Originals::InSlabs => Ok(()),
                    Originals::Elsewhere => worker
                        .stages
                        .time(Stage::Read, || originals::fetch(self.source, &mut block.refused)),
                };
                let mut schedule = lock(&shared.schedule);
                match fetched {
                    Ok(()) => schedule.merged(batch, lane, block),
                    Err(error) => schedule.fail(error),
                }
            }
            Task::Commit { batch, lane, block } => {
                let side = &self.lanes[lane];
                let result = self.commit.commit(side, block, &mut worker.stages);
                let mut schedule = lock(&shared.schedule);
                match result {
                    Ok(()) => schedule.committed(batch, lane),
                    Err(error) => schedule.fail(error),
                }
            }
            Task::Snapshot => {
                let extents = lock(&shared.schedule).sequence.extents().to_vec();
                let result = self.commit.snapshot(self.lanes, &extents);
                let mut schedule = lock(&shared.schedule);
                match result {
                    Ok(()) => schedule.saved(),
                    Err(error) => schedule.fail(error),
                }
            }
        }
    }

    fn read(
        &self,
        part: usize,
        reader: Option<PartReader>,
    ) -> Result<Option<(Slab, PartReader)>, RunError> {
        let mut reader = match reader {
            Some(reader) => reader,
            None => self.source.read(&self.source.parts()[part])?,
        };
        let before = reader.bytes_read();
        let slab = reader.next()?;
        self.bytes_read.fetch_add(reader.bytes_read() - before, Ordering::Relaxed);
        let events = slab.as_ref().map_or(0, Slab::len) as u64;
        self.events_read.fetch_add(events, Ordering::Relaxed);
        Ok(slab.map(|slab| (slab, reader)))
    }

    /// Events that this run takes in all, judged by those that were read so far.
    fn events_expected(&self, outlook: &Outlook) -> u64 {
        let bytes = u128::from(self.bytes_read.load(Ordering::Relaxed).max(1));
        let read = u128::from(self.events_read.load(Ordering::Relaxed));
        let all = read * u128::from(self.source.bytes()) / bytes;
        let all = u64::try_from(all).unwrap_or(u64::MAX);
        all.saturating_sub(outlook.skipped).min(outlook.most)
    }

    /// Decodes a slab once, and prepares it for the shards of every lane.
    fn decode(&self, worker: &mut Worker, placed: Placed) -> Result<Vec<Decoded>, RunError> {
        let mut lanes = Vec::new();
        let (decoder, prints) = (&mut worker.decoder, &mut worker.prints);
        worker.stages.time(Stage::Decode, || decoder.decode(&placed, &mut lanes))?;
        let prepare = |(events, lane): (Events, &Lane<C::Kept>)| {
            lane.see(&events.times);
            Decoded::new(placed.clone(), events, &lane.seed, lane.shards.len(), prints)
        };
        let prepared = worker
            .stages
            .time(Stage::Hash, || lanes.into_iter().zip(self.lanes).map(prepare).collect());
        Ok(prepared)
    }
}

/// What is known before the first event of how many will come.
struct Outlook {
    /// Events that a snapshot holds already.
    skipped: u64,
    /// No more than these.
    most: u64,
}

impl Outlook {
    fn new(cuts: &Cuts, ids_max_bytes: usize) -> Self {
        let partitions = cuts.from.len() as u64;
        let limit = cuts.limit.map_or(u64::MAX, |limit| limit.saturating_mul(partitions));
        let room = (ids_max_bytes / ID_MAX_BYTES) as u64;
        Self { skipped: cuts.from.iter().sum(), most: limit.min(room) }
    }
}

/// What a thread keeps for itself.
struct Worker {
    decoder: Decoder,
    instances: Vec<Option<Box<dyn Instance>>>,
    prints: Prints,
    stages: Stages,
}

struct Alarm<'a>(&'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        lock(&self.0.schedule).fail(RunError::Panicked);
        self.0.changed.notify_all();
    }
}
