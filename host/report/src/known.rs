//! How far a run agrees with results that somebody knows: rows and records that are right, other,
//! missing and extra, and of each field how many values are right.

use crate::number::{grouped, percent};
use crate::sentence::{Sentence, names};
use retally_compare::model::{Comparison, FieldDifference, How, RowKey, Sets};

/// Fields of a table that make a sentence of their own; those that are right throughout share one.
const FIELDS_SAID: usize = 6;

/// The sentences; none where nothing known was compared.
pub(crate) fn accuracy(c: &Comparison) -> Vec<Sentence> {
    if c.how != How::Known {
        return Vec::new();
    }
    let mut said = Vec::new();
    if crate::sentence::has_view(c) {
        said.push(sets(c, c.rows, 0, Sentence::default().text("rows")));
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
            let what = Sentence::default().text("records of ").value(&emit.kind);
            said.push(sets(c, records, emit.doubled, what));
            said.extend(fields(emit.fields.iter(), "records"));
        }
    }
    said
}

/// What is known stands in the place of B.
fn sets(c: &Comparison, sets: Sets, doubled: u64, what: Sentence) -> Sentence {
    let (run, known) = names(c);
    let all = sets.equal + sets.different + sets.only_b;
    let mut said = Sentence::default().text("Of ").number(grouped(all)).text(" ").then(what);
    said = said.text(" in ").value(known).text(" ").number(grouped(sets.equal));
    let share = percent(sets.equal, all);
    said = said.text(format!(" {} right ({share})", are(sets.equal)));
    let others = [(sets.different, "different"), (sets.only_b, "missing"), (doubled, "doubled")];
    for (count, word) in others.into_iter().filter(|(count, _)| *count > 0) {
        said = said.text(", ").number(grouped(count)).text(format!(" {} {word}", are(count)));
    }
    if sets.only_a > 0 {
        said = said.text("; ").value(run).text(" has ").number(grouped(sets.only_a));
        said = said.text(" extra");
    }
    said.text(".")
}

fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// Fields that differ, one by one, and those that are right throughout.
fn fields<'a>(fields: impl Iterator<Item = &'a FieldDifference>, what: &str) -> Vec<Sentence> {
    let compared = fields.filter(|field| field.compared > 0);
    let (wrong, right): (Vec<_>, Vec<_>) = compared.partition(|field| field.differ > 0);
    let sentence = |field: &FieldDifference| {
        let (right, all) = (field.compared - field.differ, field.compared);
        let said = Sentence::default().value(&field.name).text(" is right in ");
        let said = said.number(grouped(right)).text(" of ").number(grouped(all));
        said.text(format!(" {what} ({}).", percent(right, all)))
    };
    let more = wrong.len().saturating_sub(FIELDS_SAID);
    let mut said: Vec<Sentence> = wrong.into_iter().take(FIELDS_SAID).map(sentence).collect();
    if more > 0 {
        said.push(Sentence::default().count(
            more as u64,
            "more field differs.",
            "more fields differ.",
        ));
    }
    if let Some(first) = right.first() {
        let names = right.iter().map(|field| &field.name);
        let all = Sentence::default().listed(names, right.len());
        let all = all.text(format!(" {} right in all ", are(right.len() as u64)));
        said.push(all.number(grouped(first.compared)).text(format!(" {what}.")));
    }
    said
}
