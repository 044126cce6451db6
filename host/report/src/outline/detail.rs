//! A key, unfolded: every value that differs, row by row, and the event that made the sides part,
//! with what became of it, what was emitted for it and the result after it, on both sides.

use super::block::{Block, Brief, Table, head, left, right};
use super::first::words;
use super::sentence::{names, shown, sides};
use super::span::{Difference, Sentence, Span, missing, name, optional, said};
use crate::number::grouped;
use crate::shell;
use crate::text::visible;
use retally_compare::model::{
    Comparison, FirstDivergence, FirstEvent, How, KeyDifference, NamedOutcome, Presence,
    RowDifference, ShownRecord, ShownRow, ShownValue, ValueDifference,
};

/// Rows of a key, values of a row, records and rows of an event that are shown.
const ROWS_MAX: usize = 10;
const VALUES_MAX: usize = 24;
const RECORDS_MAX: usize = 5;

/// Rows of a key, and values of a row, on a terminal.
const LINE_ROWS_MAX: usize = 2;
const LINE_VALUES_MAX: usize = 6;

pub(super) fn fold(c: &Comparison, key: &KeyDifference) -> Block {
    let mut title = said!["Every value that differs"];
    let [a, b] = sides(c).map(right);
    let columns = [head("Row"), left("Field"), a, b, right("Difference")];
    let mut table = Table::new("At the end", columns, values(c, key), (usize::MAX, "rows"));
    let all = key.rows.len() as u64 + key.more_rows;
    table.left_out.0 = all - ROWS_MAX.min(key.rows.len()) as u64;
    let mut blocks = vec![Block::Table(table)];
    match &key.first {
        FirstDivergence::Event(first) => {
            title = said![words(c).title, place(first)];
            blocks.push(Block::Table(event(c, first)));
            let command = (c.how != How::Known).then(|| shell::explain(c, &key.key, Some(first)));
            blocks.push(Block::Commands(command.into_iter().collect()));
        }
        FirstDivergence::NotInFiles => {
            let lead = "The files do not hold the event with which it begins to differ. This finds \
                        it:";
            blocks.push(Block::Lead(lead.into()));
            blocks.push(Block::Commands(vec![shell::explain(c, &key.key, None)]));
        }
        FirstDivergence::NoEvents => {}
    }
    Block::Fold(title, blocks)
}

pub(super) fn values(c: &Comparison, key: &KeyDifference) -> Vec<Vec<Sentence>> {
    let is_lone = key.rows.len() == 1;
    let own = |row: &RowDifference, v: &ValueDifference| {
        let side = |text: &Option<String>, absent: Presence| match row.presence == absent {
            true => missing("no row").into(),
            false => optional(text.as_deref().map(|text| shown(c, v, text)).as_deref()).into(),
        };
        let of = match row.row_key.is_empty() {
            true if is_lone => said![],
            true => said![format!("row {}", row.position)],
            false => {
                let values = row.row_key.iter().map(|value| Span::Value(value.clone()).into());
                Sentence::joined(values, " ")
            }
        };
        let difference = v.difference.as_deref().map(|text| Span::Difference(Difference::of(text)));
        let (a, b) = (side(&v.a, Presence::OnlyB), side(&v.b, Presence::OnlyA));
        vec![of, name(&v.field).into(), a, b, difference.into()]
    };
    let rows = key.rows.iter().take(ROWS_MAX);
    rows.flat_map(|row| row.values.iter().take(VALUES_MAX).map(move |v| own(row, v))).collect()
}

pub(super) fn brief(c: &Comparison, key: &KeyDifference) -> Brief {
    let lead = key.first.event().map(|event| {
        let id = event.event_id.as_ref().map(|id| said![" ", name(id)]);
        let time = event.time.as_ref().map(|time| format!(", {time}"));
        let offset = format!(":{}", event.offset);
        said![words(c).since, id, " at ", name(&event.partition), offset, time, before(event)]
    });
    let entries = key.rows.iter().take(LINE_ROWS_MAX).flat_map(|row| {
        let [a, b] = names(c);
        let of_a = side(c, row, Presence::OnlyB, |v| &v.a);
        [(a.into(), of_a), (b.into(), side(c, row, Presence::OnlyA, |v| &v.b))]
    });
    let more = (key.rows.len().saturating_sub(LINE_ROWS_MAX) as u64) + key.more_rows;
    let rows = if more == 1 { "row" } else { "rows" };
    let more = (more > 0).then(|| format!("and {} more {rows}", grouped(more)));
    Brief {
        title: said!["key ", name(visible(&key.key))],
        lead: lead.into(),
        entries: entries.collect(),
        more: more.into(),
    }
}

