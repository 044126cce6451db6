//! What every [`Log`] must do. Somebody else's can be held to it: [`check`] reads a log in several
//! ways and says in what it does not conform.
//!
//! The same events come at the same offsets however often, in whatever order or at the same time
//! parts are read; and what was taken of a log is found again, if it can tell.

use super::{End, Feed, Follow, Log, LogError, Piece, Reached};
use crate::cancel::Cancel;
use crate::limits::{SLAB_BYTES, SLAB_EVENTS};
use arrow_array::RecordBatch;
use retally_core::decode::{Slab, original};
use retally_core::log::{Order, PartitionIndex, Position};
use retally_core::manifest::Checked;
use retally_core::receipt::fit;
use retally_core::reduce::Originals;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Threads that read parts at the same time.
const READERS: usize = 3;

/// What a log told: for each partition, by name, its events, each with its offset and its bytes.
pub type Told = BTreeMap<String, Vec<(u64, Vec<u8>)>>;

/// In what a log does not conform.
#[derive(Debug, thiserror::Error)]
pub enum NotConforming {
    /// It broke a promise of [`Log`] or [`Feed`].
    #[error("the log does not conform: {0}")]
    Broken(String),
    /// It could not be read.
    #[error("the log cannot be read: {0}")]
    Failed(#[from] LogError),
    /// It has no end, so that not all of it can be read.
    #[error("partition `{0}` has no end: hold a log to it that has one")]
    Endless(String),
    /// Somebody asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

/// Holds a log, all of whose partitions must end, to the promises of [`Log`]; gives what it told.
/// `cancel` ends the wait for a feed that never wakes.
///
/// # Errors
/// The first promise that it does not keep.
pub fn check(log: &dyn Log, cancel: &Cancel) -> Result<Told, NotConforming> {
    names(log)?;
    let suite = Suite { log, cancel };
    let whole = suite.told(suite.one_after_another(None)?)?;
    let again = suite.told(suite.at_once()?)?;
    same(&whole, &again, "read at once, from the last part to the first")?;
    let middle = |events: &Vec<(u64, Vec<u8>)>| events.get(events.len() / 2).map_or(0, |e| e.0);
    let from: Vec<u64> = whole.values().map(middle).collect();
    let behind = suite.told(suite.one_after_another(Some(&from))?)?;
    same(&cut(&whole, &from), &cut(&behind, &from), "read from an offset in the middle")?;
    suite.rows(&whole)?;
    suite.receipts(&whole)?;
    Ok(whole)
}

/// Whether what events have beside what is in them is there for each.
fn beside(piece: &Piece, part: usize) -> Result<(), NotConforming> {
    let (events, rows) = (piece.slab.len(), piece.beside.as_ref().map(RecordBatch::num_rows));
    match rows {
        Some(rows) if rows != events => broken(format!(
            "part {part} gave {events} events, and what {rows} have beside what is in them"
        )),
        _ => Ok(()),
    }
}

/// Where no event is lost and none comes twice.
fn same(whole: &Told, again: &Told, how: &str) -> Result<(), NotConforming> {
    for (name, events) in whole {
        let other = again.get(name).map_or(&[][..], Vec::as_slice);
        if let Some(at) =
            (0..events.len().max(other.len())).find(|&at| events.get(at) != other.get(at))
        {
            let offset = |event: Option<&(u64, Vec<u8>)>| match event {
                Some((offset, _)) => format!("offset {offset}"),
                None => "no event".to_owned(),
            };
            return broken(format!(
                "{how}, event {at} of partition `{name}` is another one ({}, before it was {})",
                offset(other.get(at)),
                offset(events.get(at)),
            ));
        }
    }
    Ok(())
}

/// The events at or behind an offset of each partition.
fn cut(told: &Told, from: &[u64]) -> Told {
    let behind = |(events, from): (&Vec<(u64, Vec<u8>)>, &u64)| {
        events.iter().filter(|event| event.0 >= *from).cloned().collect()
    };
    told.keys().cloned().zip(told.values().zip(from).map(behind)).collect()
}

fn broken<T>(what: String) -> Result<T, NotConforming> {
    Err(NotConforming::Broken(what))
}

/// Partitions and parts as they are declared.
fn names(log: &dyn Log) -> Result<(), NotConforming> {
    let (partitions, parts) = (log.partitions(), log.parts());
    if let Some(open) = partitions.iter().find(|partition| partition.end == End::Open) {
        return Err(NotConforming::Endless(open.name.clone()));
    }
    if !partitions.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()) {
        return broken("its partitions are not sorted by the bytes of their names".into());
    }
    if !parts.is_sorted_by_key(|part| part.partition) {
        return broken("its parts are not sorted by the number of their partition".into());
    }
    if parts.iter().any(|part| part.partition as usize >= partitions.len()) {
        return broken("one of its parts is of a partition that it does not have".into());
    }
    let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
    if ![0, bytes].contains(&log.bytes()) {
        return broken(format!("it has {} bytes, its parts {bytes}", log.bytes()));
    }
    Ok(())
}

/// The pieces of a part, by its number.
type Part = (usize, Vec<Piece>);

struct Suite<'a> {
    log: &'a dyn Log,
    cancel: &'a Cancel,
}

