//! What a comparison came to, in sentences: the same for every reader. A sentence keeps apart what
//! we say, what is a number, and what came from elsewhere, so that each report can mark and escape
//! it as it must.

use crate::groups::{is_count, same};
use crate::known::accuracy;
use crate::number::{
    compare_size, grouped, is_negative, is_zero, percent, signed, size, thousands, times,
};
use retally_compare::model::{
    Comparison, Condition, Fate, FieldDifference, Finding, Group, Groups, How, Place, RowKey,
    TimeStep, Total, Transitions, ValueDifference, Verdict,
};
use retally_core::schema::Kind;

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Ours.
    Text(String),
    /// A number, which a reader looks for.
    Number(String),
    /// A name or a value from a log, a reducer or a file.
    Value(String),
}

/// A sentence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentence(pub Vec<Part>);

impl Sentence {
    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Text(text.into()));
        self
    }

    pub(crate) fn number(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Number(text.into()));
        self
    }

    pub(crate) fn value(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Value(text.into()));
        self
    }

    pub(crate) fn count(self, count: u64, one: &str, many: &str) -> Self {
        self.number(grouped(count)).text(format!(" {}", if count == 1 { one } else { many }))
    }

    /// Names, the last of `all` behind an "and".
    pub(crate) fn listed<'a>(
        mut self,
        names: impl Iterator<Item = &'a String>,
        all: usize,
    ) -> Self {
        for (number, name) in names.enumerate() {
            self = match number {
                0 => self,
                number if number + 1 == all => self.text(" and "),
                _ => self.text(", "),
            };
            self = self.value(name);
        }
        self
    }

    /// Goes on with another.
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The whole sentence, each part as `write` writes it.
    pub fn render(&self, write: impl FnMut(&Part) -> String) -> String {
        self.0.iter().map(write).collect()
    }
}

/// Fields whose totals make a sentence of their own.
const TOTALS_SAID: usize = 3;

/// Fields whose changes of values make a sentence of their own, and changes that it names.
const CHANGES_SAID: usize = 2;
const VALUES_SAID: usize = 3;

/// Groups that a sentence names.
const GROUPS_SAID: usize = 4;

/// What the two sides are called; never the same.
#[must_use]
pub fn names(c: &Comparison) -> (String, String) {
    match c.a.label == c.b.label {
        true => (format!("{} (A)", c.a.label), format!("{} (B)", c.b.label)),
        false => (c.a.label.clone(), c.b.label.clone()),
    }
}

/// The answer, in one sentence.
#[must_use]
pub fn verdict(c: &Comparison) -> Sentence {
    let (a, b) = names(c);
    let (differ, all) = (c.keys.differing(), c.keys.all());
    if !has_view(c) {
        return of_records(c, a, b);
    }
    if c.verdict == Verdict::Same {
        let said = Sentence::default().text("Nothing that was compared differs: ");
        return match c.how {
            How::Known => said.value(a).text(" agrees with ").value(b),
            _ => said.value(b).text(" gives the same results as ").value(a),
        }
        .text(" for all ")
        .count(all, "key.", "keys.");
    }
    if differ == 0 {
        let said = Sentence::default().value(b).text(" ends with the same results as ").value(a);
        let said = said.text(" for all ").count(all, "key", "keys");
        return said.text(", but not everything on the way there is the same.");
    }
    let said = match c.how {
        How::Known => Sentence::default().value(a).text(" does not agree with ").value(b),
        _ => Sentence::default().value(b).text(" gives other results than ").value(a),
    };
    let said = said.text(" for ").number(grouped(differ)).text(" of ");
    said.count(all, "key", "keys").text(format!(" ({}).", percent(differ, all)))
}

/// Whether views were compared: known results may be of emits alone.
#[must_use]
pub fn has_view(c: &Comparison) -> bool {
    c.how != How::Known || c.b.known.iter().any(|file| file.of == Place::View)
}

/// The answer where records alone were compared.
fn of_records(c: &Comparison, a: String, b: String) -> Sentence {
    let own = || c.emits.iter().filter_map(|emit| Some((emit.records?, emit.doubled)));
    let all = own().map(|(sets, _)| sets.all()).sum();
    let differ: u64 = own().map(|(sets, doubled)| sets.differing() + doubled).sum();
    if differ == 0 {
        let said = Sentence::default().text("Nothing that was compared differs: ").value(a);
        return said
            .text(" agrees with ")
            .value(b)
            .text(" for all ")
            .count(all, "record.", "records.");
    }
    let said = Sentence::default().value(a).text(" does not agree with ").value(b).text(": of ");
    let said = said.count(all, "record", "records").text(" ").number(grouped(differ));
    said.text(if differ == 1 { " differs or is doubled." } else { " differ or are doubled." })
}

