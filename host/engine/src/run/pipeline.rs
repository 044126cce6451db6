//! Where all arrows meet: threads take tasks from the [`Schedule`] and do them.
//!
//! Nothing here decides a result. Threads are scoped: none outlives the call, and a panic in one is
//! a panic of the run.

use super::aside::{KeptSlab, Next, Way, Whole};
use super::bell::Bell;
use super::chunk::pack_others;
use super::commit::Committer;
use super::decodes::Decodes;
use super::error::RunError;
use super::halt::Halt;
use super::lane::{Instances, Lanes, lock};
use super::memory::{Memory, Weighed};
use super::merged::Head;
use super::schedule::Schedule;
use super::sequence::{Cuts, Extent, Sequence};
use super::stages::{Stage, Stages};
use super::task::{Ended, Size, Task, Undecoded};
use super::turns::{Read, ReadOn};
use crate::cancel::Cancel;
use crate::limits::FORETOLD_TIMES;
use crate::log::{Log, Partition, Reached};
use crate::threads::{ThreadError, spawn};
use retally_core::decode::{Plan, Slab, original};
use retally_core::fold::{Decoding, Slabs};
use retally_core::limits::ID_MAX_BYTES;
use retally_core::reduce::{Block, Originals, Probe, Refused, Shares, Step};
use retally_core::shard::Decoded;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// One pass over a log.
pub(crate) struct Pipeline<'a, 'c> {
    pub log: &'a dyn Log,
    /// Where its events come from and go beside; none: they come from the log.
    pub way: Option<&'a Way>,
    /// What was decoded before, if it is kept.
    pub decodes: Option<&'a Decodes>,
    pub plan: Arc<Plan>,
    pub lanes: &'a Lanes,
    pub commit: &'a Committer<'c>,
    pub threads: usize,
    pub cancel: &'a Cancel,
    /// Ends the calls that still run when the run is over.
    pub halt: &'a Halt,
    /// Stored bytes read so far.
    pub bytes_read: &'a AtomicU64,
    /// Events read so far.
    pub events_read: AtomicU64,
    /// Whether what comes out is written to files.
    pub written: bool,
    pub memory: &'a Memory,
    /// Bytes that ids to come may be given room in.
    pub ids_max_bytes: usize,
}

/// What threads share.
struct Shared {
    schedule: Mutex<Schedule>,
    bell: Arc<Bell>,
    stages: Mutex<Stages>,
    outlook: Outlook,
}

impl Shared {
    /// The schedule, behind calls of reducers: if they held too much, the run is over.
    fn after_calls(&self, probe: Weighed<'_>) -> MutexGuard<'_, Schedule> {
        let mut schedule = lock(&self.schedule);
        if let Some(error) = probe.over {
            schedule.fail(error);
        }
        schedule
    }

    /// Tells the schedule what came of a task.
    fn done<T, E: Into<RunError>>(
        &self,
        result: Result<T, E>,
        tell: impl FnOnce(&mut Schedule, T),
    ) {
        let mut schedule = lock(&self.schedule);
        match result {
            Ok(value) => tell(&mut schedule, value),
            Err(error) => schedule.fail(error.into()),
        }
    }
}

impl Pipeline<'_, '_> {
    /// Runs until the log is over or the run must stop. Gives what was taken of each partition.
    pub(crate) fn run(&self, cuts: Cuts) -> (Vec<Extent>, Stages, Result<(), Ended>) {
        let outlook = Outlook::new(self.log, &cuts, self.ids_max_bytes, self.way);
        let sequence = Sequence::new(self.log, cuts);
        let shards = self.lanes[0].recipe.shards;
        let size = Size { lanes: self.lanes.len(), shards, threads: self.threads };
        let mut schedule = Schedule::new(sequence, &size, self.halt.clone());
        if let Some(Way::Kept(kept)) = self.way {
            schedule = schedule.of_kept(lock(kept).extents());
        }
        let shared = Shared {
            schedule: Mutex::new(schedule),
            bell: Arc::default(),
            stages: Mutex::new(Stages::default()),
            outlook,
        };
        let _waiting = self.cancel.wakes(Waker::from(shared.bell.clone()));
        std::thread::scope(|scope| {
            for _ in 1..self.threads {
                if let Err(error) = spawn(scope, || self.work(&shared)) {
                    lock(&shared.schedule).fail(error.into());
                    break;
                }
            }
            self.work(&shared);
        });
        let mut schedule = shared.schedule.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut stages = shared.stages.into_inner().unwrap_or_else(PoisonError::into_inner);
        stages.batches = schedule.sequence.batches();
        let outcome = schedule.outcome();
        (schedule.sequence.extents, stages, outcome)
    }

