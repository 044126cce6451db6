//! How a log's folders and files are named, where names say more than which is which: a topic's
//! partitions and offsets, dates, and values that stand in the path alone.
//!
//! ```text
//! year={}/month={}/{topic}+{partition}+{offset}
//! |       |        |    the file's name without its suffixes: the last part, if {offset} is in it
//! folders, one right below the other, wherever they lie
//! ```
//!
//! Which objects there are is not asked here, nor what is in them.

use retally_core::log::Micros;
use retally_core::schema::{Kind, Value, days_from_civil, display};
use std::ops::Range;

/// What `connect` is short for.
const CONNECT: &str = "{topic}+{partition}+{offset}";

/// What stands for no value in a folder's name, as Hive writes it.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

const HOUR_MICROS: Micros = 3_600_000_000;
const DAY_MICROS: Micros = 24 * HOUR_MICROS;

/// How folders and files are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    written: String,
    folders: Vec<Tokens>,
    file: Option<Tokens>,
}

type Tokens = Vec<Token>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    Slot(Slot),
}

/// A place in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    name: String,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Topic,
    Partition,
    Offset,
    Date,
    Year,
    Month,
    Day,
    Hour,
    /// Anything.
    Value,
}

/// What the path of an object says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fit {
    /// Where files are those of a topic: partition, and offset of the first record.
    pub(super) place: Option<(u32, u64)>,
    /// The topic, if the name says it.
    pub(super) topic: Option<String>,
    /// What stands behind the file's name; empty where it is no part of the layout.
    pub(super) suffix: String,
    /// The span of time of its folders.
    pub(super) time: Option<Range<Micros>>,
    /// What stands in each place in braces.
    values: Vec<(String, String)>,
    /// The names of those that say the time.
    times: Vec<String>,
}

impl Layout {
    /// Reads a layout; the error says what is wrong with it.
    ///
    /// # Errors
    /// A layout that says nothing or could not be told apart.
    pub fn parse(text: &str) -> Result<Self, String> {
        let spelt = if text == "connect" { CONNECT } else { text };
        let spelt = spelt.strip_suffix('/').unwrap_or(spelt);
        let parts: Result<Vec<Tokens>, String> = spelt.split('/').map(tokens).collect();
        let mut folders = parts?;
        let has_offset = |part: &Tokens| slots(part).any(|slot| slot.what == What::Offset);
        let is_file = folders.last().is_some_and(has_offset);
        let file = if is_file { folders.pop() } else { None };
        if folders.iter().any(has_offset) {
            return Err("{offset} belongs into the name of the file, which is the last part".into());
        }
        let layout = Self { written: text.to_owned(), folders, file };
        layout.makes_sense()?;
        Ok(layout)
    }

    /// As it was written.
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// Whether several files make one partition.
    pub(crate) fn joins(&self) -> bool {
        self.file.is_some()
    }

    fn makes_sense(&self) -> Result<(), String> {
        let all: Vec<&Slot> = self.folders.iter().chain(&self.file).flat_map(slots).collect();
        let has = |what: What| all.iter().any(|slot| slot.what == what);
        let twice = |slot: &&&Slot| all.iter().filter(|other| other.name == slot.name).count() > 1;
        if all.is_empty() {
            return Err("it has no place in braces, such as dt={date}; \"connect\" is one".into());
        }
        if let Some(slot) = all.iter().find(twice) {
            return Err(format!("{{{}}} stands in it twice", slot.name));
        }
        if has(What::Partition) != has(What::Offset) {
            return Err("{partition} and {offset} go together".into());
        }
        let is_day = has(What::Date) || has(What::Day);
        for (what, name, needs, whose) in [
            (What::Month, "month", has(What::Year), "{year}"),
            (What::Day, "day", has(What::Year) && has(What::Month), "{year} and {month}"),
            (What::Hour, "hour", is_day, "{date}, or {year}, {month} and {day}"),
        ] {
            if has(what) && !needs {
                return Err(format!("{{{name}}} is a time only beside {whose}"));
            }
        }
        if has(What::Date) && has(What::Year) {
            return Err("{date} and {year} both say the day".into());
        }
        Ok(())
    }

