//! Batches whose events another pass put aside: they come from a file, one behind the other, in
//! place of what the log gives.

use super::aside::{KeptBatch, Next};
use super::batch::Batch;
use super::task::{Task, Undecoded};

/// What is read of the file.
#[derive(Default)]
pub(super) struct Supply {
    reading: bool,
    /// No more are read.
    over: bool,
    next: Option<KeptBatch>,
    /// Batches that it gave.
    given: u64,
}

impl Supply {
    /// To read on, where there is room and nobody reads.
    pub(super) fn pick(&mut self) -> Option<Task> {
        let is_due = !self.reading && !self.over && self.next.is_none();
        self.reading |= is_due;
        is_due.then_some(Task::Kept)
    }

    /// It was read what comes next. Gives the number of the batch behind which a snapshot is saved,
    /// if that is it.
    pub(super) fn read(&mut self, next: Next) -> Option<u64> {
        self.reading = false;
        match next {
            Next::Batch(batch) => self.next = Some(batch),
            Next::End => self.over = true,
            // Nothing is read on before the batch before was given.
            Next::Snapshot => return self.given.checked_sub(1),
        }
        None
    }

    /// Memory of what was read and has no room yet.
    pub(super) fn bytes(&self) -> usize {
        self.next.as_ref().map_or(0, KeptBatch::bytes)
    }

    /// Whether all batches were given.
    pub(super) fn is_over(&self) -> bool {
        self.over && self.next.is_none()
    }

    /// The batch that was read, of which so many shards have a share in so many lanes.
    pub(super) fn take(&mut self, shards: usize, lanes: usize) -> Option<Batch> {
        let KeptBatch { slabs, whole } = self.next.take()?;
        let mut batch = Batch::new(self.given, shards, lanes);
        self.given += 1;
        batch.bytes += whole.bytes();
        batch.whole = Some(whole);
        for slab in slabs {
            batch.bytes += slab.bytes();
            batch.wait(Undecoded::Kept(slab));
        }
        Some(batch)
    }
}
