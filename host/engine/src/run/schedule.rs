//! What may be done next: the state of a run between its threads, and nothing that does the work.
//!
//! The log is one sequence of batches that depends on the log and the batch size alone. Threads
//! take tasks inside it: read and decode ahead, fold each shard's share of a batch once its share
//! of the batch before is folded, join in any order, commit in order. So outputs repeat, whatever
//! the threads do.
//!
//! ```text
//! parts -read-> slabs -place-> batch -decode-> shards -fold-> -merge-> -commit-> (snapshot)
//! ```

use super::error::RunError;
use super::sequence::{Sequence, Taken};
use crate::source::PartReader;
use retally_core::decode::Placed;
use retally_core::reduce::{Block, Folded, Stop};
use retally_core::shard::Decoded;
use std::collections::VecDeque;
use std::sync::Arc;

/// Batches that are between reading and commit at one time.
const BATCHES_AHEAD: usize = 3;

/// A piece of work for one thread.
pub(crate) enum Task {
    Read { part: usize, reader: Option<PartReader> },
    Decode { batch: u64, slab: usize, placed: Placed },
    Fold { batch: u64, lane: usize, shard: usize, slabs: Arc<Vec<Decoded>> },
    Merge { batch: u64, lane: usize, slabs: Arc<Vec<Decoded>>, folded: Vec<Folded> },
    Commit { batch: u64, lane: usize, block: Block },
    Snapshot,
}

/// Where a run must stop: the first of all events that cannot be folded.
pub(crate) struct StopAt {
    pub batch: u64,
    pub lane: usize,
    pub stop: Stop,
    pub slabs: Arc<Vec<Decoded>>,
}

/// One batch on its way.
struct Batch {
    number: u64,
    /// No slab will be added.
    sealed: bool,
    /// Slabs that wait for a decoder.
    waiting: VecDeque<(usize, Placed)>,
    /// Decoded slabs, one list per slab with one entry per lane.
    decoded: Vec<Option<Vec<Decoded>>>,
    lanes: Vec<LaneBatch>,
}

/// One batch in one lane.
#[derive(Default)]
struct LaneBatch {
    assembled: bool,
    slabs: Option<Arc<Vec<Decoded>>>,
    folded: Vec<Option<Folded>>,
    folds_left: usize,
    merging: bool,
    block: Option<Block>,
    committed: bool,
}

/// One reducer's progress through the batches.
struct Lane {
    /// For each shard the batch that it folds next.
    next_fold: Vec<u64>,
    folding: Vec<bool>,
    next_commit: u64,
    committing: bool,
}

/// See the module.
pub(crate) struct Schedule {
    pub sequence: Sequence,
    batches: VecDeque<Batch>,
    lanes: Vec<Lane>,
    stop: Option<StopAt>,
    /// Folds behind this batch wait until its snapshot is saved.
    barrier: Option<u64>,
    snapshotting: bool,
    failed: Option<RunError>,
}

impl Schedule {
    pub(crate) fn new(sequence: Sequence, lanes: usize, shards: usize) -> Self {
        let lane = || Lane {
            next_fold: vec![0; shards],
            folding: vec![false; shards],
            next_commit: 0,
            committing: false,
        };
        Self {
            sequence,
            batches: VecDeque::new(),
            lanes: (0..lanes).map(|_| lane()).collect(),
            stop: None,
            barrier: None,
            snapshotting: false,
            failed: None,
        }
    }

    /// Ends the run with an error that concerns no single event.
    pub(crate) fn fail(&mut self, error: RunError) {
        self.failed.get_or_insert(error);
    }

    /// Whether no task is left, now or later.
    pub(crate) fn is_done(&self) -> bool {
        if self.failed.is_some() {
            return true;
        }
        match &self.stop {
            Some(stop) => !self.folds_up_to(stop.batch),
            None => self.sequence.is_over() && self.batches.is_empty(),
        }
    }

    /// Whether a shard still has to fold a batch up to `last`; an earlier stop may come of it.
    fn folds_up_to(&self, last: u64) -> bool {
        let unfolded = |b: &Batch| b.lanes.iter().any(|l| !l.assembled || l.folds_left > 0);
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
        self.sequence.take_error().map_or(Ok(()), |error| Err(Ended::Failed(error)))
    }