    /// What the path of an object says; none: it is named otherwise.
    pub(super) fn fit(&self, path: &str) -> Option<Fit> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let above: Vec<&str> = above.split('/').filter(|name| !name.is_empty()).collect();
        let mut found = Vec::new();
        let mut suffix = String::new();
        if let Some(file) = &self.file {
            let mut own = Vec::new();
            let rest = matched(file, name, true, &mut own)?;
            suffix = rest.to_owned();
            found.extend(own);
        }
        found.extend(self.folders_in(&above)?.1);
        Fit::of(&found, suffix)
    }

    /// Which of the folders above a file are those of this layout: the number of the first, and
    /// what stands in each place in braces. The deepest ones, if there are several.
    fn folders_in<'a, 'n>(
        &'a self,
        above: &[&'n str],
    ) -> Option<(usize, Vec<(&'a Slot, &'n str)>)> {
        let deepest = above.len().checked_sub(self.folders.len())?;
        (0..=deepest).rev().find_map(|first| {
            let mut own = Vec::new();
            for (tokens, name) in self.folders.iter().zip(&above[first..]) {
                matched(tokens, name, false, &mut own)?;
            }
            Some((first, own))
        })
    }

    /// The folders of this layout in which a path lies, as it names them; none: it lies in others.
    pub(crate) fn folder_of(&self, path: &str) -> Option<String> {
        let (above, _) = path.rsplit_once('/')?;
        let above: Vec<&str> = above.split('/').filter(|name| !name.is_empty()).collect();
        let (first, _) = self.folders_in(&above)?;
        Some(above[first..first + self.folders.len()].join("/"))
    }
}

impl Fit {
    fn of(found: &[(&Slot, &str)], suffix: String) -> Option<Self> {
        let text = |what| found.iter().find(|(slot, _)| slot.what == what).map(|(_, text)| *text);
        let place = match (text(What::Partition), text(What::Offset)) {
            (Some(partition), Some(offset)) => {
                Some((partition.parse().ok()?, offset.parse().ok()?))
            }
            _ => None,
        };
        let number = |what| text(what)?.parse::<u32>().ok();
        let day = match text(What::Date).filter(|text| *text != NO_VALUE) {
            Some(text) => Some(date(text)?),
            None => number(What::Year).map(|year| (year, number(What::Month), number(What::Day))),
        };
        let time = match day {
            Some(day) => Some(span(day, number(What::Hour))?),
            None => None,
        };
        let owned = |(slot, text): &(&Slot, &str)| (slot.name.clone(), (*text).to_owned());
        let values = found.iter().map(owned).collect();
        let topic = text(What::Topic).map(str::to_owned);
        let times = found.iter().filter(|(slot, _)| slot.what.is_time());
        let times = times.map(|(slot, _)| slot.name.clone()).collect();
        Some(Self { place, topic, suffix, time, values, times })
    }

    /// When the folder begins that has this name in the braces of a layout, if they say a time.
    pub(super) fn begins(&self, name: &str) -> Option<String> {
        let time = self.time.as_ref().filter(|_| self.times.iter().any(|own| own == name))?;
        Some(display(Value::Timestamp(time.start), Kind::Timestamp))
    }

    /// What a path says of `name`: what stands in the braces of that name, or else a folder
    /// `name=value`, the deepest of them. None: nothing; no text: that there is no value.
    pub(super) fn value(&self, path: &str, name: &str) -> Option<Option<String>> {
        let of_slot = self.values.iter().find(|(own, _)| own == name).map(|(_, text)| &**text);
        let folders = path.rsplit('/').skip(1);
        let mut pairs = folders.filter_map(|folder| folder.split_once('='));
        let text = of_slot.or_else(|| pairs.find(|(own, _)| *own == name).map(|(_, text)| text))?;
        Some((text != NO_VALUE).then(|| unescaped(text)))
    }
}

/// The text that a folder's name stands for: `%3A` is a colon. What is no UTF-8 then stands for
/// itself.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = digits.filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        let byte = byte.and_then(|two| std::str::from_utf8(two).ok());
        match byte.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// `2024-01-31` or `20240131`.
fn date(text: &str) -> Option<(u32, Option<u32>, Option<u32>)> {
    let digits: String = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => text.replace('-', ""),
        _ => text.to_owned(),
    };
    let is_plain = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let part = |range: Range<usize>| digits.get(range)?.parse().ok();
    if is_plain { Some((part(0..4)?, Some(part(4..6)?), Some(part(6..8)?))) } else { None }
}

/// The span of a year, a month, a day or an hour.
fn span(
    (year, month, day): (u32, Option<u32>, Option<u32>),
    hour: Option<u32>,
) -> Option<Range<Micros>> {
    let first = |year: u32, month: u32| days_from_civil(year.into(), month, 1);
    let after = |year, month| if month == 12 { first(year + 1, 1) } else { first(year, month + 1) };
    let Some(month) = month else { return Some(days(first(year, 1)..first(year + 1, 1))) };
    if !(1..=12).contains(&month) {
        return None;
    }
    let Some(day) = day else { return Some(days(first(year, month)..after(year, month))) };
    let begin = first(year, month) + i64::from(day) - 1;
    if day == 0 || begin >= after(year, month) {
        return None;
    }
    let whole = days(begin..begin + 1);
    match hour {
        None => Some(whole),
        Some(hour @ 0..24) => {
            let begin = whole.start + i64::from(hour) * HOUR_MICROS;
            Some(begin..begin + HOUR_MICROS)
        }
        Some(_) => None,
    }
}

