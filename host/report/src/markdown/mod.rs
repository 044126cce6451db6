//! The report for a pull request, in GitHub's Markdown: the verdict and the totals in sight, the
//! rest folded. Never longer than a comment may be: every section has its bound, and their sum is
//! below [`MAX_CHARS`].

mod bounded;
mod escape;
mod sections;

use crate::sentence::{self, Part, Sentence};
use bounded::Bounded;
use escape::{code, plain, prose};
use retally_compare::model::{Comparison, Verdict};

/// A comment holds 65,536 characters.
pub const MAX_CHARS: usize = 65_000;

/// Findings that are told.
const FINDINGS_MAX: usize = 8;

/// Writes what a section holds.
type Write = fn(&mut Bounded, &Comparison);

/// The sections: title (folded under it; none: in sight), bound in characters, content.
const SECTIONS: [(Option<&str>, usize, Write); 12] = [
    (None, 5_000, head),
    (None, 3_000, sections::gate),
    (None, 5_000, notes),
    (None, 6_000, sections::totals),
    (Some("Totals by group"), 5_000, sections::groups),
    (Some("Fields"), 6_000, sections::fields),
    (Some("Changes of values"), 6_000, sections::transitions),
    (Some("Emits"), 4_000, sections::emits),
    (Some("Outcomes, refusals and violations"), 5_000, sections::events),
    (Some("Keys that differ most"), 9_000, sections::keys),
    (Some("What this shows, and what it does not"), 4_000, statements),
    (Some("What was compared, and how to repeat it"), 5_000, sections::compared),
];

/// Characters around a folded section.
const FOLD_CHARS: usize = 120;

const _: () = {
    let mut sum = 0;
    let mut section = 0;
    while section < SECTIONS.len() {
        sum += SECTIONS[section].1 + FOLD_CHARS;
        section += 1;
    }
    assert!(sum < MAX_CHARS);
};

/// The report.
#[must_use]
pub fn markdown(c: &Comparison) -> String {
    let mut out = String::new();
    for (title, max_chars, write) in SECTIONS {
        let mut bounded = Bounded::new(max_chars);
        write(&mut bounded, c);
        let text = bounded.finish();
        let text = text.trim_end();
        match title {
            _ if text.is_empty() => {}
            None => out.extend([text, "\n\n"]),
            Some(title) => out.extend([
                "<details><summary>",
                title,
                "</summary>\n\n",
                text,
                "\n\n</details>\n\n",
            ]),
        }
    }
    out
}

fn line(said: &Sentence) -> String {
    said.render(|part| match part {
        Part::Text(text) => plain(text),
        Part::Number(text) => format!("**{}**", plain(text)),
        Part::Value(text) => code(text),
    })
}

fn head(b: &mut Bounded, c: &Comparison) {
    let word = match c.verdict {
        Verdict::Same => "✅ Same",
        Verdict::Different => "🔶 Different",
    };
    b.line(&format!("### {word}"));
    b.line("");
    b.line(&line(&sentence::verdict(c)));
    b.line("");
    let findings = sentence::findings(c).skip(1).take(FINDINGS_MAX - 1);
    let said = sentence::summary(c)
        .into_iter()
        .chain(findings.map(|finding| sentence::finding(c, finding)));
    for said in said {
        b.line(&format!("- {}", line(&said)));
    }
}

fn notes(b: &mut Bounded, c: &Comparison) {
    for (number, note) in c.notes.iter().enumerate() {
        let begin = if number == 0 { "> [!NOTE]\n" } else { "" };
        if !b.line(&format!("{begin}> - {}", prose(&note.text))) {
            b.more((c.notes.len() - number) as u64, "notes");
            break;
        }
    }
}

fn statements(b: &mut Bounded, c: &Comparison) {
    for (title, list) in [("It shows", &c.shows), ("It leaves open", &c.leaves_open)] {
        if !list.is_empty() {
            b.line(&format!("{title}\n"));
            list.iter().for_each(|text| _ = b.line(&format!("- {}", prose(text))));
            b.line("");
        }
    }
    let not_looked = &c.attribution.not_looked;
    not_looked.iter().for_each(|text| _ = b.line(&format!("- {}", prose(text))));
}
