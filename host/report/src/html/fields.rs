//! Field by field: how often each differs, by how much, how the differences are spread, and from
//! which value to which.

use super::escape::{code, optional, text};
use super::svg::meter;
use super::table::{Cell, count, delta, more};
use super::{spread, table};
use crate::number::{digits, grouped, percent, rounded};
use crate::sentence::{names, with_unit};
use retally_compare::model::{Comparison, FieldDifference, Numeric};

/// Fields, plots and changes that are shown.
const FIELDS_MAX: usize = 100;
const FIGURES_MAX: usize = 12;
const TRANSITIONS_MAX: usize = 25;

/// The view's fields.
pub(super) fn section(c: &Comparison) -> String {
    if c.fields.is_empty() {
        return String::new();
    }
    let (a, b) = names(c);
    let lead = format!(
        "<p class=\"muted\">Over the rows that both sides have. Differences are {} minus {}.</p>\n",
        text(&b),
        text(&a)
    );
    format!(
        "<section id=\"fields\">\n<h2>Field by field</h2>\n{lead}{}{}</section>\n",
        list(&c.fields),
        figures(&c.fields)
    )
}

/// How often each differs, and by how much.
pub(super) fn list(fields: &[FieldDifference]) -> String {
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
    table::table("", &head, &rows)
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
    let share = match field.differ {
        0 => String::new(),
        _ => format!("{}{share}", meter(field.differ, field.compared, "different")),
    };
    let mean = field.numeric.as_ref().map_or(String::new(), |n| {
        let mean = rounded(&n.mean, digits(&n.sum) + 2);
        delta(&mean, &with_unit(&mean, n.unit))
    });
    vec![
        Cell::Head(code(&field.name)),
        Cell::Left(format!(
            "<span class=\"nowrap muted\">{}</span>",
            text(&field.kind.to_string())
        )),
        count(field.differ),
        Cell::Right(share),
        number(|n| &n.sum),
        Cell::Right(mean),
        number(|n| &n.smallest),
        number(|n| &n.largest),
        count(field.missing_a),
        count(field.missing_b),
        Cell::Right(tolerated.unwrap_or_default()),
    ]
}

/// Distributions and transitions.
pub(super) fn figures(fields: &[FieldDifference]) -> String {
    let mut out = String::new();
    let plots = fields.iter().filter_map(|field| Some((field, field.numeric.as_ref()?)));
    for (field, n) in plots.take(FIGURES_MAX) {
        let plot = spread::plot(&field.name, n);
        let not_finite = match n.not_finite {
            0 => String::new(),
            count => format!(", {} not finite", grouped(count)),
        };
        out += &format!(
            "<figure><figcaption>Rows by their difference in {}: \
             <span class=\"up\">{} higher</span>, <span class=\"down\">{} lower</span>{not_finite}\
             </figcaption>\n{plot}</figure>\n",
            code(&field.name),
            grouped(n.larger),
            grouped(n.smaller),
        );
    }
    let changed = fields.iter().filter(|field| field.transitions.is_some());
    for field in changed.take(FIGURES_MAX) {
        out += &transitions(field);
    }
    let scale = match fields.iter().any(|field| field.numeric.is_some()) {
        true => {
            "<p class=\"muted\">How high a bar is says how many rows there are; below it stands \
             the difference, on a scale of 1, 2, 5, 10 and so on: small and large ones are both \
             to be seen.</p>\n"
        }
        false => "",
    };
    match out.is_empty() {
        true => out,
        false => format!("{scale}<div class=\"figures\">\n{out}</div>\n"),
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
