//! The tables of a pull request's report.

use super::bounded::{Align, Bounded};
use super::escape::{code, fence, plain};
use crate::number::{digits, grouped, is_zero, percent, rounded, signed, thousands};
use crate::sentence::{names, shown, with_unit};
use crate::shell::{command, shell_flag};
use crate::terminal::{explain, worst};
use retally_compare::model::{
    CodeCount, Comparison, Fate, FirstDivergence, KeyDifference, Place, RowKey, Side, Total,
    ValueDifference, Verdict,
};

const L: Align = Align::Left;
const R: Align = Align::Right;

/// Rows of a table.
const ROWS_MAX: usize = 40;

/// Keys that are shown, and values of each.
const KEYS_MAX: usize = 10;
const VALUES_MAX: usize = 8;

fn optional(text: Option<&str>, shown: impl Fn(&str) -> String) -> String {
    text.map_or_else(|| "_none_".to_owned(), shown)
}

fn total(total: &Total) -> [String; 4] {
    let side = |text: &Option<String>| text.as_deref().map_or("–".to_owned(), thousands);
    let difference = match is_zero(&total.difference) {
        true => thousands(&total.difference),
        false => format!("**{}**", signed(&total.difference)),
    };
    let tolerated = total.tolerated.as_deref().map_or(String::new(), signed);
    [side(&total.a), side(&total.b), difference, tolerated]
}

fn total_name(total: &Total) -> String {
    match &total.of {
        Place::View => code(&total.field),
        Place::Emit(kind) => format!("{} of emit {}", code(&total.field), code(kind)),
    }
}

/// What the gate found, if there is one.
pub(super) fn gate(b: &mut Bounded, c: &Comparison) {
    let Some(gate) = &c.gate else { return };
    let word = if gate.holds { "✅ The gate holds" } else { "❌ The gate is broken" };
    b.line(&format!("**{word}**\n"));
    let text = crate::gate::text(gate);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (number, line) in lines.iter().enumerate() {
        if !b.line(&format!("- {}", code(line))) {
            return b.more((lines.len() - number) as u64, "lines about the gate");
        }
    }
}

/// Totals of the view and of emits.
pub(super) fn totals(b: &mut Bounded, c: &Comparison) {
    if c.totals.is_empty() || c.verdict == Verdict::Same {
        return;
    }
    let (name_a, name_b) = names(c);
    let (name_a, name_b) = (plain(&name_a), plain(&name_b));
    let head = [
        ("total", L),
        (name_a.as_str(), R),
        (name_b.as_str(), R),
        ("difference", R),
        ("tolerated", R),
    ];
    // What differs stands before what does not.
    let mut all: Vec<&Total> = c.totals.iter().collect();
    all.sort_by_key(|total| is_zero(&total.difference));
    let rows = all.into_iter().map(|t| std::iter::once(total_name(t)).chain(total(t)).collect());
    b.table(&head, rows, (ROWS_MAX, c.totals.len() as u64), "totals");
    if let Some(RowKey::Fields(fields)) = &c.view.row_key
        && let Some(first) = fields.first()
    {
        let each: Vec<String> = fields.iter().map(|field| code(field)).collect();
        let further = match c.groups.is_some() {
            true => "each group stands below".to_owned(),
            false => format!("{} tells them apart", code(&shell_flag("--by", first))),
        };
        let each = each.join(", ");
        b.line(&format!(
            "\nSums over every {each}, which mean nothing if units differ: {further}."
        ));
    }
}

/// Totals per value of a field.
pub(super) fn groups(b: &mut Bounded, c: &Comparison) {
    let Some(groups) = &c.groups else { return };
    let moved = crate::groups::moved(groups);
    let by = code(&groups.by);
    if moved.is_empty() {
        b.line(&format!("By {by} no total differs."));
        return;
    }
    let (name_a, name_b) = names(c);
    let (name_a, name_b) = (plain(&name_a), plain(&name_b));
    let head = [
        ("total", L),
        (by.as_str(), L),
        (name_a.as_str(), R),
        (name_b.as_str(), R),
        ("difference", R),
        ("tolerated", R),
    ];
    let count: usize =
        moved.iter().map(|moved| moved.groups.len() + usize::from(moved.others.is_some())).sum();
    let row = |of: &Total, value: String, own: &Total| -> Vec<String> {
        [total_name(of), value].into_iter().chain(total(own)).collect()
    };
    let rows = moved.iter().flat_map(|moved| {
        let own = moved.groups.iter();
        let own = own.map(|(value, total)| row(moved.of, optional(*value, code), total));
        own.chain(moved.others.map(|total| row(moved.of, "_all others_".to_owned(), total)))
    });
    b.table(&head, rows, (ROWS_MAX, count as u64), "groups' totals");
}

