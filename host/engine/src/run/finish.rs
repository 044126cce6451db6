//! After the pass: every key's view rows and violations, the digests, and the manifest, written
//! last.

use super::audit;
use super::error::RunError;
use super::finals;
use super::lane::lock;
use super::prepare::Prepared;
use super::replay::ReplayOptions;
use super::sequence::Extent;
use super::stages::{Stage, Stages};
use crate::clock::Stopwatch;
use crate::job::Resolved;
use crate::rundir::{KeyedDigests, RunWriter};
use retally_core::digest::{
    Digests, KeyedDigest, PartitionDigest, Tables, outcomes_digest, run_digest,
};
use retally_core::manifest::{
    Input, Job, Manifest, ManifestFormat, Marks, ReducerId, TableTotals, Taken, seal,
};
use retally_core::reduce::{Finals, Shard, Viewed, stateless_places};
use retally_core::schema::Field;

/// One side of a pass while its keys are gone through.
pub(crate) struct Finished {
    number: usize,
    pub tables: Tables,
    pub rows: Rows,
}

/// What is written of the keys, and counted of them.
pub(crate) struct Rows {
    keys: u64,
    violations: u64,
    view: Vec<Field>,
    totals: TableTotals,
    writer: Option<RunWriter>,
}

impl Rows {
    /// Before the first keys.
    pub(crate) fn begin(&mut self, shards: &[&Shard]) {
        if let Some(writer) = &mut self.writer {
            writer.stateless(stateless_places(shards));
        }
    }

    /// Takes the next keys, in byte order.
    pub(crate) fn add(&mut self, finals: Finals) -> Result<(), RunError> {
        self.keys += finals.keys.len() as u64;
        self.violations += finals.violated.len() as u64;
        let Viewed { owners, columns } = &finals.viewed;
        self.totals.add(&self.view, columns, owners.len())?;
        match &mut self.writer {
            Some(writer) => Ok(writer.finals(finals)?),
            None => Ok(()),
        }
    }
}

/// What a manifest and an audit tell beside what came out.
pub(crate) struct About<'a> {
    pub job: &'a Resolved,
    pub options: &'a ReplayOptions,
    pub prepared: &'a Prepared,
    /// Names of snapshots that were saved.
    pub snapshots: &'a [String],
    /// What was read.
    pub input: Input,
}

impl Finished {
    /// The side of a lane.
    pub(crate) fn of(prepared: &Prepared, number: usize) -> Self {
        let lane = &prepared.lanes[number];
        let tables = Tables::new(lane.recipe.description());
        let writer = lock(&lane.commit).writer.take();
        let view = lane.recipe.description().view.fields.clone();
        let totals = TableTotals::new(&view);
        Self { number, tables, rows: Rows { keys: 0, violations: 0, view, totals, writer } }
    }

    /// Goes through all keys of a side that is alone.
    pub(crate) fn keys(
        &mut self,
        prepared: &Prepared,
        options: &ReplayOptions,
        stages: &mut Stages,
    ) -> Result<(), RunError> {
        let lane = &prepared.lanes[self.number];
        let guards = lane.lock_shards();
        let shards: Vec<&Shard> = guards.iter().map(|shard| &**shard).collect();
        self.rows.begin(&shards);
        let (tables, rows) = (&mut self.tables, &mut self.rows);
        let digest = |finals: &Finals| Ok(tables.add(finals)?);
        let how = (options.threads(), &options.cancel);
        finals::all(lane, &shards, how, stages, digest, |finals, stages| {
            stages.time(Stage::Write, || rows.add(finals))
        })
    }

    /// Counts the keys: from then on the lane's counts and control totals are whole.
    pub(crate) fn count(&self, prepared: &Prepared) {
        let kept = &mut *lock(&prepared.lanes[self.number].commit);
        (kept.counts.keys, kept.counts.violations) = (self.rows.keys, self.rows.violations);
        kept.totals.view = self.rows.totals.clone();
    }

    /// The digests and the manifest, not written yet.
    pub(crate) fn close(self, about: &About<'_>) -> Result<Closed, RunError> {
        let Tables { views, states, violations } = self.tables;
        let trees = [views.finish(), states.finish(), violations.finish()];
        let writer = self.rows.writer;
        let control = writer.as_ref().map(RunWriter::control).unwrap_or_default();
        let manifest = manifest(about, self.number, &keyed(&trees), control)?;
        Ok(Closed { number: self.number, trees, writer, manifest })
    }
}

