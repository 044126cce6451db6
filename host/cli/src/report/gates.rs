//! What a job's gates found, as text and as JSON.

use super::text::{grouped, harmless};
use retally_compare::run_gate::{Finding, Judged};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One object: whether all hold, and each of them.
pub(crate) fn to_json(gates: &[Judged]) -> Value {
    json!({ "hold": gates.iter().all(|gate| gate.holds), "judged": gates })
}

/// A line for each gate, and what is broken once more at the end; nothing if there are none.
pub(crate) fn to_text(gates: &[Judged]) -> String {
    let broken = gates.iter().filter(|gate| !gate.holds).count();
    let mut t = String::new();
    match (gates.len(), broken) {
        (0, _) => return t,
        (1, 0) => t += "gates       holds\n",
        (all, 0) => _ = writeln!(t, "gates       all {all} hold"),
        (all, broken) => _ = writeln!(t, "gates       {broken} of {all} broken"),
    }
    for gate in gates {
        let word = if gate.holds { "holds " } else { "broken" };
        let _ = writeln!(t, "  {word}  {}: {}; {}", gate.gate, gate.limit, found(gate));
    }
    if broken > 0 {
        let gates: Vec<&str> =
            gates.iter().filter(|gate| !gate.holds).map(|gate| gate.gate.as_str()).collect();
        let _ = writeln!(t, "check failed: the run broke {}", gates.join(", "));
    }
    t
}

fn found(gate: &Judged) -> String {
    if let Some(why) = &gate.why {
        return format!("not judged: {why}");
    }
    if gate.findings.is_empty() {
        return format!("all {} totals", grouped(gate.judged));
    }
    let mut found: Vec<String> =
        gate.findings.iter().map(|finding| one(finding, gate.judged)).collect();
    if gate.more > 0 {
        found.push(format!("and {} more", grouped(gate.more)));
    }
    found.join(", ")
}

fn one(finding: &Finding, judged: u64) -> String {
    let mut t = match &finding.of {
        // A value of the log's must not look like a line of ours.
        Some(of) => format!("{} {}", harmless(of), finding.actual),
        None if judged > 1 => format!("(missing) {}", finding.actual),
        None => finding.actual.clone(),
    };
    if let Some(all) = finding.among {
        let _ = write!(t, " of {}{}", grouped(all), share(&finding.actual, all));
    }
    if let Some(over) = &finding.over {
        let _ = match over.strip_prefix('-') {
            Some(under) => write!(t, " ({under} under)"),
            None => write!(t, " ({over} over)"),
        };
    }
    t
}

/// The share that a count is, in hundredths of a percent, for the eye.
fn share(count: &str, all: u64) -> String {
    match (count.parse::<u128>(), all) {
        (Ok(count), 1..) => {
            let share = count * 10_000 / u128::from(all);
            format!(", {}.{:02}%", share / 100, share % 100)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_compare::run_gate::Limit;

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
            limit("conflicts", "3", 4),
            total(&[(None, "7", Some("7")), (Some("X"), "-1", Some("-1"))], 9, 3),
            total(&[], 9, 0),
            Judged::unjudged("violations".into(), "at most 1% of keys".into(), "no file".into()),
        ];
        insta::assert_snapshot!(to_text(&gates), @r"
        gates       4 of 6 broken
          holds   malformed: at most 0.1% of events; 0 of 1,234, 0.00%
          broken  rejected: at most 5% of events; 80 of 1,234, 6.48% (19 over)
          broken  conflicts: at most 3; 4 (1 over)
          broken  fees: exactly 0.00; (missing) 7 (7 over), X -1 (1 under), and 3 more
          holds   fees: exactly 0.00; all 9 totals
          broken  violations: at most 1% of keys; not judged: no file
        check failed: the run broke rejected, conflicts, fees, violations
        ");
        assert_eq!(to_json(&gates)["hold"], json!(false));
    }

    #[test]
    fn a_group_makes_no_line_of_its_own() {
        let told = to_text(&[total(&[(Some("X\n  holds   all"), "1", Some("1"))], 2, 0)]);
        assert!(told.contains(r"X\n  holds   all 1 (1 over)"), "{told}");
    }

    #[test]
    fn what_holds_is_told_too() {
        insta::assert_snapshot!(to_text(&[limit("malformed", "0.1%", 1)]), @r"
        gates       holds
          holds   malformed: at most 0.1% of events; 1 of 1,234, 0.08%
        ");
        let both = [limit("malformed", "0.1%", 1), total(&[(None, "0.00", None)], 1, 0)];
        insta::assert_snapshot!(to_text(&both), @r"
        gates       all 2 hold
          holds   malformed: at most 0.1% of events; 1 of 1,234, 0.08%
          holds   fees: exactly 0.00; 0.00
        ");
        assert_eq!(to_text(&[]), "");
    }
}
