//! A comparison for the terminal, short: the verdict, what must be known before any number, counts,
//! and the next command.

use crate::report::text::{grouped, harmless_lines, size};
use retally_core::compare::model::{Comparison, EmitDifference, Sets, Verdict};
use std::fmt::Write as _;

/// Findings and fields that are shown.
const SHOWN: usize = 5;

/// The text.
pub(super) fn text(comparison: &Comparison) -> String {
    let mut t = String::new();
    let (a, b) = (&comparison.a.label, &comparison.b.label);
    let word = match comparison.verdict {
        Verdict::Same => "same",
        Verdict::Different => "different",
    };
    let _ = writeln!(t, "{word}: {b} compared with {a}");
    for note in &comparison.notes {
        let _ = writeln!(t, "  note: {}", note.text);
    }
    if let Some(gate) = &comparison.gate {
        t += &super::gate::text(gate);
    }
    let _ = writeln!(t, "keys        {}", sets(&comparison.keys));
    let _ = writeln!(t, "rows        {}", sets(&comparison.rows));
    for field in comparison.fields.iter().filter(|field| field.differ > 0) {
        let sum = field.numeric.as_ref().map(|numeric| format!(", sum {}", numeric.sum));
        let (name, differ) = (&field.name, grouped(field.differ));
        let _ = writeln!(t, "  {name}: {differ} differ{}", sum.unwrap_or_default());
    }
    for EmitDifference { kind, records, .. } in &comparison.emits {
        if let Some(records) = records {
            let _ = writeln!(t, "emit {kind}: {}", sets(records));
        }
    }
    for change in comparison.outcomes.iter().flatten().take(SHOWN) {
        let (a, b, events) = (&change.a, &change.b, grouped(change.events));
        let _ = writeln!(t, "events      {a} -> {b}: {events}");
    }
    for finding in comparison.attribution.findings.iter().take(SHOWN) {
        let (with, all) = (grouped(finding.changed_with), grouped(finding.changed));
        let _ = writeln!(t, "of {all} changed keys {with} {}", finding.text);
    }
    let read = &comparison.read;
    let _ = writeln!(t, "read        {} of {}", size(read.bytes_read), size(read.bytes_total));
    if let Some(missing) = &comparison.divergences.missing {
        let _ = writeln!(t, "hint: {}", missing.command);
    }
    harmless_lines(&t)
}

fn sets(sets: &Sets) -> String {
    format!(
        "{} equal, {} different, {} only in A, {} only in B",
        grouped(sets.equal),
        grouped(sets.different),
        grouped(sets.only_a),
        grouped(sets.only_b),
    )
}
