//! Before the pass: job, reducer, log, ledger and snapshot become what the pipeline needs.
//!
//! Everything that can be refused is refused here, before the first event is read and before
//! anything is made.

use super::aside::Way;
use super::besides;
use super::ends::known_ends;
use super::error::RunError;
use super::halt::Halt;
use super::lane::{DETAIL_BYTES, Lane, Lanes, Pair};
use super::memory::Memory;
use super::options::ReplayOptions;
use super::replay::Observer;
use super::results::Results;
use super::sequence::Cuts;
use super::side::{Common, Side};
use super::sorting::{Sorting, sorted_bytes};
use super::topic::topic;
use crate::clock::Stopwatch;
use crate::job::{self, Every, Resolved};
use crate::kafka::ContinuedLog;
use crate::ledger::Ledger;
use crate::limits::MERGED_PARTITIONS_MAX;
use crate::log::{End, Log, LogError};
use crate::range::{Asked, Bound, Bounds, Of};
use crate::source::{self, Format, Source};
use crate::store::Scheme;
use retally_compare::pair::Shared;
use retally_core::decode::Plan;
use retally_core::listed::listed;
use retally_core::log::{Micros, NEVER, Order};
use retally_core::receipt::{News, Receipt};
use retally_core::schema::Description;
use retally_core::seed::Seed;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

/// Everything of a run that is known before the first event is read.
pub(crate) struct Prepared<'a> {
    pub job: &'a Resolved,
    pub options: &'a ReplayOptions,
    pub observer: &'a dyn Observer,
    pub watch: Stopwatch,
    pub source: Arc<dyn Log>,
    /// Where events come from and go beside, if not from the log alone.
    pub way: OnceLock<Way>,
    /// The log with what the run does not read of it.
    pub whole: Arc<dyn Log>,
    pub names: Vec<String>,
    /// What of the log the snapshot did not take, from which the run goes on.
    pub news: Option<News>,
    pub plan: Arc<Plan>,
    /// A replay has one, a comparison two.
    pub lanes: Lanes,
    /// Where it begins and ends.
    pub bounds: Bounds,
    /// What is replayed in front of it for the state that it leaves.
    pub before: Option<Cuts>,
    pub cuts: Cuts,
    pub memory: Memory,
    /// Ends what still runs when the run is over.
    pub halt: Halt,
    /// Stored bytes read so far.
    pub bytes_read: AtomicU64,
}

/// Prepares one side, or two side by side: then `shared` says what they have in common. Everything
/// that can be refused is refused here, and nothing is made.
pub(crate) fn prepare<'a, 's>(
    job: &'a Resolved,
    sides: Vec<Side<'s>>,
    shared: Option<Shared>,
    options: &'a ReplayOptions,
    observer: &'a dyn Observer,
) -> Result<(Prepared<'a>, Vec<Results<'s>>), RunError> {
    let watch = Stopwatch::start();
    let descriptions: Vec<&Description> = sides.iter().map(|s| s.reducer.description()).collect();
    descriptions.iter().try_for_each(|description| job.check_keys(description))?;
    let params = job::params::columns(&descriptions, &job.params)?;
    let readers = readers(&descriptions, shared.as_ref());
    let plan = Arc::new(plan(job, readers)?);
    let pair = pair(shared, &descriptions);
    let source = opened(&sides, || open(job, options, observer, &plan))?;
    let names = source.names();
    mergeable(job, &names)?;
    let log = (source.as_ref(), names.as_slice(), saves(&sides));
    let find = || bounds(job, log, readers, options, observer);
    let bounds = sides.first().and_then(|side| side.part.bounds.clone()).map_or_else(find, Ok)?;
    let (ledger, halt) = (ledger(job, &names)?, Halt::new(options.cancel.clone()));
    let seeks = sides.len() == 1 && !is_repeated(options);
    let common = Common {
        job,
        options,
        observer,
        plan: &plan,
        log: source.as_ref(),
        names: &names,
        bounds: &bounds,
        ledger: &ledger,
        halt: &halt,
        seed: seed()?,
        seeks,
    };
    let mut begins = (vec![0; names.len()], vec![NEVER; names.len()]);
    let (mut lanes, mut all, mut news, mut kept) = (Vec::new(), Vec::new(), None, Vec::new());
    let mut beside = sorted_bytes(job, options);
    for (side, params) in sides.into_iter().zip(params) {
        beside += side.part.beside;
        let (results, resumed) = common.begin(side, params)?;
        begins = (resumed.next, resumed.highest);
        (news, kept) = (resumed.from.news, resumed.kept);
        lanes.push(Lane::new(resumed.fold, resumed.past));
        all.push(results);
    }
    let commits = all.iter().any(|results| results.takes.commits);
    let (before, cuts) = cuts(job, options, &bounds, begins, commits);
    let prepared = Prepared {
        job,
        options,
        observer,
        watch,
        source: behind(source.clone(), lanes.len(), options, &kept),
        way: OnceLock::new(),
        whole: source,
        news,
        plan,
        lanes: Lanes::new(lanes, pair)?,
        bounds,
        before,
        cuts,
        memory: memory(job, options, beside, names.len()),
        names,
        halt,
        bytes_read: AtomicU64::new(0),
    };
    Ok((prepared, all))
}

