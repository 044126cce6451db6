//! What is done with each batch in the order of the log: compared, counted and handed on.

use super::error::RunError;
use super::lane::lock;
use super::prepare::Prepared;
use super::replay::Progress;
use super::results::Results;
use super::sequence::Extent;
use super::stages::{Stage, Stages};
use crate::compare::CompareError;
use crate::log::Reached;
use retally_compare::{By, SideStretch, Tally};
use retally_core::receipt::Receipt;
use retally_core::reduce::{Block, Originals};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

pub(crate) struct Committer<'a> {
    prepared: &'a Prepared<'a>,
    /// Of each lane.
    results: Vec<Mutex<Results<'a>>>,
    /// What a comparison counts.
    tally: Option<Mutex<Tally>>,
    /// What blocks hold of events where nothing is written.
    unwritten: Originals,
    /// Whether what comes is given: not yet where it lies before a range.
    begun: AtomicBool,
}

impl<'a> Committer<'a> {
    pub(crate) fn new(
        prepared: &'a Prepared<'a>,
        results: Vec<Results<'a>>,
        tally: Option<Tally>,
    ) -> Self {
        // Only who groups by it pays for the time of every record.
        let by_month = tally.as_ref().is_some_and(|tally| tally.plan().by == Some(By::Month));
        Self {
            unwritten: if by_month { Originals::OnlyTimes } else { Originals::Unwanted },
            prepared,
            results: results.into_iter().map(Mutex::new).collect(),
            tally: tally.map(Mutex::new),
            begun: AtomicBool::new(false),
        }
    }

    /// Everything that can be refused was refused, and what lies before the range was replayed:
    /// from here on sinks may write.
    pub(crate) fn begin(&self) -> Result<(), RunError> {
        let Prepared { names, lanes, before, observer, .. } = self.prepared;
        for (number, (results, lane)) in self.results.iter().zip(lanes.iter()).enumerate() {
            let mut results = lock(results);
            let told = results.begin(names, before.is_some())?;
            told.iter().filter(|_| number == 0).for_each(|told| observer.note(told));
            if results.takes.places {
                lane.lock_shards().iter_mut().for_each(|shard| shard.note_reaches());
            }
        }
        self.begun.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The results of a lane, once no thread folds.
    pub(crate) fn one(&mut self, lane: usize) -> &mut Results<'a> {
        self.results[lane].get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The results of both sides of a comparison, once no thread folds.
    pub(crate) fn both(&mut self) -> Option<[&mut Results<'a>; 2]> {
        let [a, b] = self.results.as_mut_slice() else { return None };
        Some([a, b].map(|own| own.get_mut().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Whether a sink takes blocks and keys.
    pub(crate) fn takes_results(&self) -> bool {
        let begun = self.begun.load(Ordering::Relaxed);
        begun && self.results.iter().any(|results| lock(results).takes.results)
    }

    /// Whether a sink takes commits.
    pub(crate) fn saves(&self) -> bool {
        self.results.iter().any(|results| lock(results).takes.commits)
    }

    /// What blocks hold of events where no sink takes them.
    pub(crate) fn unwritten(&self) -> Originals {
        self.unwritten
    }

    /// The pass failed.
    pub(crate) fn abandon(&mut self) {
        self.results.iter().for_each(|results| lock(results).sink.abandon());
    }

    /// What a comparison counted.
    pub(crate) fn tally(&mut self) -> Option<Tally> {
        let tally = self.tally.take()?;
        Some(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, events: u64) {
        let Prepared { memory, lanes, observer, bytes_read, source, .. } = self.prepared;
        observer.progress(&Progress {
            events,
            bytes: bytes_read.load(Ordering::Relaxed),
            bytes_total: source.bytes(),
            memory: memory.held(lanes).all() as u64,
        });
    }

    /// Takes the outcomes of the next batch, one block for each lane.
    pub(crate) fn blocks(&self, blocks: Vec<Block>, stages: &mut Stages) -> Result<(), RunError> {
        let begun = self.begun.load(Ordering::Relaxed);
        if let (Some(tally), [a, b], true) = (&self.tally, blocks.as_slice(), begun) {
            let sides = [&SideStretch::of(a), &SideStretch::of(b)];
            let tallied = stages.time(Stage::Compare, || lock(tally).stretch(sides, &mut |_| {}));
            tallied.map_err(CompareError::from)?;
        }
        let mut events = 0;
        for (results, block) in self.results.iter().zip(blocks) {
            events = lock(results).block(block, stages)?;
        }
        self.tell(events);
        Ok(())
    }

    /// A point to go on from: every batch so far was taken, and none behind is folded. `broke`:
    /// what is wrong with the run; none: it is not finished. `receipts`: of the log up to there, if
    /// the pass that read it gave them.
    pub(crate) fn commit(
        &self,
        extents: &[Extent],
        receipts: Option<Vec<Receipt>>,
        broke: Option<&[String]>,
    ) -> Result<(), RunError> {
        if !self.saves() {
            return Ok(());
        }
        let Prepared { source, names, lanes, options, .. } = self.prepared;
        let reached: Vec<Reached> = extents.iter().map(Extent::reached).collect();
        let own = || source.receipts(&reached, options.threads());
        let receipts = receipts.map_or_else(own, Ok)?;
        for (results, lane) in self.results.iter().zip(lanes.iter()) {
            lock(results).commit(lane, names, extents, &receipts, broke)?;
        }
        Ok(())
    }
}
