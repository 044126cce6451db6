//! Where times lie: one look at every event of the log, at its input and its time alone, parts
//! beside one another.

use super::RangeError;
use crate::cancel::Cancel;
use crate::log::{End, Log, Part, Partition, Piece};
use crate::threads::each;
use retally_core::decode::{Decoder, Events, Placed, Plan};
use retally_core::log::{Micros, NEVER, Offsets};
use std::sync::Arc;

/// Offsets at the end of a partition among which its last event is looked for first.
const LAST: u64 = 1024;

/// What is looked for.
pub(super) struct Scan<'a> {
    pub log: &'a dyn Log,
    pub names: &'a [String],
    /// Reads inputs and times; none: nothing is looked at but where partitions end.
    pub plan: Option<Arc<Plan>>,
    /// For each of these the first event at or after it.
    pub times: &'a [Micros],
    /// How many partitions are looked at, from the first on.
    pub partitions: usize,
    /// Of each partition an offset before which no event is at or after any of the times; none:
    /// nobody knows.
    pub begins: Option<&'a [u64]>,
    /// Of partitions that hold no event at or after the first of the times where they end, if that
    /// is known; and which hold none before any of them. They are not read.
    pub of: (&'a [Option<u64>], &'a [bool]),
    pub threads: usize,
    pub cancel: &'a Cancel,
}

/// What a partition, or a part of one, holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found<P = u64> {
    /// Behind its last event.
    pub end: P,
    /// Of each time.
    pub hits: Vec<Hit<P>>,
    /// First and last time of events.
    pub span: Option<(Micros, Micros)>,
}

/// How events lie around a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit<P = u64> {
    /// The first event at or after it.
    pub first: Option<P>,
    /// Events before it in time.
    pub earlier: u64,
    /// Those of them that lie behind the first.
    pub late: u64,
}

/// A place in a part: readers in the middle of a file know no offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// So many events behind the first of the part.
    Behind(u64),
    Offset(u64),
}

impl At {
    fn plus(self, events: u64) -> Self {
        match self {
            Self::Behind(count) => Self::Behind(count + events),
            Self::Offset(offset) => Self::Offset(offset + events),
        }
    }

    /// The offset, in a part whose first event lies at `start`.
    fn offset(self, start: u64) -> u64 {
        match self {
            Self::Behind(count) => start + count,
            Self::Offset(offset) => offset,
        }
    }
}

/// The first and the last of both.
pub(super) fn both(
    a: Option<(Micros, Micros)>,
    b: Option<(Micros, Micros)>,
) -> Option<(Micros, Micros)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    }
}

impl<P> Hit<P> {
    pub(super) fn none() -> Self {
        Self { first: None, earlier: 0, late: 0 }
    }

    /// With what lies behind it.
    pub(super) fn then(&mut self, next: Self) {
        self.earlier += next.earlier;
        self.late += if self.first.is_some() { next.earlier } else { next.late };
        self.first = self.first.take().or(next.first);
    }
}

impl Scan<'_> {
    /// What each partition holds.
    pub(super) fn run(&self) -> Result<Vec<Found>, RangeError> {
        let (front, behind) = self.of;
        let known = |number: usize| front.get(number).copied().flatten();
        let is_behind = |number: usize| behind.get(number).copied().unwrap_or_default();
        let wanted = |(_, part): &(usize, &Part)| {
            let number = part.partition as usize;
            number < self.partitions && known(number).is_none() && !is_behind(number)
        };
        let parts: Vec<(usize, &Part)> =
            self.log.parts().iter().enumerate().filter(wanted).collect();
        let found = each(self.threads, parts.len(), |place| self.part(parts[place].0))?;
        let first = |(number, partition): (usize, &Partition)| {
            let first = is_behind(number).then_some(partition.first);
            let hit = Hit { first, ..Hit::none() };
            let hits = self.times.iter().map(|_| hit.clone()).collect();
            Found { end: partition.first, hits, span: None }
        };
        let partitions = self.log.partitions().iter().take(self.partitions);
        let mut all: Vec<Found> = partitions.enumerate().map(first).collect();
        for ((_, part), found) in parts.into_iter().zip(found) {
            let own = &mut all[part.partition as usize];
            let start = own.end;
            for (hit, next) in own.hits.iter_mut().zip(found.hits) {
                let first = next.first.map(|at: At| at.offset(start));
                hit.then(Hit { first, earlier: next.earlier, late: next.late });
            }
            own.end = found.end.offset(start);
            own.span = both(own.span, found.span);
        }
        for (number, own) in all.iter_mut().enumerate() {
            own.end = known(number).unwrap_or(own.end);
        }
        Ok(all)
    }

    /// Where nothing in front is wanted, it is not looked at. But where a partition ends, its
    /// last event tells, so that something is.
    fn part(&self, number: usize) -> Result<Found<At>, RangeError> {
        let partition = self.log.parts()[number].partition as usize;
        let Partition { first, end, .. } = self.log.partitions()[partition];
        let (Some(begins), End::Before(end)) = (self.begins, end) else {
            return self.part_from(number, 0);
        };
        let (begin, is_none) = (begins[partition], begins[partition] >= end);
        let from = if is_none { end.saturating_sub(LAST) } else { begin };
        let found = self.part_from(number, from)?;
        let is_whole = from <= first;
        // Whoever said that there is none was wrong.
        let is_wrong = is_none && found.hits.iter().any(|hit| hit.first.is_some());
        match found.end == At::Behind(0) || is_wrong {
            true if !is_whole => self.part_from(number, 0),
            _ => Ok(found),
        }
    }

    fn part_from(&self, number: usize, from: u64) -> Result<Found<At>, RangeError> {
        let mut decoder = self.plan.clone().map(Decoder::new);
        let mut readers = Vec::new();
        let mut feed = self.log.read(number, from)?;
        let hits = self.times.iter().map(|_| Hit::none()).collect();
        let mut found = Found { end: At::Behind(0), hits, span: None };
        loop {
            let piece = self.cancel.wait(|cx| feed.poll(cx)).ok_or(RangeError::Cancelled)??;
            let Some(piece) = piece else { return Ok(found) };
            let (events, offsets) = (piece.slab.len(), piece.offsets.clone());
            if let Some(decoder) = &mut decoder {
                let placed = self.placed(number, piece);
                decoder.decode(&placed, &mut readers)?;
                see(&mut found, &readers, (events, offsets.as_ref()), self.times);
            }
            found.end = match &offsets {
                Some(offsets) if events > 0 => At::Offset(offsets.at(events - 1) + 1),
                _ => found.end.plus(events as u64),
            };
        }
    }

    /// Where it lies decides no time.
    fn placed(&self, part: usize, piece: Piece) -> Placed {
        let partition = self.log.parts()[part].partition;
        let name = Arc::from(self.names[partition as usize].as_str());
        let Piece { slab, folders, beside, .. } = piece;
        let (offsets, slab) = (Offsets::From(0), Arc::new(slab));
        Placed { partition, name, offsets, folders, beside, slab }
    }
}

