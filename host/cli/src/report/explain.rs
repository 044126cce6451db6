//! One key's history as a table, and as JSON.

use super::text::{aligned, counted, grouped, harmless, size, widths};
use retally_compare::model::{NamedOutcome, ShownRow, ShownValue};
use retally_engine::run::{History, RowChange, RowWhat, Told, ToldSide};
use std::fmt::Write as _;

/// What the sides of two reducers are called.
const SIDES: [&str; 2] = ["a", "b"];

/// Characters beyond which a cell makes its row longer, not its column wider.
const CELL_MAX_CHARS: usize = 40;

/// The column of numbers has room for so many digits, whatever they are.
const NUMBER_MIN_CHARS: usize = 4;

pub(crate) fn to_json(history: &History) -> String {
    // A struct of texts, numbers and lists always becomes a value.
    serde_json::to_string_pretty(history).unwrap_or_default()
}

pub(crate) fn to_text(history: &History) -> String {
    let mut t = String::new();
    head(history, &mut t);
    let cells: Vec<[String; 6]> = history.told.iter().map(cells).collect();
    let mut widths = widths(&cells, CELL_MAX_CHARS);
    widths.iter_mut().take(1).for_each(|number| *number = (*number).max(NUMBER_MIN_CHARS));
    if history.left_out_before > 0 {
        let _ = writeln!(t, "      ({} before)", counted(history.left_out_before, "event"));
    }
    views("at the start of the range", &history.view_before, &mut t);
    for (told, cells) in history.told.iter().zip(&cells) {
        let first = history.first_difference.as_ref() == Some(&told.place);
        event(told, cells, &widths, first, &mut t);
    }
    if history.left_out_behind > 0 {
        let _ = writeln!(t, "      ({} after)", counted(history.left_out_behind, "event"));
    }
    tail(history, &mut t);
    t
}

fn head(history: &History, t: &mut String) {
    let named: Vec<String> = (history.reducers.iter().enumerate())
        .map(|(side, reducer)| {
            let name = format!("{}@{}", reducer.name, reducer.version);
            if history.reducers.len() > 1 { format!("{} {name}", SIDES[side]) } else { name }
        })
        .collect();
    let events = counted(history.events, "event");
    let (key, named) = (harmless(&history.key), harmless(&named.join(", ")).into_owned());
    let _ = writeln!(t, "key {key}: {events}, under {named}");
    if let Some(range) = &history.range {
        let _ = writeln!(t, "range {}", harmless(range));
    }
    for note in &history.notes {
        let _ = writeln!(t, "note: {}", harmless(note));
    }
    t.push('\n');
}

/// Number, position, time, id, input, outcome.
fn cells(told: &Told) -> [String; 6] {
    let sides: Vec<&ToldSide> = told.sides.iter().flatten().collect();
    let of = |text: &dyn Fn(&ToldSide) -> String| -> String {
        let mut all: Vec<String> = sides.iter().map(|side| text(side)).collect();
        all.dedup();
        if told.sides.iter().any(Option::is_none) && told.sides.len() > 1 {
            let side = |(name, side): (&&str, &Option<ToldSide>)| match side {
                Some(side) => format!("{name} {}", text(side)),
                None => format!("{name} -"),
            };
            return SIDES.iter().zip(&told.sides).map(side).collect::<Vec<_>>().join(", ");
        }
        match all.as_slice() {
            [a, b] => format!("a {a}, b {b}"),
            _ => all.concat(),
        }
    };
    [
        told.number.to_string(),
        harmless(&format!("{}:{}", told.place.partition, told.place.offset)).into_owned(),
        told.time.clone(),
        harmless(&told.event_id).into_owned(),
        harmless(&of(&|side| side.input.clone())).into_owned(),
        harmless(&of(&|side| outcome(&side.outcome))).into_owned(),
    ]
}

fn outcome(outcome: &NamedOutcome) -> String {
    match &outcome.code {
        Some(code) => format!("{}: {code}", outcome.what),
        None => outcome.what.clone(),
    }
}

