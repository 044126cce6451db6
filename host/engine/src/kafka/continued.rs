//! An archive of a topic and the topic as one log: of each partition first what the archive has,
//! and where that ends what the topic has.
//!
//! ```text
//!  archive   0 ............ 700            its own partitions are the topic's, and so its offsets
//!  topic           400 ............ 900
//!                   ^ both have 400 to 699: held against each other, given once (merge.rs)
//!  where the topic begins behind the end of the archive, what lies between is lost: a finding
//! ```
//!
//! Where the archive ends is known when it is read, so that one reader goes through all of a
//! partition.

use super::merge::Merge;
use crate::log::{End, Feed, Log, LogError, Part, Partition, Reached};
use retally_core::log::PartitionIndex;
use retally_core::manifest::{Finding, Found, Object};
use retally_core::receipt::{Present, Receipt};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An archive, and the topic that it is of.
#[derive(Clone)]
pub struct ContinuedLog(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) archive: Arc<dyn Log>,
    pub(super) topic: Arc<dyn Log>,
    /// The topic's name.
    pub(super) name: String,
    partitions: Vec<Partition>,
    parts: Vec<Part>,
    /// Of each partition where it lies in both.
    pub(super) homes: Vec<Home>,
    pub(super) notes: Arc<Notes>,
}

/// Where a partition lies.
pub(super) struct Home {
    /// Its number in the archive, if that has anything of it.
    pub(super) archive: Option<usize>,
    /// Its parts there.
    pub(super) front: Range<usize>,
    /// Its parts in the topic.
    pub(super) back: Range<usize>,
}

/// What readers found, by the numbers of the partitions.
#[derive(Default)]
pub(super) struct Notes(Mutex<State>);

#[derive(Default)]
struct State {
    /// Behind the last event of the archive.
    ends: BTreeMap<usize, u64>,
    /// What neither has.
    lost: BTreeMap<usize, Range<u64>>,
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An archive was read to its end.
    pub(super) fn over(&self, partition: usize, end: u64) {
        self.lock().ends.insert(partition, end);
    }

    /// Neither has what lies between.
    pub(super) fn lost(&self, partition: usize, offsets: Range<u64>) {
        self.lock().lost.entry(partition).or_insert(offsets);
    }
}

impl ContinuedLog {
    /// Joins both. What the archive holds was listed before the topic was asked where it ends.
    ///
    /// # Errors
    /// Partitions of the archive that the topic does not have: it is not the topic's.
    pub fn over(archive: Arc<dyn Log>, topic: Arc<dyn Log>, name: &str) -> Result<Self, LogError> {
        let names = topic.names();
        if let Some(own) = archive.names().iter().find(|own| !names.contains(own)) {
            return Err(LogError::usage(format!(
                "the archive has a partition {own}, and topic {name} has not: its partitions are \
                 {}; look whether the archive is that of the topic, and whether `layout` in \
                 [source] says how its files are named",
                names.join(", ")
            )));
        }
        Ok(Self::new(archive, topic, name.to_owned(), Arc::default()))
    }

    fn new(archive: Arc<dyn Log>, topic: Arc<dyn Log>, name: String, notes: Arc<Notes>) -> Self {
        let (mut partitions, mut parts, mut homes) = (Vec::new(), Vec::new(), Vec::new());
        for (number, own) in topic.partitions().iter().enumerate() {
            let older = archive.partitions().iter().position(|older| older.name == own.name);
            let first = older.map_or(own.first, |older| archive.partitions()[older].first);
            let front = older.map_or(0..0, |older| parts_of(archive.as_ref(), older));
            let back = parts_of(topic.as_ref(), number);
            let bytes: u64 = archive.parts()[front.clone()].iter().map(|part| part.bytes).sum();
            partitions.push(Partition { first: first.min(own.first), ..own.clone() });
            parts.push(Part { partition: number as PartitionIndex, bytes });
            homes.push(Home { archive: older, front, back });
        }
        Self(Arc::new(Inner { archive, topic, name, partitions, parts, homes, notes }))
    }

    /// How far the archive's partitions were taken.
    fn of_archive(&self, reached: &[Reached]) -> Vec<Reached> {
        let state = self.0.notes.lock();
        let own = |(number, partition): (usize, &Partition)| {
            let place = self.0.homes.iter().position(|home| home.archive == Some(number));
            let Some(place) = place else {
                return Reached { next: partition.first, bytes: None };
            };
            // Where nothing of it is read again, it ends where it begins.
            let is_over = self.0.homes[place].front.is_empty();
            let end = state.ends.get(&place).copied();
            let end = end.or(is_over.then_some(partition.first)).unwrap_or(u64::MAX);
            let Reached { next, bytes } = reached[place];
            Reached { next: next.min(end), bytes: bytes.filter(|_| next <= end) }
        };
        self.0.archive.partitions().iter().enumerate().map(own).collect()
    }
}

