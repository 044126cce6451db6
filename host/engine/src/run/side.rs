//! One side of a pass: what is asked of it, by which rules it folds, and where it begins.

use super::error::RunError;
use super::halt::Halt;
use super::options::ReplayOptions;
use super::replay::Observer;
use super::results::Results;
use super::resume::{Goes, Resumed};
use crate::job::Resolved;
use crate::ledger::Ledger;
use crate::log::Log;
use crate::range::Bounds;
use crate::sink::Sink;
use retally_core::decode::Plan;
use retally_core::fold::Recipe;
use retally_core::limits::SHARDS;
use retally_core::log::{PartitionIndex, Spot};
use retally_core::manifest::{Entry, Param, Range, Settings};
use retally_core::portion::Portion;
use retally_core::reduce::{Allowance, Quarantine, Reducer, Rules};
use retally_core::schema::Column;
use retally_core::seed::Seed;
use retally_core::snapshot::Binding;
use retally_sandbox::CONTRACT_VERSION;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// One side of a pass, as whoever asks for it gives it.
pub(crate) struct Side<'a> {
    pub reducer: Arc<dyn Reducer>,
    /// Where what comes out goes.
    pub sink: &'a mut dyn Sink,
    /// The reducer's file; none: the one that the job names.
    pub file: Option<PathBuf>,
    /// Which keys.
    pub part: Part,
}

/// Which keys one of several passes folds; by default all.
#[derive(Default)]
pub(crate) struct Part {
    pub portion: Portion,
    /// By which keys are hashed, unless a snapshot says; none: by one that is drawn.
    pub seed: Option<Seed>,
    /// What is held beside this pass, in bytes.
    pub beside: usize,
    /// Where it begins and ends, if another pass found that already.
    pub bounds: Option<Bounds>,
    /// The log, if another pass opened it already.
    pub log: Option<Arc<dyn Log>>,
}

/// What all sides of a pass have in common.
pub(super) struct Common<'a> {
    pub job: &'a Resolved,
    pub options: &'a ReplayOptions,
    pub observer: &'a dyn Observer,
    pub plan: &'a Arc<Plan>,
    pub log: &'a dyn Log,
    pub names: &'a [String],
    pub bounds: &'a Bounds,
    pub ledger: &'a Ledger,
    pub halt: &'a Halt,
    pub seed: Seed,
    pub seeks: bool,
}

impl Common<'_> {
    /// Where a side begins.
    pub(super) fn begin<'s>(
        &self,
        Side { reducer, sink, file, part }: Side<'s>,
        params: Vec<Column>,
    ) -> Result<(Results<'s>, Resumed), RunError> {
        let Self { job, options, plan, log, names, bounds, seeks, .. } = *self;
        let settings = settings(job, (options, bounds), &reducer, &params, self.ledger);
        let rules = rules(&settings, params, names)?;
        let (described, sha256, allowance) =
            (reducer.description(), reducer.digest(), settings.untrusted);
        let binding = Binding::new(described, sha256, CONTRACT_VERSION, settings, job.reads());
        let (folded, portion) = (self.halt.over(reducer.clone()), part.portion);
        let folded = bounded_by(allowance, folded);
        let seed = part.seed.unwrap_or(self.seed);
        let recipe = Recipe { reducer: folded, rules, seed, shards: SHARDS, portion };
        let (of, binds) = (&reducer, &binding);
        let goes =
            Goes { job, options, reducer: of, binding: binds, log, plan, names, bounds, seeks };
        let resumed = goes.begin(recipe, self.observer)?;
        let results = Results::new((sink, file), reducer, binding, (bounds, &resumed));
        results.sink.check()?;
        Ok((results, resumed))
    }
}

/// The reducer, which gives no more than it may.
pub(crate) fn bounded_by(
    allowance: Option<Allowance>,
    reducer: Arc<dyn Reducer>,
) -> Arc<dyn Reducer> {
    match allowance {
        Some(allowance) => allowance.over(reducer),
        None => reducer,
    }
}

/// The rules by which a pass folds.
pub(crate) fn rules(
    settings: &Settings,
    params: Vec<Column>,
    names: &[String],
) -> Result<Rules, RunError> {
    Ok(Rules {
        order: settings.order,
        window: settings.window,
        on_conflict: settings.on_conflict,
        on_trap: settings.on_trap,
        params: Arc::new(params),
        subset: Arc::new(settings.subset()),
        quarantine: quarantine(&settings.ledger, names)?,
    })
}

fn settings(
    job: &Resolved,
    (options, bounds): (&ReplayOptions, &Bounds),
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
    let (sample, range) = (options.sample, bounds.range.clone());
    Settings { keys, sample, range, ..settings_of_all(job, reducer, params, ledger.entries()) }
}

/// The settings of whoever takes all keys of the whole log.
pub(crate) fn settings_of_all(
    job: &Resolved,
    reducer: &Arc<dyn Reducer>,
    params: &[Column],
    ledger: Vec<Entry>,
) -> Settings {
    Settings {
        order: job.order,
        sort: job.sort.clone(),
        window: job.window,
        on_conflict: job.on_conflict,
        on_trap: job.on_trap,
        untrusted: job.allowance(),
        params: Param::all(&reducer.description().params, params, |name| {
            job.params.iter().any(|(set, _)| set == name)
        }),
        keys: None,
        sample: None,
        range: Range::default(),
        ledger,
    }
}

/// The ledger's entries by position.
fn quarantine(entries: &[Entry], names: &[String]) -> Result<BTreeMap<Spot, Quarantine>, RunError> {
    let mut all = BTreeMap::new();
    for entry in entries {
        let Some(number) = names.iter().position(|name| *name == entry.partition) else {
            let lost = format!("partition {} of the ledger is lost", entry.partition);
            return Err(RunError::Internal(lost));
        };
        let about = Quarantine { key: entry.key.clone(), id: entry.id.clone() };
        let spot = Spot { partition: number as PartitionIndex, offset: entry.offset };
        all.insert(spot, about);
    }
    Ok(all)
}
