//! The whole comparison while it is made: fed with the emits and outcomes of events while they pass
//! by, and with the final rows of every key in byte order; finished into a [`Comparison`].
//!
//! ```text
//! while events pass   emits(), outcome(), code()       any number of times, stretch by stretch
//! at the end          key() for every key of either side, in byte order; skip() for those that
//!                     are known to be the same
//! then                shown() says for which keys the first diverging event is wanted in full
//! last                finish()
//! ```
//!
//! Feeding in other pieces gives the same result. Memory depends on what is shown, not on the
//! number of keys.

use super::align::{Pair, Plan};
use super::attribution::{AttributionTally, KeyFacts, Words};
use super::divergence::{DivergenceTally, First};
use super::emits::{EmitTally, Records};
use super::error::CompareError;
use super::judge::Rows;
use super::model::{
    CodeCount, Comparison, ComparisonFormat, FirstDivergence, How, NamedOutcome, OutcomeChange,
    Rejects, Sets, SideOf, Verdict,
};
use super::notes::{Head, first_in_files, notes_of, statements};
use super::sink::DifferenceSink;
use super::totals::{GroupTally, Summed};
use super::view::ViewTally;
use super::worst::WorstTally;
use retally_core::reduce::{Block, Outcome};
use std::collections::BTreeMap;

/// A comparison while it is made.
#[derive(Debug)]
pub struct Tally {
    plan: Plan,
    summed: Vec<Summed>,
    view: ViewTally,
    emits: Vec<EmitTally>,
    groups: Option<GroupTally>,
    outcomes: BTreeMap<(NamedOutcome, NamedOutcome), u64>,
    outcomes_looked: bool,
    rejects: Rejects,
    codes: BTreeMap<(String, Option<String>), [u64; 2]>,
    divergences: DivergenceTally,
    attribution: AttributionTally,
    worst: WorstTally,
    states: Option<Sets>,
}

/// A stretch of the log as one side tells it.
#[derive(Debug, Clone, Default)]
pub struct SideStretch<'a> {
    /// What became of each event. Of those behind the last, and of the filtered, the side has no
    /// record.
    pub outcomes: &'a [Outcome],
    /// The same of those that were refused alone.
    pub refused: Vec<Outcome>,
    /// The records of each emit kind that the side declares, by its number.
    pub emits: Vec<Records<'a>>,
}

impl<'a> SideStretch<'a> {
    /// A block as a stretch.
    pub fn of(block: &'a Block) -> Self {
        let records = block.emits.iter();
        Self {
            outcomes: &block.outcomes,
            refused: block.refused.iter().map(|refused| refused.what).collect(),
            emits: records
                .map(|of| Records { events: &of.events, columns: &of.columns, times: &of.times })
                .collect(),
        }
    }
}

/// How violations stand among the codes.
const VIOLATION: &str = "violation";

impl Tally {
    /// Begins a comparison.
    pub fn new(plan: Plan) -> Self {
        let summed = Summed::all(&plan);
        let groups = GroupTally::new(&plan, &summed);
        // The view's comes first, then one for each emit kind.
        let view = ViewTally::new(&plan, summed[0].clone());
        let emits = plan.emits.iter().zip(&summed[1..]);
        let of_pair = |(pair, scale): &(usize, u8)| (plan.view.pairs[*pair].name.clone(), *scale);
        let fields = summed[0].pairs.iter().map(of_pair).collect();
        Self {
            emits: emits.map(|(emit, summed)| EmitTally::new(emit, summed.clone())).collect(),
            divergences: DivergenceTally::new(fields),
            attribution: AttributionTally::new(&plan.view),
            worst: WorstTally::new(&plan.view, plan.shown),
            view,
            groups,
            summed,
            outcomes: BTreeMap::new(),
            outcomes_looked: false,
            rejects: Rejects::default(),
            codes: BTreeMap::new(),
            states: None,
            plan,
        }
    }

    /// What is compared.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Compares the final rows of a key; keys come in byte order, each once. An empty key is the
    /// first of all.
    ///
    /// # Errors
    /// Keys out of order, a sum that is too large, or a sink that cannot go on.
    pub fn key(
        &mut self,
        key: &[u8],
        a: Rows<'_>,
        b: Rows<'_>,
        facts: &KeyFacts<'_>,
        sink: &mut dyn DifferenceSink,
    ) -> Result<(), CompareError> {
        self.check_columns(a, SideOf::A)?;
        self.check_columns(b, SideOf::B)?;
        if let Some(groups) = &mut self.groups {
            groups.time = facts.first.and_then(|first| first.time);
        }
        let different = self.view.key(key, a, b, self.groups.as_mut(), sink)?;
        let differs = different.is_some();
        if differs || facts.first.is_some() {
            self.divergences.key(differs, facts.first, &self.view.rows.deltas);
        }
        if !(a.is_empty() && b.is_empty()) {
            let fields = &self.view.rows.fields;
            self.attribution.key(fields, differs, (a, b), facts, &self.rejects);
        }
        if let Some(presence) = different {
            self.worst.key(key, presence, &self.view, (a, b));
        }
        Ok(())
    }