/// What a row holds on one side; `absent`: where it stands if this side has none.
fn side(
    c: &Comparison,
    row: &RowDifference,
    absent: Presence,
    of: impl Fn(&ValueDifference) -> &Option<String>,
) -> Sentence {
    let of_row = row.row_key.iter().map(|part| name(part).into());
    let values = row.values.iter().take(LINE_VALUES_MAX).map(|v| {
        let text = of(v).as_deref().map_or(said!["-"], |text| name(shown(c, v, text)).into());
        said![v.field.as_str(), " ", text]
    });
    let more = (row.values.len() > LINE_VALUES_MAX).then(|| said!["..."]);
    match row.presence == absent {
        true => Sentence::joined(of_row.chain([said!["no row"]]), "  "),
        false => Sentence::joined(of_row.chain(values).chain(more), "  "),
    }
}

fn place(event: &FirstEvent) -> Sentence {
    let input = event.input.as_ref().map(|input| said![name(input), " "]);
    let id = event.event_id.as_ref().map(|id| said![" ", name(id)]);
    let place = name(format!("{}:{}", event.partition, event.offset));
    said![input, "event", id, " at ", place, before(event)]
}

/// Whether nobody would look for it in the range.
fn before(event: &FirstEvent) -> Option<&'static str> {
    event.before_range.then_some(", before the range")
}

fn event(c: &Comparison, event: &FirstEvent) -> Table {
    let outcome = |of: &Option<NamedOutcome>| match of {
        Some(of) => name(of.to_string()).into(),
        None => missing("no record of it").into(),
    };
    let (a, b) = (outcome(&event.outcome_a), outcome(&event.outcome_b));
    let mut rows = vec![vec!["Outcome".into(), a, b]];
    let (a, b) = (&event.emits_a, &event.emits_b);
    if !a.is_empty() || !b.is_empty() {
        rows.push(vec!["Emitted".into(), records(a, b), records(b, a)]);
    }
    let (a, b) = (event.view_a.as_deref(), event.view_b.as_deref());
    if a.is_some() || b.is_some() {
        rows.push(vec!["Result after it".into(), view(a, b), view(b, a)]);
    }
    let time = event.time.as_ref().map(|time| format!(", {time}"));
    let caption = said![words(c).caption, place(event), time];
    let [a, b] = sides(c).map(left);
    Table::new(caption, [head(""), a, b], rows, (usize::MAX, "lines"))
}

/// Records of a side; what the other side has not, at the same place, is marked.
fn records(records: &[ShownRecord], other: &[ShownRecord]) -> Sentence {
    let shown = records.iter().enumerate().map(|(number, record)| {
        let theirs = other.get(number).filter(|theirs| theirs.kind == record.kind);
        let theirs = theirs.map(|theirs| theirs.values.as_slice()).unwrap_or_default();
        said![name(&record.kind), " ", pairs(&record.values, theirs)]
    });
    lines(shown, "nothing")
}

fn view(rows: Option<&[ShownRow]>, other: Option<&[ShownRow]>) -> Sentence {
    let Some(rows) = rows else { return missing("not known").into() };
    let other = other.unwrap_or_default();
    let shown = rows.iter().enumerate().map(|(number, row)| {
        let theirs = other.get(number).map(|theirs| theirs.values.as_slice());
        pairs(&row.values, theirs.unwrap_or_default())
    });
    lines(shown, "no row")
}

fn lines(all: impl ExactSizeIterator<Item = Sentence>, none: &str) -> Sentence {
    if all.len() == 0 {
        return missing(none).into();
    }
    let more = all.len().saturating_sub(RECORDS_MAX);
    let more = (more > 0).then(|| said![format!("and {more} more")]);
    Sentence::joined(all.take(RECORDS_MAX).chain(more), Span::Break)
}

fn pairs(values: &[ShownValue], other: &[ShownValue]) -> Sentence {
    let pair = |value: &ShownValue| {
        let is_changed = !other.contains(value);
        Span::Pair(value.field.clone(), value.value.clone(), is_changed).into()
    };
    let pairs = values.iter().take(VALUES_MAX).map(pair);
    Sentence::joined(pairs, " ")
}
