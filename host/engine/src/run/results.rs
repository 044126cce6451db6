//! What comes out of one side of a pass, in the order in which it comes: counted, digested, and
//! handed on to the side's sink.

use super::error::RunError;
use super::lane::Lane;
use super::passes::Others;
use super::resume::{From, Resumed, sort};
use super::sequence::Extent;
use super::stages::{Stage, Stages};
use crate::job::Resolved;
use crate::range::Bounds;
use crate::sink::{Beginning, Commit, Sink, Takes};
use retally_core::digest::{Outcomes, PartitionDigest, Positions, Trees, run_digest};
use retally_core::log::{Micros, Order, Position};
use retally_core::manifest::{
    Counts, FromSnapshot, Hole, Input, Job, Manifest, ManifestFormat, Marks, Ranged, Totals,
    shapes_digest,
};
use retally_core::receipt::Receipt;
use retally_core::reduce::{Block, Finals, Reducer, Shard, stateless};
use retally_core::snapshot::{Binding, Finished, Head, Standing};
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) struct Results<'a> {
    pub reducer: Arc<dyn Reducer>,
    /// The reducer's file, if it is not the one that the job names.
    file: Option<PathBuf>,
    binding: Binding,
    /// Where it began.
    from: From,
    /// The partitions' names, by their numbers.
    names: Vec<String>,
    outcomes: Outcomes,
    positions: Positions,
    counts: Counts,
    totals: Totals,
    /// Counts before this run gives anything: before the snapshot from which it went on, then
    /// before its range.
    before: Counts,
    /// How its range was asked for.
    asked: Option<Ranged>,
    /// Where what it gives begins.
    began: Vec<Position>,
    is_begun: bool,
    /// Names of what was saved at points to go on from.
    pub saved: Vec<String>,
    pub takes: Takes,
    pub sink: &'a mut dyn Sink,
    /// What passes over other keys came to, if this is the last of several.
    pub others: Option<Others>,
    /// Whether it is given on and nothing else, also before what comes out begins, because another
    /// pass joins it.
    pub spills: bool,
}