/// Looks at the times of a piece, behind what was found before it.
fn see(
    found: &mut Found<At>,
    readers: &[Events],
    (events, offsets): (usize, Option<&Offsets>),
    times: &[Micros],
) {
    let clock = readers.first().map_or(&[][..], |events| &events.clock);
    let time = |row: usize| {
        // Under order "time" what counts is what the merge goes by.
        if let Some(&time) = clock.get(row) {
            return (time > NEVER).then_some(time);
        }
        let own = readers.iter().find(|events| events.readings[row].has_key());
        own.map(|events| events.times[row])
    };
    for row in 0..events {
        let Some(time) = time(row) else { continue };
        found.span = both(found.span, Some((time, time)));
        for (hit, wanted) in found.hits.iter_mut().zip(times) {
            if time < *wanted {
                hit.earlier += 1;
                hit.late += u64::from(hit.first.is_some());
            } else if hit.first.is_none() {
                let at = offsets.map(|offsets| At::Offset(offsets.at(row)));
                hit.first = Some(at.unwrap_or_else(|| found.end.plus(row as u64)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Feed, LogError, MemoryLog, MemoryPartition};
    use std::sync::Mutex;

    /// A partition up to offset 5,000 whose events lie at `offsets`, and from where it was read.
    struct Noting {
        offsets: Vec<u64>,
        partitions: Vec<Partition>,
        parts: Vec<Part>,
        read: Mutex<Vec<u64>>,
    }

    impl Log for Noting {
        fn partitions(&self) -> &[Partition] {
            &self.partitions
        }

        fn parts(&self) -> &[Part] {
            &self.parts
        }

        fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError> {
            self.read.lock().unwrap().push(from);
            let offsets: Vec<u64> =
                self.offsets.iter().copied().filter(|offset| *offset >= from).collect();
            let text = "{}\n".repeat(offsets.len());
            MemoryLog::new(vec![MemoryPartition::lines("0", text).at(offsets)])?.read(part, 0)
        }
    }

    #[test]
    fn what_lies_in_front_is_read_only_where_an_end_would_not_be_known() {
        for (offsets, begins, read) in [
            (0..4_900, None, &[0][..]),
            (0..4_900, Some(4_000), &[4_000]),
            (0..4_900, Some(5_000), &[3_976]),
            // What is behind are marks of transactions.
            (0..3_900, Some(5_000), &[3_976, 0]),
            (0..3_900, Some(3_900), &[3_900, 0]),
        ] {
            let last = offsets.end;
            let (name, end) = ("0".to_owned(), End::Before(5_000));
            let log = Noting {
                offsets: offsets.collect(),
                partitions: vec![Partition { name, first: 0, end }],
                parts: vec![Part { partition: 0, bytes: 0 }],
                read: Mutex::default(),
            };
            let begins: Option<Vec<u64>> = begins.map(|begin| vec![begin]);
            let (names, cancel) = (["0".to_owned()], Cancel::default());
            let (times, of, begins) = (&[7][..], (&[][..], &[][..]), begins.as_deref());
            let (log, names, cancel) = (&log, &names[..], &cancel);
            let (plan, partitions, threads) = (None, 1, 1);
            let scan = Scan { log, names, plan, times, partitions, begins, of, threads, cancel };
            assert_eq!(scan.run().unwrap()[0].end, last, "{begins:?}");
            assert_eq!(*log.read.lock().unwrap(), read, "{begins:?}");
        }
    }
}
