//! How far a run agrees with results that somebody knows: rows and records that are right, other,
//! missing and extra, and of each field how many values are right.

use super::sentence::{has_view, names};
use super::span::{Sentence, counted, name, number, said};
use crate::number::{grouped, percent};
use retally_compare::model::{Comparison, FieldDifference, How, RowKey, Sets};

/// Fields of a table that make a sentence of their own; those that are right throughout share one.
const FIELDS_SAID: usize = 6;

/// The sentences; none where nothing known was compared.
pub(super) fn accuracy(c: &Comparison) -> Vec<Sentence> {
    if c.how != How::Known {
        return Vec::new();
    }
    let mut said = Vec::new();
    if has_view(c) {
        let rows = if all_of(c.rows) == 1 { "row" } else { "rows" };
        said.push(sets(c, (c.rows, 0), said![rows], c.fields.iter().any(is_tolerated)));
        let by: &[String] = match &c.view.row_key {
            Some(RowKey::Fields(fields)) => fields,
            _ => &[],
        };
        // Rows are paired by these: they can be nothing but right.
        let own = c.fields.iter().filter(|field| !by.contains(&field.name));
        said.extend(fields(own, "rows"));
    }
    for emit in &c.emits {
        if let Some(records) = emit.records {
            let what = if all_of(records) == 1 { "record of " } else { "records of " };
            let what = said![what, name(&emit.kind)];
            let is_tolerant = emit.fields.iter().any(is_tolerated);
            said.push(sets(c, (records, emit.doubled), what, is_tolerant));
            said.extend(fields(emit.fields.iter(), "records"));
        }
    }
    said
}

/// Whether a value is right by a tolerance alone.
fn is_tolerated(field: &FieldDifference) -> bool {
    field.tolerated.as_ref().is_some_and(|tolerated| tolerated.values > 0)
}

/// How many are known.
fn all_of(sets: Sets) -> u64 {
    sets.equal + sets.different + sets.only_b
}

/// What is known stands in the place of B.
fn sets(
    c: &Comparison,
    (sets, doubled): (Sets, u64),
    what: Sentence,
    is_tolerant: bool,
) -> Sentence {
    let [run, known] = names(c).map(name);
    let all = all_of(sets);
    let share = percent(sets.equal, all);
    let mut said = said!["Of ", number(grouped(all)), " ", what, " in ", known, " "];
    said = said.with(number(grouped(sets.equal)));
    let within = if is_tolerant { " within the tolerance" } else { "" };
    said = said.with(format!(" {} right{within} ({share})", are(sets.equal)));
    let others = [(sets.different, "different"), (sets.only_b, "missing"), (doubled, "doubled")];
    for (count, word) in others.into_iter().filter(|(count, _)| *count > 0) {
        said = said![said, ", ", number(grouped(count)), format!(" {} {word}", are(count))];
    }
    if sets.only_a > 0 {
        said = said![said, "; ", run, " has ", number(grouped(sets.only_a)), " extra"];
    }
    said.with(".")
}

fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// Fields that differ, one by one, and those that are right throughout.
fn fields<'a>(fields: impl Iterator<Item = &'a FieldDifference>, what: &str) -> Vec<Sentence> {
    let compared = fields.filter(|field| field.compared > 0);
    let (wrong, right): (Vec<_>, Vec<_>) =
        compared.partition(|field| field.differ > 0 || is_tolerated(field));
    let sentence = |field: &FieldDifference| {
        let (right, all) = (field.compared - field.differ, field.compared);
        let within = field.tolerated.as_ref().filter(|tolerated| tolerated.values > 0);
        let within = within.map(|tolerated| {
            said![", ", number(grouped(tolerated.values)), " of them within the tolerance"]
        });
        let share = said![format!(" {what} ({})", percent(right, all)), within, "."];
        let [right, all] = [right, all].map(|count| number(grouped(count)));
        said![name(&field.name), " is right in ", right, " of ", all, share]
    };
    let more = wrong.len().saturating_sub(FIELDS_SAID);
    let mut said: Vec<Sentence> = wrong.into_iter().take(FIELDS_SAID).map(sentence).collect();
    if more > 0 {
        said.push(counted(
            more as u64,
            "more field is not the same.",
            "more fields are not the same.",
        ));
    }
    if let Some(first) = right.first() {
        let names = right.iter().map(|field| name(&field.name).into());
        let names = Sentence::listed(names, usize::MAX);
        let all = format!(" {} right in all ", are(right.len() as u64));
        let compared = number(grouped(first.compared));
        said.push(said![names, all, compared, format!(" {what}.")]);
    }
    said
}
