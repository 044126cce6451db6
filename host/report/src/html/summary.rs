//! The top of the page, which a reader in a hurry reads alone: the answer in a sentence, what it
//! means in money, since when, why; what must be known beforehand; a few counts.

use super::escape::{self, sentence, text};
use super::svg;
use crate::number::{grouped, percent};
use crate::sentence::{self as said, names};
use retally_compare::model::{CodeCount, Comparison, NoteCode, Sets, Verdict};

/// Notes in sight; the rest is folded.
const NOTES_OPEN: usize = 4;

/// The verdict.
pub(super) fn verdict(c: &Comparison) -> String {
    let (class, word) = match c.verdict {
        Verdict::Same => ("same", "Same"),
        Verdict::Different => ("different", "Different"),
    };
    let lines: String =
        said::summary(c).iter().map(|line| format!("<li>{}</li>\n", sentence(line))).collect();
    let lines = if lines.is_empty() { lines } else { format!("<ul>\n{lines}</ul>\n") };
    format!(
        "<section class=\"verdict {class}\" id=\"verdict\">\n<p class=\"word\">{word}</p>\n\
         <h1>{}</h1>\n{lines}</section>\n",
        sentence(&said::verdict(c)),
    )
}

/// Notes: shown at the top, never hidden.
pub(super) fn notes(c: &Comparison) -> String {
    if c.notes.is_empty() {
        return String::new();
    }
    let line = |note: &retally_compare::model::Note| {
        let class = match note.code {
            NoteCode::Forced | NoteCode::Marked => " class=\"loud\"",
            _ => "",
        };
        format!("<li{class}>{}</li>\n", escape::line(&note.text))
    };
    let (open, folded) = c.notes.split_at(c.notes.len().min(NOTES_OPEN));
    let open: String = open.iter().map(line).collect();
    let rest: String = folded.iter().map(line).collect();
    let rest = match folded.len() {
        0 => String::new(),
        more => format!("<details><summary>{more} more</summary><ul>\n{rest}</ul></details>\n"),
    };
    format!(
        "<section class=\"notes\" id=\"notes\">\n<h2>Know before you read</h2>\n\
         <ul>\n{open}</ul>\n{rest}</section>\n"
    )
}

/// The counts.
pub(super) fn tiles(c: &Comparison) -> String {
    let mut tiles = sets("Keys that differ", c.keys, c);
    tiles += &sets("Rows that differ", c.rows, c);
    let records: Vec<Sets> = c.emits.iter().filter_map(|emit| emit.records).collect();
    if !records.is_empty() {
        let sum = |of: fn(&Sets) -> u64| records.iter().map(of).sum();
        let all = Sets {
            only_a: sum(|s| s.only_a),
            only_b: sum(|s| s.only_b),
            equal: sum(|s| s.equal),
            different: sum(|s| s.different),
        };
        tiles += &sets("Emitted records that differ", all, c);
    }
    if let Some(outcomes) = &c.outcomes {
        let events = outcomes.iter().map(|change| change.events).sum();
        let of = c.a.run.as_ref().map(|run| format!("of {}", grouped(run.counts.events)));
        tiles += &tile("Events with another outcome", events, &of.unwrap_or_default(), "");
    }
    for (what, counts) in [("Refused events", &c.refusals), ("Violations", &c.violations)] {
        if !counts.is_empty() {
            tiles += &change(what, counts);
        }
    }
    format!("<section class=\"tiles\" id=\"counts\">\n{tiles}</section>\n")
}

fn tile(what: &str, count: u64, of: &str, more: &str) -> String {
    let class = if count == 0 { " zero" } else { "" };
    format!(
        "<div class=\"tile\"><p class=\"what\">{what}</p><p class=\"big{class}\">{}</p>\
         <p class=\"muted\">{of}</p>{more}</div>\n",
        grouped(count),
    )
}

fn change(what: &str, counts: &[CodeCount]) -> String {
    let sum = |of: fn(&CodeCount) -> u64| counts.iter().map(of).sum::<u64>();
    let (a, b) = (sum(|count| count.a), sum(|count| count.b));
    let shown = match a == b {
        true => grouped(a),
        false => format!("{} → {}", grouped(a), grouped(b)),
    };
    let codes = counts.iter().filter(|count| count.a != count.b).count();
    let codes = match codes {
        0 => "the same on both sides".to_owned(),
        1 => "one code differs".to_owned(),
        many => format!("{many} codes differ"),
    };
    let class = if a == b { " zero" } else { "" };
    format!(
        "<div class=\"tile\"><p class=\"what\">{what}</p><p class=\"big{class}\">{shown}</p>\
         <p class=\"muted\">{codes}</p></div>\n"
    )
}

fn sets(what: &str, sets: Sets, c: &Comparison) -> String {
    let (a, b) = names(c);
    let all = sets.all();
    let of = format!("of {} ({})", grouped(all), percent(sets.differing(), all));
    let parts = [
        ("different", "different".to_owned(), sets.different),
        ("only-a", format!("only in {}", text(&a)), sets.only_a),
        ("only-b", format!("only in {}", text(&b)), sets.only_b),
        ("equal", "equal".to_owned(), sets.equal),
    ];
    let told = parts.iter().filter(|(class, _, count)| *count > 0 && *class != "equal");
    let told: Vec<String> = told
        .map(|(class, name, count)| {
            format!("<span class=\"dot {class}\"></span>{} {name}", grouped(*count))
        })
        .collect();
    let told = match told.is_empty() {
        true => String::new(),
        false => format!("<p class=\"legend\">{}</p>", told.join("<br>")),
    };
    let parts = parts.map(|(class, name, count)| (class, name, count));
    tile(what, sets.differing(), &of, &format!("{}{told}", svg::stacked(&parts)))
}
