//! From placed slabs to what shards fold: read once, and hashed and sorted into shards for every
//! reader.

use super::{Recipe, Strand, Timed};
use crate::decode::{DecodeError, Decoder, Events, Placed, Plan};
use crate::dedup::Prints;
use crate::reduce::{NoProbe, Probe, Step};
use crate::shard::{Decoded, Sorting};
use std::sync::Arc;

/// What one thread needs to decode.
pub struct Decoding {
    decoder: Decoder,
    prints: Prints,
    sorting: Sorting,
}

impl Decoding {
    /// Reads by `plan`, for shards of `recipe`: of one of the plan's readers, which all have the
    /// same seed, subset and shards.
    pub fn new(plan: Arc<Plan>, recipe: &Recipe) -> Self {
        let Recipe { seed, shards, portion, rules, .. } = recipe;
        let (seed, shards, portion) = (*seed, *shards, *portion);
        let sorting = Sorting { seed, shards, portion, keeps_others: false };
        let decoder = Decoder::new(plan).taking(rules.subset.clone());
        Self { decoder, prints: Prints::default(), sorting }
    }

    /// Keeps events of other portions, too, each for its own ([`Decoded::others`]).
    #[must_use]
    pub fn keeping_others(mut self) -> Self {
        self.sorting.keeps_others = true;
        self
    }

    /// What was [read](Self::read) of events, or what another pass read of those of this portion
    /// and kept for it. `numbers`: as [`Decoded::with_numbers`].
    pub fn kept(
        &mut self,
        placed: &[Placed],
        events: Events,
        numbers: Option<Arc<[u32]>>,
        probe: &mut impl Probe,
    ) -> Decoded {
        probe.enter(Some(Step::Hash));
        let Self { sorting, prints, .. } = self;
        let decoded = Decoded::new(placed.into(), events, sorting, prints);
        probe.enter(None);
        match numbers {
            Some(numbers) => decoded.with_numbers(numbers),
            None => decoded,
        }
    }

    /// Decodes slabs that follow one another as one, once for each reader of the plan.
    ///
    /// # Errors
    /// What concerns a whole slab.
    pub fn slab(
        &mut self,
        placed: &[Placed],
        probe: &mut impl Probe,
    ) -> Result<Vec<Decoded>, DecodeError> {
        let readers = self.read(placed, probe)?;
        Ok(readers.into_iter().map(|events| self.kept(placed, events, None, probe)).collect())
    }

    /// What is read of such slabs, not sorted into shards yet.
    ///
    /// # Errors
    /// What concerns a whole slab.
    pub fn read(
        &mut self,
        placed: &[Placed],
        probe: &mut impl Probe,
    ) -> Result<Vec<Events>, DecodeError> {
        probe.enter(Some(Step::Decode));
        let mut readers = Vec::new();
        let read = self.decoder.decode_all(placed, &mut readers);
        probe.enter(None);
        read.map(|()| readers)
    }

    /// Decodes a slab whose events are merged with those of other partitions by time. `end`: stored
    /// bytes of the partition up to and with it. The plan must read the [clock](Plan::with_clock).
    ///
    /// # Errors
    /// What concerns the whole slab.
    pub fn timed(
        &mut self,
        placed: Placed,
        end: Option<u64>,
        probe: &mut impl Probe,
    ) -> Result<Timed, DecodeError> {
        probe.enter(Some(Step::Decode));
        let mut readers = Vec::new();
        let decoded = self.decoder.decode(&placed, &mut readers);
        probe.enter(None);
        decoded.map(|()| Timed::new(placed, readers, end))
    }

    /// What a batch takes of such a slab, once for each reader of the plan.
    pub fn strand(&mut self, strand: &Strand, probe: &mut impl Probe) -> Vec<Decoded> {
        probe.enter(Some(Step::Hash));
        let Self { sorting, prints, .. } = self;
        let Strand { slab, rows, numbers } = strand;
        let placed = slab.placed.slice(rows.clone());
        let sorted = |events: &Events| {
            let events = events.slice(rows.clone());
            Decoded::new(placed.clone().into(), events, sorting, prints)
                .with_numbers(numbers.clone())
        };
        let readers = slab.readers.iter().map(sorted).collect();
        probe.enter(None);
        readers
    }

    /// Decodes a batch, slab by slab.
    ///
    /// # Errors
    /// What concerns a whole slab.
    pub fn batch(&mut self, placed: &[Placed]) -> Result<Slabs, DecodeError> {
        let mut slabs = Slabs::default();
        for placed in placed.chunks(1) {
            slabs.push(self.slab(placed, &mut NoProbe)?);
        }
        Ok(slabs)
    }
}

/// The decoded slabs of a batch, for each reader of the plan one list: one for each reducer, or one
/// alone for reducers that read events alike.
#[derive(Debug, Default)]
pub struct Slabs(Vec<Vec<Decoded>>);

impl Slabs {
    /// Appends a slab as each reader reads it.
    pub fn push(&mut self, readers: Vec<Decoded>) {
        self.0.resize_with(readers.len(), Vec::new);
        for (list, decoded) in self.0.iter_mut().zip(readers) {
            list.push(decoded);
        }
    }

    /// The slabs as the reducer with this number reads them.
    pub fn of(&self, reducer: usize) -> &[Decoded] {
        match self.0.as_slice() {
            [] => &[],
            [alike] => alike,
            each => &each[reducer],
        }
    }
}
