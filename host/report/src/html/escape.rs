//! What came from elsewhere, in a page: text and nothing but text. No tag, no attribute and no
//! direction of reading leaves the place where it stands.

use super::svg::meter;
use crate::number::{is_zero, percent};
use crate::outline::{Class, Difference, Sentence, Span};
use crate::text::{cut, harmless};
use std::fmt::Write as _;

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
fn value(value: &str) -> String {
    match value.is_empty() {
        true => none("empty"),
        false => format!("<bdi>{}</bdi>", text(&cut(value, VALUE_CHARS))),
    }
}

fn none(what: &str) -> String {
    format!("<i class=\"none\">{}</i>", text(what))
}

pub(super) fn sentence(said: &Sentence) -> String {
    said.render(span)
}

/// The same without marks, for a place that can hold text alone.
pub(super) fn bare(said: &Sentence) -> String {
    said.render(|span| minus(&span.text()))
}

/// The same as a line of its own, beginning with a capital letter if it begins with a word of ours.
pub(super) fn line(said: &Sentence) -> String {
    let mut said = said.clone();
    if let Some(Span::Text(text)) = said.0.first_mut()
        && let Some(first) = text.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    sentence(&said)
}

fn span(of: &Span) -> String {
    match of {
        Span::Text(ours) => text(ours),
        Span::Aside(ours) => format!("<span class=\"muted\">{}</span>", minus(ours)),
        Span::Strong(theirs) => format!("<b>{}</b>", text(theirs)),
        Span::Number(number) => format!("<b class=\"num\">{}</b>", minus(number)),
        Span::Amount(number) if is_zero(number) => format!("<span class=\"zero\">{number}</span>"),
        Span::Amount(number) => minus(number),
        Span::Name(theirs) | Span::Quoted(theirs) => format!("<code>{}</code>", value(theirs)),
        Span::Value(theirs) => value(theirs),
        Span::Missing(what) => none(what),
        Span::Difference(Difference { way, shown }) | Span::Result(Difference { way, shown }) => {
            format!("<span class=\"{}\">{}</span>", class(*way), minus(shown))
        }
        Span::Share(part, whole, of) => {
            format!("{}{}", meter(*part, *whole, *of), percent(*part, *whole))
        }
        Span::Digest(hash) => format!("<code class=\"hash\">{hash}</code>"),
        Span::Pair(field, of, is_changed) => {
            let class = if *is_changed { "pair changed" } else { "pair" };
            let of = of.as_deref().map_or_else(|| none("none"), value);
            let name = format!("<span class=\"muted\">{}</span>", text(field));
            format!("<span class=\"{class}\">{name} {of}</span>")
        }
        Span::Badge(of, word) => format!("<span class=\"badge {}\">{word}</span>", class(*of)),
        Span::Break => "<br>".to_owned(),
    }
}

pub(super) fn class(of: Class) -> &'static str {
    match of {
        Class::Different => "different",
        Class::Equal => "equal",
        Class::OnlyA => "only-a",
        Class::OnlyB => "only-b",
        Class::Up => "up",
        Class::Down => "down",
        Class::Zero => "zero",
    }
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
        let said = line(&Sentence(vec![Span::Text("of ".into()), Span::Name("a<b".into())]));
        assert_eq!(said, "Of <code><bdi>a&#60;b</bdi></code>");
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
