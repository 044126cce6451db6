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
use half::{Half, stop_at};
use retally_core::fold::Recipe;
use retally_core::reduce::steps::{Taken, gather};
use retally_core::reduce::{
    Fault, Folded, Instance, Manner, NoProbe, Probe, Reducer, Rules, Shard, Step, Stop, StopCause,
    Trace, Undone, Unsure,
};
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
    /// Its share of the batch at hand, if that is judged and not folded.
    begun: Option<Box<Begun>>,
}

/// A share of a batch that is judged on both sides and not folded.
#[derive(Debug, Default)]
struct Begun {
    judged: [Folded; 2],
    taken: [Vec<Taken>; 2],
    stops: Stops,
    /// What an attempt to fold it left to know, of each part and side.
    faults: [[Option<Fault>; 2]; 2],
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
        let (records, imprints) = (Records::default(), Imprints::default());
        Self { records, details, imprints, begun: None }
    }

    /// Folds this shard's events of a batch on both sides. `slabs`: those of each side; of twins
    /// the same. `level`: keys below it keep no detail.
    ///
    /// # Errors
    /// The side and its [`Stop`]: of all events with which one of the two cannot go on the first in
    /// log order. The shard is of no use then. Where it is only [slow](Undone::Slow) the same batch
    /// can be folded once more.
    pub fn fold(
        &mut self,
        shared: &Shared,
        sides: &mut [Side<'_>; 2],
        slabs: [&[Decoded]; 2],
        (level, manner): (u8, Manner),
        probe: &mut impl Probe,
    ) -> Result<BothFolded, Undone<(usize, Stop)>> {
        self.details.prune(level);
        let begun = self.begun.take();
        let begun = begun.unwrap_or_else(|| self.begin_with(shared, sides, slabs, probe));
        let result = self.steps(shared, sides, slabs, begun, manner, probe);
        probe.enter(None);
        result
    }

    /// Judges its events of a batch, if they are not judged yet.
    pub fn begin(&mut self, shared: &Shared, sides: &mut [Side<'_>; 2], slabs: [&[Decoded]; 2]) {
        let begun = self.begun.take();
        let begin = || self.begin_with(shared, sides, slabs, &mut NoProbe);
        self.begun = Some(begun.unwrap_or_else(begin));
    }

    fn begin_with(
        &mut self,
        shared: &Shared,
        sides: &mut [Side<'_>; 2],
        slabs: [&[Decoded]; 2],
        probe: &mut impl Probe,
    ) -> Box<Begun> {
        let twins = shared.twins;
        let mut begun = Box::<Begun>::default();
        let Begun { judged, taken, stops, .. } = &mut *begun;
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
        begun
    }

    /// Its share of the batch that it [began](Self::begin), on both sides.
    pub fn unsure<'a>(&'a self, shared: &'a Shared, shards: [&'a Shard; 2]) -> Vec<Unsure<'a>> {
        let Some(begun) = self.begun.as_deref() else { return Vec::new() };
        let of = |lane: usize| {
            let taken = &begun.taken[if shared.twins { 0 } else { lane }];
            let looked = move |slot| {
                let record = self.records.of(shared.twins, lane, slot);
                !self.records.get(record).is_parted()
            };
            let stop = begun.stops.0.as_ref().filter(|(side, _)| *side == lane);
            let (keys, stop) = (&shards[lane].keys, stop.map(|(_, stop)| stop));
            Unsure { lane, keys, taken, stop, looked: Box::new(looked) }
        };
        vec![of(0), of(1)]
    }

    fn steps(
        &mut self,
        shared: &Shared,
        sides: &mut [Side<'_>; 2],
        slabs: [&[Decoded]; 2],
        mut begun: Box<Begun>,
        manner: Manner,
        probe: &mut impl Probe,
    ) -> Result<BothFolded, Undone<(usize, Stop)>> {
        let mut stops = begun.stops.clone();
        let mut called = Vec::new();
        for (part, taken) in self.split(shared.twins, &begun.taken).into_iter().enumerate() {
            let traced = part == 0;
            let has_work = taken.iter().any(|list| !list.is_empty());
            if !has_work && (shared.twins || !traced) {
                continue;
            }
            let how = Part { shared, slabs, traces: self.traces(shared, traced), manner };
            match how.fold(sides, taken, &mut begun.faults[part], &mut stops, probe) {
                Ok(both) => called.push((traced, both)),
                Err(undone) => {
                    // Nothing was kept yet, so that all of it can be folded once more.
                    self.begun = Some(begun);
                    return Err(undone);
                }
            }
        }
        stops.first().map_err(Undone::Stopped)?;
        let judged = begun.judged;
        let mut folded: BothFolded = Default::default();
        for (traced, both) in called {
            for ((half, side), slabs) in both.iter().zip(sides.iter_mut()).zip(slabs) {
                half.keep(side, slabs, probe);
            }
            if traced {
                let outcomes = [0, 1].map(|side: usize| judged[side].outcomes.as_slice());
                let call = Call { shared, slabs, outcomes };
                let compared = self.compare(&call, sides, [&both[0], &both[1]], probe);
                compared.map_err(Undone::Stopped)?;
            }
            for (side, half) in both.into_iter().enumerate() {
                folded[side].push(half.finish(slabs[side]));
            }
        }
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
    fn split(&self, twins: bool, taken: &[Vec<Taken>; 2]) -> [[Vec<Taken>; 2]; 2] {
        let mut parts: [[Vec<Taken>; 2]; 2] = Default::default();
        for (side, list) in taken.iter().enumerate() {
            for &event in list {
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

/// How a part of the events is folded.
struct Part<'a> {
    shared: &'a Shared,
    slabs: [&'a [Decoded]; 2],
    traces: [Trace; 2],
    manner: Manner,
}

impl Part<'_> {
    /// Groups and folds the events on both sides, and keeps nothing of it. Stops of the two are
    /// added to `stops`.
    fn fold(
        &self,
        sides: &mut [Side<'_>; 2],
        [taken_a, taken_b]: [Vec<Taken>; 2],
        faults: &mut [Option<Fault>; 2],
        stops: &mut Stops,
        probe: &mut impl Probe,
    ) -> Result<[Half; 2], Undone<(usize, Stop)>> {
        let [a, b] = sides;
        let [fault_a, fault_b] = faults;
        let mut first = self.group(0, a, taken_a, probe)?;
        stops.add(0, self.answer(0, &mut first, a, fault_a, probe)?);
        let mut second = match self.shared.twins {
            true => first.lend(b).map_err(|cause| self.stop(1, &first.taken, cause))?,
            false => self.group(1, b, taken_b, probe)?,
        };
        stops.add(1, self.answer(1, &mut second, b, fault_b, probe)?);
        Ok([first, second])
    }

    fn group(
        &self,
        number: usize,
        side: &mut Side<'_>,
        taken: Vec<Taken>,
        probe: &mut impl Probe,
    ) -> Result<Half, Undone<(usize, Stop)>> {
        probe.enter(Some(Step::Gather));
        let (description, keys) = (side.reducer.description(), &mut side.shard.keys);
        match gather(description, self.slabs[number], side.rules, keys, &taken) {
            Ok(grouped) => Ok(Half::new(taken, grouped)),
            Err(cause) => Err(self.stop(number, &taken, cause)),
        }
    }

    fn stop(&self, side: usize, taken: &[Taken], cause: StopCause) -> Undone<(usize, Stop)> {
        Undone::Stopped((side, stop_at(self.slabs[side], taken, 0, cause)))
    }

    /// The inner error is the side's stop, the outer one says that it is slow.
    fn answer(
        &self,
        number: usize,
        half: &mut Half,
        side: &mut Side<'_>,
        fault: &mut Option<Fault>,
        probe: &mut impl Probe,
    ) -> Result<Result<(), Stop>, Undone<(usize, Stop)>> {
        half.fault = fault.take();
        let trace = self.traces[number].clone();
        match half.fold(side, self.slabs[number], trace, self.manner, probe) {
            Ok(()) => Ok(Ok(())),
            Err(Undone::Stopped(stop)) => Ok(Err(stop)),
            Err(Undone::Slow(known)) => {
                *fault = known;
                Err(Undone::Slow(None))
            }
        }
    }
}

/// The first stop in log order.
#[derive(Debug, Clone, Default)]
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
