//! What may be done next: the state of a run between its threads, and nothing that does the work.
//!
//! The log is one [`Sequence`] of batches. Threads
//! take tasks inside it: read and decode ahead, fold each shard's share of a batch once its share
//! of the batch before is folded, join in any order, commit in order. So outputs repeat, whatever
//! the threads do.
//!
//! ```text
//! parts -read-> slabs -place-> batch -decode-> shards -fold-> -merge-> -commit-> (snapshot)
//! ```
//!
//! A run has one lane (a reducer) or two side by side. A shard folds its share of a batch in all
//! lanes at once; each lane is merged on its own; a batch is committed with all its lanes.

use super::error::RunError;
use super::halt::Halt;
use super::lane::LaneShares;
use super::sequence::{Sequence, Taken};
use super::turns::{ReadOn, slab_bytes};
use crate::limits::BATCHES_AHEAD;
use retally_core::decode::Placed;
use retally_core::fold::Slabs;
use retally_core::reduce::{Block, Folded, Shares, Stop, StopCause};
use retally_core::shard::Decoded;
use std::collections::VecDeque;
use std::sync::Arc;

/// A piece of work for one thread.
pub(crate) enum Task {
    Read(ReadOn),
    Decode { batch: u64, slab: usize, placed: Placed },
    Fold { batch: u64, shard: usize, slabs: Arc<Slabs> },
    Merge { batch: u64, lane: usize, slabs: Arc<Slabs>, shares: Shares },
    Commit { batch: u64, blocks: Vec<Block> },
    Snapshot,
}

/// Where a run must stop: the first of all events that cannot be folded.
pub(crate) struct StopAt {
    pub batch: u64,
    pub lane: usize,
    pub stop: Stop,
    pub slabs: Arc<Slabs>,
}

/// One batch on its way.
struct Batch {
    number: u64,
    /// No slab will be added.
    sealed: bool,
    /// Slabs that wait for a decoder.
    waiting: VecDeque<(usize, Placed)>,
    /// Decoded slabs, for each one entry per reader.
    decoded: Vec<Option<Vec<Decoded>>>,
    assembled: bool,
    /// Gone once all lanes are merged.
    slabs: Option<Arc<Slabs>>,
    folds_left: usize,
    lanes: Vec<LaneBatch>,
    /// Memory of what it holds.
    bytes: usize,
}

/// One batch in one lane.
#[derive(Default)]
struct LaneBatch {
    shares: Shares,
    merging: bool,
    block: Option<Block>,
}

pub(crate) struct Schedule {
    pub sequence: Sequence,
    batches: VecDeque<Batch>,
    lanes: usize,
    /// For each shard the batch that it folds next.
    next_fold: Vec<u64>,
    folding: Vec<bool>,
    next_commit: u64,
    committing: bool,
    stop: Option<StopAt>,
    /// Folds behind this batch wait until its snapshot is saved.
    barrier: Option<u64>,
    snapshotting: bool,
    failed: Option<RunError>,
    /// Tells the calls that still run that the run is over.
    halt: Halt,
}

impl Schedule {
    pub(crate) fn new(sequence: Sequence, lanes: usize, shards: usize, halt: Halt) -> Self {
        Self {
            sequence,
            batches: VecDeque::new(),
            lanes,
            next_fold: vec![0; shards],
            folding: vec![false; shards],
            next_commit: 0,
            committing: false,
            stop: None,
            barrier: None,
            snapshotting: false,
            failed: None,
            halt,
        }
    }

    /// Ends the run with an error that concerns no single event.
    pub(crate) fn fail(&mut self, error: RunError) {
        self.failed.get_or_insert(error);
        self.halt.halt();
    }

    /// Whether no task is left, now or later.
    pub(crate) fn is_done(&self) -> bool {
        if self.is_over() {
            return true;
        }
        match &self.stop {
            Some(stop) => !self.folds_up_to(stop.batch),
            None => self.sequence.over && self.batches.is_empty(),
        }
    }

    /// Whether nothing that still comes counts: the run failed, or met what depends on the machine,
    /// of which there is no first in the order of the log.
    fn is_over(&self) -> bool {
        let of_machine = |at: &StopAt| at.stop.cause.is_of_machine();
        self.failed.is_some() || self.stop.as_ref().is_some_and(of_machine)
    }

