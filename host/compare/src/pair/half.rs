//! One side's share of a call: folded exactly as it would be alone, and with the views after its
//! events where they are wanted.
//!
//! A reducer whose `view` fails on a state between two events must fold as if nobody had looked:
//! when a call with views fails, the events are folded without, and the views are asked for event
//! by event, so that the one which fails is known.

use super::Side;
use retally_core::reduce::steps::Taken;
use retally_core::reduce::steps::append;
use retally_core::reduce::steps::{Grouped, fill, gather};
use retally_core::reduce::steps::{apply, call, grow, numbers};
use retally_core::reduce::{Answer, Batch, Folded, Probe, Reducer, Step, Stop, Trace, Viewed};
use retally_core::schema::{Column, Spans};
use retally_core::shard::Decoded;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// The events of the call.
    pub(super) taken: Vec<Taken>,
    /// The call. Its states are those before it.
    pub(super) grouped: Grouped,
    /// For each key the time of its last applied event before the call; only with views.
    pub(super) times: Vec<i64>,
    pub(super) answer: Answer,
    /// Rows of events that trapped and are rejected for it.
    pub(super) trapped: Vec<u32>,
    /// Rows of events after which the view fails; ascending.
    pub(super) failed: Vec<u32>,
    /// Whether imprints were asked for: if the answer has none, the views are not known.
    pub(super) imprinted: bool,
    passing_limits: u64,
}

impl Half {
    /// Events for one call.
    pub(super) fn new(taken: Vec<Taken>, grouped: Grouped) -> Self {
        Self { taken, grouped, ..Self::default() }
    }

    /// Folds the events; `trace`: with what of the views after them.
    ///
    /// # Errors
    /// The first event with which this side cannot go on.
    pub(super) fn fold(
        &mut self,
        side: &mut Side<'_>,
        slabs: &[Decoded],
        trace: Trace,
        probe: &mut impl Probe,
    ) -> Result<(), Stop> {
        if trace != Trace::Nothing {
            let last = |&slot: &u32| side.shard.keys.get(slot).last;
            self.times = self.grouped.slots.iter().map(last).collect();
        }
        self.imprinted = matches!(trace, Trace::Imprints(_));
        self.answer(side, slabs, trace, probe)?;
        probe.enter(Some(Step::Keep));
        side.shard.keep(&self.grouped, &self.answer, &self.trapped);
        side.shard.note_taken(slabs, &self.taken, &self.grouped);
        Ok(())
    }

    /// Folds the events, and keeps nothing of it in the shard.
    fn answer(
        &mut self,
        side: &mut Side<'_>,
        slabs: &[Decoded],
        trace: Trace,
        probe: &mut impl Probe,
    ) -> Result<(), Stop> {
        probe.enter(Some(Step::Call));
        let (traced, wants_views) = (trace != Trace::Nothing, trace == Trace::Views);
        self.grouped.batch.trace = trace;
        match traced.then(|| apply(side.reducer, side.instance, &self.grouped.batch)) {
            Some(Ok(answer)) => {
                let bytes = self.grouped.batch.bytes() + answer.bytes();
                grow(probe, bytes).map_err(|cause| Stop { event: 0, cause })?;
                self.answer = answer;
            }
            _ => {
                self.grouped.batch.trace = Trace::Nothing;
                self.call(side, slabs, probe)?;
                if wants_views {
                    self.views_singly(side.reducer, slabs);
                }
            }
        }
        Ok(())
    }

