//! The report for a pull request, in GitHub's Markdown: the verdict and the totals in sight, the
//! rest folded. Never longer than a comment may be: every section has its bound, and their sum is
//! below [`MAX_CHARS`].

mod escape;

use crate::number::grouped;
use crate::outline::{
    Answer, Block, Column, Gate, Outline, Reader, SECTIONS, Stands, Table, Tables,
};
use escape::{fence, plain, sentence};

/// A comment holds 65,536 characters.
pub const MAX_CHARS: usize = 65_000;

/// Characters of the answer and what goes with it.
const HEAD_CHARS: usize = 5_000;

/// Characters of what a gate found.
const GATE_CHARS: usize = 3_000;

/// Characters of what somebody wrote beside it.
const NOTE_CHARS: usize = 3_000;

/// Characters around a folded section.
const FOLD_CHARS: usize = 120;

const _: () = {
    let mut sum = HEAD_CHARS + GATE_CHARS + NOTE_CHARS;
    let mut section = 0;
    while section < SECTIONS.len() {
        sum += SECTIONS[section].comment_chars + FOLD_CHARS;
        section += 1;
    }
    assert!(sum <= MAX_CHARS);
};

const ROWS_MAX: usize = 40;

/// The report.
#[must_use]
pub fn markdown(of: &Outline) -> String {
    let mut out = head(of);
    for section in &of.sections {
        let mut bounded = Bounded::new(section.about.comment_chars);
        section.blocks_for(Reader::Comment).for_each(|of| block(&mut bounded, of));
        let text = bounded.text.trim_end();
        match section.about.is_open {
            _ if text.is_empty() => {}
            true => out.extend([text, "\n\n"]),
            false => out.extend([
                "<details><summary>",
                &section.title,
                "</summary>\n\n",
                text,
                "\n\n</details>\n\n",
            ]),
        }
    }
    out
}

fn head(of: &Outline) -> String {
    let mut b = Bounded::new(HEAD_CHARS);
    let mark = match of.answer {
        Answer::Same | Answer::Within | Answer::Expected => "✅",
        Answer::Different => "🔶",
    };
    let title = of.title.as_deref().map(|title| format!(": {}", plain(title)));
    b.line(&format!("### {mark} {}{}\n", of.answer.word(), title.unwrap_or_default()));
    b.line(&format!("{}\n", sentence(&of.headline)));
    let gate = of.gate.as_ref().map(gate).unwrap_or_default();
    b.text += &gate;
    for said in of.summary_for(Reader::Comment) {
        b.line(&format!("- {}", sentence(said)));
    }
    b.line("");
    b.text += &note(of);
    b.text.trim_end().to_owned() + "\n\n"
}

/// What somebody wrote beside it.
fn note(of: &Outline) -> String {
    let mut b = Bounded::new(NOTE_CHARS);
    of.note.iter().for_each(|of| block(&mut b, of));
    let is_cut = b.is_full;
    let text = b.text.trim_end().to_owned();
    if is_cut { text + "\n\n… and more, on the page\n\n" } else { text }
}

/// What a gate found, below the answer.
fn gate(of: &Gate) -> String {
    let mut b = Bounded::new(GATE_CHARS);
    let mark = if of.holds { "✅" } else { "❌" };
    b.line(&format!("**{mark} {}**\n", plain(&of.headline)));
    b.verbatim("text", &of.lines);
    b.text.trim_end().to_owned() + "\n\n"
}

fn block(b: &mut Bounded, of: &Block) {
    match of {
        Block::Lead(said) | Block::Text(said) => _ = b.line(&format!("{}\n", sentence(said))),
        Block::Points(all) => {
            all.iter().for_each(|said| _ = b.line(&format!("- {}", sentence(said))));
            b.line("");
        }
        Block::Lists(lists) => {
            for list in lists {
                b.line(&format!("{}\n", list.title));
                list.items.iter().for_each(|said| _ = b.line(&format!("- {}", sentence(said))));
                b.line("");
            }
        }
        Block::Notes(notes) => {
            b.line("> [!NOTE]");
            let notes = notes.iter().map(|(note, _)| format!("> - {}", sentence(note)));
            b.lines(notes, 0, "notes");
        }
        Block::Verbatim(lines) => b.verbatim("text", lines),
        Block::Table(of) => table(b, of),
        Block::Tables(of) => table(b, &together(of)),
        Block::Commands(commands) => _ = b.line(&fence("sh", commands)),
        Block::Fold(_, blocks) => blocks.iter().for_each(|of| block(b, of)),
        // No comment is given what it has no room for.
        _ => {}
    }
}

