//! The report as one page that opens from disk: for a finance lead first, who reads the verdict and
//! the totals, and below that for whoever must find out why.
//!
//! ```text
//! summary.rs   the verdict, what must be known, counts
//! money.rs     totals, per group
//! why.rs       what the changed keys have in common; time.rs: since when
//! fields.rs    field by field; spread.rs: distributions
//! keys.rs      the worst keys, sorted and searched; detail.rs: one of them, unfolded
//! events.rs    emits, outcomes, refusals, violations
//! about.rs     what it shows and does not, what was compared, how to repeat it
//! ```
//!
//! The page asks for nothing: no network, no font, no other file, and its policy forbids it to. It
//! can be read without its script, which sorts and searches and keeps both in the page's address.
//! Bounded: some megabytes at the most, whatever differs.

mod about;
mod detail;
mod escape;
mod events;
mod fields;
mod keys;
mod money;
mod spread;
mod summary;
mod svg;
mod table;
mod time;
mod why;

use crate::sentence::names;
use retally_compare::model::{Comparison, Verdict};
use retally_core::digest::Hash;
use retally_core::schema::{Kind, Value, display};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The sections that the page leads to, if it has them.
const PLACES: [(&str, &str); 9] = [
    ("gate", "Gate"),
    ("totals", "Totals"),
    ("why", "Why"),
    ("fields", "Fields"),
    ("keys", "Keys"),
    ("emits", "Emits"),
    ("events", "Events"),
    ("meaning", "What this shows"),
    ("compared", "What was compared"),
];

/// The page.
#[must_use]
pub fn html(c: &Comparison) -> String {
    let (a, b) = names(c);
    let word = match c.verdict {
        Verdict::Same => "Same",
        Verdict::Different => "Different",
    };
    let title = escape::text(&format!("{word}: {a} and {b}"));
    let body = [
        summary::verdict(c),
        gate(c),
        summary::notes(c),
        summary::tiles(c),
        money::section(c),
        why::section(c),
        fields::section(c),
        keys::section(c),
        events::emits(c),
        events::events(c),
        about::statements(c),
        about::compared(c),
    ];
    let body = body.concat();
    // Only the script and the style that stand here may run; nothing may be asked for.
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        source(STYLE),
        source(SCRIPT)
    );
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header><p class=\"sides\"><b>Comparison</b> {} <span class=\"arrow\">→</span> {}</p>\n\
         <nav>{}</nav></header>\n<main>\n{body}</main>\n\
         <footer><p class=\"muted\">Made by Retally {}. The same comparison makes the same page, \
         to the byte.</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        escape::value(&a),
        escape::value(&b),
        links(&body),
        escape::text(&c.retally),
    )
}

/// What the gate found, if there is one.
fn gate(c: &Comparison) -> String {
    let Some(gate) = &c.gate else { return String::new() };
    let word = if gate.holds { "holds" } else { "is broken" };
    let text = escape::text(&crate::gate::text(gate));
    format!("<section id=\"gate\">\n<h2>The gate {word}</h2>\n<pre>{text}</pre>\n</section>\n")
}

fn links(body: &str) -> String {
    let there = PLACES.iter().filter(|(id, _)| body.contains(&format!("<section id=\"{id}\">")));
    there.map(|(id, name)| format!("<a href=\"#{id}\">{name}</a>\n")).collect()
}

/// How a policy names an element's text: by its hash.
fn source(text: &str) -> String {
    let hash = Hash::of(text.as_bytes());
    format!("sha256-{}", display(Value::Bytes(&hash.0), Kind::Bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_stay_in_their_elements_and_ask_for_nothing() {
        for text in [STYLE, SCRIPT] {
            for word in ["</", "<!--", "http:", "https:", "url(", "@import", "fetch("] {
                assert!(!text.contains(word), "{word}");
            }
        }
        assert_eq!(source(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