    fn work(&self, shared: &Shared) {
        let decoding = Decoding::new(self.plan.clone(), &self.lanes[0].recipe);
        let mut worker = Worker {
            decoding: match self.way {
                Some(Way::Apart(_)) => decoding.keeping_others(),
                Some(Way::Kept(_)) | None => decoding,
            },
            instances: Instances::default(),
            stages: Stages::default(),
        };
        // Wakes the others if this thread panics, so that the panic is not waited for in vain.
        let alarm = Alarm(shared);
        while let Some(task) = self.next(shared) {
            self.perform(task, &mut worker, shared);
            shared.bell.ring();
        }
        shared.bell.ring();
        lock(&shared.stages).add(&worker.stages);
        std::mem::forget(alarm);
    }

    fn next(&self, shared: &Shared) -> Option<Task> {
        loop {
            // Heard before anything is looked at: what changes meanwhile rings once more.
            let heard = shared.bell.rings();
            let mut schedule = lock(&shared.schedule);
            if self.cancel.is_cancelled() {
                schedule.fail(RunError::Cancelled);
            }
            if schedule.is_done() {
                return None;
            }
            schedule.sequence.hear(&shared.bell);
            schedule.advance();
            if let Some(task) = schedule.pick() {
                return Some(task);
            }
            if schedule.is_done() {
                return None;
            }
            drop(schedule);
            shared.bell.wait(heard);
        }
    }

    fn perform(&self, task: Task, worker: &mut Worker, shared: &Shared) {
        match task {
            Task::Read(on) => {
                let (part, waker) = (on.part, shared.bell.waker_of(on.part));
                let read = worker.stages.time(Stage::Read, || self.read(on, &waker));
                let mut schedule = lock(&shared.schedule);
                schedule.sequence.turns.read(part, read);
                self.weigh(&mut schedule);
            }
            Task::Kept => {
                let read = worker.stages.time(Stage::Read, || self.read_kept());
                shared.done(read, |schedule, next| {
                    schedule.kept(next);
                    self.weigh(schedule);
                });
            }
            Task::Time(Head { placed, end, number }) => {
                let timed = worker.decoding.timed(placed, end, &mut worker.stages);
                shared.done(timed, |schedule, slab| {
                    schedule.timed(number, slab);
                    self.weigh(schedule);
                });
            }
            Task::Decode { batch, slab, part } => {
                let decoded = self.decode(part, worker);
                shared.done(decoded, |schedule, decoded| {
                    schedule.decoded(batch, slab, decoded);
                    self.weigh(schedule);
                });
            }
            Task::Fold { batch, shard, manner, slabs } => {
                let expected = self.events_expected(&shared.outlook);
                if !self.recall(&[shard], &slabs, worker, shared) {
                    return;
                }
                let Worker { instances, stages, .. } = worker;
                let mut probe = self.weighed(stages);
                let of = (shard, manner);
                let result = self.lanes.fold(of, &slabs, expected, instances, &mut probe);
                drop(slabs);
                let mut schedule = shared.after_calls(probe);
                schedule.folded(batch, shard, result);
                self.weigh(&mut schedule);
            }
            Task::Scout { batch, shards, before, slabs } => {
                if !self.recall(&shards, &slabs, worker, shared) {
                    return;
                }
                let mut probe = self.weighed(&mut worker.stages);
                probe.enter(Some(Step::Call));
                let found = self.lanes.first_stop(&shards, &slabs, before, &mut probe);
                probe.enter(None);
                shared.after_calls(probe).scouted(batch, found);
            }
            Task::Merge { batch, lane, slabs, shares, whole } => {
                let merged = self.merge(lane, (slabs, whole), shares, worker);
                shared.done(merged, |schedule, block| schedule.merged(batch, lane, block));
            }
            Task::Commit { batch, blocks, aside } => {
                let result = self.commit.blocks(blocks, &mut worker.stages);
                let result = result.and_then(|()| self.put_aside(&aside, worker));
                shared.done(result, |schedule, ()| schedule.committed(batch));
            }
            Task::Snapshot => {
                let extents = lock(&shared.schedule).sequence.extents.clone();
                shared.done(self.snapshot(extents), |schedule, ()| schedule.saved());
            }
        }
    }

