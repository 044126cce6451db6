//! What came from elsewhere, in Markdown: it stands as the reader's text, and does nothing. It ends
//! no cell and no code, opens no tag, makes no link, and calls nobody by `@name`.

use crate::outline::{Class, Sentence, Span};
use crate::text::{cut, harmless};

const VALUE_CHARS: usize = 120;

pub(super) fn code(text: &str) -> String {
    let shown = cut(text, VALUE_CHARS);
    let shown = harmless(&shown);
    if shown.is_empty() {
        return "_empty_".to_owned();
    }
    // Between backticks nothing is read as Markdown but what ends the code or the cell, and nothing
    // is somebody's name or an address. What looks like a tag or an entity is left to no reader.
    let ends = |c: char| "`|\\<>&".contains(c);
    let links = shown.contains("://") || shown.contains("www.");
    if !shown.contains(ends) && shown.trim() == shown && !links {
        return format!("`{shown}`");
    }
    // Within a tag everything but letters and digits can be written as a number, which is never
    // read as Markdown; between backticks nothing can.
    format!("<code>{}</code>", numbers(&shown))
}

fn numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        match c {
            ' ' => out.push(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
                out += &format!("&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

pub(super) fn sentence(said: &Sentence) -> String {
    said.render(|span| match span {
        Span::Number(text) | Span::Strong(text) => format!("**{}**", plain(text)),
        Span::Result(of) if of.way != Class::Zero => format!("**{}**", plain(&of.shown)),
        Span::Name(_) | Span::Quoted(_) | Span::Value(_) | Span::Digest(_) => code(&span.text()),
        Span::Missing(what) => format!("_{}_", plain(what)),
        Span::Break => "<br>".to_owned(),
        _ => plain(&span.text()),
    })
}

pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        match c {
            // A label such as name@version would call somebody; the rest is Markdown's or HTML's.
            '@' | '<' | '>' | '&' | '|' | '*' | '_' | '~' | '[' | ']' | '\\' | '`' | '#' | '!' => {
                out += &format!("&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// Lines in a fence that they cannot end.
pub(super) fn fence(language: &str, lines: &[String]) -> String {
    let shown: Vec<_> = lines.iter().map(|line| harmless(line).into_owned()).collect();
    let longest = shown.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max();
    let ticks = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    format!("{ticks}{language}\n{}\n{ticks}\n", shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_do_nothing() {
        let told: Vec<String> = [
            "acct-000123",
            "",
            "a|b",
            "`x` ``",
            "<script>alert(1)</script>",
            "@everyone",
            "https://evil.example/x",
            "a\\|b",
            "tab\there\nline",
            "\u{202e}txt",
            " lead",
            "tier:acct-* (gold; FIN-1)",
        ]
        .iter()
        .map(|text| code(text))
        .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        `acct-000123`
        _empty_
        <code>a&#124;b</code>
        <code>&#96;x&#96; &#96;&#96;</code>
        <code>&#60;script&#62;alert&#40;1&#41;&#60;&#47;script&#62;</code>
        `@everyone`
        <code>https&#58;&#47;&#47;evil&#46;example&#47;x</code>
        <code>a&#92;&#124;b</code>
        <code>tab&#92;there&#92;nline</code>
        <code>&#92;u&#123;202e&#125;txt</code>
        <code> lead</code>
        `tier:acct-* (gold; FIN-1)`
        ");
    }

    #[test]
    fn names_in_sentences_are_code() {
        let text = |of: &str| Span::Text(of.to_owned());
        let said = Sentence(vec![Span::Name("net".into()), text(" is in a@1, half `a")]);
        assert_eq!(sentence(&said), "`net` is in a&#64;1, half &#96;a");
    }

    #[test]
    fn a_command_cannot_end_its_fence() {
        assert_eq!(fence("sh", &["echo ```` x".into()]), "`````sh\necho ```` x\n`````\n");
    }

    proptest! {
        #[test]
        fn no_text_ends_a_cell_or_opens_a_tag(text: String) {
            for shown in [code(&text), plain(&text)] {
                prop_assert!(!shown.contains(['|', '\n', '\r']), "{shown}");
                // Within backticks nobody is called.
                let called = shown.split('`').step_by(2).any(|part| part.contains('@'));
                prop_assert!(!called, "{shown}");
                let rest = shown.replace("<code>", "").replace("</code>", "");
                prop_assert!(!rest.contains(['<', '>']), "{shown}");
                prop_assert!(shown.matches('`').count().is_multiple_of(2), "{shown}");
            }
        }
    }
}