/// One side of a pass, complete but for what is written last.
pub(crate) struct Closed {
    number: usize,
    /// Of views, states and violations.
    trees: [KeyedDigest; 3],
    writer: Option<RunWriter>,
    manifest: Manifest,
}

fn keyed([views, states, violations]: &[KeyedDigest; 3]) -> KeyedDigests<'_> {
    KeyedDigests { views, states, violations }
}

impl Closed {
    /// What ran, on what, with what result.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Ends the run directory, if the side has one.
    pub(crate) fn write(
        self,
        about: &About<'_>,
        stages: &Stages,
        watch: &Stopwatch,
    ) -> Result<Manifest, RunError> {
        let Self { number, trees, writer, manifest } = self;
        if let (Some(writer), Some(dir)) = (writer, &about.prepared.sides[number].dir) {
            let bytes = manifest.to_bytes()?;
            audit::write(about, &about.prepared.lanes[number], dir, &manifest, stages, watch)?;
            writer.finish(keyed(&trees), &bytes)?;
        }
        Ok(manifest)
    }
}

fn manifest(
    about: &About<'_>,
    number: usize,
    trees: &KeyedDigests<'_>,
    control: serde_json::Value,
) -> Result<Manifest, RunError> {
    let (lane, side) = (&about.prepared.lanes[number], &about.prepared.sides[number]);
    let kept = lock(&lane.commit);
    let description = lane.recipe.description();
    let mut partitions = kept.outcomes.digests();
    partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
    let digests = Digests {
        outcomes: outcomes_digest(&description.emits, &partitions),
        views: trees.views.digest,
        states: trees.states.digest,
        violations: trees.violations.digest,
    };
    let counted: Vec<_> = partitions.iter().map(PartitionDigest::count).collect();
    let run = run_digest(&digests, &counted);
    let input = about.input.clone();
    let job_digest = side.settings.digest();
    let job_digest =
        job_digest.ok_or_else(|| RunError::Internal("a param is no value of its kind".into()))?;
    kept.counts.check()?;
    let range = &side.settings.range;
    let mut written = about.job.written();
    if let Some(file) = &side.file {
        written.insert("job.reducer".into(), file.display().to_string().into());
    }
    Ok(Manifest {
        format: ManifestFormat::CURRENT,
        retally: env!("CARGO_PKG_VERSION").into(),
        marks: Marks {
            partial: !range.is_whole() || side.from_snapshot.is_some(),
            subset: side.settings.keys.is_some(),
            empty_state: false,
        },
        run_digest: run,
        seal: seal(&run, &lane.recipe.reducer.digest(), &job_digest, &input.digest()),
        digests,
        counts: kept.counts,
        totals: kept.totals.clone(),
        since_start: side.from_snapshot.as_ref().map(|_| kept.before.then(&kept.counts)),
        partitions: counted,
        from_snapshot: side.from_snapshot.as_ref().map(|(from, _)| from.clone()),
        reducer: ReducerId {
            name: description.name.clone(),
            version: description.version.clone(),
            sha256: lane.recipe.reducer.digest(),
            contract: retally_sandbox::CONTRACT_VERSION.into(),
            state_version: description.state.version,
            layout: description.state.layout.clone(),
        },
        job: Job { digest: job_digest, settings: side.settings.clone(), written },
        input_digest: input.digest(),
        input,
        engine: lane.recipe.reducer.engine(),
        control,
    })
}

/// What was read: of each partition how much, of each object what tells it from any other.
pub(crate) fn input(
    prepared: &Prepared,
    extents: &[Extent],
    threads: usize,
) -> Result<Input, RunError> {
    let taken = |(name, extent): (&String, &Extent)| Taken {
        partition: name.clone(),
        events: extent.events,
        first: extent.first,
        last: extent.first.map(|_| extent.next - 1),
    };
    let objects = prepared.source.taken(threads)?;
    let partitions = prepared.names.iter().zip(extents).map(taken).collect();
    Ok(Input { partitions, objects }.sorted())
}
