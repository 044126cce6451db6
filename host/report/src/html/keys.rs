//! The keys that differ most: one line each, with its difference in each number, the event that
//! made the sides part, and, unfolded, every value that differs and what both sides made of that
//! event. Sorted by ranks that are computed here, exactly; the page's script only reorders.

use super::detail;
use super::escape::{code, optional, text, value};
use super::table::delta;
use crate::number::{compare, compare_size, grouped};
use crate::sentence::with_unit;
use retally_compare::model::{
    Comparison, FieldDifference, FirstDivergence, FirstEvent, KeyDifference, Presence, Unit,
    ValueDifference,
};
use retally_core::schema::Kind;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Keys in the page.
const KEYS_MAX: usize = 1_000;

/// Numbers that have a column.
const COLUMNS_MAX: usize = 6;

/// Changes of texts that a line names.
const CHANGES_MAX: usize = 3;

/// A line: a key and the largest difference of each column.
struct Line<'a> {
    key: &'a KeyDifference,
    largest: Vec<Option<Largest>>,
}

/// The largest difference of a key in a field.
struct Largest {
    difference: String,
    /// Of which of its rows.
    row: String,
}

/// A column: the field, and how its differences are shown.
struct Column<'a> {
    field: &'a FieldDifference,
    unit: Unit,
}

/// The section.
pub(super) fn section(c: &Comparison) -> String {
    let chosen = chosen(c);
    if chosen.is_empty() {
        return String::new();
    }
    let columns = columns(c);
    let line = |key: &'_ usize| {
        let key = &c.worst.keys[*key];
        Line { key, largest: columns.iter().map(|column| largest(key, column)).collect() }
    };
    let lines: Vec<Line<'_>> = chosen.iter().map(line).collect();
    let ranks = ranks(&lines, columns.len());
    let mut out = format!(
        "<section id=\"keys\">\n<h2>Keys that differ most</h2>\n{}<div class=\"tools\">\n\
         <label>Search <input type=\"search\" id=\"search\" autocomplete=\"off\" \
         spellcheck=\"false\" placeholder=\"a key, an event, a value\"></label>\n\
         <p id=\"status\" class=\"muted\" role=\"status\">{}</p></div>\n\
         <div class=\"scroll\"><table id=\"worst\" data-shown=\"{}\" data-all=\"{}\">\n{}",
        lead(c, lines.len()),
        status(c, lines.len()),
        lines.len(),
        c.worst.of,
        head(&columns),
    );
    let width = columns.len() + 3;
    for (line, ranks) in lines.iter().zip(&ranks) {
        body(&mut out, c, line, &columns, ranks, width);
    }
    out += "</table></div>\n<p id=\"nothing\" class=\"muted\" hidden>No key in this page \
            matches.</p>\n<button type=\"button\" id=\"all\" hidden>Show all</button>\n";
    out + "</section>\n"
}

fn lead(c: &Comparison, shown: usize) -> String {
    let beyond = c.worst.of.saturating_sub(shown as u64);
    if beyond == 0 {
        return "<p class=\"muted\">All keys that differ.</p>\n".to_owned();
    }
    format!(
        "<p class=\"muted\">The {} keys with the largest differences of {} that differ. Every \
         one of them is in <code>differences.parquet</code> (<code>--differences</code>).</p>\n",
        grouped(shown as u64),
        grouped(c.worst.of)
    )
}

fn status(c: &Comparison, shown: usize) -> String {
    let by = c.worst.rankings.first().and_then(|ranking| ranking.field.as_deref());
    let by = by.map_or("in the order of their names".to_owned(), |field| {
        format!("largest difference in {} first", text(field))
    });
    format!("{} keys, {by}", grouped(shown as u64))
}

/// The keys that are shown: the first of every ranking, then the second, and so on.
fn chosen(c: &Comparison) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let mut chosen = Vec::new();
    let longest = c.worst.rankings.iter().map(|ranking| ranking.keys.len()).max().unwrap_or(0);
    for place in 0..longest {
        let row = c.worst.rankings.iter().filter_map(|ranking| ranking.keys.get(place));
        for &number in row {
            let number = number as usize;
            if chosen.len() < KEYS_MAX && number < c.worst.keys.len() && seen.insert(number) {
                chosen.push(number);
            }
        }
    }
    // As the first ranking has it, then the others: as the page is sorted at first.
    let order = |number: &usize| {
        let place = |ranking: &retally_compare::model::Ranking| {
            ranking.keys.iter().position(|key| *key as usize == *number).unwrap_or(usize::MAX)
        };
        let places: Vec<usize> = c.worst.rankings.iter().map(place).collect();
        (places, *number)
    };
    chosen.sort_by_cached_key(order);
    chosen
}

