//! The log as one sequence of batches: which slab comes next, where it lies, where a batch ends.
//!
//! Parts are read ahead by several threads, but taken in the order of the log, so that offsets,
//! batches and the places of snapshots depend on the log and the batch size alone.

use super::error::RunError;
use crate::source::{Part, PartReader};
use retally_core::decode::{Placed, Slab};
use retally_core::log::{Offsets, PartitionIndex};
use std::collections::VecDeque;
use std::sync::Arc;

/// Text that was read and waits for its turn, in bytes: enough to keep the threads busy.
const READ_AHEAD_BYTES: usize = 24 << 20;

/// Parts that are read at one time.
const PARTS_AHEAD: usize = 4;

/// How the sequence is cut.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cuts {
    /// Events of a batch; a batch ends with the slab that reaches it.
    pub batch_events: u64,
    /// `--limit`: only the first so many events of each partition.
    pub limit: Option<u64>,
    /// `[snapshots] every`: a batch ends with the slab that reaches so many events since the last.
    pub snapshot_every: Option<u64>,
    /// For each partition the offset at which to begin: everything before is in a snapshot.
    pub from: Vec<u64>,
}

enum Reading {
    Waiting,
    Idle(PartReader),
    Busy,
    Done,
}

struct PartState {
    partition: PartitionIndex,
    reading: Reading,
    queue: VecDeque<Slab>,
    /// Beyond the limit: not read any further.
    closed: bool,
    error: Option<RunError>,
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
    /// Events taken.
    pub events: u64,
}

/// See the module.
pub(crate) struct Sequence {
    names: Vec<Arc<str>>,
    parts: Vec<PartState>,
    front: usize,
    cuts: Cuts,
    /// Events read of each partition, taken or not.
    read: Vec<u64>,
    extents: Vec<Extent>,
    batch: u64,
    in_batch: u64,
    since_snapshot: u64,
    queued_bytes: usize,
    over: bool,
    error: Option<RunError>,
}

