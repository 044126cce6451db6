//! Patterns of paths: `*`, `?`, `[a-z]`, `[!a]` within one name, `**` for any number of folders.
//!
//! Written here because listing needs two questions that matchers for whole paths do not answer:
//! does this path match, and can anything below this folder match. It is not a shell: no braces, no
//! tilde.

use retally_compare::gate::{Part, fits};

/// A pattern, name by name.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    names: Vec<Name>,
    /// Text behind the last wildcard: `.log` in `*.log`.
    tail: String,
}

#[derive(Debug, Clone)]
enum Name {
    AnyFolders,
    One(Vec<Part>),
}

/// Where the first wildcard of `text` stands.
pub(super) fn first_wildcard(text: &str) -> Option<usize> {
    text.find(['*', '?', '['])
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        for name in text.split('/') {
            names.push(match name {
                "" => return Err("two slashes in a row, or one at the end of a pattern".into()),
                "." | ".." => return Err(format!("`{name}` behind a wildcard")),
                "**" => Name::AnyFolders,
                name => Name::One(tokens(name)?),
            });
        }
        let last = text.rsplit('/').next().unwrap_or(text);
        let tail = last.rsplit(['*', '?', ']']).next().unwrap_or("").to_owned();
        Ok(Self { names, tail })
    }

    /// Whether the person named a suffix (`*.log`), so that unusual ones are meant.
    pub(super) fn names_a_suffix(&self) -> bool {
        self.tail.contains('.')
    }

    /// Whether `path` matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        walk(&self.names, &path, false)
    }

    /// Whether a path below `folder` (empty: the root) could match.
    pub(super) fn reaches_below(&self, folder: &str) -> bool {
        let path: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
        walk(&self.names, &path, true)
    }
}

/// Matches names against a path; with `below`, whether the path can be continued to a match.
fn walk(names: &[Name], path: &[&str], below: bool) -> bool {
    match (names, path) {
        ([], []) => !below,
        ([], _) => false,
        (_, []) if below => true,
        ([Name::AnyFolders], _) => !path.is_empty(),
        ([Name::AnyFolders, rest @ ..], _) => {
            (0..=path.len()).any(|taken| walk(rest, &path[taken..], below))
        }
        ([Name::One(_), ..], []) => false,
        ([Name::One(tokens), rest @ ..], [first, others @ ..]) => {
            let chars: Vec<char> = first.chars().collect();
            fits(tokens, &chars) && walk(rest, others, below)
        }
    }
}

fn tokens(name: &str) -> Result<Vec<Part>, String> {
    if name.contains("**") {
        return Err(format!("`**` must stand alone between slashes, not as in `{name}`"));
    }
    let chars: Vec<char> = name.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let (token, next) = match chars[at] {
            '*' => (Part::Any, at + 1),
            '?' => (Part::One, at + 1),
            '[' => set(&chars, at + 1).ok_or_else(|| format!("`[` without `]` in `{name}`"))?,
            c => (Part::This(c), at + 1),
        };
        tokens.push(token);
        at = next;
    }
    Ok(tokens)
}

/// The set that begins behind `[`, and where the pattern goes on. A `]` in front stands for itself.
fn set(chars: &[char], start: usize) -> Option<(Part, usize)> {
    let not = chars.get(start) == Some(&'!');
    let first = start + usize::from(not);
    let end = (first + 1..chars.len()).find(|at| chars[*at] == ']')?;
    let (mut ranges, mut at) = (Vec::new(), first);
    while at < end {
        if at + 2 < end && chars[at + 1] == '-' {
            ranges.push((chars[at], chars[at + 2]));
            at += 3;
        } else {
            ranges.push((chars[at], chars[at]));
            at += 1;
        }
    }
    Some((Part::Set { not, ranges }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(path)
    }

    #[test]
    fn patterns_match_like_a_shells() {
        for (pattern, path, expected) in [
            ("*.jsonl", "a.jsonl", true),
            ("*.jsonl", "x/a.jsonl", false),
            ("*.jsonl", ".jsonl", true),
            ("a*b*c", "a__b_bc", true),
            ("a*b*c", "a__b_b", false),
            ("?.json", "é.json", true),
            ("?.json", ".json", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[]]x", "]x", true),
            ("**", "a", true),
            ("**", "a/b", true),
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("**/x", "a/b/y", false),
            ("a/**/x", "a/x", true),
            ("a/**/x", "a/b/c/x", true),
            ("a/**/x", "b/x", false),
            ("**/b/**/*.gz", "a/b/c/d.gz", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn folders_that_no_match_can_lie_in_are_told() {
        for (pattern, folder, expected) in [
            ("*.jsonl", "", true),
            ("*.jsonl", "a", false),
            ("2024-*/x", "2024-01", true),
            ("2024-*/x", "2023-01", false),
            ("2024-*/x", "2024-01/y", false),
            ("**/x", "a/b/c", true),
            ("a/**/x", "b", false),
            ("a/**/x", "a/b", true),
        ] {
            let pattern_ = Pattern::parse(pattern).unwrap();
            assert_eq!(pattern_.reaches_below(folder), expected, "{pattern} below {folder}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        for (pattern, message) in [
            ("a//b*", "two slashes in a row, or one at the end of a pattern"),
            ("*/../x", "`..` behind a wildcard"),
            ("a**", "`**` must stand alone between slashes, not as in `a**`"),
            ("[ab", "`[` without `]` in `[ab`"),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap_err(), message);
        }
    }

    #[test]
    fn a_suffix_is_named_behind_the_last_wildcard() {
        for (pattern, expected) in [("*", false), ("**", false), ("*.log", true), ("a.b/*", false)]
        {
            assert_eq!(Pattern::parse(pattern).unwrap().names_a_suffix(), expected, "{pattern}");
        }
    }
}
