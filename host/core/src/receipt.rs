//! Receipts: what a snapshot remembers of the log that it took, and whether a log is still that
//! one. Who reads the log is not here; two lists are compared, what was taken and what is there.
//!
//! ```text
//! going on gives what a run from the start gives, if
//!   every object of which something was taken is there under its name, in its partition,
//!   the bytes that were taken are the same,
//!   what was added to it changes no event that was taken,
//!   and under order "path" nothing that is new lies before what was taken.
//! ```

use crate::log::{Order, Position};
use crate::manifest::{Change, Checked, Xxh3};
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
    let is_there: BTreeMap<&str, &Present> =
        present.iter().map(|object| (object.partition.as_str(), object)).collect();
    let of: BTreeMap<&str, &Receipt> = receipts.iter().map(|r| (r.partition.as_str(), r)).collect();
    // Where nothing was taken, nothing can come too late.
    let taken = receipts.iter().filter(|receipt| receipt.next > 0);
    // Also where an object is gone, which somebody has accepted: what was taken of it was taken.
    let gone = reached.iter().filter(|reached| reached.offset > 0);
    let taken = taken.map(|receipt| receipt.partition.as_str());
    let last = taken.chain(gone.map(|reached| reached.partition.as_str())).max();
    let last = last.filter(|_| order == Order::Path);
    let mut fit = Fit {
        changes: Vec::new(),
        news: News::default(),
        kept: Vec::new(),
        by_limit: 0,
        untouched: 0,
        checked: Checked::EveryByte,
    };
    for (place, receipt) in receipts.iter().enumerate() {
        let object = is_there.get(receipt.partition.as_str()).copied();
        let differs = difference(receipt, object);
        // Where partitions come one after another, all of one is read before the next, but for a
        // limit.
        let by_limit = differs.is_none() && receipt.took != Took::Whole;
        match differs.or_else(|| before(receipt, object?, last)) {
            Some(what) => {
                fit.by_limit += usize::from(by_limit);
                fit.changes.push(change(receipt, what));
            }
            None => {
                let is_all = object.is_some_and(|object| object.bytes == receipt.bytes);
                fit.untouched += u64::from(is_all && receipt.took == Took::Whole);
                fit.kept.push(place);
            }
        }
        let all = object.is_none_or(|object| object.seen.xxh3_128.is_some());
        fit.checked = if all { fit.checked } else { Checked::Edges };
    }
    for object in present {
        let bytes = match of.get(object.partition.as_str()) {
            Some(receipt) => {
                let more = object.bytes.saturating_sub(receipt.bytes);
                fit.news.grown += u64::from(more > 0 || receipt.took != Took::Whole);
                more
            }
            None => {
                fit.news.objects += u64::from(object.bytes > 0);
                fit.changes.extend(new(object, reached, last));
                object.bytes
            }
        };
        fit.news.bytes += bytes;
    }
    fit
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
    let Seen { edges, xxh3_128, behind } = &object.seen;
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
fn before(receipt: &Receipt, object: &Present, last: Option<&str>) -> Option<String> {
    let last = last.filter(|last| receipt.partition.as_str() < *last)?;
    let is_whole = match receipt.took {
        Took::Whole | Took::UpTo => object.bytes == receipt.bytes,
        Took::Some => false,
    };
    (!is_whole).then(|| {
        format!(
            "has events behind offset {} that were not taken, and under order \"path\" they come \
             before those of {last}, which were",
            receipt.next
        )
    })
}

/// What is wrong with an object of which there is no receipt.
fn new(object: &Present, reached: &[Position], last: Option<&str>) -> Option<Change> {
    let next = reached.iter().find(|reached| reached.partition == object.partition);
    let next = next.map_or(0, |reached| reached.offset);
    let change = |what| {
        let (object, partition) = (object.object.clone(), object.partition.clone());
        Some(Change { object, partition, next, what })
    };
    if next > 0 {
        return change("was taken by a run that kept nothing to tell it by".into());
    }
    let last = last.filter(|last| object.partition.as_str() < *last && object.bytes > 0)?;
    change(format!(
        "is new, and under order \"path\" its events come before those of {last}, which were taken"
    ))
}

