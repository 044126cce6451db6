//! Totals, which a finance lead asks for first: of both sides, their difference, what a tolerance
//! let pass; over everything and per group.

use super::escape::{code, optional, text};
use super::table::{Cell, difference, more, table};
use crate::number::{approximate, compare_size, is_zero, thousands};
use crate::sentence::names;
use retally_core::compare::model::{Comparison, Group, Place, RowKey, Total};
use retally_core::schema::Kind;

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
            let by = format!("--by {}", retally_core::compare::shell_word(first));
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
    let mut out = String::new();
    let first = groups.groups.first().or(groups.others.as_ref());
    let all = first.map(|group| group.totals.as_slice()).unwrap_or_default();
    let moved = |total: &&Total| {
        let mut own = groups.groups.iter().chain(&groups.others).filter_map(|g| of(g, total));
        own.any(|total| !is_zero(&total.difference))
    };
    let mut moved: Vec<&Total> = all.iter().filter(moved).collect();
    if moved.is_empty() {
        return format!("<p class=\"muted\">By {} no total differs.</p>\n", code(&groups.by));
    }
    // The results first, and of them money.
    let is_count = |total: &Total| !matches!(total.kind, Kind::Decimal { .. });
    moved.sort_by_key(|total| (total.of != Place::View, is_count(total)));
    for total in moved.iter().take(FIELDS_MAX) {
        let own = groups.groups.iter().filter_map(|g| Some((g.value.as_deref(), of(g, total)?)));
        let mut own: Vec<(Option<&str>, &Total)> = own.collect();
        own.sort_by(|a, b| compare_size(&b.1.difference, &a.1.difference));
        let shown = own.iter().take(GROUPS_MAX).map(|(value, t)| line(c, optional(*value), t));
        let mut rows: Vec<Vec<Cell>> = shown.collect();
        let shown = rows.len();
        let others = groups.others.as_ref().and_then(|group| of(group, total));
        rows.extend(others.map(|t| line(c, "<i class=\"none\">all others</i>".to_owned(), t)));
        let place = match &total.of {
            Place::View => String::new(),
            Place::Emit(kind) => format!(" of emit {}", code(kind)),
        };
        let name = code(&total.field);
        let mut head: Vec<String> = head.to_vec();
        head.insert(0, code(&groups.by));
        out += &format!("<h3>{name}{place} by {}</h3>\n", code(&groups.by));
        out += &table("The largest difference first", &head, &rows);
        out += &more(own.len() as u64, shown, "groups");
    }
    out + &more(
        moved.len() as u64,
        FIELDS_MAX.min(moved.len()),
        "fields whose totals differ by group",
    )
}

/// The same total of a group.
fn of<'a>(group: &'a Group, total: &Total) -> Option<&'a Total> {
    group.totals.iter().find(|own| own.of == total.of && own.field == total.field)
}
