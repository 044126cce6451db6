//! Where the differences come from: of the keys that differ, how many had an event of an input, a
//! rejection, a value in a field; and how many of the others. What holds for nearly all of the
//! first and few of the second explains them.

use super::align::Fields;
use super::divergence::{DivergenceTally, First, time_text};
use super::exact::ratio_text;
use super::judge::Rows;
use super::limits;
use super::model::{Attribution, Condition, Finding, NamedOutcome, Rejects};
use super::totals::slot;
use retally_core::log::Micros;
use retally_core::schema::{Kind, Value};
use std::collections::BTreeMap;

/// What is known of a key beside its rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyFacts<'a> {
    /// Inputs of which it had an event: bit `n` for [`Words::inputs`]`[n]`. None: not known.
    pub inputs: Option<u64>,
    /// Outcomes that its events had in either version: bit `n` for [`Words::outcomes`]`[n]`. None:
    /// not known.
    pub outcomes: Option<u64>,
    /// Its first diverging event. None: it has none, or it is not known.
    pub first: Option<First<'a>>,
}

/// What the bits of [`KeyFacts`] mean; at most [`limits::FACTS_MAX`] of each.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Names of inputs.
    pub inputs: Vec<String>,
    /// Outcomes other than applied.
    pub outcomes: Vec<NamedOutcome>,
    /// For each outcome how many keys have it, where equal keys were not all fed.
    pub outcome_keys: Option<Vec<u64>>,
    /// Earliest and latest time of the log's events, if known.
    pub span: Option<(Micros, Micros)>,
    /// What could not be looked at, as sentences.
    pub not_looked: Vec<String>,
}

/// How many keys have something: of those that differ, of the others.
type Pair = [u64; 2];

#[derive(Debug)]
pub(crate) struct AttributionTally {
    keys: Pair,
    inputs: Vec<Pair>,
    inputs_known: bool,
    outcomes: Vec<Pair>,
    outcomes_known: bool,
    /// Of each text and boolean field of the view: its pair, and the values of the rows.
    values: Vec<(usize, Option<Values>)>,
    changes: BTreeMap<(NamedOutcome, NamedOutcome), u64>,
}

/// Keys with a row without a value, and with each text.
#[derive(Debug, Default)]
struct Values {
    missing: Pair,
    texts: BTreeMap<String, Pair>,
}

impl AttributionTally {
    pub(crate) fn new(fields: &Fields) -> Self {
        let worded = |kind| matches!(kind, Kind::Text | Kind::Boolean);
        let pairs = fields.pairs.iter().enumerate().filter(|(_, pair)| worded(pair.kind_a));
        Self {
            keys: [0; 2],
            inputs: vec![[0; 2]; limits::FACTS_MAX],
            inputs_known: true,
            outcomes: vec![[0; 2]; limits::FACTS_MAX],
            outcomes_known: true,
            values: pairs.map(|(number, _)| (number, Some(Values::default()))).collect(),
            changes: BTreeMap::new(),
        }
    }

    pub(crate) fn skip(&mut self, keys: u64) {
        self.keys[1] += keys;
    }

