//! Before the pass: job, reducer, log, ledger and snapshot become what the pipeline needs.
//!
//! Everything that can be refused is refused here, before the first event is read.

use super::commit::Kept;
use super::error::RunError;
use super::lane::Lane;
use super::progress::Observer;
use super::replay::ReplayOptions;
use super::resume::{self, Resumed};
use super::sequence::Cuts;
use crate::job::{self, BoundGates, Every, Resolved};
use crate::ledger::Ledger;
use crate::rundir::RunWriter;
use crate::snapshot::SnapshotRef;
use crate::source::{self, Projection, Source};
use retally_core::decode::Plan;
use retally_core::digest::{OutcomeShape, Outcomes};
use retally_core::log::PartitionIndex;
use retally_core::manifest::{Counts, Entry, FromSnapshot, Param, Range, Settings, Totals};
use retally_core::reduce::{Quarantine, Reducer, Rules, Shard};
use retally_core::schema::Column;
use retally_core::seed::Seed;
use retally_core::shard::SHARDS;
use retally_core::snapshot::{Binding, Reached};
use retally_sandbox::{Sandbox, SandboxConfig};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Everything of a run that is known before the first event is read.
pub(crate) struct Prepared {
    pub dir: PathBuf,
    pub source: Source,
    pub names: Vec<String>,
    pub plan: Arc<Plan>,
    pub lane: Lane<Kept>,
    pub cuts: Cuts,
    pub settings: Settings,
    pub binding: Binding,
    pub from_snapshot: Option<(FromSnapshot, SnapshotRef)>,
    /// Partitions of the history that this log does not have.
    pub beyond: Vec<Reached>,
    pub host_memory_bytes: usize,
    pub gates: BoundGates,
    /// Stored bytes read so far.
    pub bytes_read: AtomicU64,
}

pub(crate) fn prepare(
    job: &Resolved,
    options: &ReplayOptions,
    observer: &dyn Observer,
) -> Result<Prepared, RunError> {
    let reducer = load(job, options)?;
    let description = reducer.description();
    job.check_keys(description)?;
    let params = job::params::columns(description, &job.params)?;
    let gates = job.gates.bind(description)?;
    let plan = Plan::new(&[description], &job.source.addressing)?;
    let source = open(job, options, observer, &plan)?;
    let names = source.partitions();
    let ledger = match &job.ledger {
        Some(path) => Ledger::load(&job.path(path))?,
        None => Ledger::default(),
    };
    let settings = settings(job, options, &reducer, &params, &ledger);
    let binding = Binding::new(
        description,
        reducer.digest(),
        retally_sandbox::CONTRACT_VERSION,
        settings.clone(),
    );
    let rules = rules(&settings, params, &names)?;
    let begun = match &options.from_snapshot {
        Some(url) => resume::load(url, &job.base, &binding, &names, reducer.as_ref(), &rules)?,
        None => beginning(&reducer, &names, &rules)?,
    };
    let dir = run_dir(job, options);
    let history = if begun.snapshot.is_some() { begun.outcomes.save() } else { Vec::new() };
    let writer = RunWriter::create(&dir, reducer.description(), names.clone(), &history)?;
    let kept = Kept {
        outcomes: begun.outcomes,
        counts: Counts::default(),
        totals: Totals::new(&description.emits, &description.view.fields),
        before: begun.counts,
        writer: Some(writer),
    };
    let cuts = cuts(job, options, begun.from);
    let lane = Lane::new(reducer, rules, begun.seed, begun.shards, kept);
    Ok(Prepared {
        dir,
        source,
        names,
        plan: Arc::new(plan),
        lane,
        cuts,
        settings,
        binding,
        from_snapshot: begun.snapshot,
        beyond: begun.beyond,
        host_memory_bytes: host_memory(job),
        gates,
        bytes_read: AtomicU64::new(0),
    })
}

fn rules(settings: &Settings, params: Vec<Column>, names: &[String]) -> Result<Rules, RunError> {
    let keys = settings.keys.as_ref();
    Ok(Rules {
        order: settings.order,
        window: settings.window,
        on_conflict: settings.on_conflict,
        on_trap: settings.on_trap,
        params: Arc::new(params),
        keys: keys.map(|keys| keys.iter().map(|key| key.clone().into_bytes()).collect()),
        quarantine: quarantine(&settings.ledger, names)?,
        trace: false,
    })
}

