//! What is judged by its tallies, because it has no key in them: emits, outcomes, codes. A tally
//! counts every difference and knows the largest: enough to say whether an entry takes them all,
//! not which of them it would take. So an entry that speaks of some keys or of a total takes
//! nothing here.

use super::entry::{Entry, Keys};
use super::judging::{Judging, delta_of};
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

pub(super) fn judge(judging: &mut Judging, comparison: &Comparison) -> Tallied {
    let mut tallied = Tallied { all_of_view: true, all_keyed: true };
    for emit in comparison.emits.iter().filter(|emit| emit.declared == Presence::Both) {
        tallied.all_of_view &= judge_emit(judging, emit);
    }
    if !judge_outcomes(judging, comparison) {
        tallied.all_of_view = false;
        let mut changes = comparison.outcomes.iter().flatten().peekable();
        tallied.all_keyed = changes.peek().is_some()
            && changes.all(|change| has_key(&change.a) || has_key(&change.b));
    }
    if !counted(judging, "@violations", apart(&comparison.violations)) {
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
    tallied.all_of_view &= counted(judging, "@history", keys);
    tallied
}

/// Whether records or outcomes differ, as those of keys that end the same may.
fn on_the_way(comparison: &Comparison) -> bool {
    let records = comparison.emits.iter().filter_map(|emit| emit.records);
    records.map(|sets| sets.differing()).sum::<u64>() > 0
        || comparison.outcomes.as_ref().is_some_and(|changes| !changes.is_empty())
}

/// Whether everything that differs in a kind is expected. Where nobody takes something, entries
/// that name it and speak of keys or of a total are told why they do not.
fn judge_emit(judging: &mut Judging, emit: &EmitDifference) -> bool {
    let place = Place::Emit(emit.kind.clone());
    let fields = emit.fields.iter().map(|field| (field.name.as_str(), field.differ, Some(field)));
    let lone = emit.records.map_or(0, |sets| sets.only_a + sets.only_b) + emit.doubled;
    let mut expected = true;
    for (name, differ, field) in fields.chain([("@rows", lone, None)]).filter(|of| of.1 > 0) {
        let takes = |entry: &Entry| entry.what.covers(&place, name) && takes_all(entry, field);
        let taker = judging.gate.entries.iter().position(takes);
        let what = format!("{}.{name}", emit.kind);
        if taker.is_none() {
            for (entry, met) in judging.gate.entries.iter().zip(&mut judging.met) {
                if entry.what.covers(&place, name) && knows_more_than_tallies(entry) {
                    met.cannot_take.push(what.clone());
                }
            }
        }
        expected &= judging.count(taker, what, differ);
    }
    expected
}

fn knows_more_than_tallies(entry: &Entry) -> bool {
    entry.keys != Keys::All || entry.total.is_some()
}

/// Whether all differences of a field, or all lone records, are within what an entry allows.
fn takes_all(entry: &Entry, field: Option<&FieldDifference>) -> bool {
    if knows_more_than_tallies(entry) || entry.most.is_none() {
        return !knows_more_than_tallies(entry);
    }
    let numeric = field.and_then(|field| Some((field, field.numeric.as_ref()?)));
    numeric.is_some_and(|(field, numeric)| {
        let exact = field.kind != Kind::Float || numeric.unit != Unit::Value;
        let within = |text: &str| entry.allows(delta_of(text, exact));
        numeric.values == field.differ
            && numeric.not_finite == 0
            && within(&numeric.smallest)
            && within(&numeric.largest)
    })
}

/// Events whose outcome differs, and where those are not known, codes that are not as frequent.
fn judge_outcomes(judging: &mut Judging, comparison: &Comparison) -> bool {
    let changed = comparison.outcomes.iter().flatten().map(|change| change.events).sum();
    let differ = if changed > 0 { changed } else { apart(&comparison.refusals) };
    counted(judging, "@outcomes", differ)
}

fn counted(judging: &mut Judging, what: &str, differ: u64) -> bool {
    let taker = judging.gate.entries.iter().position(|entry| entry.what.name == what);
    differ == 0 || judging.count(taker, what.to_owned(), differ)
}

fn apart(codes: &[CodeCount]) -> u64 {
    codes.iter().map(|code| code.a.abs_diff(code.b)).sum()
}

/// Whether an event with this outcome was seen under its key.
fn has_key(outcome: &NamedOutcome) -> bool {
    !matches!(outcome.what.as_str(), "malformed" | "ignored")
}