fn change(receipt: &Receipt, what: String) -> Change {
    let Receipt { object, partition, next, .. } = receipt.clone();
    Change { object, partition, next, what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice::from_ref;

    fn receipt(partition: &str, bytes: u64) -> Receipt {
        let hash = Xxh3(u128::from(bytes));
        Receipt {
            partition: partition.into(),
            object: format!("{partition}.jsonl"),
            next: 10,
            took: Took::Whole,
            bytes,
            growth: Growth::Any,
            etag: None,
            edges: Some(Edges { head: hash, tail: hash }),
            xxh3_128: hash,
            byte_order_mark: false,
        }
    }

    /// What stands there if nothing changed.
    fn same(receipt: &Receipt) -> Present {
        Present {
            partition: receipt.partition.clone(),
            object: receipt.object.clone(),
            bytes: receipt.bytes,
            etag: receipt.etag.clone(),
            seen: Seen { edges: receipt.edges, ..Seen::default() },
        }
    }

    fn changes(order: Order, receipts: &[Receipt], present: &[Present]) -> Vec<String> {
        let fit = fit(order, &[], receipts, present);
        fit.changes.iter().map(Change::to_string).collect()
    }

    const BOTH: [Order; 2] = [Order::Log, Order::Path];

    #[test]
    fn what_is_as_it_was_fits_and_nothing_of_it_is_new() {
        let receipts = [receipt("a", 100), receipt("b", 50)];
        let present: Vec<Present> = receipts.iter().map(same).collect();
        for order in BOTH {
            let fit = fit(order, &[], &receipts, &present);
            assert_eq!((fit.changes, fit.kept, fit.untouched), (vec![], vec![0, 1], 2));
            assert!(fit.news.is_none());
            assert_eq!(fit.checked, Checked::Edges);
        }
        let mut every = present;
        for (object, receipt) in every.iter_mut().zip(&receipts) {
            object.seen.xxh3_128 = Some(receipt.xxh3_128);
        }
        assert_eq!(fit(Order::Log, &[], &receipts, &every).checked, Checked::EveryByte);
    }

    #[test]
    fn what_was_taken_and_differs_is_named_with_its_place() {
        let taken = receipt("a", 100);
        let says = |change: &dyn Fn(&mut Present)| {
            let mut present = same(&taken);
            change(&mut present);
            let told = BOTH.map(|order| changes(order, from_ref(&taken), from_ref(&present)));
            assert_eq!(told[0], told[1]);
            told[0].concat()
        };
        let at = "`a.jsonl` (partition a, taken up to offset 10) ";
        let shorter = says(&|p| p.bytes = 99);
        assert!(shorter.starts_with(&format!("{at}has 99 bytes, and 100 were taken of it; if")));
        assert!(shorter.ends_with("counts from offset 10 on, whatever its line"), "{shorter}");
        let edges = |head, tail| Some(Edges { head: Xxh3(head), tail: Xxh3(tail) });
        assert!(says(&|p| p.seen.edges = edges(1, 100)).contains("at its beginning"));
        assert!(says(&|p| p.seen.edges = edges(100, 1)).contains("in front of byte 100"));
        assert!(says(&|p| p.seen.xxh3_128 = Some(Xxh3(1))).contains("in the middle of the 100"));
        assert!(says(&|p| p.object = "a.jsonl.gz".into()).contains("is now `a.jsonl.gz`"));
        // What was not looked at is never equal.
        assert!(says(&|p| p.seen.edges = None).contains("among the 100 that were taken"));
        assert_eq!(changes(Order::Log, from_ref(&taken), &[]), [format!("{at}is gone")]);
        assert_eq!(says(&|p| p.bytes = 101), "");
    }

    #[test]
    fn an_etag_that_is_the_same_needs_no_look_and_one_that_is_not_says_nothing() {
        let taken = Receipt { etag: Some("v1".into()), ..receipt("a", 100) };
        let mut present = same(&taken);
        present.seen = Seen::default();
        assert_eq!(changes(Order::Log, from_ref(&taken), from_ref(&present)), [""; 0]);
        present.etag = Some("v2".into());
        assert_eq!(changes(Order::Log, from_ref(&taken), from_ref(&present)).len(), 1);
        present.seen.edges = taken.edges;
        assert_eq!(changes(Order::Log, from_ref(&taken), from_ref(&present)), [""; 0]);
        // Every byte counts more than what a store says.
        present.etag = taken.etag.clone();
        present.seen.xxh3_128 = Some(Xxh3(1));
        assert_eq!(changes(Order::Log, from_ref(&taken), from_ref(&present)).len(), 1);
    }

    #[test]
    fn what_grows_may_not_change_what_was_taken() {
        for (growth, behind, fits) in [
            (Growth::Any, "{", true),
            (Growth::LineEnd, "{", false),
            (Growth::LineEnd, "", false),
            (Growth::LineEnd, "\n", true),
            (Growth::LineEnd, "\r\n", true),
            (Growth::LineEnd, "\r{", false),
            (Growth::None, "\n", false),
            (Growth::OpenEnd, "\n", false),
        ] {
            let taken = Receipt { growth, ..receipt("a", 100) };
            let mut present = Present { bytes: 120, ..same(&taken) };
            present.seen.behind = behind.into();
            let told = changes(Order::Path, from_ref(&taken), from_ref(&present));
            assert_eq!(told.is_empty(), fits, "{growth:?} {behind:?}: {told:?}");
            let fit = fit(Order::Log, &[], from_ref(&taken), from_ref(&present));
            assert_eq!(fit.news, News { objects: 0, grown: 1, bytes: 20 });
            assert_eq!(fit.untouched, 0);
        }
    }

    #[test]
    fn what_is_compressed_and_ends_in_the_middle_of_a_line_was_not_rewritten() {
        for (took, why) in [
            (Took::Whole, "and its last line had no line end, so that"),
            (Took::Some, "and nobody read up to its end, so that"),
        ] {
            let taken = Receipt { growth: Growth::OpenEnd, took, ..receipt("a", 100) };
            let present = Present { bytes: 120, ..same(&taken) };
            let told = changes(Order::Log, from_ref(&taken), from_ref(&present)).concat();
            assert!(told.contains(why) && !told.contains("rewritten"), "{told}");
        }
    }

    #[test]
    fn under_path_nothing_new_may_lie_before_what_was_taken() {
        let receipts = [receipt("b", 100), receipt("d", 100)];
        let standing: Vec<Present> = receipts.iter().map(same).collect();
        let with = |name: &str, bytes| {
            let mut all = standing.clone();
            all.push(Present { seen: Seen::default(), ..same(&receipt(name, bytes)) });
            all
        };
        for (name, fits) in [("a", false), ("c", false), ("e", true)] {
            assert!(changes(Order::Log, &receipts, &with(name, 7)).is_empty());
            let told = changes(Order::Path, &receipts, &with(name, 7));
            assert_eq!(told.is_empty(), fits, "{name}: {told:?}");
            assert!(told.iter().all(|told| told.contains("before those of d")));
            assert!(changes(Order::Path, &receipts, &with(name, 0)).is_empty());
        }
        for (grown, fits) in [(0, false), (1, true)] {
            let mut present = standing.clone();
            present[grown].bytes += 1;
            assert!(changes(Order::Log, &receipts, &present).is_empty());
            assert_eq!(changes(Order::Path, &receipts, &present).is_empty(), fits);
            assert_eq!(fit(Order::Path, &[], &receipts, &present).by_limit, 0);
        }
        // A part of each, as with a limit, is no beginning of the whole.
        for took in [Took::UpTo, Took::Some] {
            let mut part = receipts.clone();
            (part[0].took, part[0].bytes) = (took, if took == Took::UpTo { 40 } else { 100 });
            assert!(changes(Order::Log, &part, &standing).is_empty());
            assert_eq!(changes(Order::Path, &part, &standing).len(), 1);
            let news = fit(Order::Log, &[], &part, &standing).news;
            assert_eq!(news.grown, 1);
            // It is no change of the log.
            assert_eq!(fit(Order::Path, &[], &part, &standing).by_limit, 1);
        }
    }

    #[test]
    fn what_was_taken_without_a_receipt_is_not_gone_on_from() {
        let reached = [Position { partition: "a".into(), offset: 4 }];
        let present = [same(&receipt("a", 10))];
        let fit = fit(Order::Log, &reached, &[], &present);
        assert_eq!(fit.changes.len(), 1);
        assert!(fit.changes[0].to_string().contains("taken up to offset 4"));
    }
}