    /// Memory of what is on its way between reading and commit.
    pub(crate) fn bytes(&self) -> usize {
        let batches = self.batches.iter().map(|batch| batch.bytes);
        self.sequence.turns.queued_bytes() + batches.sum::<usize>()
    }

    /// Whether a shard still has to fold a batch up to `last`; an earlier stop may come of it.
    fn folds_up_to(&self, last: u64) -> bool {
        let unfolded = |b: &Batch| !b.assembled || b.folds_left > 0;
        self.batches.iter().any(|batch| batch.number <= last && unfolded(batch))
    }

    /// What ended the run early, once no task is left.
    pub(crate) fn outcome(&mut self) -> Result<(), Ended> {
        if let Some(error) = self.failed.take() {
            return Err(Ended::Failed(error));
        }
        if let Some(stop) = self.stop.take() {
            return Err(Ended::Stopped(stop));
        }
        self.sequence.error.take().map_or(Ok(()), |error| Err(Ended::Failed(error)))
    }

    /// The most urgent task that can be begun: what is nearest to its end first.
    pub(crate) fn pick(&mut self) -> Option<Task> {
        if self.is_over() {
            return None;
        }
        if self.stop.is_none() {
            let task = self.pick_snapshot().or_else(|| self.pick_commit());
            if let Some(task) = task.or_else(|| self.pick_merge()) {
                return Some(task);
            }
        }
        let task = self.pick_fold().or_else(|| self.pick_decode());
        if task.is_some() || self.stop.is_some() {
            return task;
        }
        self.sequence.pick_read().map(Task::Read)
    }

    fn pick_snapshot(&mut self) -> Option<Task> {
        let batch = self.barrier.filter(|_| !self.snapshotting)?;
        (self.next_commit > batch && !self.committing).then(|| {
            self.snapshotting = true;
            Task::Snapshot
        })
    }

    fn pick_commit(&mut self) -> Option<Task> {
        // Committed batches leave at once, so the one at the front is next.
        let batch = self.batches.front_mut().filter(|_| !self.committing)?;
        if batch.lanes.iter().any(|lane| lane.block.is_none()) {
            return None;
        }
        self.committing = true;
        let blocks = batch.lanes.iter_mut().filter_map(|lane| lane.block.take()).collect();
        Some(Task::Commit { batch: batch.number, blocks })
    }

    fn pick_merge(&mut self) -> Option<Task> {
        for batch in &mut self.batches {
            let Some(slabs) = batch.slabs.as_ref().filter(|_| batch.folds_left == 0) else {
                continue;
            };
            let Some(lane) = batch.lanes.iter().position(|lane| !lane.merging) else { continue };
            batch.lanes[lane].merging = true;
            let shares = std::mem::take(&mut batch.lanes[lane].shares);
            return Some(Task::Merge { batch: batch.number, lane, slabs: slabs.clone(), shares });
        }
        None
    }

    fn pick_fold(&mut self) -> Option<Task> {
        let last = self.stop.as_ref().map_or(u64::MAX, |stop| stop.batch);
        let last = self.barrier.map_or(last, |barrier| last.min(barrier));
        for batch in self.batches.iter().take_while(|batch| batch.number <= last) {
            let Some(slabs) = &batch.slabs else { continue };
            let mut next = self.next_fold.iter().zip(&self.folding);
            let free = |(&next, &folding): (&u64, &bool)| next == batch.number && !folding;
            let Some(shard) = next.position(free) else { continue };
            self.folding[shard] = true;
            return Some(Task::Fold { batch: batch.number, shard, slabs: slabs.clone() });
        }
        None
    }

    fn pick_decode(&mut self) -> Option<Task> {
        let last = self.stop.as_ref().map_or(u64::MAX, |stop| stop.batch);
        let mut batches = self.batches.iter_mut().take_while(|batch| batch.number <= last);
        batches.find_map(|batch| {
            let (slab, placed) = batch.waiting.pop_front()?;
            Some(Task::Decode { batch: batch.number, slab, placed })
        })
    }