/// What differs although the results at the end do not.
#[must_use]
pub fn on_the_way(c: &Comparison) -> Vec<Sentence> {
    let mut said = Vec::new();
    for emit in &c.emits {
        let Some(records) = emit.records.filter(|records| records.differing() > 0) else {
            continue;
        };
        let line = Sentence::default().count(records.differing(), "record", "records");
        let differ = if records.differing() == 1 { " differs." } else { " differ." };
        said.push(line.text(" of ").value(&emit.kind).text(differ));
    }
    let events: u64 = c.outcomes.iter().flatten().map(|change| change.events).sum();
    if events > 0 {
        let line = Sentence::default().count(events, "event", "events");
        said.push(line.text(if events == 1 {
            " has another outcome."
        } else {
            " have another outcome."
        }));
    }
    for count in c.refusals.iter().chain(&c.violations).filter(|count| count.a != count.b) {
        let what = Fate { what: count.what.clone(), code: count.code.clone() };
        let line = Sentence::default().value(what.to_string()).text(": ");
        let line = line.number(grouped(count.a)).text(" became ").number(grouped(count.b));
        said.push(line.text("."));
    }
    said
}

/// Totals of the view that a reader asks for first: of decimal fields that differ, then of whole
/// numbers. That none differs is an answer too, where anything does.
#[must_use]
pub fn totals(c: &Comparison) -> Vec<Sentence> {
    if c.verdict == Verdict::Same {
        return Vec::new();
    }
    let view: Vec<&Total> = c.totals.iter().filter(|total| total.of == Place::View).collect();
    let moves = |total: &&&Total| !is_zero(&total.difference) || differs(c, &total.field);
    let mut first: Vec<&Total> = view.iter().filter(moves).copied().collect();
    if first.is_empty() {
        return no_total(&view).into_iter().collect();
    }
    // What changes in sum stands before what cancels out, money before counts.
    first.sort_by_key(|total| (is_zero(&total.difference), is_count(total)));
    first.truncate(TOTALS_SAID);
    first.into_iter().map(|total| total_sentence(total, c)).collect()
}

fn no_total(view: &[&Total]) -> Option<Sentence> {
    if view.is_empty() {
        return None;
    }
    let names = view.iter().map(|total| &total.field).take(GROUPS_SAID + 1);
    let mut said = Sentence::default().text("No total differs: ").listed(names, view.len());
    let more = view.len().saturating_sub(GROUPS_SAID + 1);
    if more > 0 {
        said = said.text(format!(" and {} more", grouped(more as u64)));
    }
    Some(said.text(if view.len() == 1 { " is the same." } else { " are the same." }))
}

/// How texts and the like change: the most frequent changes of the fields that differ most.
#[must_use]
pub fn changes(c: &Comparison) -> Vec<Sentence> {
    let own = c.fields.iter().filter_map(|field| Some((field, field.transitions.as_ref()?)));
    let mut own: Vec<_> = own.filter(|(_, changes)| !changes.list.is_empty()).collect();
    // A stable sort: of two that differ as often the first declared stands first.
    own.sort_by_key(|(field, _)| std::cmp::Reverse(field.differ));
    own.truncate(CHANGES_SAID);
    let side = |said: Sentence, value: &Option<String>| match value {
        Some(value) => said.value(value),
        None => said.text("none"),
    };
    let sentence = |(field, changes): (&FieldDifference, &Transitions)| {
        let said = Sentence::default().value(&field.name).text(" changes in ");
        let mut said = said.count(field.differ, "row", "rows");
        for (number, change) in changes.list.iter().take(VALUES_SAID).enumerate() {
            said = side(said.text(if number == 0 { ": from " } else { ", from " }), &change.from);
            said = side(said.text(" to "), &change.to).text(" in ").number(grouped(change.values));
        }
        let is_more = changes.list.len() > VALUES_SAID || changes.others > 0;
        said.text(if is_more { ", and others." } else { "." })
    };
    own.into_iter().map(sentence).collect()
}

