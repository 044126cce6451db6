//! A partition made of the files of a topic: read one behind the other, in the order of the offsets
//! that their names begin with.
//!
//! ```text
//! file 0   0 1 2 3
//! file 2       2 3 4 5          offsets 2 and 3 again: held against file 0's, and not given
//! file 8                 8 9    offsets 6 and 7 are missing: found, and gone on
//! given    0 1 2 3 4 5   8 9
//! ```
//!
//! How many records a file has is known when it is read, so one reader goes through all of a
//! partition. What a file has again is compared record by record, by opening both files once more:
//! it is rare, and whoever has it wants to know that it is the same.

use super::{Format, Source};
use crate::limits::AHEAD_OBJECTS;
use crate::log::{Feed, LogError, Piece, Reached};
use arrow_array::RecordBatch;
use retally_core::decode::{Slab, original};
use retally_core::log::{Offsets, PartitionIndex};
use retally_core::manifest::{Finding, Found};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

/// What was seen of partitions that are joined, by whoever read them; however often that is, it is
/// the same.
#[derive(Default)]
pub(super) struct Joins(Mutex<State>);

#[derive(Default)]
struct State {
    /// The offsets that each object gave, by its number.
    given: BTreeMap<usize, Range<u64>>,
    /// Offsets that are missing in front of an object, and the object in front of them.
    missing: BTreeMap<usize, (Range<u64>, Option<usize>)>,
    /// Offsets that an object has which another one gave, and up to where offsets were given then.
    twice: BTreeMap<(usize, usize), (Range<u64>, u64)>,
}

impl Joins {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object gave the events at these offsets.
    pub(super) fn give(&self, object: usize, offsets: Range<u64>) {
        wider(self.lock().given.entry(object).or_insert_with(|| offsets.clone()), &offsets);
    }

    /// The offsets that an object gave so far.
    pub(super) fn gave(&self, object: usize) -> Option<Range<u64>> {
        self.lock().given.get(&object).cloned()
    }
}

fn wider(range: &mut Range<u64>, by: &Range<u64>) {
    *range = range.start.min(by.start)..range.end.max(by.end);
}

/// Reads a partition.
pub(super) struct JoinedReader {
    source: Source,
    partition: PartitionIndex,
    /// The slices that were not begun.
    left: Range<usize>,
    /// Up to which slice the store was asked before its turn.
    asked: usize,
    current: Option<Current>,
    /// Which offsets which object gave, ascending.
    held: Vec<(Range<u64>, usize)>,
    /// The first offset that nobody gave.
    next: u64,
    /// The offsets that were taken before, of each object that is as it was; and behind the last of
    /// them. Where an object's place was not kept it is read again.
    taken: (Vec<Range<u64>>, u64),
    /// Stored bytes of the slices that are done.
    done_bytes: u64,
    /// Files that are held against each other, by the numbers of their objects.
    compared: BTreeMap<usize, Whole>,
}

struct Current {
    slice: usize,
    object: usize,
    feed: Box<dyn Feed>,
    /// Offset of its next event.
    at: u64,
}

impl JoinedReader {
    pub(super) fn new(source: Source, partition: PartitionIndex, slices: Range<usize>) -> Self {
        let next = source.partitions[partition as usize].first;
        let (mut held, mut taken) = (Vec::new(), Vec::new());
        for number in source.objects_of(partition) {
            let starts = source.objects[number].starts.unwrap_or(0);
            let begins = source.begins[number];
            if starts < begins {
                held.push((starts..begins, number));
            }
            taken.extend(source.kept[number].as_ref().map(|kept| starts..kept.next));
        }
        let end = taken.iter().map(|own: &Range<u64>| own.end).max().unwrap_or(0);
        Self {
            partition,
            asked: slices.start,
            left: slices,
            current: None,
            held,
            next,
            taken: (taken, end),
            done_bytes: 0,
            compared: BTreeMap::new(),
            source,
        }
    }