fn days(days: Range<i64>) -> Range<Micros> {
    days.start * DAY_MICROS..days.end * DAY_MICROS
}

/// Which of several folders, as they say their time, can hold events of a span of time: those that
/// have a part of it, the last one in front of it and the first one behind it; and all that say
/// none.
pub(super) fn within(times: &[Option<Range<Micros>>], span: &Range<Micros>) -> Vec<bool> {
    let all = || times.iter().flatten();
    let before = all().filter(|own| own.end <= span.start).map(|own| (own.end, own.start)).max();
    let behind = all().filter(|own| own.start >= span.end).map(|own| (own.start, own.end)).min();
    let can = |own: &Range<Micros>| {
        let meets = own.start < span.end && span.start < own.end;
        meets || before == Some((own.end, own.start)) || behind == Some((own.start, own.end))
    };
    times.iter().map(|own| own.as_ref().is_none_or(can)).collect()
}

fn slots(tokens: &Tokens) -> impl Iterator<Item = &Slot> {
    tokens.iter().filter_map(|token| match token {
        Token::Slot(slot) => Some(slot),
        Token::Text(_) => None,
    })
}

/// Reads one part of a layout.
fn tokens(part: &str) -> Result<Tokens, String> {
    if part.is_empty() {
        return Err("it has a part without a name: two slashes in a row, or one in front".into());
    }
    let (mut tokens, mut rest) = (Vec::new(), part);
    while !rest.is_empty() {
        let (text, behind) = rest.split_once('{').unwrap_or((rest, ""));
        if text.contains('}') {
            return Err(format!("`}}` without `{{` in `{part}`"));
        }
        if !text.is_empty() {
            tokens.push(Token::Text(text.to_owned()));
        } else if let Some(Token::Slot(_)) = tokens.last() {
            return Err(format!("nothing tells where one ends and the next begins in `{part}`"));
        }
        if text.len() == rest.len() {
            break;
        }
        let (name, behind) =
            behind.split_once('}').ok_or_else(|| format!("`{{` without `}}` in `{part}`"))?;
        let key = text.strip_suffix('=').filter(|_| tokens.len() == 1);
        let name = match (name, key) {
            ("", Some(key)) => key,
            ("", None) => return Err(format!("`{{}}` in `{part}` needs a name: {{region}}")),
            (name, _) => name,
        };
        tokens.push(Token::Slot(Slot { name: named(name)?, what: What::of(name) }));
        rest = behind;
    }
    Ok(tokens)
}

fn named(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match name.chars().all(plain) {
        true => Ok(name.to_owned()),
        false => Err(format!("{name:?} is no name: letters, digits, `_`, `-` and `.` are")),
    }
}

impl What {
    /// Whether it says a time, or a part of one.
    fn is_time(self) -> bool {
        matches!(self, Self::Date | Self::Year | Self::Month | Self::Day | Self::Hour)
    }

    fn of(name: &str) -> Self {
        match name {
            "topic" => Self::Topic,
            "partition" => Self::Partition,
            "offset" => Self::Offset,
            "date" => Self::Date,
            "year" => Self::Year,
            "month" => Self::Month,
            "day" => Self::Day,
            "hour" => Self::Hour,
            _ => Self::Value,
        }
    }

    /// Whether a text can stand there.
    fn takes(self, text: &str) -> bool {
        let digits = |most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let topic = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        match self {
            Self::Topic => !text.is_empty() && text.chars().all(topic),
            Self::Partition | Self::Offset => digits(20),
            Self::Date | Self::Year | Self::Month | Self::Day | Self::Hour if text == NO_VALUE => {
                true
            }
            Self::Date => date(text).is_some(),
            Self::Year => text.len() == 4 && digits(4),
            Self::Month | Self::Day | Self::Hour => digits(2),
            Self::Value => !text.is_empty(),
        }
    }
}

/// Matches a name, in each place the longest text that can stand there, and gives what is left:
/// nothing, or where `is_file` suffixes, which begin with a dot.
fn matched<'l, 'n>(
    tokens: &'l [Token],
    name: &'n str,
    is_file: bool,
    found: &mut Vec<(&'l Slot, &'n str)>,
) -> Option<&'n str> {
    let Some((first, others)) = tokens.split_first() else {
        return (name.is_empty() || is_file && name.starts_with('.')).then_some(name);
    };
    match first {
        Token::Text(text) => matched(others, name.strip_prefix(text.as_str())?, is_file, found),
        Token::Slot(slot) => {
            let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
            let ends: Vec<usize> = ends.filter(|end| slot.what.takes(&name[..*end])).collect();
            ends.into_iter().rev().find_map(|end| {
                let before = found.len();
                found.push((slot, &name[..end]));
                let rest = matched(others, &name[end..], is_file, found);
                if rest.is_none() {
                    found.truncate(before);
                }
                rest
            })
        }
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