/// How each field differs.
pub(super) fn fields(b: &mut Bounded, c: &Comparison) {
    let differing = c.fields.iter().filter(|field| field.differ > 0 || field.tolerated.is_some());
    let count = differing.clone().count();
    if count == 0 {
        return;
    }
    let head = [
        ("field", L),
        ("kind", L),
        ("differs in", R),
        ("of rows", R),
        ("sum", R),
        ("mean", R),
        ("smallest", R),
        ("largest", R),
        ("within tolerance", R),
    ];
    let rows = differing.map(|field| {
        let n = field.numeric.as_ref();
        let unit = |of: fn(&retally_compare::model::Numeric) -> &str| {
            n.map_or(String::new(), |n| with_unit(of(n), n.unit))
        };
        vec![
            code(&field.name),
            field.kind.to_string(),
            format!("{} ({})", grouped(field.differ), percent(field.differ, field.compared)),
            grouped(field.compared),
            unit(|n| &n.sum),
            n.map_or(String::new(), |n| with_unit(&rounded(&n.mean, digits(&n.sum) + 2), n.unit)),
            unit(|n| &n.smallest),
            unit(|n| &n.largest),
            field.tolerated.as_ref().map_or(String::new(), |t| grouped(t.values)),
        ]
    });
    b.table(&head, rows, (ROWS_MAX, count as u64), "fields");
}

/// From which value to which.
pub(super) fn transitions(b: &mut Bounded, c: &Comparison) {
    let fields = c.fields.iter().filter_map(|field| Some((field, field.transitions.as_ref()?)));
    let fields = fields.filter(|(_, transitions)| !transitions.list.is_empty());
    let count: u64 = fields.clone().map(|(_, t)| t.list.len() as u64).sum();
    let others: u64 = fields.clone().map(|(_, t)| t.others).sum();
    if count == 0 {
        return;
    }
    let rows = fields.flat_map(|(field, transitions)| {
        transitions.list.iter().map(|change| {
            let (from, to) = (change.from.as_deref(), change.to.as_deref());
            let name = code(&field.name);
            vec![name, optional(from, code), optional(to, code), grouped(change.values)]
        })
    });
    let head = [("field", L), ("from", L), ("to", L), ("rows", R)];
    b.table(&head, rows, (ROWS_MAX, count), "changes");
    b.more(others, "rows with rarer changes");
}

/// Emit kinds.
pub(super) fn emits(b: &mut Bounded, c: &Comparison) {
    let compared = c.emits.iter().filter_map(|emit| Some((emit, emit.records?)));
    let count = compared.clone().count();
    if count == 0 {
        return;
    }
    let head = [
        ("emit kind", L),
        ("different", R),
        ("only A", R),
        ("only B", R),
        ("doubled", R),
        ("equal", R),
        ("fields that differ", L),
    ];
    let rows = compared.map(|(emit, records)| {
        let fields = emit.fields.iter().filter(|field| field.differ > 0).take(VALUES_MAX);
        let fields: Vec<String> =
            fields.map(|f| format!("{} {}", code(&f.name), grouped(f.differ))).collect();
        vec![
            code(&emit.kind),
            grouped(records.different),
            grouped(records.only_a),
            grouped(records.only_b),
            grouped(emit.doubled),
            grouped(records.equal),
            fields.join(", "),
        ]
    });
    b.table(&head, rows, (ROWS_MAX, count as u64), "emit kinds");
}

/// Outcomes that changed, refusals and violations.
pub(super) fn events(b: &mut Bounded, c: &Comparison) {
    if let Some(outcomes) = c.outcomes.as_ref().filter(|outcomes| !outcomes.is_empty()) {
        let rows = outcomes.iter().map(|change| {
            vec![code(&change.a.to_string()), code(&change.b.to_string()), grouped(change.events)]
        });
        let all = outcomes.len() as u64;
        b.table(&[("was", L), ("is", L), ("events", R)], rows, (ROWS_MAX, all), "changes");
        b.line("");
    }
    let codes: Vec<&CodeCount> = c.refusals.iter().chain(&c.violations).collect();
    if codes.is_empty() {
        return;
    }
    let (name_a, name_b) = names(c);
    let (name_a, name_b) = (plain(&name_a), plain(&name_b));
    let head = [("what", L), (name_a.as_str(), R), (name_b.as_str(), R)];
    let rows = codes.iter().map(|count| {
        let what = Fate { what: count.what.clone(), code: count.code.clone() };
        vec![code(&what.to_string()), grouped(count.a), grouped(count.b)]
    });
    b.table(&head, rows, (ROWS_MAX, codes.len() as u64), "codes");
}

