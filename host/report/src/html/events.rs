//! What happened on the way: records emitted, events with another outcome, refusals and
//! violations by code.

use super::escape::{code, text};
use super::fields;
use super::table::{Cell, count, difference, more, table};
use crate::sentence::names;
use retally_compare::model::{CodeCount, Comparison, EmitDifference, Presence};

/// Rows of a table, and kinds whose fields are told.
const ROWS_MAX: usize = 100;
const FIELDS_MAX: usize = 12;

/// Emit kinds.
pub(super) fn emits(c: &Comparison) -> String {
    if c.emits.is_empty() {
        return String::new();
    }
    let (a, b) = names(c);
    let mut out = "<section id=\"emits\">\n<h2>Emits</h2>\n<p class=\"muted\">Records that the \
                   reducers write for an event. A record is known by its event, its kind and its \
                   number.</p>\n"
        .to_owned();
    let rows: Vec<Vec<Cell>> = c
        .emits
        .iter()
        .take(ROWS_MAX)
        .map(|emit| {
            let mut row = vec![Cell::Head(code(&emit.kind))];
            match emit.records {
                Some(r) => row.extend([
                    count(r.different),
                    count(r.only_a),
                    count(r.only_b),
                    count(emit.doubled),
                    count(r.equal),
                ]),
                None => {
                    let why = match emit.declared {
                        Presence::OnlyA => format!("only in {}", text(&a)),
                        Presence::OnlyB => format!("only in {}", text(&b)),
                        Presence::Both => "not compared".to_owned(),
                    };
                    row.push(Cell::Right(format!("<i class=\"none\">{why}</i>")));
                    row.extend((0..4).map(|_| Cell::Right(String::new())));
                }
            }
            row
        })
        .collect();
    let mut head = vec!["Kind".to_owned(), "Different".to_owned()];
    head.extend([format!("Only {}", text(&a)), format!("Only {}", text(&b))]);
    head.extend(["Doubled".to_owned(), "Equal".to_owned()]);
    out += &table("", &head, &rows);
    for emit in c.emits.iter().take(FIELDS_MAX) {
        out += &emit_fields(emit);
    }
    out + "</section>\n"
}

fn emit_fields(emit: &EmitDifference) -> String {
    if emit.fields.iter().all(|field| field.differ == 0) {
        return String::new();
    }
    format!(
        "<details><summary>Fields of {}</summary>\n{}{}</details>\n",
        code(&emit.kind),
        fields::list(&emit.fields),
        fields::figures(&emit.fields)
    )
}

/// Outcomes, refusals and violations.
pub(super) fn events(c: &Comparison) -> String {
    let changes = c.outcomes.as_deref().unwrap_or_default();
    let codes: Vec<&CodeCount> = c.violations.iter().chain(&c.refusals).collect();
    if changes.is_empty() && codes.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<Cell>> = changes
        .iter()
        .take(ROWS_MAX)
        .map(|change| {
            let (was, is) = (code(&change.a.to_string()), code(&change.b.to_string()));
            let name = format!("{was} <span class=\"arrow\">→</span> {is}");
            vec![Cell::Head(name), count(change.events)]
        })
        .collect();
    let head = ["What an event came to", "Events"].map(str::to_owned);
    let mut out =
        "<section id=\"events\">\n<h2>Outcomes, refusals and violations</h2>\n".to_owned();
    out += &table("Events with another outcome", &head, &rows);
    out += &more(changes.len() as u64, rows.len(), "changes");
    let rows: Vec<Vec<Cell>> = codes
        .iter()
        .take(ROWS_MAX)
        .map(|count_of| {
            let what = text(&count_of.what);
            let what = match &count_of.code {
                Some(of) => format!("{what} {}", code(of)),
                None => what,
            };
            let change = i128::from(count_of.b) - i128::from(count_of.a);
            let change = difference(&change.to_string());
            vec![Cell::Head(what), count(count_of.a), count(count_of.b), change]
        })
        .collect();
    let (a, b) = names(c);
    let head = ["What".to_owned(), text(&a), text(&b), "Difference".to_owned()];
    out += &table("How often each code stands on each side", &head, &rows);
    out += &more(codes.len() as u64, rows.len(), "codes");
    out + "</section>\n"
}
