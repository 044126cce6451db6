//! Text with a bound: lines go in while there is room, and what did not fit is counted and said.
//! A section can so never be longer than it may, whatever it holds.

use crate::number::grouped;

/// Room that is kept to say how much is left out.
const RESERVE_CHARS: usize = 80;

/// A section while it is written.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) text: String,
    left: usize,
    is_full: bool,
}

impl Bounded {
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

    /// Lines as far as there is room, and how many are left out: `beyond` in any case.
    pub(super) fn lines(
        &mut self,
        lines: impl ExactSizeIterator<Item = String>,
        beyond: u64,
        what: &str,
    ) {
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