fn columns(c: &Comparison) -> Vec<Column<'_>> {
    let ranked = c.worst.rankings.iter().filter_map(|ranking| ranking.field.as_ref());
    let fields = ranked.filter_map(|name| c.fields.iter().find(|field| field.name == *name));
    let unit = |field: &FieldDifference| match field.kind {
        Kind::Timestamp => Unit::Seconds,
        Kind::Date => Unit::Days,
        _ => Unit::Value,
    };
    let columns = fields.map(|field| Column { field, unit: unit(field) });
    // Keys may be ranked by what has no difference to show: times of rows on one side alone.
    let shows = |column: &Column<'_>| c.worst.keys.iter().any(|key| largest(key, column).is_some());
    columns.filter(shows).take(COLUMNS_MAX).collect()
}

/// The difference of a value; of a number on one side alone the other counts as zero.
fn effective(v: &ValueDifference, kind: Kind) -> Option<String> {
    if v.difference.is_some() {
        return v.difference.clone();
    }
    let is_number = matches!(kind, Kind::Integer | Kind::Decimal { .. } | Kind::Float);
    match (&v.a, &v.b) {
        (None, Some(b)) if is_number => Some(b.clone()),
        (Some(a), None) if is_number => Some(match a.strip_prefix('-') {
            Some(a) => a.to_owned(),
            None => format!("-{a}"),
        }),
        _ => None,
    }
}

fn largest(key: &KeyDifference, column: &Column<'_>) -> Option<Largest> {
    let mut found: Option<Largest> = None;
    for row in &key.rows {
        let own = row.values.iter().filter(|value| value.field == column.field.name);
        for difference in own.filter_map(|value| effective(value, column.field.kind)) {
            let held = found.as_ref().map(|found| found.difference.as_str());
            let beats = |held| compare_size(&difference, held) == Ordering::Greater;
            if held.is_none_or(beats) {
                found = Some(Largest { difference, row: row.row_key.join(" ") });
            }
        }
    }
    found
}

/// The places of a line under each way to sort: by key; by size and by value of each column; by the
/// time of the first event. None: has none, and stands last.
type Ranks = Vec<Option<usize>>;

