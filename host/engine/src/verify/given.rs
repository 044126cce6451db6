//! A log that gives the same events in another way: in pieces with other borders, or later. A batch
//! ends where a piece does, and nowhere else, so whoever wants to end it anywhere makes pieces that
//! end there. Everything else is the log's own.

use super::perturbation::Draws;
use crate::log::{Feed, Log, LogError, Part, Partition, Piece, Reached};
use arrow_array::RecordBatch;
use retally_core::decode::Beside;
use retally_core::log::{Micros, PartitionIndex};
use retally_core::manifest::{Finding, Object};
use retally_core::receipt::{Present, Receipt};
use retally_core::reduce::Originals;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// How its events come.
#[derive(Debug, Clone, Copy)]
pub(super) enum Giving {
    /// In pieces with other borders.
    Cut(Slices),
    /// Each piece when it was asked for a few times, by chance: what is read at the same time comes
    /// in another order.
    Late(Draws),
}

/// How many events a piece has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slices {
    /// So many, fewer where the log's own piece ends.
    Of(u64),
    /// At most so many, by chance.
    UpTo(u64, Draws),
}

/// See the module.
pub(super) struct Given {
    log: Arc<dyn Log>,
    giving: Giving,
}

impl Given {
    pub(super) fn new(log: Arc<dyn Log>, giving: Giving) -> Self {
        Self { log, giving }
    }
}

impl Log for Given {
    fn partitions(&self) -> &[Partition] {
        self.log.partitions()
    }

    fn parts(&self) -> &[Part] {
        self.log.parts()
    }

    fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError> {
        // Parts may be read in any order: what is chosen in one follows from nothing else.
        let feed = self.log.read(part, from)?;
        let draws_of = |draws: Draws| draws.of(part as u64);
        Ok(match self.giving {
            Giving::Late(draws) => Box::new(Late { feed, draws: draws_of(draws), waits: 0 }),
            Giving::Cut(slices) => {
                let slices = match slices {
                    Slices::Of(events) => Slices::Of(events),
                    Slices::UpTo(most, draws) => Slices::UpTo(most, draws_of(draws)),
                };
                Box::new(Cutting { feed, slices, rest: None })
            }
        })
    }

    fn originals(&self) -> Originals {
        self.log.originals()
    }

    fn rows(
        &self,
        partition: PartitionIndex,
        offsets: &[u64],
    ) -> Result<Vec<RecordBatch>, LogError> {
        self.log.rows(partition, offsets)
    }

    fn objects(&self) -> Vec<Object> {
        self.log.objects()
    }

    fn taken(&self, read: &[bool], threads: usize) -> Result<Vec<Object>, LogError> {
        self.log.taken(read, threads)
    }

    fn receipts(&self, reached: &[Reached], threads: usize) -> Result<Vec<Receipt>, LogError> {
        self.log.receipts(reached, threads)
    }

    fn present(
        &self,
        receipts: &[Receipt],
        every_byte: bool,
        threads: usize,
    ) -> Result<Option<Vec<Present>>, LogError> {
        self.log.present(receipts, every_byte, threads)
    }

    fn behind(&self, kept: &[Receipt]) -> Option<Arc<dyn Log>> {
        let log = self.log.behind(kept)?;
        Some(Arc::new(Self { log, giving: self.giving }))
    }

    fn within(&self, span: &Range<Micros>) -> Vec<bool> {
        self.log.within(span)
    }

    fn committed(&self, group: &str) -> Result<Option<Vec<Option<u64>>>, LogError> {
        self.log.committed(group)
    }

    fn written_since(&self, time: Micros) -> Result<Option<Vec<u64>>, LogError> {
        self.log.written_since(time)
    }

    fn findings(&self, reached: Option<&[Reached]>) -> Vec<Finding> {
        self.log.findings(reached)
    }

    fn place(&self, partition: PartitionIndex, offset: u64) -> Option<String> {
        self.log.place(partition, offset)
    }

    fn deletions(&self, within: &[Range<u64>]) -> Vec<u64> {
        self.log.deletions(within)
    }

    fn besides(&self) -> Vec<Beside> {
        self.log.besides()
    }

    fn bytes(&self) -> u64 {
        self.log.bytes()
    }
}

struct Cutting {
    feed: Box<dyn Feed>,
    slices: Slices,
    /// A piece, and how many of its events were given.
    rest: Option<(Piece, usize)>,
}

impl Cutting {
    fn next_size(&mut self) -> usize {
        let size = match &mut self.slices {
            Slices::Of(events) => *events,
            Slices::UpTo(most, draws) => draws.between(1, *most + 1),
        };
        usize::try_from(size).unwrap_or(usize::MAX).max(1)
    }
}

impl Feed for Cutting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        let (piece, from) = match self.rest.take() {
            Some(rest) => rest,
            None => match ready!(self.feed.poll(cx))? {
                Some(piece) => (piece, 0),
                None => return Poll::Ready(Ok(None)),
            },
        };
        let events = piece.slab.len();
        let to = from.saturating_add(self.next_size()).min(events);
        if (from, to) == (0, events) {
            return Poll::Ready(Ok(Some(piece)));
        }
        let slice = Piece {
            slab: piece.slab.slice(from..to),
            offsets: piece.offsets.as_ref().map(|offsets| offsets.slice(from, to)),
            folders: piece.folders.clone(),
            beside: piece.beside.as_ref().map(|own| own.slice(from, to - from)),
            end: piece.end_at(to),
        };
        self.rest = (to < events).then_some((piece, to));
        Poll::Ready(Ok(Some(slice)))
    }

    fn bytes_read(&self) -> u64 {
        self.feed.bytes_read()
    }
}

/// How often a piece may be asked for in vain.
const WAITS_MOST: u64 = 8;

struct Late {
    feed: Box<dyn Feed>,
    draws: Draws,
    /// How often the next piece is still asked for in vain.
    waits: u64,
}

impl Feed for Late {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        if self.waits > 0 {
            self.waits -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = ready!(self.feed.poll(cx));
        self.waits = self.draws.between(0, WAITS_MOST + 1);
        Poll::Ready(piece)
    }

    fn bytes_read(&self) -> u64 {
        self.feed.bytes_read()
    }
}