/// The log, which another pass may have opened already.
fn opened(
    sides: &[Side<'_>],
    open: impl FnOnce() -> Result<Arc<dyn Log>, RunError>,
) -> Result<Arc<dyn Log>, RunError> {
    sides.first().and_then(|side| side.part.log.clone()).map_or_else(open, Ok)
}

/// Whoever repeats a run says from which snapshot it went on.
fn is_repeated(options: &ReplayOptions) -> bool {
    matches!(options.from, Some(Bound::Repeated(..)))
}

/// Whether a snapshot is saved.
fn saves(sides: &[Side<'_>]) -> bool {
    sides.iter().any(|side| side.sink.takes().commits)
}

/// What is read of each event.
pub(crate) fn plan(job: &Resolved, readers: &[&Description]) -> Result<Plan, RunError> {
    let addressing = &job.source.addressing;
    let plan = match job.source.format {
        Format::Raw => Plan::of_bytes(readers, addressing)?,
        Format::Json | Format::Parquet | Format::Avro => Plan::new(readers, addressing)?,
    };
    Ok(plan.with_clock(job.order == Order::Time))
}

/// What people decided about events of the log.
pub(crate) fn ledger(job: &Resolved, names: &[String]) -> Result<Ledger, RunError> {
    let ledger = job.ledger.as_ref().map(|path| Ledger::load(&job.path(path)));
    Ok(ledger.transpose()?.unwrap_or_default().of_log(names)?)
}

fn pair(shared: Option<Shared>, descriptions: &[&Description]) -> Option<Pair> {
    let [a, b] = descriptions else { return None };
    shared.map(|shared| Pair::new(a, b, shared, DETAIL_BYTES))
}

/// Those of reducers that read events: lanes that read them alike share one reader.
fn readers<'d, 'a>(
    descriptions: &'d [&'a Description],
    shared: Option<&Shared>,
) -> &'d [&'a Description] {
    match shared {
        Some(shared) if shared.is_twin() => &descriptions[..1],
        _ => descriptions,
    }
}

/// Where outputs begin and end.
pub(super) fn bounds(
    job: &Resolved,
    (log, names, saves): (&dyn Log, &[String], bool),
    readers: &[&Description],
    options: &ReplayOptions,
    observer: &dyn Observer,
) -> Result<Bounds, RunError> {
    let of = Of {
        log,
        names,
        order: job.order,
        readers,
        addressing: &job.source.addressing,
        of_bytes: job.source.format == Format::Raw,
        threads: options.threads(),
        cancel: &options.cancel,
    };
    let (from, to) = (options.from.as_ref(), options.to.as_ref());
    for bound in [from, to].into_iter().flatten().filter(|bound| bound.is_time()) {
        observer.note(&format!("reads the times of the log to turn {bound} into positions"));
    }
    let bounds = of.bounds(&Asked {
        from,
        to,
        limit: options.limit,
        empty_state: options.empty_state,
        goes_on: options.resume || options.from_snapshot.is_some(),
        saves,
        ends: &|| known_ends(job, (log, names), options),
    })?;
    bounds.notes.iter().for_each(|note| observer.note(note));
    Ok(bounds)
}

