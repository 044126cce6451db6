//! A verification for a person.

use super::{Verified, what_changed, what_differs, why};
use crate::report::reducer::looked;
use crate::report::text::{counted, grouped, harmless_lines, seconds};
use retally_engine::verify::{
    Apart, Difference, Held, Perturbed, Shrunk, ValuePair, Verdict, VerifyReport, Why,
};
use retally_report::shell;
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 200;

/// Values of an event or a key that are shown.
const VALUES_SHOWN: usize = 12;

/// `quiet`: notes were not told on the way.
pub(crate) fn print_text(verified: &Verified<'_>, quiet: bool) -> io::Result<()> {
    io::stdout().lock().write_all(harmless_lines(&to_text(verified, quiet)).as_bytes())
}

fn to_text(verified: &Verified<'_>, quiet: bool) -> String {
    let VerifyReport { reference, perturbed, notes, unrepeatable, .. } = verified.report;
    let mut t = String::new();
    if let Some(manifest) = reference {
        let (reducer, counts) = (&manifest.reducer, &manifest.counts);
        let _ = writeln!(t, "{}@{} ({})", reducer.name, reducer.version, reducer.sha256);
        for (name, text) in verified.look.iter().flat_map(looked) {
            let _ = writeln!(t, "note: {name}: {text}");
        }
        let told = if quiet { &notes[..] } else { &[] };
        for note in manifest.notes().iter().chain(told) {
            let _ = writeln!(t, "note: {note}");
        }
        let events = counted(counts.events, "event");
        let reached = grouped(counts.applied + counts.rejected);
        let keys = counted(counts.keys, "key");
        let _ = writeln!(t, "reference   {events}, of which {reached} reach the reducer; {keys}");
        let _ = writeln!(t, "run digest  {}", manifest.run_digest);
    }
    t += &table(perturbed);
    // Where nothing repeats, every difference is one and the same.
    let shown = if unrepeatable.is_some() { 1 } else { perturbed.len() };
    let mut differing = perturbed.iter().filter_map(|one| match &one.verdict {
        Verdict::Failed(difference) => Some((one, difference)),
        Verdict::Passed | Verdict::NotExercised(_) => None,
    });
    for (one, difference) in differing.by_ref().take(shown) {
        t += &failed(one, difference);
        let likely = unrepeatable.as_deref().unwrap_or(one.what.likely_cause());
        let _ = writeln!(t, "  likely: {likely}");
        // What was left is smaller, and says how it is done again.
        let is_left = verified.report.shrunk.iter().any(|own| own.left.is_ok());
        if let Some(command) = verified.command.as_deref().filter(|_| !is_left) {
            let (name, seed) = (one.what.name(), verified.report.seed);
            let _ = writeln!(t, "hint: {command} --vary={name} --seed {seed}");
        }
    }
    t += &shrunk(&verified.report.shrunk);
    if let Some(held) = verified.held {
        t += &golden(verified, held);
    }
    t + &closing(verified)
}

fn table(perturbed: &[Perturbed]) -> String {
    let row = |one: &Perturbed| {
        let (word, tail) = match &one.verdict {
            Verdict::Passed => ("passed", one.how.clone()),
            Verdict::Failed(_) => ("FAILED", one.how.clone()),
            Verdict::NotExercised(reason) => ("not exercised", why(reason).to_owned()),
        };
        let events = match one.events {
            0 => String::new(),
            events => counted(events, "event"),
        };
        [word.to_owned(), one.what.name().to_owned(), events, tail]
    };
    let rows: Vec<[String; 4]> = perturbed.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [word, name, events] = [0, 1, 2].map(width);
    let mut t = String::new();
    for row in &rows {
        let line =
            format!("  {:<word$}  {:<name$}  {:>events$}  {}", row[0], row[1], row[2], row[3]);
        let _ = writeln!(t, "{}", line.trim_end());
    }
    t
}

fn failed(one: &Perturbed, difference: &Difference) -> String {
    let mut t = String::new();
    let how = if one.how.is_empty() { String::new() } else { format!(" ({})", one.how) };
    let _ = writeln!(t, "different: {}{how}: {}", one.what.name(), what_differs(difference));
    if let Some(stopped) = &difference.stopped {
        let _ = writeln!(t, "  {}", stopped.replace('\n', "\n  "));
    }
    for pair in &difference.digests {
        let _ = writeln!(t, "  {:<10}  reference  {}", pair.of, pair.reference);
        let _ = writeln!(t, "  {:<10}  perturbed  {}", "", pair.perturbed);
    }
    if let Some(event) = &difference.event {
        let at = event.at.as_ref().map(ToString::to_string).unwrap_or_default();
        let key = event.key.as_ref().map(|key| format!(", key {key:?}")).unwrap_or_default();
        let _ = writeln!(t, "  first event {at}{key}, of {}", differ(event.count, "event"));
        t += &values(event);
    }
    if let Some(key) = &difference.key {
        let name = key.key.as_deref().unwrap_or_default();
        let _ = writeln!(t, "  first key {name:?}, of {}", differ(key.count, "key"));
        t += &values(key);
    }
    if let Some(why) = &difference.unnamed {
        let what = match (&difference.event, &difference.key) {
            (None, None) => "neither event nor key is named",
            _ => "what is named may not be the first",
        };
        let _ = writeln!(t, "  {what}: {why}");
    }
    t
}

