//! The log as one sequence of batches: where each slab lies, what of it is wanted, where a batch
//! ends.
//!
//! What comes next is decided by the [`Turns`] of the partitions, under order "time" by their merge
//! ([`Merged`]). But where partitions come as they please, batches and the places of snapshots
//! depend on the log and the batch size alone.

use super::bell::Bell;
use super::error::RunError;
use super::merged::Merged;
use super::turns::{Policy, ReadOn, Turn, Turns};
use crate::limits::{BATCH_BYTES, BATCH_SLABS};
use crate::log::{Follow, Log, Piece, Reached};
use retally_core::decode::{Placed, Slab};
use retally_core::fold::{Bounds, Strand};
use retally_core::log::{Micros, NEVER, Order, PartitionIndex};
use std::sync::Arc;

/// How the sequence is cut.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cuts {
    /// Events of a batch; a batch ends with the slab that reaches it, or one of the bounds of slabs
    /// and text.
    pub batch_events: u64,
    /// `--limit`: only the first so many events of each partition.
    pub limit: Option<u64>,
    /// For each partition the offset at which to end, [`u64::MAX`] where it ends itself; none: all
    /// are taken to their ends.
    pub to: Option<Vec<u64>>,
    /// `[snapshots] every`: a batch ends with the slab that reaches so many events since the last.
    pub snapshot_every: Option<u64>,
    /// For each partition the offset at which to begin: everything before is in a snapshot.
    pub from: Vec<u64>,
    /// How partitions follow one another.
    pub order: Order,
    /// Whether they may come as they please where nothing speaks against it.
    pub as_they_come: bool,
    /// Under order "time": for each partition the highest time before that.
    pub highest: Vec<Micros>,
}

/// What the sequence gives next.
pub(crate) enum Taken {
    /// A slab for batch `batch`, which it may end.
    Slab { placed: Placed, batch: u64, seal: bool, snapshot: bool },
    /// Nothing until more is read.
    Nothing,
    /// The log is over.
    End,
}

/// What of a partition was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Offset of the first event taken, if any.
    pub first: Option<u64>,
    /// Offset behind the last event taken, here or before the snapshot.
    pub next: u64,
    /// Stored bytes of the partition up to there, if the log says.
    pub bytes: Option<u64>,
    /// Events taken.
    pub events: u64,
    /// Where the partition ends; none: it was not read so far.
    pub end: Option<u64>,
    /// Under order "time": the highest time of what was taken, here or before the snapshot.
    pub highest: Micros,
}

impl Extent {
    /// Up to where the partition was taken.
    pub(crate) fn reached(&self) -> Reached {
        Reached { next: self.next, bytes: self.bytes }
    }
}

/// A batch of the merge by time.
pub(crate) struct Cut {
    pub batch: u64,
    pub strands: Vec<Strand>,
    pub snapshot: bool,
}

pub(crate) struct Sequence {
    names: Vec<Arc<str>>,
    pub turns: Turns,
    /// Under order "time".
    pub merged: Option<Merged>,
    cuts: Cuts,
    follow: Vec<Follow>,
    /// Events read of each partition, taken or not.
    read: Vec<u64>,
    /// Partitions of which not all was read.
    closed: Vec<bool>,
    /// What was taken of each partition.
    pub extents: Vec<Extent>,
    batch: u64,
    in_batch: u64,
    slabs_in_batch: u64,
    bytes_in_batch: usize,
    since_snapshot: u64,
    /// Nothing comes any more; why, if it is not the end of the log.
    pub over: bool,
    pub error: Option<RunError>,
}

