//! Before live work begins: job, reducer, ledger and snapshots become what every partition needs.

use super::broker::Broker;
use super::error::LiveError;
use super::group::Group;
use super::owned::SHARDS;
use super::publish::Publishes;
use super::status::{Status, Watch};
use super::worker::Worker;
use crate::cancel::Cancel;
use crate::clock::Stopwatch;
use crate::job::{self, Every, Resolved};
use crate::limits::{KAFKA_OPENED_WITHIN, LIVE_SNAPSHOT_EVERY};
use crate::run::{
    self, Check, ReplayOptions, RunError, Silent, bounded_by, check, host_bytes, kafka, ledger,
    plan, reads_of, rules, seed, settings_of_all,
};
use crate::store::{Folder, Scheme};
use retally_core::decode::Plan;
use retally_core::fold::{Fold, Recipe};
use retally_core::log::{Order, Position};
use retally_core::manifest::Entry;
use retally_core::portion::Portion;
use retally_core::reduce::Reducer;
use retally_core::schema::{Column, Description};
use retally_core::seed::Seed;
use retally_core::snapshot::Binding;
use retally_sandbox::{CONTRACT_VERSION, CompilerProcess};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How live work is done, beyond what the job says. Nothing here decides a result.
#[derive(Clone, Default)]
pub struct LiveOptions {
    /// Asks the worker to finish: what is under way commits, snapshots are saved, the group is
    /// left.
    pub cancel: Cancel,
    /// Folder of compiled reducers; none: each is compiled anew.
    pub cache: Option<PathBuf>,
    /// Another process in which a reducer is compiled that the job does not trust; none: such a job
    /// is refused.
    pub compiler_process: Option<CompilerProcess>,
    /// Takes a committed mark that differs from what was come to, and goes on from there: a person
    /// decided so. It is told.
    pub accept: bool,
    /// Works up to where each partition ends now, and finishes then.
    pub until_end: bool,
    /// Takes over what another version of the reducer committed, as this one's `migrate` says.
    pub migrate: bool,
    /// Then of so many keys of each partition the view is held against that of a replay.
    pub check_migrated: u64,
    /// What the partitions may hold beside instances of the reducer, in bytes, unless the job says
    /// it; none: as much as it takes.
    pub host_memory_bytes: Option<u64>,
}

impl LiveOptions {
    /// How the reducer is loaded.
    fn loading(&self) -> ReplayOptions {
        ReplayOptions {
            cache: self.cache.clone(),
            compiler_process: self.compiler_process.clone(),
            cancel: self.cancel.clone(),
            ..ReplayOptions::default()
        }
    }
}

/// What all partitions have in common.
pub(crate) struct Setup {
    pub(super) plan: Arc<Plan>,
    pub(crate) publishes: Publishes,
    /// Folder of the job's live snapshots; none: none are saved.
    pub(super) snapshots: Option<Folder>,
    /// After so many events a partition's snapshot is saved, whatever the time.
    pub(super) every_events: Option<u64>,
    /// And after so much time.
    pub(super) every: Duration,
    pub(super) interval: Duration,
    pub(super) accept: bool,
    pub(super) migrate: bool,
    check_migrated: u64,
    /// How many partitions the topic had when the worker began.
    pub(super) partitions: u32,
    /// What a worker may hold, in bytes.
    pub(super) memory: usize,
    cancel: Cancel,
    job: Resolved,
    reducer: Arc<dyn Reducer>,
    params: Vec<Column>,
    ledger: Vec<Entry>,
    seed: Seed,
}

impl Setup {
    /// Refuses everything that can be refused before the first event. `names`: of the topic's
    /// partitions.
    pub(crate) fn new(
        job: &Resolved,
        reducer: Arc<dyn Reducer>,
        names: &[String],
        options: &LiveOptions,
    ) -> Result<Self, LiveError> {
        if job.order != Order::Log {
            return Err(LiveError::Job(
                "live work takes each partition by itself: write order = \"log\" in [job]".into(),
            ));
        }
        let description = reducer.description();
        job.check_keys(description).map_err(RunError::from)?;
        let params = job::params::columns(&[description], &job.params).map_err(RunError::from)?;
        let params = params.into_iter().next().unwrap_or_default();
        let snapshots = job.snapshots.as_ref().map(|snapshots| {
            let url = format!("{}/live/{}", snapshots.url.trim_end_matches('/'), job.name);
            Folder::open(&url, job.urls()).map_err(RunError::from)
        });
        let every = job.snapshots.as_ref().map(|snapshots| snapshots.every);
        Ok(Self {
            plan: Arc::new(plan(job, &[description])?),
            publishes: Publishes::new(&job.publish, description),
            snapshots: snapshots.transpose()?,
            every_events: match every {
                Some(Every::Events(events)) => Some(events),
                Some(Every::End) | None => None,
            },
            every: LIVE_SNAPSHOT_EVERY,
            interval: job.live.interval,
            accept: options.accept,
            migrate: options.migrate,
            check_migrated: options.check_migrated,
            partitions: names.len() as u32,
            memory: host_bytes(job, options.host_memory_bytes),
            cancel: options.cancel.clone(),
            ledger: ledger(job, names)?.entries(),
            seed: seed()?,
            job: job.clone(),
            params,
            reducer,
        })
    }

