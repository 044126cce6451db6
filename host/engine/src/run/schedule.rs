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
//!
//! Shares are folded in a hurry ([`Manner::Hurried`]). Once one meets a limit no other is begun,
//! and one thread looks for the first stop in all that are not folded up to that batch, from the
//! earliest batch on. Where there is none, they are folded event by event, and the run goes on in
//! less of a hurry: calls of this reducer take so long.

use super::aside::Next;
use super::batch::Batch;
use super::error::RunError;
use super::halt::Halt;
use super::lane::LaneShares;
use super::merged::{Merged, strand_bytes};
use super::sequence::{Cut, Extent, Sequence, Taken};
use super::supply::Supply;
use super::task::{Ended, Size, StopAt, Task, Undecoded};
use crate::limits::BATCHES_AHEAD;
use retally_core::fold::{Slabs, Timed};
use retally_core::reduce::{Block, Folded, Manner, Stop, StopCause, Undone};
use retally_core::shard::Decoded;
use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) struct Schedule {
    pub sequence: Sequence,
    /// In place of what the sequence gives.
    supply: Option<Supply>,
    batches: VecDeque<Batch>,
    lanes: usize,
    /// For each shard the batch that it folds next.
    next_fold: Vec<u64>,
    folding: Vec<bool>,
    /// How much shares are hurried.
    parts: u32,
    /// What a share that met a limit made of the run.
    slow: Option<Slow>,
    next_commit: u64,
    committing: bool,
    stop: Option<StopAt>,
    /// Whether that is the first of all.
    settled: bool,
    /// Folds behind this batch wait until its snapshot is saved.
    barrier: Option<u64>,
    snapshotting: bool,
    failed: Option<RunError>,
    /// Tells the calls that still run that the run is over.
    halt: Halt,
}

/// Nothing is folded in a hurry until all shares of some batches are.
#[derive(Debug)]
struct Slow {
    /// The last of these.
    until: u64,
    /// The batch in which no stop was found, so that its shares are folded event by event.
    singly: Option<u64>,
    scouting: bool,
}

impl Schedule {
    pub(crate) fn new(sequence: Sequence, size: &Size, halt: Halt) -> Self {
        let &Size { lanes, shards, threads } = size;
        Self {
            sequence,
            supply: None,
            batches: VecDeque::new(),
            lanes,
            next_fold: vec![0; shards],
            folding: vec![false; shards],
            parts: u32::try_from(threads.min(shards)).unwrap_or(u32::MAX),
            slow: None,
            next_commit: 0,
            committing: false,
            stop: None,
            settled: false,
            barrier: None,
            snapshotting: false,
            failed: None,
            halt,
        }
    }

    /// Takes batches that were put aside, of which `extents` is all that was taken of the log.
    #[must_use]
    pub(crate) fn of_kept(mut self, extents: Vec<Extent>) -> Self {
        self.sequence.extents = extents;
        self.supply = Some(Supply::default());
        self
    }