impl Sequence {
    pub(crate) fn new(log: &dyn Log, mut cuts: Cuts) -> Self {
        let partitions = log.partitions();
        for (from, partition) in cuts.from.iter_mut().zip(partitions) {
            *from = partition.first.max(*from);
        }
        cuts.highest.resize(partitions.len(), NEVER);
        let extent =
            |(&next, &highest): (&u64, &Micros)| Extent { next, highest, ..Extent::default() };
        let mut turns = Turns::new(Policy::of(log, &cuts), log.parts());
        let mut closed = vec![false; partitions.len()];
        for (number, (from, to)) in cuts.from.iter().zip(cuts.to.iter().flatten()).enumerate() {
            if to <= from {
                closed[number] = true;
                turns.close(number as PartitionIndex);
            }
        }
        let merged = (cuts.order == Order::Time).then(|| {
            let mut merged = Merged::new(&cuts.highest);
            let empty = |number: &u32| !turns.partitions().contains(number);
            (0..partitions.len() as u32).filter(empty).for_each(|number| merged.end(number));
            merged
        });
        Self {
            names: partitions.iter().map(|partition| Arc::from(&*partition.name)).collect(),
            turns,
            merged,
            closed,
            follow: partitions.iter().map(|partition| Follow::new(partition.first)).collect(),
            read: vec![0; partitions.len()],
            extents: cuts.from.iter().zip(&cuts.highest).map(extent).collect(),
            cuts,
            batch: 0,
            in_batch: 0,
            slabs_in_batch: 0,
            bytes_in_batch: 0,
            since_snapshot: 0,
            over: false,
            error: None,
        }
    }

    /// Batches that were given, the one that is open among them.
    pub(crate) fn batches(&self) -> u64 {
        self.batch + u64::from(self.in_batch > 0)
    }

    /// A part to read on.
    pub(crate) fn pick_read(&mut self) -> Option<ReadOn> {
        let Cuts { limit, from, .. } = &self.cuts;
        let merged = self.merged.as_ref();
        // To count up to a limit all events are wanted.
        self.turns.pick_read(
            |partition| limit.map_or(from[partition as usize], |_| 0),
            |partition| merged.is_none_or(|merged| merged.lacks(partition)),
        )
    }

    /// Hears which parts may have something now.
    pub(crate) fn hear(&mut self, bell: &Bell) {
        bell.take_woken().into_iter().for_each(|part| self.turns.woken(part));
    }

    /// The next slab in the order of the log.
    pub(crate) fn take(&mut self) -> Taken {
        while !self.over {
            let placed = match self.turns.take() {
                Turn::Piece(partition, piece) => self.cut(partition, piece),
                Turn::Nothing => return Taken::Nothing,
                Turn::Over => {
                    self.over = true;
                    self.end();
                    Ok(None)
                }
                Turn::Failed(error) => Err(error),
            };
            match placed {
                Ok(Some((placed, end))) => {
                    self.note(&placed, end);
                    return self.count(placed);
                }
                Ok(None) => {}
                Err(error) => {
                    self.error = Some(error);
                    self.over = true;
                }
            }
        }
        Taken::End
    }

    /// Under order "time": hands on what was read, as far as the merge wants it. Says whether there
    /// was anything, or a partition is known to be over.
    pub(crate) fn fill(&mut self) -> bool {
        let Some(mut merged) = self.merged.take() else { return false };
        let mut any = false;
        for group in 0..self.turns.partitions().len() {
            match self.fill_of(group, &mut merged) {
                Ok(some) => any |= some,
                Err(error) => {
                    self.error.get_or_insert(error);
                    self.over = true;
                }
            }
        }
        if merged.is_over() && !self.over {
            self.over = true;
            self.end();
        }
        self.merged = Some(merged);
        any
    }

    fn fill_of(&mut self, group: usize, merged: &mut Merged) -> Result<bool, RunError> {
        let partition = self.turns.partitions()[group];
        let mut any = false;
        while !self.over && merged.wants(partition) {
            match self.turns.take_of(group) {
                Turn::Piece(_, piece) => {
                    if let Some((placed, end)) = self.cut(partition, piece)? {
                        merged.put(placed, end);
                    }
                }
                Turn::Nothing => break,
                Turn::Over => merged.end(partition),
                Turn::Failed(error) => return Err(error),
            }
            any = true;
        }
        Ok(any)
    }