    /// Decodes a part of a batch, and packs what of it is for later passes.
    fn decode(
        &self,
        part: Undecoded,
        worker: &mut Worker,
    ) -> Result<(Vec<Decoded>, Vec<Vec<u8>>), RunError> {
        let Worker { decoding, stages, .. } = worker;
        let mut readers = match part {
            Undecoded::Placed(placed) => match self.decodes {
                Some(decodes) => decodes.slab(&placed, decoding, stages)?,
                None => decoding.slab(&placed, stages)?,
            },
            Undecoded::Strand(strand) => decoding.strand(&strand, stages),
            Undecoded::Kept(kept) => {
                let events = stages.time(Stage::Decode, || kept.events());
                let events = events.ok_or_else(|| self.unlike())?;
                let KeptSlab { placed, numbers, .. } = kept;
                vec![decoding.kept(&placed, events, numbers, stages)]
            }
        };
        self.lanes.see(&readers);
        let aside = match (self.way, readers.first_mut()) {
            (Some(Way::Apart(_)), Some(decoded)) => {
                let originals = self.written && self.log.originals() == Originals::InSlabs;
                stages.time(Stage::Write, || pack_others(decoded, originals))
            }
            _ => Vec::new(),
        };
        Ok((readers, aside))
    }

    /// Why the run ends where what another pass put aside is of no use.
    fn unlike(&self) -> RunError {
        match self.way {
            Some(Way::Kept(kept)) => lock(kept).unlike().into(),
            Some(Way::Apart(_)) | None => RunError::Internal("no pass put events aside".into()),
        }
    }

    /// Reads what comes next of what another pass put aside.
    fn read_kept(&self) -> Result<Next, RunError> {
        let Some(Way::Kept(kept)) = self.way else { return Ok(Next::End) };
        let mut kept = lock(kept);
        let next = kept.batch()?;
        // As much as the log had up to there.
        let bytes = self.log.bytes() as f64 * kept.share();
        self.bytes_read.store(bytes as u64, Ordering::Relaxed);
        if let Next::Batch(batch) = &next {
            self.events_read.fetch_add(batch.whole.len() as u64, Ordering::Relaxed);
        }
        Ok(next)
    }

    /// A point to go on from, which lies where the log was read up to `extents`, or another pass
    /// says.
    fn snapshot(&self, extents: Vec<Extent>) -> Result<(), RunError> {
        match self.way {
            Some(Way::Kept(kept)) => {
                let (extents, receipts) = lock(kept).point();
                self.commit.commit(&extents, Some(receipts), None)
            }
            Some(Way::Apart(aside)) => {
                let reached: Vec<Reached> = extents.iter().map(Extent::reached).collect();
                let receipts = self.log.receipts(&reached, self.threads)?;
                self.commit.commit(&extents, Some(Vec::new()), None)?;
                Ok(lock(aside).snapshot((extents, receipts))?)
            }
            None => self.commit.commit(&extents, None, None),
        }
    }

    /// Keeps the events of other portions, in the order of batches.
    fn put_aside(&self, slabs: &[Vec<Vec<u8>>], worker: &mut Worker) -> Result<(), RunError> {
        let Some(Way::Apart(aside)) = self.way else { return Ok(()) };
        Ok(worker.stages.time(Stage::Write, || lock(aside).batch(slabs))?)
    }

    /// Gives shards what their shares of a batch ask for of what was seen before the run; false:
    /// the run is over.
    fn recall(
        &self,
        shards: &[usize],
        slabs: &Slabs,
        worker: &mut Worker,
        shared: &Shared,
    ) -> bool {
        let each = || shards.iter().try_for_each(|&shard| self.lanes.recall(shard, slabs));
        let recalled = worker.stages.time(Stage::Dedup, each);
        recalled.map_err(|error| lock(&shared.schedule).fail(error.into())).is_ok()
    }

    /// For whoever calls reducers.
    fn weighed<'s>(&'s self, stages: &'s mut Stages) -> Weighed<'s> {
        let events = self.events_read.load(Ordering::Relaxed);
        Weighed { stages, memory: self.memory, lanes: self.lanes, events, held: 0, over: None }
    }

    /// Ends the run if it holds more than it may.
    fn weigh(&self, schedule: &mut Schedule) {
        self.memory.note_batches(schedule.bytes());
        let events = self.events_read.load(Ordering::Relaxed);
        if let Err(error) = self.memory.check(self.lanes, events) {
            schedule.fail(error);
        }
    }

    fn read(&self, on: ReadOn, waker: &Waker) -> Result<Read, RunError> {
        // Bytes that are read where a feed is begun count like any others: of a small object that
        // is all of them, and what is foretold of the log would be far too much.
        let (mut feed, before) = match on.feed {
            Some(feed) => {
                let before = feed.bytes_read();
                (feed, before)
            }
            None => (self.log.read(on.part, on.from)?, 0),
        };
        let piece = feed.poll(&mut Context::from_waker(waker));
        let bytes = feed.bytes_read().saturating_sub(before);
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        let Poll::Ready(piece) = piece else { return Ok(Read::Pending(feed)) };
        let Some(piece) = piece? else { return Ok(Read::End) };
        self.events_read.fetch_add(piece.slab.len() as u64, Ordering::Relaxed);
        Ok(Read::Piece(piece, feed))
    }