fn differ(count: u64, what: &str) -> String {
    format!("{} that {}", counted(count, what), if count == 1 { "differs" } else { "differ" })
}

fn values(apart: &Apart) -> String {
    let shown = apart.values.iter().take(VALUES_SHOWN);
    let text = |value: &Option<String>| value.as_deref().map_or("-".to_owned(), cut);
    let row = |pair: &ValuePair| {
        [pair.name.clone(), text(&pair.reference), text(&pair.perturbed)].map(|cell| cell)
    };
    let rows: Vec<[String; 3]> = shown.map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let [name, reference] = [0, 1].map(|column| width(column).unwrap_or(0));
    let mut t = String::new();
    if rows.is_empty() {
        t += "    asked for again, its values were the same\n";
    }
    for [own, was, is] in &rows {
        let _ = writeln!(t, "    {own:<name$}  reference {was:<reference$}  perturbed {is}");
    }
    let more = apart.values.len().saturating_sub(VALUES_SHOWN);
    if more > 0 {
        let _ = writeln!(t, "    and {} more", counted(more as u64, "value"));
    }
    t
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

/// What was left of the log, and what shows the difference on it again.
fn shrunk(all: &[Shrunk]) -> String {
    let one = |Shrunk { what, of, left }: &Shrunk| match left {
        Ok(left) => {
            let events = counted(left.events, "event");
            let may = match (left.is_smallest, left.is_seen) {
                (true, true) => "",
                (false, true) => ", perhaps not the fewest",
                (_, false) => {
                    ", perhaps not the fewest; there was no time to see it from its files"
                }
            };
            let command = ["retally", "verify", "--repro", &left.dir.to_string_lossy()];
            let command = shell::command(&command.map(str::to_owned));
            format!(
                "shrunk      {} shows on {events} of {}{may}\nhint: {command}\n",
                what.name(),
                grouped(*of)
            )
        }
        Err(why) => {
            format!("note: of {} no smaller log is left: {why}\n", what.name())
        }
    };
    all.iter().map(one).collect()
}

fn golden(verified: &Verified<'_>, held: &Held) -> String {
    let against = verified.against();
    let engines = verified.engines().map(|both| format!("engines     {both}\n"));
    let mut t = engines.unwrap_or_default();
    if held.agrees() {
        let changed = match held.changed.as_slice() {
            [] => String::new(),
            _ => format!("; {}", what_changed(held)),
        };
        let _ = writeln!(t, "{against:<11} all digests agree{changed}");
        return t;
    }
    let _ = writeln!(t, "different: {}", verified.other_digests());
    let width = against.len();
    for pair in &held.digests {
        let _ = writeln!(t, "  {:<10}  {against}  {}", pair.of, pair.reference);
        let _ = writeln!(t, "  {:<10}  {:<width$}  {}", "", "now", pair.perturbed);
    }
    let _ = writeln!(t, "  {}", what_changed(held));
    t
}

fn closing(verified: &Verified<'_>) -> String {
    let report = verified.report;
    let tally = report.tally();
    let mut t = String::new();
    let times = report.seconds / report.reference_seconds.max(f64::EPSILON);
    let _ = match report.reference {
        Some(_) => writeln!(
            t,
            "took        {}, {times:.1} times one replay; seed {}",
            seconds(report.seconds),
            report.seed
        ),
        None => writeln!(t, "took        {}", seconds(report.seconds)),
    };
    let counts = format!(
        "{} passed, {} failed, {} not exercised",
        tally.passed, tally.failed, tally.not_exercised
    );
    let is_other = verified.held.is_some_and(|held| !held.agrees());
    let _ = match (&report.reference, tally.failed > 0 || is_other, tally.cut) {
        (None, ..) => {
            let why = match report.ended {
                Some(Why::Asked) => "somebody asked to stop",
                _ => "the time was over",
            };
            writeln!(t, "unfinished: {why} before the first replay was done")
        }
        (_, true, _) if report.perturbed.is_empty() => {
            writeln!(t, "check failed: {}", verified.other_digests())
        }
        (_, true, _) => writeln!(t, "check failed: {counts}"),
        (_, false, 1..) => writeln!(t, "unfinished: {counts}"),
        (_, false, 0) if report.perturbed.is_empty() && verified.old.is_some() => {
            let is_all = verified.held.is_some_and(|held| held.changed.is_empty());
            let what = if is_all { "all digests are" } else { "digests of what it took are" };
            writeln!(t, "verified: {what} those of that run")
        }
        (_, false, 0) if tally.passed == 0 => writeln!(t, "nothing verified: {counts}"),
        (_, false, 0) => writeln!(t, "verified: {counts}"),
    };
    t
}
