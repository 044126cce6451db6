//! Commands that lead on are to be pasted: whatever a key or a path holds is one word of a shell.
//! A comparison holds them as lists of words; only here they become a line.

use crate::text::steers;
use retally_compare::model::{Comparison, FirstEvent};

/// A command as a line to be pasted.
#[must_use]
pub fn command(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// The command that explains a key, around an event if one is known.
#[must_use]
pub fn explain(c: &Comparison, key: &str, event: Option<&FirstEvent>) -> String {
    let mut words = c.explain.clone();
    if words.is_empty() {
        words = ["retally", "explain"].map(str::to_owned).into();
    }
    let place = event.map(|event| format!("{}:{}", event.partition, event.offset));
    let around = place.map(|place| shell_flag("--around", &place));
    // A key that looks like a flag stands where none is expected.
    let (before, behind) = match key.starts_with('-') {
        true => (around.into_iter().chain(["--".to_owned()]).collect(), None),
        false => (Vec::new(), around),
    };
    let parts = [command(&words)].into_iter().chain(before).chain([shell_word(key)]).chain(behind);
    parts.collect::<Vec<_>>().join(" ")
}

/// A text as one word of a shell. Control characters and those that turn the direction of reading
/// are written as escapes, so that the command is what it looks like.
#[must_use]
pub fn shell_word(word: &str) -> String {
    match word.starts_with('-') && quoted(word) == word {
        true => format!("'{word}'"),
        false => quoted(word),
    }
}

/// A word that may be a flag.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@,+=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.chars().any(steers) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut out = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            // Bytes, because what `\u` means depends on the locale.
            c if steers(c) => {
                let text = c.to_string();
                out.extend(text.bytes().map(|byte| format!("\\x{byte:02x}")));
            }
            c => out.push(c),
        }
    }
    out + "'"
}

/// A flag with its value, to be pasted into a shell.
#[must_use]
pub fn shell_flag(flag: &str, value: &str) -> String {
    // What looks like a flag itself must hang on to its own.
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("{flag}{between}{}", shell_word(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_they_need() {
        assert_eq!(shell_word("acct-000123"), "acct-000123");
        assert_eq!(shell_word("2:90117"), "2:90117");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("-x"), "'-x'");
        assert_eq!(shell_word("a b; rm -rf $HOME"), "'a b; rm -rf $HOME'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(
            command(&["a", "--b", "c d", "--e=-f"].map(str::to_owned)),
            "a --b 'c d' --e=-f"
        );
        assert_eq!(shell_word("a\nb'\u{202e}"), r"$'a\x0ab\'\xe2\x80\xae'");
    }

    #[test]
    fn a_value_that_looks_like_a_flag_stays_a_value() {
        assert_eq!(shell_flag("--keys", "a b"), "--keys 'a b'");
        assert_eq!(shell_flag("--keys", "-x"), "--keys='-x'");
    }
}
