//! A replay: recompute a log, or a part of it, into a run directory.
//!
//! The steps, each in a file of its own: [`prepare`](super::prepare) (job, reducer, log, ledger and
//! snapshot become what the pipeline needs), [`pipeline`](super::pipeline) (the pass over the log),
//! [`finals`] (views and violations), and all along [`results`](super::results)
//! (counts, digests, the manifest; and on to the sink). Nothing is published.

use super::aside::Way;
use super::audit;
use super::commit::Committer;
use super::error::RunError;
use super::finals;
use super::gates::{broke, judge};
use super::lane::lock;
use super::load::load;
use super::memory::{Held, largest};
use super::misread;
use super::notes::Kept;
use super::options::ReplayOptions;
use super::passes::{self, Passes, Passing, Shown};
use super::pipeline::Pipeline;
use super::prepare::{Prepared, prepare};
use super::results::Results;
use super::sequence::{Cuts, Extent};
use super::side::{Part, Side};
use super::stages::{Stage, Stages};
use super::stopped::describe;
use super::task::Ended;
use crate::job::{BoundGates, Resolved};
use crate::limits::FORETOLD_IDS_BYTES;
use crate::log::{self, Partition, Reached};
use crate::sink::{End, RunDir, Sink, Snapshots};
use crate::store::{Folder, point};
use retally_compare::model::gate::Judged;
use retally_core::digest::Tables;
use retally_core::manifest::{Input, Manifest, PartitionTaken};
use retally_core::receipt::News;
use retally_core::reduce::{Finals, Reducer, Shard, stateless};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events committed so far.
    pub events: u64,
    /// Stored bytes read so far.
    pub bytes: u64,
    /// Stored bytes of the log.
    pub bytes_total: u64,
    /// Memory held by states, ids, partitions and what is on its way, in bytes.
    pub memory: u64,
}

/// Told of progress and of what a person should know. Called from several threads.
pub trait Observer: Sync {
    /// A batch was committed.
    fn progress(&self, _progress: &Progress) {}

