//! What came from elsewhere, in a page: text and nothing but text. No tag, no attribute and no
//! direction of reading leaves the place where it stands.

use crate::sentence::{Part, Sentence};
use crate::text::{cut, harmless, ticks};
use std::fmt::Write as _;

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 200;

/// Text for an element or a quoted attribute.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in harmless(text).chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' | '`' => _ = write!(out, "&#{};", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}

/// A value that stands by itself, in its own direction of reading.
pub(super) fn value(value: &str) -> String {
    match value.is_empty() {
        true => "<i class=\"none\">empty</i>".to_owned(),
        false => format!("<bdi>{}</bdi>", text(&cut(value, VALUE_CHARS))),
    }
}

/// A value, or that there is none.
pub(super) fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "<i class=\"none\">none</i>".to_owned(), value)
}

/// A name or a value within a sentence.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", value(text))
}

/// A sentence of ours in which names of others stand between backticks.
pub(super) fn prose(of: &str) -> String {
    ticks(of).map(|(is_name, part)| if is_name { code(part) } else { text(part) }).collect()
}

/// The same as a line of its own, beginning with a capital letter if it begins with a word of ours.
pub(super) fn line(of: &str) -> String {
    let mut chars = of.chars();
    match chars.next() {
        Some(first) => prose(&format!("{}{}", first.to_ascii_uppercase(), chars.as_str())),
        None => String::new(),
    }
}

/// A sentence.
pub(super) fn sentence(said: &Sentence) -> String {
    said.render(|part| match part {
        Part::Text(ours) => text(ours),
        Part::Number(number) => format!("<b class=\"num\">{}</b>", minus(number)),
        Part::Value(theirs) => code(theirs),
    })
}

/// A number with a minus that is as wide as a plus.
pub(super) fn minus(number: &str) -> String {
    let shown = text(number);
    match shown.strip_prefix('-') {
        Some(digits) => format!("\u{2212}{digits}"),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_leaves_its_place() {
        assert_eq!(
            value("</script><img src=x onerror='alert(1)'>\u{202e}\0"),
            "<bdi>&#60;/script&#62;&#60;img src=x onerror=&#39;alert(1)&#39;&#62;\
             \\u{202e}\\u{0}</bdi>"
        );
        assert_eq!(prose("`a<b` is"), "<code><bdi>a&#60;b</bdi></code> is");
        assert_eq!(minus("-1.00"), "\u{2212}1.00");
    }

    proptest! {
        #[test]
        fn no_text_holds_a_character_of_the_language(of: String) {
            let shown = text(&of);
            prop_assert!(!shown.contains(['<', '>', '"', '\'', '`']));
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
