//! What a gate found, as lines of text: the verdict, what is unexpected, each entry. The same lines
//! stand in every report.

use crate::number::{counted, grouped};
use crate::text::{cut, harmless, harmless_lines, visible};
use retally_compare::gate::{EntryStatus, EntryVerdict, GateVerdict, Sample};
use retally_compare::model::Presence;
use std::fmt::Write as _;

/// Unexpected differences that are shown.
const SHOWN: usize = 5;

/// Characters of a key or a value that are shown.
const VALUE_CHARS: usize = 40;

/// Entries that are shown.
const ENTRIES_MAX: usize = 40;

/// What a gate found: the verdict, what is unexpected, the entries.
pub(crate) fn text(gate: &GateVerdict) -> String {
    let mut t = String::new();
    let word = if gate.holds { "holds" } else { "broken" };
    let unexpected = counted(gate.unexpected, "unexpected difference");
    let _ = writeln!(t, "gate        {word}: {unexpected}, {} expected", grouped(gate.expected));
    for what in &gate.by_what {
        let _ = writeln!(t, "  unexpected  {}: {}", what.what, grouped(what.differences));
    }
    if let Some(limit) = &gate.keys.limit {
        let keys = &gate.keys;
        let word = if keys.within { "within" } else { "beyond" };
        let (differ, all, most) = (grouped(keys.differ), grouped(keys.all), grouped(keys.most));
        let is = if limit.ends_with('%') { format!(", which is {most}") } else { String::new() };
        let _ = writeln!(t, "  keys        {differ} of {all}: {word} {limit}{is}");
    }
    gate.entries.iter().take(ENTRIES_MAX).for_each(|entry| t += &entry_line(entry));
    if let more @ 1.. = gate.entries.len().saturating_sub(ENTRIES_MAX) {
        let _ = writeln!(t, "  and {more} more entries");
    }
    for sample in gate.samples.iter().take(SHOWN) {
        let _ = writeln!(t, "  e.g.        {}", sample_text(sample));
    }
    harmless_lines(&t)
}

fn entry_line(entry: &EntryVerdict) -> String {
    let word = match &entry.status {
        EntryStatus::Holds => "holds",
        EntryStatus::Unused => "unused",
        EntryStatus::Expired(_) => "expired",
        EntryStatus::OverTotal { .. } => "over total",
    };
    let differences = counted(entry.differences, "difference");
    let mut t = format!("  {word:<10}  {}: {differences}", entry.entry);
    match (&entry.status, &entry.total) {
        (EntryStatus::Expired(day), _) => _ = write!(t, ", expected until {day}"),
        (EntryStatus::OverTotal { most, over }, total) => {
            let total = total.as_deref().unwrap_or("more than can be told");
            let over = over.as_ref().map(|over| format!(", {over} over")).unwrap_or_default();
            let _ = write!(t, ", together {total} of at most {most}{over}");
        }
        (_, Some(total)) => _ = write!(t, ", together {total}"),
        _ => {}
    }
    // What the command line allows is known to whoever wrote it.
    if let Some(reason) = &entry.reason {
        let ticket = entry.ticket.as_ref().map(|ticket| format!("{ticket}, ")).unwrap_or_default();
        let _ = write!(t, " ({reason}; {ticket}{})", entry.origin);
    }
    t.push('\n');
    if !entry.cannot_take.is_empty() {
        let what = entry.cannot_take.join(", ");
        let _ = writeln!(
            t,
            "              takes nothing of {what}: emits have no keys or totals here;\n\
             {:14}an entry without them does",
            ""
        );
    }
    t
}

fn sample_text(sample: &Sample) -> String {
    let row = match sample.row_key.is_empty() {
        true if sample.position == 0 => String::new(),
        true => format!(" row {}", sample.position),
        false => sample.row_key.iter().map(|part| format!(" {}", short(part))).collect(),
    };
    let value = |value: &Option<String>| value.as_deref().map_or("(missing)".to_owned(), short);
    let told = match (&sample.field, sample.presence) {
        (Some(field), _) => format!("{field} {} -> {}", value(&sample.a), value(&sample.b)),
        (None, Presence::OnlyB) => "only in B".to_owned(),
        (None, _) => "only in A".to_owned(),
    };
    format!("{}{row}: {told}", short(visible(&sample.key)))
}

