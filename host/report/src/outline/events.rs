//! What happened on the way: records emitted, events with another outcome, refusals and
//! violations by code.

use super::block::{Block, Table, head, left, right};
use super::fields::{LINES_MAX, and_more, of_records};
use super::sentence::sides;
use super::span::{Difference, Sentence, Span, count, missing, name, said};
use super::summary::alone;
use super::{PAGE, SHEETS, Section, TERMINAL};
use crate::number::{counted, grouped};
use retally_compare::model::{
    CodeCount, Comparison, EmitDifference, OutcomeChange, Presence, Verdict,
};

/// Rows of a table, and kinds whose fields are told.
const ROWS_MAX: usize = 100;
const FIELDS_MAX: usize = 12;

pub(super) fn emits(c: &Comparison, to: &mut Section) {
    if c.verdict == Verdict::Different {
        let lines = c.emits.iter().take(LINES_MAX).filter_map(|emit| line(c, emit));
        to.put(TERMINAL, Block::Lines(lines.collect()));
    }
    if c.emits.is_empty() {
        return;
    }
    let lead = "Records that the reducers write for an event. A record is known by its event, its \
                kind and its number.";
    to.put(PAGE, Block::Lead(lead.into()));
    let [a, b] = sides(c).map(|side| said!["Only ", side]);
    let columns = [
        head("Kind"),
        right("Different"),
        right(a),
        right(b),
        right("Doubled"),
        right("Equal"),
        left("Fields that differ"),
    ];
    let rows = c.emits.iter().map(|emit| row(c, emit));
    to.put(SHEETS, Block::Table(Table::new("", columns, rows, (ROWS_MAX, "emit kinds"))));
    for emit in c.emits.iter().take(FIELDS_MAX) {
        if emit.fields.iter().any(|field| field.differ > 0) {
            let title = said!["Fields of ", name(&emit.kind)];
            to.put(PAGE, Block::Fold(title, of_records(&emit.fields)));
        }
    }
}

fn line(c: &Comparison, emit: &EmitDifference) -> Option<Sentence> {
    let records = emit.records.filter(|records| records.differing() + emit.doubled > 0)?;
    let [differ, all] = [records.differing(), records.all()].map(grouped);
    let of_one = match emit.declared {
        Presence::Both => None,
        Presence::OnlyA => Some("A"),
        Presence::OnlyB => Some("B"),
    };
    if let Some(side) = of_one {
        let records = counted(records.all(), "record");
        return Some(said![
            "emit ",
            name(&emit.kind),
            format!(": {records}, a kind of {side} alone")
        ]);
    }
    let mut says = said!["emit ", name(&emit.kind), format!(": {differ} of {all} records differ")];
    let [in_a, in_b] = alone(c);
    let others = [(in_a, records.only_a), (in_b, records.only_b), ("doubled", emit.doubled)];
    for (what, count) in others.into_iter().filter(|(_, count)| *count > 0) {
        says = says.with(format!(", {} {what}", grouped(count)));
    }
    Some(says)
}

fn row(c: &Comparison, emit: &EmitDifference) -> Vec<Sentence> {
    let kind = name(&emit.kind).into();
    let Some(records) = emit.records else {
        let [a, b] = sides(c);
        let why = match emit.declared {
            Presence::OnlyA => said![missing("only in"), " ", a],
            Presence::OnlyB => said![missing("only in"), " ", b],
            Presence::Both => missing("not compared").into(),
        };
        let nothing = std::iter::repeat_n(said![], 5);
        return [kind, why].into_iter().chain(nothing).collect();
    };
    let fields = emit.fields.iter().filter(|field| field.differ > 0).take(FIELDS_MAX);
    let fields = fields.map(|field| said![name(&field.name), " ", count(field.differ)]);
    vec![
        kind,
        count(records.different),
        count(records.only_a),
        count(records.only_b),
        count(emit.doubled),
        count(records.equal),
        Sentence::joined(fields, ", "),
    ]
}

pub(super) fn events(c: &Comparison, to: &mut Section) {
    let changes = c.outcomes.as_deref().unwrap_or_default();
    if c.verdict == Verdict::Different {
        to.put(TERMINAL, Block::Lines(lines(c, changes)));
    }
    let rows = changes.iter().map(|change| {
        let [was, is] = [&change.a, &change.b].map(|outcome| name(outcome.to_string()));
        vec![said![was, " → ", is], count(change.events)]
    });
    let columns = [head("What an event came to"), right("Events")];
    let caption = "Events with another outcome";
    to.put(SHEETS, Block::Table(Table::new(caption, columns, rows, (ROWS_MAX, "changes"))));
    let rows = c.violations.iter().chain(&c.refusals).map(|of| {
        let difference = (i128::from(of.b) - i128::from(of.a)).to_string();
        let difference = Span::Difference(Difference::of(&difference));
        vec![code(of), count(of.a), count(of.b), difference.into()]
    });
    let [a, b] = sides(c).map(right);
    let columns = [head("What"), a, b, right("Difference")];
    let caption = "How often each code stands on each side";
    to.put(SHEETS, Block::Table(Table::new(caption, columns, rows, (ROWS_MAX, "codes"))));
}

fn code(of: &CodeCount) -> Sentence {
    said![of.what.as_str(), of.code.as_ref().map(|code| said![" ", name(code)])]
}

fn lines(c: &Comparison, changes: &[OutcomeChange]) -> Vec<Sentence> {
    let outcomes = changes.iter().take(LINES_MAX).map(|change| {
        said![format!("events: {} {} -> {}", grouped(change.events), change.a, change.b)]
    });
    let beyond = |all: usize, what| Some(and_more(all.saturating_sub(LINES_MAX), what));
    let codes = c.refusals.iter().chain(&c.violations).filter(|count| count.a != count.b);
    let all_codes = codes.clone().count();
    let codes = codes
        .take(LINES_MAX)
        .map(|of| said![code(of), format!(": {} -> {}", grouped(of.a), grouped(of.b))]);
    let outcomes = outcomes.chain(beyond(changes.len(), "changes of outcomes"));
    let all = outcomes.chain(codes).chain(beyond(all_codes, "codes"));
    all.filter(|line| !line.is_empty()).collect()
}