    /// Opens the next slice, if there is one.
    fn open(&mut self) -> Result<Option<Current>, LogError> {
        let Some(slice) = self.left.next() else { return Ok(None) };
        let ahead = (slice + 1 + AHEAD_OBJECTS).min(self.left.end);
        for number in self.asked.max(slice + 1)..ahead {
            self.source.ask_slice(number)?;
        }
        self.asked = self.asked.max(ahead);
        let of = &self.source.slices[slice];
        let object = of.object;
        let at = match &of.share {
            super::Share::Bytes { .. } => self.source.begins[object],
            super::Share::RowGroups { rows, .. } => {
                self.source.objects[object].starts.unwrap_or(0).saturating_add(rows.start)
            }
        };
        self.compared.clear();
        Ok(Some(Current { slice, object, feed: self.source.open_slice(slice)?, at }))
    }

    /// What of a piece nobody gave yet; none: nothing.
    fn fresh(
        &mut self,
        mut piece: Piece,
        object: usize,
        first: u64,
    ) -> Result<Option<Piece>, LogError> {
        let events = piece.slab.len() as u64;
        let end = first.checked_add(events).ok_or_else(|| self.too_far(object))?;
        let again = self.next.saturating_sub(first).min(events);
        self.compare(object, first..first + again)?;
        if again == events {
            return Ok(None);
        }
        let begin = first + again;
        let mut at = begin;
        while at < end.min(self.taken.1) {
            let own = self.taken.0.iter().find(|own| own.contains(&at));
            at = own.map_or_else(|| self.too_late(object, at), |own| Ok(own.end))?;
        }
        let mut seen = self.source.seen.lock();
        if begin > self.next {
            let before = self.held.iter().rev().find(|(own, _)| own.end == self.next);
            let before = before.map(|(_, number)| *number);
            seen.missing.insert(object, (self.next..begin, before));
        }
        drop(seen);
        self.source.seen.give(object, begin..end);
        match self.held.last_mut() {
            Some((own, last)) if *last == object && own.end == begin => own.end = end,
            _ => self.held.push((begin..end, object)),
        }
        self.next = end;
        if again > 0 {
            piece.slab = piece.slab.slice(again as usize..events as usize);
        }
        piece.offsets = Some(Offsets::From(begin));
        Ok(Some(piece))
    }

    /// Holds events of an object against those at the same offsets that were given.
    fn compare(&mut self, object: usize, offsets: Range<u64>) -> Result<(), LogError> {
        let mut at = offsets.start;
        while at < offsets.end {
            let holder =
                self.held.iter().find(|(own, number)| own.contains(&at) && *number != object);
            let Some((own, holder)) = holder.cloned() else {
                at = self.too_late(object, at)?;
                continue;
            };
            let end = own.end.min(offsets.end);
            for offset in at..end {
                let (here, there) =
                    (self.original(object, offset)?, self.original(holder, offset)?);
                if here != there {
                    return Err(self.differ(object, holder, offset));
                }
            }
            let mut seen = self.source.seen.lock();
            let known = seen.twice.entry((object, holder)).or_insert_with(|| (at..end, self.next));
            wider(&mut known.0, &(at..end));
            at = end;
        }
        Ok(())
    }

    /// An event lies in front of what was taken before, and was in no file then: it comes too late.
    /// Where that shows by the offset that its file begins with, it was asked before, and somebody
    /// has agreed to go on without it: then gives the offset behind it.
    fn too_late(&self, object: usize, at: u64) -> Result<u64, LogError> {
        let starts = self.source.objects[object].starts.unwrap_or(0);
        let is_known =
            self.held.iter().any(|(own, other)| own.contains(&starts) && *other != object);
        if !is_known && at < self.taken.1 {
            return Ok(at + 1);
        }
        let (shown, partition) = (&self.source.objects[object].shown, &self.name());
        Err(LogError::new(format!(
            "`{shown}` has offset {at} of partition {partition}, which was in no file when the \
             partition was taken up to offset {}: going on behind it would leave the event out; \
             replay from the start into another folder of snapshots, or from a snapshot in front \
             of it (--from-snapshot)",
            self.taken.1
        )))
    }

