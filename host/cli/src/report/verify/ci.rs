//! A verification for CI servers: JUnit's XML, and annotations of GitHub.

use super::{Verified, what_changed, what_differs, why};
use crate::report::text::harmless;
use retally_engine::verify::{Difference, Perturbed, Verdict, Why};
use std::fmt::Write as _;

/// The report as JUnit's XML: a case for each perturbation, and one for golden digests. What could
/// not be exercised is skipped, what was left undone an error, each with its reason.
pub(crate) fn junit(verified: &Verified<'_>) -> String {
    let (report, tally) = (verified.report, verified.report.tally());
    let held = verified.held;
    let is_other = held.is_some_and(|held| !held.agrees());
    let tests = report.perturbed.len() + usize::from(held.is_some());
    let failures = tally.failed + u64::from(is_other);
    let mut t = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(
        t,
        "<testsuite name=\"retally verify\" tests=\"{tests}\" failures=\"{failures}\" \
         errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
        tally.cut,
        tally.not_exercised - tally.cut,
        report.seconds
    );
    for one in &report.perturbed {
        let inner = match &one.verdict {
            Verdict::Passed => String::new(),
            Verdict::Failed(found) => failure(&what_differs(found), &details(verified, one, found)),
            Verdict::NotExercised(reason) => {
                // What could have been done and was not is no test that needs not be run.
                let word = if matches!(reason, Why::Cannot(_)) { "skipped" } else { "error" };
                format!("    <{word} message=\"{}\"/>\n", escaped(why(reason)))
            }
        };
        t += &case(one.what.name(), one.seconds, &inner);
    }
    if let Some(held) = held {
        let inner = match held.agrees() {
            true => String::new(),
            false => failure(&verified.other_digests(), &what_changed(held)),
        };
        t += &case(verified.against(), 0.0, &inner);
    }
    t + "</testsuite>\n"
}

fn case(name: &str, seconds: f64, inner: &str) -> String {
    let head =
        format!("  <testcase classname=\"retally.verify\" name=\"{name}\" time=\"{seconds:.3}\"");
    match inner {
        "" => format!("{head}/>\n"),
        inner => format!("{head}>\n{inner}  </testcase>\n"),
    }
}

fn failure(message: &str, text: &str) -> String {
    format!("    <failure message=\"{}\">{}</failure>\n", escaped(message), escaped(text))
}

/// Where it differs first, in one line, and why that may be.
fn details(verified: &Verified<'_>, one: &Perturbed, found: &Difference) -> String {
    let mut all: Vec<String> = found.stopped.iter().cloned().collect();
    if let Some(event) = &found.event {
        let at = event.at.as_ref().map(ToString::to_string).unwrap_or_default();
        all.push(format!("first event {at}"));
    }
    if let Some(key) = &found.key {
        let name = key.key.as_deref().unwrap_or_default();
        let values = key.values.first().map(|pair| {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            format!(", {}: {} and {}", pair.name, text(&pair.reference), text(&pair.perturbed))
        });
        all.push(format!("first key {name:?}{}", values.unwrap_or_default()));
    }
    all.extend(found.unnamed.clone());
    let unrepeatable = verified.report.unrepeatable.as_deref();
    all.push(format!("likely: {}", unrepeatable.unwrap_or(one.what.likely_cause())));
    all.join("; ")
}

/// Text for XML 1.0, which has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut t = String::with_capacity(text.len());
    for c in harmless(&text.replace('\n', " | ")).chars() {
        match c {
            '&' => t.push_str("&amp;"),
            '<' => t.push_str("&lt;"),
            '>' => t.push_str("&gt;"),
            '"' => t.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => t.push('\u{fffd}'),
            c => t.push(c),
        }
    }
    t
}

/// A line for each failure, as GitHub's runners read them.
pub(crate) fn annotations(verified: &Verified<'_>) -> String {
    let mut t = String::new();
    let mut say = |level: &str, title: &str, text: &str| {
        let _ = writeln!(t, "::{level} title=retally verify: {title}::{}", on_one_line(text));
    };
    for one in &verified.report.perturbed {
        if let Verdict::Failed(found) = &one.verdict {
            let text = format!("{}; {}", what_differs(found), details(verified, one, found));
            say("error", one.what.name(), &text);
        }
    }
    if let Some(held) = verified.held.filter(|held| !held.agrees()) {
        say("error", verified.against(), &what_changed(held));
    }
    let cut = verified.report.tally().cut;
    if cut > 0 || verified.report.reference.is_none() {
        let text = format!("{cut} perturbations were left undone, see the report for why");
        say("warning", "unfinished", &text);
    }
    t
}

/// What a message may hold, as GitHub escapes it.
fn on_one_line(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_key_holds_ends_an_attribute_or_a_message() {
        let key = "a\"<b>&\u{1b}[31m\n::error::x";
        let xml = escaped(key);
        assert!(!xml.contains(['"', '<', '>', '\u{1b}', '\n']), "{xml}");
        assert_eq!(on_one_line("50%\n::error::x"), "50%25%0A::error::x");
    }
}
