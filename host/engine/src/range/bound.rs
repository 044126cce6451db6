//! What people ask for: a time, positions, or where a group of consumers stands.

use super::RangeError;
use retally_core::log::{Micros, Position};
use retally_core::times::Moment;
use std::fmt;

/// What stands in front of the name of a group. A partition of a topic is a number.
const GROUP: &str = "@group:";

/// Where outputs begin, or end, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// Of each partition the first event with this time or a later one; under order "path" the
    /// first of the whole log.
    Time(Micros),
    /// Positions, one for each partition that has a bound; under order "path" one alone.
    At(Vec<Position>),
    /// Of each partition of a topic what a group of consumers has committed.
    Group(String),
    /// The positions that a manifest holds, and the words by which they were asked for there.
    Repeated(Vec<Position>, Option<String>),
}

impl Bound {
    /// Whether the log must be read to know where it lies.
    pub(crate) fn is_time(&self) -> bool {
        matches!(self, Self::Time(_))
    }

    /// Reads one word that is a time (RFC 3339 with its zone, or a date, which is its midnight in
    /// UTC) or a group (`@group:NAME`), or any number of `PARTITION:OFFSET`.
    ///
    /// # Errors
    /// What is neither.
    pub fn parse(words: &[impl AsRef<str>]) -> Result<Self, RangeError> {
        let is_time = |word: &&str| is_date(word) || is_moment(word);
        if let [word] = words
            && let Some(group) = word.as_ref().trim().strip_prefix(GROUP)
            && !group.is_empty()
        {
            return Ok(Self::Group(group.to_owned()));
        }
        let mut all = words.iter().map(|word| word.as_ref().trim());
        match all.clone().find(is_time) {
            Some(word) if words.len() == 1 => time(word).map(Self::Time),
            Some(word) => Err(RangeError::TimeAndMore(word.to_owned())),
            None => all
                .try_fold(Vec::new(), |mut all, word| {
                    all.push(position(word)?);
                    Ok(all)
                })
                .map(Self::At),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => Moment(*time).fmt(f),
            Self::Group(group) => write!(f, "{GROUP}{group}"),
            Self::Repeated(_, Some(words)) => f.write_str(words),
            Self::At(all) | Self::Repeated(all, None) => {
                let all: Vec<String> = all.iter().map(Position::to_string).collect();
                f.write_str(&all.join(", "))
            }
        }
    }
}

/// Whether a word looks like `2026-03-01`.
fn is_date(word: &str) -> bool {
    word.len() == 10 && begins_with_date(word)
}

/// Whether a word looks like `2026-03-01T10:15`, with whatever behind it.
fn is_moment(word: &str) -> bool {
    let Some(rest) = word.as_bytes().get(10..) else { return false };
    let is_clock = |rest: &[u8]| match rest {
        [b'T' | b't' | b' ', h1, h2, b':', m1, m2, ..] => {
            [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit())
        }
        _ => false,
    };
    begins_with_date(word) && is_clock(rest)
}

fn begins_with_date(word: &str) -> bool {
    let is_due = |(at, byte): (usize, &u8)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    word.len() >= 10 && word.as_bytes().iter().take(10).enumerate().all(is_due)
}

fn time(word: &str) -> Result<Micros, RangeError> {
    let midnight = if is_date(word) { "T00:00:00Z" } else { "" };
    let time = format!("{word}{midnight}").parse();
    time.map(|Moment(time)| time).map_err(|_| RangeError::NoTime(word.to_owned()))
}

fn position(word: &str) -> Result<Position, RangeError> {
    let parts = word.rsplit_once(':');
    let parts = parts.and_then(|(name, offset)| Some((name, offset.parse().ok()?)));
    match parts {
        Some((name, offset)) if !name.is_empty() => {
            Ok(Position { partition: name.to_owned(), offset })
        }
        _ => Err(RangeError::Neither(word.to_owned())),
    }
}