impl<'a> Results<'a> {
    /// Nothing came out yet. Of what was `resumed` the lane has the rest.
    pub(crate) fn new(
        (sink, file): (&'a mut dyn Sink, Option<PathBuf>),
        reducer: Arc<dyn Reducer>,
        binding: Binding,
        (bounds, resumed): (&Bounds, &Resumed),
    ) -> Self {
        let described = reducer.description();
        let from = resumed.from.snapshot.as_ref();
        let mut began = from.map_or_else(Vec::new, |(from, _)| from.next.clone());
        began.retain(|of| bounds.begins.iter().all(|own| own.partition != of.partition));
        began.extend(bounds.begins.iter().cloned());
        began.sort();
        Self {
            totals: Totals::new(&described.emits, &described.view.fields),
            reducer,
            file,
            binding,
            from: resumed.from.clone(),
            names: Vec::new(),
            outcomes: resumed.fold.outcomes.clone(),
            positions: Positions::default(),
            counts: Counts::begin(),
            before: resumed.counts,
            asked: bounds.asked.clone(),
            began,
            is_begun: false,
            saved: Vec::new(),
            takes: sink.takes(),
            sink,
            others: None,
            spills: false,
        }
    }

    /// Begins: what came so far lies before the range, if any was replayed (`replays`). Gives what
    /// is to be told of it. `partitions`: their names.
    pub(crate) fn begin(
        &mut self,
        partitions: &[String],
        replays: bool,
    ) -> Result<Option<String>, RunError> {
        self.names = partitions.to_vec();
        if let Some(asked) = self.asked.as_mut().filter(|_| replays) {
            asked.replayed = Some(self.counts.events);
            self.before = self.before.then(&self.counts);
            self.counts = Counts::begin();
        }
        self.is_begun = true;
        let snapshot = self.from.snapshot.as_ref().map(|(_, reference)| reference);
        let history = (replays || snapshot.is_some()).then(|| self.outcomes.save());
        let description = self.reducer.description();
        let history = history.as_deref();
        let beginning = Beginning { description, partitions, history, snapshot };
        self.sink.begin(&beginning)?;
        let of = self.from.snapshot.as_ref().map(|(from, _)| from);
        let asked = self.asked.as_ref().and_then(|asked| asked.replayed);
        Ok(asked.map(|events| replayed(events, of)))
    }

    /// Takes what became of the next events. Gives how many there were so far.
    pub(crate) fn block(&mut self, block: Block, stages: &mut Stages) -> Result<u64, RunError> {
        let block = match &mut self.others {
            Some(others) => {
                stages.time(Stage::Merge, || others.block(self.reducer.description(), block))?
            }
            None => block,
        };
        if self.spills {
            self.counts.add(&block);
            stages.time(Stage::Write, || self.sink.block(block))?;
            return Ok(self.counts.events);
        }
        stages.time(Stage::Digest, || -> Result<(), RunError> {
            let filtered = self.counts.filtered;
            self.counts.add(&block);
            if !self.is_begun {
                return Ok(self.outcomes.add(&block)?);
            }
            self.positions.add(&block, self.counts.filtered > filtered);
            self.totals.add_emits(&self.reducer.description().emits, &block.emits)?;
            Ok(self.outcomes.add(&block)?)
        })?;
        if self.takes.results && self.is_begun {
            stages.time(Stage::Write, || self.sink.block(block))?;
        }
        Ok(self.counts.events)
    }

    /// Before the first keys.
    pub(crate) fn stateless(&mut self, shards: &[&Shard]) -> Result<(), RunError> {
        let keys = if self.takes.places { stateless(shards) } else { Vec::new() };
        Ok(self.sink.stateless(&keys)?)
    }

    /// Takes the next keys, in byte order.
    pub(crate) fn keys(&mut self, keys: Finals) -> Result<(), RunError> {
        self.counts.keys += keys.keys.len() as u64;
        self.counts.violations += keys.violated.len() as u64;
        self.totals.add_views(&self.reducer.description().view.fields, &keys.viewed)?;
        if self.takes.results {
            self.sink.keys(keys)?;
        }
        Ok(())
    }

    /// A point to go on from, for a sink that takes such. `broke`: what is wrong with the run;
    /// none: it is not finished.
    pub(crate) fn commit(
        &mut self,
        lane: &Lane,
        names: &[String],
        extents: &[Extent],
        receipts: &[Receipt],
        broke: Option<&[String]>,
    ) -> Result<(), RunError> {
        if !self.takes.commits {
            return Ok(());
        }
        let commit = self.commit_of(lane, names, extents, receipts, broke);
        let saved = match &mut self.others {
            Some(others) => others.commit(commit, self.sink)?,
            None => self.sink.commit(&commit)?,
        };
        self.saved.extend(saved);
        Ok(())
    }

    /// What a snapshot has of this pass.
    pub(super) fn commit_of(
        &mut self,
        lane: &Lane,
        names: &[String],
        extents: &[Extent],
        receipts: &[Receipt],
        broke: Option<&[String]>,
    ) -> Commit {
        let reached = |(name, extent): (&String, &Extent)| Position {
            partition: name.clone(),
            offset: extent.next,
        };
        let own = names.iter().zip(extents).map(reached);
        let mut partitions: Vec<Position> = own.chain(self.from.beyond.clone()).collect();
        let mut highest: Vec<Micros> = Vec::new();
        if self.binding.settings.order == Order::Time {
            let own = extents.iter().map(|extent| extent.highest);
            highest.extend(own.chain(self.from.beyond_highest.iter().copied()));
        }
        let places = sort(&mut partitions, &mut highest);
        let (mut pieces, mut keys) = (Vec::new(), 0);
        for mut shard in lane.lock_shards() {
            keys += shard.keys.len() as u64;
            pieces.extend(shard.export(&lane.recipe.rules));
        }
        for piece in &mut pieces {
            piece.partition = piece.partition.map(|number| places[number as usize]);
            piece.keys.home.iter_mut().for_each(|home| *home = places[*home as usize]);
        }
        let from = self.from.snapshot.as_ref().map(|(from, _)| from);
        let head = Head {
            binding: self.binding.clone(),
            seed: lane.recipe.seed,
            partitions,
            highest,
            outcomes: self.outcomes.save(),
            keys: Some(keys),
            counts: self.before.then(&self.counts),
            empty_state: self.is_empty_state(),
            receipts: receipts.to_vec(),
            accepted: from.map_or_else(Vec::new, |from| from.accepted.clone()),
            migrated: from.map_or_else(Vec::new, |from| from.migrated.clone()),
            standing: Standing {
                finished: broke.map(|broke| {
                    let (broke, within) = (broke.to_vec(), self.saved.clone());
                    Finished { broke, within }
                }),
                began: self.began.clone(),
                holes: self.holes(),
            },
        };
        Commit { head, pieces }
    }

    /// Events that were replayed in front of the range.
    fn replayed(&self) -> Option<u64> {
        self.asked.as_ref()?.replayed
    }

    /// Whether the history began without the state that belonged to its first position.
    fn is_empty_state(&self) -> bool {
        let from = self.from.snapshot.as_ref();
        self.binding.settings.range.empty_state || from.is_some_and(|(from, _)| from.empty_state)
    }

    /// What no finished run has of the events before this one's: also what it replayed, for it
    /// gives nothing of that, and nobody knows whether another run does.
    fn holes(&self) -> Vec<Hole> {
        let of = self.from.snapshot.as_ref();
        let holes = of.map_or_else(Vec::new, |(from, _)| from.holes.clone());
        if self.replayed().is_none() {
            return holes;
        }
        let began = of.map_or_else(Vec::new, |(from, _)| from.next.clone());
        let standing = Standing { holes, began, ..Standing::default() };
        standing.holes(&self.binding.settings.range.from, false)
    }

    /// What ran, on what (`input`), with what result: what came out ends here.
    pub(crate) fn manifest(
        &mut self,
        trees: &Trees,
        job: &Resolved,
        input: &Input,
    ) -> Result<Manifest, RunError> {
        let control = self.sink.control();
        let files = self.sink.close(trees)?;
        let digests = trees.digests(self.outcomes.digest());
        let partitions = self.outcomes.digests();
        let counted: Vec<_> = partitions.iter().map(PartitionDigest::count).collect();
        let run = run_digest(&digests, &counted);
        let Binding { reducer, settings, .. } = self.binding.clone();
        let unfit = || RunError::Internal("a param is no value of its kind".into());
        let job_digest = settings.digest().ok_or_else(unfit)?;
        self.counts.check()?;
        let mut written = job.written();
        if let Some(file) = &self.file {
            written.insert("job.reducer".into(), file.display().to_string().into());
        }
        let input_digest = input.digest();
        let from = self.from.snapshot.as_ref().map(|(from, _)| from.clone());
        let has_history = from.is_some() || self.replayed().is_some();
        let description = self.reducer.description();
        let mut manifest = Manifest {
            format: ManifestFormat::CURRENT,
            retally: env!("CARGO_PKG_VERSION").into(),
            marks: Marks::of(&settings, from.as_ref()),
            run_digest: run,
            seal: run,
            digests,
            counts: self.counts,
            totals: self.totals.clone(),
            since_start: has_history.then(|| self.before.then(&self.counts)),
            partitions: counted,
            positions: self.positions.digest(&self.names),
            from_snapshot: from,
            range: self.asked.clone(),
            passed_over: self.from.passed_over.clone(),
            reducer,
            shapes: shapes_digest(&description.emits, &description.view),
            job: Job { digest: job_digest, settings, written },
            input_digest,
            input: input.clone(),
            engine: self.reducer.engine(),
            control,
            files,
        };
        manifest.seal = manifest.seal_of(&run, &job_digest, &input_digest);
        Ok(manifest)
    }
}

/// What a person is told where a range begins behind `events` of the log.
fn replayed(events: u64, from: Option<&FromSnapshot>) -> String {
    let of = match from {
        Some(from) => format!("snapshot {}", from.name),
        None => "the start of the log".to_owned(),
    };
    match events {
        0 => format!("the range begins with the state of {of}"),
        1 => format!("1 event before the range was replayed for its state, from {of}"),
        _ => format!("{events} events before the range were replayed for their state, from {of}"),
    }
}
