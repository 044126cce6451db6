//! A partition that an archive and a topic have: one sequence by offsets. What both have is held
//! against each other and given once, as the archive has it; where one of them lacks an event that
//! the other has, that is given, for retention and compaction take events from a topic, and a
//! sink that failed leaves them out of an archive.

use super::continued::ContinuedLog;
use super::same::is_same;
use crate::log::{Feed, Follow, Log, LogError, Piece, end_at};
use retally_core::decode::{Slab, original_of};
use retally_core::log::{Offsets, PartitionIndex};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Reads a partition of both.
pub(super) struct Merge {
    log: ContinuedLog,
    partition: usize,
    /// What lies before it is not wanted.
    from: u64,
    archive: Side,
    /// The first offset that the topic has.
    first: u64,
    /// None until something is wanted of it.
    topic: Option<Side>,
}

/// One of the two.
struct Side {
    log: Arc<dyn Log>,
    from: u64,
    /// The parts that were not begun.
    parts: Range<usize>,
    feed: Option<Box<dyn Feed>>,
    follow: Follow,
    held: Option<Held>,
    done_bytes: u64,
}

/// A piece of which some events were given.
struct Held {
    piece: Piece,
    offsets: Offsets,
    given: usize,
}

impl Held {
    fn next(&self) -> u64 {
        self.offsets.at(self.given)
    }

    /// What an event says of those that were not given.
    fn said(&self, row: usize) -> Cow<'_, [u8]> {
        original_of((&self.piece.slab, self.piece.beside.as_ref()), self.given + row)
    }

    fn left(&self) -> usize {
        self.piece.slab.len() - self.given
    }
}

impl Side {
    fn new(log: Arc<dyn Log>, parts: Range<usize>, (first, from): (u64, u64)) -> Self {
        let follow = Follow::new(first);
        Self { log, from, parts, feed: None, follow, held: None, done_bytes: 0 }
    }

    /// The offset of the next event; none: there is none.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<u64>, LogError>> {
        loop {
            if let Some(held) = &self.held {
                return Poll::Ready(Ok(Some(held.next())));
            }
            let Some(feed) = &mut self.feed else {
                let Some(part) = self.parts.next() else { return Poll::Ready(Ok(None)) };
                self.feed = Some(self.log.read(part, self.from)?);
                continue;
            };
            match ready!(feed.poll(cx))? {
                Some(mut piece) => {
                    let offsets = self.follow.place(piece.offsets.take(), piece.slab.len())?;
                    self.held = Some(Held { piece, offsets, given: 0 });
                }
                None => {
                    self.done_bytes += feed.bytes_read();
                    self.feed = None;
                }
            }
        }
    }

    /// The events at hand before an offset.
    fn before(&mut self, offset: u64) -> Option<Piece> {
        let held = self.held.as_ref()?;
        let before = held.offsets.before(offset, held.piece.slab.len());
        self.take(before - held.given)
    }

    /// So many of the events at hand.
    fn take(&mut self, events: usize) -> Option<Piece> {
        let mut held = self.held.take()?;
        let (from, to) = (held.given, held.given + events);
        held.given = to;
        if from == 0 && held.left() == 0 {
            return Some(Piece { offsets: Some(held.offsets), ..held.piece });
        }
        let Held { piece, offsets, .. } = &held;
        let taken = Piece {
            slab: piece.slab.slice(from..to),
            offsets: Some(offsets.slice(from, to)),
            folders: piece.folders.clone(),
            beside: piece.beside.as_ref().map(|beside| beside.slice(from, events)),
            end: end_at(&piece.slab, piece.end, to),
        };
        if held.left() > 0 {
            self.held = Some(held);
        }
        Some(taken)
    }

    fn bytes_read(&self) -> u64 {
        self.done_bytes + self.feed.as_ref().map_or(0, |feed| feed.bytes_read())
    }
}

/// A field that is of one type here and of another there.
fn types(archive: &Slab, topic: &Slab) -> Option<String> {
    let (Slab::Rows(archive), Slab::Rows(topic)) = (archive, topic) else { return None };
    let topic = topic.schema();
    archive.schema_ref().fields().iter().find_map(|own| {
        let other = topic.field_with_name(own.name()).ok()?;
        let (own, other, name) = (own.data_type(), other.data_type(), own.name());
        (own != other).then(|| {
            format!(
                "field `{name}` is {own} in the file and {other} in the topic, so that the sink \
                 wrote by another schema (the archive alone can be read as it is); or "
            )
        })
    })
}

