//! The events of one key in the log: parts are read by several threads, lines that cannot be of the
//! key are passed by undecoded, and what is left comes in the order of the log.

use super::model::ReadFor;
use super::needle::Needle;
use crate::limits::SLABS_AHEAD;
use crate::log::{Feed, Follow, Log, LogError, Part, Piece};
use crate::run::RunError;
use crate::run::prepare::Prepared;
use crate::threads::{Numbers, share_out};
use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::ArrowError;
use arrow_select::take::take_record_batch;
use retally_core::decode::{Decoder, Events, Folders, Lines, Placed, Reading, Slab};
use retally_core::log::{Micros, NEVER, Offsets, Order, Place, Spot};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What is searched, and for what.
pub(super) struct Search<'a> {
    pub prepared: &'a Prepared<'a>,
    pub key: &'a [u8],
    pub needle: &'a Needle,
    /// Partitions to search; none: all.
    pub only: Option<&'a [bool]>,
    /// An event whose place is wanted, of whatever key.
    pub around: Option<Spot>,
}

/// Whether the search goes on; it breaks off once enough was found.
pub(super) type Go = ControlFlow<()>;

/// What came of searching a slab.
#[derive(Default)]
struct Searched {
    events: usize,
    /// Where they lie, if the feed says.
    offsets: Option<Offsets>,
    outside: Outside,
    unreadable: u64,
    /// Events of the key: row of the slab, and each a slab of its own.
    found: Vec<(u32, Slab)>,
    /// The slab itself, where its keys are only known with its place.
    whole: Option<Slab>,
    /// Under order "time" the time of every event, if it has one.
    clock: Vec<Micros>,
}

/// What events have beside what is in them: what the path of their object says, and what their
/// records have.
#[derive(Clone, Default)]
struct Outside {
    folders: Folders,
    beside: Option<RecordBatch>,
}

impl Outside {
    /// That of one event.
    fn of(&self, row: usize) -> Self {
        let beside = self.beside.as_ref().map(|beside| beside.slice(row, 1));
        Self { folders: self.folders.clone(), beside }
    }

    /// That of some of them.
    fn gathered(&self, rows: &[u32]) -> std::result::Result<Self, ArrowError> {
        let rows = UInt32Array::from(rows.to_vec());
        let beside = self.beside.as_ref().map(|beside| take_record_batch(beside, &rows));
        Ok(Self { folders: self.folders.clone(), beside: beside.transpose()? })
    }
}

type Result<T> = std::result::Result<T, RunError>;

/// Says that a part is over, also where its thread panics, with an empty answer: a sender outlives
/// its part.
struct Over<'a>(&'a SyncSender<Result<Searched>>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        let _ = self.0.send(Ok(Searched::default()));
    }
}

