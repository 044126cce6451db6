//! The report for a terminal: the verdict first with what a gate found, then what differs and by
//! how much, the worst keys with the event that made them part, and last the next command to paste.
//! Short, whatever differs.

use crate::outline::{Answer, Block, Brief, Outline, Reader, Sentence, Span};
use crate::text::{cut, harmless, harmless_lines, wrapped};
use std::fmt::Write as _;

const VALUE_CHARS: usize = 40;

/// Characters of a line, but for commands: a break would spoil them.
const WIDTH: usize = 80;

/// Characters of the names of lines, at least.
const NAME_CHARS: usize = 6;

/// The report; `beside_page`: a page is written too, so that nothing leads to one.
#[must_use]
pub fn terminal(of: &Outline, beside_page: bool) -> String {
    let mut t = String::new();
    let word = of.answer.word().to_ascii_lowercase();
    put(&mut t, &format!("{word}: {}", line(&of.headline)), " ", 2);
    if let Some(gate) = &of.gate {
        let _ = writeln!(t, "{}", gate.headline);
        gate.lines.iter().for_each(|line| _ = writeln!(t, "{line}"));
    }
    for said in of.summary_for(Reader::Terminal) {
        put(&mut t, &format!("  {}", line(said)), " ", 4);
    }
    let mut all = of.sections.iter().flat_map(|section| section.blocks_for(Reader::Terminal));
    let mut all = all.by_ref().peekable();
    while let Some(Block::Notes(notes)) = all.next_if(|block| matches!(block, Block::Notes(_))) {
        notes.iter().for_each(|(note, _)| put(&mut t, &format!("note: {}", line(note)), " ", 2));
    }
    if !matches!(of.answer, Answer::Same | Answer::Within) {
        t.push('\n');
    }
    all.for_each(|of| block(&mut t, of));
    for hint in of.explain.iter().chain(of.page.as_ref().filter(|_| !beside_page)) {
        let _ = writeln!(t, "hint: {hint}");
    }
    harmless_lines(&t)
}

fn block(t: &mut String, of: &Block) {
    match of {
        Block::Lead(said) => put(t, &line(said), " ", 2),
        Block::Lines(lines) => {
            lines.iter().for_each(|said| put(t, &format!("  {}", line(said)), " ", 4));
        }
        Block::Brief(of) => brief(t, of),
        Block::Notes(notes) => notes.iter().for_each(|(note, _)| put(t, &line(note), " ", 2)),
        Block::Commands(lines) | Block::Verbatim(lines) => {
            lines.iter().for_each(|of| _ = writeln!(t, "{of}"))
        }
        // No terminal is given what it has no room for.
        _ => {}
    }
}

/// Named lines; of one thing, under its title, where values stand two spaces apart.
fn brief(t: &mut String, of: &Brief) {
    let (indent, gap, least) = match of.title.is_empty() {
        true => ("  ", " ", NAME_CHARS),
        false => ("    ", "  ", 0),
    };
    if !of.title.is_empty() {
        let _ = writeln!(t, "\n  {}", line(&of.title));
    }
    if !of.lead.is_empty() {
        let _ = writeln!(t, "{indent}{}", line(&of.lead));
    }
    let lines: Vec<(String, String)> =
        of.entries.iter().map(|(name, said)| (line(name), line(said))).collect();
    let width = lines.iter().map(|(name, _)| name.chars().count()).fold(least, usize::max);
    for (name, said) in lines {
        put(t, &format!("{indent}{name:<width$}  {said}"), gap, indent.len() + width + 2);
    }
    if !of.more.is_empty() {
        let _ = writeln!(t, "{indent}{}", line(&of.more));
    }
}

/// Writes a text, in lines of which those behind the first stand further in.
fn put(t: &mut String, text: &str, gap: &str, indent: usize) {
    let _ = writeln!(t, "{}", wrapped(&harmless(text), gap, WIDTH, indent));
}

fn line(said: &Sentence) -> String {
    said.render(|span| match span {
        // What is empty is there, and to be seen.
        Span::Name(theirs) | Span::Value(theirs) if theirs.is_empty() => "(empty)".to_owned(),
        Span::Name(theirs) | Span::Value(theirs) => {
            cut(&harmless(theirs), VALUE_CHARS).into_owned()
        }
        Span::Quoted(theirs) => format!("`{theirs}`"),
        Span::Missing(what) => format!("({what})"),
        _ => span.text().into_owned(),
    })
}