impl Merge {
    pub(super) fn new(log: ContinuedLog, partition: usize, from: u64) -> Self {
        let home = &log.0.homes[partition];
        let begins = home.archive.map_or(0, |number| log.0.archive.partitions()[number].first);
        let archive = Side::new(log.0.archive.clone(), home.front.clone(), (begins, from));
        let first = log.0.topic.partitions()[partition].first;
        Self { log, partition, from, archive, first, topic: None }
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        loop {
            let older = ready!(self.archive.next(cx))?;
            if older.is_some_and(|at| at < self.first) {
                return Poll::Ready(Ok(self.archive.before(self.first)));
            }
            if older.is_none() {
                self.is_over();
            }
            let newer = ready!(self.of_topic(older).next(cx))?;
            let topic = self.of_topic(older);
            let piece = match (older, newer) {
                (None, None) => return Poll::Ready(Ok(None)),
                (None, Some(_)) => topic.before(u64::MAX),
                (Some(at), Some(newer)) if newer < at => topic.before(at),
                (Some(at), Some(newer)) if at < newer => self.archive.before(newer),
                (Some(_), Some(_)) => self.both()?,
                (Some(at), None) => {
                    self.is_within(at)?;
                    self.archive.before(u64::MAX)
                }
            };
            if piece.is_some() {
                return Poll::Ready(Ok(piece));
            }
        }
    }

    /// The topic from where it is wanted on: from the first event of the archive that it can be
    /// held against, or from where the archive ends.
    fn of_topic(&mut self, older: Option<u64>) -> &mut Side {
        let from = older.map_or(self.from, |at| at.min(self.from));
        let (log, first) = (&self.log, self.first);
        self.topic.get_or_insert_with(|| {
            let parts = log.0.homes[self.partition].back.clone();
            Side::new(log.0.topic.clone(), parts, (first, from.max(first)))
        })
    }

    /// The archive is over: notes where, and what neither has.
    fn is_over(&mut self) {
        let end = self.archive.follow.next();
        self.log.0.notes.over(self.partition, end);
        let begin = end.max(self.from);
        if begin < self.first {
            self.log.0.notes.lost(self.partition, begin..self.first);
        }
    }

    /// Holds what both have against each other, as far as it is at hand, and gives it.
    fn both(&mut self) -> Result<Option<Piece>, LogError> {
        let (Some(older), Some(topic)) = (&self.archive.held, &mut self.topic) else {
            return Ok(None);
        };
        let Some(newer) = &topic.held else { return Ok(None) };
        let most = older.left().min(newer.left());
        let at = |held: &Held, row: usize| held.offsets.at(held.given + row);
        let count = (0..most).take_while(|&row| at(older, row) == at(newer, row)).count();
        for row in 0..count {
            if !is_same(&older.said(row), &newer.said(row)) {
                let types = types(&older.piece.slab, &newer.piece.slab);
                return Err(self.differ(at(older, row), types));
            }
        }
        topic.take(count);
        Ok(self.archive.take(count))
    }

    fn differ(&self, offset: u64, types: Option<String>) -> LogError {
        let name = &self.log.0.topic.partitions()[self.partition].name;
        let topic = &self.log.0.name;
        let place = self.log.place(self.partition as PartitionIndex, offset);
        let place = place.unwrap_or_else(|| "the archive".to_owned());
        LogError::new(format!(
            "{place} and topic {topic} both have offset {offset} of partition {name}, and not the \
             same event: {}the topic was made anew since, or the archive is of another one, or it \
             lacks a record in front of this one in the same file, so that names do not tell its \
             offsets; read one of them alone",
            types.unwrap_or_default()
        ))
    }

    /// Refuses an archive that goes on where the topic has ended.
    fn is_within(&self, at: u64) -> Result<(), LogError> {
        let own = self.topic.as_ref().map_or(0, |topic| topic.follow.next());
        let end = self.log.end(self.partition).unwrap_or(0).max(own);
        if at < end {
            return Ok(());
        }
        let name = &self.log.0.topic.partitions()[self.partition].name;
        let topic = &self.log.0.name;
        Err(LogError::new(format!(
            "the archive has offset {at} of partition {name}, and topic {topic} ends at {end}: the \
             topic was made anew since, or the archive is of another one, or has what was never \
             committed; read one of them alone"
        )))
    }
}

impl Feed for Merge {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        self.next(cx)
    }

    fn bytes_read(&self) -> u64 {
        self.archive.bytes_read()
    }
}
