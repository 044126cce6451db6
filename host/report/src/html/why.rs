//! Where the differences come from: what the changed keys have in common, and since when.

use super::escape::{self, optional, sentence, text};
use super::svg::meter;
use super::table::{Cell, count, table};
use super::time;
use crate::number::{grouped, percent};
use crate::sentence::{counts_on_the_way, finding, is_few_of_all};
use retally_compare::model::{Comparison, Finding, Verdict};

/// Inputs that are listed.
const INPUTS_MAX: usize = 20;

/// The section.
pub(super) fn section(c: &Comparison) -> String {
    if c.verdict == Verdict::Same {
        return String::new();
    }
    let findings = c.attribution.findings.iter().filter(|of| !is_few_of_all(of));
    let findings: String = findings.map(|of| item(c, of)).collect();
    let plots = time::plots(c);
    let inputs = inputs(c);
    let open: Vec<String> = c
        .attribution
        .not_looked
        .iter()
        .map(|text| format!("<p class=\"muted\">{}</p>\n", escape::line(text)))
        .collect();
    if findings.is_empty() && plots.is_empty() && inputs.is_empty() && open.is_empty() {
        return String::new();
    }
    let findings = match findings.is_empty() {
        true => String::new(),
        false => format!("<ul class=\"findings\">\n{findings}</ul>\n"),
    };
    let plots = match plots.is_empty() {
        true => String::new(),
        false => format!(
            "<h3>Since when</h3>\n<p class=\"muted\">A key begins to differ with the first of its \
             events whose outcome, or whose result after it, is not the same. Each key's \
             difference at the end is counted there.</p>\n<div class=\"figures\">\n{plots}</div>\n"
        ),
    };
    format!(
        "<section id=\"why\">\n<h2>Where the differences come from</h2>\n{findings}{plots}\
         {inputs}{}{}</section>\n",
        known(c),
        open.concat(),
    )
}

fn item(c: &Comparison, of: &Finding) -> String {
    let others = match (of.others_with, of.others) {
        (Some(with), Some(all)) if all > 0 => format!(
            "<span class=\"pair\">{}<span class=\"muted\">{} of {} others</span></span>",
            meter(with, all, "equal"),
            grouped(with),
            grouped(all)
        ),
        _ => String::new(),
    };
    format!(
        "<li><p>{}</p><span class=\"pair\">{}<span class=\"muted\">{} of {} {}</span></span>\
         {others}</li>\n",
        sentence(&finding(c, of)),
        meter(of.changed_with, of.changed, "different"),
        grouped(of.changed_with),
        grouped(of.changed),
        if counts_on_the_way(c, of) { "that differ at some time" } else { "changed" },
    )
}

fn inputs(c: &Comparison) -> String {
    let all = &c.divergences.by_input;
    // One input alone, or none that is known, is no news.
    if all.len() < 2 {
        return String::new();
    }
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .take(INPUTS_MAX)
        .map(|input| {
            let share = percent(input.keys, c.divergences.found);
            let name = Cell::Head(optional(input.input.as_deref()));
            vec![name, count(input.keys), Cell::Right(share)]
        })
        .collect();
    let head = ["Input", "Keys", "Share"].map(str::to_owned);
    table("By the input of the event with which a key begins to differ", &head, &rows)
}

/// How many of the first diverging events are known.
fn known(c: &Comparison) -> String {
    let d = &c.divergences;
    let mut said = Vec::new();
    if d.healed > 0 {
        said.push(format!(
            "{} of the {} keys that differed on the way end with the same result.",
            grouped(d.healed),
            grouped(d.keys)
        ));
    }
    if d.not_in_files > 0 {
        let keys = grouped(d.not_in_files);
        said.push(format!(
            "For {keys} of {} keys the files do not hold the event with which they begin to \
             differ.",
            grouped(d.keys)
        ));
    }
    let command = (d.not_in_files > 0).then(|| {
        let command = text(&crate::shell::explain(c, "KEY", None));
        format!("<p>This finds it:</p><pre><code>{command}</code></pre>\n")
    });
    let said: String = said.iter().map(|line| format!("<p class=\"muted\">{line}</p>\n")).collect();
    said + &command.unwrap_or_default()
}
