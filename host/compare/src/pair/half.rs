//! One side's share of a call: folded exactly as it would be alone, and with the views after its
//! events where they are wanted.
//!
//! A reducer whose `view` fails on a state between two events must fold as if nobody had looked:
//! when a call with views fails, the events are folded without, and the views are asked for event
//! by event, so that the one which fails is known. A limit is no such failure: it would decide
//! whether two views are the same, so one that repeats is a stop.

use super::Side;
use retally_core::reduce::steps::{
    Call, Called, Grouped, OneByOne, Taken, alone, append, apply_within, gather, grow, numbers,
    states,
};
use retally_core::reduce::{
    Answer, Batch, Fault, Folded, Manner, Probe, Reducer, Rules, Step, Stop, StopCause, Trace,
    Undone, Viewed,
};
use retally_core::schema::Column;
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
    /// What an earlier attempt left to know.
    pub(super) fault: Option<Fault>,
    passing_limits: u64,
}

impl Half {
    /// Events for one call.
    pub(super) fn new(taken: Vec<Taken>, grouped: Grouped) -> Self {
        Self { taken, grouped, ..Self::default() }
    }

    /// Folds the events, and keeps nothing of it in the shard; `trace`: with what of the views
    /// after them.
    ///
    /// # Errors
    /// The first event with which this side cannot go on.
    pub(super) fn fold(
        &mut self,
        side: &mut Side<'_>,
        slabs: &[Decoded],
        trace: Trace,
        manner: Manner,
        probe: &mut impl Probe,
    ) -> Result<(), Undone> {
        if trace != Trace::Nothing {
            let last = |&slot: &u32| side.shard.keys.get(slot).last;
            self.times = self.grouped.slots.iter().map(last).collect();
        }
        self.imprinted = matches!(trace, Trace::Imprints(_));
        self.answer(side, slabs, trace, manner, probe)
    }

    /// Keeps in the shard what came of the events.
    pub(super) fn keep(&self, side: &mut Side<'_>, slabs: &[Decoded], probe: &mut impl Probe) {
        probe.enter(Some(Step::Keep));
        side.shard.keep(&self.grouped, &self.answer, &self.trapped);
        side.shard.note_taken(slabs, &self.taken, &self.grouped);
    }

    fn answer(
        &mut self,
        side: &mut Side<'_>,
        slabs: &[Decoded],
        trace: Trace,
        manner: Manner,
        probe: &mut impl Probe,
    ) -> Result<(), Undone> {
        probe.enter(Some(Step::Call));
        let (traced, wants_views) = (trace != Trace::Nothing, trace == Trace::Views);
        self.grouped.batch.trace = trace;
        if let (true, Manner::Hurried(parts)) = (traced, manner) {
            match apply_within(side.reducer, side.instance, &self.grouped.batch, parts) {
                Ok(answer) => {
                    let bytes = self.grouped.batch.bytes() + answer.bytes();
                    let over = |cause| Undone::Stopped(Stop { event: 0, cause });
                    grow(probe, bytes).map_err(over)?;
                    self.answer = answer;
                    return Ok(());
                }
                Err(Fault::Limit { .. }) => return Err(Undone::Slow(None)),
                Err(_) => {}
            }
        }
        self.grouped.batch.trace = Trace::Nothing;
        self.call(side, slabs, manner, probe)?;
        if wants_views {
            self.views_singly(side.reducer, side.rules, slabs, manner)?;
        }
        Ok(())
    }

