//! Two finished runs, from their files, streaming: identical roots are answered without reading
//! further, and leaf hashes say which rows to read at all.

use super::ahead::Ahead;
use super::error::CompareError;
use super::firsts::Firsts;
use super::gated::Gated;
use super::intact;
use super::log::walk;
use super::refuse::{lone_params, refusals, refuse};
use super::shown::shown;
use super::sides::{explain, open, side, tell_apart};
use super::states::states;
use super::totals;
use crate::rundir::keys::ViewRows;
use crate::rundir::log::RefusedRows;
use crate::rundir::{Keys, Part, RunDirError, RunReader, Table};
use retally_compare::gate::Gate;
use retally_compare::model::{Comparison, FirstDivergence, How, Note, NoteCode, Read, Rejects};
use retally_compare::sink::Sink;
use retally_compare::{Declared, Head, Options, Plan, SideOf, Tally, Words, join};
use retally_core::digest::{Leaf, views_digest};
use retally_core::schema::ViewShape;
use std::collections::BTreeSet;
use std::path::Path;

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
    /// The job file, for commands that lead on.
    pub job: String,
}

/// Compares two finished runs; every difference of the views goes past the gate and to `sink`.
///
/// # Errors
/// Runs that cannot be read, that were changed since, or of which a comparison would mean nothing.
pub fn runs(
    dir_a: &Path,
    dir_b: &Path,
    options: &CompareOptions,
    sink: &mut dyn Sink,
) -> Result<Comparison, CompareError> {
    let (a, b) = (open(dir_a)?, open(dir_b)?);
    let mut notes = Vec::new();
    refuse(&refusals(a.manifest(), b.manifest()), options.force, &mut notes)?;
    notes.extend(lone_params(a.manifest(), b.manifest()));
    let mut compared = Compared::new((&a, dir_a), (&b, dir_b), options, notes)?;
    let plan = compared.plan.clone();
    let mut gated = Gated::begin(options.gate.as_ref(), &plan)?;
    compared.log()?;
    let disjoint = compared.views(&mut gated.before(sink))?;
    let apart = disjoint.then(|| NO_COMMON_KEY.to_owned());
    refuse(apart.as_slice(), options.force, &mut compared.notes)?;
    if let Some(sets) = states((&a, dir_a), (&b, dir_b))? {
        compared.tally.states(sets);
    }
    compared.violations()?;
    let mut comparison = compared.finish(options)?;
    gated.conclude(&mut comparison, &plan);
    Ok(comparison)
}

/// Why results of other keys are not compared.
pub(crate) const NO_COMMON_KEY: &str = "they have no key in common";

/// A comparison of two runs while it is made.
struct Compared<'a> {
    a: &'a RunReader,
    b: &'a RunReader,
    dirs: [&'a Path; 2],
    plan: Plan,
    tally: Tally,
    firsts: Firsts,
    notes: Vec<Note>,
    read: Read,
    words: Words,
}

impl<'a> Compared<'a> {
    fn new(
        (a, dir_a): (&'a RunReader, &'a Path),
        (b, dir_b): (&'a RunReader, &'a Path),
        options: &CompareOptions,
        notes: Vec<Note>,
    ) -> Result<Self, CompareError> {
        let (view_a, view_b) = (a.view_shape(), b.view_shape());
        let declared_a = Declared { view: &view_a, emits: a.emits() };
        let declared_b = Declared { view: &view_b, emits: b.emits() };
        let plan = Plan::new(declared_a, declared_b, &options.options)?;
        Ok(Self {
            tally: Tally::new(plan.clone()),
            plan,
            firsts: Firsts::default(),
            read: Read { checked: true, ..Read::default() },
            words: Words::default(),
            dirs: [dir_a, dir_b],
            notes,
            a,
            b,
        })
    }