    /// Under order "time": the next batch, if it is known.
    pub(crate) fn merge(&mut self) -> Option<Cut> {
        let merged = self.merged.as_mut().filter(|_| !self.over)?;
        let every = self.cuts.snapshot_every;
        let left = every.map_or(u64::MAX, |every| every.saturating_sub(self.since_snapshot));
        let bounds = Bounds {
            events: self.cuts.batch_events.min(left).max(1),
            strands: BATCH_SLABS,
            text_bytes: BATCH_BYTES,
        };
        let strands = merged.batch(&bounds, &mut self.extents)?;
        self.since_snapshot += strands.iter().map(|strand| strand.rows.len() as u64).sum::<u64>();
        let snapshot = every.is_some_and(|every| self.since_snapshot >= every);
        if snapshot {
            self.since_snapshot = 0;
        }
        self.batch += 1;
        Some(Cut { batch: self.batch - 1, strands, snapshot })
    }

    /// The part of a piece behind the snapshot and before the limit, and the stored bytes of its
    /// partition up to its end, if the log says.
    fn cut(
        &mut self,
        partition: PartitionIndex,
        piece: Piece,
    ) -> Result<Option<(Placed, Option<u64>)>, RunError> {
        let number = partition as usize;
        let events = piece.slab.len();
        let offsets = self.follow[number].place(piece.offsets.clone(), events)?;
        let from = offsets.before(self.cuts.from[number], events);
        let read = self.read[number];
        self.read[number] += events as u64;
        let mut to = events;
        if let Some(limit) = self.cuts.limit {
            to =
                usize::try_from(limit.saturating_sub(read)).map_or(events, |left| left.min(events));
            if self.read[number] >= limit {
                self.close(partition);
            }
        }
        if let Some(end) = self.cuts.to.as_ref().map(|to| to[number]) {
            to = to.min(offsets.before(end, events));
            // Where nothing more may ever come, nobody waits for it.
            if offsets.at(events - 1) + 1 >= end {
                self.close(partition);
            }
        }
        let end = piece.end_at(from.max(to));
        if from >= to {
            if from > 0 {
                self.extents[number].bytes = end;
            }
            return Ok(None);
        }
        let placed = Placed {
            partition,
            name: self.names[number].clone(),
            offsets,
            folders: piece.folders,
            beside: piece.beside,
            slab: Arc::new(piece.slab),
        };
        Ok(Some((placed.slice(from..to), end)))
    }

    /// Notes what was taken.
    fn note(&mut self, placed: &Placed, end: Option<u64>) {
        let (offsets, last) = (&placed.offsets, placed.slab.len() - 1);
        let extent = &mut self.extents[placed.partition as usize];
        extent.first.get_or_insert(offsets.at(0));
        extent.next = offsets.at(last) + 1;
        extent.events += placed.slab.len() as u64;
        extent.bytes = end;
    }

    fn close(&mut self, partition: PartitionIndex) {
        self.closed[partition as usize] = true;
        self.turns.close(partition);
    }

    /// Nothing comes any more: what was not closed has ended by itself.
    fn end(&mut self) {
        for (number, extent) in self.extents.iter_mut().enumerate() {
            let (follow, from) = (&self.follow[number], self.cuts.from[number]);
            // A log may leave out what is not wanted, and so all that there is.
            let is_read = self.read[number] > 0 || from <= follow.next();
            extent.end = (is_read && !self.closed[number]).then_some(follow.next());
        }
    }

    fn count(&mut self, placed: Placed) -> Taken {
        let events = placed.slab.len() as u64;
        self.in_batch += events;
        self.since_snapshot += events;
        let snapshot = self.cuts.snapshot_every.is_some_and(|every| self.since_snapshot >= every);
        self.slabs_in_batch += 1;
        if let Slab::Lines(lines) = &*placed.slab {
            self.bytes_in_batch += lines.bytes.len();
        }
        let seal = snapshot
            || self.in_batch >= self.cuts.batch_events
            || self.slabs_in_batch >= BATCH_SLABS
            || self.bytes_in_batch >= BATCH_BYTES;
        let batch = self.batch;
        if seal {
            self.batch += 1;
            (self.in_batch, self.slabs_in_batch, self.bytes_in_batch) = (0, 0, 0);
        }
        if snapshot {
            self.since_snapshot = 0;
        }
        Taken::Slab { placed, batch, seal, snapshot }
    }
}
