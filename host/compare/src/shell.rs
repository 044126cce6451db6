//! Commands that lead on are to be pasted: whatever a key or a path holds is one word of a shell.

/// A text as one word of a shell. Control characters and those that turn the direction of reading
/// are written as escapes, so that the command is what it looks like.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@,+=".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
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

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
        assert_eq!(shell_word("a\nb'\u{202e}"), r"$'a\x0ab\'\xe2\x80\xae'");
    }

    #[test]
    fn a_value_that_looks_like_a_flag_stays_a_value() {
        assert_eq!(shell_flag("--keys", "a b"), "--keys 'a b'");
        assert_eq!(shell_flag("--keys", "-x"), "--keys='-x'");
    }
}
