//! The gate of a comparison: put together from the flags, and what it found as text.

use crate::error::Failure;
use crate::report::text::grouped;
use anyhow::anyhow;
use retally_core::compare::gate::{Entry, EntryStatus, EntryVerdict, Gate, GateVerdict, Sample};
use retally_core::compare::model::Presence;
use retally_core::gate::Limit;
use retally_engine::clock;
use retally_engine::compare::expectations::Expectations;
use std::fmt::Write as _;
use std::path::Path;

/// Unexpected differences that are shown.
const SHOWN: usize = 5;

/// The gate that the flags ask for; none if they ask for none. Entries of the file come first; a
/// limit for keys on the command line stands in place of the file's.
pub(super) fn gate(
    expect: Option<&str>,
    allow: &[Entry],
    max_keys: Option<Limit>,
) -> Result<Option<Gate>, Failure> {
    let file = match expect {
        None if allow.is_empty() && max_keys.is_none() => return Ok(None),
        None => Expectations::default(),
        Some("none") if !allow.is_empty() || max_keys.is_some() => {
            let text = "--expect none allows nothing, and --allow and --max-keys do";
            return Err(Failure::usage(anyhow!(text)).hint("leave one of them out"));
        }
        Some("none") => Expectations::default(),
        Some(file) => Expectations::load(Path::new(file)).map_err(Failure::usage)?,
    };
    Ok(Some(Gate {
        entries: file.entries.into_iter().chain(allow.iter().cloned()).collect(),
        max_keys: max_keys.or(file.max_keys),
        today: clock::today(),
    }))
}

/// What a gate found: the verdict, what is unexpected, the entries.
pub(super) fn text(gate: &GateVerdict) -> String {
    let mut t = String::new();
    let (expected, unexpected) = (grouped(gate.expected), grouped(gate.unexpected));
    let word = if gate.holds { "holds" } else { "broken" };
    let _ =
        writeln!(t, "gate        {word}: {unexpected} unexpected differences, {expected} expected");
    for what in &gate.by_what {
        let _ = writeln!(t, "  unexpected  {}: {}", what.what, grouped(what.differences));
    }
    if let Some(limit) = &gate.keys.limit {
        let keys = &gate.keys;
        let word = if keys.within { "within" } else { "beyond" };
        let (differ, all, most) = (grouped(keys.differ), grouped(keys.all), grouped(keys.most));
        let _ = writeln!(t, "  keys        {differ} of {all}: {word} {limit}, which is {most}");
    }
    gate.entries.iter().for_each(|entry| t += &entry_line(entry));
    for sample in gate.samples.iter().take(SHOWN) {
        let _ = writeln!(t, "  e.g.        {}", sample_text(sample));
    }
    t
}

fn entry_line(entry: &EntryVerdict) -> String {
    let word = match &entry.status {
        EntryStatus::Holds => "holds",
        EntryStatus::Unused => "unused",
        EntryStatus::Expired(_) => "expired",
        EntryStatus::OverTotal { .. } => "over total",
    };
    let mut t =
        format!("  {word:<10}  {}: {} differences", entry.entry, grouped(entry.differences));
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
    t
}

fn sample_text(sample: &Sample) -> String {
    let row = match sample.row_key.is_empty() {
        true if sample.position == 0 => String::new(),
        true => format!(" row {}", sample.position),
        false => format!(" {}", sample.row_key.join(" ")),
    };
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(missing)".into());
    let told = match (&sample.field, sample.presence) {
        (Some(field), _) => format!("{field} {} -> {}", value(&sample.a), value(&sample.b)),
        (None, Presence::OnlyB) => "only in B".to_owned(),
        (None, _) => "only in A".to_owned(),
    };
    format!("{}{row}: {told}", sample.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::compare::gate::{KeyLimit, Unexpected};

    fn entry(text: &str, differences: u64, status: EntryStatus) -> EntryVerdict {
        EntryVerdict {
            origin: "e.toml:3".into(),
            entry: text.into(),
            reason: Some("gold".into()),
            ticket: Some("FIN-1".into()),
            differences,
            total: None,
            status,
        }
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
                entry("n", 0, EntryStatus::Unused),
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
          unused      n: 0 differences (gold; FIN-1, e.toml:3)
          expired     x: 4 differences, expected until 2026-06-30 (gold; FIN-1, e.toml:3)
          over total  net: 7 differences, together 12 of at most 10, 2 over (gold; e.toml:3)
          holds       fees<=0.01: 0 differences
          e.g.        acct-1 EUR: tier silver -> (missing)
          e.g.        acct-1 EUR: only in B
        ");
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        let tier = Entry::allow("tier").unwrap();
        assert!(gate(Some("none"), std::slice::from_ref(&tier), None).is_err());
        assert!(gate(Some("no/such.toml"), &[], None).is_err());
        assert_eq!(gate(None, &[], None).unwrap(), None);
        let none = gate(Some("none"), &[], None).unwrap().unwrap();
        assert!(none.entries.is_empty() && none.max_keys.is_none());
        assert_eq!(gate(None, &[tier], None).unwrap().unwrap().entries.len(), 1);
    }
}