    /// Something that is no error but that a person should know, as one sentence.
    fn note(&self, _text: &str) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// What a replay came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// The run directory; empty: there is none.
    pub dir: PathBuf,
    /// The same, to read it.
    pub folder: Option<Folder>,
    /// Its manifest.
    pub manifest: Manifest,
    /// What the job's gates found. They judge the run and change nothing of it.
    pub gates: Vec<Judged>,
    /// What is wrong with the run, as sentences: gates that it broke, or that it applied nothing.
    pub broke: Vec<String>,
    /// Snapshots saved, by name.
    pub snapshots: Vec<String>,
    /// What of the log was new; none: there was no snapshot, or the log cannot tell.
    pub news: Option<News>,
    /// Whether none of the keys that were asked for has an event.
    pub keys_in_vain: bool,
    /// What was told on the way ([`Observer::note`]).
    pub notes: Vec<String>,
    /// Batches in which the log was folded.
    pub batches: u64,
    /// Time that it took, in seconds.
    pub seconds: f64,
    /// Stages and the time spent in each, in seconds, summed over threads.
    pub stages: Vec<(&'static str, f64)>,
}

/// Replays a job.
pub fn replay(
    job: &Resolved,
    options: &ReplayOptions,
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    replay_reducer(job, load(job, options)?, options, observer)
}

/// Replays a job with a reducer that is loaded already, whatever the job names.
pub fn replay_reducer(
    job: &Resolved,
    reducer: Arc<dyn Reducer>,
    options: &ReplayOptions,
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    let gates = job.gates.bind(reducer.description())?;
    // A trial of the first events must not stand in the way of whoever goes on day by day.
    let of_job = job.snapshots.as_ref().filter(|_| !options.is_part()).map(|s| &s.url);
    let url = options.snapshot.as_ref().or(of_job);
    let unsaved = url.is_none() && job.snapshots.is_some();
    let snapshots = url.map(|url| Snapshots::new(url, job.urls())).transpose()?;
    let mut dir = match &options.dir {
        Some(dir) => RunDir::new(dir).replacing(options.replace),
        None => RunDir::fresh(job.runs()?, &job.name)?,
    };
    let mut snapshots: Vec<Snapshots> = snapshots.into_iter().collect();
    let mut sinks: Vec<&mut dyn Sink> = vec![&mut dir];
    sinks.extend(snapshots.iter_mut().map(|sink| -> &mut dyn Sink { sink }));
    let mut report = judged(job, reducer, (&mut sinks, &gates), options, observer)?;
    if unsaved {
        observer.note(UNSAVED);
        report.notes.push(UNSAVED.to_owned());
    }
    if options.dir.is_none() {
        point_latest(dir.folder(), observer);
    }
    Ok(report)
}

/// Told where a job saves snapshots and a run of it does not.
const UNSAVED: &str =
    "a run with --limit, --from or --to saves no snapshot unless --snapshot names where";

/// The link in a job's output folder that leads to the run that was finished last.
const LATEST: &str = "latest";

/// Makes `latest` lead to a run that is complete. A convenience, so a run never fails for it.
fn point_latest(run: &Folder, observer: &dyn Observer) {
    // Stores know no links.
    let Some(dir) = run.file("") else { return };
    let (Some(output), Some(name)) = (dir.parent(), dir.file_name().and_then(OsStr::to_str)) else {
        return;
    };
    let link = output.join(LATEST);
    if let Err(error) = point(&link, name) {
        observer.note(&format!("{} does not lead to this run: {error}", link.display()));
    }
}

/// Replays a job with a reducer that is loaded already, and gives what comes out to `sink` alone:
/// neither the job's output folder nor its snapshots are written, and its gates judge nothing.
pub fn replay_into(
    job: &Resolved,
    reducer: Arc<dyn Reducer>,
    sink: &mut dyn Sink,
    options: &ReplayOptions,
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    judged(job, reducer, (sink, &BoundGates::default()), options, observer)
}

/// Replays a job with a reducer that is loaded already into a sink, and has gates judge what came
/// out.
fn judged(
    job: &Resolved,
    reducer: Arc<dyn Reducer>,
    (sink, gates): (&mut dyn Sink, &BoundGates),
    options: &ReplayOptions,
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    let told = Kept::new(observer);
    let mut passes = match options.passes {
        Passes::Number(number) => number,
        Passes::Auto => 1,
    };
    loop {
        let to: &mut dyn Sink = &mut *sink;
        match in_passes(job, reducer.clone(), (to, gates), (passes, options), &told) {
            Err(RunError::HostMemory { passes: Some(more), held, .. })
                if options.passes == Passes::Auto =>
            {
                told.note(&format!(
                    "host_memory does not hold {} MiB: begins anew, in {more} passes",
                    held.all() >> 20
                ));
                passes = more;
            }
            done => return done,
        }
    }
}

/// Replays a job in so many passes.
fn in_passes(
    job: &Resolved,
    reducer: Arc<dyn Reducer>,
    (sink, gates): (&mut dyn Sink, &BoundGates),
    (passes, options): (usize, &ReplayOptions),
    told: &Kept<'_>,
) -> Result<Report, RunError> {
    let portions = passes::portions(passes)?;
    let last = Passing::last(told, &portions);
    let portion = portions.last().copied().unwrap_or_default();
    let part = Part { portion, ..Part::default() };
    let side = Side { reducer, sink, file: None, part };
    let (prepared, results) = prepare(job, vec![side], None, options, &last)?;
    let mut committer = Committer::new(&prepared, results, None);
    let before = passes::before(&prepared, committer.one(0), &portions);
    let done = before.and_then(|before| run(&prepared, &mut committer, (told, before), gates));
    done.inspect_err(|_| committer.abandon())
}

fn run(
    prepared: &Prepared<'_>,
    committer: &mut Committer<'_>,
    (told, before): (&Kept<'_>, Shown),
    gates: &BoundGates,
) -> Result<Report, RunError> {
    let (extents, mut stages) = pass(prepared, committer)?;
    stages.add(&before.stages);
    misread::notes(&prepared.lanes, &prepared.names, prepared.job)
        .iter()
        .for_each(|note| told.note(note));
    let asked = prepared.options.keys.as_ref();
    let absent = misread::absent(&prepared.lanes, asked, before.absent.as_ref());
    absent.iter().for_each(|absent| told.note(&absent.note));
    let trees = keys_of(prepared, committer.one(0), &mut stages)?.finish();
    let input = stages.time(Stage::Read, || prepared.input(&extents))?;
    let results = committer.one(0);
    let manifest = results.manifest(&trees, prepared.job, &input)?;
    let notes = told.notes();
    let audit = audit::text(prepared, 0, &manifest, (&results.saved, &notes), &stages);
    results.sink.end(&End { trees: &trees, manifest: &manifest, audit: &audit })?;
    let folder = results.sink.run_dir();
    let gates = folder.as_ref().map_or_else(Vec::new, |dir| judge(dir, &manifest, gates));
    let broke = broke(&manifest, &gates);
    // Whoever goes on from it finds the run that led there finished, and what it came to.
    committer.commit(&extents, None, Some(&broke))?;
    let results = committer.one(0);
    Ok(Report {
        dir: folder.as_ref().map(Folder::place).unwrap_or_default(),
        folder,
        manifest,
        gates,
        broke,
        snapshots: results.saved.clone(),
        news: prepared.news,
        keys_in_vain: absent.is_some_and(|absent| absent.is_all),
        notes,
        batches: stages.batches,
        seconds: prepared.watch.elapsed().as_secs_f64(),
        stages: stages.seconds(),
    })
}

/// The pass over the log, in all lanes: first over what lies before its range, of which nothing is
/// given. Gives what was taken of each partition.
pub(crate) fn pass(
    prepared: &Prepared<'_>,
    commit: &Committer<'_>,
) -> Result<(Vec<Extent>, Stages), RunError> {
    let Prepared { bounds, names, observer, bytes_read, .. } = prepared;
    // Behind the last event there may be what is none, up to where a log says that it ends.
    let end = |(extent, partition): (&Extent, &Partition)| match partition.end {
        log::End::Before(end) => extent.end.map(|own| own.max(end)),
        log::End::OfParts | log::End::Open => extent.end,
    };
    let partitions = prepared.source.partitions();
    let ends = |extents: &[Extent]| extents.iter().zip(partitions).map(end).collect::<Vec<_>>();
    let before = match &prepared.before {
        Some(cuts) => {
            let (extents, stages) = stretch(prepared, commit, cuts)?;
            bounds.begins_within(&ends(&extents), names)?;
            // From here on what is read is what is given.
            bytes_read.store(0, Ordering::Relaxed);
            Some((extents, stages))
        }
        None => None,
    };
    commit.begin()?;
    let mut cuts = prepared.cuts.clone();
    if let Some((extents, _)) = &before {
        cuts.highest = extents.iter().map(|extent| extent.highest).collect();
    }
    let (mut extents, mut stages) = stretch(prepared, commit, &cuts)?;
    for note in bounds.ends_within(&ends(&extents), names) {
        observer.note(&note);
    }
    if let Some((before, own)) = before {
        stages.add(&own);
        for (extent, before) in extents.iter_mut().zip(before) {
            // What was not opened again was read before.
            extent.bytes = extent.bytes.or(before.bytes.filter(|_| before.next == extent.next));
        }
    } else if prepared.cuts.limit.is_none() {
        bounds.begins_within(&ends(&extents), names)?;
    }
    Ok((extents, stages))
}

/// Folds one stretch of the log.
fn stretch(
    prepared: &Prepared<'_>,
    commit: &Committer<'_>,
    cuts: &Cuts,
) -> Result<(Vec<Extent>, Stages), RunError> {
    let pipeline = Pipeline {
        log: prepared.source.as_ref(),
        way: prepared.way.get(),
        decodes: prepared.options.decodes.as_deref(),
        plan: prepared.plan.clone(),
        lanes: &prepared.lanes,
        commit,
        threads: prepared.options.threads(),
        cancel: &prepared.options.cancel,
        halt: &prepared.halt,
        bytes_read: &prepared.bytes_read,
        events_read: AtomicU64::new(0),
        written: commit.takes_results(),
        memory: &prepared.memory,
        // Room for ids that may never come must not be what fills the memory.
        ids_max_bytes: (prepared.memory.limit() / 2).min(FORETOLD_IDS_BYTES),
    };
    let (extents, stages, outcome) = pipeline.run(cuts.clone());
    outcome.map_err(|ended| match ended {
        Ended::Failed(RunError::HostMemory { events, held, limit, advice, .. }) => {
            let largest = largest(&prepared.lanes).map(Box::new);
            let passes = prepared.passes(&held, limit, commit.saves());
            let advice = match passes {
                Some(passes) => format!("{advice}; --passes {passes} would do"),
                None => advice,
            };
            RunError::HostMemory { events, held, limit, largest, passes, advice }
        }
        Ended::Failed(error) => error,
        Ended::Stopped(at) => describe(&at, prepared),
    })?;
    if let Some(Way::Apart(aside)) = prepared.way.get() {
        lock(aside).end_of_stretch(&extents)?;
    }
    Ok((extents, stages))
}

/// Goes through all keys of a lane that is alone. Gives the trees over them.
fn keys_of(
    prepared: &Prepared<'_>,
    results: &mut Results<'_>,
    stages: &mut Stages,
) -> Result<Tables, RunError> {
    if let Some(mut others) = results.others.take() {
        let tables = others.keys(prepared, results, stages);
        // What a snapshot has of them comes last.
        results.others = Some(others);
        return tables;
    }
    let lane = &prepared.lanes[0];
    let mut tables = Tables::new(lane.recipe.description());
    let guards = lane.lock_shards();
    let shards: Vec<&Shard> = guards.iter().map(|shard| &**shard).collect();
    results.stateless(&shards)?;
    let digest = |finals: &Finals| Ok(tables.add(finals)?);
    let how = (prepared.options.threads(), &prepared.halt);
    finals::all(lane, &shards, how, stages, digest, |finals, stages| {
        stages.time(Stage::Write, || results.keys(finals))
    })?;
    Ok(tables)
}

/// Goes through the keys of one of several passes, for its sink alone.
pub(super) fn derive(
    prepared: &Prepared<'_>,
    sink: &mut dyn Sink,
    stages: &mut Stages,
) -> Result<(), RunError> {
    let lane = &prepared.lanes[0];
    let guards = lane.lock_shards();
    let shards: Vec<&Shard> = guards.iter().map(|shard| &**shard).collect();
    let keys = if sink.takes().places { stateless(&shards) } else { Vec::new() };
    sink.stateless(&keys)?;
    let how = (prepared.options.threads(), &prepared.halt);
    finals::all(
        lane,
        &shards,
        how,
        stages,
        |_| Ok(()),
        |finals, stages| stages.time(Stage::Write, || Ok(sink.keys(finals)?)),
    )
}

impl Prepared<'_> {
    /// How many passes would not hold more than `limit`, judged by what of the log was read; none:
    /// passes do not help. `saves`: a snapshot is saved.
    fn passes(&self, held: &Held, limit: usize, saves: bool) -> Option<usize> {
        let [lane] = &*self.lanes else { return None };
        let read = self.bytes_read.load(Ordering::Relaxed) as f64;
        let share = (read / self.source.bytes() as f64).min(1.0);
        held.passes(limit, share, lane.recipe.portion.of(), saves)
    }

    /// What was read: of each partition how much, of each object what tells it from any other.
    pub(crate) fn input(&self, extents: &[Extent]) -> Result<Input, RunError> {
        // A range without an end of its own may have one at the last event, as far as is known.
        let is_part = self.cuts.limit.is_some() || self.options.to.is_some();
        let within = |(from, extent): (&u64, &Extent)| match is_part {
            true => *from..extent.next,
            false => *from..u64::MAX,
        };
        let within: Vec<_> = self.cuts.from.iter().zip(extents).map(within).collect();
        let mut deletions = self.source.deletions(&within).into_iter();
        let taken = |(name, extent): (&String, &Extent)| PartitionTaken {
            partition: name.clone(),
            events: extent.events,
            first: extent.first,
            last: extent.first.map(|_| extent.next - 1),
            deletions: deletions.next().unwrap_or_default(),
        };
        // Whoever attests to the log attests to all of it.
        let is_outside = |number: usize| {
            !self.options.attest && self.bounds.outside.get(number).copied().unwrap_or_default()
        };
        let read: Vec<bool> = (0..self.names.len()).map(|number| !is_outside(number)).collect();
        let objects = self.source.taken(&read, self.options.threads())?;
        let partitions = self.names.iter().zip(extents).map(taken).collect();
        let reached: Vec<Reached> = extents.iter().map(Extent::reached).collect();
        let findings = self.source.findings(is_part.then_some(&reached));
        Ok(Input { partitions, objects, findings }.sorted())
    }
}