/// The parts of a partition.
fn parts_of(log: &dyn Log, partition: usize) -> Range<usize> {
    let first = log.parts().partition_point(|part| (part.partition as usize) < partition);
    first..log.parts().partition_point(|part| part.partition as usize <= partition)
}

/// Receipts of the archive, and those of the topic.
fn apart(receipts: &[Receipt]) -> (Vec<Receipt>, Vec<Receipt>) {
    receipts.iter().cloned().partition(|receipt| receipt.records.is_none())
}

impl Log for ContinuedLog {
    fn partitions(&self) -> &[Partition] {
        &self.0.partitions
    }

    fn parts(&self) -> &[Part] {
        &self.0.parts
    }

    fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError> {
        Ok(Box::new(Merge::new(self.clone(), part, from)))
    }

    fn objects(&self) -> Vec<Object> {
        self.0.archive.objects()
    }

    fn taken(&self, read: &[bool], threads: usize) -> Result<Vec<Object>, LogError> {
        let mut own = vec![false; self.0.archive.partitions().len()];
        for (home, read) in self.0.homes.iter().zip(read) {
            if let Some(number) = home.archive {
                own[number] = *read;
            }
        }
        self.0.archive.taken(&own, threads)
    }

    /// Those of both. A partition is made of several: the files of the archive, and the topic.
    fn receipts(&self, reached: &[Reached], threads: usize) -> Result<Vec<Receipt>, LogError> {
        let mut all = self.0.archive.receipts(&self.of_archive(reached), threads)?;
        for receipt in self.0.topic.receipts(reached, threads)? {
            let starts = receipt.records.as_ref().map(|own| own.first);
            all.push(Receipt { starts, ..receipt });
        }
        all.sort_by(|a, b| (&a.partition, a.starts).cmp(&(&b.partition, b.starts)));
        Ok(all)
    }

    fn present(
        &self,
        receipts: &[Receipt],
        every_byte: bool,
        threads: usize,
    ) -> Result<Option<Vec<Present>>, LogError> {
        let (archive, topic) = apart(receipts);
        let archive = self.0.archive.present(&archive, every_byte, threads)?;
        let topic = self.0.topic.present(&topic, every_byte, threads)?;
        let Some((archive, topic)) = archive.zip(topic) else { return Ok(None) };
        let topic = topic.into_iter().map(|present| {
            let starts = present.seen.records.as_ref().map(|own| own.first);
            Present { starts, ..present }
        });
        Ok(Some(archive.into_iter().chain(topic).collect()))
    }

    fn behind(&self, kept: &[Receipt]) -> Option<Arc<dyn Log>> {
        let (archive, topic) = apart(kept);
        let Inner { archive: older, topic: newer, name, notes, .. } = &*self.0;
        let archive = older.behind(&archive).unwrap_or_else(|| older.clone());
        let topic = newer.behind(&topic).unwrap_or_else(|| newer.clone());
        Some(Arc::new(Self::new(archive, topic, name.clone(), notes.clone())))
    }

    fn committed(&self, group: &str) -> Result<Option<Vec<Option<u64>>>, LogError> {
        self.0.topic.committed(group)
    }

    /// What the archive lacks and the topic has is not missing, and what the topic has no longer
    /// and the archive has is not gone.
    fn findings(&self, reached: Option<&[Reached]>) -> Vec<Finding> {
        let Inner { archive, topic, name, .. } = &*self.0;
        let own = reached.map(|reached| self.of_archive(reached));
        let mut all = Vec::new();
        for finding in archive.findings(own.as_deref()) {
            let has = topic.partitions().iter().find(|own| own.name == finding.partition);
            let first = has.map_or(u64::MAX, |own| own.first);
            match finding.what {
                Found::Missing if finding.first >= first => {}
                Found::Missing => {
                    let last = finding.last.min(first.saturating_sub(1));
                    all.push(Finding { last, ..finding });
                }
                _ => all.push(finding),
            }
        }
        all.extend(topic.findings(reached).into_iter().filter(|own| own.what != Found::Gone));
        for (number, lost) in &self.0.notes.lock().lost {
            if reached.is_none_or(|reached| lost.end < reached[*number].next) {
                all.push(Finding {
                    partition: self.0.partitions[*number].name.clone(),
                    first: lost.start,
                    last: lost.end - 1,
                    what: Found::Lost,
                    objects: vec![name.clone()],
                });
            }
        }
        all.sort();
        all
    }

    fn place(&self, partition: PartitionIndex, offset: u64) -> Option<String> {
        let own = self.0.homes[partition as usize].archive?;
        self.0.archive.place(own as PartitionIndex, offset)
    }
}

impl ContinuedLog {
    /// Where the topic says that a partition ends; none: nobody knows.
    pub(super) fn end(&self, partition: usize) -> Option<u64> {
        match self.0.partitions[partition].end {
            End::Before(end) => Some(end),
            End::OfParts | End::Open => None,
        }
    }
}

#[cfg(test)]
#[path = "continued_tests.rs"]
mod tests;
