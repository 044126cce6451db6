//! The foot of the page: what the comparison shows and what it does not, what was compared, and how
//! to do it again.

use super::escape::{self, code, text, value};
use super::table::{Cell, table};
use crate::number::{grouped, percent};
use crate::sentence::names;
use retally_compare::model::{Comparison, How, Side};
use retally_core::digest::Hash;

/// What it shows, and what it leaves open.
pub(super) fn statements(c: &Comparison) -> String {
    let list = |title: &str, class: &str, lines: &[String]| {
        if lines.is_empty() {
            return String::new();
        }
        let lines: String =
            lines.iter().map(|line| format!("<li>{}</li>\n", escape::line(line))).collect();
        format!("<div class=\"{class}\"><h3>{title}</h3>\n<ul>\n{lines}</ul></div>\n")
    };
    let shows = list("This shows", "shows", &c.shows);
    let open = list("This leaves open", "open", &c.leaves_open);
    match shows.is_empty() && open.is_empty() {
        true => String::new(),
        false => format!(
            "<section id=\"meaning\">\n<h2>What this shows, and what it does not</h2>\n\
             <div class=\"columns\">\n{shows}{open}</div>\n</section>\n"
        ),
    }
}

/// What was compared, and how to repeat it.
pub(super) fn compared(c: &Comparison) -> String {
    let (a, b) = names(c);
    let how = match c.how {
        How::OnePass => "Two reducers, side by side in one pass over the log.",
        How::Runs => "Two finished runs, from their files.",
        How::Known => "A finished run against results that somebody knows.",
    };
    let head =
        [String::new(), format!("A: {}", text(&a)), format!("B: {}", text(&b)), String::new()];
    let mut out = format!(
        "<section id=\"compared\">\n<h2>What was compared, and how to repeat it</h2>\n\
         <p>{how} Differences are B minus A: {} minus {}.{}</p>\n{}",
        text(&b),
        text(&a),
        read(c),
        table("Equal digests stand for equal contents", &head, &facts(c)),
    );
    if !c.repeat.is_empty() {
        let commands: Vec<String> =
            c.repeat.iter().map(|words| text(&crate::shell::command(words))).collect();
        out += &format!("<pre><code>{}</code></pre>\n", commands.join("\n"));
    }
    out += "<details><summary>What the words mean</summary><dl>\n";
    for (word, meaning) in WORDS {
        out += &format!("<dt>{word}</dt><dd>{meaning}</dd>\n");
    }
    out + "</dl></details>\n</section>\n"
}

const WORDS: [(&str, &str); 8] = [
    ("key", "what results are kept for, one by one: an account, a customer, an aircraft"),
    ("row", "a line of a key's result; a key may have several, such as one for each currency"),
    ("emit", "a record that a version writes for an event, such as a running balance"),
    (
        "begins to differ",
        "with its first diverging event: the first event of a key whose outcome, or \
         whose result after it, is not the same in both versions",
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
            "{bytes}, {} of {} leaves; those whose hashes are equal need not be read.",
            grouped(read.leaves_read),
            grouped(total)
        ),
    }
}

/// One fact of a side, as HTML; none if the side has none.
type Fact = (&'static str, fn(&Side) -> Option<String>);

fn hash(of: Hash) -> String {
    format!("<code class=\"hash\">{of}</code>")
}

const FACTS: [Fact; 14] = [
    ("Reducer", |s| s.reducer.as_ref().map(|r| value(&format!("{}@{}", r.name, r.version)))),
    ("Reducer's SHA-256", |s| s.reducer.as_ref().map(|r| hash(r.sha256))),
    ("State version", |s| s.reducer.as_ref().map(|r| r.state_version.to_string())),
    ("Run", |s| s.run.as_ref().and_then(|run| run.name.as_deref().map(value))),
    ("Events", |s| s.run.as_ref().map(|run| grouped(run.counts.events))),
    ("Applied", |s| s.run.as_ref().map(|run| grouped(run.counts.applied))),
    ("Job digest", |s| s.run.as_ref().map(|run| hash(run.job_digest))),
    ("Input digest", |s| s.run.as_ref().map(|run| hash(run.input_digest))),
    ("Outcomes", |s| s.run.as_ref().map(|run| hash(run.digests.outcomes))),
    ("Views", |s| s.run.as_ref().map(|run| hash(run.digests.views))),
    ("States", |s| s.run.as_ref().map(|run| hash(run.digests.states))),
    ("Violations", |s| s.run.as_ref().map(|run| hash(run.digests.violations))),
    ("Run digest", |s| s.run.as_ref().map(|run| hash(run.run_digest))),
    ("Seal", |s| s.run.as_ref().map(|run| hash(run.seal))),
];

fn facts(c: &Comparison) -> Vec<Vec<Cell>> {
    let row = |name: &str, a: Option<String>, b: Option<String>| {
        let same = match (&a, &b) {
            (Some(a), Some(b)) if a == b => "<span class=\"nowrap zero\">equal</span>",
            (Some(_), Some(_)) => "<span class=\"nowrap\">different</span>",
            _ => "",
        };
        let cell = |of: Option<String>| Cell::Left(of.unwrap_or_default());
        vec![Cell::Head(name.to_owned()), cell(a), cell(b), Cell::Left(same.to_owned())]
    };
    let mut rows = Vec::new();
    for (name, fact) in FACTS {
        let (a, b) = (fact(&c.a), fact(&c.b));
        if a.is_some() || b.is_some() {
            rows.push(row(name, a, b));
        }
    }
    for (of_a, side) in [(true, &c.a), (false, &c.b)] {
        for file in &side.known {
            let fields: Vec<String> = file.fields.iter().map(|field| code(field)).collect();
            let told = format!(
                "{}<br>{} rows of the {}: {}<br>{}",
                value(&file.name),
                grouped(file.rows),
                text(&file.of.to_string()),
                fields.join(", "),
                hash(file.sha256)
            );
            let (a, b) = if of_a { (Some(told), None) } else { (None, Some(told)) };
            rows.push(row("Known results", a, b));
        }
    }
    rows
}
