//! Two reducers side by side over one shard: each folds exactly as it would alone, and of every key
//! the first event is found at which the two part.
//!
//! ```text
//! judge ----> keys that parted before ----> call A, call B
//!       ----> keys that did not ----------> call A, call B, with imprints of the views after
//!               |                             each event -> steps -> walk -> seen
//!               v
//!             keys of which anything differs -> call A, call B once more, with those views
//!                                             -> steps -> walk -> seen, parted, details
//! ```
//!
//! Views after each event cost more than the events themselves, so they are asked for only where
//! something differs: equal imprints are equal views, and cost a fraction. Of a key that has parted
//! neither is asked for. What is found does not depend on how the log is cut into batches.
//! Sides that declare the same inputs ("twins") are judged once: what is a duplicate, and which
//! events reach the reducer, follows from the inputs alone. What is kept of a key is [`Seen`], a
//! few bytes, and [`Parted`], where it parted; what is shown of that event is kept within a bound.

mod compare;
mod details;
mod differ;
mod fold;
mod half;
mod looks;
mod rows;
mod seen;
mod shared;
mod steps;
mod walk;

pub use details::{DETAIL_LEVELS, Detail, Weights, level_of};
pub use fold::PairFold;
pub use seen::{Parted, Seen, outcome_bit};
pub use shared::{Shared, SharedEmits};

use compare::Call;
use details::Details;
use half::Half;
use retally_core::fold::Recipe;
use retally_core::reduce::steps::{Taken, gather};
use retally_core::reduce::{Folded, Instance, Probe, Reducer, Rules, Shard, Step, Stop, Trace};
use retally_core::schema::Description;
use retally_core::shard::Decoded;
use retally_core::state::Slot;
use seen::Records;

/// One of the two sides of a shard.
pub struct Side<'a> {
    /// Its reducer.
    pub reducer: &'a dyn Reducer,
    /// Its rules: of both sides the same but for the params, and no trace.
    pub rules: &'a Rules,
    /// Its keys, states and ids.
    pub shard: &'a mut Shard,
    /// Reused, and left empty after a fault.
    pub instance: &'a mut Option<Box<dyn Instance>>,
}

/// What both sides of one shard made of a batch, for [`merge`](retally_core::reduce::merge()).
pub type BothFolded = [Vec<Folded>; 2];

/// What is kept of one shard's keys beside their states.
#[derive(Debug)]
pub struct PairShard {
    records: Records,
    details: Details,
    imprints: Imprints,
}

/// How often imprints told that a key has not parted, and how often the views had to.
#[derive(Debug, Default)]
struct Imprints {
    compared: usize,
    vain: usize,
}

impl Imprints {
    /// Whether it pays to ask for them: not if many differ where views do not, as with rows in
    /// another order or values within a tolerance. No result depends on it.
    fn pay(&self) -> bool {
        self.vain <= 64 + self.compared / 4
    }
}

impl<'a> Side<'a> {
    /// A side that folds by `recipe`.
    pub fn new(
        recipe: &'a Recipe,
        shard: &'a mut Shard,
        instance: &'a mut Option<Box<dyn Instance>>,
    ) -> Self {
        Self { reducer: recipe.reducer.as_ref(), rules: &recipe.rules, shard, instance }
    }
}

impl PairShard {
    /// Nothing seen yet.
    pub fn new(a: &Description, b: &Description) -> Self {
        let details = Details::new([a, b]);
        Self { records: Records::default(), details, imprints: Imprints::default() }
    }

