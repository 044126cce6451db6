//! Where the events of some keys lie: every event of a replay of these keys alone that has one.

use crate::sink::{Sink, SinkError, Takes};
use retally_core::log::PartitionIndex;
use retally_core::reduce::{Block, Outcome};
use std::collections::BTreeSet;

/// Partition and offset of each.
#[derive(Default)]
pub(super) struct Places(pub(super) BTreeSet<(PartitionIndex, u64)>);

impl Sink for Places {
    fn takes(&self) -> Takes {
        Takes { results: true, ..Takes::default() }
    }

    fn block(&mut self, block: Block) -> Result<(), SinkError> {
        let offsets = block.stretches.iter().flat_map(|own| {
            (0..u64::from(own.events)).map(|number| (own.partition, own.first_offset + number))
        });
        let all = offsets.zip(&block.outcomes);
        let is_own = |outcome: &Outcome| !matches!(outcome, Outcome::Filtered | Outcome::Ignored);
        self.0.extend(all.filter(|(_, outcome)| is_own(outcome)).map(|(place, _)| place));
        Ok(())
    }
}
