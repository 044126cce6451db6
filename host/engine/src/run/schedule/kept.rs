//! Batches whose events another pass put aside: they come from a file, one behind the other, in
//! place of what the log gives.

use super::super::aside::KeptBatch;
use super::super::sequence::Extent;
use super::super::task::{Task, Undecoded};
use super::Schedule;
use crate::limits::BATCHES_AHEAD;

/// What is read of the file.
#[derive(Default)]
pub(super) struct Supply {
    reading: bool,
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
}

impl Schedule {
    /// Takes batches that were put aside, of which `extents` is all that was taken of the log.
    #[must_use]
    pub(crate) fn of_kept(mut self, extents: Vec<Extent>) -> Self {
        self.sequence.extents = extents;
        self.supply = Some(Supply::default());
        self
    }

    /// The next batch was read; none: there are no more.
    pub(crate) fn kept(&mut self, batch: Option<KeptBatch>) {
        let Some(supply) = &mut self.supply else { return };
        supply.reading = false;
        supply.over = batch.is_none();
        supply.next = batch;
    }

    /// Memory of what was read and has no room yet.
    pub(super) fn kept_bytes(&self) -> usize {
        let next = self.supply.as_ref().and_then(|supply| supply.next.as_ref());
        next.map_or(0, KeptBatch::bytes)
    }

    /// Opens the batch that was read, as soon as there is room.
    pub(super) fn advance_kept(&mut self) {
        let Some(supply) = &mut self.supply else { return };
        self.sequence.over = supply.over;
        if self.batches.len() >= BATCHES_AHEAD {
            return;
        }
        let Some(KeptBatch { slabs, whole }) = supply.next.take() else { return };
        let number = supply.given;
        supply.given += 1;
        let batch = self.open(number);
        batch.bytes += whole.bytes();
        batch.whole = Some(whole);
        for slab in slabs {
            batch.bytes += slab.bytes();
            batch.wait(Undecoded::Kept(slab));
        }
        self.seal(false);
    }
}
