//! How partitions take turns, and how far their parts are read ahead: a policy of the run, of which
//! a log knows nothing.
//!
//! ```text
//! one after another   [ part part part part part ]      one group: what comes next depends on
//!                       ^ front                         the log alone
//! as they come        [ part part ] [ part ] [ part ]   a group for each partition: whichever
//! by time               ^             ^        ^        has something, or is wanted by the merge
//! ```
//!
//! The parts of a group give one after another, so that the events of a partition stay in order.

use super::error::RunError;
use super::sequence::Cuts;
use crate::limits::{PARTS_AHEAD, READ_AHEAD_BYTES};
use crate::log::{End, Feed, Log, Part, Partition, Piece};
use retally_core::log::{Order, PartitionIndex};
use std::collections::VecDeque;
use std::ops::Range;

/// How partitions take turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Partitions one after another, so that batches depend on the log and their size alone.
    #[default]
    OneAfterAnother,
    /// Whichever has something: no partition waits for the end of another.
    AsTheyCome,
    /// Whichever the merge by time wants ([`super::merged`]).
    ByTime,
}

impl Policy {
    /// The policy for a log: who waits for the end of a partition that has none waits for ever.
    pub(crate) fn of(log: &dyn Log, cuts: &Cuts) -> Self {
        let is_open = |partition: &Partition| partition.end == End::Open;
        match cuts.order {
            Order::Time => Self::ByTime,
            Order::Log if cuts.as_they_come => Self::AsTheyCome,
            _ if log.partitions().iter().any(is_open) => Self::AsTheyCome,
            Order::Log | Order::Path | Order::Sort => Self::OneAfterAnother,
        }
    }
}

/// A part to read on.
pub(crate) struct ReadOn {
    /// Its number.
    pub part: usize,
    /// What lies before this offset is not wanted.
    pub from: u64,
    /// None: it must be begun.
    pub feed: Option<Box<dyn Feed>>,
}

/// What came of reading on.
pub(crate) enum Read {
    /// Events.
    Piece(Piece, Box<dyn Feed>),
    /// Nothing yet: the part's waker will be woken.
    Pending(Box<dyn Feed>),
    End,
}

#[derive(Default)]
enum Reading {
    #[default]
    Waiting,
    Idle(Box<dyn Feed>),
    Busy,
    /// Nothing there until its waker is woken.
    Asleep(Box<dyn Feed>),
    Done,
}

#[derive(Default)]
struct PartState {
    partition: PartitionIndex,
    reading: Reading,
    queue: VecDeque<Piece>,
    /// Beyond the limit: not read any further.
    closed: bool,
    /// Woken while it was read.
    woken: bool,
    error: Option<RunError>,
}

/// What the next turn gives.
pub(crate) enum Turn {
    Piece(PartitionIndex, Piece),
    /// Nothing until more is read.
    Nothing,
    /// The log is over.
    Over,
    Failed(RunError),
}

pub(crate) struct Turns {
    parts: Vec<PartState>,
    /// Of each group the parts that are not over yet.
    groups: Vec<Range<usize>>,
    /// The partition of each group's first part.
    partitions: Vec<PartitionIndex>,
    /// The group whose turn it is to give, and to be read.
    gives: usize,
    reads: usize,
    queued_bytes: usize,
}

impl Turns {
    pub(crate) fn new(policy: Policy, parts: &[Part]) -> Self {
        let state = |part: &Part| PartState { partition: part.partition, ..PartState::default() };
        let together =
            |a: &Part, b: &Part| policy == Policy::OneAfterAnother || a.partition == b.partition;
        let (mut groups, mut partitions): (Vec<Range<usize>>, _) = (Vec::new(), Vec::new());
        for group in parts.chunk_by(together) {
            let first = groups.last().map_or(0, |group| group.end);
            groups.push(first..first + group.len());
            partitions.push(group[0].partition);
        }
        let parts = parts.iter().map(state).collect();
        Self { parts, groups, partitions, gives: 0, reads: 0, queued_bytes: 0 }
    }

