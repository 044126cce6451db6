//! What gates found, as lines of text: of a run each gate, of a comparison the verdict, what is
//! unexpected, each entry. The same lines stand in every report.

use crate::number::{counted, grouped, thousands};
use crate::text::{cut, harmless, harmless_lines, visible};
use retally_compare::model::Presence;
use retally_compare::model::gate::{
    EntryStatus, EntryVerdict, Finding, GateVerdict, Judged, Sample,
};
use retally_core::schema::Exact;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

const SHOWN: usize = 5;

const VALUE_CHARS: usize = 40;

const ENTRIES_MAX: usize = 40;

/// How wide the words in front of a comparison's lines are.
const WORD_WIDTH: usize = 10;

/// The gates of a run: a line for each, and what is broken once more at the end; nothing if there
/// are none.
#[must_use]
pub fn gates(gates: &[Judged]) -> String {
    let broken = gates.iter().filter(|gate| !gate.holds).count();
    let left_out = gates.iter().filter(|gate| gate.is_left_out()).count();
    let mut t = String::new();
    let told = match (gates.len() - left_out, broken) {
        _ if gates.is_empty() => return t,
        (0, _) => "none judged".to_owned(),
        (1, 0) => "holds".to_owned(),
        (all, 0) => format!("all {all} hold"),
        (all, broken) => format!("{broken} of {all} broken"),
    };
    let more = match left_out {
        count if count == 0 || count == gates.len() => String::new(),
        count => format!(", {count} not judged"),
    };
    let _ = writeln!(t, "gates       {told}{more}");
    let width = if left_out > 0 { LEFT_OUT.len() } else { "broken".len() };
    for gate in gates {
        let word = if gate.is_left_out() { LEFT_OUT } else { word(gate.holds) };
        t += &line(word, width, &self::told(gate));
    }
    if broken > 0 {
        let gates: Vec<&str> =
            gates.iter().filter(|gate| !gate.holds).map(|gate| gate.gate.as_str()).collect();
        let _ = writeln!(t, "check failed: the run broke {}", gates.join(", "));
    }
    t
}

const LEFT_OUT: &str = "left out";

fn word(holds: bool) -> &'static str {
    if holds { "holds" } else { "broken" }
}

fn line(word: &str, width: usize, told: &str) -> String {
    format!("  {word:<width$}  {told}\n")
}

fn told(gate: &Judged) -> String {
    format!("{}: {}; {}", gate.gate, apart(&gate.limit), found(gate))
}

/// A sentence with the thousands of its numbers apart.
fn apart(text: &str) -> String {
    text.split(' ').map(thousands).collect::<Vec<_>>().join(" ")
}

fn found(gate: &Judged) -> String {
    if let Some(why) = &gate.why {
        return format!("not judged: {why}");
    }
    if gate.findings.is_empty() {
        return format!("all {} totals", grouped(gate.judged));
    }
    let mut found: Vec<String> = gate.findings.iter().map(|finding| one(finding, gate)).collect();
    if gate.more > 0 {
        found.push(format!("and {} more", grouped(gate.more)));
    }
    found.join(", ")
}

fn one(finding: &Finding, gate: &Judged) -> String {
    let actual = thousands(&finding.actual);
    let mut t = match &finding.of {
        // A value of the log's must not look like a line of ours.
        Some(of) => format!("{} {actual}", harmless(of)),
        None if gate.judged > 1 => format!("(missing) {actual}"),
        None => actual,
    };
    if let Some(all) = finding.among {
        let share = share(finding, all, limit(&gate.limit)).unwrap_or_default();
        let _ = write!(t, " of {}{share}", grouped(all));
    }
    if let Some(over) = &finding.over {
        let _ = match over.strip_prefix('-') {
            Some(under) => write!(t, " ({} under)", thousands(under)),
            None => write!(t, " ({} over)", thousands(over)),
        };
    }
    t
}

/// The share of a limit, in percent, if it is one: `at most 0.1% of events`.
fn limit(text: &str) -> Option<Exact> {
    text.split(' ').find_map(|word| word.strip_suffix('%')?.parse().ok())
}

/// The share that a count is, in percent: of two digits behind the point, or as many as it takes to
/// lie on the side of the limit on which it is, and not to be all where it is not.
fn share(finding: &Finding, all: u64, limit: Option<Exact>) -> Option<String> {
    const DIGITS: RangeInclusive<u8> = 2..=17;
    let (count, all) = (u128::from(finding.actual.parse::<u64>().ok()?), u128::from(all));
    let rounded = |scale: u8| {
        // At most 2^64 * 10^19: within 128 bits.
        let units = (count * 100 * 10u128.pow(scale.into()) + all / 2).checked_div(all)?;
        Some(Exact { units: units.try_into().ok()?, scale })
    };
    let is_beyond = |share: &Exact| limit.is_some_and(|limit| share.compare(limit).is_gt());
    let whole = Exact { units: 100, scale: 0 };
    let share = DIGITS.filter_map(rounded).find(|share| {
        let is_right = limit.is_none() || is_beyond(share) == finding.over.is_some();
        is_right && (count >= all || share.compare(whole).is_lt())
    })?;
    Some(format!(", {share}%"))
}

