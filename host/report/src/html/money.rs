//! Totals, which a finance lead asks for first: of both sides, their difference, what a tolerance
//! let pass; over everything and per group.

use super::escape::{code, optional, text};
use super::table::{Cell, difference, more, table};
use crate::groups;
use crate::number::{approximate, is_zero, thousands};
use crate::sentence::names;
use retally_compare::model::{Comparison, Place, RowKey, Total};

/// Fields whose groups are told, and groups of each.
const FIELDS_MAX: usize = 8;
const GROUPS_MAX: usize = 100;

/// The section.
pub(super) fn section(c: &Comparison) -> String {
    if c.totals.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<Cell>> = c
        .totals
        .iter()
        .map(|total| {
            let of = match &total.of {
                Place::View => String::new(),
                Place::Emit(kind) => {
                    format!(" <span class=\"muted\">of emit {}</span>", code(kind))
                }
            };
            line(c, format!("{}{of}", code(&total.field)), total)
        })
        .collect();
    let (a, b) = names(c);
    let mut head = vec!["Total of".to_owned(), text(&a), text(&b)];
    head.extend(["Difference", "Change"].map(str::to_owned));
    if is_tolerated(c) {
        head.push("Of it tolerated".to_owned());
    }
    let caption = "Sums over all rows of each side, those of one side alone included";
    let mut out = "<section id=\"totals\">\n<h2>Totals</h2>\n".to_owned();
    out += &mixed(c);
    out += &table(caption, &head, &rows);
    out += &groups(c, &head[1..]);
    out + "</section>\n"
}

/// A total over several currencies is a number that nobody should read.
fn mixed(c: &Comparison) -> String {
    let Some(RowKey::Fields(fields)) = &c.view.row_key else { return String::new() };
    let Some(first) = fields.first() else { return String::new() };
    let named: Vec<String> = fields.iter().map(|field| code(field)).collect();
    let further = match c.groups.is_some() {
        true => "Below, each group has its own.".to_owned(),
        false => {
            let by = crate::shell::shell_flag("--by", first);
            format!("<code>{}</code> gives each its own.", text(&by))
        }
    };
    format!(
        "<p class=\"muted\">A key has one row for each {}. The sums in this table add all of them \
         up, which means nothing if they are in different units. {further}</p>\n",
        named.join(", "),
    )
}

fn line(c: &Comparison, name: String, total: &Total) -> Vec<Cell> {
    let side = |text: &Option<String>| match text {
        Some(text) => Cell::Right(super::escape::minus(&thousands(text))),
        None => Cell::Right("<i class=\"none\">not read</i>".to_owned()),
    };
    let (a, b) = (side(&total.a), side(&total.b));
    let mut cells = vec![Cell::Head(name), a, b, difference(&total.difference), share(total)];
    if is_tolerated(c) {
        let tolerated = total.tolerated.as_deref().map(difference);
        cells.push(tolerated.unwrap_or_else(|| Cell::Right(String::new())));
    }
    cells
}

fn is_tolerated(c: &Comparison) -> bool {
    c.totals.iter().any(|total| total.tolerated.is_some())
}

/// The difference in per cent of A's total.
fn share(total: &Total) -> Cell {
    let a = total.a.as_deref().map(approximate).unwrap_or_default();
    if a == 0.0 || is_zero(&total.difference) {
        return Cell::Right(String::new());
    }
    let per_cent = approximate(&total.difference) / a.abs() * 100.0;
    let shown = format!("{per_cent:+.2} %");
    let shown = match shown.as_str() {
        "+0.00 %" => "under +0.01 %",
        "-0.00 %" => "under −0.01 %",
        other => other,
    };
    Cell::Right(format!("<span class=\"muted\">{}</span>", super::escape::minus(shown)))
}

fn groups(c: &Comparison, head: &[String]) -> String {
    let Some(groups) = &c.groups else { return String::new() };
    let moved = groups::moved(groups);
    if moved.is_empty() {
        return format!("<p class=\"muted\">By {} no total differs.</p>\n", code(&groups.by));
    }
    let mut out = String::new();
    for moved in moved.iter().take(FIELDS_MAX) {
        let shown = moved.groups.iter().take(GROUPS_MAX);
        let mut rows: Vec<Vec<Cell>> =
            shown.map(|(value, total)| line(c, optional(*value), total)).collect();
        let shown = rows.len();
        let others = |total| line(c, "<i class=\"none\">all others</i>".to_owned(), total);
        rows.extend(moved.others.map(others));
        let place = match &moved.of.of {
            Place::View => String::new(),
            Place::Emit(kind) => format!(" of emit {}", code(kind)),
        };
        let mut head: Vec<String> = head.to_vec();
        head.insert(0, code(&groups.by));
        let (name, by) = (code(&moved.of.field), code(&groups.by));
        out += &format!("<h3>{name}{place} by {by}</h3>\n");
        out += &table("The largest difference first", &head, &rows);
        out += &more(moved.groups.len() as u64, shown, "groups");
    }
    let shown = FIELDS_MAX.min(moved.len());
    out + &more(moved.len() as u64, shown, "fields whose totals differ by group")
}
