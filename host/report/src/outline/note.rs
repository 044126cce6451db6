//! A note that a person puts beside a report, written in Markdown. Of that language the few things
//! are read that a note needs (paragraphs, headings, lists, code, emphasis); everything else is
//! text, and so nothing in it can be HTML, load anything, or swallow the report behind it.

use super::block::Block;
use super::span::{Sentence, Span};
use crate::text::cut;

/// Characters of a note that are read; one that is longer says so at its end.
const NOTE_CHARS: usize = 20_000;

/// A note as blocks of a report.
pub(crate) fn blocks(markdown: &str) -> Vec<Block> {
    let text = cut(markdown, NOTE_CHARS).replace("\r\n", "\n");
    let mut reading = Reading::default();
    for line in text.lines() {
        reading.line(line);
    }
    reading.end();
    reading.blocks
}

/// A note while it is read, line by line.
#[derive(Default)]
struct Reading {
    blocks: Vec<Block>,
    /// The paragraph at hand.
    paragraph: String,
    /// The list at hand.
    points: Vec<String>,
    /// The fence that ends the code at hand, and its lines.
    code: Option<(String, Vec<String>)>,
}

impl Reading {
    fn line(&mut self, line: &str) {
        let bare = line.trim();
        if let Some((fence, lines)) = &mut self.code {
            match bare == fence {
                true => self.end(),
                false => lines.push(line.to_owned()),
            }
            return;
        }
        let ticks = bare.chars().take_while(|c| *c == '`').count();
        if bare.is_empty() {
            self.end();
        } else if ticks >= 3 && !bare[ticks..].contains('`') {
            self.end();
            self.code = Some(("`".repeat(ticks), Vec::new()));
        } else if let Some(heading) = heading(bare) {
            self.end();
            self.blocks.push(Block::Text(Span::Strong(heading.to_owned()).into()));
        } else if let Some(point) = point(bare) {
            self.end_paragraph();
            self.points.push(point.to_owned());
        } else {
            // A line below a point goes on with it.
            let into = self.points.last_mut().unwrap_or(&mut self.paragraph);
            if !into.is_empty() {
                into.push(' ');
            }
            into.push_str(bare);
        }
    }

    fn end_paragraph(&mut self) {
        if !self.paragraph.is_empty() {
            let text = std::mem::take(&mut self.paragraph);
            self.blocks.push(Block::Text(sentence(&text)));
        }
    }

    fn end(&mut self) {
        self.end_paragraph();
        if !self.points.is_empty() {
            let points = std::mem::take(&mut self.points);
            self.blocks.push(Block::Points(points.iter().map(|point| sentence(point)).collect()));
        }
        if let Some((_, lines)) = self.code.take() {
            self.blocks.push(Block::Verbatim(lines));
        }
    }
}

/// The text of a heading, of whatever rank.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let is_one = (1..=6).contains(&(line.len() - text.len())) && text.starts_with(' ');
    is_one.then(|| text.trim().trim_end_matches('#').trim_end()).filter(|text| !text.is_empty())
}

/// The text of a point of a list; a number in front stays what it is.
fn point(line: &str) -> Option<&str> {
    let marked = ["- ", "* ", "+ "].into_iter().find_map(|mark| line.strip_prefix(mark));
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = (1..=9).contains(&digits) && line[digits..].starts_with(". ");
    marked.map(str::trim_start).or(numbered.then_some(line)).filter(|text| !text.is_empty())
}

/// A text with code between backticks and strong words between two stars.
fn sentence(text: &str) -> Sentence {
    let mut said = Sentence::default();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '_']) {
        let (before, from) = rest.split_at(at);
        let mark = ["**", "__", "`", "*", "_"].into_iter().find(|mark| from.starts_with(mark));
        let marked = mark.and_then(|mark| Some((mark, between(before, from, mark)?)));
        let Some((mark, inner)) = marked else {
            let next = at + 1;
            said = said.with(Span::Text(rest[..next].to_owned()));
            rest = &rest[next..];
            continue;
        };
        if !before.is_empty() {
            said = said.with(Span::Text(before.to_owned()));
        }
        said = said.with(match mark {
            "`" => Span::Name(inner.to_owned()),
            _ => Span::Strong(inner.to_owned()),
        });
        rest = &from[2 * mark.len() + inner.len()..];
    }
    if rest.is_empty() { said } else { said.with(Span::Text(rest.to_owned())) }
}

/// What stands between a mark and the next one like it, if the two are a pair: a `*` between two
/// numbers and the `_` of a name mark nothing.
fn between<'a>(before: &str, from: &'a str, mark: &str) -> Option<&'a str> {
    let behind = &from[mark.len()..];
    let end = behind.find(mark)?;
    let (inner, after) = (&behind[..end], &behind[end + mark.len()..]);
    if mark == "`" {
        return (!inner.is_empty()).then_some(inner);
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let stands_free = !is_word(before.chars().next_back()) && !is_word(after.chars().next());
    let holds = !inner.is_empty() && inner.trim() == inner && !inner.contains(['*', '`']);
    (stands_free && holds).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(markdown: &str) -> String {
        let span = |span: &Span| match span {
            Span::Strong(text) => format!("<{text}>"),
            Span::Name(text) => format!("[{text}]"),
            other => other.text().into_owned(),
        };
        let block = |block: &Block| match block {
            Block::Text(said) => said.render(span),
            Block::Points(all) => {
                let points: Vec<_> =
                    all.iter().map(|said| format!("- {}", said.render(span))).collect();
                points.join("\n")
            }
            Block::Verbatim(lines) => format!("|{}|", lines.join("/")),
            other => format!("{other:?}"),
        };
        blocks(markdown).iter().map(block).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_note_is_read_as_far_as_it_needs_to_be() {
        let note = "# Why\n\nGold from **500.00** on, as\nagreed in `FIN-123`.\n\n- who: *all* \
                    customers\n  of today\n- when: 2 * 3 * 4, a_b_c, 2**3\n1. first\n\n```sh\n\
                    a  <b>\n# no heading\n```\n<script>x</script>\n[link](https://e.example)\n\
                    #fives are none";
        insta::assert_snapshot!(told(note), @r"
        <Why>
        Gold from <500.00> on, as agreed in [FIN-123].
        - who: <all> customers of today
        - when: 2 * 3 * 4, a_b_c, 2**3
        - 1. first
        |a  <b>/# no heading|
        <script>x</script> [link](https://e.example) #fives are none
        ");
        assert_eq!(told("```\nnever ended"), "|never ended|");
        assert_eq!(told(" \n\r\n"), "");
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_nothing_panics(text in "[a-c*_`#\\- \n]{0,60}") {
            let letters = |text: &str| -> String {
                text.chars().filter(char::is_ascii_lowercase).collect()
            };
            // Letters behind the fence of a code name its language.
            if !text.contains("```") {
                prop_assert_eq!(letters(&told(&text)), letters(&text));
            }
        }
    }
}