    /// Columns of another kind would be compared as nonsense.
    fn check_columns(&self, rows: Rows<'_>, of: SideOf) -> Result<(), CompareError> {
        let fits = |pair: &Pair| {
            let (field, kind) = pair.side(of);
            rows.columns.get(field).is_some_and(|column| column.values.is(kind))
        };
        if rows.is_empty() || self.plan.view.pairs.iter().all(fits) {
            return Ok(());
        }
        Err(CompareError::Columns)
    }

    /// Counts keys and view rows that are known to be the same, without looking at them.
    pub fn skip(&mut self, keys: u64, rows: u64) {
        self.view.keys.equal += keys;
        self.view.rows.skip(rows);
        self.attribution.skip(keys);
    }

    /// Takes a key that is the same at the end, or in neither result, and was not fed, but whose
    /// outcomes differ on the way.
    pub fn healed(&mut self, first: First<'_>) {
        let none = vec![0; self.summed[0].pairs.len()];
        self.divergences.key(false, Some(first), &none);
    }

    /// Compares records of an emit kind over a stretch of the log. `differs` hears the events whose
    /// records differ.
    ///
    /// # Errors
    /// A sum that is too large.
    pub fn emits(
        &mut self,
        kind: usize,
        a: Records<'_>,
        b: Records<'_>,
        differs: &mut dyn FnMut(u32),
    ) -> Result<(), CompareError> {
        self.emits[kind].add(a, b, self.groups.as_mut(), differs)
    }

    /// Counts records of an emit kind that are known to be the same.
    pub fn skip_emits(&mut self, kind: usize, records: u64) {
        self.emits[kind].skip(records);
    }

    /// Counts records that stand for an event, kind and number a second time.
    pub fn doubled_emits(&mut self, kind: usize, records: u64) {
        self.emits[kind].double(records);
    }

    /// Says that outcomes are compared, even if none differs. `rejects` names those to come.
    pub fn look_at_outcomes(&mut self, rejects: Rejects) {
        self.outcomes_looked = true;
        self.rejects = rejects;
    }

    /// The reject codes of both sides.
    pub fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    /// Counts events by their outcomes. Equal outcomes need not be told.
    pub fn outcome(&mut self, a: &NamedOutcome, b: &NamedOutcome, events: u64) {
        self.outcomes_looked = true;
        if a != b && events > 0 {
            *self.outcomes.entry((a.clone(), b.clone())).or_default() += events;
        }
    }

    /// Counts refused events of a side.
    pub fn refusal(&mut self, side: SideOf, outcome: &NamedOutcome, events: u64) {
        self.code(side, &outcome.what, outcome.code.clone(), events);
    }

    /// Counts violations of a side.
    pub fn violation(&mut self, side: SideOf, code: &str, count: u64) {
        self.code(side, VIOLATION, Some(code.to_owned()), count);
    }

    fn code(&mut self, side: SideOf, what: &str, code: Option<String>, count: u64) {
        let counts = self.codes.entry((what.to_owned(), code)).or_default();
        counts[side as usize] += count;
    }