    /// Folds this shard's events of a batch on both sides. `slabs`: those of each side; of twins
    /// the same. `level`: keys below it keep no detail.
    ///
    /// # Errors
    /// The side and its [`Stop`]: of all events with which one of the two cannot go on the first in
    /// log order. The shard is of no use then.
    pub fn fold(
        &mut self,
        shared: &Shared,
        sides: &mut [Side<'_>; 2],
        slabs: [&[Decoded]; 2],
        level: u8,
        probe: &mut impl Probe,
    ) -> Result<BothFolded, (usize, Stop)> {
        self.details.prune(level);
        let result = self.steps(shared, sides, slabs, probe);
        probe.enter(None);
        result
    }

    fn steps(
        &mut self,
        shared: &Shared,
        sides: &mut [Side<'_>; 2],
        slabs: [&[Decoded]; 2],
        probe: &mut impl Probe,
    ) -> Result<BothFolded, (usize, Stop)> {
        let twins = shared.twins;
        let mut judged: [Folded; 2] = Default::default();
        let mut stops = Stops::default();
        let mut taken: [Vec<Taken>; 2] = Default::default();
        for side in 0..if twins { 1 } else { 2 } {
            let Side { shard, rules, .. } = &mut sides[side];
            let (list, stop) = shard.judged(slabs[side], rules, &mut judged[side], probe);
            taken[side] = list;
            stops.add(side, stop.map_or(Ok(()), Err));
        }
        if twins {
            let [a, b] = sides;
            b.shard.keys.follow(&a.shard.keys);
            judged[1].outcomes = judged[0].outcomes.clone();
            b.shard.note_others(slabs[1], &judged[1].outcomes);
        }
        self.records.follow(twins, [&sides[0].shard.keys, &sides[1].shard.keys]);
        let mut folded: BothFolded = Default::default();
        let parts = self.split(twins, taken);
        for (taken, traced) in parts.into_iter().zip([true, false]) {
            let outcomes = [0, 1].map(|side: usize| judged[side].outcomes.as_slice());
            let has_work = taken.iter().any(|list| !list.is_empty());
            if !has_work && (twins || !traced) {
                continue;
            }
            let traces = self.traces(shared, traced);
            let halves = halves(shared, sides, slabs, taken, traces, &mut stops, probe);
            if traced && stops.0.is_none() {
                let both = [&halves[0], &halves[1]];
                self.compare(&Call { shared, slabs, outcomes }, sides, both, probe)?;
            }
            for (side, half) in halves.into_iter().enumerate() {
                folded[side].push(half.finish(slabs[side]));
            }
        }
        stops.first()?;
        let outcomes = [0, 1].map(|side: usize| judged[side].outcomes.as_slice());
        self.count_outcomes(&Call { shared, slabs, outcomes }, sides);
        for (side, judged) in judged.into_iter().enumerate() {
            folded[side].push(judged);
        }
        Ok(folded)
    }

    /// What each side tells of the views after its events.
    fn traces(&self, shared: &Shared, traced: bool) -> [Trace; 2] {
        match (traced, &shared.imprinted) {
            (false, _) => [Trace::Nothing, Trace::Nothing],
            (true, Some(fields)) if self.imprints.pay() => fields.clone().map(Trace::Imprints),
            (true, _) => [Trace::Views, Trace::Views],
        }
    }

    /// Events of keys that have not parted, and of those that have.
    fn split(&self, twins: bool, taken: [Vec<Taken>; 2]) -> [[Vec<Taken>; 2]; 2] {
        let mut parts: [[Vec<Taken>; 2]; 2] = Default::default();
        for (side, list) in taken.into_iter().enumerate() {
            for event in list {
                let record = self.records.of(twins, side, event.slot);
                let part = usize::from(self.records.get(record).is_parted());
                parts[part][side].push(event);
            }
        }
        parts
    }

    /// What is kept of a key, by a side and its slot there.
    pub fn seen(&self, shared: &Shared, side: usize, slot: Slot) -> &Seen {
        self.records.get(self.records.of(shared.twins, side, slot))
    }

    /// Where a key parted, by a side and its slot there.
    pub fn parted(&self, shared: &Shared, side: usize, slot: Slot) -> Option<&Parted> {
        let record = self.records.of(shared.twins, side, slot);
        self.records.parted(record).map(|(_, parted)| parted)
    }

    /// What is shown of the event at which a key parted, if it was kept.
    pub fn detail(&self, shared: &Shared, side: usize, slot: Slot) -> Option<Detail> {
        let record = self.records.of(shared.twins, side, slot);
        let (number, _) = self.records.parted(record)?;
        self.details.get(number)
    }

    /// Bytes of details so far, by level: what whoever drives the shards sums up.
    pub fn weights(&self) -> &Weights {
        self.details.weights()
    }

    /// Drops the details of keys below `level`.
    pub fn prune(&mut self, level: u8) {
        self.details.prune(level);
    }

    /// Memory held without the details, in bytes.
    pub fn bytes(&self) -> usize {
        self.records.bytes()
    }
}

/// Groups and folds one part of the events on both sides.
fn halves(
    shared: &Shared,
    sides: &mut [Side<'_>; 2],
    slabs: [&[Decoded]; 2],
    taken: [Vec<Taken>; 2],
    traces: [Trace; 2],
    stops: &mut Stops,
    probe: &mut impl Probe,
) -> [Half; 2] {
    let group = |side: &mut Side<'_>, slabs, taken: Vec<Taken>, probe: &mut _| {
        Probe::enter(probe, Some(Step::Gather));
        let description = side.reducer.description();
        let grouped = gather(description, slabs, side.rules, &mut side.shard.keys, &taken);
        Half::new(taken, grouped)
    };
    let [a, b] = sides;
    let ([taken_a, taken_b], [trace_a, trace_b]) = (taken, traces);
    let mut first = group(a, slabs[0], taken_a, probe);
    stops.add(0, first.fold(a, slabs[0], trace_a, probe));
    let mut second = match shared.twins {
        true => first.lend(b),
        false => group(b, slabs[1], taken_b, probe),
    };
    stops.add(1, second.fold(b, slabs[1], trace_b, probe));
    [first, second]
}

/// The first stop in log order.
#[derive(Default)]
struct Stops(Option<(usize, Stop)>);

impl Stops {
    fn add(&mut self, side: usize, result: Result<(), Stop>) {
        if let Err(stop) = result
            && self.0.as_ref().is_none_or(|(_, first)| stop.event < first.event)
        {
            self.0 = Some((side, stop));
        }
    }

    fn first(&mut self) -> Result<(), (usize, Stop)> {
        self.0.take().map_or(Ok(()), Err)
    }
}