impl Suite<'_> {
    fn one_after_another(&self, from: Option<&[u64]>) -> Result<Vec<Part>, NotConforming> {
        let parts = self.log.parts().iter().enumerate();
        let begin = |part: &super::Part| {
            let partition = part.partition as usize;
            from.map_or(self.log.partitions()[partition].first, |from| from[partition])
        };
        parts.map(|(number, part)| Ok((number, self.part(number, begin(part))?))).collect()
    }

    fn at_once(&self) -> Result<Vec<Part>, NotConforming> {
        let waiting = Mutex::new((0..self.log.parts().len()).collect::<Vec<_>>());
        let done = Mutex::new(Vec::new());
        let read = || {
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let Some(number) = next else { return };
                let part = self.part(number, 0).map(|pieces| (number, pieces));
                done.lock().unwrap_or_else(PoisonError::into_inner).push(part);
            }
        };
        std::thread::scope(|scope| (0..READERS).for_each(|_| drop(scope.spawn(read))));
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut parts = done.into_iter().collect::<Result<Vec<_>, _>>()?;
        parts.sort_unstable_by_key(|part| part.0);
        Ok(parts)
    }

    /// The pieces of a part; what holds for each alone is checked.
    fn part(&self, number: usize, from: u64) -> Result<Vec<Piece>, NotConforming> {
        let about = self.log.parts()[number];
        let mut feed = self.log.read(number, from)?;
        let (mut pieces, mut read) = (Vec::new(), 0);
        while let Some(piece) = self.next(feed.as_mut())? {
            if piece.slab.is_empty() || piece.slab.len() > SLAB_EVENTS {
                let events = piece.slab.len();
                return broken(format!(
                    "part {number} gave a piece of {events} events; 1 to {SLAB_EVENTS} may come"
                ));
            }
            beside(&piece, number)?;
            if let Slab::Lines(lines) = &piece.slab
                && lines.bytes.len() > SLAB_BYTES
                && lines.ends.len() > 1
            {
                return broken(format!(
                    "part {number} gave several lines beyond {SLAB_BYTES} bytes"
                ));
            }
            let before = std::mem::replace(&mut read, feed.bytes_read());
            if read < before || read > about.bytes {
                return broken(format!(
                    "of part {number} {read} bytes are read after {before}, of {} in all",
                    about.bytes
                ));
            }
            pieces.push(piece);
        }
        Ok(pieces)
    }

    fn next(&self, feed: &mut dyn Feed) -> Result<Option<Piece>, NotConforming> {
        let polled = self.cancel.wait(|cx| feed.poll(cx));
        Ok(polled.ok_or(NotConforming::Cancelled)??)
    }

    /// The events of the parts, which come in order.
    fn told(&self, parts: Vec<Part>) -> Result<Told, NotConforming> {
        let partitions = self.log.partitions();
        let mut told: Told = self.log.names().into_iter().map(|name| (name, Vec::new())).collect();
        let mut follow: Vec<_> = partitions.iter().map(|p| Follow::new(p.first)).collect();
        for (number, pieces) in parts {
            let partition = self.log.parts()[number].partition as usize;
            let about = &partitions[partition];
            for piece in pieces {
                let offsets = follow[partition].place(piece.offsets, piece.slab.len());
                let offsets = offsets.map_err(|e| NotConforming::Broken(e.to_string()))?;
                let events = (0..piece.slab.len())
                    .map(|row| (offsets.at(row), original(&piece.slab, row).into_owned()));
                told.entry(about.name.clone()).or_default().extend(events);
            }
            let last = told[&about.name].last().map(|event| event.0);
            if let (End::Before(end), Some(last)) = (about.end, last)
                && last >= end
            {
                return broken(format!(
                    "an event of partition `{}` lies at {last}, and it ends before {end}",
                    about.name
                ));
            }
        }
        Ok(told)
    }

    /// Whether whole events are given where slabs hold a part of each.
    fn rows(&self, told: &Told) -> Result<(), NotConforming> {
        if self.log.originals() != Originals::Elsewhere {
            return Ok(());
        }
        for (number, (name, events)) in told.iter().enumerate() {
            let wanted: Vec<u64> = events.iter().step_by(7).map(|event| event.0).collect();
            let batches = self.log.rows(number as PartitionIndex, &wanted)?;
            let found: usize = batches.into_iter().map(|rows| Slab::Rows(rows).len()).sum();
            if found != wanted.len() {
                let wanted = wanted.len();
                return broken(format!("of {wanted} whole events of `{name}` it gave {found}"));
            }
        }
        Ok(())
    }

    /// Whether what was taken is found again, up to the ends of pieces and up to places inside, and
    /// the log behind it tells the rest.
    fn receipts(&self, told: &Told) -> Result<(), NotConforming> {
        for share in [2, 3, 1] {
            let reached = self.reached(share)?;
            let receipts = self.log.receipts(&reached, READERS)?;
            let Some(present) = self.log.present(&receipts, true, READERS)? else { return Ok(()) };
            let names = self.log.names().into_iter().zip(&reached);
            let taken: Vec<Position> = names
                .filter(|(name, own)| told[name].first().is_some_and(|event| event.0 < own.next))
                .map(|(partition, own)| Position { partition, offset: own.next })
                .collect();
            let fit = fit(Order::Log, &taken, &receipts, &present);
            if let Some(change) = fit.changes.first() {
                return broken(format!("what was taken of it a moment ago differs: {change}"));
            }
            let closely = [Checked::EveryByte, Checked::Records];
            let of = |own: &&Position| receipts.iter().any(|r| r.partition == own.partition);
            if !taken.iter().all(|own| of(&own)) || !closely.contains(&fit.checked) {
                let (given, taken) = (receipts.len(), taken.len());
                return broken(format!("of {taken} partitions that were taken: {given} receipts"));
            }
            if share == 1 && !fit.news.is_none() {
                return broken(format!("all was taken, and it says that {:?} are new", fit.news));
            }
            let Some(behind) = self.log.behind(&receipts) else { continue };
            let suite = Suite { log: behind.as_ref(), cancel: self.cancel };
            let from: Vec<u64> = reached.iter().map(|own| own.next).collect();
            let rest = suite.told(suite.one_after_another(Some(&from))?)?;
            same(&cut(told, &from), &cut(&rest, &from), "read behind what was taken")?;
            let again = behind.receipts(&reached, READERS)?;
            if again.iter().ne(&receipts) {
                return broken("behind what was taken it gives other receipts of it".into());
            }
        }
        Ok(())
    }

    /// How far each partition is taken by who takes the first part of each, of so many parts.
    fn reached(&self, share: usize) -> Result<Vec<Reached>, NotConforming> {
        let begin = |partition: &super::Partition| Reached { next: partition.first, bytes: None };
        let mut reached: Vec<Reached> = self.log.partitions().iter().map(begin).collect();
        let mut follow: Vec<_> = reached.iter().map(|own| Follow::new(own.next)).collect();
        let mut parts = self.one_after_another(None)?;
        for (number, part) in self.log.parts().iter().enumerate() {
            let partition = part.partition as usize;
            let own = self.log.parts().iter().filter(|other| other.partition == part.partition);
            let (all, before) = (own.count(), number - self.first_part(partition));
            // Whole parts, and of the part behind them some events.
            let (whole, rest) = (all / share, share > 1);
            if before > whole || (before == whole && !rest) {
                continue;
            }
            let pieces = std::mem::take(&mut parts[number].1);
            let wanted = pieces.len().div_ceil(if before < whole { 1 } else { share });
            for (at, piece) in pieces.into_iter().take(wanted).enumerate() {
                let events = piece.slab.len();
                let is_last = before == whole && at + 1 == wanted;
                let taken = if is_last { events.div_ceil(share) } else { events };
                let offsets = follow[partition].place(piece.offsets.clone(), events);
                let offsets = offsets.map_err(|e| NotConforming::Broken(e.to_string()))?;
                let next = offsets.at(taken - 1) + 1;
                reached[partition] = Reached { next, bytes: piece.end_at(taken) };
            }
        }
        Ok(reached)
    }

    fn first_part(&self, partition: usize) -> usize {
        self.log.parts().partition_point(|part| (part.partition as usize) < partition)
    }
}
