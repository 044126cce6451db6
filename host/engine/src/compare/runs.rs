//! Two finished runs, from their files, streaming: identical roots are answered without reading
//! further, and leaf hashes say which rows to read at all. Rows that are read are held against
//! their digests; of what is not read the comparison says that it goes by those.

use super::error::CompareError;
use super::firsts::Firsts;
use super::gated::Gated;
use super::log::walk;
use super::refuse::{lone_params, misread, refusals, refuse};
use super::shown::shown;
use super::sides::{explain, head, open, sides};
use super::totals;
use crate::rundir::keys::KeyRows;
use crate::rundir::log::{Alike, AlikeRows};
use crate::rundir::{self, Part, RunDirError, RunReader, Table};
use crate::store::Folder;
use retally_compare::gate::Gate;
use retally_compare::model::{
    Comparison, FirstDivergence, How, Note, NoteCode, Presence, Read, Rejects, Sets,
};
use retally_compare::sink::DifferenceSink;
use retally_compare::{Declared, Options, Plan, Rows, SideOf, Tally, Words, join};
use retally_core::digest::Leaf;
use retally_core::schema::ViewShape;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How two results are compared.
#[derive(Debug, Clone, Default)]
pub struct CompareOptions {
    /// Tolerances, groups, how much is shown.
    pub options: Options,
    /// Go on where the sides would be refused.
    pub force: bool,
    /// Which differences are expected; none: nobody judges.
    pub gate: Option<Gate>,
    /// Commands that repeat the comparison or lead on.
    pub repeat: Vec<Vec<String>>,
    /// The job file, for commands that lead on; empty: not known, and `JOB.toml` stands there.
    pub job: String,
    /// The folder in which those commands are run, from the root; empty: not known.
    pub folder: PathBuf,
}

/// Compares two finished runs; every difference of the views goes past the gate and to `sink`.
///
/// # Errors
/// Runs that cannot be read, that were changed since, or of which a comparison would mean nothing.
pub fn runs(
    a: impl Into<Folder>,
    b: impl Into<Folder>,
    options: &CompareOptions,
    sink: &mut dyn DifferenceSink,
) -> Result<Comparison, CompareError> {
    let (dir_a, dir_b) = (a.into(), b.into());
    let (a, b) = (open(&dir_a)?, open(&dir_b)?);
    let mut notes = Vec::new();
    refuse(&refusals(a.manifest(), b.manifest()), options.force, &mut notes)?;
    notes.extend(lone_params(a.manifest(), b.manifest()));
    notes.extend(same_dir(&dir_a, &dir_b));
    notes.extend(misread(&[a.manifest(), b.manifest()]));
    let mut compared = Compared::new([&a, &b], options, notes)?;
    let plan = compared.plan.clone();
    let mut gated = Gated::begin(options.gate.as_ref(), &plan)?;
    compared.log()?;
    let disjoint = compared.views(&mut gated.before(sink, &plan)?)?;
    let apart = disjoint.then(|| NO_COMMON_KEY.to_owned());
    refuse(apart.as_slice(), options.force, &mut compared.notes)?;
    compared.states()?;
    compared.violations()?;
    let mut comparison = compared.finish(options)?;
    gated.conclude(&mut comparison, &plan);
    Ok(comparison)
}

/// A run that is held against itself, which nobody means to do.
fn same_dir(a: &Folder, b: &Folder) -> Option<Note> {
    let text = "both sides are one and the same run directory: name the one to compare it with";
    a.is_same(b).then(|| Note::new(NoteCode::SameSides, text))
}

/// Why results of other keys are not compared.
pub(crate) const NO_COMMON_KEY: &str = "they have no key in common";

/// A comparison of two runs while it is made.
struct Compared<'a> {
    runs: [&'a RunReader; 2],
    plan: Plan,
    tally: Tally,
    firsts: Firsts,
    notes: Vec<Note>,
    read: Read,
    words: Words,
}