/// Whether a gate holds, and how many differences are expected and how many are not.
pub(crate) fn headline(gate: &GateVerdict) -> String {
    let holds = if gate.holds { "holds" } else { "is broken" };
    let unexpected = counted(gate.unexpected, "unexpected difference");
    format!("The gate {holds}: {unexpected}, {} expected", grouped(gate.expected))
}

/// What a gate found, line by line: what is unexpected, the entries. No value of the log's makes a
/// line of its own.
pub(crate) fn lines(gate: &GateVerdict) -> Vec<String> {
    let mut t = String::new();
    for what in &gate.by_what {
        let told = format!("{}: {}", what.what, grouped(what.differences));
        t += &line("unexpected", WORD_WIDTH, &told);
    }
    t.extend(gate.max_keys.iter().map(|keys| line(word(keys.holds), WORD_WIDTH, &told(keys))));
    gate.entries.iter().take(ENTRIES_MAX).for_each(|entry| t += &entry_line(entry));
    if let more @ 1.. = gate.entries.len().saturating_sub(ENTRIES_MAX) {
        let _ = writeln!(t, "  and {more} more entries");
    }
    for sample in gate.samples.iter().take(SHOWN) {
        t += &line("e.g.", WORD_WIDTH, &sample_text(sample));
    }
    harmless_lines(&t).lines().map(str::to_owned).collect()
}

