//! Which lines of text can hold an event of a key, told from their bytes alone: so that the others
//! are passed by at the speed of reading.
//!
//! It is exact: a key stands in its line as it is, be it a string or a number, unless the line
//! writes some of it with an escape, and then it has a backslash. So a line with neither the key's
//! text nor a backslash cannot be of the key. What is left is decoded.

use memchr::memchr_iter;
use memchr::memmem::Finder;
use retally_core::decode::{Address, Addressing, Lines, is_outside};
use retally_core::schema::Description;

#[derive(Debug)]
pub(super) enum Needle {
    /// Lines with one of these texts, or a backslash.
    Texts(Vec<Finder<'static>>),
    /// No line can be ruled out: the key is not taken from the line's text.
    None,
}

impl Needle {
    pub(super) fn new(addressing: &Addressing, readers: &[&Description], key: &str) -> Self {
        let inputs = || readers.iter().flat_map(|reader| &reader.inputs);
        let is_beside = |address: &Address| match address {
            Address::Position => true,
            Address::Path(path) => is_outside(path),
        };
        let own = |path: &String| is_outside(path);
        if addressing.key.iter().any(is_beside) || inputs().any(|i| i.key.iter().any(own)) {
            return Self::None;
        }
        let parts = inputs()
            .map(|input| if input.key.is_empty() { addressing.key.len() } else { input.key.len() });
        let parts: Vec<usize> = parts.collect();
        let mut texts = Vec::new();
        if parts.contains(&1) {
            texts.push(key.to_owned());
        }
        // A composite key is the JSON array of its parts.
        if parts.iter().any(|&parts| parts > 1)
            && let Ok(parts) = serde_json::from_str::<Vec<String>>(key)
        {
            texts.extend(parts.into_iter().max_by_key(String::len));
        }
        let finder = |text: String| Finder::new(text.as_bytes()).into_owned();
        Self::Texts(texts.into_iter().map(finder).collect())
    }

    /// Rows of lines that may be of the key, ascending; none: all.
    pub(super) fn rows(&self, lines: &Lines) -> Option<Vec<u32>> {
        let Self::Texts(finders) = self else { return None };
        let mut rows = Vec::new();
        let row_of = |at: usize| lines.ends.partition_point(|&end| end as usize <= at) as u32;
        for finder in finders {
            let mut from = 0;
            // One hit in a line is enough: the next is looked for behind it.
            while let Some(at) = lines.bytes.get(from..).and_then(|rest| finder.find(rest)) {
                let row = row_of(from + at);
                if row as usize >= lines.ends.len() {
                    break;
                }
                rows.push(row);
                from = lines.ends[row as usize] as usize;
            }
        }
        let mut last = None;
        for at in memchr_iter(b'\\', &lines.bytes) {
            if last.is_none_or(|end: usize| at >= end) {
                let row = row_of(at);
                rows.push(row);
                last = lines.ends.get(row as usize).map(|&end| end as usize);
            }
        }
        rows.sort_unstable();
        rows.dedup();
        Some(rows)
    }

    /// Whether a line holds the text itself.
    pub(super) fn holds(&self, line: &[u8]) -> bool {
        match self {
            Self::Texts(finders) => finders.iter().any(|finder| finder.find(line).is_some()),
            Self::None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Lines {
        let mut lines = Lines::default();
        for text in texts {
            lines.bytes.extend_from_slice(text.as_bytes());
            lines.bytes.push(b'\n');
            lines.ends.push(lines.bytes.len() as u32);
        }
        lines
    }

    #[test]
    fn lines_without_the_text_or_a_backslash_are_ruled_out() {
        let needle = Needle::Texts(vec![Finder::new(b"k-1").into_owned()]);
        let lines = lines(&["k-2", "k-1 k-1", "", r"k\u002d2", "xk-10", "k-", "1"]);
        assert_eq!(needle.rows(&lines), Some(vec![1, 3, 4]));
    }

    #[test]
    fn a_text_over_the_end_of_a_line_is_no_harm() {
        let needle = Needle::Texts(vec![Finder::new(b"a\nb").into_owned()]);
        assert_eq!(needle.rows(&lines(&["a", "b", "c"])), Some(vec![0]));
    }

    #[test]
    fn the_empty_key_is_looked_for_everywhere() {
        let needle = Needle::Texts(vec![Finder::new(b"").into_owned()]);
        assert_eq!(needle.rows(&lines(&["a", "", "b"])), Some(vec![0, 1, 2]));
    }
}
