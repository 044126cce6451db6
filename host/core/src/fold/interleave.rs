//! Order "time": partitions merged by the highest time so far in each, the partition, the offset
//! ([`Place`]). Within a partition places only rise, so that only the next event of each has to be
//! known to know the next of all.
//!
//! ```text
//! a   1  4  -  9  |                an event without a time takes its partition's last
//! b   2  3  2  7  |  11            one that is out of order takes the highest before it
//!
//! a:0 b:0 b:1 b:2 a:1 a:2 b:3 a:3  the order; a batch is cut anywhere in it
//! ```
//!
//! A batch is made of strands: of each slab the rows that it takes, with their numbers in the
//! batch. So events are moved as little as before, and only who judges and who writes walks them
//! by number.

use crate::decode::{Events, Placed};
use crate::log::{Micros, NEVER, PartitionIndex, Place, Spot};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// A slab that is decoded, and not yet sorted into shards: that is done once it is known which
/// batch takes what of it.
#[derive(Debug)]
pub struct Timed {
    /// The slab.
    pub placed: Placed,
    /// What was read of it, for each reader of the plan; the first has the clock.
    pub readers: Vec<Events>,
    /// Stored bytes of the partition up to and with the slab, if its log says.
    pub end: Option<u64>,
    bytes: usize,
}

/// What a batch takes of a slab.
#[derive(Debug)]
pub struct Strand {
    /// The slab.
    pub slab: Arc<Timed>,
    /// Its rows.
    pub rows: Range<usize>,
    /// The number of each in the batch.
    pub numbers: Arc<[u32]>,
}

/// Where a batch ends: behind the event with which one of these is reached.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Events.
    pub events: u64,
    /// Strands that are done with their slabs.
    pub strands: u64,
    /// Bytes of text.
    pub text_bytes: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Interleave {
    lines: Vec<Line>,
    /// The place of the next event of every line that has one.
    heads: BinaryHeap<Reverse<(Micros, PartitionIndex)>>,
    /// Lines of which the next event is not known yet.
    unknown: usize,
    /// Of the batch at hand.
    events: u64,
    text_bytes: usize,
    done: Vec<Strand>,
    /// Memory of the slabs of which events are still to be given.
    bytes: usize,
}

/// A partition.
#[derive(Debug, Default)]
struct Line {
    /// The highest time of events that were given.
    highest: Micros,
    slabs: VecDeque<Arc<Timed>>,
    /// The row of the first slab that is given next, and the one with which the batch began.
    row: usize,
    begun: usize,
    numbers: Vec<u32>,
    over: bool,
}

impl Line {
    /// The time by which the next event is placed.
    fn next(&self) -> Option<Micros> {
        let slab = self.slabs.front()?;
        Some(self.highest.max(slab.clock(self.row)))
    }

    /// What the batch takes of the first slab.
    fn strand(&mut self) -> Option<Strand> {
        let slab = self.slabs.front().filter(|_| self.begun < self.row)?.clone();
        let (rows, numbers) = (self.begun..self.row, std::mem::take(&mut self.numbers));
        self.begun = self.row;
        Some(Strand { slab, rows, numbers: numbers.into() })
    }
}

impl Timed {
    /// A slab and what was read of it.
    pub fn new(placed: Placed, readers: Vec<Events>, end: Option<u64>) -> Self {
        let bytes = placed.bytes() + readers.iter().map(Events::bytes).sum::<usize>();
        Self { placed, readers, end, bytes }
    }

    /// The time of an event; [`NEVER`]: it has none.
    #[inline]
    fn clock(&self, row: usize) -> Micros {
        self.readers[0].clock[row]
    }

    /// Where its first event with a time stands, in a partition that has seen `highest`.
    pub fn first_place(&self, highest: Micros) -> Option<Place> {
        let clock = self.readers.first()?.clock.iter().copied().enumerate();
        let (row, time) = clock.into_iter().find(|&(_, time)| time != NEVER)?;
        let Placed { partition, offsets, .. } = &self.placed;
        let spot = Spot { partition: *partition, offset: offsets.at(row) };
        Some(Place { highest: highest.max(time), spot })
    }

    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Strand {
    /// Where its last event lies: what is taken of the partition ends behind it.
    pub fn last(&self) -> Spot {
        let Placed { partition, offsets, .. } = &self.slab.placed;
        Spot { partition: *partition, offset: offsets.at(self.rows.end - 1) }
    }
}

impl Interleave {
    /// Of partitions with these highest times so far.
    pub fn new(highest: &[Micros]) -> Self {
        let line = |&highest: &Micros| Line { highest, ..Line::default() };
        Self {
            lines: highest.iter().map(line).collect(),
            heads: BinaryHeap::new(),
            unknown: highest.len(),
            events: 0,
            text_bytes: 0,
            done: Vec::new(),
            bytes: 0,
        }
    }

