//! Text that may come from anybody, made fit to be shown: nothing in it may steer what shows it.

use std::borrow::Cow;

/// The text with control characters (but for line ends) made visible.
#[must_use]
pub fn harmless_lines(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match line.strip_suffix('\n') {
            Some(line) => format!("{}\n", harmless(line)),
            None => harmless(line).into_owned(),
        })
        .collect()
}

/// One line's text with control characters made visible; bidirectional overrides count as such.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Whether a character does something to what shows it, but for being seen.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A key in a line of text: an empty one is quoted, so that it can be seen.
#[must_use]
pub fn visible(key: &str) -> &str {
    if key.is_empty() { "''" } else { key }
}

/// The beginning of a text that is longer than `max_chars`, with `…` behind it.
#[must_use]
pub fn cut(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        None => Cow::Borrowed(text),
        Some((at, _)) => Cow::Owned(format!("{}…", &text[..at])),
    }
}

/// How wide columns are whose cells stand below one another. A cell of more than `max` characters
/// makes its row longer, not its column wider.
#[must_use]
pub fn widths<R: AsRef<[String]>>(rows: &[R], max: usize) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows.iter().map(AsRef::as_ref) {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            let chars = cell.chars().count();
            *width = if chars > max { *width } else { chars.max(*width) };
        }
    }
    widths
}

/// A row whose cells stand in columns of these widths, two spaces apart, numbers to the right.
#[must_use]
pub fn aligned(cells: &[String], widths: &[usize], is_number: impl Fn(usize) -> bool) -> String {
    let cell = |(column, (cell, width)): (usize, (&String, &usize))| match is_number(column) {
        true => format!("{cell:>width$}"),
        false => format!("{cell:<width$}"),
    };
    let all: Vec<String> = cells.iter().zip(widths).enumerate().map(cell).collect();
    all.join("  ").trim_end().to_owned()
}

/// The text in lines of at most `width` characters, broken where `gap` (spaces) stands; those
/// behind the first begin with `indent` spaces. What is longer without a gap stands as it is.
#[must_use]
pub(crate) fn wrapped(text: &str, gap: &str, width: usize, indent: usize) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut at, mut begins) = (0, true);
    let mut words = text.split_inclusive(gap).peekable();
    while let Some(word) = words.next() {
        let chars = word.trim_end_matches(' ').chars().count();
        // A number is not torn from its unit.
        let unit = words.peek().filter(|next| next.starts_with('%'));
        let with_unit = unit.map_or(0, |next| 1 + next.trim_end_matches(' ').chars().count());
        let is_unit = word.starts_with('%');
        if !begins && chars > 0 && !is_unit && at + chars + with_unit > width {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            at = indent;
        }
        // What stands behind an indentation is never torn from it.
        begins &= chars == 0;
        out.push_str(word);
        at += word.chars().count();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steering_characters_become_visible() {
        assert_eq!(harmless("a\tb\u{202e}"), "a\\tb\\u{202e}");
        assert_eq!(harmless("grün"), "grün");
        assert_eq!(harmless_lines("a\u{7}\nb\n"), "a\\u{7}\nb\n");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("grün", 4), "grün");
        assert_eq!(cut("grünes", 3), "grü…");
    }

    #[test]
    fn cells_stand_below_one_another_but_for_long_ones() {
        let rows = [["key", "net"], ["grün", "-1.00"], ["overlong-key", ""]];
        let rows = rows.map(|row| row.map(str::to_owned));
        let widths = widths(&rows, 8);
        assert_eq!(widths, [4, 5]);
        let told = rows.map(|row| aligned(&row, &widths, |column| column == 1));
        assert_eq!(told, ["key     net", "grün  -1.00", "overlong-key"]);
    }

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrapped("  one two three", " ", 9, 4), "  one two\n    three");
        assert_eq!(wrapped("a  bcd  ef", " ", 6, 2), "a  bcd\n  ef");
        assert_eq!(wrapped("  overlong-word x", " ", 5, 2), "  overlong-word\n  x");
        assert_eq!(wrapped("    a  net 1  tier x", "  ", 14, 6), "    a  net 1\n      tier x");
        assert_eq!(wrapped("of 8 keys (100 %).", " ", 15, 2), "of 8 keys\n  (100 %).");
        assert_eq!(wrapped("", " ", 5, 2), "");
    }
}
