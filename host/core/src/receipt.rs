//! Receipts: what a snapshot remembers of the log that it took, and whether a log is still that
//! one. Who reads the log is not here; two lists are compared, what was taken and what is there.
//!
//! ```text
//! going on gives what a run from the start gives, if
//!   every object of which something was taken is there under its name, in its partition,
//!   the bytes that were taken are the same,
//!   what was added to it changes no event that was taken,
//!   of a partition made of several objects a new one begins behind what was taken of it, or at an
//!   offset that was taken (then its events are held against those when they are read),
//!   under order "path" nothing that is new lies before what was taken,
//!   and under order "sort" nothing of it in a folder of which something was taken.
//! ```

use crate::log::{Order, Position};
use crate::manifest::{Change, Checked, Xxh3, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was taken of an object (a file, a topic's partition), also where all of it was no event:
/// enough to tell later whether it is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The partition that it is.
    pub partition: String,
    /// Its name in the log.
    pub object: String,
    /// Offset of its first event, where a partition is made of several objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<u64>,
    /// First offset that was not taken.
    pub next: u64,
    /// How much of it was taken.
    pub took: Took,
    /// Stored bytes as far as taken.
    pub bytes: u64,
    /// What may be added to it.
    pub growth: Growth,
    /// The store's own word for the version that was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Of `bytes`, first and last; none: whoever compares compares all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edges: Option<Edges>,
    /// Of all of `bytes`.
    pub xxh3_128: Xxh3,
    /// Whether it begins with a byte order mark, which was passed over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub byte_order_mark: bool,
    /// Of a topic's partition, of which there are no bytes to compare: what else tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Records>,
}

/// What tells a topic's partition from another one of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// The first offset that it had.
    pub first: u64,
    /// Of a receipt the first offset that nobody looked at, which lies behind the last event that
    /// was taken and what is no event there; of what is present the end.
    pub end: u64,
    /// Of the last records that were taken, as far as they are there, an XXH3-128 of each.
    pub last: BTreeMap<u64, Xxh3>,
}

/// What an object is known by: its partition, and where that is made of several, its name.
pub type Known<'a> = (&'a str, Option<&'a str>);

impl Receipt {
    /// What its object is known by.
    pub fn known(&self) -> Known<'_> {
        (&self.partition, self.starts.map(|_| self.object.as_str()))
    }

    /// Whether an object that is still the same has no more than when it was taken.
    pub fn is_all_of(&self, object: &Present) -> bool {
        match (&self.records, &object.seen.records) {
            (Some(then), Some(now)) => now.end <= then.end,
            _ => object.bytes == self.bytes,
        }
    }
}

impl Present {
    /// Whether there is anything in it.
    fn has_any(&self) -> bool {
        self.bytes > 0 || self.seen.records.as_ref().is_some_and(|own| own.first < own.end)
    }

    /// What it is known by.
    pub fn known(&self) -> Known<'_> {
        (&self.partition, self.starts.map(|_| self.object.as_str()))
    }
}

/// How much of an object was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Took {
    /// All that it was.
    Whole,
    /// Exactly the bytes up to a place; more stood behind it.
    UpTo,
    /// Some of its events. Up to which byte is not known: it is held against what all of it was.
    Some,
}

/// What may stand behind the bytes that were taken without changing an event in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Growth {
    /// Nothing: such an object is only ever written anew.
    None,
    /// Nothing: it is compressed, and its last line has no line end, or nobody read up to there. So
    /// what is added may go on in the middle of an event that was taken.
    OpenEnd,
    /// What begins with a line end: the last line that was taken has none.
    LineEnd,
    /// Anything.
    Any,
}

/// Hashes of the first and the last bytes of what was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    /// XXH3-128 of the first.
    pub head: Xxh3,
    /// XXH3-128 of the last.
    pub tail: Xxh3,
}

/// An object of a log as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The partition that it is.
    pub partition: String,
    /// Its name in the log.
    pub object: String,
    /// Offset of its first event, where a partition is made of several objects.
    pub starts: Option<u64>,
    /// Stored bytes.
    pub bytes: u64,
    /// The store's own word for this version.
    pub etag: Option<String>,
    /// What was looked at of it, if there is a receipt of it.
    pub seen: Seen,
}

/// What was looked at where a receipt says that bytes were taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// As [`Receipt::edges`].
    pub edges: Option<Edges>,
    /// As [`Receipt::xxh3_128`].
    pub xxh3_128: Option<Xxh3>,
    /// The next bytes behind those that were taken: a line end, or not.
    pub behind: Vec<u8>,
    /// Of a topic's partition, also without a receipt: where it begins and ends, and what is there
    /// of the records that a receipt has.
    pub records: Option<Records>,
}

/// How a log stands to what a snapshot took of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// In what it is no longer what was taken; none: going on is right.
    pub changes: Vec<Change>,
    /// What of it was not taken yet.
    pub news: News,
    /// The receipts, by their places, of what is as it was, or has grown.
    pub kept: Vec<usize>,
    /// How many of the changes are none of the log: what a run with a limit left of an object that
    /// comes before others.
    pub by_limit: usize,
    /// Of these, objects of which nothing is new.
    pub untouched: u64,
    /// How closely it was looked at.
    pub checked: Checked,
    /// Partitions of which nobody can tell any more whether they are what was taken.
    pub untold: Vec<String>,
}

