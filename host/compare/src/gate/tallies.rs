//! What is judged by its tallies, because it has no key in them: emits, outcomes, codes. A tally
//! counts every difference and knows the largest: enough to say whether an entry takes them all,
//! not which of them it would take. So an entry that speaks of some keys or of a total takes
//! nothing here.

use super::entry::{Entry, Keys, Subject};
use super::judging::{Judging, delta};
use crate::model::{
    CodeCount, Comparison, EmitDifference, FieldDifference, NamedOutcome, Place, Presence, Unit,
    Verdict,
};
use retally_core::schema::Kind;

/// Of what kind the unexpected differences are.
pub(super) struct Tallied {
    /// Only values and rows of the view.
    pub(super) all_of_view: bool,
    /// Each belongs to a key, so that a limit for keys can speak of it.
    pub(super) all_keyed: bool,
}

/// Judges what the sink does not hear.
pub(super) fn judge(judging: &mut Judging, comparison: &Comparison) -> Tallied {
    let mut tallied = Tallied { all_of_view: true, all_keyed: true };
    for emit in comparison.emits.iter().filter(|emit| emit.declared == Presence::Both) {
        tallied.all_of_view &= judge_emit(judging, emit);
    }
    if !judge_outcomes(judging, comparison) {
        tallied.all_of_view = false;
        let changes = comparison.outcomes.iter().flatten();
        let mut keyed = changes.clone().count() > 0;
        for change in changes {
            keyed &= has_key(&change.a) || has_key(&change.b);
        }
        tallied.all_keyed &= keyed;
    }
    let violations = apart(&comparison.violations);
    if !counted(judging, &Subject::Violations, violations) {
        tallied = Tallied { all_of_view: false, all_keyed: false };
    }
    // All that differs is accounted for, or it is a history: views that differed on the way. Where
    // emits and outcomes are the same, nothing else lets a key diverge that ends the same.
    let nothing = judging.expected == 0 && judging.unexpected.is_empty();
    let keys = match nothing && comparison.verdict == Verdict::Different {
        true => comparison.divergences.keys.max(1),
        false if on_the_way(comparison) => 0,
        false => comparison.divergences.healed,
    };
    tallied.all_of_view &= counted(judging, &Subject::History, keys);
    tallied
}

/// Whether records or outcomes differ, as those of keys that end the same may.
fn on_the_way(comparison: &Comparison) -> bool {
    let records = comparison.emits.iter().filter_map(|emit| emit.records);
    records.map(|sets| sets.differing()).sum::<u64>() > 0
        || comparison.outcomes.as_ref().is_some_and(|changes| !changes.is_empty())
}

/// Whether everything that differs in a kind is expected.
fn judge_emit(judging: &mut Judging, emit: &EmitDifference) -> bool {
    let place = Place::Emit(emit.kind.clone());
    let mut expected = true;
    for field in emit.fields.iter().filter(|field| field.differ > 0) {
        let names = |entry: &Entry| {
            let named = match &entry.what {
                Subject::Field { field: Some(name), .. } => *name == field.name,
                Subject::Field { field: None, .. } => true,
                _ => false,
            };
            named && entry.what.is_in(&place)
        };
        let taker = first(judging, |entry| names(entry) && takes_all(entry, field));
        let what = format!("{}.{}", emit.kind, field.name);
        passed_over(judging, taker, &what, names);
        expected &= judging.count(taker, what, field.differ);
    }
    let lone = emit.records.map_or(0, |sets| sets.only_a + sets.only_b) + emit.doubled;
    if lone > 0 {
        let names =
            |entry: &Entry| matches!(entry.what, Subject::Rows { .. }) && entry.what.is_in(&place);
        let taker = first(judging, |entry| names(entry) && entry.keys == Keys::All);
        let what = format!("{}.@rows", emit.kind);
        passed_over(judging, taker, &what, names);
        expected &= judging.count(taker, what, lone);
    }
    expected
}

/// Where nobody takes what differs in emits, entries that name it and speak of keys or of a total
/// are told why they do not.
fn passed_over(
    judging: &mut Judging,
    taker: Option<usize>,
    what: &str,
    names: impl Fn(&Entry) -> bool,
) {
    if taker.is_some() {
        return;
    }
    for (entry, met) in judging.gate.entries.iter().zip(&mut judging.met) {
        if names(entry) && knows_more_than_tallies(entry) {
            met.cannot_take.push(what.to_owned());
        }
    }
}

fn knows_more_than_tallies(entry: &Entry) -> bool {
    entry.keys != Keys::All || entry.total.is_some()
}

/// Whether all differences of a field are within what an entry allows.
fn takes_all(entry: &Entry, field: &FieldDifference) -> bool {
    if knows_more_than_tallies(entry) {
        return false;
    }
    if entry.most.is_none() {
        return true;
    }
    let Some(numeric) = &field.numeric else { return false };
    let exact = field.kind != Kind::Float || numeric.unit != Unit::Value;
    let within = |text: &str| entry.allows(delta(text, exact), true);
    numeric.values == field.differ
        && numeric.not_finite == 0
        && within(&numeric.smallest)
        && within(&numeric.largest)
}

/// Events whose outcome differs, and where those are not known, codes that are not as frequent.
fn judge_outcomes(judging: &mut Judging, comparison: &Comparison) -> bool {
    let changed = comparison.outcomes.iter().flatten().map(|change| change.events).sum();
    let differ = if changed > 0 { changed } else { apart(&comparison.refusals) };
    counted(judging, &Subject::Outcomes, differ)
}

fn counted(judging: &mut Judging, what: &Subject, differ: u64) -> bool {
    if differ == 0 {
        return true;
    }
    let taker = first(judging, |entry| entry.what == *what);
    judging.count(taker, what.to_string(), differ)
}

fn first(judging: &Judging, fits: impl Fn(&Entry) -> bool) -> Option<usize> {
    judging.gate.entries.iter().position(fits)
}

fn apart(codes: &[CodeCount]) -> u64 {
    codes.iter().map(|code| code.a.abs_diff(code.b)).sum()
}

/// Whether an event with this outcome was seen under its key.
fn has_key(outcome: &NamedOutcome) -> bool {
    !matches!(outcome.what.as_str(), "malformed" | "ignored")
}