/// The first keys of the first ranking, then those of the others.
pub(super) fn keys(b: &mut Bounded, c: &Comparison) {
    let Some(ranking) = c.worst.rankings.first() else { return };
    let (name_a, name_b) = names(c);
    let (name_a, name_b) = (plain(&name_a), plain(&name_b));
    let head = [
        ("key", L),
        ("row", L),
        ("field", L),
        (name_a.as_str(), R),
        (name_b.as_str(), R),
        ("difference", R),
        ("first diverging event", L),
    ];
    let mut told = 0;
    let rows = worst(c).take(KEYS_MAX).inspect(|_| told += 1).flat_map(|key| key_rows(c, key));
    let rows: Vec<Vec<String>> = rows.collect();
    if let Some(field) = &ranking.field {
        b.line(&format!("By the size of the difference in {}.\n", code(field)));
    }
    let lines = rows.len();
    b.table(&head, rows.into_iter(), (lines, lines as u64), "lines");
    b.more(c.worst.of.saturating_sub(told), "keys that differ");
    if let Some(command) = explain(c) {
        b.line(&format!("\n{}", fence(&[command])));
    }
}

fn key_rows(c: &Comparison, key: &KeyDifference) -> Vec<Vec<String>> {
    let event = match &key.first {
        FirstDivergence::Event(event) => {
            let place = code(&format!("{}:{}", event.partition, event.offset));
            format!("{place} {}", plain(event.time.as_deref().unwrap_or_default()))
        }
        FirstDivergence::NotInFiles => "not in the files".to_owned(),
        FirstDivergence::NoEvents => String::new(),
    };
    let values = key.rows.iter().flat_map(|row| row.values.iter().map(move |value| (row, value)));
    let line = |row: &retally_compare::model::RowDifference, v: &ValueDifference| {
        let of: Vec<String> = row.row_key.iter().map(|part| code(part)).collect();
        vec![
            code(&key.key),
            of.join(" "),
            code(&v.field),
            optional(v.a.as_deref(), |text| code(&shown(c, v, text))),
            optional(v.b.as_deref(), |text| code(&shown(c, v, text))),
            v.difference.as_deref().map(signed).unwrap_or_default(),
            event.clone(),
        ]
    };
    values.take(VALUES_MAX).map(|(row, value)| line(row, value)).collect()
}

/// What was compared, and the commands that repeat it.
pub(super) fn compared(b: &mut Bounded, c: &Comparison) {
    let rows = [("A", &c.a), ("B", &c.b)].into_iter().flat_map(|(which, side)| facts(which, side));
    let rows: Vec<Vec<String>> = rows.collect();
    let all = rows.len();
    b.table(&[("side", L), ("what", L), ("is", L)], rows.into_iter(), (all, all as u64), "lines");
    if !c.repeat.is_empty() {
        b.line("");
        let commands: Vec<String> = c.repeat.iter().map(|words| command(words)).collect();
        b.line(&fence(&commands));
    }
    b.line(&format!("Made by Retally {}.", plain(&c.retally)));
}

fn facts(which: &str, side: &Side) -> Vec<Vec<String>> {
    let mut facts = vec![("label", code(&side.label))];
    if let Some(reducer) = &side.reducer {
        facts.push(("reducer's SHA-256", code(&reducer.sha256.to_string())));
    }
    if let Some(run) = &side.run {
        facts.extend(run.name.as_ref().map(|name| ("run", code(name))));
        facts.push(("seal", code(&run.seal.to_string())));
        facts.push(("run digest", code(&run.run_digest.to_string())));
        facts.push(("job digest", code(&run.job_digest.to_string())));
        facts.push(("input digest", code(&run.input_digest.to_string())));
        facts.push(("events", grouped(run.counts.events)));
    }
    for file in &side.known {
        facts.push(("known results", code(&file.name)));
        facts.push(("their SHA-256", code(&file.sha256.to_string())));
        facts.push(("their rows", grouped(file.rows)));
    }
    facts.into_iter().map(|(what, is)| vec![which.to_owned(), what.to_owned(), is]).collect()
}