fn differs(c: &Comparison, field: &str) -> bool {
    c.fields.iter().any(|f| f.name == field && f.differ > 0)
}

fn total_sentence(total: &Total, c: &Comparison) -> Sentence {
    if let Some(groups) = &c.groups
        && let Some(said) = group_sentence(total, groups)
    {
        return said;
    }
    let said = Sentence::default().value(&total.field);
    if is_zero(&total.difference) {
        return said.text(" differs, and the differences add up to zero.");
    }
    let said = match c.how {
        How::Known => said.text(" of ").value(&c.b.label).text(" is "),
        How::OnePass | How::Runs => said.text(" is "),
    };
    let said = said.text(direction(&total.difference)).number(size(&total.difference));
    let said = match &c.view.row_key {
        // A sum over all currencies had better say so.
        Some(RowKey::Fields(fields)) if !fields.is_empty() => {
            said.text(" over every ").value(fields.join(", "))
        }
        _ => said.text(" in total"),
    };
    match (&total.a, &total.b) {
        (Some(a), Some(b)) => {
            said.text(": ").number(thousands(b)).text(" instead of ").number(thousands(a)).text(".")
        }
        _ => said.text("."),
    }
}

fn direction(difference: &str) -> &'static str {
    if is_negative(difference) { "lower by " } else { "higher by " }
}

/// Per group, because a sum over all of them may add what does not belong together.
fn group_sentence(total: &Total, groups: &Groups) -> Option<Sentence> {
    let own = |group: &Group| same(group, total).map(|total| total.difference.clone());
    let all = groups.groups.iter().filter_map(|group| Some((group.value.clone(), own(group)?)));
    let mut all: Vec<(Option<String>, String)> = all.collect();
    if all.is_empty() {
        return None;
    }
    all.retain(|(_, difference)| !is_zero(difference));
    // A stable sort: equals stay in the order of their values.
    all.sort_by(|a, b| compare_size(&b.1, &a.1));
    let mut said = Sentence::default().value(&total.field);
    if all.is_empty() && groups.others.is_none() {
        said = said.text(" differs, and the differences add up to zero in every ");
        return Some(said.value(&groups.by).text("."));
    }
    let mut before = None;
    for (value, difference) in all.iter().take(GROUPS_SAID) {
        let now = direction(difference);
        said = match before {
            None => said.text(" is ").text(now),
            Some(before) if before == now => said.text(", by "),
            Some(_) => said.text(", ").text(now),
        };
        before = Some(now);
        said = said.number(size(difference)).text(" for ");
        said = match value {
            Some(value) => said.value(value),
            None => said.text("rows without ").value(&groups.by),
        };
    }
    let more = all.len().saturating_sub(GROUPS_SAID);
    if more > 0 {
        said = said.text(format!(", and differs for {} more", grouped(more as u64)));
    }
    Some(said.text("."))
}

/// When the keys part, over event time.
#[must_use]
pub fn since(c: &Comparison) -> Option<Sentence> {
    let d = &c.divergences;
    let (first, last, step) = (d.over_time.first()?, d.over_time.last()?, d.step?);
    let (first, last) = (moment(&first.from, step), moment(&last.from, step));
    let said = Sentence::default();
    Some(
        match first == last {
            true => {
                said.text(format!("By event time all differences begin {}", on(step))).number(first)
            }
            false => {
                let said = said.text("By event time the first difference begins ");
                let said = said.text(on(step)).number(first).text(", the last ");
                said.text(on(step)).number(last)
            }
        }
        .text("."),
    )
}

fn on(step: TimeStep) -> &'static str {
    match step {
        TimeStep::Minute | TimeStep::Hour => "at ",
        TimeStep::Day => "on ",
        TimeStep::Month | TimeStep::Year => "in ",
    }
}

/// A moment as precise as its step.
#[must_use]
pub fn moment(rfc3339: &str, step: TimeStep) -> String {
    let chars = match step {
        TimeStep::Minute | TimeStep::Hour => 16,
        TimeStep::Day => 10,
        TimeStep::Month => 7,
        TimeStep::Year => 4,
    };
    rfc3339.get(..chars).unwrap_or(rfc3339).replacen('T', " ", 1)
}

