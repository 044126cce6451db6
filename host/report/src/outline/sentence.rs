//! What a comparison came to, in sentences: the same for every reader.

use super::first::words;
use super::span::{Sentence, Span, counted, name, number, said};
use super::time::{moment, told};
use crate::number::{grouped, percent, signed, thousands, times, trimmed};
use retally_compare::model::{
    Comparison, Condition, FieldDifference, Finding, How, NamedOutcome, Place, Transitions, Unit,
    ValueDifference, Verdict,
};
use retally_core::schema::Kind;

/// Fields whose changes of values make a sentence of their own, and changes that it names.
const CHANGES_SAID: usize = 2;
const VALUES_SAID: usize = 3;

/// Sentences about what differs on the way alone.
const ON_THE_WAY_SAID: usize = 3;

/// What the two sides are called; never the same.
pub(super) fn names(c: &Comparison) -> [String; 2] {
    match c.a.label == c.b.label {
        true => [format!("{} (A)", c.a.label), format!("{} (B)", c.b.label)],
        false => [c.a.label.clone(), c.b.label.clone()],
    }
}

/// The same in sentences and over columns.
pub(super) fn sides(c: &Comparison) -> [Span; 2] {
    names(c).map(name)
}

pub(super) fn verdict(c: &Comparison) -> Sentence {
    let [a, b] = sides(c);
    let (differ, all) = (c.keys.differing(), c.keys.all());
    if !has_view(c) {
        return of_records(c, a.into(), b.into());
    }
    if c.verdict == Verdict::Same {
        let agree = match c.how {
            How::Known => said![a, " agrees with ", b],
            _ if c.tolerated().next().is_some() => said![b, " agrees with ", a],
            _ => said![b, " gives the same results as ", a],
        };
        let all = said![counted(all, "key", "keys")];
        let by = if c.read.by_digest { ", by their digests." } else { "." };
        return nothing_differs(c, agree, all.with(by));
    }
    if differ == 0 {
        let all = said![" for all ", counted(all, "key", "keys")];
        let but = ", but not everything on the way there is the same.";
        return said![b, " ends with the same results as ", a, all, but];
    }
    let differs = match c.how {
        How::Known => said![a, " does not agree with ", b],
        _ => said![b, " gives other results than ", a],
    };
    let share = format!(" ({}).", percent(differ, all));
    let all = counted(all, "key", "keys");
    said![differs, " for ", number(grouped(differ)), " of ", all, share]
}

/// Whether views were compared: known results may be of emits alone.
pub(super) fn has_view(c: &Comparison) -> bool {
    c.how != How::Known || c.b.known.iter().any(|file| file.of == Place::View)
}

fn of_records(c: &Comparison, a: Sentence, b: Sentence) -> Sentence {
    let own = || c.emits.iter().filter_map(|emit| Some((emit.records?, emit.doubled)));
    let all = own().map(|(sets, _)| sets.all()).sum();
    let differ: u64 = own().map(|(sets, doubled)| sets.differing() + doubled).sum();
    if differ == 0 {
        let all = counted(all, "record.", "records.");
        return nothing_differs(c, said![a, " agrees with ", b], all);
    }
    let are = if differ == 1 { " differs or is doubled." } else { " differ or are doubled." };
    let all = counted(all, "record", "records");
    said![a, " does not agree with ", b, ": of ", all, " ", number(grouped(differ)), are]
}

fn nothing_differs(c: &Comparison, agree: Sentence, all: Sentence) -> Sentence {
    let more = c.tolerated().next().map(|_| said![" by more than a tolerance allows"]);
    said!["Nothing that was compared differs", more, ": ", agree, " for all ", all]
}

/// What differs although the results at the end do not.
fn on_the_way(c: &Comparison) -> Vec<Sentence> {
    let mut all = Vec::new();
    for emit in &c.emits {
        if let Some(differing @ 1..) = emit.records.map(|records| records.differing()) {
            let differ = if differing == 1 { " differs." } else { " differ." };
            let records = counted(differing, "record", "records");
            all.push(said![records, " of ", name(&emit.kind), differ]);
        }
    }
    let events: u64 = c.outcomes.iter().flatten().map(|change| change.events).sum();
    if events > 0 {
        let have = if events == 1 { " has another outcome." } else { " have another outcome." };
        all.push(said![counted(events, "event", "events"), have]);
    }
    for count in c.refusals.iter().chain(&c.violations).filter(|count| count.a != count.b) {
        let what = NamedOutcome { what: count.what.clone(), code: count.code.clone() };
        let [a, b] = [count.a, count.b].map(|count| number(grouped(count)));
        all.push(said![name(what.to_string()), ": ", a, " became ", b, "."]);
    }
    all
}

/// How texts and the like change: the most frequent changes of the fields that differ most.
pub(super) fn changes(c: &Comparison) -> Vec<Sentence> {
    let own = c.fields.iter().filter_map(|field| Some((field, field.transitions.as_ref()?)));
    let mut own: Vec<_> = own.filter(|(_, changes)| !changes.list.is_empty()).collect();
    // A stable sort: of two that differ as often the first declared stands first.
    own.sort_by_key(|(field, _)| std::cmp::Reverse(field.differ));
    own.truncate(CHANGES_SAID);
    let side = |value: &Option<String>| match value {
        Some(value) => said![name(value)],
        None => said!["none"],
    };
    let sentence = |(field, changes): (&FieldDifference, &Transitions)| {
        let rows = counted(field.differ, "row", "rows");
        let mut said = said![name(&field.name), " changes in ", rows];
        for (place, change) in changes.list.iter().take(VALUES_SAID).enumerate() {
            let (from, to) = (side(&change.from), side(&change.to));
            let begin = if place == 0 { ": from " } else { ", from " };
            let values = number(grouped(change.values));
            said = said.with(said![begin, from, " to ", to, " in ", values]);
        }
        let is_more = changes.list.len() > VALUES_SAID || changes.others > 0;
        said.with(if is_more { ", and others." } else { "." })
    };
    own.into_iter().map(sentence).collect()
}