    /// The most urgent task that can be begun: what is nearest to its end first.
    pub(crate) fn pick(&mut self) -> Option<Task> {
        if self.failed.is_some() {
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
        self.sequence.pick_read().map(|(part, reader)| Task::Read { part, reader })
    }

    fn pick_snapshot(&mut self) -> Option<Task> {
        let batch = self.barrier.filter(|_| !self.snapshotting)?;
        let ready = self.lanes.iter().all(|lane| lane.next_commit > batch && !lane.committing);
        ready.then(|| {
            self.snapshotting = true;
            Task::Snapshot
        })
    }

    fn pick_commit(&mut self) -> Option<Task> {
        let front = self.batches.front()?.number;
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            if lane.committing {
                continue;
            }
            let at = (lane.next_commit - front) as usize;
            let Some(batch) = self.batches.get_mut(at) else { continue };
            if let Some(block) = batch.lanes[number].block.take() {
                lane.committing = true;
                return Some(Task::Commit { batch: batch.number, lane: number, block });
            }
        }
        None
    }

    fn pick_merge(&mut self) -> Option<Task> {
        for batch in &mut self.batches {
            for (number, lane) in batch.lanes.iter_mut().enumerate() {
                let Some(slabs) = &lane.slabs else { continue };
                if lane.folds_left > 0 || lane.merging {
                    continue;
                }
                lane.merging = true;
                let folded = lane.folded.drain(..).flatten().collect();
                let (slabs, batch) = (slabs.clone(), batch.number);
                return Some(Task::Merge { batch, lane: number, slabs, folded });
            }
        }
        None
    }

    fn pick_fold(&mut self) -> Option<Task> {
        let last = self.stop.as_ref().map_or(u64::MAX, |stop| stop.batch);
        let last = self.barrier.map_or(last, |barrier| last.min(barrier));
        for batch in self.batches.iter().take_while(|batch| batch.number <= last) {
            for (number, lane) in self.lanes.iter_mut().enumerate() {
                let Some(slabs) = &batch.lanes[number].slabs else { continue };
                let next = lane.next_fold.iter().zip(&lane.folding);
                let free = |(&next, &folding): (&u64, &bool)| next == batch.number && !folding;
                let Some(shard) = next.map(free).position(|free| free) else { continue };
                lane.folding[shard] = true;
                let (batch, slabs) = (batch.number, slabs.clone());
                return Some(Task::Fold { batch, lane: number, shard, slabs });
            }
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
            let lanes = self.lanes.iter().map(|_| LaneBatch::default()).collect();
            self.batches.push_back(Batch {
                number,
                sealed: false,
                waiting: VecDeque::new(),
                decoded: Vec::new(),
                lanes,
            });
        }
        if let Some(batch) = self.batches.back_mut() {
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

    /// A slab is decoded, once for each lane.
    pub(crate) fn decoded(&mut self, batch: u64, slab: usize, lanes: Vec<Decoded>) {
        self.batch(batch).decoded[slab] = Some(lanes);
        self.assemble(batch);
    }

    /// Opens a batch for folding when it is sealed and all of it decoded.
    fn assemble(&mut self, number: u64) {
        let shards = self.lanes[0].next_fold.len();
        let batch = self.batch(number);
        if !batch.sealed || batch.decoded.iter().any(Option::is_none) {
            return;
        }
        let mut lanes: Vec<Vec<Decoded>> = batch.lanes.iter().map(|_| Vec::new()).collect();
        for slab in batch.decoded.drain(..).flatten() {
            for (lane, decoded) in lanes.iter_mut().zip(slab) {
                lane.push(decoded);
            }
        }
        for (lane, slabs) in batch.lanes.iter_mut().zip(lanes) {
            lane.assembled = true;
            lane.slabs = Some(Arc::new(slabs));
            lane.folded.resize_with(shards, || None);
            lane.folds_left = shards;
        }
    }

    /// A shard has folded its share of a batch, or stopped.
    pub(crate) fn folded(
        &mut self,
        batch: u64,
        lane: usize,
        shard: usize,
        result: Result<Folded, Stop>,
    ) {
        self.lanes[lane].folding[shard] = false;
        self.lanes[lane].next_fold[shard] = batch + 1;
        let entry = &mut self.batch(batch).lanes[lane];
        entry.folds_left -= 1;
        match result {
            Ok(folded) => entry.folded[shard] = Some(folded),
            Err(stop) => {
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
        let entry = &mut self.batch(batch).lanes[lane];
        entry.slabs = None;
        entry.block = Some(block);
    }

    pub(crate) fn committed(&mut self, batch: u64, lane: usize) {
        self.lanes[lane].committing = false;
        self.lanes[lane].next_commit = batch + 1;
        self.batch(batch).lanes[lane].committed = true;
        let over = |batch: &Batch| batch.lanes.iter().all(|lane| lane.committed);
        while self.batches.front().is_some_and(over) {
            self.batches.pop_front();
        }
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
