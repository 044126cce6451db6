//! Two reducers side by side in one pass over the log: what each comes to is what a replay of it
//! alone comes to, and what differs between them is found on the way.
//!
//! ```text
//! prepare (two lanes, one log) --> pass: fold both, find where keys part, tally every batch
//!                              --> keys of both sides, joined in byte order --> tally
//!                              --> manifests of both sides, the comparison
//! ```
//!
//! The steps of a lane are those of a [`replay`](super::replay()); here is what two lanes take
//! beside.

use super::audit;
use super::commit::Committer;
use super::error::RunError;
use super::firsts::{Firsts, outcome_words, rejects};
use super::join::join;
use super::load::load_file;
use super::misread;
use super::notes::Kept;
use super::options::ReplayOptions;
use super::prepare::{Prepared, prepare};
use super::replay::{Observer, pass};
use super::side::{Part, Side};
use super::stages::Stage;
use crate::compare::{
    CompareError, CompareOptions, Gated, NO_COMMON_KEY, head, lone_params, misread, refusals,
    refuse, sides,
};
use crate::job::Resolved;
use crate::sink::{End, RunDir, Sink};
use crate::store::Folder;
use retally_compare::model::{Comparison, FirstDivergence, How, Note, NoteCode, Read};
use retally_compare::pair::Shared;
use retally_compare::sink::DifferenceSink;
use retally_compare::{Declared, Options, Plan, Tally, Words, limits};
use retally_core::digest::Tables;
use retally_core::manifest::Manifest;
use retally_core::reduce::Reducer;
use retally_core::schema::Description;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How two reducers are compared.
#[derive(Clone, Default)]
pub struct PassOptions {
    /// How the log is gone through. Of it `dir`, `snapshot` and `from_snapshot` are of no meaning
    /// here: a comparison begins at the beginning and leaves no history.
    pub replay: ReplayOptions,
    /// What is compared and how much of it is shown.
    pub compare: CompareOptions,
    /// Where the run directory of each side shall lie; none: it is not written.
    pub dirs: [Option<Folder>; 2],
    /// The file of each reducer, to repeat its run by; none: the one that the job names.
    pub files: [Option<PathBuf>; 2],
    /// The words of the command that explains a key under both reducers, up to where the key
    /// stands.
    pub explain: Vec<String>,
}

/// What a comparison in one pass came to.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What differs.
    pub comparison: Comparison,
    /// Of each side the manifest that a replay of it alone would have written (`control` is empty
    /// if there is no run directory).
    pub manifests: [Manifest; 2],
    /// Time that it took, in seconds.
    pub seconds: f64,
    /// Stages and the time spent in each, in seconds, summed over threads.
    pub stages: Vec<(&'static str, f64)>,
}

/// Compares the reducers in two files; every difference of the views goes to `sink` as well.
pub fn compare_files(
    job: &Resolved,
    (a, b): (&Path, &Path),
    options: &PassOptions,
    observer: &dyn Observer,
    sink: &mut dyn DifferenceSink,
) -> Result<Compared, RunError> {
    let options =
        PassOptions { files: [Some(a.to_path_buf()), Some(b.to_path_buf())], ..options.clone() };
    let a = load_file(job, a, &options.replay)?;
    let b = load_file(job, b, &options.replay)?;
    compare(job, [a, b], &options, observer, sink)
}

/// Compares two reducers; every difference of the views goes to `sink` as well.
pub fn compare(
    job: &Resolved,
    reducers: [Arc<dyn Reducer>; 2],
    options: &PassOptions,
    observer: &dyn Observer,
    sink: &mut dyn DifferenceSink,
) -> Result<Compared, RunError> {
    let [a, b] = [0, 1].map(|side: usize| reducers[side].description().clone());
    let mut notes = Vec::new();
    if a.name != b.name {
        let text = format!("they are two reducers, `{}` and `{}`", a.name, b.name);
        refuse(&[text], options.compare.force, &mut notes)?;
    }
    let plan = plan(&a, &b, &options.compare.options)?;
    let shared = Shared::new(&a, &b, &plan);
    let mut replay = options.replay.clone();
    replay.resume = false;
    (replay.from_snapshot, replay.snapshot) = (None, None);
    // A side without a run directory has no sink in its list.
    let mut dirs = options.dirs.clone().map(|dir| {
        let dir = dir.map(RunDir::new);
        dir.map(|dir| dir.replacing(options.replay.replace))
    });
    let mut sinks = dirs
        .each_mut()
        .map(|dir| dir.iter_mut().map(|dir| -> &mut dyn Sink { dir }).collect::<Vec<_>>());
    let given = reducers.into_iter().zip(&mut sinks).zip(options.files.clone());
    let sides = given
        .map(|((reducer, sink), file)| Side { reducer, sink, file, part: Part::default() })
        .collect();
    let told = Kept::new(observer);
    let (prepared, results) = prepare(job, sides, Some(shared), &replay, &told)?;
    notes.extend(told.notes().into_iter().map(|text| Note::new(NoteCode::Other, text)));
    let gated = Gated::begin(options.compare.gate.as_ref(), &plan).map_err(CompareError::from)?;
    let mut tally = Tally::new(plan.clone());
    tally.look_at_outcomes(rejects(&prepared));
    let mut committer = Committer::new(&prepared, results, Some(tally));
    let pass = Pass { prepared: &prepared, how: &options.compare, plan };
    let compared = pass.run(notes, &mut committer, gated, sink);
    let mut compared = compared.inspect_err(|_| committer.abandon())?;
    compared.comparison.explain = options.explain.clone();
    Ok(compared)
}