    /// The bytes of the event at an offset, as a file has them.
    fn original(&mut self, object: usize, offset: u64) -> Result<Vec<u8>, LogError> {
        let about = &self.source.objects[object];
        let row = offset - about.starts.unwrap_or(0);
        if self.compared.get(&object).is_none_or(|whole| whole.at > row) {
            let whole = Whole { feed: self.source.open_whole(about)?, slab: None, first: 0, at: 0 };
            self.compared.insert(object, whole);
        }
        let found = match self.compared.get_mut(&object) {
            Some(whole) => whole.row(row)?,
            None => None,
        };
        found.ok_or_else(|| {
            let (shown, what) = (&about.shown, self.source.row_word());
            LogError::new(format!("`{shown}` has no {what} {} any more", row + 1))
        })
    }

    fn differ(&self, object: usize, holder: usize, offset: u64) -> LogError {
        let what = self.source.row_word();
        let place = |number: usize| {
            let about = &self.source.objects[number];
            format!("`{}` ({what} {})", about.shown, offset - about.starts.unwrap_or(0) + 1)
        };
        LogError::new(format!(
            "{} and {} both have offset {offset} of partition {}, and not the same event: remove \
             the file that is wrong; if none is, their records do not follow one another (a sink \
             that sorts them by a field or by their own time into files writes such), so that \
             names do not tell their offsets: read them without `layout`, as files of their own",
            place(holder),
            place(object),
            self.name()
        ))
    }

    fn too_far(&self, object: usize) -> LogError {
        let shown = &self.source.objects[object].shown;
        LogError::new(format!("`{shown}` has records beyond the last offset that there can be"))
    }

    fn name(&self) -> String {
        self.source.partitions[self.partition as usize].name.clone()
    }
}

impl Feed for JoinedReader {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        loop {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => match self.open() {
                    Ok(Some(current)) => current,
                    Ok(None) => return Poll::Ready(Ok(None)),
                    Err(error) => return Poll::Ready(Err(error)),
                },
            };
            let Some(piece) = ready!(current.feed.poll(cx))? else {
                self.done_bytes += self.source.slices[current.slice].bytes;
                continue;
            };
            let (object, first) = (current.object, current.at);
            current.at = first.saturating_add(piece.slab.len() as u64);
            self.current = Some(current);
            if let Some(piece) = self.fresh(piece, object, first)? {
                return Poll::Ready(Ok(Some(piece)));
            }
        }
    }

    fn bytes_read(&self) -> u64 {
        let current = self
            .current
            .as_ref()
            .map(|current| current.feed.bytes_read().min(self.source.slices[current.slice].bytes));
        self.done_bytes + current.unwrap_or(0)
    }
}

/// A file that is read from its beginning, for single events of it, ascending.
struct Whole {
    feed: Box<dyn Feed>,
    slab: Option<Slab>,
    /// The slab's first event; the first event that was not asked for.
    first: u64,
    at: u64,
}

impl Whole {
    fn row(&mut self, row: u64) -> Result<Option<Vec<u8>>, LogError> {
        self.at = row + 1;
        loop {
            let events = self.slab.as_ref().map_or(0, |slab| slab.len() as u64);
            if let Some(slab) = self.slab.as_ref().filter(|_| row - self.first < events) {
                return Ok(Some(original(slab, (row - self.first) as usize).into_owned()));
            }
            self.first += events;
            // Stores block.
            let polled = self.feed.poll(&mut Context::from_waker(std::task::Waker::noop()));
            let Poll::Ready(piece) = polled else { return Ok(None) };
            let Some(piece) = piece? else { return Ok(None) };
            self.slab = Some(piece.slab);
        }
    }
}