    /// Events that this run takes in all, judged by those that were read so far.
    fn events_expected(&self, outlook: &Outlook) -> u64 {
        let bytes = u128::from(self.bytes_read.load(Ordering::Relaxed));
        let read = u128::from(self.events_read.load(Ordering::Relaxed));
        // A log that does not tell its bytes, or not how many were read, foretells nothing.
        let all = (read * u128::from(outlook.bytes)).checked_div(bytes).unwrap_or(read);
        let all = all.clamp(read, read * FORETOLD_TIMES);
        let all = u64::try_from(all).unwrap_or(u64::MAX);
        all.saturating_sub(outlook.skipped).min(outlook.most)
    }

    fn merge(
        &self,
        lane: usize,
        (slabs, whole): (Arc<Slabs>, Option<Arc<Whole>>),
        shares: Shares,
        worker: &mut Worker,
    ) -> Result<Block, RunError> {
        let recipe = &self.lanes[lane].recipe;
        let originals = match (self.written, &whole) {
            (false, _) => self.commit.unwritten(),
            (true, None) => self.log.originals(),
            (true, Some(_)) => Originals::Elsewhere,
        };
        let merged =
            worker.stages.time(Stage::Merge, || recipe.merge(slabs.of(lane), shares, originals));
        let mut block = merged.map_err(|error| RunError::Internal(error.to_string()))?;
        if originals == Originals::Elsewhere {
            let refused = &mut block.refused;
            let fill = |whole: &Arc<Whole>| whole.fill(slabs.of(lane), refused);
            let is_kept = whole.as_ref().map_or(Some(false), fill).ok_or_else(|| self.unlike())?;
            if !is_kept {
                worker.stages.time(Stage::Read, || fetch(self.log, refused))?;
            }
        }
        drop(slabs);
        Ok(match whole {
            Some(whole) => worker.stages.time(Stage::Merge, || whole.spread(block)),
            None => block,
        })
    }
}

/// Reads the bytes of events that are refused where slabs do not hold them: of a table only the
/// columns are read that a reducer declares, and nothing of a refused event may be lost.
fn fetch(log: &dyn Log, refused: &mut [Refused]) -> Result<(), RunError> {
    let mut refused: Vec<&mut Refused> = refused.iter_mut().collect();
    // Merged by time, those of a partition stand between those of others.
    refused.sort_by_key(|refused| (refused.partition, refused.offset));
    for stretch in refused.chunk_by_mut(|a, b| a.partition == b.partition) {
        let partition = stretch[0].partition;
        let offsets: Vec<u64> = stretch.iter().map(|refused| refused.offset).collect();
        let mut rest = stretch.iter_mut();
        for rows in log.rows(partition, &offsets)? {
            let slab = Slab::Rows(rows);
            for (row, refused) in (0..slab.len()).zip(&mut rest) {
                refused.bytes = original(&slab, row).into_owned();
            }
        }
    }
    Ok(())
}

/// What is known before the first event of how many will come.
struct Outlook {
    /// Events that a snapshot holds already.
    skipped: u64,
    /// No more than these.
    most: u64,
    /// Stored bytes of the log.
    bytes: u64,
}

impl Outlook {
    fn new(log: &dyn Log, cuts: &Cuts, ids_max_bytes: usize, way: Option<&Way>) -> Self {
        let partitions = cuts.from.len() as u64;
        let limit = cuts.limit.map_or(u64::MAX, |limit| limit.saturating_mul(partitions));
        let room = (ids_max_bytes / ID_MAX_BYTES) as u64;
        let skipped = |(from, partition): (&u64, &Partition)| from.saturating_sub(partition.first);
        // Of one that is not read at all nobody may know where it ends.
        let read = cuts.from.iter().zip(log.partitions()).filter(|(from, _)| **from < u64::MAX);
        // Of what was put aside nothing is.
        let is_kept = matches!(way, Some(Way::Kept(_)));
        let skipped = if is_kept { 0 } else { read.map(skipped).sum() };
        Self { skipped, most: limit.min(room), bytes: log.bytes() }
    }
}

/// What a thread keeps for itself.
struct Worker {
    decoding: Decoding,
    instances: Instances,
    stages: Stages,
}

struct Alarm<'a>(&'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        lock(&self.0.schedule).fail(ThreadError::Panicked.into());
        self.0.bell.ring();
    }
}
