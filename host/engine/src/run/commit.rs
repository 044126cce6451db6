//! What a replay does with each block in the order of the log: digest it, count it, write it.

use super::error::RunError;
use super::lane::{Lane, lock};
use super::memory::Watch;
use super::pair::Pair;
use super::pipeline::Commit;
use super::prepare::Prepared;
use super::progress::{Observer, Progress};
use super::replay::ReplayOptions;
use super::resume;
use super::sequence::Extent;
use super::stages::{Stage, Stages};
use super::tallied::Tallied;
use crate::job::Resolved;
use crate::rundir::RunWriter;
use crate::snapshot::{SnapshotRef, Store};
use retally_core::digest::Outcomes;
use retally_core::manifest::{Counts, Totals};
use retally_core::reduce::Block;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// What is kept of one lane in the order of the log.
pub(crate) struct Kept {
    pub outcomes: Outcomes,
    /// Of this run.
    pub counts: Counts,
    /// Of this run.
    pub totals: Totals,
    /// Before the snapshot from which this run went on.
    pub before: Counts,
    /// Gone once the run is finished.
    pub writer: Option<RunWriter>,
}

/// A replay's side of the pipeline.
pub(crate) struct Replaying<'a> {
    prepared: &'a Prepared,
    observer: &'a dyn Observer,
    memory: Watch,
    store: Option<Store>,
    /// What a comparison counts.
    pub tallied: Option<&'a Mutex<Tallied>>,
    /// The snapshots saved so far.
    saved: Mutex<Vec<SnapshotRef>>,
}

impl<'a> Replaying<'a> {
    pub(crate) fn new(
        job: &'a Resolved,
        prepared: &'a Prepared,
        options: &ReplayOptions,
        observer: &'a dyn Observer,
    ) -> Result<Self, RunError> {
        // A comparison is no history that anybody would go on from.
        let url = options.snapshot.as_ref().or(job.snapshots.as_ref().map(|s| &s.url));
        let url = url.filter(|_| prepared.lanes.len() == 1);
        let store = url.map(|url| Store::open(url, &job.base)).transpose()?;
        let memory = Watch::new(prepared.host_memory_bytes, job.window);
        Ok(Self { prepared, observer, memory, store, tallied: None, saved: Mutex::default() })
    }

    /// Names of the snapshots saved so far.
    pub(crate) fn saved(&self) -> Vec<String> {
        lock(&self.saved).iter().map(|snapshot| snapshot.name.clone()).collect()
    }

    /// Saves a snapshot if the run has a place for them.
    pub(crate) fn save(&self, extents: &[Extent]) -> Result<(), RunError> {
        let Some(store) = &self.store else { return Ok(()) };
        let mut saved = lock(&self.saved);
        let begun = self.prepared.sides[0].from_snapshot.as_ref().map(|(_, reference)| reference);
        let parent = saved.last().or(begun);
        let reference = resume::save(store, self.prepared, extents, parent)?;
        saved.push(reference);
        Ok(())
    }

    fn watch(&self, lanes: &[Lane<Kept>], events: u64) -> Result<(), RunError> {
        let (mut keys, mut ids) = (self.prepared.lanes.pair().map_or(0, Pair::bytes), 0);
        for (own_keys, own_ids) in lanes.iter().map(Lane::bytes) {
            keys += own_keys;
            ids += own_ids;
        }
        self.observer.progress(&Progress {
            events,
            bytes: self.prepared.bytes_read.load(Ordering::Relaxed),
            bytes_total: self.prepared.source.bytes(),
            memory: (keys + ids) as u64,
        });
        self.memory.check(keys, ids, events, lanes[0].times())
    }
}

impl Commit for Replaying<'_> {
    type Kept = Kept;

    fn commit(
        &self,
        lanes: &[Lane<Kept>],
        blocks: Vec<Block>,
        stages: &mut Stages,
    ) -> Result<(), RunError> {
        if let (Some(tallied), [a, b]) = (self.tallied, blocks.as_slice()) {
            stages.time(Stage::Compare, || lock(tallied).blocks([a, b]))?;
        }
        let mut events = 0;
        for (lane, block) in lanes.iter().zip(blocks) {
            let mut kept = lock(&lane.commit);
            let kept = &mut *kept;
            stages.time(Stage::Digest, || -> Result<(), RunError> {
                kept.counts.add(&block);
                kept.totals.add_emits(&lane.recipe.description().emits, &block.emits)?;
                Ok(kept.outcomes.add(&block)?)
            })?;
            if let Some(writer) = &mut kept.writer {
                stages.time(Stage::Write, || writer.block(block))?;
            }
            events = kept.counts.events;
        }
        self.watch(lanes, events)
    }

    fn snapshot(&self, _lanes: &[Lane<Kept>], extents: &[Extent]) -> Result<(), RunError> {
        self.save(extents)
    }
}
