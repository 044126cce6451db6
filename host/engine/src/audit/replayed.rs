//! The replay's side: a sink that makes of what comes out the records that a worker would have
//! sent, and the marks that it would have committed.

use super::record::Record;
use super::sheet::Sheet;
use super::window::Lies;
use crate::live::Batch;
use crate::sink::{Beginning, Sink, SinkError, Takes};
use retally_core::digest::{OutcomeShape, Outcomes, PartitionDigest, StateSum, StateTerm};
use retally_core::reduce::{Block, Finals};

/// See the module.
pub(super) struct Replayed<'a> {
    sheet: &'a mut Sheet,
    /// Of each partition what its worker would commit at the end.
    made: Option<Made>,
    batch: Batch,
}

/// What the replay came to, partition by partition.
pub(super) struct Made {
    outcomes: Outcomes,
    states: Vec<StateSum>,
    /// Whether there are keys of which nobody knows in which partition they lie: they have no event
    /// in the range.
    is_unplaced: bool,
}

impl<'a> Replayed<'a> {
    pub(super) fn new(sheet: &'a mut Sheet) -> Self {
        Self { sheet, made: None, batch: Batch::default() }
    }

    /// What it came to; none: it was never begun.
    pub(super) fn made(self) -> Option<Made> {
        self.made
    }
}

impl Made {
    /// The outcome trees of partitions that have events.
    pub(super) fn outcomes(&self) -> Vec<PartitionDigest> {
        self.outcomes.digests()
    }

    /// The sum over a partition's states; none: nobody can tell which those are.
    pub(super) fn states(&self, partition: usize) -> Option<StateSum> {
        self.states.get(partition).copied().filter(|_| !self.is_unplaced)
    }
}

impl Sink for Replayed<'_> {
    fn takes(&self) -> Takes {
        Takes { results: true, places: true, ..Takes::default() }
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        self.sheet.begin();
        let (shape, names) = (OutcomeShape::of(beginning.description), beginning.partitions);
        let outcomes = match beginning.history {
            None => Outcomes::new(shape, names),
            Some(history) => Outcomes::restore(shape, names, history.to_vec())
                .map_err(|error| SinkError::Own(error.into()))?,
        };
        let states = vec![StateSum::default(); names.len()];
        self.made = Some(Made { outcomes, states, is_unplaced: false });
        Ok(())
    }

    fn block(&mut self, block: Block) -> Result<(), SinkError> {
        if let Some(made) = &mut self.made {
            made.outcomes.add(&block).map_err(|error| SinkError::Own(error.into()))?;
        }
        let Sheet { window, secret, publishes, tables, .. } = &mut *self.sheet;
        publishes.block(&window.names, &block, &mut self.batch);
        for record in self.batch.iter() {
            let table = tables.iter_mut().find(|table| *table.topic == *record.topic);
            if let Some(table) = table {
                table.replayed(&Record::from(record), (window, secret));
            }
        }
        self.batch.clear();
        Ok(())
    }

    fn keys(&mut self, keys: Finals) -> Result<(), SinkError> {
        if let Some(made) = &mut self.made {
            made.is_unplaced |= keys.reaches.iter().any(|reach| reach.events == 0);
            let rows = keys.keys.iter().zip(keys.states.iter()).zip(&keys.applied);
            for (((key, state), applied), reach) in rows.zip(&keys.reaches) {
                if let Some(sum) = made.states.get_mut(reach.first.partition as usize) {
                    sum.set(None, Some(StateTerm::of(key, state, *applied)));
                }
            }
        }
        let Sheet { window, secret, publishes, views, .. } = &mut *self.sheet;
        let Some(views) = views else { return Ok(()) };
        // How far their partition was is nothing that is compared.
        publishes.views(("", 0), &keys, &mut self.batch);
        for (record, reach) in self.batch.iter().zip(&keys.reaches) {
            let last = reach.last;
            let is_due =
                reach.events > 0 && window.lies(last.partition, last.offset) == Lies::Within;
            views.replayed(&Record::from(record), is_due, secret);
        }
        self.batch.clear();
        Ok(())
    }
}