impl<'a> Compared<'a> {
    fn new(
        runs: [&'a RunReader; 2],
        options: &CompareOptions,
        notes: Vec<Note>,
    ) -> Result<Self, CompareError> {
        let [a, b] = runs.map(|run| Declared { view: run.view(), emits: run.emits() });
        let plan = Plan::new(a, b, &options.options)?;
        Ok(Self {
            runs,
            tally: Tally::new(plan.clone()),
            plan,
            firsts: Firsts::default(),
            notes,
            read: Read { checked: true, ..Read::default() },
            words: Words::default(),
        })
    }

    /// Outcomes and emits: both logs side by side, unless their digests are the same.
    fn log(&mut self) -> Result<(), CompareError> {
        self.words.not_looked.push(
            "which types of event a key had is not in the files of a run: comparing two reducers \
             in one pass (--a, --b) tells"
                .into(),
        );
        self.runs.into_iter().try_for_each(refused_rows)?;
        let [a, b] = self.runs.map(|run| run.manifest().digests.outcomes);
        if a != b {
            let walked = walk(self.runs, &mut self.tally)?;
            self.firsts = walked.firsts;
            self.words.span = walked.span;
        } else {
            self.same_log()?;
        }
        self.firsts.looked = true;
        let (outcomes, keys) = self.firsts.words();
        (self.words.outcomes, self.words.outcome_keys) = (outcomes, Some(keys));
        if self.firsts.too_many {
            let text = "more keys have refused events than are remembered, so none explains any";
            self.words.not_looked.push(text.into());
        }
        Ok(())
    }

    /// Outcomes and emits of which the digests are the same: one side tells of both.
    fn same_log(&mut self) -> Result<(), CompareError> {
        let run = self.runs[0];
        self.read.by_digest |= run.manifest().counts.recorded() > 0;
        self.tally.look_at_outcomes(Rejects::default());
        for (number, emit) in self.plan.emits.iter().enumerate() {
            if let Some(kind) = emit.a {
                self.tally.skip_emits(number, run.count(Table::Emits(kind))?);
            }
        }
        for row in AlikeRows::new(run, Table::Refused, None)? {
            let Alike { outcome, key, .. } = row?;
            self.tally.refusal(SideOf::A, &outcome, 1);
            self.tally.refusal(SideOf::B, &outcome, 1);
            self.firsts.refuse(key.as_deref(), None, &outcome);
        }
        Ok(())
    }

    /// The views: only the leaves that differ are read. Whether the sides have no key in common.
    fn views(&mut self, sink: &mut dyn DifferenceSink) -> Result<bool, CompareError> {
        let [a, b] = self.runs;
        let leaves = [a.leaves(Table::Views)?, b.leaves(Table::Views)?];
        self.read.leaves_total = leaves.iter().map(Vec::len).sum::<usize>() as u64;
        // A leaf's hash covers values and not names: only of one shape it says what they mean.
        let (left, equal) = match same_shape(a.view(), b.view()) {
            true => differing(leaves),
            false => (leaves, Vec::new()),
        };
        self.read.leaves_read = left.iter().map(Vec::len).sum::<usize>() as u64;
        if !equal.is_empty() {
            self.read.by_digest = true;
            let rows = equal.iter().map(|leaf| leaf.rows).sum();
            self.tally.skip(equal.iter().map(|leaf| leaf.keys).sum(), rows);
        }
        let (mut common, mut any) = (!equal.is_empty(), false);
        let (tally, firsts) = (&mut self.tally, &self.firsts);
        join_keys([a, b], Table::Views, left, |key, [a, b]| {
            (any, common) = (true, common | (a.is_some() && b.is_some()));
            let [a, b] = [a, b].map(|rows| rows.unwrap_or(Rows::NONE));
            Ok(tally.key(key, a, b, &firsts.facts(key), sink).map(|_| ())?)
        })?;
        // Keys whose outcomes differ on the way, and whose rows at the end are in equal leaves or
        // in none.
        for first in self.firsts.left() {
            self.tally.healed(first);
        }
        Ok(any && !common)
    }

    /// Which keys' states differ, unless the two versions lay them out otherwise.
    fn states(&mut self) -> Result<(), CompareError> {
        let [a, b] = self.runs.map(RunReader::manifest);
        if a.reducer.state_version != b.reducer.state_version
            || a.reducer.layout != b.reducer.layout
        {
            return Ok(());
        }
        let mut sets = Sets::default();
        if a.digests.states == b.digests.states {
            sets.equal = a.counts.keys;
            self.read.by_digest |= sets.equal > 0;
        } else {
            let [a, b] = self.runs;
            let (left, equal) = differing([a.leaves(Table::States)?, b.leaves(Table::States)?]);
            sets.equal = equal.iter().map(|leaf| leaf.keys).sum();
            self.read.by_digest |= sets.equal > 0;
            join_keys([a, b], Table::States, left, |_, [a, b]| {
                let [of_a, of_b] = [a, b].map(|own| own.map(|own| (own.get(0, 0), own.get(0, 1))));
                sets.add(Presence::of(a.is_some(), b.is_some()), of_a != of_b);
                Ok(())
            })?;
        }
        self.tally.states(sets);
        Ok(())
    }

    fn violations(&mut self) -> Result<(), CompareError> {
        let [a, b] = self.runs;
        let same = a.manifest().digests.violations == b.manifest().digests.violations;
        let sides: &[(_, &[SideOf])] = match same {
            true => &[(a, &[SideOf::A, SideOf::B])],
            false => &[(a, &[SideOf::A]), (b, &[SideOf::B])],
        };
        for (run, sides) in sides {
            // There are few of them.
            if rundir::violations(run)?.digest != run.manifest().digests.violations {
                let what = "its rows are not those of the violations' digest";
                return Err(run.wrong(Table::Violations, what).into());
            }
            let part = Part { columns: Some(vec!["code".to_owned()]), ..Part::default() };
            for batch in run.part(Table::Violations, part)? {
                for code in batch?.texts("code").map_err(RunDirError::from)?.iter().flatten() {
                    sides.iter().for_each(|&side| self.tally.violation(side, code, 1));
                }
            }
        }
        Ok(())
    }

    fn finish(self, options: &CompareOptions) -> Result<Comparison, CompareError> {
        let Self { runs, tally, firsts, notes, mut read, words, .. } = self;
        let [a, b] = runs.map(RunReader::manifest);
        let keys = tally.shown();
        let events = shown(runs, &firsts, tally.rejects(), &keys)?;
        let mut first = |key: &[u8]| match events.get(key) {
            Some(event) => FirstDivergence::Event(Box::new(event.clone())),
            None => FirstDivergence::NotInFiles,
        };
        let sides = sides([a, b], runs.map(|run| Some(run.dir())));
        for run in runs {
            read.bytes_read += run.bytes_read();
            read.bytes_total += run.bytes_total()?;
        }
        let head = head(How::Runs, sides, notes, read, options);
        let mut comparison = tally.finish(head, &words, &mut first);
        totals::fill(&mut comparison.totals, &a.totals, &b.totals);
        comparison.explain = explain([a, b], options);
        Ok(comparison)
    }
}

/// Joins the keys of some leaves of both sides; `each` hears the rows of those that have the key.
fn join_keys(
    [a, b]: [&RunReader; 2],
    table: Table,
    [of_a, of_b]: [Vec<Leaf>; 2],
    mut each: impl FnMut(&[u8], [Option<Rows<'_>>; 2]) -> Result<(), CompareError>,
) -> Result<(), CompareError> {
    let (mut a, mut b) = (KeyRows::new(a, table, of_a)?, KeyRows::new(b, table, of_b)?);
    join(&mut a, &mut b, |key, a, b| each(key, [a, b].map(|side| side.map(KeyRows::own))))
}

/// Whether there are as many refused events as the manifest counts: their codes are in the
/// outcomes' digest, and their rows are not.
fn refused_rows(run: &RunReader) -> Result<(), RunDirError> {
    let counts = &run.manifest().counts;
    let parts = [counts.malformed, counts.conflicts, counts.rejected, counts.quarantined];
    let (found, counted) = (run.count(Table::Refused)?, parts.iter().sum::<u64>());
    if found == counted {
        return Ok(());
    }
    let what = format!("it has {found} rows, and the manifest counts {counted} refused events");
    Err(run.wrong(Table::Refused, what))
}

fn same_shape(a: &ViewShape, b: &ViewShape) -> bool {
    let shape = |shape: &ViewShape| -> Vec<_> {
        shape.fields.iter().map(|field| (field.name.clone(), field.kind)).collect()
    };
    shape(a) == shape(b) && a.row_key == b.row_key
}

/// The leaves that one side alone has, which need be read, and those that both have: one hash is
/// one list of keys and rows.
fn differing(leaves: [Vec<Leaf>; 2]) -> ([Vec<Leaf>; 2], Vec<Leaf>) {
    let [of_a, of_b] = leaves
        .each_ref()
        .map(|leaves| leaves.iter().map(|leaf| leaf.hash).collect::<BTreeSet<_>>());
    let [a, b] = leaves;
    let (equal, a) = a.into_iter().partition(|leaf| of_b.contains(&leaf.hash));
    let b = b.into_iter().filter(|leaf| !of_a.contains(&leaf.hash)).collect();
    ([a, b], equal)
}