    /// What the reducer declares.
    pub(crate) fn description(&self) -> &Description {
        self.reducer.description()
    }

    /// By which rules a partition is folded, and what binds its snapshots.
    pub(crate) fn of_partition(&self, name: &str) -> Result<(Recipe, Binding), LiveError> {
        let own = self.ledger.iter().filter(|entry| entry.partition == name).cloned().collect();
        let settings = settings_of_all(&self.job, &self.reducer, &self.params, own);
        let rules = rules(&settings, self.params.clone(), &[name.to_owned()])?;
        let (described, sha256) = (self.reducer.description(), self.reducer.digest());
        let reducer = bounded_by(settings.untrusted, self.reducer.clone());
        let mut reads = self.job.reads();
        // It says where files of an archive lie, and nothing of the topic.
        reads.remove("source.layout");
        let binding = Binding::new(described, sha256, CONTRACT_VERSION, settings, reads);
        let (seed, portion) = (self.seed, Portion::default());
        Ok((Recipe { reducer, rules, seed, shards: SHARDS, portion }, binding))
    }

    /// The states of which versions the reducer can take over.
    pub(super) fn migrates(&self) -> &[u32] {
        &self.reducer.description().state.migrates
    }

    /// Holds states that were taken over against a replay of the topic up to a position. Gives of
    /// how many keys.
    pub(super) fn check_migrated(&self, fold: &Fold, at: &Position) -> Result<u64, RunError> {
        let check_migrated = self.check_migrated;
        let cancel = self.cancel.clone();
        let options = ReplayOptions { check_migrated, cancel, ..ReplayOptions::default() };
        let (names, job, reducer) = (names(self.partitions), &self.job, &self.reducer);
        let of = Check { job, reducer, partitions: &names, options: &options };
        check(&of, fold, std::slice::from_ref(at), &Silent)
    }
}

/// What the partitions of a topic are called.
fn names(partitions: u32) -> Vec<String> {
    (0..partitions).map(|number| number.to_string()).collect()
}

/// The URL of the topic that a job reads; none: it reads no topic.
pub(crate) fn topic_of(job: &Resolved) -> Option<&str> {
    // Of an archive and its topic the topic is where things happen.
    let all = [Some(&job.source.url), job.source.topic.as_ref()];
    let mut all = all.into_iter().flatten().map(String::as_str);
    all.find(|url| Scheme::of(url) == Scheme::Kafka)
}

/// The group of consumers that works on a job.
pub(crate) fn group_of(job: &Resolved) -> &str {
    job.live.group.as_deref().unwrap_or(&job.name)
}

/// Works until it is asked to finish.
///
/// # Errors
/// What can be refused is refused before anything is read; later a broker that lets nobody in any
/// more, or that is away when the worker is to finish. A partition that cannot go on stops alone,
/// and is told.
pub fn run(job: &Resolved, options: &LiveOptions, watch: &dyn Watch) -> Result<(), LiveError> {
    let Some(url) = topic_of(job) else {
        return Err(LiveError::Job(format!(
            "live work reads a topic, and [source] url is `{}`: write `kafka://HOST:PORT/TOPIC`, \
             or use `retally replay`",
            job.source.url
        )));
    };
    let reducer = match run::load(job, &options.loading()) {
        Err(RunError::Cancelled) => return Ok(()),
        loaded => loaded?,
    };
    let reads = reads_of(job, &plan(job, &[reducer.description()])?, &options.cancel)?;
    let mut group = Group::join(job, url, (&kafka(job)?, reads), &options.cancel)?;
    let Some(partitions) = arrived(&mut group, options, watch)? else { return Ok(()) };
    let setup = Setup::new(job, reducer, &names(partitions), options)?;
    let publishes = group.publishes_to(&setup.publishes.topics());
    if options.cancel.is_cancelled() {
        return Ok(());
    }
    publishes?;
    let mut worker = Worker::new(setup, group, watch);
    worker.until_end = options.until_end;
    let (clock, mut asked) = (Stopwatch::start(), None);
    loop {
        if options.cancel.is_cancelled() {
            worker.finish();
        }
        if worker.is_finishing {
            worker.gives_up(asked.get_or_insert_with(Stopwatch::start).elapsed())?;
        }
        if worker.step(clock.elapsed())? {
            return Ok(());
        }
    }
}

/// How many partitions the topic has, once brokers answer. They are waited for, but not for long by
/// who works up to the end. None: it was asked to finish before.
fn arrived(
    group: &mut Group,
    options: &LiveOptions,
    watch: &dyn Watch,
) -> Result<Option<u32>, LiveError> {
    let (clock, mut status) = (Stopwatch::start(), Status::default());
    while !options.cancel.is_cancelled() {
        let why = match group.partitions() {
            Err(LiveError::Broker(error)) if !error.is_usage() => error,
            Err(error) => return Err(error),
            Ok(partitions) => {
                status.away.is_some().then(|| watch.note("brokers answer"));
                return Ok(Some(partitions));
            }
        };
        if options.until_end && clock.elapsed() >= KAFKA_OPENED_WITHIN {
            return Err(why.into());
        }
        if status.away.is_none() {
            watch.note(&format!("{why}; waits for them"));
        }
        status.away = Some(why.to_string());
        watch.status(&status);
    }
    Ok(None)
}