    /// Memory of the slabs that wait, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the next slab of its partition, which is not empty.
    pub fn push(&mut self, slab: Timed) {
        let partition = slab.placed.partition;
        self.bytes += slab.bytes();
        let line = &mut self.lines[partition as usize];
        line.slabs.push_back(Arc::new(slab));
        if line.slabs.len() == 1 {
            self.unknown -= 1;
            self.heads.extend(line.next().map(|time| Reverse((time, partition))));
        }
    }

    /// Nothing more comes of a partition.
    pub fn end(&mut self, partition: PartitionIndex) {
        let line = &mut self.lines[partition as usize];
        if !std::mem::replace(&mut line.over, true) && line.slabs.is_empty() {
            self.unknown -= 1;
        }
    }

    /// How many slabs of a partition wait; none: nothing more comes of it.
    pub fn waiting(&self, partition: PartitionIndex) -> Option<usize> {
        let line = &self.lines[partition as usize];
        (!line.over).then_some(line.slabs.len())
    }

    /// The highest time of the events of a partition that were given.
    pub fn highest(&self, partition: PartitionIndex) -> Micros {
        self.lines[partition as usize].highest
    }

    /// Whether all events were given.
    pub fn is_over(&self) -> bool {
        self.unknown == 0 && self.heads.is_empty() && self.events == 0
    }

    /// The next batch, if all of it is known: every event up to the first bound, or to the end.
    /// Its strands stand in the order of their events' places in the log.
    pub fn batch(&mut self, bounds: &Bounds) -> Option<Vec<Strand>> {
        while !self.is_full(bounds) {
            if self.unknown > 0 {
                return None;
            }
            let Some(Reverse((time, partition))) = self.heads.pop() else { break };
            self.run(time, partition, bounds);
        }
        (self.events > 0).then(|| self.cut())
    }

    fn is_full(&self, bounds: &Bounds) -> bool {
        self.events >= bounds.events
            || self.text_bytes >= bounds.text_bytes
            || self.done.len() as u64 >= bounds.strands
    }

    /// Gives the events of a partition that come before the next of all others; `time`: of the
    /// first.
    fn run(&mut self, mut time: Micros, partition: PartitionIndex, bounds: &Bounds) {
        let rival = self.heads.peek().map(|head| head.0);
        let line = &mut self.lines[partition as usize];
        let Some(slab) = line.slabs.front().cloned() else { return };
        let slab_events = slab.placed.slab.len();
        loop {
            line.highest = time;
            line.numbers.push(self.events as u32);
            self.text_bytes += slab.placed.slab.text_bytes(line.row);
            self.events += 1;
            line.row += 1;
            if line.row == slab_events {
                self.done.extend(line.strand());
                line.slabs.pop_front();
                self.bytes -= slab.bytes();
                (line.row, line.begun) = (0, 0);
                match line.next() {
                    Some(time) => self.heads.push(Reverse((time, partition))),
                    None => self.unknown += usize::from(!line.over),
                }
                return;
            }
            time = line.highest.max(slab.clock(line.row));
            let is_full = self.events >= bounds.events || self.text_bytes >= bounds.text_bytes;
            if is_full || rival.is_some_and(|rival| rival < (time, partition)) {
                self.heads.push(Reverse((time, partition)));
                return;
            }
        }
    }

    fn cut(&mut self) -> Vec<Strand> {
        let mut strands = std::mem::take(&mut self.done);
        strands.extend(self.lines.iter_mut().filter_map(Line::strand));
        strands.sort_by_key(Strand::last);
        (self.events, self.text_bytes) = (0, 0);
        strands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Lines, Slab};
    use crate::log::Offsets;
    use proptest::prelude::*;

    const EVENTS: Bounds = Bounds { events: u64::MAX, strands: u64::MAX, text_bytes: usize::MAX };

    fn slab(partition: u32, first: u64, times: &[Micros]) -> Timed {
        let ends = (1..=times.len() as u32).collect();
        let lines = Lines { bytes: vec![b'\n'; times.len()], ends, ..Lines::default() };
        let placed = Placed {
            partition,
            name: "p".into(),
            offsets: Offsets::From(first),
            slab: Arc::new(Slab::Lines(lines)),
            folders: Arc::default(),
            beside: None,
        };
        let readers = vec![Events { clock: times.to_vec(), ..Events::default() }];
        Timed::new(placed, readers, None)
    }