fn cuts(job: &Resolved, options: &ReplayOptions, from: Vec<u64>) -> Cuts {
    let every = job.snapshots.as_ref().map(|snapshots| snapshots.every);
    let snapshot_every = match every {
        Some(Every::Events(events)) => Some(events),
        Some(Every::End) | None => None,
    };
    let batch_events = options.batch_events.max(1);
    Cuts { batch_events, limit: options.limit, snapshot_every, from }
}

/// The reducer of the job, checked and compiled.
fn load(job: &Resolved, options: &ReplayOptions) -> Result<Arc<dyn Reducer>, RunError> {
    let path = job.path(&job.reducer.path);
    let bytes = std::fs::read(&path)
        .map_err(|error| RunError::ReducerFile { path: path.clone(), error })?;
    let config = SandboxConfig {
        memory: job.limits.memory_bytes as usize,
        deadline: job.limits.deadline,
        cache: options.cache.clone(),
        log: options.log.clone(),
        ..SandboxConfig::default()
    };
    let loaded = Sandbox::new(config)?.load(&bytes);
    let reducer = loaded.map_err(|error| RunError::Reducer { path: path.clone(), error })?;
    match job.reducer.sha256 {
        Some(expected) if expected != reducer.digest() => Err(RunError::OtherReducer {
            path,
            expected: expected.to_string(),
            found: reducer.digest().to_string(),
        }),
        _ => Ok(reducer),
    }
}

fn open(
    job: &Resolved,
    options: &ReplayOptions,
    observer: &dyn Observer,
    plan: &Plan,
) -> Result<Source, RunError> {
    let mut how = source::Options::new(job.source.format);
    how.projection = Projection::Columns(plan.columns());
    how.attest = options.attest;
    let source = Source::open(&job.source.url, &job.base, &how)?;
    for left_out in source.left_out() {
        observer.note(&format!("left out {}: {}", left_out.path, left_out.why));
    }
    Ok(source)
}

fn settings(
    job: &Resolved,
    options: &ReplayOptions,
    reducer: &Arc<dyn Reducer>,
    params: &[Column],
    ledger: &Ledger,
) -> Settings {
    let keys = options.keys.as_ref().map(|keys| {
        let mut keys = keys.clone();
        keys.sort();
        keys.dedup();
        keys
    });
    Settings {
        order: job.order,
        window: job.window,
        on_conflict: job.on_conflict,
        on_trap: job.on_trap,
        params: Param::all(&reducer.description().params, params),
        keys,
        range: Range { limit: options.limit, ..Range::default() },
        ledger: ledger.entries(),
    }
}

/// The ledger's entries by partition number.
fn quarantine(
    entries: &[Entry],
    names: &[String],
) -> Result<BTreeMap<PartitionIndex, BTreeMap<u64, Quarantine>>, RunError> {
    let mut all: BTreeMap<PartitionIndex, BTreeMap<u64, Quarantine>> = BTreeMap::new();
    for entry in entries {
        let Some(number) = names.iter().position(|name| *name == entry.partition) else {
            let known: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
            return Err(RunError::LedgerPartition {
                partition: entry.partition.clone(),
                offset: entry.offset,
                known: known.join(", ") + if names.len() > 5 { ", ..." } else { "" },
            });
        };
        let about = Quarantine { key: entry.key.clone(), id: entry.id.clone() };
        all.entry(number as PartitionIndex).or_default().insert(entry.offset, about);
    }
    Ok(all)
}

/// A history that begins with this run.
fn beginning(
    reducer: &Arc<dyn Reducer>,
    names: &[String],
    rules: &Rules,
) -> Result<Resumed, RunError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| RunError::Internal(format!("no random bytes: {error}")))?;
    Ok(Resumed {
        outcomes: Outcomes::new(OutcomeShape::of(reducer.description()), names),
        counts: Counts::default(),
        seed: Seed(secret),
        shards: (0..SHARDS).map(|number| Shard::new(number, rules)).collect(),
        from: vec![0; names.len()],
        snapshot: None,
        beyond: Vec::new(),
    })
}

fn run_dir(job: &Resolved, options: &ReplayOptions) -> PathBuf {
    match &options.dir {
        Some(dir) => dir.clone(),
        None => super::audit::fresh_dir(&job.path(&job.output), &job.name),
    }
}

/// What states and ids may hold: the job's limit, or three quarters of the machine.
fn host_memory(job: &Resolved) -> usize {
    let machine = || machine_memory().map_or(usize::MAX, |bytes| bytes / 4 * 3);
    job.limits.host_memory_bytes.map_or_else(machine, |bytes| bytes as usize)
}

/// Memory of the machine in bytes, where it can be told.
fn machine_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}