fn ranks(lines: &[Line<'_>], columns: usize) -> Vec<Ranks> {
    let mut ranks: Vec<Ranks> = vec![Vec::new(); lines.len()];
    let mut add = |of: &dyn Fn(&Line<'_>) -> bool,
                   by: &dyn Fn(&Line<'_>, &Line<'_>) -> Ordering| {
        let mut order: Vec<usize> = (0..lines.len()).filter(|&n| of(&lines[n])).collect();
        let tie = |a: &Line<'_>, b: &Line<'_>| a.key.key.cmp(&b.key.key);
        order.sort_by(|&a, &b| by(&lines[a], &lines[b]).then(tie(&lines[a], &lines[b])));
        ranks.iter_mut().for_each(|ranks| ranks.push(None));
        for (place, number) in order.into_iter().enumerate() {
            if let Some(rank) = ranks[number].last_mut() {
                *rank = Some(place);
            }
        }
    };
    add(&|_| true, &|a, b| a.key.key.cmp(&b.key.key));
    for column in 0..columns {
        let of = |line: &Line<'_>| line.largest[column].is_some();
        let text = |line: &Line<'_>| match &line.largest[column] {
            Some(largest) => largest.difference.clone(),
            None => String::new(),
        };
        add(&of, &|a, b| compare_size(&text(b), &text(a)));
        add(&of, &|a, b| compare(&text(a), &text(b)));
    }
    let time = |line: &Line<'_>| event(line.key).and_then(|event| event.time.clone());
    add(&|line| time(line).is_some(), &|a, b| time(a).cmp(&time(b)));
    ranks
}

fn event(key: &KeyDifference) -> Option<&FirstEvent> {
    match &key.first {
        FirstDivergence::Event(event) => Some(event),
        _ => None,
    }
}

/// Each button knows its name in the page's address and the ranks that it sorts by.
fn head(columns: &[Column<'_>]) -> String {
    let button = |name: &str, label: &str, ranks: &str, modes: &str| {
        format!(
            "<button type=\"button\" data-name=\"{}\" data-ranks=\"{ranks}\" \
             data-modes=\"{modes}\">{label}</button>",
            text(name)
        )
    };
    let mut out = "<thead><tr>".to_owned();
    let _ = write!(out, "<th scope=\"col\">{}</th>", button("@key", "Key", "0", "up down"));
    for (number, column) in columns.iter().enumerate() {
        let name = &column.field.name;
        let (size, value_rank) = (1 + 2 * number, 2 + 2 * number);
        let ranks = format!("{size} {value_rank} {value_rank}");
        let button = button(name, &code(name), &ranks, "size up down");
        let _ = write!(out, "<th scope=\"col\" class=\"n\">{button}</th>");
    }
    out += "<th scope=\"col\">Other changes</th>";
    let rank = (1 + 2 * columns.len()).to_string();
    let button = button("@time", "Begins to differ (UTC)", &rank, "up down");
    let _ = write!(out, "<th scope=\"col\">{button}</th>");
    out + "</tr></thead>\n"
}

fn body(
    out: &mut String,
    c: &Comparison,
    line: &Line<'_>,
    columns: &[Column<'_>],
    ranks: &Ranks,
    width: usize,
) {
    let ranks: Vec<String> =
        ranks.iter().map(|rank| rank.map_or("-".to_owned(), |rank| rank.to_string())).collect();
    let _ = write!(out, "<tbody data-ranks=\"{}\"><tr>", ranks.join(" "));
    let badge = match line.key.presence {
        Presence::Both => "",
        Presence::OnlyA => " <span class=\"badge only-a\">only in baseline</span>",
        Presence::OnlyB => " <span class=\"badge only-b\">only in candidate</span>",
    };
    let _ = write!(out, "<th scope=\"row\">{}{badge}</th>", value(&line.key.key));
    for (largest, column) in line.largest.iter().zip(columns) {
        let _ = write!(out, "<td class=\"n\">{}</td>", number(largest.as_ref(), column));
    }
    let _ = write!(out, "<td class=\"changes\">{}</td>", changes(line.key));
    let _ = write!(out, "<td>{}</td></tr>", time(line.key));
    let _ = writeln!(
        out,
        "<tr class=\"more\"><td colspan=\"{width}\">{}</td></tr></tbody>",
        detail::of(c, line.key)
    );
}

fn number(largest: Option<&Largest>, column: &Column<'_>) -> String {
    let Some(Largest { difference, row }) = largest else { return String::new() };
    let row = match row.is_empty() {
        true => String::new(),
        false => format!(" <small class=\"muted\">{}</small>", value(row)),
    };
    format!("{}{row}", delta(difference, &with_unit(difference, column.unit)))
}

/// Texts and the like that changed.
fn changes(key: &KeyDifference) -> String {
    let values = key.rows.iter().filter(|row| row.presence == Presence::Both);
    let values = values.flat_map(|row| &row.values);
    let other = values.filter(|v| v.difference.is_none());
    let mut told = Vec::new();
    let mut seen = BTreeSet::new();
    for v in other {
        if seen.insert((&v.field, &v.a, &v.b)) {
            let (a, b) = (optional(v.a.as_deref()), optional(v.b.as_deref()));
            told.push(format!("{} {a} <span class=\"arrow\">→</span> {b}", text(&v.field)));
        }
    }
    let more = told.len().saturating_sub(CHANGES_MAX);
    told.truncate(CHANGES_MAX);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.join("<br>")
}

/// A time to the second; its rest stands where the key is unfolded.
fn short(time: &str) -> String {
    time.get(..19).unwrap_or(time).replacen('T', " ", 1)
}

fn time(key: &KeyDifference) -> String {
    match &key.first {
        FirstDivergence::Event(event) => match &event.time {
            Some(time) => {
                format!("<span class=\"num nowrap\">{}</span>", text(&short(time)))
            }
            None => "<i class=\"none\">time not known</i>".to_owned(),
        },
        FirstDivergence::NotInFiles => "<i class=\"none\">not in the files</i>".to_owned(),
        FirstDivergence::NoEvents => String::new(),
    }
}