impl Source {
    /// Whether a partition is made of several objects.
    pub(super) fn partition_is_joined(&self, partition: PartitionIndex) -> bool {
        let mut own = self.objects_of(partition);
        own.next().is_some_and(|number| self.objects[number].starts.is_some())
    }

    /// The objects of a partition, by their numbers.
    fn objects_of(&self, partition: PartitionIndex) -> Range<usize> {
        let first = self.homes.partition_point(|home| *home < partition);
        first..self.homes.partition_point(|home| *home <= partition)
    }

    /// What messages call an event of a file.
    pub(super) fn row_word(&self) -> &'static str {
        match self.options.format {
            Format::Json | Format::Raw => "line",
            Format::Avro => "record",
            Format::Parquet => "row",
        }
    }

    /// The object that gave an event.
    fn giver(&self, partition: PartitionIndex, offset: u64) -> Option<usize> {
        let seen = self.seen.lock();
        let mut own = seen.given.range(self.objects_of(partition));
        own.find(|(_, given)| given.contains(&offset)).map(|(number, _)| *number)
    }

    /// Where an event is stored.
    pub(super) fn place_of(&self, partition: PartitionIndex, offset: u64) -> Option<String> {
        let object = &self.objects[self.giver(partition, offset)?];
        let row = offset - object.starts? + 1;
        Some(format!("`{}`, {} {row}", object.shown, self.row_word()))
    }

    /// Whole events of a partition that is joined, of which `of_object` gives those of an object.
    pub(super) fn joined_rows(
        &self,
        partition: PartitionIndex,
        offsets: &[u64],
        of_object: impl Fn(&Arc<super::Object>, &[u64]) -> Result<Vec<RecordBatch>, LogError>,
    ) -> Result<Vec<RecordBatch>, LogError> {
        let mut wanted: Vec<(usize, Vec<u64>)> = Vec::new();
        for offset in offsets {
            let Some(object) = self.giver(partition, *offset) else {
                let name = &self.partitions[partition as usize].name;
                return Err(LogError::new(format!(
                    "event {name}:{offset} was not read, so nobody knows which file has it"
                )));
            };
            let row = offset - self.objects[object].starts.unwrap_or(0);
            match wanted.last_mut() {
                Some((last, rows)) if *last == object => rows.push(row),
                _ => wanted.push((object, vec![row])),
            }
        }
        let mut all = Vec::new();
        for (object, rows) in wanted {
            all.extend(of_object(&self.objects[object], &rows)?);
        }
        Ok(all)
    }

    /// What was found, in what was taken: `reached` tells how far each partition was taken.
    pub(super) fn found(&self, reached: Option<&[Reached]>) -> Vec<Finding> {
        let is_taken = |object: usize, at: u64| {
            reached.is_none_or(|reached| at < reached[self.homes[object] as usize].next)
        };
        let finding = |what, object: usize, offsets: &Range<u64>, objects: &[Option<usize>]| {
            let path = |number: &usize| self.objects[*number].path.clone();
            Finding {
                partition: self.objects[object].partition.clone(),
                first: offsets.start,
                last: offsets.end - 1,
                what,
                objects: objects.iter().flatten().map(path).collect(),
            }
        };
        let mut all = Vec::new();
        for partition in 0..self.partitions.len() as PartitionIndex {
            let Some(first) = self.objects_of(partition).next() else { continue };
            let begins = self.objects[first].starts.unwrap_or(0);
            if begins > 0 && is_taken(first, begins) {
                all.push(finding(Found::Missing, first, &(0..begins), &[Some(first)]));
            }
        }
        let seen = self.seen.lock();
        for (object, (offsets, before)) in &seen.missing {
            if is_taken(*object, offsets.end) {
                all.push(finding(Found::Missing, *object, offsets, &[*before, Some(*object)]));
            }
        }
        for ((object, holder), (offsets, next)) in &seen.twice {
            if is_taken(*object, *next) {
                let both = [Some(*holder), Some(*object)];
                all.push(finding(Found::Twice, *object, offsets, &both));
            }
        }
        all.sort();
        all
    }
}