    /// Memory of what waits for its turn.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// A part to read on; `from` tells where to begin in a partition, `lacks` whether what was read
    /// of it and handed on is used up.
    pub(crate) fn pick_read(
        &mut self,
        from: impl Fn(PartitionIndex) -> u64,
        lacks: impl Fn(PartitionIndex) -> bool,
    ) -> Option<ReadOn> {
        let full = self.queued_bytes >= READ_AHEAD_BYTES;
        for turn in 0..self.groups.len() {
            let group = (self.reads + turn) % self.groups.len();
            let Range { start: front, end } = self.groups[group];
            for number in front..end.min(front + PARTS_AHEAD) {
                let part = &mut self.parts[number];
                // The part at the front may always be read while nothing of it waits: no deadlock.
                let is_due = || number == front && part.queue.is_empty() && lacks(part.partition);
                if full && !is_due() {
                    continue;
                }
                let feed = match std::mem::replace(&mut part.reading, Reading::Busy) {
                    Reading::Waiting => None,
                    Reading::Idle(feed) => Some(feed),
                    other => {
                        part.reading = other;
                        continue;
                    }
                };
                part.woken = false;
                self.reads = group + 1;
                return Some(ReadOn { part: number, from: from(part.partition), feed });
            }
        }
        None
    }

    /// What came of reading a part.
    pub(crate) fn read(&mut self, number: usize, result: Result<Read, RunError>) {
        let part = &mut self.parts[number];
        part.reading = match result {
            _ if part.closed => Reading::Done,
            Ok(Read::Piece(piece, feed)) => {
                self.queued_bytes += piece.bytes();
                part.queue.push_back(piece);
                Reading::Idle(feed)
            }
            Ok(Read::Pending(feed)) if part.woken => Reading::Idle(feed),
            Ok(Read::Pending(feed)) => Reading::Asleep(feed),
            Ok(Read::End) => Reading::Done,
            Err(error) => {
                part.error = Some(error);
                Reading::Done
            }
        };
    }

    /// The waker of a part was woken.
    pub(crate) fn woken(&mut self, number: usize) {
        let part = &mut self.parts[number];
        part.woken = true;
        part.reading = match std::mem::replace(&mut part.reading, Reading::Done) {
            Reading::Asleep(feed) => Reading::Idle(feed),
            other => other,
        };
    }

    /// The next piece.
    pub(crate) fn take(&mut self) -> Turn {
        for turn in 0..self.groups.len() {
            let group = (self.gives + turn) % self.groups.len();
            match self.take_of(group) {
                Turn::Nothing | Turn::Over => {}
                Turn::Failed(error) => return Turn::Failed(error),
                piece => {
                    self.gives = group + 1;
                    return piece;
                }
            }
        }
        if self.groups.iter().all(Range::is_empty) { Turn::Over } else { Turn::Nothing }
    }

    /// The partition of every group, where each has one of its own.
    pub(crate) fn partitions(&self) -> &[PartitionIndex] {
        &self.partitions
    }

    /// The next piece of a group.
    pub(crate) fn take_of(&mut self, group: usize) -> Turn {
        while let Some(part) = self.groups[group].clone().next().map(|n| &mut self.parts[n]) {
            if let Some(piece) = part.queue.pop_front() {
                self.queued_bytes -= piece.bytes();
                return Turn::Piece(part.partition, piece);
            }
            if !matches!(part.reading, Reading::Done) {
                return Turn::Nothing;
            }
            if let Some(error) = part.error.take() {
                return Turn::Failed(error);
            }
            self.groups[group].start += 1;
        }
        Turn::Over
    }

    /// Leaves what is left of a partition unread.
    pub(crate) fn close(&mut self, partition: PartitionIndex) {
        for part in self.parts.iter_mut().filter(|part| part.partition == partition) {
            part.closed = true;
            if !matches!(part.reading, Reading::Busy) {
                part.reading = Reading::Done;
            }
            self.queued_bytes -= part.queue.drain(..).map(|p| p.bytes()).sum::<usize>();
            part.error = None;
        }
    }
}
