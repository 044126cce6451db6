//! A log in which every event comes twice: what reads it gives each piece again, right behind
//! itself.

use crate::log::{End, Feed, Log, LogError, Part, Partition, Piece};
use retally_core::decode::Beside;
use retally_core::log::PartitionIndex;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// See the module. Where its events lie is its own, so nothing else of the other log is asked.
pub(super) struct Doubled {
    log: Arc<dyn Log>,
    partitions: Vec<Partition>,
}

impl Doubled {
    pub(super) fn new(log: Arc<dyn Log>) -> Self {
        let own = |partition: &Partition| Partition {
            first: 0,
            end: End::OfParts,
            name: partition.name.clone(),
        };
        let partitions = log.partitions().iter().map(own).collect();
        Self { log, partitions }
    }
}

impl Log for Doubled {
    fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    fn parts(&self) -> &[Part] {
        self.log.parts()
    }

    fn read(&self, part: usize, _from: u64) -> Result<Box<dyn Feed>, LogError> {
        let number = self.log.parts().get(part).map_or(0, |part| part.partition);
        let first = self.log.partitions().get(number as usize).map_or(0, |own| own.first);
        Ok(Box::new(Twice { feed: self.log.read(part, first)?, again: None }))
    }

    fn place(&self, _partition: PartitionIndex, _offset: u64) -> Option<String> {
        None
    }

    fn besides(&self) -> Vec<Beside> {
        self.log.besides()
    }
}

struct Twice {
    feed: Box<dyn Feed>,
    /// What comes again.
    again: Option<Piece>,
}

impl Feed for Twice {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        if let Some(piece) = self.again.take() {
            return Poll::Ready(Ok(Some(piece)));
        }
        let piece = ready!(self.feed.poll(cx))?;
        let Some(piece) = piece else { return Poll::Ready(Ok(None)) };
        // Offsets would be there twice: events follow one another instead.
        let piece = Piece { offsets: None, end: None, ..piece };
        self.again = Some(Piece {
            slab: piece.slab.clone(),
            offsets: None,
            folders: piece.folders.clone(),
            beside: piece.beside.clone(),
            end: None,
        });
        Poll::Ready(Ok(Some(piece)))
    }

    fn bytes_read(&self) -> u64 {
        self.feed.bytes_read()
    }
}