fn event(told: &Told, cells: &[String; 6], widths: &[usize], first: bool, t: &mut String) {
    t.push_str(if first { "> " } else { "  " });
    let _ = writeln!(t, "{}", aligned(cells, widths, |column| column == 0));
    let sides: Vec<(&str, &ToldSide)> =
        SIDES.into_iter().zip(&told.sides).filter_map(|(n, s)| Some((n, s.as_ref()?))).collect();
    let alike = |of: &dyn Fn(&ToldSide) -> Vec<String>, word: &str, t: &mut String| {
        let both: Vec<(&str, Vec<String>)> = sides.iter().map(|(n, s)| (*n, of(s))).collect();
        let same =
            both.windows(2).all(|pair| pair[0].1 == pair[1].1) && both.len() == told.sides.len();
        let shown = if same { both.len().min(1) } else { both.len() };
        for (name, list) in both.into_iter().take(shown) {
            let mark = if same || told.sides.len() < 2 { "" } else { name };
            for (number, line) in list.iter().enumerate() {
                let word = if number == 0 { word } else { "" };
                let _ = writeln!(t, "        {mark:<1} {word:<6} {}", harmless(line));
            }
        }
    };
    let reads = |side: &ToldSide| -> Vec<String> {
        let read = side.fields.iter().filter(|fields| !fields.is_empty());
        read.map(|fields| values(fields)).collect()
    };
    alike(&reads, "reads", t);
    alike(
        &|side| vec![side.detail.clone()].into_iter().filter(|d| !d.is_empty()).collect(),
        "says",
        t,
    );
    let records = |side: &ToldSide| {
        let record =
            |r: &retally_compare::model::ShownRecord| format!("{}: {}", r.kind, values(&r.values));
        side.emits.iter().map(record).collect()
    };
    alike(&records, "emits", t);
    let changes = |side: &ToldSide| match side.view {
        Some(_) => side.changes.iter().map(change).collect(),
        None => vec!["fails".to_owned()],
    };
    alike(&changes, "view", t);
    if first {
        t.push_str("          ^ the first difference\n");
    }
}

fn values(values: &[ShownValue]) -> String {
    let value = |value: &ShownValue| {
        let text = value.value.as_deref();
        format!("{} {}", value.field, text.map_or("(none)".to_owned(), quoted))
    };
    values.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// A value as it can be told from its neighbours.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([' ', ',', '"', '(']);
    if plain { text.to_owned() } else { format!("{text:?}") }
}

fn change(change: &RowChange) -> String {
    let keys: Vec<String> =
        change.row_key.iter().map(|v| quoted(v.value.as_deref().unwrap_or("(none)"))).collect();
    let key = if keys.is_empty() { String::new() } else { format!("{} ", keys.join("/")) };
    let none = || "(none)".to_owned();
    let fields: Vec<String> = (change.fields.iter())
        .map(|field| {
            let [from, to] =
                [&field.from, &field.to].map(|v| v.as_deref().map_or_else(none, quoted));
            match change.what {
                RowWhat::Came => format!("{} {to}", field.field),
                RowWhat::Went => format!("{} {from}", field.field),
                RowWhat::Changed => format!("{} {from} -> {to}", field.field),
            }
        })
        .collect();
    let mark = match change.what {
        RowWhat::Came => "+",
        RowWhat::Went => "-",
        RowWhat::Changed => "~",
    };
    format!("{mark} {key}{}", fields.join(", "))
}

/// The views of a moment, one for each reducer.
fn views(when: &str, of: &[Option<Vec<ShownRow>>], t: &mut String) {
    for (side, view) in of.iter().enumerate() {
        let side = if of.len() > 1 { format!(", {}", SIDES[side]) } else { String::new() };
        let rows = |rows: &Vec<ShownRow>| match rows.is_empty() {
            true => vec!["no rows".to_owned()],
            false => rows.iter().map(|row| values(&row.values)).collect(),
        };
        let lines = view.as_ref().map_or_else(|| vec!["fails".to_owned()], rows);
        for line in lines {
            let _ = writeln!(t, "{when}{side}: {}", harmless(&line));
        }
    }
}

fn tail(history: &History, t: &mut String) {
    t.push('\n');
    if let Some(stopped) = &history.stopped {
        let _ = writeln!(t, "stopped  {}", harmless(stopped));
    }
    let when = match history.range {
        Some(_) => "at the end of the range",
        None => "at the end",
    };
    views(when, &history.view, t);
    if history.reducers.len() > 1 {
        let line = match &history.first_difference {
            Some(place) => format!("they part at {}:{}", place.partition, place.offset),
            None if history.stopped.is_some() => "they do not part before".to_owned(),
            None => "they never part".to_owned(),
        };
        let _ = writeln!(t, "{}", harmless(&line));
    }
    let read = &history.read;
    let _ = writeln!(
        t,
        "read     {} of {}, {} in {} of {}",
        size(read.bytes),
        size(read.bytes_total),
        counted(read.events, "event"),
        grouped(read.partitions),
        counted(read.partitions_total, "partition"),
    );
}