/// The log without what is in a snapshot and was found to be there still.
fn behind(
    log: Arc<dyn Log>,
    lanes: usize,
    options: &ReplayOptions,
    kept: &[Receipt],
) -> Arc<dyn Log> {
    // To count up to a limit all events are wanted; two sides may begin at two places.
    let behind = lanes == 1 && options.limit.is_none() && !kept.is_empty();
    let behind = if behind { log.behind(kept) } else { None };
    behind.unwrap_or(log)
}

/// How the log is cut: what is replayed in front of a range, and the range, or the whole.
fn cuts(
    job: &Resolved,
    options: &ReplayOptions,
    bounds: &Bounds,
    (begins, highest): (Vec<u64>, Vec<Micros>),
    commits: bool,
) -> (Option<Cuts>, Cuts) {
    let every = job.snapshots.as_ref().map(|snapshots| snapshots.every);
    let snapshot_every = match every {
        Some(Every::Events(events)) if commits => Some(events),
        Some(Every::Events(_) | Every::End) | None => None,
    };
    let batch_events = options.batch_events.max(1);
    let from = bounds.from.clone().unwrap_or_else(|| begins.clone());
    let order = job.order;
    let before = bounds.replays().then(|| Cuts {
        batch_events,
        to: bounds.from.clone(),
        from: begins,
        order,
        highest: highest.clone(),
        ..Cuts::default()
    });
    let (limit, to) = (options.limit, bounds.to.clone());
    let as_they_come = options.as_they_come;
    let cuts = Cuts { batch_events, limit, to, snapshot_every, from, order, as_they_come, highest };
    (before, cuts)
}

pub(super) fn open(
    job: &Resolved,
    options: &ReplayOptions,
    observer: &dyn Observer,
    plan: &Arc<Plan>,
) -> Result<Arc<dyn Log>, RunError> {
    let sorting = Sorting::new(job, options, plan)?;
    let asked = besides::asked(plan, sorting.as_ref());
    if let Some(log) = &options.input {
        besides::check(&asked, job, log.as_ref())?;
        let log = ends(job, log.clone())?;
        return sorting.map_or(Ok(log.clone()), |sorting| sorting.over(log));
    }
    if Scheme::of(&job.source.url) == Scheme::Kafka {
        let beside = asked.into_iter().map(|(beside, _)| beside.clone()).collect();
        let (log, _) = topic(job, &job.source.url, plan, (beside, &options.cancel))?;
        return ends(job, log);
    }
    let mut how = source::Options::new(job.source.format);
    // What is held against the records of a topic is whole.
    how.columns = job.source.topic.is_none().then(|| plan.columns());
    how.attest = options.attest;
    (how.chunk_bytes, how.split_bytes) = (options.chunk_bytes, options.split_bytes);
    how.folders = plan.folders().iter().map(|(name, _)| (*name).to_owned()).collect();
    how.time_folder = plan.time_folder();
    if let Some(sorting) = &sorting {
        how.columns = Some(sorting.columns(plan));
        how.folders = sorting.folders();
    }
    how.layout = job.source.layout.clone().map(Arc::new);
    let source = Source::open(&job.source.url, job.urls(), &how)?;
    besides::check(&asked, job, &source)?;
    for left_out in source.left_out() {
        observer.note(&format!("left out {}: {}", left_out.path, left_out.why));
    }
    folders(plan, &source, observer)?;
    columns(plan, &source, observer)?;
    if let Some(url) = &job.source.topic {
        joinable(job)?;
        // The archive was listed before the topic is asked where it ends.
        let (topic, name) = topic(job, url, plan, (Vec::new(), &options.cancel))?;
        let topic = ends(job, topic)?;
        return Ok(Arc::new(ContinuedLog::over(Arc::new(source), topic, &name)?));
    }
    let Some(sorting) = sorting else { return Ok(Arc::new(source)) };
    sorting.there(&source, observer)?;
    sorting.over(Arc::new(source))
}

/// What an archive and its topic both have is compared as what it says, which bytes do not tell,
/// and the records of a topic are no Parquet.
fn joinable(job: &Resolved) -> Result<(), RunError> {
    match job.source.format {
        Format::Json | Format::Avro => Ok(()),
        Format::Parquet | Format::Raw => Err(RunError::Log(LogError::usage(
            "an archive and its topic are one log where both are JSON or both Avro: write format = \
             \"json\" or \"avro\" in [source], or name one of the two",
        ))),
    }
}