impl<'a> Search<'a> {
    fn log(&self) -> &'a dyn Log {
        self.prepared.source.as_ref()
    }

    fn by_time(&self) -> bool {
        self.prepared.job.order == Order::Time
    }

    /// Hands every event of the key to `take` with its place, one partition after another; `done`
    /// hears the end of every partition. What was passed by counts up to where the search ended:
    /// what threads read ahead does not, so that it repeats. Gives the place of the event that was
    /// asked for, if it was passed.
    pub(super) fn run(
        &self,
        passed: &mut ReadFor,
        take: &mut dyn FnMut(Placed, Place) -> Result<Go>,
        done: &mut dyn FnMut() -> Go,
    ) -> Result<Option<Place>> {
        let all = self.log().parts();
        let wanted =
            |part: &usize| self.only.is_none_or(|only| only[all[*part].partition as usize]);
        let parts: Vec<usize> = (0..all.len()).filter(wanted).collect();
        let (senders, receivers): (Vec<_>, Vec<_>) =
            parts.iter().map(|_| sync_channel(SLABS_AHEAD)).unzip();
        let senders: &Vec<SyncSender<Result<Searched>>> = &senders;
        let work = |numbers: &Numbers| {
            let mut decoder = Decoder::new(self.prepared.plan.clone());
            while let Some(number) = numbers.take() {
                let (Some(&part), Some(to)) = (parts.get(number), senders.get(number)) else {
                    return;
                };
                let _over = Over(to);
                self.part(part, &mut decoder, to);
            }
        };
        let lead = |numbers: &Numbers| {
            // The receivers end with it: whoever waits to be heard is told that nobody listens.
            let result = self.collect(&parts, receivers, passed, take, done);
            numbers.close();
            result
        };
        share_out(self.prepared.options.threads(), parts.len(), work, lead)?.1
    }

    fn collect(
        &self,
        parts: &[usize],
        receivers: Vec<Receiver<Result<Searched>>>,
        passed: &mut ReadFor,
        take: &mut dyn FnMut(Placed, Place) -> Result<Go>,
        done: &mut dyn FnMut() -> Go,
    ) -> Result<Option<Place>> {
        let mut decoder = Decoder::new(self.prepared.plan.clone());
        let about = |number: usize| parts.get(number).map(|&part| self.log().parts()[part]);
        let (mut follow, mut highest, mut around) = (None, NEVER, None);
        for (number, from) in receivers.iter().enumerate() {
            let Some(part) = about(number) else { break };
            passed.bytes += part.bytes;
            passed.partitions += u64::from(follow.is_none());
            let first = self.log().partitions()[part.partition as usize].first;
            let follow_part = follow.get_or_insert(Follow::new(first));
            while let Ok(searched) = from.recv() {
                let Searched { events, offsets, outside, unreadable, mut found, whole, mut clock } =
                    searched?;
                if events == 0 {
                    break;
                }
                let offsets = follow_part.place(offsets, events)?;
                passed.events += events as u64;
                passed.unreadable += unreadable;
                if let Some(slab) = whole {
                    let placed = self.placed(part, offsets.clone(), outside.clone(), slab);
                    let of_key = of_key(&mut decoder, &placed, self.key)?;
                    (found, clock) = (of_key.found, of_key.clock);
                }
                for time in &mut clock {
                    highest = highest.max(*time);
                    *time = highest;
                }
                let place = |row: usize| Place {
                    highest: clock.get(row).copied().unwrap_or(NEVER),
                    spot: Spot { partition: part.partition, offset: offsets.at(row) },
                };
                let asked = self.around.filter(|spot| spot.partition == part.partition);
                let row = asked.map(|spot| (offsets.before(spot.offset, events), spot));
                let there = row.filter(|(row, spot)| *row < events && place(*row).spot == *spot);
                around = around.or(there.map(|(row, _)| place(row)));
                for (row, slab) in found {
                    let at = Offsets::From(offsets.at(row as usize));
                    let placed = self.placed(part, at, outside.of(row as usize), slab);
                    if take(placed, place(row as usize))?.is_break() {
                        return Ok(around);
                    }
                }
                if self.prepared.options.cancel.is_cancelled() {
                    return Err(RunError::Cancelled);
                }
            }
            if about(number + 1).map(|next| next.partition) != Some(part.partition) {
                (follow, highest) = (None, NEVER);
                if done().is_break() {
                    return Ok(around);
                }
            }
        }
        Ok(around)
    }

    fn placed(&self, part: Part, offsets: Offsets, outside: Outside, slab: Slab) -> Placed {
        let name = self.prepared.names[part.partition as usize].as_str();
        let (partition, slab) = (part.partition, Arc::new(slab));
        let Outside { folders, beside } = outside;
        Placed { partition, name: Arc::from(name), offsets, folders, beside, slab }
    }

    /// Searches a part, until nobody listens any more.
    fn part(&self, part: usize, decoder: &mut Decoder, to: &SyncSender<Result<Searched>>) {
        let mut feed = match self.log().read(part, 0) {
            Ok(feed) => feed,
            Err(error) => {
                let _ = to.send(Err(error.into()));
                return;
            }
        };
        loop {
            let searched = self.next(self.log().parts()[part], feed.as_mut(), decoder).transpose();
            let Some(searched) = searched else { return };
            let failed = searched.is_err();
            if to.send(searched).is_err() || failed {
                return;
            }
        }
    }

    fn next(
        &self,
        part: Part,
        feed: &mut dyn Feed,
        decoder: &mut Decoder,
    ) -> Result<Option<Searched>> {
        let polled =
            self.prepared.options.cancel.wait(|cx| feed.poll(cx)).ok_or(RunError::Cancelled)?;
        let Some(Piece { slab, offsets, folders, beside, .. }) = polled? else { return Ok(None) };
        let outside = Outside { folders, beside };
        let events = slab.len();
        let mut searched = Searched { events, offsets, outside, ..Searched::default() };
        if matches!(self.needle, Needle::None) {
            searched.whole = Some(slab);
            return Ok(Some(searched));
        }
        let (rows, slab) = match slab {
            Slab::Lines(lines) => match self.needle.rows(&lines) {
                // Under order "time" every event may move those behind it.
                Some(rows) if !self.by_time() => {
                    (Some(rows.clone()), Slab::Lines(gathered(&lines, &rows)))
                }
                _ => (None, Slab::Lines(lines)),
            },
            Slab::Rows(batch) => (None, Slab::Rows(batch)),
        };
        if slab.is_empty() {
            return Ok(Some(searched));
        }
        // Where the events lie does not matter yet: only their keys are looked at.
        let outside = match &rows {
            Some(rows) => searched.outside.gathered(rows).map_err(LogError::new)?,
            None => searched.outside.clone(),
        };
        let placed = self.placed(part, Offsets::From(0), outside, slab);
        let OfKey { mut found, unreadable, clock } = of_key(decoder, &placed, self.key)?;
        if let Slab::Lines(lines) = &*placed.slab {
            let holds = |row: &u32| self.needle.holds(lines.get(*row as usize));
            searched.unreadable = unreadable.iter().filter(|row| holds(row)).count() as u64;
        }
        if let Some(rows) = rows {
            found.iter_mut().for_each(|(row, _)| *row = rows[*row as usize]);
        }
        (searched.found, searched.clock) = (found, clock);
        Ok(Some(searched))
    }
}