    /// It was read what comes next of what was put aside.
    pub(crate) fn kept(&mut self, next: Next) {
        if let Some(batch) = self.supply.as_mut().and_then(|supply| supply.read(next)) {
            self.barrier = Some(batch);
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
    /// of which there is no first in the order of the log, or the first stop of all is known.
    fn is_over(&self) -> bool {
        let of_machine = |at: &StopAt| at.stop.cause.is_of_machine();
        self.failed.is_some() || self.settled || self.stop.as_ref().is_some_and(of_machine)
    }

    /// Memory of what is on its way between reading and commit.
    pub(crate) fn bytes(&self) -> usize {
        let batches = self.batches.iter().map(|batch| batch.bytes);
        let merged = self.sequence.merged.as_ref().map_or(0, Merged::bytes);
        let kept = self.supply.as_ref().map_or(0, Supply::bytes);
        self.sequence.turns.queued_bytes() + merged + kept + batches.sum::<usize>()
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
        if let Some(supply) = &mut self.supply {
            // Nothing is over before the snapshot is saved.
            return if self.barrier.is_none() { supply.pick() } else { None };
        }
        let head = self.sequence.merged.as_mut().and_then(Merged::pick);
        head.map(Task::Time).or_else(|| self.sequence.pick_read().map(Task::Read))
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
        let aside = std::mem::take(&mut batch.aside);
        Some(Task::Commit { batch: batch.number, blocks, aside })
    }

    fn pick_merge(&mut self) -> Option<Task> {
        for batch in &mut self.batches {
            let Some(slabs) = batch.slabs.as_ref().filter(|_| batch.folds_left == 0) else {
                continue;
            };
            let Some(lane) = batch.lanes.iter().position(|lane| !lane.merging) else { continue };
            batch.lanes[lane].merging = true;
            let shares = std::mem::take(&mut batch.lanes[lane].shares);
            let (number, slabs, whole) = (batch.number, slabs.clone(), batch.whole.clone());
            return Some(Task::Merge { batch: number, lane, slabs, shares, whole });
        }
        None
    }

    fn pick_fold(&mut self) -> Option<Task> {
        match self.slow {
            Some(Slow { singly: None, .. }) => return self.pick_scout(),
            Some(Slow { singly: Some(batch), .. }) => {
                return self.pick_share(batch, Manner::Singly);
            }
            None => {}
        }
        let last = self.stop.as_ref().map_or(u64::MAX, |stop| stop.batch);
        let last = self.barrier.map_or(last, |barrier| last.min(barrier));
        self.pick_share(last, Manner::Hurried(self.parts))
    }

    /// A share of the earliest batch that has one to fold, and is not behind `last`.
    fn pick_share(&mut self, last: u64, manner: Manner) -> Option<Task> {
        for batch in self.batches.iter().take_while(|batch| batch.number <= last) {
            let Some(slabs) = &batch.slabs else { continue };
            let mut next = self.next_fold.iter().zip(&self.folding);
            let free = |(&next, &folding): (&u64, &bool)| next == batch.number && !folding;
            let Some(shard) = next.position(free) else { continue };
            self.folding[shard] = true;
            return Some(Task::Fold { batch: batch.number, shard, manner, slabs: slabs.clone() });
        }
        None
    }

    /// The earliest batch that is not folded, once nobody folds.
    fn pick_scout(&mut self) -> Option<Task> {
        let slow = self.slow.as_mut().filter(|slow| !slow.scouting)?;
        let batch = self.batches.iter().find(|batch| batch.folds_left > 0)?;
        let slabs = batch.slabs.clone().filter(|_| !self.folding.contains(&true))?;
        slow.scouting = true;
        let number = batch.number;
        let unfolded = self.next_fold.iter().enumerate().filter(|&(_, &next)| next == number);
        let shards = unfolded.map(|(shard, _)| shard).collect();
        let stop = self.stop.as_ref().filter(|stop| stop.batch == number);
        let before = stop.map(|stop| (stop.stop.event, stop.lane));
        Some(Task::Scout { batch: number, shards, before, slabs })
    }

    /// The first stop of what was not folded of a batch is known.
    pub(crate) fn scouted(&mut self, batch: u64, found: Option<(usize, Stop)>) {
        let Some(slow) = &mut self.slow else { return };
        (slow.scouting, slow.singly) = (false, Some(batch));
        if let Some((lane, stop)) = found {
            self.stop_at(batch, lane, stop);
        }
        // Whatever is left comes behind it.
        if self.stop.as_ref().is_some_and(|stop| stop.batch == batch) {
            self.settled = true;
            self.halt.halt();
        }
    }

    /// Goes on once all that was slow is folded.
    fn quicken(&mut self, batch: u64) {
        let Some(slow) = &mut self.slow else { return };
        if slow.singly != Some(batch) || self.next_fold.iter().any(|&next| next <= batch) {
            return;
        }
        slow.singly = None;
        if slow.until <= batch {
            self.slow = None;
            self.parts = (self.parts / 2).max(1);
        }
    }

    fn pick_decode(&mut self) -> Option<Task> {
        let last = self.stop.as_ref().map_or(u64::MAX, |stop| stop.batch);
        let mut batches = self.batches.iter_mut().take_while(|batch| batch.number <= last);
        batches.find_map(|batch| {
            let (slab, part) = batch.waiting.pop_front()?;
            Some(Task::Decode { batch: batch.number, slab, part })
        })
    }

    /// Moves slabs that were read into batches, as far as there is room.
    pub(crate) fn advance(&mut self) {
        if let Some(supply) = &mut self.supply {
            let has_room = self.batches.len() < BATCHES_AHEAD;
            let next = has_room.then(|| supply.take(self.next_fold.len(), self.lanes)).flatten();
            self.sequence.over = supply.is_over();
            if let Some(batch) = next {
                self.batches.push_back(batch);
                self.seal(false);
            }
            return;
        }
        if self.sequence.merged.is_some() {
            return self.advance_merged();
        }
        loop {
            let open = self.batches.back().is_some_and(|batch| !batch.sealed);
            if !open && (self.batches.len() >= BATCHES_AHEAD || self.barrier.is_some()) {
                return;
            }
            match self.sequence.take() {
                Taken::Slab { placed, batch, seal, snapshot } => {
                    let bytes = placed.slab.bytes();
                    let batch = self.open(batch);
                    batch.bytes += bytes;
                    for full in batch.filling.put(placed, bytes).into_iter().flatten() {
                        batch.wait(Undecoded::Placed(full));
                    }
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

    /// The same under order "time", where batches are cut from what is decoded.
    fn advance_merged(&mut self) {
        loop {
            self.sequence.fill();
            if self.batches.len() >= BATCHES_AHEAD || self.barrier.is_some() {
                return;
            }
            let Some(Cut { batch, strands, snapshot }) = self.sequence.merge() else {
                // What the merge used up is wanted again, and may have been read long ago: nobody
                // rings for that.
                if self.sequence.fill() {
                    continue;
                }
                return;
            };
            for strand in strands {
                let bytes = strand_bytes(&strand);
                let batch = self.open(batch);
                batch.bytes += bytes;
                batch.wait(Undecoded::Strand(strand));
            }
            self.seal(snapshot);
        }
    }

    /// A slab is decoded whose times the merge waits for.
    pub(crate) fn timed(&mut self, number: u64, slab: Timed) {
        if let Some(merged) = &mut self.sequence.merged {
            merged.decoded(number, slab);
        }
    }

    /// The batch that is put together, which has this number.
    fn open(&mut self, number: u64) -> &mut Batch {
        if self.batches.back().is_none_or(|batch| batch.sealed) {
            self.batches.push_back(Batch::new(number, self.next_fold.len(), self.lanes));
        }
        self.batch(number)
    }

    fn seal(&mut self, snapshot: bool) {
        let Some(batch) = self.batches.back_mut() else { return };
        if let Some(rest) = batch.filling.take() {
            batch.wait(Undecoded::Placed(rest));
        }
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

    /// A slab is decoded, once for each reader, and what of it is put `aside`.
    pub(crate) fn decoded(
        &mut self,
        batch: u64,
        slab: usize,
        (readers, aside): (Vec<Decoded>, Vec<Vec<u8>>),
    ) {
        let entry = self.batch(batch);
        entry.bytes += readers.iter().map(Decoded::bytes).sum::<usize>();
        entry.bytes += aside.iter().map(Vec::len).sum::<usize>();
        entry.decoded[slab] = Some(readers);
        entry.aside[slab] = aside;
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

    /// A shard has folded its share of a batch, or met a limit, or one of its lanes stopped.
    pub(crate) fn folded(
        &mut self,
        batch: u64,
        shard: usize,
        result: Result<LaneShares, Undone<(usize, Stop)>>,
    ) {
        self.folding[shard] = false;
        if matches!(result, Err(Undone::Slow(_))) {
            let slow = self.slow.get_or_insert(Slow { until: 0, singly: None, scouting: false });
            slow.until = slow.until.max(batch);
            return;
        }
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
            Err(Undone::Stopped((lane, stop))) => self.stop_at(batch, lane, stop),
            Err(Undone::Slow(_)) => {}
        }
        self.quicken(batch);
    }

    /// Notes a stop if it is the first so far.
    fn stop_at(&mut self, batch: u64, lane: usize, stop: Stop) {
        // The run is over, and why was told.
        if stop.cause == StopCause::Halted {
            return;
        }
        if stop.cause.is_of_machine() {
            self.halt.halt();
        }
        let Batch { slabs: Some(slabs), whole, .. } = self.batch(batch) else { return };
        let (slabs, whole) = (slabs.clone(), whole.clone());
        let earlier = |other: &StopAt| {
            (batch, stop.event, lane) < (other.batch, other.stop.event, other.lane)
        };
        if self.stop.as_ref().is_none_or(earlier) {
            self.stop = Some(StopAt { batch, lane, stop, slabs, whole });
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