/// Columns that a message names.
const COLUMNS_SHOWN: usize = 30;

/// Refuses a log in whose paths a value is nowhere that every event needs; that some files lack it,
/// or all of them one that a field reads, may be meant, and is told.
fn folders(plan: &Plan, source: &Source, observer: &dyn Observer) -> Result<(), RunError> {
    let files = source.objects().len();
    for ((name, needed), count) in plan.folders().into_iter().zip(source.folders()) {
        match (count, needed) {
            (0, Some(what)) => {
                return Err(RunError::Log(LogError::usage(format!(
                    "no file of the log lies in a folder `{name}=`, where {what} is read \
                     (@path:{name}), and no `{{{name}}}` of a layout gives it: say in [source] \
                     where {what} lies, or in `layout` where its value stands"
                ))));
            }
            (count, _) if count < files => observer.note(&format!(
                "{} of {files} files lie in no folder `{name}=`: none of their events has anything \
                 at @path:{name}",
                files - count
            )),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a table without a column that every event needs; that some of its files lack it, or all
/// of them a field, may be meant, and is told.
fn columns(plan: &Plan, source: &Source, observer: &dyn Observer) -> Result<(), RunError> {
    let (known, files) = (source.columns(), source.objects().len());
    if known.is_empty() {
        return Ok(());
    }
    for (what, path, column) in plan.needed() {
        match known.get(column).copied().unwrap_or_default() {
            0 => {
                let there = known.keys().map(|name| format!("`{name}`"));
                let there = listed(there, COLUMNS_SHOWN, ", ");
                return Err(RunError::Log(LogError::usage(format!(
                    "no file of the log has a column `{column}`, where {what} is read ({path}): \
                     its columns are {there}; say in [source] where {what} lies"
                ))));
            }
            count if count < files => observer.note(&format!(
                "{} of {files} files have no column `{column}`, where {what} is read: all of their \
                 rows are malformed",
                files - count
            )),
            _ => {}
        }
    }
    for (what, columns) in plan.wanted() {
        if columns.iter().any(|column| known.contains_key(*column)) {
            continue;
        }
        let columns: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
        observer.note(&format!(
            "no file of the log has a column {}, {what}: no event has anything there",
            columns.join(" or ")
        ));
    }
    Ok(())
}

/// Refuses partitions without an end where somebody would wait for it.
fn ends(job: &Resolved, log: Arc<dyn Log>) -> Result<Arc<dyn Log>, RunError> {
    let why = match job.order {
        Order::Log => return Ok(log),
        Order::Path => "order = \"path\" goes through partitions one after another",
        Order::Sort => "what is sorted has to be whole",
        Order::Time => {
            "order = \"time\" takes no event before it knows the next one of every partition"
        }
    };
    match log.partitions().iter().find(|partition| partition.end == End::Open) {
        Some(open) => Err(RunError::Log(LogError::usage(format!(
            "partition {} has no end, and {why}; write order = \"log\" in [job]",
            open.name
        )))),
        None => Ok(log),
    }
}

/// Refuses more partitions than can be merged by time.
fn mergeable(job: &Resolved, names: &[String]) -> Result<(), RunError> {
    if job.order != Order::Time || names.len() <= MERGED_PARTITIONS_MAX {
        return Ok(());
    }
    Err(RunError::Log(LogError::usage(format!(
        "the log has {} partitions, and order = \"time\" merges at most {MERGED_PARTITIONS_MAX}, \
         because it holds the next events of each; where the names of files follow their times \
         write order = \"path\" in [job], else put events of several files into one",
        names.len()
    ))))
}

/// The secret of a history that begins with this run.
pub(crate) fn seed() -> Result<Seed, RunError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| RunError::Internal(format!("no random bytes: {error}")))?;
    Ok(Seed(secret))
}

/// What a run may hold, the job's limit or that of whoever runs it, without what is held beside it.
fn memory(job: &Resolved, options: &ReplayOptions, beside: usize, partitions: usize) -> Memory {
    let bytes = host_bytes(job, options.host_memory_bytes).saturating_sub(beside);
    Memory::new(bytes, job.window, partitions)
}

/// What a run may hold in all.
pub(crate) fn host_bytes(job: &Resolved, unless_said: Option<u64>) -> usize {
    let bytes = job.limits.host_memory_bytes.or(unless_said);
    bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}
