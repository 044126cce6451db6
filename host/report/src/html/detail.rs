//! A key, unfolded: every value that differs, row by row, and the event that made the sides part,
//! with what became of it, what was emitted for it and the result after it, on both sides.

use super::escape::{code, optional, text};
use super::table::{Cell, difference, more, table};
use crate::sentence::{names, shown};
use crate::shell;
use retally_compare::model::{
    Comparison, Fate, FirstDivergence, FirstEvent, KeyDifference, Presence, RowDifference,
    ShownRecord, ShownRow, ShownValue,
};

/// Rows of a key, values of a row, records and rows of an event that are shown.
const ROWS_MAX: usize = 10;
const VALUES_MAX: usize = 24;
const RECORDS_MAX: usize = 5;

/// All of it, folded.
pub(super) fn of(c: &Comparison, key: &KeyDifference) -> String {
    let (a, b) = names(c);
    let summary = match &key.first {
        FirstDivergence::Event(event) => format!("Since {}", place(event)),
        _ => "Every value that differs".to_owned(),
    };
    let first = match &key.first {
        FirstDivergence::Event(event) => self::event(c, &key.key, event),
        FirstDivergence::NotInFiles => format!(
            "<p class=\"muted\">The files do not hold the event with which it begins to differ. \
             This finds it:</p><pre><code>{}</code></pre>",
            text(&shell::explain(c, &key.key, None))
        ),
        FirstDivergence::NoEvents => String::new(),
    };
    format!(
        "<details><summary>{summary}</summary>\n{}{first}</details>",
        values(c, key, (&text(&a), &text(&b)))
    )
}

fn values(c: &Comparison, key: &KeyDifference, (a, b): (&str, &str)) -> String {
    let first = key.rows.iter().take(ROWS_MAX);
    let has_rows = key.rows.iter().any(|row| !row.row_key.is_empty()) || key.rows.len() > 1;
    let rows: Vec<Vec<Cell>> = first
        .flat_map(|row| {
            row.values.iter().take(VALUES_MAX).map(move |value| {
                let side = |text: Option<&str>, absent: Presence| match row.presence == absent {
                    true => Cell::Right("<i class=\"none\">no row</i>".to_owned()),
                    false => {
                        Cell::Right(optional(text.map(|text| shown(c, value, text)).as_deref()))
                    }
                };
                let mut cells = Vec::new();
                if has_rows {
                    cells.push(Cell::Head(row_name(row)));
                }
                cells.push(Cell::Left(code(&value.field)));
                cells.push(side(value.a.as_deref(), Presence::OnlyB));
                cells.push(side(value.b.as_deref(), Presence::OnlyA));
                cells.push(match &value.difference {
                    Some(text) => difference(text),
                    None => Cell::Right(String::new()),
                });
                cells
            })
        })
        .collect();
    let mut head: Vec<String> = Vec::new();
    if has_rows {
        head.push("Row".to_owned());
    }
    head.extend(["Field".to_owned(), a.to_owned(), b.to_owned(), "Difference".to_owned()]);
    let all = key.rows.len() as u64 + key.more_rows;
    table("At the end", &head, &rows) + &more(all, ROWS_MAX.min(key.rows.len()), "rows")
}

fn row_name(row: &RowDifference) -> String {
    match row.row_key.is_empty() {
        true => format!("row {}", row.position),
        false => {
            row.row_key.iter().map(|part| super::escape::value(part)).collect::<Vec<_>>().join(" ")
        }
    }
}

fn place(event: &FirstEvent) -> String {
    let id = event.event_id.as_deref().map(|id| format!(" {}", code(id))).unwrap_or_default();
    let input = event.input.as_deref().map(|input| format!("{} ", code(input)));
    let place = code(&format!("{}:{}", event.partition, event.offset));
    format!("{}event{id} at {place}", input.unwrap_or_default())
}

fn event(c: &Comparison, key: &str, event: &FirstEvent) -> String {
    let (a, b) = names(c);
    let fate = |fate: &Option<Fate>| match fate {
        Some(fate) => code(&fate.to_string()),
        None => "<i class=\"none\">no record of it</i>".to_owned(),
    };
    let mut rows = vec![vec![
        Cell::Head("Outcome".to_owned()),
        Cell::Left(fate(&event.outcome_a)),
        Cell::Left(fate(&event.outcome_b)),
    ]];
    if !event.emits_a.is_empty() || !event.emits_b.is_empty() {
        rows.push(vec![
            Cell::Head("Emitted".to_owned()),
            Cell::Left(records(&event.emits_a, &event.emits_b)),
            Cell::Left(records(&event.emits_b, &event.emits_a)),
        ]);
    }
    if event.view_a.is_some() || event.view_b.is_some() {
        rows.push(vec![
            Cell::Head("Result after it".to_owned()),
            Cell::Left(view(event.view_a.as_deref(), event.view_b.as_deref())),
            Cell::Left(view(event.view_b.as_deref(), event.view_a.as_deref())),
        ]);
    }
    let head = [String::new(), text(&a), text(&b)];
    let command = match c.verdict {
        _ if c.how == retally_compare::model::How::Known => String::new(),
        _ => format!("<pre><code>{}</code></pre>", text(&shell::explain(c, key, Some(event)))),
    };
    let time = event.time.as_deref().map(|time| format!(", {}", text(time))).unwrap_or_default();
    let caption = format!("The event with which it begins to differ: {}{time}", place(event));
    format!("{}{command}", table(&caption, &head, &rows))
}

/// Records of a side; what the other side has not, at the same place, is marked.
fn records(records: &[ShownRecord], other: &[ShownRecord]) -> String {
    if records.is_empty() {
        return "<i class=\"none\">nothing</i>".to_owned();
    }
    let shown = records.iter().take(RECORDS_MAX).enumerate().map(|(number, record)| {
        let theirs = other.get(number).filter(|theirs| theirs.kind == record.kind);
        let theirs = theirs.map(|theirs| theirs.values.as_slice());
        format!("{} {}", code(&record.kind), pairs(&record.values, theirs.unwrap_or_default()))
    });
    let shown: Vec<String> = shown.collect();
    let left = records.len().saturating_sub(RECORDS_MAX);
    format!("{}{}", shown.join("<br>"), left_out(left))
}

fn view(rows: Option<&[ShownRow]>, other: Option<&[ShownRow]>) -> String {
    let Some(rows) = rows else { return "<i class=\"none\">not known</i>".to_owned() };
    if rows.is_empty() {
        return "<i class=\"none\">no row</i>".to_owned();
    }
    let other = other.unwrap_or_default();
    let shown = rows.iter().take(RECORDS_MAX).enumerate().map(|(number, row)| {
        let theirs = other.get(number).map(|theirs| theirs.values.as_slice());
        pairs(&row.values, theirs.unwrap_or_default())
    });
    let shown: Vec<String> = shown.collect();
    format!("{}{}", shown.join("<br>"), left_out(rows.len().saturating_sub(RECORDS_MAX)))
}

fn left_out(count: usize) -> String {
    if count == 0 { String::new() } else { format!("<br>and {count} more") }
}

fn pairs(values: &[ShownValue], other: &[ShownValue]) -> String {
    let shown = values.iter().take(VALUES_MAX).map(|value| {
        let name = format!("<span class=\"muted\">{}</span>", text(&value.field));
        let class = if other.contains(value) { "pair" } else { "pair changed" };
        format!("<span class=\"{class}\">{name} {}</span>", optional(value.value.as_deref()))
    });
    shown.collect::<Vec<_>>().join(" ")
}
