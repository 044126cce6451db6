//! The decoder: what one thread needs to turn slabs into events.

use super::assemble::{self, BlockPlace, assemble};
use super::beside::Columns;
use super::outside::Outside;
use super::plan::Plan;
use super::raw::Source;
use super::{DecodeError, Events, Folders, Placed, Slab, arrow, json, record};
use crate::schema::{Column, Kind};
use crate::subset::Subset;
use std::sync::Arc;

/// Decodes slabs by a [`Plan`]. Each thread has its own: it keeps memory from slab to slab, and
/// nothing that could change a result.
#[derive(Debug)]
pub struct Decoder {
    plan: Arc<Plan>,
    lines: json::Reader,
    subset: Arc<Subset>,
    scratch: assemble::Scratch,
}

impl Decoder {
    /// A decoder for slabs of the run that `plan` was made for.
    pub fn new(plan: Arc<Plan>) -> Self {
        let lines = json::Reader::new(&plan);
        Self { plan, lines, subset: Arc::default(), scratch: assemble::Scratch::default() }
    }

    /// From now on events whose key `subset` does not take are [`Filtered`](super::Reading): none
    /// of their fields is read.
    #[must_use]
    pub fn taking(self, subset: Arc<Subset>) -> Self {
        Self { subset, ..self }
    }

    /// Decodes a slab: afterwards `out` holds one [`Events`] per reader, in their order. Whatever
    /// `out` held before is gone, but its memory is used again.
    ///
    /// # Errors
    /// What concerns the whole slab; what concerns a single event is its [`super::Reading`].
    pub fn decode(&mut self, placed: &Placed, out: &mut Vec<Events>) -> Result<(), DecodeError> {
        self.decode_all(std::slice::from_ref(placed), out)
    }

    /// Decodes slabs that follow one another as if they were one.
    ///
    /// # Errors
    /// What concerns a whole slab.
    pub fn decode_all(
        &mut self,
        slabs: &[Placed],
        out: &mut Vec<Events>,
    ) -> Result<(), DecodeError> {
        let plan = &*self.plan;
        let events_in_all = slabs.iter().map(|placed| placed.slab.len()).sum();
        out.resize_with(plan.readers.len(), Events::default);
        for (reader, events) in plan.readers.iter().zip(&mut *out) {
            let inputs = reader.inputs.iter();
            let kinds = inputs.map(|i| i.fields.iter().map(|f| f.kind));
            events.reset(kinds, events_in_all);
        }
        let (how, scratch) = ((plan, &*self.subset), &mut self.scratch);
        scratch.begin(plan);
        for placed in slabs {
            let (partition, left) = (&*placed.name, placed.slab.len());
            let place = BlockPlace { partition, offsets: &placed.offsets, first: 0, left };
            let beside = Columns::of(&plan.trie, placed.beside.as_ref());
            let has_outside = plan.trie.has_outside() || beside.has_faults();
            let outside = has_outside.then_some((&placed.folders, &beside));
            match &*placed.slab {
                Slab::Lines(lines) if plan.trie.is_of_bytes() => {
                    record::read(plan, lines, place, |block, place| {
                        appended(how, block, outside, place, out, scratch)
                    })?;
                }
                Slab::Lines(lines) => self.lines.read(plan, lines, place, |block, place| {
                    appended(how, block, outside, place, out, scratch)
                })?,
                Slab::Rows(rows) => arrow::read(plan, rows, place, |block, place| {
                    appended(how, block, outside, place, out, scratch)
                })?,
            }
        }
        Ok(())
    }
}

/// Appends a block's events, with what is known of them beside what is in them.
fn appended<S: Source>(
    how: (&Plan, &Subset),
    block: &S,
    outside: Option<(&Folders, &Columns<'_>)>,
    place: BlockPlace<'_>,
    out: &mut [Events],
    scratch: &mut assemble::Scratch,
) -> Result<(), DecodeError> {
    match outside {
        None => assemble(how, block, place, out, scratch),
        Some((folders, beside)) => {
            let (plan, first) = (how.0, place.first);
            let source = Outside { block, plan, folders, beside, first };
            assemble(how, &source, place, out, scratch)
        }
    }
}

impl Events {
    /// Empties everything, keeps the memory where the columns are of the same kinds, and makes
    /// room.
    fn reset<I: Iterator<Item = Kind>>(&mut self, kinds: impl Iterator<Item = I>, events: usize) {
        self.readings.clear();
        self.inputs.clear();
        self.rows.clear();
        self.keys.clear();
        self.ids.clear();
        self.times.clear();
        self.clock.clear();
        self.details.clear();
        self.readings.reserve(events);
        self.inputs.reserve(events);
        self.rows.reserve(events);
        self.times.reserve(events);
        let mut old = std::mem::take(&mut self.columns).into_iter();
        for kinds in kinds {
            let mut columns = old.next().unwrap_or_default().into_iter();
            let next = |kind| match columns.next() {
                Some(mut column) if column.values.is(kind) => {
                    column.truncate(0);
                    column
                }
                _ => Column::new(kind),
            };
            self.columns.push(kinds.map(next).collect());
        }
    }
}