/// The findings that explain something: a share of the changed keys that is held against nothing,
/// because of the rest it was not read, may be that of all keys.
pub fn findings(c: &Comparison) -> impl Iterator<Item = &Finding> {
    let told = |finding: &&Finding| !is_alone(finding) && !is_few_of_all(finding);
    c.attribution.findings.iter().filter(told)
}

/// Where all keys changed, what few of them have sets them apart from nothing.
pub(crate) fn is_few_of_all(finding: &Finding) -> bool {
    finding.others == Some(0) && finding.changed_with.saturating_mul(2) < finding.changed
}

fn is_alone(finding: &Finding) -> bool {
    let is_of_a_key = matches!(
        finding.condition,
        Condition::HadInput { .. } | Condition::HadFate { .. } | Condition::FieldIs { .. }
    );
    is_of_a_key && finding.others.is_none()
}

/// Whether a finding also counts the keys that differed on the way alone, so that they are more
/// than those that the verdict names.
pub(crate) fn counts_on_the_way(c: &Comparison, finding: &Finding) -> bool {
    finding.changed > c.keys.differing()
}

/// What a differing key is likely to have, and how much more often than the rest.
#[must_use]
pub fn finding(c: &Comparison, finding: &Finding) -> Sentence {
    let said = Sentence::default().number(percent(finding.changed_with, finding.changed));
    let keys = match counts_on_the_way(c, finding) {
        true => " of the keys that differ at some time ",
        false => " of the changed keys ",
    };
    let said = condition(said.text(keys), &finding.condition);
    match (&finding.lift, finding.others_with, finding.others) {
        (Some(lift), ..) => {
            said.text(" (").number(times(lift)).text(" times as often as the rest).")
        }
        (None, _, Some(0)) => said.text(" (there are no others)."),
        (None, Some(0), _) => said.text(" (and none of the rest)."),
        // A share that nothing is held against explains nothing.
        _ if is_alone(finding) => said.text(" (of the rest this was not read)."),
        _ => said.text("."),
    }
}

fn condition(said: Sentence, condition: &Condition) -> Sentence {
    match condition {
        Condition::HadInput { input } => said.text("had a ").value(input).text(" event"),
        Condition::HadFate { fate } => said.text("had an event that was ").value(fate.to_string()),
        Condition::FieldIs { field, value: Some(value) } => {
            said.text("have ").value(field).text(" = ").value(value)
        }
        Condition::FieldIs { field, value: None } => said.text("have a row without ").value(field),
        Condition::FirstInput { input } => {
            said.text("begin to differ with a ").value(input).text(" event")
        }
        Condition::FirstChange { a, b } => {
            let said = said.text("begin to differ with an event that was ").value(a.to_string());
            said.text(" and is ").value(b.to_string())
        }
        Condition::FirstFrom { time } => {
            let day = time.strip_suffix("T00:00:00Z").unwrap_or(time);
            said.text("begin to differ on or after ").number(day)
        }
    }
}

/// The few sentences that go with the verdict: totals, what else changes, since when, why.
#[must_use]
pub fn summary(c: &Comparison) -> Vec<Sentence> {
    let mut said = accuracy(c);
    said.extend(totals(c));
    said.extend(changes(c));
    said.extend(why(c));
    said
}

/// What of the summary stands behind totals and changes.
#[must_use]
pub fn why(c: &Comparison) -> Vec<Sentence> {
    let mut said = Vec::new();
    if c.verdict == Verdict::Different && c.keys.differing() == 0 && c.how != How::Known {
        said.extend(on_the_way(c).into_iter().take(TOTALS_SAID));
    }
    said.extend(since(c));
    said.extend(findings(c).next().map(|first| finding(c, first)));
    said
}

/// A value of one side: a number with its thousands apart, as its difference has them.
#[must_use]
pub fn shown(c: &Comparison, of: &ValueDifference, text: &str) -> String {
    let kind = c.fields.iter().find(|field| field.name == of.field).map(|field| field.kind);
    match kind {
        Some(Kind::Integer | Kind::Decimal { .. } | Kind::Float) => thousands(text),
        _ => text.to_owned(),
    }
}

/// The difference with its unit, of a field whose differences are not of its own kind.
#[must_use]
pub fn with_unit(text: &str, unit: retally_compare::model::Unit) -> String {
    use retally_compare::model::Unit;
    match unit {
        Unit::Value => signed(text),
        Unit::Seconds => format!("{} s", signed(crate::number::trimmed(text))),
        Unit::Days => format!("{} d", signed(text)),
    }
}