    /// Takes the next stretch of the log. `differs` hears the events whose outcome or records
    /// differ, some of them more than once.
    ///
    /// # Errors
    /// A sum that is too large.
    pub fn stretch(
        &mut self,
        sides: [&SideStretch<'_>; 2],
        differs: &mut dyn FnMut(u32),
    ) -> Result<(), CompareError> {
        let [a, b] = sides.map(|side| side.outcomes);
        if !self.rejects.alike() || a != b {
            let own = |outcomes: &[Outcome], event: usize| {
                outcomes.get(event).copied().unwrap_or(Outcome::Filtered)
            };
            let both = (0..a.len().max(b.len())).map(|event| (own(a, event), own(b, event)));
            let changed = both.zip(0u32..).filter(|((a, b), _)| !self.rejects.same(*a, *b));
            let changes = changed.map(|(change, event)| {
                differs(event);
                change
            });
            let changes = counted(changes);
            for ((a, b), events) in changes {
                let [a, b] = [(a, 0), (b, 1)].map(|(own, side)| self.named(own, side));
                self.outcome(&a, &b, events);
            }
        }
        for (number, side) in [SideOf::A, SideOf::B].into_iter().enumerate() {
            for (outcome, events) in counted(sides[number].refused.iter().copied()) {
                let outcome = self.named(outcome, number);
                self.refusal(side, &outcome, events);
            }
        }
        for number in 0..self.plan().emits.len() {
            let emit = &self.plan().emits[number];
            let [a, b] = [(emit.a, 0), (emit.b, 1)].map(|(kind, side): (Option<usize>, usize)| {
                kind.and_then(|kind| sides[side].emits.get(kind)).copied().unwrap_or(Records::NONE)
            });
            self.emits(number, a, b, differs)?;
        }
        Ok(())
    }

    fn named(&self, outcome: Outcome, side: usize) -> NamedOutcome {
        NamedOutcome::of(outcome, &self.rejects.0[side])
    }

    /// Says what comparing the states came to.
    pub fn states(&mut self, states: Sets) {
        self.states = Some(states);
    }

    /// The keys that will be shown, for which the first diverging event is wanted in full.
    pub fn shown(&self) -> Vec<Vec<u8>> {
        self.worst.keys()
    }

    /// Ends the comparison. `first` is asked for the first diverging event of each key that is
    /// shown.
    pub fn finish(
        self,
        head: Head,
        words: &Words,
        first: &mut dyn FnMut(&[u8]) -> FirstDivergence,
    ) -> Comparison {
        let Self { plan, summed, mut view, emits, groups, divergences, attribution, .. } = self;
        let mut differs = view.keys.differing() > 0;
        differs |= emits.iter().any(EmitTally::differs) || !self.outcomes.is_empty();
        differs |= self.codes.values().any(|[a, b]| a != b);
        differs |= divergences.told.found > 0;
        let whole = view.rows.whole;
        let attribution = attribution.finish(&plan.view, &divergences, words, whole);
        let places = std::iter::once(whole).chain(emits.iter().map(|emit| emit.records.whole));
        let places: Vec<bool> = places.collect();
        let groups = groups.map(|groups| groups.finish(&plan, &summed, &places));
        let mut lone_totals = Vec::new();
        let (fields, mut totals) = view.rows.finish(&mut lone_totals);
        let emits = emits.into_iter().map(|emit| {
            let (difference, own) = emit.finish(&mut lone_totals);
            totals.extend(own);
            difference
        });
        let emits = emits.collect();
        // Known results need not give every field.
        lone_totals.retain(|_| head.how != How::Known);
        let (violations, refusals) = codes(self.codes);
        let Head { retally, how, a, b, mut notes, read, repeat } = head;
        notes.extend(notes_of(how, &plan, &a, &b));
        let mut comparison = Comparison {
            format: ComparisonFormat::CURRENT,
            retally,
            verdict: if differs { Verdict::Different } else { Verdict::Same },
            how,
            notes,
            a,
            b,
            view: view.rows.fields.alignment,
            keys: view.keys,
            rows: view.rows.rows,
            fields,
            states: self.states,
            emits,
            outcomes: self.outcomes_looked.then(|| changes(self.outcomes)),
            refusals,
            violations,
            totals,
            lone_totals,
            groups,
            divergences: divergences.finish(),
            attribution,
            worst: self.worst.finish(&plan.view, first),
            gate: None,
            read,
            shows: Vec::new(),
            leaves_open: Vec::new(),
            repeat,
            explain: Vec::new(),
        };
        comparison.notes.extend(first_in_files(&comparison));
        (comparison.shows, comparison.leaves_open) = statements(&comparison);
        comparison
    }
}

/// Violations, then the rest.
fn codes(counts: BTreeMap<(String, Option<String>), [u64; 2]>) -> (Vec<CodeCount>, Vec<CodeCount>) {
    let count = |((what, code), [a, b]): (_, [u64; 2])| CodeCount { what, code, a, b };
    counts.into_iter().map(count).partition(|count| count.what == VIOLATION)
}

fn changes(outcomes: BTreeMap<(NamedOutcome, NamedOutcome), u64>) -> Vec<OutcomeChange> {
    let change = |((a, b), events)| OutcomeChange { a, b, events };
    let mut changes: Vec<OutcomeChange> = outcomes.into_iter().map(change).collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.events));
    changes
}

/// How often each thing comes; there are few.
fn counted<T: PartialEq>(things: impl Iterator<Item = T>) -> Vec<(T, u64)> {
    let mut counts: Vec<(T, u64)> = Vec::new();
    for thing in things {
        match counts.iter_mut().find(|(known, _)| *known == thing) {
            Some((_, count)) => *count += 1,
            None => counts.push((thing, 1)),
        }
    }
    counts
}
