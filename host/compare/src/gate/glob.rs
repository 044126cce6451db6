//! Patterns. In one for keys `*` stands for any text, `?` for one character, `\` takes the next
//! character as it is; in those of whoever else reads them, what they make of their text.

use std::fmt;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Vec<Part>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Any text.
    Any,
    /// Any character.
    One,
    /// This character.
    This(char),
    /// A character of these ranges, or with `not` of none of them.
    Set {
        /// Whether it is of none.
        not: bool,
        /// From which to which, both included.
        ranges: Vec<(char, char)>,
    },
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::This(own) => *own == c,
            Self::Set { not, ranges } => ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *not,
        }
    }
}

/// Whether a text is as the parts say. Linear in practice and never worse than parts times text:
/// each [`Part::Any`] is retried from one character further on, and only the last ever is.
pub fn fits(parts: &[Part], text: &[char]) -> bool {
    let (mut part, mut at, mut retry) = (0, 0, None);
    loop {
        match parts.get(part) {
            Some(Part::Any) => {
                part += 1;
                retry = Some((part, at));
                continue;
            }
            Some(one) if text.get(at).is_some_and(|c| one.takes(*c)) => {
                (part, at) = (part + 1, at + 1);
                continue;
            }
            None if at == text.len() => return true,
            _ => {}
        }
        match retry {
            Some((behind, from)) if from < text.len() => {
                (part, at) = (behind, from + 1);
                retry = Some((behind, from + 1));
            }
            _ => return false,
        }
    }
}

impl Glob {
    /// Reads a pattern; every text is one.
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let part = match c {
                '*' => Part::Any,
                '?' => Part::One,
                // A backslash at the end is one.
                '\\' => Part::This(chars.next().unwrap_or('\\')),
                c => Part::This(c),
            };
            if part != Part::Any || parts.last() != Some(&Part::Any) {
                parts.push(part);
            }
        }
        Self { text: text.to_owned(), parts }
    }

    /// Whether a key is meant. Keys are UTF-8; one that is not has U+FFFD in the wrong places.
    pub fn matches(&self, key: &[u8]) -> bool {
        if self.parts == [Part::Any] {
            return true;
        }
        fits(&self.parts, &String::from_utf8_lossy(key).chars().collect::<Vec<char>>())
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_pattern_means() {
        for (pattern, key, meant) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("acct-*", "acct-", true),
            ("acct-*", "acct", false),
            ("*-1?", "eu-1-12", true),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyyb", false),
            ("?", "ü", true),
            ("??", "ü", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[a]", "[a]", true),
            ("a\\", "a\\", true),
            ("**a**", "bab", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(key.as_bytes()), meant, "{pattern} {key}");
        }
    }

    /// The meaning, spelt out.
    fn plainly(parts: &[Part], key: &[char]) -> bool {
        match (parts, key) {
            ([], key) => key.is_empty(),
            ([Part::Any, rest @ ..], key) => {
                (0..=key.len()).any(|skipped| plainly(rest, &key[skipped..]))
            }
            ([Part::One, rest @ ..], [_, key @ ..]) => plainly(rest, key),
            ([Part::This(c), rest @ ..], [first, key @ ..]) => c == first && plainly(rest, key),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_it_plainly_means(pattern in "[ab*?]{0,7}", key in "[ab]{0,9}") {
            let glob = Glob::new(&pattern);
            let chars: Vec<char> = key.chars().collect();
            prop_assert_eq!(glob.matches(key.as_bytes()), plainly(&glob.parts, &chars));
        }

        #[test]
        fn a_text_with_its_signs_escaped_means_itself(text in ".{0,12}", other in ".{0,12}") {
            let escaped: String = text
                .chars()
                .flat_map(|c| "*?\\".contains(c).then_some('\\').into_iter().chain([c]))
                .collect();
            let glob = Glob::new(&escaped);
            prop_assert!(glob.matches(text.as_bytes()));
            prop_assert_eq!(glob.matches(other.as_bytes()), text == other);
        }
    }
}