/// What of two reducers can be compared.
pub(super) fn plan(a: &Description, b: &Description, options: &Options) -> Result<Plan, RunError> {
    let [a, b] = [a, b].map(|of| Declared { view: &of.view, emits: &of.emits });
    Ok(Plan::new(a, b, options).map_err(CompareError::from)?)
}

/// A pass that is prepared.
struct Pass<'a> {
    prepared: &'a Prepared<'a>,
    how: &'a CompareOptions,
    plan: Plan,
}

impl Pass<'_> {
    fn run(
        &self,
        mut notes: Vec<Note>,
        committer: &mut Committer<'_>,
        mut gated: Gated,
        sink: &mut dyn DifferenceSink,
    ) -> Result<Compared, RunError> {
        let prepared = self.prepared;
        let (extents, mut stages) = pass(prepared, committer)?;
        let read = misread::notes(&prepared.lanes, &prepared.names, prepared.job);
        notes.extend(read.into_iter().map(|text| Note::new(NoteCode::Misread, text)));
        let absent = misread::absent(&prepared.lanes, prepared.options.keys.as_ref(), None);
        let tally = committer.tally();
        let (Some(mut tally), Some([a, b])) = (tally, committer.both()) else {
            return Err(RunError::Internal("a comparison without two sides".into()));
        };
        if let Some(pair) = prepared.lanes.pair() {
            pair.settle();
        }
        let described = |side: usize| prepared.lanes[side].recipe.description();
        let mut tables = [0, 1].map(|side| Tables::new(described(side)));
        let sides = (&mut tables, [&mut *a, &mut *b]);
        let mut sink = gated.before(sink, &self.plan).map_err(CompareError::from)?;
        let joined = join(prepared, sides, &mut tally, &mut stages, &mut sink)?;
        let input = stages.time(Stage::Read, || prepared.input(&extents))?;
        let trees = tables.map(Tables::finish);
        // What would be refused is refused before a run directory is complete.
        let job = prepared.job;
        let manifests = [a.manifest(&trees[0], job, &input)?, b.manifest(&trees[1], job, &input)?];
        let mut found = refusals(&manifests[0], &manifests[1]);
        match absent {
            Some(absent) if absent.is_all => found.insert(0, absent.note),
            Some(absent) => notes.push(Note::new(NoteCode::Other, absent.note)),
            None => {}
        }
        found.retain(|text| !notes.iter().any(|note| note.text.contains(text.as_str())));
        if joined.common == 0 && joined.keys.iter().all(|&keys| keys > 0) {
            found.push(NO_COMMON_KEY.to_owned());
        }
        refuse(&found, self.how.force, &mut notes)?;
        for (side, results) in [a, b].into_iter().enumerate() {
            let (trees, manifest) = (&trees[side], &manifests[side]);
            let audit = audit::text(prepared, side, manifest, (&[], &[]), &stages);
            results.sink.end(&End { trees, manifest, audit: &audit })?;
        }
        let mut comparison = self.comparison(notes, tally, &manifests);
        gated.conclude(&mut comparison, &self.plan);
        Ok(Compared {
            comparison,
            manifests,
            seconds: prepared.watch.elapsed().as_secs_f64(),
            stages: stages.seconds(),
        })
    }

    fn comparison(
        &self,
        mut notes: Vec<Note>,
        tally: Tally,
        manifests: &[Manifest; 2],
    ) -> Comparison {
        let [a, b] = manifests;
        notes.extend(lone_params(a, b));
        notes.extend(misread(&[a, b]));
        let inputs = self.prepared.lanes.pair().map(|pair| pair.shared.inputs());
        let words = Words {
            inputs: inputs.unwrap_or_default().iter().take(limits::FACTS_MAX).cloned().collect(),
            outcomes: outcome_words(),
            outcome_keys: None,
            span: self.span(),
            not_looked: Vec::new(),
        };
        let mut without = 0;
        let mut told = BTreeMap::new();
        {
            let guards = [0, 1].map(|side: usize| self.prepared.lanes[side].lock_shards());
            let shards =
                [0, 1].map(|side: usize| guards[side].iter().map(|s| &**s).collect::<Vec<_>>());
            if let Some(firsts) = Firsts::new(self.prepared) {
                for key in tally.shown() {
                    let (first, whole) = firsts.event([&shards[0], &shards[1]], &key);
                    without += u64::from(!whole);
                    told.insert(key, first);
                }
            }
        }
        if without > 0 {
            let text = format!(
                "of {without} of the keys shown, what was emitted and viewed at their first \
                 diverging event was not kept: `retally explain` shows it"
            );
            notes.push(Note::new(NoteCode::Bounded, text));
        }
        let read = Read {
            bytes_read: self.prepared.bytes_read.load(Ordering::Relaxed),
            bytes_total: self.prepared.source.bytes(),
            checked: true,
            ..Read::default()
        };
        let sides = sides([a, b], [None, None]);
        let head = head(How::OnePass, sides, notes, read, self.how);
        tally.finish(head, &words, &mut |key| told.remove(key).unwrap_or(FirstDivergence::NoEvents))
    }

    /// First and last time of the log's events.
    fn span(&self) -> Option<(i64, i64)> {
        let times = self.prepared.lanes.iter().map(|lane| lane.times());
        let (first, last) = times.fold((i64::MAX, i64::MIN), |(from, to), (first, last)| {
            (from.min(first), to.max(last))
        });
        (first <= last).then_some((first, last))
    }
}
