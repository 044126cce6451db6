//! Field by field: how often each differs, by how much, how the differences are spread, and from which
//! value to which; then emits, outcomes, refusals and violations.

use super::escape::{code, optional, text};
use super::svg::meter;
use super::table::{Cell, count, delta, more};
use super::{spread, table};
use crate::number::{grouped, percent, trimmed};
use crate::sentence::{names, with_unit};
use retally_core::compare::model::{
    CodeCount, Comparison, EmitDifference, FieldDifference, Numeric, Presence,
};

/// Fields, plots, tables and rows of tables.
const FIELDS_MAX: usize = 100;
const FIGURES_MAX: usize = 12;
const TRANSITIONS_MAX: usize = 25;
const ROWS_MAX: usize = 100;

/// The view's fields.
pub(super) fn section(c: &Comparison) -> String {
    if c.fields.is_empty() {
        return String::new();
    }
    let lead = "<p class=\"muted\">Over the rows that both sides have. The rest of the rows \
                compared is equal in the field.</p>\n";
    format!(
        "<section id=\"fields\">\n<h2>Field by field</h2>\n{lead}{}{}</section>\n",
        list(&c.fields),
        figures(&c.fields)
    )
}

fn list(fields: &[FieldDifference]) -> String {
    let head = [
        "Field",
        "Kind",
        "Rows that differ",
        "Share",
        "Sum",
        "Mean",
        "Smallest",
        "Largest",
        "None in A",
        "None in B",
        "Within tolerance",
    ];
    // Columns in which nothing stands help nobody.
    let is_missing = fields.iter().any(|field| field.missing_a + field.missing_b > 0);
    let is_tolerated = fields.iter().any(|field| field.tolerated.is_some());
    let keeps = |column: usize| match column {
        8 | 9 => is_missing,
        10 => is_tolerated,
        _ => true,
    };
    let mut sorted: Vec<&FieldDifference> = fields.iter().collect();
    sorted.sort_by_key(|field| field.differ == 0);
    let rows: Vec<Vec<Cell>> = sorted
        .iter()
        .take(FIELDS_MAX)
        .map(|field| {
            let cells = field_cells(field).into_iter().enumerate();
            cells.filter(|(column, _)| keeps(*column)).map(|(_, cell)| cell).collect()
        })
        .collect();
    let head = head.iter().enumerate().filter(|(column, _)| keeps(*column));
    let head: Vec<String> = head.map(|(_, name)| (*name).to_owned()).collect();
    table::table("Differences are candidate minus baseline", &head, &rows)
        + &more(fields.len() as u64, FIELDS_MAX.min(fields.len()), "fields")
}

fn field_cells(field: &FieldDifference) -> Vec<Cell> {
    let number = |of: fn(&Numeric) -> &str| {
        let shown = field.numeric.as_ref().map(|n| delta(of(n), &with_unit(of(n), n.unit)));
        Cell::Right(shown.unwrap_or_default())
    };
    let tolerated = field.tolerated.as_ref().map(|t| {
        let values = grouped(t.values);
        format!("{values} <span class=\"muted\">within {}</span>", text(&t.tolerance))
    });
    let share = percent(field.differ, field.compared);
    let share = if field.differ == 0 { String::new() } else { share };
    vec![
        Cell::Head(code(&field.name)),
        Cell::Left(format!("<span class=\"muted\">{}</span>", text(&field.kind.to_string()))),
        count(field.differ),
        Cell::Right(format!("{}{share}", meter(field.differ, field.compared, "different"))),
        number(|n| &n.sum),
        number(|n| trimmed(&n.mean)),
        number(|n| &n.smallest),
        number(|n| &n.largest),
        count(field.missing_a),
        count(field.missing_b),
        Cell::Right(tolerated.unwrap_or_default()),
    ]
}

/// Distributions and transitions.
fn figures(fields: &[FieldDifference]) -> String {
    let mut out = String::new();
    let plots = fields.iter().filter_map(|field| Some((field, field.numeric.as_ref()?)));
    for (field, n) in plots.take(FIGURES_MAX) {
        let plot = spread::plot(&field.name, n);
        let not_finite = match n.not_finite {
            0 => String::new(),
            count => format!(", {} not finite", grouped(count)),
        };
        out += &format!(
            "<figure><figcaption>Differences in {}: <span class=\"up\">{} higher</span>, \
             <span class=\"down\">{} lower</span>{not_finite}</figcaption>\n{plot}</figure>\n",
            code(&field.name),
            grouped(n.larger),
            grouped(n.smaller),
        );
    }
    let changed = fields.iter().filter(|field| field.transitions.is_some());
    for field in changed.take(FIGURES_MAX) {
        out += &transitions(field);
    }
    match out.is_empty() {
        true => out,
        false => format!("<div class=\"figures\">\n{out}</div>\n"),
    }
}

fn transitions(field: &FieldDifference) -> String {
    let Some(transitions) = &field.transitions else { return String::new() };
    let list = &transitions.list;
    let rows: Vec<Vec<Cell>> = list
        .iter()
        .take(TRANSITIONS_MAX)
        .map(|change| {
            let (from, to) = (optional(change.from.as_deref()), optional(change.to.as_deref()));
            let share = meter(change.values, field.differ, "different");
            let name = format!("{from} <span class=\"arrow\">→</span> {to}");
            vec![Cell::Head(name), count(change.values), Cell::Right(share)]
        })
        .collect();
    let head = ["From → to", "Rows", ""].map(str::to_owned);
    let beyond: u64 = list.iter().skip(TRANSITIONS_MAX).map(|change| change.values).sum();
    format!(
        "<figure><figcaption>Changes of {}</figcaption>\n{}{}</figure>\n",
        code(&field.name),
        table::table("", &head, &rows),
        more(beyond + transitions.others, 0, "rows with other changes"),
    )
}

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
        .take(FIELDS_MAX)
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
    out += &table::table("", &head, &rows);
    for emit in c.emits.iter().take(FIGURES_MAX) {
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
        list(&emit.fields),
        figures(&emit.fields)
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
    out += &table::table("Events that came to something else", &head, &rows);
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
            let change = table::difference(&change.to_string());
            vec![Cell::Head(what), count(count_of.a), count(count_of.b), change]
        })
        .collect();
    let (a, b) = names(c);
    let head = ["What".to_owned(), text(&a), text(&b), "Difference".to_owned()];
    out += &table::table("How often each code stands on each side", &head, &rows);
    out += &more(codes.len() as u64, rows.len(), "codes");
    out + "</section>\n"
}
