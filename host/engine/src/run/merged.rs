//! Order "time": every partition is read and decoded ahead, so that the times of its next events
//! are known, and batches are cut from the merge of all ([`Interleave`]).
//!
//! ```text
//! Turns -> Head -decode-> Timed -> (in order of its partition) -> Interleave -> strands
//! ```
//!
//! The sequence of batches depends on the log and the batch size alone, as under the other orders:
//! a batch is cut only where the place of every event in it is known.

use super::sequence::Extent;
use crate::limits::{MERGED_AHEAD_BYTES, SLABS_AHEAD};
use crate::log::end_at;
use retally_core::decode::Placed;
use retally_core::fold::{Bounds, Interleave, Strand, Timed};
use retally_core::log::{Micros, PartitionIndex};
use std::collections::VecDeque;

/// A slab that is to be decoded before anybody knows which batch takes its events.
pub(crate) struct Head {
    pub placed: Placed,
    /// Stored bytes of the partition up to and with it, if the log says.
    pub end: Option<u64>,
    /// Its number among the slabs of its partition.
    pub number: u64,
}

/// See the module.
pub(crate) struct Merged {
    events: Interleave,
    lines: Vec<Line>,
    waiting: VecDeque<Head>,
    /// Memory of slabs that wait to be decoded, or are.
    bytes: usize,
}

/// A partition.
#[derive(Default)]
struct Line {
    /// Slabs that were handed on to be decoded and are not merged yet, by their numbers from
    /// `first` on: threads finish in any order.
    decoding: VecDeque<Option<Timed>>,
    first: u64,
    /// Nothing more is read of it.
    over: bool,
}

impl Merged {
    /// Of partitions with these highest times so far.
    pub(crate) fn new(highest: &[Micros]) -> Self {
        Self {
            events: Interleave::new(highest),
            lines: highest.iter().map(|_| Line::default()).collect(),
            waiting: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Memory that is held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.events.bytes()
    }

    /// Slabs of a partition that nobody has merged; none: nothing more comes of it.
    fn ahead(&self, partition: PartitionIndex) -> Option<usize> {
        let line = &self.lines[partition as usize];
        let merged = self.events.waiting(partition)?;
        (!line.over).then_some(merged + line.decoding.len())
    }

    /// Whether the merge can take more of a partition: always where it has nothing of it, so that
    /// it goes on.
    pub(crate) fn wants(&self, partition: PartitionIndex) -> bool {
        let has_room = || self.bytes() < MERGED_AHEAD_BYTES;
        self.ahead(partition).is_some_and(|ahead| ahead == 0 || (ahead < SLABS_AHEAD && has_room()))
    }

    /// Whether the merge waits for a partition.
    pub(crate) fn lacks(&self, partition: PartitionIndex) -> bool {
        self.ahead(partition) == Some(0)
    }

    /// Takes the next slab of its partition.
    pub(crate) fn put(&mut self, placed: Placed, end: Option<u64>) {
        let line = &mut self.lines[placed.partition as usize];
        let number = line.first + line.decoding.len() as u64;
        line.decoding.push_back(None);
        self.bytes += placed.bytes();
        self.waiting.push_back(Head { placed, end, number });
    }

    /// Nothing more is read of a partition.
    pub(crate) fn end(&mut self, partition: PartitionIndex) {
        self.lines[partition as usize].over = true;
        self.settle(partition);
    }

    /// A slab to decode.
    pub(crate) fn pick(&mut self) -> Option<Head> {
        self.waiting.pop_front()
    }

    /// A slab is decoded.
    pub(crate) fn decoded(&mut self, number: u64, slab: Timed) {
        let partition = slab.placed.partition;
        let line = &mut self.lines[partition as usize];
        self.bytes -= slab.placed.bytes();
        line.decoding[(number - line.first) as usize] = Some(slab);
        self.settle(partition);
    }

    /// Moves on what is decoded of a partition, in its order.
    fn settle(&mut self, partition: PartitionIndex) {
        let line = &mut self.lines[partition as usize];
        while let Some(slab) = line.decoding.front_mut().and_then(Option::take) {
            line.decoding.pop_front();
            line.first += 1;
            self.events.push(slab);
        }
        if line.over && line.decoding.is_empty() {
            self.events.end(partition);
        }
    }

    /// Whether every event was given.
    pub(crate) fn is_over(&self) -> bool {
        self.events.is_over()
    }

    /// The next batch, if it is known, noted in the extents of its partitions.
    pub(crate) fn batch(&mut self, bounds: &Bounds, extents: &mut [Extent]) -> Option<Vec<Strand>> {
        let strands = self.events.batch(bounds)?;
        // Those of a partition stand in its order.
        for strand in &strands {
            let Timed { placed, end, .. } = &*strand.slab;
            let extent = &mut extents[placed.partition as usize];
            extent.first.get_or_insert(placed.offsets.at(strand.rows.start));
            extent.next = strand.last().offset + 1;
            extent.events += strand.rows.len() as u64;
            extent.bytes = end_at(&placed.slab, *end, strand.rows.end);
            extent.highest = self.events.highest(placed.partition);
        }
        Some(strands)
    }
}

/// Memory that a strand stands for, in bytes: its part of a slab that is decoded.
pub(crate) fn strand_bytes(strand: &Strand) -> usize {
    let Timed { placed, .. } = &*strand.slab;
    strand.slab.bytes() * strand.rows.len() / placed.slab.len().max(1)
}
