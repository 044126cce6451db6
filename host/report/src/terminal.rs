//! The report for a terminal: the verdict first, what differs and by how much, the worst keys with
//! the event that made them part, and last the next command to paste. Short, whatever differs.

use crate::number::grouped;
use crate::sentence::{self, Part, Sentence, names, shown, with_unit};
use crate::shell::{self, command};
use crate::text::{cut, harmless, harmless_lines, visible, wrapped};
use retally_compare::model::{
    Comparison, EmitDifference, FieldDifference, FirstDivergence, FirstEvent, How, KeyDifference,
    Presence, RowDifference, Sets, ValueDifference, Verdict,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Fields, kinds and codes that are listed.
const LINES_MAX: usize = 12;

/// Transitions of a field that are listed.
const TRANSITIONS_MAX: usize = 3;

/// Keys that are shown.
const KEYS_MAX: usize = 3;

/// Rows of a key, and values of a row, that are shown.
const ROWS_MAX: usize = 2;
const VALUES_MAX: usize = 6;

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 40;

/// Characters of a line, but for commands: a break would spoil them.
const WIDTH: usize = 80;

/// Findings that are told.
const FINDINGS_MAX: usize = 3;

/// The report.
#[must_use]
pub fn terminal(c: &Comparison) -> String {
    told(c, true)
}

/// The report of which a page is written too: nothing leads to one.
#[must_use]
pub fn terminal_beside_page(c: &Comparison) -> String {
    told(c, false)
}

fn told(c: &Comparison, to_page: bool) -> String {
    let mut t = String::new();
    let word = match c.verdict {
        Verdict::Same => "same",
        Verdict::Different => "different",
    };
    put(&mut t, &format!("{word}: {}", line(&sentence::verdict(c))), 2);
    // How values change stands with their fields.
    let totals = sentence::totals(c);
    let findings = sentence::findings(c).skip(1).take(FINDINGS_MAX - 1);
    let findings = findings.map(|finding| sentence::finding(c, finding));
    let accuracy = crate::known::accuracy(c);
    for said in accuracy.into_iter().chain(totals).chain(sentence::why(c)).chain(findings) {
        put(&mut t, &format!("  {}", line(&said)), 4);
    }
    for note in &c.notes {
        put(&mut t, &format!("note: {}", note.text), 2);
    }
    if c.verdict == Verdict::Different {
        counts(&mut t, c);
        fields(&mut t, &c.fields);
        c.emits.iter().take(LINES_MAX).for_each(|emit| emits(&mut t, c, emit));
        events(&mut t, c);
        keys(&mut t, c);
    }
    if let Some(gate) = &c.gate {
        t += &crate::gate::text(gate);
    }
    read(&mut t, c);
    for hint in hints(c, to_page) {
        let _ = writeln!(t, "hint: {hint}");
    }
    harmless_lines(&t)
}

/// Writes a text, in lines of which those behind the first stand further in.
fn put(t: &mut String, text: &str, indent: usize) {
    let _ = writeln!(t, "{}", wrapped(&harmless(text), " ", WIDTH, indent));
}

/// The same of a row, whose values stand two spaces apart and are not torn.
fn put_row(t: &mut String, text: &str, indent: usize) {
    let _ = writeln!(t, "{}", wrapped(&harmless(text), "  ", WIDTH, indent));
}

fn line(said: &Sentence) -> String {
    said.render(|part| match part {
        Part::Text(text) | Part::Number(text) => text.clone(),
        Part::Value(text) => value(text),
    })
}

/// One line of at most so many characters, whatever the value.
fn value(text: &str) -> String {
    cut(&harmless(text), VALUE_CHARS).into_owned()
}

fn counts(t: &mut String, c: &Comparison) {
    t.push('\n');
    let view = sentence::has_view(c);
    let (keys, rows) = (view.then_some(c.keys), view.then_some(c.rows));
    for (what, sets) in [("keys", keys), ("rows", rows), ("states", c.states)] {
        let Some(Sets { only_a, only_b, equal, different }) = sets else { continue };
        let [in_a, in_b] = alone(c);
        let told = [("different", different), (in_a, only_a), (in_b, only_b)];
        let told = told.iter().filter(|(_, count)| *count > 0);
        let told: Vec<String> = told.map(|(w, n)| format!("{} {w}", grouped(*n))).collect();
        let told = if told.is_empty() { String::new() } else { format!("{}, ", told.join(", ")) };
        let _ = writeln!(t, "  {what:<8}{told}{} equal", grouped(equal));
    }
}

/// What stands on one side alone is called.
fn alone(c: &Comparison) -> [&'static str; 2] {
    match c.how {
        How::Known => ["extra", "missing"],
        How::OnePass | How::Runs => ["only A", "only B"],
    }
}

fn fields(t: &mut String, fields: &[FieldDifference]) {
    let differing: Vec<&FieldDifference> = fields.iter().filter(|f| f.differ > 0).collect();
    let names = differing.iter().take(LINES_MAX).map(|field| field.name.chars().count());
    let width = names.max().unwrap_or(0).max(6);
    for field in differing.iter().take(LINES_MAX) {
        let rows = if field.differ == 1 { "row" } else { "rows" };
        let mut told = format!("differs in {} {rows}", grouped(field.differ));
        if let Some(n) = &field.numeric {
            let unit = |text: &str| with_unit(text, n.unit);
            let (sum, least, most) = (unit(&n.sum), unit(&n.smallest), unit(&n.largest));
            let _ = write!(told, ", sum {sum}, from {least} to {most}");
        }
        if let Some(transitions) = &field.transitions {
            let shown = transitions.list.iter().take(TRANSITIONS_MAX).map(|change| {
                let side = |text: &Option<String>| text.as_deref().map_or("(none)".into(), value);
                format!("{} -> {} {}", side(&change.from), side(&change.to), grouped(change.values))
            });
            let shown: Vec<String> = shown.collect();
            let _ = write!(told, ": {}", shown.join(", "));
            if transitions.list.len() > TRANSITIONS_MAX || transitions.others > 0 {
                told += ", ...";
            }
        }
        if let Some(tolerated) = field.tolerated.as_ref().filter(|t| t.values > 0) {
            let values = grouped(tolerated.values);
            let _ = write!(told, "; {values} more within {}", tolerated.tolerance);
        }
        put(t, &format!("  {:<width$}  {told}", field.name), width + 4);
    }
    more(t, differing.len(), "fields");
}

fn more(t: &mut String, all: usize, what: &str) {
    if let beyond @ 1.. = all.saturating_sub(LINES_MAX) {
        let _ = writeln!(t, "  and {} more {what}", grouped(beyond as u64));
    }
}

fn emits(t: &mut String, c: &Comparison, emit: &EmitDifference) {
    let Some(records) = emit.records else { return };
    if records.differing() == 0 && emit.doubled == 0 {
        return;
    }
    let (differ, all) = (grouped(records.differing()), grouped(records.all()));
    let mut told = format!("  emit {}: {differ} of {all} records differ", value(&emit.kind));
    let [in_a, in_b] = alone(c);
    for (what, count) in [(in_a, records.only_a), (in_b, records.only_b), ("doubled", emit.doubled)]
    {
        if count > 0 {
            let _ = write!(told, ", {} {what}", grouped(count));
        }
    }
    put(t, &told, 4);
}

fn events(t: &mut String, c: &Comparison) {
    let outcomes = c.outcomes.as_deref().unwrap_or_default();
    for change in outcomes.iter().take(LINES_MAX) {
        let (a, b) = (&change.a, &change.b);
        put(t, &format!("  events: {} {a} -> {b}", grouped(change.events)), 4);
    }
    more(t, outcomes.len(), "changes of outcomes");
    let codes: Vec<_> =
        c.refusals.iter().chain(&c.violations).filter(|count| count.a != count.b).collect();
    for count in codes.iter().take(LINES_MAX) {
        let code = count.code.as_deref().map_or(String::new(), |code| format!(" {}", value(code)));
        let (a, b) = (grouped(count.a), grouped(count.b));
        let _ = writeln!(t, "  {}{code}: {a} -> {b}", count.what);
    }
    more(t, codes.len(), "codes");
}

/// The keys of the first ranking, then those that stand in another alone: a field may differ in
/// few keys while other fields differ in others.
pub(crate) fn worst(c: &Comparison) -> impl Iterator<Item = &KeyDifference> {
    let mut told = BTreeSet::new();
    let numbers = c.worst.rankings.iter().flat_map(|ranking| ranking.keys.iter().copied());
    let once = numbers.filter(move |number| told.insert(*number));
    once.filter_map(|number| c.worst.keys.get(number as usize))
}

fn keys(t: &mut String, c: &Comparison) {
    let (a, b) = names(c);
    let width = a.chars().count().max(b.chars().count());
    for key in worst(c).take(KEYS_MAX) {
        let first = match &key.first {
            FirstDivergence::Event(event) => format!("    {}\n", event_text(event)),
            FirstDivergence::NotInFiles | FirstDivergence::NoEvents => String::new(),
        };
        let _ = write!(t, "\n  key {}\n{first}", value(visible(&key.key)));
        for row in key.rows.iter().take(ROWS_MAX) {
            let told = side(c, row, Presence::OnlyB, |v| &v.a);
            put_row(t, &format!("    {a:<width$}  {told}"), width + 6);
            let told = side(c, row, Presence::OnlyA, |v| &v.b);
            put_row(t, &format!("    {b:<width$}  {told}"), width + 6);
        }
        let rows = (key.rows.len().saturating_sub(ROWS_MAX) as u64) + key.more_rows;
        if rows > 0 {
            let s = if rows == 1 { "" } else { "s" };
            let _ = writeln!(t, "    and {} more row{s}", grouped(rows));
        }
    }
}

fn event_text(event: &FirstEvent) -> String {
    let mut told = "since event".to_owned();
    if let Some(id) = &event.event_id {
        let _ = write!(told, " {}", value(id));
    }
    let _ = write!(told, " at {}:{}", value(&event.partition), event.offset);
    if let Some(time) = &event.time {
        let _ = write!(told, ", {time}");
    }
    told
}

/// What a row holds on one side; `absent`: where it stands if this side has none.
fn side(
    c: &Comparison,
    row: &RowDifference,
    absent: Presence,
    of: impl Fn(&ValueDifference) -> &Option<String>,
) -> String {
    let mut told: Vec<String> = row.row_key.iter().map(|part| value(part)).collect();
    if row.presence == absent {
        told.push("no row".to_owned());
        return told.join("  ");
    }
    for v in row.values.iter().take(VALUES_MAX) {
        let text = of(v).as_deref().map_or("-".to_owned(), |text| value(&shown(c, v, text)));
        told.push(format!("{} {text}", v.field));
    }
    if row.values.len() > VALUES_MAX {
        told.push("...".to_owned());
    }
    told.join("  ")
}

fn read(t: &mut String, c: &Comparison) {
    if c.how == How::OnePass || c.read.bytes_total == 0 {
        return;
    }
    let total = grouped(c.read.bytes_total);
    let bytes = match c.read.bytes_read > c.read.bytes_total {
        true => format!("all {total} bytes, some of them twice"),
        false => format!("{} of {total} bytes", grouped(c.read.bytes_read)),
    };
    let (leaves, of) = (grouped(c.read.leaves_read), grouped(c.read.leaves_total));
    let _ = writeln!(t, "read {bytes}, {leaves} of {of} leaves");
}

/// What to do next, if anything differs: what leads to the worst key, then to the whole of it.
fn hints(c: &Comparison, to_page: bool) -> Vec<String> {
    if c.verdict == Verdict::Same {
        return Vec::new();
    }
    let whole = c.repeat.last().map(|words| format!("{} --html report.html", command(words)));
    explain(c).into_iter().chain(whole.filter(|_| to_page)).collect()
}

/// The command that explains the worst key.
#[must_use]
pub fn explain(c: &Comparison) -> Option<String> {
    let key = worst(c).next()?;
    match &key.first {
        FirstDivergence::Event(event) => Some(shell::explain(c, &key.key, Some(event))),
        FirstDivergence::NotInFiles => Some(shell::explain(c, &key.key, None)),
        FirstDivergence::NoEvents => None,
    }
}
