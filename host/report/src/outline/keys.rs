//! The keys that differ most: one line each, with its difference in each number, the event that
//! made the sides part, and, unfolded, every value that differs and what both sides made of that
//! event. Sorted by ranks that are computed here, exactly; the page's script only reorders.

use super::block::{Block, Column, Key, Keys, Sort, Table, head, left, more, right};
use super::first::words;
use super::sentence::{sides, with_unit};
use super::span::{Class, Difference, Sentence, Span, missing, name, optional, said};
use super::{COMMENT, PAGE, Section, TERMINAL, detail};
use crate::number::{compare, compare_size, grouped};
use crate::shell;
use retally_compare::model::{
    Comparison, FieldDifference, FirstDivergence, KeyDifference, Presence, Ranking, Unit,
    ValueDifference, Verdict,
};
use retally_core::schema::Kind;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Keys on a page, in a comment and on a terminal.
const KEYS_MAX: usize = 1_000;
const COMMENT_KEYS_MAX: usize = 10;
const LINE_KEYS_MAX: usize = 3;

const COMMENT_VALUES_MAX: usize = 8;

/// Numbers that have a column.
const COLUMNS_MAX: usize = 6;

const CHANGES_MAX: usize = 3;

/// A line: a key and the largest difference of each column.
struct Line<'a> {
    key: &'a KeyDifference,
    largest: Vec<Option<Largest>>,
}

struct Largest {
    difference: String,
    /// Of which of its rows.
    row: String,
}

pub(super) fn keys(c: &Comparison, to: &mut Section) {
    let chosen: Vec<&KeyDifference> =
        chosen(c).into_iter().map(|number| &c.worst.keys[number]).collect();
    if chosen.is_empty() {
        return;
    }
    if c.verdict == Verdict::Different {
        let told = chosen.iter().take(LINE_KEYS_MAX);
        told.for_each(|key| to.put(TERMINAL, Block::Brief(detail::brief(c, key))));
    }
    in_comment(c, &chosen, to);
    to.put(PAGE, Block::Lead(lead(c, chosen.len())));
    to.put(PAGE, Block::Keys(Box::new(on_page(c, &chosen))));
}

pub(super) fn explain(c: &Comparison) -> Option<String> {
    let key = &c.worst.keys[*chosen(c).first()?];
    let has_events = key.first != FirstDivergence::NoEvents;
    has_events.then(|| shell::explain(c, &key.key, key.first.event()))
}

fn in_comment(c: &Comparison, chosen: &[&KeyDifference], to: &mut Section) {
    let [a, b] = sides(c).map(right);
    let columns =
        [head("Key"), left("Row"), left("Field"), a, b, right("Difference"), left(words(c).column)];
    let rows = chosen.iter().take(COMMENT_KEYS_MAX).flat_map(|key| {
        let event = match &key.first {
            FirstDivergence::Event(event) => {
                let place = name(format!("{}:{}", event.partition, event.offset));
                said![place, event.time.as_ref().map(|time| format!(" {time}"))]
            }
            FirstDivergence::NotInFiles => missing("not in the files").into(),
            FirstDivergence::NoEvents => said![],
        };
        let values = detail::values(c, key).into_iter().take(COMMENT_VALUES_MAX);
        values.map(move |mut cells| {
            cells.insert(0, name(&key.key).into());
            cells.push(event.clone());
            cells
        })
    });
    if let Some(field) = c.worst.rankings.first().and_then(|ranking| ranking.field.as_ref()) {
        let lead = said!["By the size of the difference in ", name(field), "."];
        to.put(COMMENT, Block::Lead(lead));
    }
    to.put(COMMENT, Block::Table(Table::new("", columns, rows, (usize::MAX, "lines"))));
    let told = chosen.len().min(COMMENT_KEYS_MAX) as u64;
    to.put(COMMENT, Block::Lead(more(c.worst.of.saturating_sub(told), "keys that differ")));
    to.put(COMMENT, Block::Commands(explain(c).into_iter().collect()));
}

fn on_page(c: &Comparison, chosen: &[&KeyDifference]) -> Keys {
    let numbers = numbers(c);
    let lines = chosen.iter().map(|&key| {
        let largest = numbers.iter().map(|field| largest(key, field)).collect();
        Line { key, largest }
    });
    let lines: Vec<Line<'_>> = lines.collect();
    let ranks = ranks(&lines, numbers.len());
    let key = |(line, ranks): (&Line<'_>, Ranks)| {
        let shown = line.largest.iter().zip(&numbers);
        let shown = shown.map(|(largest, field)| number(largest.as_ref(), field));
        let behind = [changes(line.key), time(line.key)];
        let cells = std::iter::once(title(line.key)).chain(shown).chain(behind).collect();
        Key { cells, ranks, fold: detail::fold(c, line.key) }
    };
    let by = c.worst.rankings.first().and_then(|ranking| ranking.field.as_deref());
    let by = by.map_or("in the order of their names".to_owned(), |field| {
        format!("largest difference in {field} first")
    });
    Keys {
        status: format!("{} keys, {by}", grouped(chosen.len() as u64)),
        sorts: sorts(c, &numbers),
        keys: lines.iter().zip(ranks).map(key).collect(),
        all: c.worst.of,
    }
}