fn since(c: &Comparison) -> Option<Sentence> {
    let d = &c.divergences;
    let (first, last, step) = (d.over_time.first()?, d.over_time.last()?, d.step?);
    let [first, last] = [first, last].map(|bucket| number(moment(&bucket.from, step)));
    let (_, on, _) = told(step);
    let words = words(c);
    let (begins, last) = match first == last {
        true => (words.all, said![]),
        false => (words.first, said![format!(", the last {on}"), last]),
    };
    Some(said![format!("By event time {begins} {on}"), first, last, words.before, "."])
}

/// The findings that explain something: a share of the changed keys that is held against nothing,
/// because of the rest it was not read, may be that of all keys.
pub(super) fn findings(c: &Comparison) -> impl Iterator<Item = &Finding> {
    let told = |finding: &&Finding| !is_alone(finding) && !is_few_of_all(finding);
    c.attribution.findings.iter().filter(told)
}

/// Where all keys changed, what few of them have sets them apart from nothing.
pub(super) fn is_few_of_all(finding: &Finding) -> bool {
    finding.others == Some(0) && finding.changed_with.saturating_mul(2) < finding.changed
}

fn is_alone(finding: &Finding) -> bool {
    let is_of_a_key = matches!(
        finding.condition,
        Condition::HadInput { .. } | Condition::HadOutcome { .. } | Condition::FieldIs { .. }
    );
    is_of_a_key && finding.others.is_none()
}

/// Whether a finding also counts the keys that differed on the way alone, so that they are more
/// than those that the verdict names.
pub(super) fn counts_on_the_way(c: &Comparison, finding: &Finding) -> bool {
    finding.changed > c.keys.differing()
}

/// What a differing key is likely to have, and how much more often than the rest.
pub(super) fn finding(c: &Comparison, finding: &Finding) -> Sentence {
    let share = number(percent(finding.changed_with, finding.changed));
    let keys = match counts_on_the_way(c, finding) {
        true => " of the keys that differ at some time ",
        false => " of the changed keys ",
    };
    let rest = match (&finding.lift, finding.others_with, finding.others) {
        (Some(lift), ..) => said![" (", number(times(lift)), " times as often as the rest)."],
        (None, _, Some(0)) => said![" (there are no others)."],
        (None, Some(0), _) => said![" (and none of the rest)."],
        // A share that nothing is held against explains nothing.
        _ if is_alone(finding) => said![" (of the rest this was not read)."],
        _ => said!["."],
    };
    said![share, keys, condition(c, &finding.condition), rest]
}

fn condition(c: &Comparison, condition: &Condition) -> Sentence {
    // In one pass nothing is noted of a key behind the event at which its sides part.
    let had = match c.how {
        How::OnePass => "had, up to where they parted, an event ",
        How::Runs | How::Known => "had an event ",
    };
    let begin = words(c).begin;
    match condition {
        Condition::HadInput { input } => said![had, "of type ", name(input)],
        Condition::HadOutcome { outcome } => {
            said![had, "that was ", name(outcome.to_string())]
        }
        Condition::FieldIs { field, value: Some(value) } => {
            said!["have ", name(field), " = ", name(value)]
        }
        Condition::FieldIs { field, value: None } => said!["have a row without ", name(field)],
        Condition::FirstInput { input } => {
            said![begin, " with an event of type ", name(input)]
        }
        Condition::FirstChange { a, b } => {
            let [a, b] = [a, b].map(|outcome| name(outcome.to_string()));
            said![begin, " with an event that was ", a, " and is ", b]
        }
        Condition::FirstFrom { time } => {
            let day = time.strip_suffix("T00:00:00Z").unwrap_or(time);
            said![begin, " on or after ", number(day)]
        }
    }
}

/// What of the summary stands behind totals and changes.
pub(super) fn why(c: &Comparison) -> Vec<Sentence> {
    let mut said = Vec::new();
    if c.verdict == Verdict::Different && c.keys.differing() == 0 && c.how != How::Known {
        said.extend(on_the_way(c).into_iter().take(ON_THE_WAY_SAID));
    }
    said.extend(since(c));
    said
}

/// A value of one side: a number with its thousands apart, as its difference has them.
pub(super) fn shown(c: &Comparison, of: &ValueDifference, text: &str) -> String {
    let kind = c.fields.iter().find(|field| field.name == of.field).map(|field| field.kind);
    match kind {
        Some(Kind::Integer | Kind::Decimal { .. } | Kind::Float) => thousands(text),
        _ => text.to_owned(),
    }
}

/// The difference with its unit, of a field whose differences are not of its own kind.
pub(super) fn with_unit(text: &str, unit: Unit) -> String {
    match unit {
        Unit::Value => signed(text),
        Unit::Seconds => format!("{} s", signed(trimmed(text))),
        Unit::Days => format!("{} d", signed(text)),
    }
}
