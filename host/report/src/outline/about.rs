//! The foot of a report: what the comparison shows and what it does not, what was compared, and how
//! to do it again.

use super::block::{Block, List, Table, head, left};
use super::sentence::sides;
use super::span::{Class, Difference, Sentence, Span, count, name, prose, said};
use super::why::not_looked;
use super::{COMMENT, PAGE, SHEETS, Section};
use crate::number::{grouped, percent};
use crate::shell::command;
use retally_compare::model::{Comparison, How, KnownFile, RunSide, Side};
use retally_core::digest::Hash;

pub(super) fn meaning(c: &Comparison, to: &mut Section) {
    let list = |title, class, lines: &[String]| List {
        title,
        class,
        items: lines.iter().map(|line| prose(line)).collect(),
    };
    let lists =
        [list("This shows", "shows", &c.shows), list("This leaves open", "open", &c.leaves_open)];
    let lists: Vec<List> = lists.into_iter().filter(|list| !list.items.is_empty()).collect();
    to.put(SHEETS, Block::Lists(lists));
    // A page says it beside the differences that are looked at.
    not_looked(c).for_each(|said| to.put(COMMENT, Block::Lead(said)));
}

pub(super) fn compared(c: &Comparison, to: &mut Section) {
    let [a, b] = sides(c);
    let how = match c.how {
        How::OnePass => "Two reducers, side by side in one pass over the log.",
        How::Runs => "Two finished runs, from their files.",
        How::Known => "A finished run against results that somebody knows.",
    };
    let minus = said![" Differences are B minus A: ", b.clone(), " minus ", a.clone(), "."];
    to.put(SHEETS, Block::Lead(said![how, minus, read(c)]));
    let columns = [head("What"), left(said!["A: ", a]), left(said!["B: ", b]), left("Is")];
    let caption = "Equal digests stand for equal contents";
    to.put(SHEETS, Block::Table(Table::new(caption, columns, facts(c), (FACTS_MAX, "facts"))));
    to.put(SHEETS, Block::Commands(c.repeat.iter().map(|words| command(words)).collect()));
    to.put(PAGE, Block::Fold("What the words mean".into(), vec![Block::Words(&WORDS)]));
    to.put(COMMENT, Block::Lead(said![format!("Made by Retally {}.", c.retally)]));
}

const WORDS: [(&str, &str); 8] = [
    ("key", "what results are kept for, one by one: an account, a customer, an aircraft"),
    ("row", "a line of a key's result; a key may have several, such as one for each currency"),
    ("emit", "a record that a version writes for an event, such as a running balance"),
    (
        "begins to differ",
        "with its first diverging event: the first event of a key whose outcome, or \
         whose result after it, is not the same in both versions; of two runs the first whose \
         outcome or emits differ: their files hold no result after each event",
    ),
    (
        "refused",
        "an event that did not count, with a reason: malformed, conflict, rejected or \
                 quarantined",
    ),
    ("violation", "a broken business rule that a version found in its own result"),
    ("digest", "a hash of contents: equal digests mean that they are the same to the last digit"),
    ("seal", "one value for what came out, of which reducer, job and input"),
];

fn read(c: &Comparison) -> String {
    let read = &c.read;
    if read.bytes_total == 0 {
        return String::new();
    }
    let (bytes, all) = (grouped(read.bytes_read), grouped(read.bytes_total));
    let bytes = match read.bytes_read > read.bytes_total {
        true => format!(" All {all} bytes were read, some of them twice"),
        false => {
            let share = percent(read.bytes_read, read.bytes_total);
            format!(" {bytes} of {all} bytes were read ({share})")
        }
    };
    match read.leaves_total {
        0 => format!("{bytes}."),
        total => format!(
            "{bytes}, {} of {} leaves; what has equal digests is taken as equal and not read.",
            grouped(read.leaves_read),
            grouped(total)
        ),
    }
}

/// Facts that are told: more than there are files of known results.
const FACTS_MAX: usize = 100;

/// Facts of a side; empty where the side has none.
fn facts_of(side: &Side) -> [(&'static str, Sentence); 15] {
    let (reducer, run) = (side.reducer.as_ref(), side.run.as_ref());
    let name = reducer.map(|of| Span::Value(format!("{}@{}", of.name, of.version)));
    let digest = |of: fn(&RunSide) -> Hash| run.map(|run| Span::Digest(of(run))).into();
    [
        ("Reducer", name.into()),
        ("Reducer's SHA-256", reducer.map(|of| Span::Digest(of.sha256)).into()),
        ("State version", reducer.map(|of| of.state_version.to_string()).into()),
        ("Run", run.and_then(|run| run.name.clone()).map(Span::Value).into()),
        ("Events", run.map(|run| count(run.counts.events)).into()),
        ("Applied", run.map(|run| count(run.counts.applied)).into()),
        ("Event times", run.and_then(times).into()),
        ("Job digest", digest(|run| run.job_digest)),
        ("Input digest", digest(|run| run.input_digest)),
        ("Outcomes", digest(|run| run.digests.outcomes)),
        ("Views", digest(|run| run.digests.views)),
        ("States", digest(|run| run.digests.states)),
        ("Violations", digest(|run| run.digests.violations)),
        ("Run digest", digest(|run| run.run_digest)),
        ("Seal", digest(|run| run.seal)),
    ]
}

/// From the earliest to the latest.
fn times(run: &RunSide) -> Option<Span> {
    let times = run.counts.times?;
    Some(Span::Value(format!("{} to {}", times.earliest?, times.latest?)))
}

fn facts(c: &Comparison) -> Vec<Vec<Sentence>> {
    let row = |what: &str, a: Sentence, b: Sentence| {
        let same = match a.is_empty() || b.is_empty() {
            true => said![],
            false if a != b => said!["different"],
            false => {
                let shown = "equal".to_owned();
                Span::Difference(Difference { way: Class::Zero, shown }).into()
            }
        };
        vec![what.into(), a, b, same]
    };
    let known = |file: &KnownFile| {
        let fields = Sentence::joined(file.fields.iter().map(|field| name(field).into()), ", ");
        let of = format!("{} rows of the {}: ", grouped(file.rows), file.of);
        let (file, sha256) = (Span::Value(file.name.clone()), Span::Digest(file.sha256));
        said![file, Span::Break, of, fields, Span::Break, sha256]
    };
    let both = facts_of(&c.a).into_iter().zip(facts_of(&c.b));
    let both = both.filter(|((_, a), (_, b))| !a.is_empty() || !b.is_empty());
    let of_a = c.a.known.iter().map(|file| row("Known results", known(file), said![]));
    let of_b = c.b.known.iter().map(|file| row("Known results", said![], known(file)));
    both.map(|((what, a), (_, b))| row(what, a, b)).chain(of_a).chain(of_b).collect()
}
