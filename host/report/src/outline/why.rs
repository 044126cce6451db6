//! Where the differences come from: what the changed keys have in common, and since when.

use super::block::{Block, Table, head, right};
use super::first::words;
use super::sentence::{counts_on_the_way, finding, is_few_of_all};
use super::span::{Class, Sentence, Span, count, number, optional, prose, said};
use super::{PAGE, Section, time};
use crate::number::{grouped, percent};
use crate::shell;
use retally_compare::model::{Comparison, Finding, Verdict};

const INPUTS_MAX: usize = 20;

/// The section of a page; in a comment what explains most stands beside the answer.
pub(super) fn why(c: &Comparison, to: &mut Section) {
    if c.verdict == Verdict::Same {
        return;
    }
    let findings = c.attribution.findings.iter().filter(|of| !is_few_of_all(of));
    to.put(PAGE, Block::Findings(findings.map(|of| one(c, of)).collect()));
    let plots = time::plots(c);
    if !plots.is_empty() {
        to.put(PAGE, Block::Lead(said![number("Since when."), words(c).counted]));
        to.put(PAGE, Block::Plots(plots));
    }
    inputs(c, to);
    known(c, to);
    not_looked(c).for_each(|said| to.put(PAGE, Block::Lead(said)));
}

pub(super) fn not_looked(c: &Comparison) -> impl Iterator<Item = Sentence> {
    c.attribution.not_looked.iter().map(|text| prose(text))
}

fn one(c: &Comparison, of: &Finding) -> (Sentence, Vec<Sentence>) {
    let what = if counts_on_the_way(c, of) { "that differ at some time" } else { "changed" };
    let measure = |part: u64, whole: u64, what: &str, class: Class| {
        let counts = format!("{} of {} {what}", grouped(part), grouped(whole));
        said![Span::Share(part, whole, class), " ", Span::Aside(counts)]
    };
    let mut measures = vec![measure(of.changed_with, of.changed, what, Class::Different)];
    if let (Some(with), Some(all @ 1..)) = (of.others_with, of.others) {
        measures.push(measure(with, all, "others", Class::Equal));
    }
    (finding(c, of), measures)
}

fn inputs(c: &Comparison, to: &mut Section) {
    let all = &c.divergences.by_input;
    // One input alone, or none that is known, is no news.
    if all.len() < 2 {
        return;
    }
    let rows = all.iter().map(|input| {
        let share = percent(input.keys, c.divergences.found);
        vec![optional(input.input.as_deref()).into(), count(input.keys), share.into()]
    });
    let caption = "By the input of the event with which a key begins to differ";
    let columns = [head("Input"), right("Keys"), right("Share")];
    to.put(PAGE, Block::Table(Table::new(caption, columns, rows, (INPUTS_MAX, "inputs"))));
}

/// How many of the first diverging events are known.
fn known(c: &Comparison, to: &mut Section) {
    let d = &c.divergences;
    let [healed, keys, not_in_files] = [d.healed, d.keys, d.not_in_files].map(grouped);
    if d.healed > 0 {
        let said = format!(
            "{healed} of the {keys} keys that differed on the way end with the same result."
        );
        to.put(PAGE, Block::Lead(said.into()));
    }
    if d.before_range > 0 {
        let said = format!(
            "{} of the {keys} keys that differ began to differ before the range.",
            grouped(d.before_range)
        );
        to.put(PAGE, Block::Lead(said.into()));
    }
    if d.not_in_files > 0 {
        let said = format!(
            "For {not_in_files} of {keys} keys the files do not hold the event with which they \
             begin to differ."
        );
        to.put(PAGE, Block::Lead(said![said, " This finds it:"]));
        to.put(PAGE, Block::Commands(vec![shell::explain(c, "KEY", None)]));
    }
}