    /// Outcomes and emits: both logs side by side, unless their digests are the same.
    fn log(&mut self) -> Result<(), CompareError> {
        self.words.not_looked.push(
            "which types of event a key had is not in the files of a run: comparing two reducers \
             in one pass (--a, --b) tells"
                .into(),
        );
        for (run, dir) in [(self.a, self.dirs[0]), (self.b, self.dirs[1])] {
            intact::refused_rows(run, dir)?;
        }
        let (a, b) = (self.a.manifest(), self.b.manifest());
        if a.digests.outcomes != b.digests.outcomes {
            let sides = [(self.a, self.dirs[0]), (self.b, self.dirs[1])];
            let walked = walk(sides, &mut self.tally)?;
            self.firsts = walked.firsts;
            self.words.span = walked.span;
        } else {
            self.same_log()?;
        }
        self.firsts.look();
        let (outcomes, keys) = self.firsts.words();
        (self.words.outcomes, self.words.outcome_keys) = (outcomes, Some(keys));
        if self.firsts.gave_up() {
            let text = "more keys have refused events than are remembered, so none explains any";
            self.words.not_looked.push(text.into());
        }
        Ok(())
    }

    /// Outcomes and emits of which the digests are the same: one side tells of both.
    fn same_log(&mut self) -> Result<(), CompareError> {
        self.tally.look_at_outcomes(Rejects::default());
        for (number, emit) in self.plan.emits.iter().enumerate() {
            if let Some(kind) = emit.a {
                self.tally.skip_emits(number, self.a.count(Table::Emits(kind))?);
            }
        }
        for row in RefusedRows::new(self.a, None)? {
            let row = row?;
            let outcome = row.outcome();
            self.tally.refusal(SideOf::A, &outcome, 1);
            self.tally.refusal(SideOf::B, &outcome, 1);
            self.firsts.refuse(row.key.as_deref(), None, &outcome);
        }
        Ok(())
    }

    /// The views: only the leaves that differ are read. Whether the sides have no key in common.
    fn views(&mut self, sink: &mut dyn Sink) -> Result<bool, CompareError> {
        let [leaves_a, leaves_b] =
            [(self.a, self.dirs[0]), (self.b, self.dirs[1])].map(|(run, dir)| leaves(run, dir));
        let (leaves_a, leaves_b) = (leaves_a?, leaves_b?);
        // A leaf's hash covers values and not names: only of one shape it says what they mean.
        let same_shape = same_shape(&self.a.view_shape(), &self.b.view_shape());
        let split = match same_shape {
            true => differing(&leaves_a, &leaves_b),
            false => Split { a: leaves_a.clone(), b: leaves_b.clone(), equal: Equal::default() },
        };
        self.read.leaves_total = (leaves_a.len() + leaves_b.len()) as u64;
        self.read.leaves_read = (split.a.len() + split.b.len()) as u64;
        let Equal { keys, rows, .. } = split.equal;
        if split.equal.leaves > 0 {
            self.tally.skip(keys, rows);
        }
        let mut rows_a = Ahead::new(ViewRows::new(self.a, &split.a)?)?;
        let mut rows_b = Ahead::new(ViewRows::new(self.b, &split.b)?)?;
        let (mut common, mut any) = (split.equal.leaves > 0, false);
        let (tally, firsts) = (&mut self.tally, &self.firsts);
        join(&mut rows_a, &mut rows_b, |key, a, b| -> Result<(), CompareError> {
            (any, common) = (true, common | (a.is_some() && b.is_some()));
            tally.key(key, Ahead::own(a), Ahead::own(b), &firsts.facts(key), sink)?;
            Ok(())
        })?;
        // Keys whose outcomes differ on the way, and whose rows at the end are in equal leaves or
        // in none.
        for first in self.firsts.left() {
            self.tally.healed(first);
        }
        Ok(any && !common)
    }

    fn violations(&mut self) -> Result<(), CompareError> {
        let same = self.a.manifest().digests.violations == self.b.manifest().digests.violations;
        let [a, b] = [(self.a, self.dirs[0]), (self.b, self.dirs[1])];
        let sides: &[(_, &[SideOf])] = match same {
            true => &[(a, &[SideOf::A, SideOf::B])],
            false => &[(a, &[SideOf::A]), (b, &[SideOf::B])],
        };
        for ((run, dir), sides) in sides {
            intact::violations(run, dir)?;
            for batch in run.part(Table::Violations, columns(["code"]))? {
                for code in batch?.texts("code").map_err(RunDirError::from)?.iter().flatten() {
                    sides.iter().for_each(|&side| self.tally.violation(side, code, 1));
                }
            }
        }
        Ok(())
    }