/// Some lines as lines of their own.
fn gathered(lines: &Lines, rows: &[u32]) -> Lines {
    let mut out = Lines { whole: lines.whole, ..Lines::default() };
    for (number, &row) in rows.iter().enumerate() {
        let row = row as usize;
        let start = if row == 0 { 0 } else { lines.ends[row - 1] as usize };
        out.bytes.extend_from_slice(&lines.bytes[start..lines.ends[row] as usize]);
        out.ends.push(out.bytes.len() as u32);
        let cut = lines.cut.iter().find(|(cut, _)| *cut as usize == row);
        out.cut.extend(cut.map(|&(_, length)| (number as u32, length)));
    }
    out
}

/// What a slab has of a key.
struct OfKey {
    /// Its events, each as a slab of its own under its row.
    found: Vec<(u32, Slab)>,
    /// The rows that no reader can read.
    unreadable: Vec<u32>,
    /// As [`Searched::clock`].
    clock: Vec<Micros>,
}

/// The events of the key in a slab, for any reader.
fn of_key(decoder: &mut Decoder, placed: &Placed, key: &[u8]) -> Result<OfKey> {
    let mut readers = Vec::new();
    decoder.decode(placed, &mut readers)?;
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for row in 0..placed.slab.len() {
        if readers.iter().any(|events| is_of(events, row, key)) {
            let slab = match &*placed.slab {
                Slab::Lines(lines) => Slab::Lines(gathered(lines, &[row as u32])),
                Slab::Rows(batch) => Slab::Rows(batch.slice(row, 1)),
            };
            found.push((row as u32, slab));
        } else if readers.iter().all(|e| matches!(e.readings[row], Reading::Unreadable(_))) {
            unreadable.push(row as u32);
        }
    }
    let clock = readers.first_mut().map(|events| std::mem::take(&mut events.clock));
    Ok(OfKey { found, unreadable, clock: clock.unwrap_or_default() })
}

/// Whether an event is of a key, for a reader.
pub(super) fn is_of(events: &Events, row: usize, key: &[u8]) -> bool {
    events.readings[row].has_key() && events.keys.get(row) == key
}