    /// The same for events that were folded before, so that one by one is of no avail unless they
    /// are many.
    fn answer_again(
        &mut self,
        side: &mut Side<'_>,
        slabs: &[Decoded],
        probe: &mut impl Probe,
    ) -> Result<(), Stop> {
        let mut answer = |manner| self.answer(side, slabs, Trace::Views, manner, probe);
        let answered = match answer(Manner::Hurried(1)) {
            Err(Undone::Slow(_)) => answer(Manner::Singly),
            answered => answered,
        };
        match answered {
            Err(Undone::Stopped(stop)) => Err(stop),
            // Slow is only who hurries.
            Ok(()) | Err(Undone::Slow(_)) => Ok(()),
        }
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
        let grouped = gather(description, slabs[0], a.rules, &mut a.shard.keys, &taken)
            .map_err(|cause| (0, stop_at(slabs[0], &taken, 0, cause)))?;
        let mut first = Self::new(taken, grouped);
        first.begin_as(whole[0], rows);
        first.answer_again(a, slabs[0], probe).map_err(|stop| (0, stop))?;
        let mut second =
            first.lend(b).map_err(|stop| (1, stop_at(slabs[1], &first.taken, 0, stop)))?;
        second.begin_as(whole[1], rows);
        second.answer_again(b, slabs[1], probe).map_err(|stop| (1, stop))?;
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
        manner: Manner,
        probe: &mut impl Probe,
    ) -> Result<(), Undone> {
        let (taken, grouped, fault) = (&self.taken, &self.grouped, self.fault.clone());
        let call = Call { slabs, rules: side.rules, taken, grouped, manner, fault };
        let called = call.run(side.reducer, side.instance, probe);
        let Called { answer, trapped, passing_limits } =
            called.map_err(|undone| undone.map(|(at, cause)| stop_at(slabs, taken, at, cause)))?;
        (self.answer, self.trapped, self.passing_limits) = (answer, trapped, passing_limits);
        Ok(())
    }

    /// The views after each event, one call each.
    fn views_singly(
        &mut self,
        reducer: &dyn Reducer,
        rules: &Rules,
        slabs: &[Decoded],
        manner: Manner,
    ) -> Result<(), Undone> {
        let description = reducer.description();
        let columns = description.view.fields.iter().map(|f| Column::new(f.kind)).collect();
        let mut viewed = Viewed { owners: Vec::new(), columns };
        let mut one = OneByOne::new(reducer, rules, manner);
        self.failed.clear();
        let mut row = 0;
        for (key, &end) in self.grouped.batch.key_ends.iter().enumerate() {
            let mut state = self.grouped.batch.states.get(key).to_vec();
            for row in row..end {
                let at = self.grouped.order[row as usize];
                // An event that fails without its view too is one that is rejected as a trap.
                if self.trapped.binary_search(&row).is_ok() {
                    continue;
                }
                let stop = |cause| stop_at(slabs, &self.taken, at, cause);
                let event = &self.taken[at as usize];
                let of = (self.grouped.batch.keys.get(key), state.as_slice());
                let params = &self.grouped.batch.params;
                let mut batch = alone(description, params, slabs, event, of);
                batch.trace = Trace::Views;
                let looked = one.look(&batch).map_err(|undone| undone.map(stop))?;
                let failed = looked.is_none();
                batch.trace = Trace::Nothing;
                let answer = match looked {
                    Some(answer) => Some(answer),
                    None => one.fold(&batch).map_err(|undone| undone.map(stop))?,
                };
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
        self.passing_limits += one.passing_limits();
        Ok(())
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
    ///
    /// # Errors
    /// When the states are more than a call can hold.
    pub(super) fn lend(&mut self, other: &Side<'_>) -> Result<Self, StopCause> {
        let own = &mut self.grouped;
        let states = states(&other.shard.keys, &own.slots)?;
        let batch = Batch {
            keys: own.batch.keys.clone(),
            states,
            key_ends: own.batch.key_ends.clone(),
            inputs: std::mem::take(&mut own.batch.inputs),
            ids: std::mem::take(&mut own.batch.ids),
            // What is kept of these events in the other shard needs them, too.
            times: own.batch.times.clone(),
            columns: std::mem::take(&mut own.batch.columns),
            params: other.rules.params.clone(),
            trace: Trace::Nothing,
        };
        let grouped = Grouped { batch, slots: own.slots.clone(), order: own.order.clone() };
        Ok(Self::new(self.taken.clone(), grouped))
    }
}

/// The stop at an event, which is known by its number among the taken ones.
pub(super) fn stop_at(slabs: &[Decoded], taken: &[Taken], at: u32, cause: StopCause) -> Stop {
    Stop { event: numbers(slabs)(&taken[at as usize]), cause }
}