    fn finish(self, options: &CompareOptions) -> Result<Comparison, CompareError> {
        let Self { a, b, dirs, plan, tally, firsts, mut notes, mut read, words } = self;
        let keys = tally.shown();
        let events = shown([a, b], &firsts, tally.rejects(), &keys)?;
        let mut first = |key: &[u8]| match events.get(key) {
            Some(event) => FirstDivergence::Event(Box::new(event.clone())),
            None => FirstDivergence::NotInFiles,
        };
        let mut found = tally.finish(&words, &mut first);
        totals::fill(&mut found.totals, &a.manifest().totals, &b.manifest().totals);
        let (mut side_a, mut side_b) =
            (side(a.manifest(), Some(dirs[0])), side(b.manifest(), Some(dirs[1])));
        tell_apart(&mut side_a, &mut side_b);
        read.bytes_read = a.bytes_read() + b.bytes_read();
        read.bytes_total = a.bytes_total()? + b.bytes_total()?;
        if read.leaves_read < read.leaves_total {
            let text = "rows whose leaf hashes are equal were neither read nor checked";
            notes.push(Note::new(NoteCode::NotChecked, text));
        }
        let head = Head {
            retally: env!("CARGO_PKG_VERSION").into(),
            how: How::Runs,
            a: side_a,
            b: side_b,
            notes,
            read,
            repeat: options.repeat.clone(),
        };
        let explain = explain([a.manifest(), b.manifest()], &options.job);
        Ok(Comparison { explain, ..head.with(&plan, found) })
    }
}

fn columns<const N: usize>(columns: [&str; N]) -> Part {
    let columns = columns.map(str::to_owned).into();
    Part { keys: Keys::All, rows: None, columns: Some(columns) }
}

/// The leaves of a run's views, which are those of its digest.
pub(super) fn leaves(run: &RunReader, dir: &Path) -> Result<Vec<Leaf>, CompareError> {
    let leaves = run.view_leaves()?;
    if views_digest(run.view(), &leaves) == run.manifest().digests.views {
        intact::view_rows(run, dir, leaves.iter().map(|leaf| leaf.rows).sum())?;
        return Ok(leaves);
    }
    let what = "the leaves of the views are not those of its digest".to_owned();
    Err(CompareError::Changed { path: dir.join("leaves.parquet"), what })
}

fn same_shape(a: &ViewShape, b: &ViewShape) -> bool {
    let shape = |shape: &ViewShape| -> Vec<_> {
        shape.fields.iter().map(|field| (field.name.clone(), field.kind)).collect()
    };
    shape(a) == shape(b) && a.row_key == b.row_key
}

/// Two lists of leaves without those that both have.
pub(super) struct Split {
    /// Of A, in order.
    pub(super) a: Vec<Leaf>,
    /// Of B, in order.
    pub(super) b: Vec<Leaf>,
    /// What both have.
    pub(super) equal: Equal,
}

/// Leaves that both sides have: one hash is one list of keys and rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Equal {
    pub(super) leaves: u64,
    pub(super) keys: u64,
    pub(super) rows: u64,
}

/// Which leaves need be read.
pub(super) fn differing(a: &[Leaf], b: &[Leaf]) -> Split {
    let hashes = |leaves: &[Leaf]| leaves.iter().map(|leaf| leaf.hash).collect::<BTreeSet<_>>();
    let (of_a, of_b) = (hashes(a), hashes(b));
    let mut equal = Equal::default();
    for leaf in a.iter().filter(|leaf| of_b.contains(&leaf.hash)) {
        equal.leaves += 1;
        equal.keys += leaf.keys;
        equal.rows += leaf.rows;
    }
    let without = |own: &[Leaf], other: &BTreeSet<_>| -> Vec<Leaf> {
        own.iter().filter(|leaf| !other.contains(&leaf.hash)).copied().collect()
    };
    Split { a: without(a, &of_b), b: without(b, &of_a), equal }
}
