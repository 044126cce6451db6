//! What comes out of one side of a pass, in the order in which it comes: counted, digested, and
//! handed on to the side's sink.

use super::error::RunError;
use super::lane::Lane;
use super::passes::Others;
use super::resume::{From, Resumed, sort};
use super::sequence::Extent;
use super::stages::{Stage, Stages};
use crate::job::Resolved;
use crate::sink::{Beginning, Commit, Sink, Takes};
use retally_core::digest::{Outcomes, PartitionDigest, Positions, Trees, run_digest};
use retally_core::log::Position;
use retally_core::manifest::{
    Counts, Input, Job, Manifest, ManifestFormat, Marks, Totals, shapes_digest,
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
    /// Counts before the snapshot from which this run went on.
    before: Counts,
    /// Names of what was saved at points to go on from.
    pub saved: Vec<String>,
    pub takes: Takes,
    pub sink: &'a mut dyn Sink,
    /// What passes over other keys came to, if this is the last of several.
    pub others: Option<Others>,
}

impl<'a> Results<'a> {
    /// Nothing came out yet. Of what was `resumed` the lane has the rest.
    pub(crate) fn new(
        sink: &'a mut dyn Sink,
        reducer: Arc<dyn Reducer>,
        file: Option<PathBuf>,
        binding: Binding,
        resumed: &Resumed,
    ) -> Self {
        let described = reducer.description();
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
            saved: Vec::new(),
            takes: sink.takes(),
            sink,
            others: None,
        }
    }

    /// Begins. `partitions`: their names.
    pub(crate) fn begin(&mut self, partitions: &[String]) -> Result<(), RunError> {
        self.names = partitions.to_vec();
        let snapshot = self.from.snapshot.as_ref().map(|(_, reference)| reference);
        let history = if snapshot.is_some() { self.outcomes.save() } else { Vec::new() };
        let description = self.reducer.description();
        let beginning = Beginning { description, partitions, history: &history, snapshot };
        Ok(self.sink.begin(&beginning)?)
    }

    /// Takes what became of the next events. Gives how many there were so far.
    pub(crate) fn block(&mut self, block: Block, stages: &mut Stages) -> Result<u64, RunError> {
        let block = match &mut self.others {
            Some(others) => {
                stages.time(Stage::Merge, || others.block(self.reducer.description(), block))?
            }
            None => block,
        };
        stages.time(Stage::Digest, || -> Result<(), RunError> {
            let filtered = self.counts.filtered;
            self.counts.add(&block);
            self.positions.add(&block, self.counts.filtered > filtered);
            self.totals.add_emits(&self.reducer.description().emits, &block.emits)?;
            Ok(self.outcomes.add(&block)?)
        })?;
        if self.takes.results {
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
        let reached = |(name, extent): (&String, &Extent)| Position {
            partition: name.clone(),
            offset: extent.next,
        };
        let own = names.iter().zip(extents).map(reached);
        let mut partitions: Vec<Position> = own.chain(self.from.beyond.clone()).collect();
        let places = sort(&mut partitions);
        let mut pieces = Vec::new();
        for mut shard in lane.lock_shards() {
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
            outcomes: self.outcomes.save(),
            counts: self.before.then(&self.counts),
            empty_state: false,
            receipts: receipts.to_vec(),
            accepted: from.map_or_else(Vec::new, |from| from.accepted.clone()),
            migrated: from.map_or_else(Vec::new, |from| from.migrated.clone()),
            standing: Standing {
                finished: broke.map(|broke| {
                    let (broke, within) = (broke.to_vec(), self.saved.clone());
                    Finished { broke, within }
                }),
                began: from.map_or_else(Vec::new, |from| from.next.clone()),
                holes: from.map_or_else(Vec::new, |from| from.holes.clone()),
            },
        };
        self.saved.extend(self.sink.commit(&Commit { head, pieces })?);
        Ok(())
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
            since_start: from.as_ref().map(|_| self.before.then(&self.counts)),
            partitions: counted,
            positions: self.positions.digest(&self.names),
            from_snapshot: from,
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