/// The ways to sort, by the ranks that [`ranks`] makes.
fn sorts(c: &Comparison, numbers: &[&FieldDifference]) -> Vec<Sort> {
    let sort = |name: &str, column: Column, ranks: &[usize], modes| Sort {
        name: name.to_owned(),
        column,
        ranks: ranks.to_vec(),
        modes,
    };
    let mut sorts = vec![sort("@key", head("Key"), &[0], "up down")];
    sorts.extend(numbers.iter().enumerate().map(|(number, field)| {
        let of = &field.name;
        let (size, value) = (1 + 2 * number, 2 + 2 * number);
        sort(of, right(name(of)), &[size, value, value], "size up down")
    }));
    sorts.push(sort("", left("Other changes"), &[], ""));
    let begins = left(words(c).time);
    sorts.push(sort("@time", begins, &[1 + 2 * numbers.len()], "up down"));
    sorts
}

fn lead(c: &Comparison, shown: usize) -> Sentence {
    if c.worst.of <= shown as u64 {
        return "All keys that differ.".into();
    }
    let (shown, all) = (grouped(shown as u64), grouped(c.worst.of));
    let begin = format!("The {shown} keys with the largest differences of {all} that differ.");
    let (file, flag) = (name("differences.parquet"), name("--differences"));
    said![begin, " Every one of them is in ", file, " (", flag, ")."]
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
        let place = |ranking: &Ranking| {
            ranking.keys.iter().position(|key| *key as usize == *number).unwrap_or(usize::MAX)
        };
        let places: Vec<usize> = c.worst.rankings.iter().map(place).collect();
        (places, *number)
    };
    chosen.sort_by_cached_key(order);
    chosen
}

fn numbers(c: &Comparison) -> Vec<&FieldDifference> {
    let ranked = c.worst.rankings.iter().filter_map(|ranking| ranking.field.as_ref());
    let fields = ranked.filter_map(|name| c.fields.iter().find(|field| field.name == *name));
    // Keys may be ranked by what has no difference to show: times of rows on one side alone.
    let shows =
        |field: &&FieldDifference| c.worst.keys.iter().any(|key| largest(key, field).is_some());
    fields.filter(shows).take(COLUMNS_MAX).collect()
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

fn largest(key: &KeyDifference, field: &FieldDifference) -> Option<Largest> {
    let mut found: Option<Largest> = None;
    for row in &key.rows {
        let own = row.values.iter().filter(|value| value.field == field.name);
        for difference in own.filter_map(|value| effective(value, field.kind)) {
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
    let mut ways = vec![places(lines, |_| Some(()), |(), ()| Ordering::Equal)];
    for column in 0..columns {
        let of = |line: &Line<'_>| Some(line.largest[column].as_ref()?.difference.clone());
        ways.push(places(lines, of, |a, b| compare_size(b, a)));
        ways.push(places(lines, of, |a, b| compare(a, b)));
    }
    ways.push(places(lines, |line| line.key.first.event()?.time.clone(), Ord::cmp));
    (0..lines.len()).map(|line| ways.iter().map(|way| way[line]).collect()).collect()
}

/// The place of each line, if it has what they are sorted by; of equals by key.
fn places<T>(
    lines: &[Line<'_>],
    of: impl Fn(&Line<'_>) -> Option<T>,
    by: impl Fn(&T, &T) -> Ordering,
) -> Vec<Option<usize>> {
    let own = lines.iter().enumerate();
    let mut order: Vec<(T, &str, usize)> =
        own.filter_map(|(at, line)| Some((of(line)?, line.key.key.as_str(), at))).collect();
    order.sort_by(|a, b| by(&a.0, &b.0).then_with(|| a.1.cmp(b.1)));
    let mut places = vec![None; lines.len()];
    order.into_iter().enumerate().for_each(|(place, (.., line))| places[line] = Some(place));
    places
}

fn title(key: &KeyDifference) -> Sentence {
    let badge = match key.presence {
        Presence::Both => None,
        Presence::OnlyA => Some(Span::Badge(Class::OnlyA, "only in baseline")),
        Presence::OnlyB => Some(Span::Badge(Class::OnlyB, "only in candidate")),
    };
    said![Span::Value(key.key.clone()), badge.map(|badge| said![" ", badge])]
}

fn number(largest: Option<&Largest>, field: &FieldDifference) -> Sentence {
    let Some(Largest { difference, row }) = largest else { return said![] };
    let unit = match field.kind {
        Kind::Timestamp => Unit::Seconds,
        Kind::Date => Unit::Days,
        _ => Unit::Value,
    };
    let shown = Difference::shown(difference, with_unit(difference, unit));
    let row = (!row.is_empty()).then(|| said![" ", Span::Value(row.clone())]);
    said![Span::Difference(shown), row]
}

/// Texts and the like that changed.
fn changes(key: &KeyDifference) -> Sentence {
    let values = key.rows.iter().filter(|row| row.presence == Presence::Both);
    let values = values.flat_map(|row| &row.values);
    let mut seen = BTreeSet::new();
    let other = values.filter(|v| v.difference.is_none() && seen.insert((&v.field, &v.a, &v.b)));
    let mut told: Vec<Sentence> = other
        .map(|v| {
            let [a, b] = [&v.a, &v.b].map(|side| optional(side.as_deref()));
            said![v.field.as_str(), " ", a, " → ", b]
        })
        .collect();
    let more = told.len().saturating_sub(CHANGES_MAX);
    told.truncate(CHANGES_MAX);
    told.extend((more > 0).then(|| said![format!("and {more} more")]));
    Sentence::joined(told, Span::Break)
}

/// When it begins to differ, to the second; the rest stands where the key is unfolded.
fn time(key: &KeyDifference) -> Sentence {
    match &key.first {
        FirstDivergence::Event(event) => match &event.time {
            Some(time) => {
                let short = time.get(..19).unwrap_or(time).replacen('T', " ", 1);
                Span::Amount(short).into()
            }
            None => missing("time not known").into(),
        },
        FirstDivergence::NotInFiles => missing("not in the files").into(),
        FirstDivergence::NoEvents => said![],
    }
}