    /// The first events of some keys of two sides that read events alike, folded once more from the
    /// same states, with the views after them; `rows`: number of each key in the calls `whole` and
    /// the row behind its last event.
    ///
    /// # Errors
    /// The side and its first event with which it cannot go on.
    pub(super) fn again(
        whole: [&Self; 2],
        rows: &[(u32, u32)],
        sides: &mut [Side<'_>; 2],
        slabs: [&[Decoded]; 2],
        probe: &mut impl Probe,
    ) -> Result<[Self; 2], (usize, Stop)> {
        let [a, b] = sides;
        let taken = whole[0].taken_of(rows);
        let description = a.reducer.description();
        let grouped = gather(description, slabs[0], a.rules, &mut a.shard.keys, &taken);
        let mut first = Self::new(taken, grouped);
        first.begin_as(whole[0], rows);
        first.answer(a, slabs[0], Trace::Views, probe).map_err(|stop| (0, stop))?;
        let mut second = first.lend(b);
        second.begin_as(whole[1], rows);
        second.answer(b, slabs[1], Trace::Views, probe).map_err(|stop| (1, stop))?;
        Ok([first, second])
    }

    /// The first events of some keys, key by key.
    fn taken_of(&self, rows: &[(u32, u32)]) -> Vec<Taken> {
        let ends = &self.grouped.batch.key_ends;
        let start = |key: u32| (key as usize).checked_sub(1).map_or(0, |before| ends[before]);
        let rows = rows.iter().flat_map(|&(key, end)| start(key)..end);
        let events = rows.map(|row| self.grouped.order[row as usize]);
        events.map(|event| self.taken[event as usize]).collect()
    }

    /// Takes the states and times before the call from a call with more keys.
    fn begin_as(&mut self, whole: &Self, rows: &[(u32, u32)]) {
        let state = |&(key, _): &(u32, u32)| whole.grouped.batch.states.get(key as usize);
        self.grouped.batch.states = rows.iter().map(state).collect();
        self.times = rows.iter().map(|&(key, _)| whole.times[key as usize]).collect();
    }

    fn call(
        &mut self,
        side: &mut Side<'_>,
        slabs: &[Decoded],
        probe: &mut impl Probe,
    ) -> Result<(), Stop> {
        let mut folded = Folded::default();
        let number = numbers(slabs);
        let (taken, grouped) = (&self.taken, &self.grouped);
        let Side { reducer, rules, instance, .. } = side;
        let called = call(*reducer, slabs, rules, instance, taken, grouped, &mut folded, probe);
        let (answer, trapped) =
            called.map_err(|(at, cause)| Stop { event: number(&taken[at as usize]), cause })?;
        (self.answer, self.trapped) = (answer, trapped);
        self.passing_limits = folded.passing_limits;
        Ok(())
    }

    /// The views after each event, one call each.
    fn views_singly(&mut self, reducer: &dyn Reducer, slabs: &[Decoded]) {
        let description = reducer.description();
        let columns = description.view.fields.iter().map(|f| Column::new(f.kind)).collect();
        let mut viewed = Viewed { owners: Vec::new(), columns };
        let mut instance = None;
        let mut row = 0;
        for (key, &end) in self.grouped.batch.key_ends.iter().enumerate() {
            let mut state = self.grouped.batch.states.get(key).to_vec();
            for row in row..end {
                let number = self.grouped.order[row as usize];
                let mut one = Batch { key_ends: vec![1], trace: Trace::Views, ..Batch::default() };
                one.params = self.grouped.batch.params.clone();
                one.keys.push(self.grouped.batch.keys.get(key));
                one.states.push(&state);
                fill(&mut one, description, slabs, &self.taken, &[number]);
                let with_view = apply(reducer, &mut instance, &one).ok();
                let failed = with_view.is_none();
                if failed {
                    one.trace = Trace::Nothing;
                }
                let answer = with_view.or_else(|| apply(reducer, &mut instance, &one).ok());
                // An event that fails without its view too is one that is rejected as a trap.
                let Some(answer) = answer else { continue };
                state = answer.states.get(0).to_vec();
                if failed {
                    self.failed.push(row);
                    continue;
                }
                viewed.owners.extend(answer.trace.owners.iter().map(|_| row));
                append(&mut viewed.columns, &answer.trace.columns);
            }
            row = end;
        }
        self.answer.trace = viewed;
    }

    /// What the side made of the events, as if nobody had looked at its views.
    pub(super) fn finish(self, slabs: &[Decoded]) -> Folded {
        let number = numbers(slabs);
        let Self { taken, grouped, mut answer, trapped, passing_limits, .. } = self;
        answer.trace = Viewed::default();
        let mut folded = Folded { passing_limits, ..Folded::default() };
        folded.take(answer, &trapped, |row| number(&taken[grouped.order[row as usize] as usize]));
        folded
    }

    /// The same events for the other side, which has other states and params, if both read events
    /// alike. The keys, and the states before this side's call, stay here too.
    pub(super) fn lend(&mut self, other: &Side<'_>) -> Self {
        let own = &mut self.grouped;
        let states: Spans = own.slots.iter().map(|&slot| other.shard.keys.state(slot)).collect();
        let batch = Batch {
            keys: own.batch.keys.clone(),
            states,
            key_ends: own.batch.key_ends.clone(),
            inputs: std::mem::take(&mut own.batch.inputs),
            ids: std::mem::take(&mut own.batch.ids),
            times: std::mem::take(&mut own.batch.times),
            columns: std::mem::take(&mut own.batch.columns),
            params: other.rules.params.clone(),
            trace: Trace::Nothing,
        };
        let grouped = Grouped { batch, slots: own.slots.clone(), order: own.order.clone() };
        Self::new(self.taken.clone(), grouped)
    }
}
