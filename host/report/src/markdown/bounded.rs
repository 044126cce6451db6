//! Text with a bound: lines go in while there is room, and what did not fit is counted and said.
//! A section can so never be longer than it may, whatever it holds.

use crate::number::grouped;

/// Room that is kept to say how much is left out.
const RESERVE_CHARS: usize = 80;

/// A section while it is written.
#[derive(Debug)]
pub(super) struct Bounded {
    text: String,
    left: usize,
    is_full: bool,
}

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

impl Bounded {
    /// A section of at most so many characters.
    pub(super) fn new(max_chars: usize) -> Self {
        Self { text: String::new(), left: max_chars.saturating_sub(RESERVE_CHARS), is_full: false }
    }

    /// Appends a line, if there is room. Once there was none, nothing goes in any more.
    pub(super) fn line(&mut self, line: &str) -> bool {
        let chars = line.chars().count() + 1;
        self.is_full |= chars > self.left;
        if !self.is_full {
            self.left -= chars;
            self.text.push_str(line);
            self.text.push('\n');
        }
        !self.is_full
    }

    /// A table of at most `max` rows, and a line that says how many are left out of `all`.
    pub(super) fn table(
        &mut self,
        head: &[(&str, Align)],
        rows: impl Iterator<Item = Vec<String>>,
        (max, all): (usize, u64),
        what: &str,
    ) {
        let names: Vec<&str> = head.iter().map(|(name, _)| *name).collect();
        let aligns = head.iter().map(|(_, align)| match align {
            Align::Left => "---",
            Align::Right => "---:",
        });
        let aligns: Vec<&str> = aligns.collect();
        let begin = format!("| {} |\n| {} |", names.join(" | "), aligns.join(" | "));
        if !self.line(&begin) {
            return;
        }
        let mut shown = 0;
        for row in rows.take(max) {
            if !self.line(&format!("| {} |", row.join(" | "))) {
                break;
            }
            shown += 1;
        }
        self.more(all.saturating_sub(shown), what);
    }

    /// Says how many are left out, if any are: room for that is kept.
    pub(super) fn more(&mut self, count: u64, what: &str) {
        if count > 0 {
            let line = format!("\n… and {} more {what}\n", grouped(count));
            let chars = line.chars().count();
            debug_assert!(chars <= RESERVE_CHARS);
            self.text.push_str(&line);
            // What follows must still leave room for its own such line.
            self.is_full |= self.left < chars;
            self.left = self.left.saturating_sub(chars);
        }
    }

    /// The section.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_ends_where_there_is_no_more_room() {
        let mut bounded = Bounded::new(200);
        let rows = (0..1000).map(|n| vec![n.to_string(), "x".repeat(10)]);
        bounded.table(&[("n", Align::Right), ("x", Align::Left)], rows, (50, 1000), "rows");
        let text = bounded.finish();
        assert!(text.chars().count() <= 200, "{text}");
        assert!(text.ends_with("| 4 | xxxxxxxxxx |\n\n… and 995 more rows\n"), "{text}");
    }
}