    pub(crate) fn key(
        &mut self,
        fields: &Fields,
        differs: bool,
        (a, b): (Rows<'_>, Rows<'_>),
        facts: &KeyFacts<'_>,
        rejects: &Rejects,
    ) {
        let at = usize::from(!differs);
        self.keys[at] += 1;
        for (bits, known, counts) in [
            (facts.inputs, &mut self.inputs_known, &mut self.inputs),
            (facts.outcomes, &mut self.outcomes_known, &mut self.outcomes),
        ] {
            *known &= bits.is_some();
            let mut bits = bits.unwrap_or_default();
            while bits != 0 {
                counts[bits.trailing_zeros() as usize][at] += 1;
                bits &= bits - 1;
            }
        }
        for (number, values) in &mut self.values {
            let Some(held) = values else { continue };
            let pair = &fields.pairs[*number];
            // Of keys that do not differ the texts of A say it all.
            let of_b = if differs { texts(b, pair.b) } else { Some(Vec::new()) };
            let known = texts(a, pair.a).zip(of_b).is_some_and(|(of_a, of_b)| {
                // What a version made another of is the difference, not where it comes from.
                let one_sided = !differs || a.is_empty() || b.is_empty();
                let both = of_a.iter().filter(|text| one_sided || of_b.contains(text));
                let mut all = both.chain(of_b.iter().filter(|_| one_sided));
                // More values than a map holds tell nothing.
                all.all(|text| {
                    let counts = match *text {
                        Some(text) => slot(&mut held.texts, text, limits::CONDITION_VALUES_MAX),
                        None => Some(&mut held.missing),
                    };
                    counts.map(|counts| counts[at] += 1).is_some()
                })
            });
            if !known {
                *values = None;
            }
        }
        if let Some(First { outcomes: outcomes @ [Some(a), Some(b)], .. }) = facts.first
            && !rejects.same(a, b)
            && let [Some(a), Some(b)] = rejects.named(outcomes)
        {
            let keys = slot(&mut self.changes, &(a, b), limits::CHANGES_MAX);
            keys.into_iter().for_each(|keys| *keys += 1);
        }
    }

    /// What was found. `whole`: whether every key was fed.
    pub(crate) fn finish(
        self,
        fields: &Fields,
        divergences: &DivergenceTally,
        words: &Words,
        whole: bool,
    ) -> Attribution {
        let [changed, others] = self.keys;
        let mut findings = Vec::new();
        let mut add = |condition, with: u64, of: u64, others: Option<(u64, u64)>| {
            findings.extend(finding(condition, with, of, others));
        };
        for (input, [with, without]) in words.inputs.iter().zip(&self.inputs) {
            if self.inputs_known {
                let condition = Condition::HadInput { input: input.clone() };
                add(condition, *with, changed, whole.then_some((*without, others)));
            }
        }
        for (number, (outcome, [with, without])) in
            words.outcomes.iter().zip(&self.outcomes).enumerate()
        {
            let all = words.outcome_keys.as_ref().map(|all| all[number].saturating_sub(*with));
            // More than there are: some of them are in no view, and nobody knows how many.
            let all = all.filter(|all| *all <= others);
            let rest = if whole { Some(*without) } else { all };
            if self.outcomes_known && *with > 0 {
                let condition = Condition::HadOutcome { outcome: outcome.clone() };
                add(condition, *with, changed, rest.map(|rest| (rest, others)));
            }
        }
        for (number, values) in self.values {
            let field = &fields.pairs[number].name;
            let Some(Values { missing, texts }) = values else { continue };
            let texts = texts.into_iter().map(|(text, keys)| (Some(text), keys));
            for (value, [with, without]) in texts.chain([(None, missing)]) {
                let condition = Condition::FieldIs { field: field.clone(), value };
                add(condition, with, changed, whole.then_some((without, others)));
            }
        }
        let found = divergences.told.found;
        for (input, keys) in &divergences.by_input {
            if let Some(input) = input {
                add(Condition::FirstInput { input: input.clone() }, *keys, found, None);
            }
        }
        for ((a, b), keys) in self.changes {
            add(Condition::FirstChange { a, b }, keys, found, None);
        }
        if let Some((time, keys)) = begins(divergences, words.span) {
            let time = time_text(time);
            add(Condition::FirstFrom { time }, keys, found, None);
        }
        causes_first(&mut findings);
        findings.truncate(limits::CONDITIONS_TOLD);
        let findings = findings.into_iter().map(|(_, finding)| finding).collect();
        Attribution { changed, others, findings, not_looked: words.not_looked.clone() }
    }
}

