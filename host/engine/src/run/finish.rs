//! After the pass: every key's view rows and violations, the digests, and the manifest, written
//! last.

use super::audit;
use super::commit::Replaying;
use super::error::RunError;
use super::finals;
use super::lane::lock;
use super::prepare::Prepared;
use super::replay::ReplayOptions;
use super::sequence::Extent;
use super::stages::{Stage, Stages};
use crate::clock::Stopwatch;
use crate::job::Resolved;
use crate::rundir::KeyedDigests;
use crate::source::{Fingerprint, Source};
use retally_core::digest::{Digests, PartitionDigest, Tables, outcomes_digest, run_digest};
use retally_core::log::PartitionIndex;
use retally_core::manifest::{
    Engine, Input, Job, Manifest, ManifestFormat, Marks, Object, ReducerId, Taken, Xxh3, seal,
};
use retally_core::reduce::Finals;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a finished run left.
pub(crate) struct Done {
    pub dir: PathBuf,
    pub manifest: Manifest,
    pub snapshots: Vec<String>,
}

pub(crate) fn finish(
    job: &Resolved,
    options: &ReplayOptions,
    prepared: &Prepared,
    commit: &Replaying<'_>,
    extents: &[Extent],
    stages: &mut Stages,
    watch: &Stopwatch,
) -> Result<Done, RunError> {
    let lane = &prepared.lane;
    let writer = lock(&lane.commit).writer.take();
    let mut writer = writer.ok_or_else(|| RunError::Internal("a run finished twice".into()))?;
    let mut tables = Tables::new(lane.reducer.description());
    let counts = |finals: &Finals| {
        let mut kept = lock(&lane.commit);
        kept.counts.keys += finals.keys.len() as u64;
        kept.counts.violations += finals.violated.len() as u64;
        kept.totals.add_views(&lane.reducer.description().view.fields, &finals.viewed)
    };
    let digest = |finals: &Finals| Ok(tables.add(finals)?);
    finals::all(lane, (options.threads(), &options.cancel), stages, digest, |finals| {
        counts(&finals)?;
        Ok(writer.finals(finals)?)
    })?;
    commit.save(lane, extents)?;
    let (views, states) = (tables.views.finish(), tables.states.finish());
    let violations = tables.violations.finish();
    let trees = KeyedDigests { views: &views, states: &states, violations: &violations };
    let control = writer.control();
    let manifest = manifest(job, prepared, extents, &trees, control, options.threads(), stages)?;
    let bytes = manifest.to_bytes()?;
    audit::write(job, options, prepared, &manifest, &commit.saved(), stages, watch)?;
    writer.finish(trees, &bytes)?;
    Ok(Done { dir: prepared.dir.clone(), manifest, snapshots: commit.saved() })
}

fn manifest(
    job: &Resolved,
    prepared: &Prepared,
    extents: &[Extent],
    trees: &KeyedDigests<'_>,
    control: serde_json::Value,
    threads: usize,
    stages: &mut Stages,
) -> Result<Manifest, RunError> {
    let lane = &prepared.lane;
    let kept = lock(&lane.commit);
    let description = lane.reducer.description();
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
    let input = stages.time(Stage::Read, || input(prepared, extents, threads))?;
    let job_digest = prepared.settings.digest();
    let job_digest =
        job_digest.ok_or_else(|| RunError::Internal("a param is no value of its kind".into()))?;
    kept.counts.check()?;
    let range = &prepared.settings.range;
    Ok(Manifest {
        format: ManifestFormat::CURRENT,
        retally: env!("CARGO_PKG_VERSION").into(),
        marks: Marks {
            partial: !range.is_whole() || prepared.from_snapshot.is_some(),
            subset: prepared.settings.keys.is_some(),
            empty_state: false,
        },
        run_digest: run,
        seal: seal(&run, &lane.reducer.digest(), &job_digest, &input.digest()),
        digests,
        counts: kept.counts,
        since_start: prepared.from_snapshot.as_ref().map(|_| kept.before.then(&kept.counts)),
        totals: kept.totals.clone(),
        partitions: counted,
        from_snapshot: prepared.from_snapshot.as_ref().map(|(from, _)| from.clone()),
        reducer: ReducerId {
            name: description.name.clone(),
            version: description.version.clone(),
            sha256: lane.reducer.digest(),
            contract: retally_sandbox::CONTRACT_VERSION.into(),
            state_version: description.state.version,
            layout: description.state.layout.clone(),
        },
        job: Job {
            digest: job_digest,
            settings: prepared.settings.clone(),
            written: job.written(),
        },
        input_digest: input.digest(),
        input,
        engine: about_engine(),
        control,
    })
}

/// What was read: of each partition how much, of each object what tells it from any other.
fn input(prepared: &Prepared, extents: &[Extent], threads: usize) -> Result<Input, RunError> {
    let taken = |(name, extent): (&String, &Extent)| Taken {
        partition: name.clone(),
        events: extent.events,
        first: extent.first,
        last: extent.first.map(|_| extent.next - 1),
    };
    let mut objects = Vec::new();
    let prints = fingerprints(&prepared.source, threads)?;
    for (print, object) in prints.into_iter().zip(prepared.source.objects()) {
        objects.push(Object {
            path: object.path.clone(),
            size_bytes: object.bytes,
            etag: object.etag.clone(),
            xxh3_128: Some(Xxh3(print.xxh3)),
            sha256: print.sha256.map(retally_core::digest::Hash),
        });
    }
    let partitions = prepared.names.iter().zip(extents).map(taken).collect();
    Ok(Input { partitions, objects }.sorted())
}

/// The fingerprints of all objects; what was not read in order is read now, by several threads.
fn fingerprints(source: &Source, threads: usize) -> Result<Vec<Fingerprint>, RunError> {
    let next = AtomicUsize::new(0);
    let count = source.objects().len();
    let share = || -> Result<Vec<(usize, Fingerprint)>, RunError> {
        let mut done = Vec::new();
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                number if number < count => {
                    done.push((number, source.fingerprint(number as PartitionIndex)?));
                }
                _ => return Ok(done),
            }
        }
    };
    let mut all = std::thread::scope(|scope| -> Result<Vec<_>, RunError> {
        let threads: Vec<_> = (0..threads.min(count)).map(|_| scope.spawn(share)).collect();
        let mut all = Vec::with_capacity(count);
        for thread in threads {
            all.extend(thread.join().map_err(|_| RunError::Panicked)??);
        }
        Ok(all)
    })?;
    all.sort_unstable_by_key(|&(number, _)| number);
    Ok(all.into_iter().map(|(_, print)| print).collect())
}

/// What ran the reducer: outside all digests.
fn about_engine() -> Engine {
    let settings = [("compiler", "cranelift"), ("nan", "canonical"), ("fuel", "off")];
    Engine {
        name: format!("wasmtime {}", retally_sandbox::WASMTIME_VERSION),
        settings: settings.map(|(name, value)| (name.into(), value.into())).into(),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        cpu_features: Vec::new(),
    }
}