impl Sequence {
    pub(crate) fn new(names: &[String], parts: &[Part], cuts: Cuts) -> Self {
        let state = |part: &Part| PartState {
            partition: part.partition,
            reading: Reading::Waiting,
            queue: VecDeque::new(),
            closed: false,
            error: None,
        };
        Self {
            names: names.iter().map(|name| Arc::from(name.as_str())).collect(),
            parts: parts.iter().map(state).collect(),
            front: 0,
            read: vec![0; names.len()],
            extents: cuts.from.iter().map(|&next| Extent { next, ..Extent::default() }).collect(),
            cuts,
            batch: 0,
            in_batch: 0,
            since_snapshot: 0,
            queued_bytes: 0,
            over: parts.is_empty(),
            error: None,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) fn take_error(&mut self) -> Option<RunError> {
        self.error.take()
    }

    /// What was taken of each partition.
    pub(crate) fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// A part to read on, with its reader unless it must be opened.
    pub(crate) fn pick_read(&mut self) -> Option<(usize, Option<PartReader>)> {
        let full = self.queued_bytes >= READ_AHEAD_BYTES;
        let end = (self.front + PARTS_AHEAD).min(self.parts.len());
        for number in self.front..end {
            let part = &mut self.parts[number];
            // The part at the front may always be read while nothing of it waits: no deadlock.
            if full && !(number == self.front && part.queue.is_empty()) {
                continue;
            }
            match std::mem::replace(&mut part.reading, Reading::Busy) {
                Reading::Waiting => return Some((number, None)),
                Reading::Idle(reader) => return Some((number, Some(reader))),
                other => part.reading = other,
            }
        }
        None
    }

    /// What came of reading a part: a slab and the reader, or its end, or an error.
    pub(crate) fn read(
        &mut self,
        number: usize,
        result: Result<Option<(Slab, PartReader)>, RunError>,
    ) {
        let part = &mut self.parts[number];
        if part.closed {
            part.reading = Reading::Done;
            return;
        }
        match result {
            Ok(Some((slab, reader))) => {
                self.queued_bytes += slab_bytes(&slab);
                part.queue.push_back(slab);
                part.reading = Reading::Idle(reader);
            }
            Ok(None) => part.reading = Reading::Done,
            Err(error) => {
                part.error = Some(error);
                part.reading = Reading::Done;
            }
        }
    }

    /// The next slab in the order of the log.
    pub(crate) fn take(&mut self) -> Taken {
        while !self.over {
            let part = &mut self.parts[self.front];
            let partition = part.partition as usize;
            if let Some(slab) = part.queue.pop_front() {
                self.queued_bytes -= slab_bytes(&slab);
                if let Some(placed) = self.cut(partition, slab) {
                    return self.count(placed);
                }
                if self.is_full(partition) {
                    self.skip_rest(partition);
                }
                continue;
            }
            if !matches!(part.reading, Reading::Done) {
                return Taken::Nothing;
            }
            if let Some(error) = part.error.take() {
                self.error = Some(error);
                self.over = true;
                break;
            }
            self.front += 1;
            self.over = self.front == self.parts.len();
        }
        Taken::End
    }

    fn is_full(&self, partition: usize) -> bool {
        self.cuts.limit.is_some_and(|limit| self.read[partition] >= limit)
    }

    /// Leaves the parts of a partition that are beyond the limit unread.
    fn skip_rest(&mut self, partition: usize) {
        for part in self.parts[self.front..].iter_mut() {
            if part.partition as usize == partition {
                part.closed = true;
                if !matches!(part.reading, Reading::Busy) {
                    part.reading = Reading::Done;
                }
                self.queued_bytes -= part.queue.iter().map(slab_bytes).sum::<usize>();
                part.queue.clear();
            }
        }
    }

    /// The part of a slab behind the snapshot and before the limit.
    fn cut(&mut self, partition: usize, slab: Slab) -> Option<Placed> {
        let first = self.read[partition];
        let end = first + slab.len() as u64;
        self.read[partition] = end;
        let from = self.cuts.from[partition].max(first);
        let to = self.cuts.limit.map_or(end, |limit| end.min(limit)).max(from.min(end));
        if from >= to {
            return None;
        }
        let extent = &mut self.extents[partition];
        extent.first.get_or_insert(from);
        extent.next = to;
        extent.events += to - from;
        let slab = slice(slab, (from - first) as usize, (to - from) as usize);
        Some(Placed {
            partition: partition as PartitionIndex,
            name: self.names[partition].clone(),
            offsets: Offsets::From(from),
            slab: Arc::new(slab),
        })
    }

    fn count(&mut self, placed: Placed) -> Taken {
        let events = placed.slab.len() as u64;
        self.in_batch += events;
        self.since_snapshot += events;
        let snapshot = self.cuts.snapshot_every.is_some_and(|every| self.since_snapshot >= every);
        let seal = snapshot || self.in_batch >= self.cuts.batch_events;
        let batch = self.batch;
        if seal {
            self.batch += 1;
            self.in_batch = 0;
        }
        if snapshot {
            self.since_snapshot = 0;
        }
        Taken::Slab { placed, batch, seal, snapshot }
    }
}

fn slab_bytes(slab: &Slab) -> usize {
    match slab {
        Slab::Lines(lines) => lines.bytes.len() + lines.ends.len() * 4,
        Slab::Rows(rows) => rows.get_array_memory_size(),
    }
}

/// Events `from..from + events` of a slab.
fn slice(slab: Slab, from: usize, events: usize) -> Slab {
    if from == 0 && events == slab.len() {
        return slab;
    }
    match slab {
        Slab::Rows(rows) => Slab::Rows(rows.slice(from, events)),
        Slab::Lines(mut lines) => {
            let start = if from == 0 { 0 } else { lines.ends[from - 1] };
            let end = lines.ends[from + events - 1];
            lines.bytes.truncate(end as usize);
            lines.bytes.drain(..start as usize);
            lines.ends.truncate(from + events);
            lines.ends.drain(..from);
            lines.ends.iter_mut().for_each(|end| *end -= start);
            lines.cut.retain(|&(row, _)| (from..from + events).contains(&(row as usize)));
            lines.cut.iter_mut().for_each(|(row, _)| *row -= from as u32);
            Slab::Lines(lines)
        }
    }
}