    /// The events of a batch in the order of their numbers.
    fn order(strands: &[Strand]) -> Vec<(u32, u64)> {
        let mut all: Vec<(u32, (u32, u64))> = Vec::new();
        for strand in strands {
            let placed = &strand.slab.placed;
            let spots = strand.rows.clone().map(|row| (placed.partition, placed.offsets.at(row)));
            all.extend(strand.numbers.iter().copied().zip(spots));
        }
        all.sort();
        assert!(all.iter().map(|(number, _)| *number).eq(0..all.len() as u32));
        all.into_iter().map(|(_, spot)| spot).collect()
    }

    #[test]
    fn partitions_are_merged_as_the_picture_shows() {
        let mut merged = Interleave::new(&[NEVER; 2]);
        merged.push(slab(0, 0, &[1, 4, NEVER, 9]));
        assert!(merged.batch(&EVENTS).is_none(), "nobody knows what b begins with");
        merged.push(slab(1, 0, &[2, 3, 2, 7]));
        merged.end(0);
        assert!(merged.batch(&EVENTS).is_none(), "b may go on before 9");
        merged.push(slab(1, 4, &[11]));
        merged.end(1);
        let batch = merged.batch(&Bounds { events: 8, ..EVENTS }).unwrap();
        let all = [(0, 0), (1, 0), (1, 1), (1, 2), (0, 1), (0, 2), (1, 3), (0, 3)];
        assert_eq!(order(&batch), all);
        assert_eq!((merged.highest(0), merged.highest(1), merged.is_over()), (9, 7, false));
        assert_eq!(order(&merged.batch(&EVENTS).unwrap()), [(1, 4)]);
        assert!(merged.is_over() && merged.batch(&EVENTS).is_none());
    }

    #[test]
    fn a_batch_ends_at_any_of_its_bounds() {
        let full = |bounds: Bounds| {
            let mut merged = Interleave::new(&[NEVER]);
            (0..3).for_each(|n| merged.push(slab(0, n * 2, &[1, 1])));
            merged.end(0);
            order(&merged.batch(&bounds).unwrap()).len()
        };
        assert_eq!(full(EVENTS), 6);
        assert_eq!(full(Bounds { events: 3, ..EVENTS }), 3);
        assert_eq!(full(Bounds { text_bytes: 5, ..EVENTS }), 5);
        assert_eq!(full(Bounds { strands: 1, ..EVENTS }), 2);
    }

    proptest! {
        #[test]
        fn it_is_a_sort_by_place_however_it_is_cut(
            log in proptest::collection::vec(proptest::collection::vec(-1i64..12, 0..40), 1..6),
            slabs in 1usize..9,
            events in 1u64..30,
            before in proptest::collection::vec(-1i64..12, 6),
        ) {
            let never = |time: i64| if time < 0 { NEVER } else { time };
            let highest: Vec<Micros> =
                (0..log.len()).map(|number| never(before[number])).collect();
            let mut places: Vec<Place> = Vec::new();
            for (partition, times) in log.iter().enumerate() {
                let mut highest = highest[partition];
                for (offset, &time) in times.iter().enumerate() {
                    highest = highest.max(never(time));
                    let spot = Spot { partition: partition as u32, offset: offset as u64 };
                    places.push(Place { highest, spot });
                }
            }
            places.sort();
            let mut merged = Interleave::new(&highest);
            let mut rest: Vec<VecDeque<Timed>> = log.iter().enumerate().map(|(partition, times)| {
                let times: Vec<Micros> = times.iter().map(|&time| never(time)).collect();
                let slab = |(n, some): (usize, &[Micros])| {
                    slab(partition as u32, (n * slabs) as u64, some)
                };
                times.chunks(slabs).enumerate().map(slab).collect()
            }).collect();
            let mut given = Vec::new();
            while !merged.is_over() {
                match merged.batch(&Bounds { events, ..EVENTS }) {
                    Some(batch) => given.extend(order(&batch)),
                    None => for (partition, rest) in rest.iter_mut().enumerate() {
                        if merged.waiting(partition as u32) == Some(0) {
                            match rest.pop_front() {
                                Some(slab) => merged.push(slab),
                                None => merged.end(partition as u32),
                            }
                        }
                    },
                }
            }
            let sorted: Vec<(u32, u64)> =
                places.iter().map(|p| (p.spot.partition, p.spot.offset)).collect();
            prop_assert_eq!(given, sorted);
        }
    }
}
