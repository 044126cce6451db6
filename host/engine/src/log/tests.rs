//! Memory is a log like any other, and a log that breaks a promise is told so.

use super::*;
use crate::cancel::Cancel;
use crate::log::conformance::{NotConforming, Told, check};
use arrow_array::{ArrayRef, Int64Array};
use retally_core::decode::Lines;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn told(events: &[(&str, &[(u64, &str)])]) -> Told {
    let bytes = |(offset, text): &(u64, &str)| (*offset, text.as_bytes().to_vec());
    let partition = |(name, events): &(&str, &[(u64, &str)])| {
        ((*name).to_owned(), events.iter().map(bytes).collect())
    };
    events.iter().map(partition).collect()
}

fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    RecordBatch::try_from_iter([("n", n)]).unwrap()
}

#[test]
fn lines_and_rows_in_memory_conform() {
    let log = MemoryLog::new(vec![
        MemoryPartition::rows("b", vec![rows(0..2), rows(0..0), rows(2..3)]),
        MemoryPartition::lines("a", "x\n\r\ny").at([3, 4, 9]),
        MemoryPartition::lines("c", ""),
    ]);
    let log = log.unwrap();
    assert_eq!(log.partitions()[0].first, 3);
    let expected = told(&[
        ("a", &[(3, "x"), (4, ""), (9, "y")]),
        ("b", &[(0, "{\"n\":0}"), (1, "{\"n\":1}"), (2, "{\"n\":2}")]),
        ("c", &[]),
    ]);
    assert_eq!(check(&log, &Cancel::default()).unwrap(), expected);
}

#[test]
fn long_batches_in_memory_come_in_slabs() {
    let log = MemoryLog::new(vec![MemoryPartition::rows("a", vec![rows(0..20_000)])]).unwrap();
    let told = check(&log, &Cancel::default()).unwrap();
    assert_eq!(told["a"].len(), 20_000);
    assert_eq!(told["a"][19_999], (19_999, b"{\"n\":19999}".to_vec()));
}

#[test]
fn partitions_in_memory_that_make_no_sense_are_refused() {
    let twice = ["a", "b", "a"].map(|name| MemoryPartition::lines(name, "x"));
    let error = MemoryLog::new(twice.to_vec()).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("`a`"), "{error}");
    for offsets in [&[1][..], &[1, 2, 3], &[2, 2], &[3, 1]] {
        let partition = MemoryPartition::lines("a", "x\ny\n").at(offsets);
        let log = MemoryLog::new(vec![partition]).unwrap();
        let error = check(&log, &Cancel::default()).unwrap_err().to_string();
        assert!(error.contains("offsets"), "{offsets:?}: {error}");
    }
}

/// What a broken log does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    Unsorted,
    PartOfNobody,
    Empty,
    Backwards,
    BehindEnd,
    LosesEvents,
    Bytes,
    Open,
    NeverWakes,
}

struct Broken {
    wrong: Wrong,
    partitions: Vec<Partition>,
    parts: Vec<Part>,
    reads: AtomicUsize,
}

struct BrokenFeed {
    wrong: Wrong,
    left: u64,
}

impl Broken {
    fn new(wrong: Wrong) -> Self {
        let end = if wrong == Wrong::Open { End::Open } else { End::Before(11) };
        let partition = |name: &str| Partition { name: name.into(), first: 0, end };
        let names = if wrong == Wrong::Unsorted { ["b", "a"] } else { ["a", "b"] };
        let other = if wrong == Wrong::PartOfNobody { 2 } else { 1 };
        let part = |partition| Part { partition, bytes: 3 };
        let parts = [0, other].map(part).to_vec();
        let partitions = names.map(partition).to_vec();
        Self { wrong, partitions, parts, reads: AtomicUsize::new(0) }
    }
}

impl Log for Broken {
    fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn read(&self, _part: usize, _from: u64) -> Result<Box<dyn Feed>, LogError> {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        let left = if self.wrong == Wrong::LosesEvents && reads > 2 { 2 } else { 3 };
        Ok(Box::new(BrokenFeed { wrong: self.wrong, left }))
    }
}

impl Feed for BrokenFeed {
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        if self.wrong == Wrong::NeverWakes {
            return Poll::Pending;
        }
        if self.left == 0 {
            return Poll::Ready(Ok(None));
        }
        self.left -= 1;
        let events = if self.wrong == Wrong::Empty { 0 } else { 1 };
        let slab = Slab::Lines(Lines {
            bytes: vec![b'x'; events],
            ends: vec![1; events],
            ..Lines::default()
        });
        let offset = match self.wrong {
            Wrong::Backwards => self.left,
            Wrong::BehindEnd => 11 - self.left,
            _ => 10 - self.left,
        };
        Poll::Ready(Ok(Some(Piece {
            slab,
            offsets: Some(Offsets::From(offset)),
            folders: Arc::default(),
            beside: None,
            end: None,
        })))
    }

    fn bytes_read(&self) -> u64 {
        if self.wrong == Wrong::Bytes { 4 } else { 3 - self.left }
    }
}

#[test]
fn a_log_that_breaks_a_promise_is_told_which() {
    for (wrong, expected) in [
        (Wrong::Unsorted, "not sorted"),
        (Wrong::PartOfNobody, "a partition that it does not have"),
        (Wrong::Empty, "a piece of 0 events"),
        (Wrong::Backwards, "offsets that do not go on from 3"),
        (Wrong::BehindEnd, "lies at 11, and it ends before 11"),
        (Wrong::LosesEvents, "event 0 of partition"),
        (Wrong::Bytes, "4 bytes are read after 0, of 3 in all"),
        (Wrong::Open, "has no end"),
    ] {
        let error = check(&Broken::new(wrong), &Cancel::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{wrong:?}: {error}");
    }
    assert_eq!(check(&Broken::new(Wrong::Nothing), &Cancel::default()).unwrap()["b"].len(), 3);
}

#[test]
fn a_feed_that_never_wakes_ends_with_the_cancel() {
    let cancel = Cancel::default();
    let asked = cancel.clone();
    let check = std::thread::spawn(move || check(&Broken::new(Wrong::NeverWakes), &asked));
    cancel.cancel();
    assert!(matches!(check.join().unwrap(), Err(NotConforming::Cancelled)));
}