/// Tables of one shape as one: a name in front of each row.
fn together(of: &Tables) -> Table {
    let name = Column { name: of.of.into(), stands: Stands::Head };
    let rows = of.parts.iter().flat_map(|(name, table)| {
        table.rows.iter().map(move |row| [name].into_iter().chain(row).cloned().collect())
    });
    let first = of.parts.first().map(|(_, table)| table);
    let columns = first.into_iter().flat_map(|table| table.columns.iter().cloned());
    let what = first.map_or("", |table| table.left_out.1);
    let all = std::iter::once(name).chain(columns);
    let mut together = Table::new("", all, rows, (usize::MAX, what));
    together.left_out.0 = of.parts.iter().map(|(_, table)| table.left_out.0).sum();
    together
}

fn table(b: &mut Bounded, of: &Table) {
    let kept = of.filled();
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let head = kept.iter().map(|column| sentence(&of.columns[*column].name)).collect();
    let aligned = kept.iter().map(|column| match of.columns[*column].stands {
        Stands::Right => "---:".to_owned(),
        Stands::Left | Stands::Head => "---".to_owned(),
    });
    if !b.line(&format!("{}\n{}", line(head), line(aligned.collect()))) {
        return;
    }
    let told = of.news.min(ROWS_MAX);
    let rows = of.rows.iter().take(told);
    let rows = rows.map(|row| line(kept.iter().map(|column| sentence(&row[*column])).collect()));
    let (left_out, what) = of.left_out;
    // What a comment does not show because it is no news is nothing that it lacks.
    let beyond = if of.news < of.rows.len() { 0 } else { left_out };
    b.lines(rows, (of.news - told) as u64 + beyond, what);
    b.line("");
}

/// Room for a fence around lines, and to write as escapes what would steer.
const FENCE_CHARS: usize = 200;

/// Room that is kept to say how much is left out.
const RESERVE_CHARS: usize = 80;

/// A section while it is written: lines go in while there is room, and what did not fit is counted
/// and said. So it is never longer than it may be, whatever it holds.
#[derive(Debug)]
struct Bounded {
    text: String,
    left: usize,
    is_full: bool,
}

impl Bounded {
    fn new(max_chars: usize) -> Self {
        Self { text: String::new(), left: max_chars.saturating_sub(RESERVE_CHARS), is_full: false }
    }

    /// Appends a line, if there is room. Once there was none, nothing goes in any more.
    fn line(&mut self, line: &str) -> bool {
        let chars = line.chars().count() + 1;
        self.is_full |= chars > self.left;
        if !self.is_full {
            self.left -= chars;
            self.text.push_str(line);
            self.text.push('\n');
        }
        !self.is_full
    }

    /// Lines that stand as they are, as far as there is room.
    fn verbatim(&mut self, language: &str, lines: &[String]) {
        let mut left = self.left.saturating_sub(FENCE_CHARS);
        let fits = |line: &&String| {
            let chars = line.chars().count() + 1;
            let has_room = chars <= left;
            left = left.saturating_sub(chars);
            has_room
        };
        let told: Vec<String> = lines.iter().take_while(fits).cloned().collect();
        let is_told = !told.is_empty() && self.line(&fence(language, &told));
        let more = lines.len() - if is_told { told.len() } else { 0 };
        self.lines(std::iter::empty(), more as u64, "lines");
    }

    /// Lines as far as there is room, and how many are left out: `beyond` in any case.
    fn lines(&mut self, lines: impl ExactSizeIterator<Item = String>, beyond: u64, what: &str) {
        let (all, mut shown) = (lines.len() as u64, 0);
        for line in lines {
            if !self.line(&line) {
                break;
            }
            shown += 1;
        }
        // Room to say how many are left out is kept.
        if let count @ 1.. = all - shown + beyond {
            let line = format!("\n… and {} more {what}\n", grouped(count));
            let chars = line.chars().count();
            debug_assert!(chars <= RESERVE_CHARS);
            self.text.push_str(&line);
            // What follows must still leave room for its own such line.
            self.is_full |= self.left < chars;
            self.left = self.left.saturating_sub(chars);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_there_is_no_more_room() {
        let mut bounded = Bounded::new(200);
        let rows = (0..50).map(|n| format!("| {n} | xxxxxxxxxxxxxxx |"));
        bounded.lines(rows, 950, "rows");
        let text = bounded.text;
        assert!(text.chars().count() <= 200, "{text}");
        assert!(text.ends_with("| 4 | xxxxxxxxxxxxxxx |\n\n… and 995 more rows\n"), "{text}");
    }
}