    /// Moves slabs that were read into batches, as far as there is room.
    pub(crate) fn advance(&mut self) {
        loop {
            let open = self.batches.back().is_some_and(|batch| !batch.sealed);
            if !open && (self.batches.len() >= BATCHES_AHEAD || self.barrier.is_some()) {
                return;
            }
            match self.sequence.take() {
                Taken::Slab { placed, batch, seal, snapshot } => {
                    self.place(batch, placed);
                    if seal {
                        self.seal(snapshot);
                    }
                }
                Taken::Nothing => return,
                Taken::End => {
                    if open {
                        self.seal(false);
                    }
                    return;
                }
            }
        }
    }

    fn place(&mut self, number: u64, placed: Placed) {
        if self.batches.back().is_none_or(|batch| batch.sealed) {
            let lanes = (0..self.lanes).map(|_| LaneBatch::default()).collect();
            self.batches.push_back(Batch {
                number,
                sealed: false,
                waiting: VecDeque::new(),
                decoded: Vec::new(),
                assembled: false,
                slabs: None,
                folds_left: self.next_fold.len(),
                lanes,
                bytes: 0,
            });
        }
        if let Some(batch) = self.batches.back_mut() {
            batch.bytes += slab_bytes(&placed.slab);
            batch.waiting.push_back((batch.decoded.len(), placed));
            batch.decoded.push(None);
        }
    }

    fn seal(&mut self, snapshot: bool) {
        let Some(batch) = self.batches.back_mut() else { return };
        batch.sealed = true;
        let number = batch.number;
        if snapshot {
            self.barrier = Some(number);
        }
        self.assemble(number);
    }

    fn batch(&mut self, number: u64) -> &mut Batch {
        let front = self.batches.front().map_or(0, |batch| batch.number);
        &mut self.batches[(number - front) as usize]
    }

    /// A slab is decoded, once for each reader.
    pub(crate) fn decoded(&mut self, batch: u64, slab: usize, readers: Vec<Decoded>) {
        let entry = self.batch(batch);
        entry.bytes += readers.iter().map(Decoded::bytes).sum::<usize>();
        entry.decoded[slab] = Some(readers);
        self.assemble(batch);
    }

    /// Opens a batch for folding when it is sealed and all of it decoded.
    fn assemble(&mut self, number: u64) {
        let batch = self.batch(number);
        if !batch.sealed || batch.decoded.iter().any(Option::is_none) {
            return;
        }
        let mut slabs = Slabs::default();
        batch.decoded.drain(..).flatten().for_each(|readers| slabs.push(readers));
        batch.assembled = true;
        batch.slabs = Some(Arc::new(slabs));
    }

    /// A shard has folded its share of a batch, or one of its lanes stopped.
    pub(crate) fn folded(
        &mut self,
        batch: u64,
        shard: usize,
        result: Result<LaneShares, (usize, Stop)>,
    ) {
        if result.as_ref().is_err_and(|(_, stop)| stop.cause.is_of_machine()) {
            self.halt.halt();
        }
        self.folding[shard] = false;
        self.next_fold[shard] = batch + 1;
        let entry = self.batch(batch);
        entry.folds_left -= 1;
        match result {
            Ok(lanes) => {
                entry.bytes += lanes.iter().flatten().map(Folded::bytes).sum::<usize>();
                for (lane, share) in entry.lanes.iter_mut().zip(lanes) {
                    lane.shares.add(shard, share);
                }
            }
            // The run is over, and why was told.
            Err((_, Stop { cause: StopCause::Halted, .. })) => {}
            Err((lane, stop)) => {
                let Some(slabs) = entry.slabs.clone() else { return };
                let earlier = |other: &StopAt| {
                    (batch, stop.event, lane) < (other.batch, other.stop.event, other.lane)
                };
                if self.stop.as_ref().is_none_or(earlier) {
                    self.stop = Some(StopAt { batch, lane, stop, slabs });
                }
            }
        }
    }

    pub(crate) fn merged(&mut self, batch: u64, lane: usize, block: Block) {
        let entry = self.batch(batch);
        entry.lanes[lane].block = Some(block);
        if entry.lanes.iter().all(|lane| lane.merging) {
            entry.slabs = None;
        }
    }

    pub(crate) fn committed(&mut self, batch: u64) {
        self.committing = false;
        self.next_commit = batch + 1;
        self.batches.pop_front();
    }

    pub(crate) fn saved(&mut self) {
        self.snapshotting = false;
        self.barrier = None;
    }
}

/// Why a run ended early.
pub(crate) enum Ended {
    Stopped(StopAt),
    Failed(RunError),
}