/// Sorts by weight, and puts what happened before what came of it: what a key's rows hold at the
/// end never stands before the event with which as many keys or more begin to differ.
fn causes_first(findings: &mut [(f64, Finding)]) {
    let begins = |finding: &Finding| {
        matches!(finding.condition, Condition::FirstInput { .. } | Condition::FirstChange { .. })
    };
    let share = |of: &Finding| of.changed_with as f64 / of.changed.max(1) as f64;
    let causes: Vec<(f64, f64)> = findings
        .iter()
        .filter(|(_, finding)| begins(finding))
        .map(|(weight, finding)| (share(finding), *weight))
        .collect();
    let order = |(weight, finding): &(f64, Finding)| {
        let is_state = matches!(finding.condition, Condition::FieldIs { .. });
        let of_as_many = causes.iter().filter(|(own, _)| is_state && *own >= share(finding));
        of_as_many.map(|(_, cause)| *cause).reduce(f64::max).map_or(*weight, |w| w.min(*weight))
    };
    findings.sort_by(|a, b| {
        let (of_a, of_b) = (order(a), order(b));
        let by_cause = begins(&b.1).cmp(&begins(&a.1));
        let by_weight = b.0.total_cmp(&a.0);
        let by_name = a.1.condition.cmp(&b.1.condition);
        of_b.total_cmp(&of_a).then(by_cause).then(by_weight).then(by_name)
    });
}

/// The values of a field in a key's rows, each once. None: one is too long to tell anything.
fn texts(rows: Rows<'_>, field: usize) -> Option<Vec<Option<&str>>> {
    let text = |value| match value {
        Some(Value::Text(text)) if text.len() > limits::CONDITION_MAX_BYTES => None,
        Some(Value::Text(text)) => Some(Some(std::str::from_utf8(text).unwrap_or_default())),
        Some(Value::Boolean(true)) => Some(Some("true")),
        Some(Value::Boolean(false)) => Some(Some("false")),
        _ => Some(None),
    };
    let values = (0..rows.len()).map(|row| text(rows.get(row, field)));
    let mut all = values.collect::<Option<Vec<_>>>()?;
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// From when on nearly all keys diverge: the first day that has no more than two in a hundred
/// before it, if the log begins well before that day.
fn begins(divergences: &DivergenceTally, span: Option<(Micros, Micros)>) -> Option<(Micros, u64)> {
    let (first, last) = span?;
    let days = divergences.days();
    let all: u64 = days.values().sum();
    let mut before = 0;
    for (day, keys) in days {
        if (before + keys) * 50 > all {
            // A day among the first tenth of the log says no more than that the log has begun.
            let begun = day.saturating_sub(first) > last.saturating_sub(first) / 10;
            return begun.then_some((day, all - before));
        }
        before += keys;
    }
    None
}

/// A finding and its weight; none if it holds for few of the keys that differ, or for as many of
/// the others.
fn finding(
    condition: Condition,
    with: u64,
    of: u64,
    others: Option<(u64, u64)>,
) -> Option<(f64, Finding)> {
    // Weights only sort; every number that is shown is exact.
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let (own, rest) = (share(with, of), others.map_or(0.05, |(with, of)| share(with, of)));
    // Without others to compare with, only what holds for most is worth telling, and it weighs a
    // little less than what is known to hold for no other key.
    let least = if others.is_some() { 0.1 } else { 0.5 };
    if with == 0 || own < least || own <= rest * 1.2 {
        return None;
    }
    let lift = others.and_then(|(rest, all)| {
        let (own, whole) = (u128::from(with) * u128::from(all), u128::from(of) * u128::from(rest));
        ratio_text(own, whole, 2)
    });
    let finding = Finding {
        condition,
        changed_with: with,
        changed: of,
        others_with: others.map(|(with, _)| with),
        others: others.map(|(_, of)| of),
        share: ratio_text(with.into(), of.into(), 4)?,
        lift,
    };
    Some((own - rest, finding))
}