/// What of a log a snapshot did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct News {
    /// Objects of which nothing was taken.
    pub objects: u64,
    /// Objects of which something was taken, and not all.
    pub grown: u64,
    /// Stored bytes that were not taken.
    pub bytes: u64,
}

impl News {
    /// Whether there is anything.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares what was taken with what is there. `reached`: the snapshot's position.
pub fn fit(order: Order, reached: &[Position], receipts: &[Receipt], present: &[Present]) -> Fit {
    let is_there: BTreeMap<Known<'_>, &Present> =
        present.iter().map(|object| (object.known(), object)).collect();
    let of: BTreeMap<Known<'_>, &Receipt> = receipts.iter().map(|r| (r.known(), r)).collect();
    // Where nothing was taken, nothing can come too late.
    let taken = receipts.iter().filter(|receipt| receipt.next > receipt.starts.unwrap_or(0));
    // Also where an object is gone, which somebody has accepted: what was taken of it was taken.
    let gone = reached.iter().filter(|reached| reached.offset > 0);
    let taken = taken.map(|receipt| receipt.partition.as_str());
    let last = taken.chain(gone.map(|reached| reached.partition.as_str())).max();
    let last = last.filter(|_| order.is_in_turn());
    let mut fit = Fit {
        changes: Vec::new(),
        news: News::default(),
        kept: Vec::new(),
        by_limit: 0,
        untouched: 0,
        checked: Checked::EveryByte,
        untold: Vec::new(),
    };
    for (place, receipt) in receipts.iter().enumerate() {
        let object = is_there.get(&receipt.known()).copied();
        let differs = difference(receipt, object);
        // Where partitions come one after another, all of one is read before the next, but for a
        // limit.
        let by_limit = differs.is_none() && receipt.took != Took::Whole;
        match differs.or_else(|| before(receipt, object?, (order, last))) {
            Some(what) => {
                fit.by_limit += usize::from(by_limit);
                fit.changes.push(change(receipt, what));
            }
            None => {
                let is_all = object.is_some_and(|object| receipt.is_all_of(object));
                fit.untouched += u64::from(is_all && receipt.took == Took::Whole);
                fit.kept.push(place);
            }
        }
        let checked = object.map_or(Checked::EveryByte, |object| looked(receipt, object));
        if checked == Checked::SomeRecords {
            fit.untold.push(receipt.partition.clone());
        }
        fit.checked = fit.checked.min(checked);
    }
    let had_any = |own: &&Receipt| own.records.as_ref().is_none_or(|then| own.next > then.first);
    if !fit.untold.is_empty() && fit.untold.len() == receipts.iter().filter(had_any).count() {
        fit.checked = Checked::Nothing;
    }
    for object in present {
        let bytes = match of.get(&object.known()) {
            Some(receipt) => {
                let more = object.bytes.saturating_sub(receipt.bytes);
                let is_grown = more > 0 || !receipt.is_all_of(object);
                fit.news.grown += u64::from(is_grown || receipt.took != Took::Whole);
                more
            }
            None => {
                fit.news.objects += u64::from(object.has_any());
                let taken = (reached, receipts);
                fit.changes.extend(new(object, taken, (order, last)));
                object.bytes
            }
        };
        fit.news.bytes += bytes;
    }
    fit
}

/// How closely an object was looked at that a receipt tells.
fn looked(receipt: &Receipt, object: &Present) -> Checked {
    match (&receipt.records, &object.seen.records) {
        // Of a partition that had nothing, nothing can differ.
        (Some(then), Some(_)) if receipt.next <= then.first => Checked::EveryByte,
        (Some(then), Some(now)) => match then.last.keys().any(|at| now.last.contains_key(at)) {
            true => Checked::Records,
            false => Checked::SomeRecords,
        },
        _ if object.seen.xxh3_128.is_some() => Checked::EveryByte,
        _ => Checked::Edges,
    }
}

/// In what a topic's partition is not the one that was taken. Of records that are no longer there
/// nothing can be said: retention and compaction take them.
fn other_records(receipt: &Receipt, then: &Records, now: &Records) -> Option<String> {
    const WHY: &str = "the topic was made anew, or what was written to it is lost";
    let Receipt { next, .. } = receipt;
    if now.end < *next {
        return Some(format!("ends at offset {}, and was taken up to {next}: {WHY}", now.end));
    }
    let mut both = then.last.iter().filter_map(|(at, own)| Some((at, own, now.last.get(at)?)));
    if let Some((at, ..)) = both.clone().find(|(_, then, now)| then != now) {
        return Some(format!("has another record at offset {at} than the one taken: {WHY}"));
    }
    // What begins earlier than it did may still be the same, if the records are.
    (both.next().is_none() && now.first < then.first).then(|| {
        format!(
            "begins at offset {}, and began at {} when it was taken: {WHY}",
            now.first, then.first
        )
    })
}

/// In what an object is not what its receipt says.
fn difference(receipt: &Receipt, object: Option<&Present>) -> Option<String> {
    let taken = receipt.bytes;
    let Some(object) = object else { return Some("is gone".into()) };
    if object.object != receipt.object {
        return Some(format!(
            "is now `{}`: its events may be the same, but what is stored is not",
            object.object
        ));
    }
    match (&receipt.records, &object.seen.records) {
        (Some(then), Some(now)) => return other_records(receipt, then, now),
        (None, None) => {}
        (Some(_), None) => return Some("is no longer a partition of a topic".into()),
        (None, Some(_)) => return Some("is now a partition of a topic".into()),
    }
    if object.bytes < taken {
        let (bytes, next) = (object.bytes, receipt.next);
        return Some(format!(
            "has {bytes} bytes, and {taken} were taken of it; if it is gone on with, what is added \
             to it counts from offset {next} on, whatever its line"
        ));
    }
    let now = object.bytes;
    if now > taken && receipt.growth == Growth::None {
        return Some(format!(
            "has {now} bytes, {taken} before, and may not grow: it was rewritten"
        ));
    }
    if now > taken && receipt.growth == Growth::OpenEnd {
        let why = match receipt.took {
            Took::Whole => "its last line had no line end",
            Took::UpTo | Took::Some => "nobody read up to its end",
        };
        return Some(format!(
            "has {now} bytes, {taken} before: it is compressed, and {why}, so that what was added \
             may belong to an event that was taken"
        ));
    }
    let Seen { edges, xxh3_128, behind, .. } = &object.seen;
    let version = receipt.etag.as_ref().zip(object.etag.as_ref());
    if version.is_none_or(|(then, now)| then != now) || xxh3_128.is_some() {
        match (xxh3_128, edges.zip(receipt.edges)) {
            (Some(now), _) if *now == receipt.xxh3_128 => {}
            (Some(_), Some((now, then))) if now == then => {
                return Some(format!(
                    "has other bytes in the middle of the {taken} that were taken"
                ));
            }
            (_, Some((now, then))) if now.head != then.head => {
                return Some("has other bytes at its beginning".into());
            }
            (_, Some((now, then))) if now.tail != then.tail => {
                return Some(format!(
                    "has other bytes in front of byte {taken}, which was the end"
                ));
            }
            (None, Some(_)) => {}
            _ => return Some(format!("has other bytes among the {taken} that were taken")),
        }
    }
    let is_line_end = behind.starts_with(b"\n") || behind.starts_with(b"\r\n");
    if object.bytes > taken && receipt.growth == Growth::LineEnd && !is_line_end {
        return Some(format!(
            "goes on at byte {taken} in the middle of event {}, which had no line end",
            receipt.next.saturating_sub(1)
        ));
    }
    None
}

/// What of an object was not taken though it lies before events that were. `last`: under order
/// "path" the last partition of which something was taken.
fn before(
    receipt: &Receipt,
    object: &Present,
    (order, last): (Order, Option<&str>),
) -> Option<String> {
    let last = last.filter(|last| receipt.partition.as_str() < *last)?;
    let is_whole = match receipt.took {
        Took::Whole | Took::UpTo => receipt.is_all_of(object),
        Took::Some => false,
    };
    (!is_whole).then(|| {
        format!(
            "has events behind offset {} that were not taken, and under order {:?} they come \
             before those of {last}, which were",
            receipt.next,
            words::text(order)
        )
    })
}

/// What is wrong with an object of which there is no receipt.
fn new(
    object: &Present,
    (reached, receipts): (&[Position], &[Receipt]),
    (order, last): (Order, Option<&str>),
) -> Option<Change> {
    let next = reached.iter().find(|reached| reached.partition == object.partition);
    let next = next.map_or(0, |reached| reached.offset);
    let change = |what| {
        let (object, partition) = (object.object.clone(), object.partition.clone());
        Some(Change { object, partition, next, what })
    };
    if order == Order::Sort {
        if next > 0 && object.has_any() {
            let folder = &object.partition;
            return change(format!(
                "is new in folder {folder}, of which events were taken: sorted, its own come \
                 among those"
            ));
        }
    } else if let Some(starts) = object.starts {
        let has = |receipt: &Receipt| {
            let is_of = receipt.partition == object.partition;
            is_of && receipt.starts.is_some_and(|first| first <= starts) && starts < receipt.next
        };
        if starts < next && object.has_any() && !receipts.iter().any(has) {
            return change(format!(
                "is new, and its events from offset {starts} on were in no file when the \
                 partition was taken"
            ));
        }
    } else if next > 0 {
        return change("was taken by a run that kept nothing to tell it by".into());
    }
    let last = last.filter(|last| object.partition.as_str() < *last && object.has_any())?;
    change(format!(
        "is new, and under order {:?} its events come before those of {last}, which were taken",
        words::text(order)
    ))
}

fn change(receipt: &Receipt, what: String) -> Change {
    let Receipt { object, partition, next, .. } = receipt.clone();
    Change { object, partition, next, what }
}

#[cfg(test)]
#[path = "receipt_tests.rs"]
mod tests;