fn entry_line(entry: &EntryVerdict) -> String {
    let word = match &entry.status {
        EntryStatus::Holds => "holds",
        EntryStatus::Unused => "unused",
        EntryStatus::Expired(_) => "expired",
        EntryStatus::OverTotal { .. } => "over total",
    };
    let differences = counted(entry.differences, "difference");
    let mut t = format!("{}: {differences}", entry.entry);
    match (&entry.status, &entry.total) {
        (EntryStatus::Expired(day), _) => _ = write!(t, ", expected until {day}"),
        (EntryStatus::OverTotal { most, over }, total) => {
            let total = total.as_deref().map_or("more than can be told".to_owned(), thousands);
            let over = over.as_deref().map(|over| format!(", {} over", thousands(over)));
            let (most, over) = (thousands(most), over.unwrap_or_default());
            let _ = write!(t, ", together {total} of at most {most}{over}");
        }
        (_, Some(total)) => _ = write!(t, ", together {}", thousands(total)),
        _ => {}
    }
    // What the command line allows is known to whoever wrote it.
    if let Some(reason) = &entry.reason {
        let ticket = entry.ticket.as_ref().map(|ticket| format!("{ticket}, ")).unwrap_or_default();
        let _ = write!(t, " ({reason}; {ticket}{})", entry.origin);
    }
    t = line(word, WORD_WIDTH, &t);
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
    // What has a difference is a number, or a time that is left as it is.
    let number = |text: &str| match sample.difference {
        Some(_) => thousands(text),
        None => short(text),
    };
    let value = |value: &Option<String>| value.as_deref().map_or("(missing)".to_owned(), number);
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
    use retally_compare::gate::Limit;
    use retally_compare::model::gate::Unexpected;

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
        let (most, over) = ("1000".to_owned(), Some("200".to_owned()));
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
            keys: 2,
            max_keys: "0.1%".parse::<Limit>().ok().map(|most| most.judge("keys", 2, 1_000, "keys")),
            entries: vec![
                entry("tier:acct-*", 1_312, EntryStatus::Holds),
                EntryVerdict {
                    cannot_take: vec!["balance.n".into()],
                    ..entry("n:a*", 0, EntryStatus::Unused)
                },
                entry("x", 4, EntryStatus::Expired("2026-06-30".into())),
                EntryVerdict {
                    total: Some("1200".into()),
                    ticket: None,
                    ..entry("net", 7, EntryStatus::OverTotal { most, over })
                },
                EntryVerdict { reason: None, ..entry("fees<=0.01", 0, EntryStatus::Holds) },
            ],
            samples: vec![sample, lone],
            more: 0,
        };
        assert_eq!(headline(&gate), "The gate is broken: 3 unexpected differences, 1,312 expected");
        insta::assert_snapshot!(lines(&gate).join("\n"), @r"
          unexpected  view.tier: 3
          broken      keys: at most 0.1% of keys; 2 of 1,000, 0.20% (1 over)
          holds       tier:acct-*: 1,312 differences (gold; FIN-1, e.toml:3)
          unused      n:a*: 0 differences (gold; FIN-1, e.toml:3)
                      takes nothing of balance.n: emits have no keys or totals here;
                      an entry without them does
          expired     x: 4 differences, expected until 2026-06-30 (gold; FIN-1, e.toml:3)
          over total  net: 7 differences, together 1,200 of at most 1,000, 200 over (gold; e.toml:3)
          holds       fees<=0.01: 0 differences
          e.g.        acct-1 EUR: tier silver -> (missing)
          e.g.        acct-1 EUR: only in B
        ");
    }

    fn limit(gate: &str, limit: &str, count: u64) -> Judged {
        let limit: Limit = limit.parse().unwrap();
        limit.judge(gate, count, 1_234, "events")
    }

    fn total(findings: &[(Option<&str>, &str, Option<&str>)], judged: u64, more: u64) -> Judged {
        let finding = |(of, actual, over): &(Option<&str>, &str, Option<&str>)| Finding {
            of: of.map(str::to_owned),
            actual: (*actual).to_owned(),
            among: None,
            over: over.map(str::to_owned),
        };
        let findings: Vec<_> = findings.iter().map(finding).collect();
        let holds = findings.iter().all(|finding| finding.over.is_none());
        let (gate, limit) = ("fees".to_owned(), "exactly 0.00".to_owned());
        Judged { gate, limit, holds, judged, findings, more, why: None }
    }

    #[test]
    fn what_is_broken_is_told_with_what_limit_actual_and_by_how_much() {
        let gates = [
            limit("malformed", "0.1%", 0),
            limit("rejected", "5%", 80),
            limit("conflicts", "3000", 4_000),
            total(&[(None, "7", Some("7")), (Some("X"), "-1", Some("-1"))], 9, 3),
            total(&[], 9, 0),
            Judged::unjudged("violations".into(), "at most 1% of keys".into(), "no file".into()),
        ];
        insta::assert_snapshot!(self::gates(&gates), @r"
        gates       4 of 6 broken
          holds   malformed: at most 0.1% of events; 0 of 1,234, 0.00%
          broken  rejected: at most 5% of events; 80 of 1,234, 6.48% (19 over)
          broken  conflicts: at most 3,000; 4,000 (1,000 over)
          broken  fees: exactly 0.00; (missing) 7 (7 over), X -1 (1 under), and 3 more
          holds   fees: exactly 0.00; all 9 totals
          broken  violations: at most 1% of keys; not judged: no file
        check failed: the run broke rejected, conflicts, fees, violations
        ");
    }

    #[test]
    fn a_share_never_looks_as_if_it_were_on_the_other_side_of_its_limit() {
        let told = |share: &str, count, all| {
            let gate = share.parse::<Limit>().unwrap().judge("malformed", count, all, "events");
            self::found(&gate)
        };
        assert_eq!(told("0.04%", 449, 1_000_000), "449 of 1,000,000, 0.045% (49 over)");
        assert_eq!(told("0.045%", 450, 1_000_000), "450 of 1,000,000, 0.045%");
        assert_eq!(told("0.044%", 439, 1_000_000), "439 of 1,000,000, 0.04%");
        assert_eq!(told("0.005%", 1, 19_999), "1 of 19,999, 0.01% (1 over)");
        assert_eq!(
            told("99.99%", 9_999_999, 10_000_000),
            "9,999,999 of 10,000,000, 99.99999% (999 over)"
        );
        assert_eq!(told("99.995%", 9_999_499, 10_000_000), "9,999,499 of 10,000,000, 99.99%");
        assert_eq!(told("0%", 1, 30_000), "1 of 30,000, 0.003% (1 over)");
    }

    #[test]
    fn a_group_makes_no_line_of_its_own() {
        let told = self::gates(&[total(&[(Some("X\n  holds   all"), "1", Some("1"))], 2, 0)]);
        assert!(told.contains(r"X\n  holds   all 1 (1 over)"), "{told}");
    }

    #[test]
    fn what_holds_is_told_too() {
        insta::assert_snapshot!(self::gates(&[limit("malformed", "0.1%", 1)]), @r"
        gates       holds
          holds   malformed: at most 0.1% of events; 1 of 1,234, 0.08%
        ");
        let both = [limit("malformed", "0.1%", 1), total(&[(None, "0.00", None)], 1, 0)];
        insta::assert_snapshot!(self::gates(&both), @r"
        gates       all 2 hold
          holds   malformed: at most 0.1% of events; 1 of 1,234, 0.08%
          holds   fees: exactly 0.00; 0.00
        ");
        assert_eq!(self::gates(&[]), "");
    }

    #[test]
    fn what_is_left_out_is_neither_held_nor_broken() {
        let why = "the run took some keys only".to_owned();
        let left_out = Judged::left_out("fees".into(), "exactly 0.00".into(), why);
        insta::assert_snapshot!(self::gates(&[limit("malformed", "0.1%", 1), left_out.clone()]), @r"
        gates       holds, 1 not judged
          holds     malformed: at most 0.1% of events; 1 of 1,234, 0.08%
          left out  fees: exactly 0.00; not judged: the run took some keys only
        ");
        assert!(self::gates(&[left_out]).starts_with("gates       none judged\n"));
    }
}