/// One line of at most so many characters: no key may look like a line of the gate's own.
fn short(text: &str) -> String {
    cut(&harmless(text), VALUE_CHARS).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_compare::gate::{KeyLimit, Unexpected};

    fn entry(text: &str, differences: u64, status: EntryStatus) -> EntryVerdict {
        EntryVerdict {
            origin: "e.toml:3".into(),
            entry: text.into(),
            reason: Some("gold".into()),
            ticket: Some("FIN-1".into()),
            differences,
            total: None,
            cannot_take: Vec::new(),
            status,
        }
    }

    #[test]
    fn a_key_or_a_value_stands_in_one_line_of_its_own_and_is_cut() {
        let sample = Sample {
            key: "k".repeat(1_000),
            row_key: vec!["r".repeat(1_000)],
            position: 0,
            presence: Presence::Both,
            field: Some("note".into()),
            a: Some("v".repeat(1_000)),
            b: None,
            difference: None,
        };
        let long = |c: &str| format!("{}…", c.repeat(VALUE_CHARS));
        let (k, r, v) = (long("k"), long("r"), long("v"));
        assert_eq!(sample_text(&sample), format!("{k} {r}: note {v} -> (missing)"));
        let forged = Sample { key: "a\ngate        holds".into(), field: None, ..sample };
        assert!(sample_text(&forged).starts_with("a\\ngate        holds rrr"));
    }

    #[test]
    fn the_verdict_says_what_is_unexpected_and_why_an_entry_fails() {
        let (most, over) = ("10".to_owned(), Some("2".to_owned()));
        let sample = Sample {
            key: "acct-1".into(),
            row_key: vec!["EUR".into()],
            position: 0,
            presence: Presence::Both,
            field: Some("tier".into()),
            a: Some("silver".into()),
            b: None,
            difference: None,
        };
        let lone = Sample { field: None, presence: Presence::OnlyB, ..sample.clone() };
        let gate = GateVerdict {
            holds: false,
            expected: 1_312,
            unexpected: 3,
            by_what: vec![Unexpected { what: "view.tier".into(), differences: 3 }],
            keys: KeyLimit {
                limit: Some("0.1%".into()),
                most: 1,
                all: 1_000,
                differ: 2,
                within: false,
            },
            entries: vec![
                entry("tier:acct-*", 1_312, EntryStatus::Holds),
                EntryVerdict {
                    cannot_take: vec!["balance.n".into()],
                    ..entry("n:a*", 0, EntryStatus::Unused)
                },
                entry("x", 4, EntryStatus::Expired("2026-06-30".into())),
                EntryVerdict {
                    total: Some("12".into()),
                    ticket: None,
                    ..entry("net", 7, EntryStatus::OverTotal { most, over })
                },
                EntryVerdict { reason: None, ..entry("fees<=0.01", 0, EntryStatus::Holds) },
            ],
            samples: vec![sample, lone],
            more: 0,
        };
        insta::assert_snapshot!(text(&gate), @r"
        gate        broken: 3 unexpected differences, 1,312 expected
          unexpected  view.tier: 3
          keys        2 of 1,000: beyond 0.1%, which is 1
          holds       tier:acct-*: 1,312 differences (gold; FIN-1, e.toml:3)
          unused      n:a*: 0 differences (gold; FIN-1, e.toml:3)
                      takes nothing of balance.n: emits have no keys or totals here;
                      an entry without them does
          expired     x: 4 differences, expected until 2026-06-30 (gold; FIN-1, e.toml:3)
          over total  net: 7 differences, together 12 of at most 10, 2 over (gold; e.toml:3)
          holds       fees<=0.01: 0 differences
          e.g.        acct-1 EUR: tier silver -> (missing)
          e.g.        acct-1 EUR: only in B
        ");
    }
}
