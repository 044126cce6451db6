//! The fold of one shard: judge, group, call the reducer, keep the new states.

use super::gather::{Grouped, gather};
use super::isolate::{Call, Called};
use super::judge::{Taken, judge};
use super::reaches::Reaches;
use super::{
    Answer, Emitted, Fault, Instance, Manner, NoProbe, Outcome, Probe, Reducer, Rejected, Rules,
    Step, Stop, Undone, Unsure,
};
use crate::decode::cut;
use crate::dedup::IdTable;
use crate::log::Reach;
use crate::shard::{Decoded, Numbering};
use crate::state::{KeyTable, Slot};

/// Keys, states and ids of one shard.
#[derive(Debug)]
pub struct Shard {
    /// Its number.
    pub number: usize,
    /// Its keys.
    pub keys: KeyTable,
    /// Ids seen.
    pub ids: IdTable,
    /// Ids that were there when this run began, once its first batch is folded.
    ids_before: Option<usize>,
    /// Events of the batches folded so far, those of other shards included.
    events: u64,
    /// Where its keys' events lie, if that is wanted.
    reaches: Reaches,
    /// Its share of the batch at hand, if that is judged and not folded.
    begun: Option<Box<Begun>>,
}

/// A share of a batch that is judged and not folded.
#[derive(Debug)]
struct Begun {
    taken: Vec<Taken>,
    folded: Folded,
    stopped: Option<Stop>,
    /// What an attempt to fold it left to know.
    fault: Option<Fault>,
}

/// What one shard made of a batch of the log. Events are known by their number in the batch.
#[derive(Debug, Default)]
pub struct Folded {
    /// Outcomes other than "applied".
    pub outcomes: Vec<(u32, Outcome)>,
    /// Free text beside rejects.
    pub details: Vec<(u32, String)>,
    /// For each emit kind the records, grouped as the batch was, and the event of each.
    pub emits: Vec<Emitted>,
    /// Limits that were met and not met again by a fresh instance.
    pub passing_limits: u64,
}

impl Shard {
    /// An empty shard.
    pub fn new(number: usize, rules: &Rules) -> Self {
        let (keys, ids) = (KeyTable::default(), IdTable::new(&rules.window));
        let reaches = Reaches::default();
        Self { number, keys, ids, ids_before: None, events: 0, reaches, begun: None }
    }

    /// Says how many events this run is likely to have in all, so that the table of ids is made
    /// once for all that will come. No result depends on it.
    pub fn expect(&mut self, events: u64, shards: usize) {
        let Some(before) = self.ids_before else { return };
        let seen = u128::from(self.events.max(1));
        let new = (self.ids.len() - before) as u128;
        // A busy key makes its shard busy while the log is at its partition, and not for ever: what
        // is above a shard's even share is not expected to go on.
        let even = seen / shards.max(1) as u128;
        let to_come = new.min(even) * u128::from(events.saturating_sub(self.events)) / seen;
        // An estimate from some thousand events is off by a few hundredths.
        self.ids.expect(self.ids.len() + (to_come + to_come / 32) as usize);
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.reaches.bytes() + self.ids.bytes()
    }

    /// Folds this shard's events of a batch. `instance` is reused, and left empty after a fault.
    ///
    /// # Errors
    /// [`Stop`] at the first event, in log order, with which the run cannot go on; the shard is of
    /// no use then. Where it is only [slow](Undone::Slow) the same batch can be folded once more.
    pub fn fold(
        &mut self,
        slabs: &[Decoded],
        (reducer, rules): (&dyn Reducer, &Rules),
        manner: Manner,
        instance: &mut Option<Box<dyn Instance>>,
        probe: &mut impl Probe,
    ) -> Result<Folded, Undone> {
        let begun = self.begun.take().unwrap_or_else(|| self.begin_with(slabs, rules, probe));
        let result = self.steps(slabs, (reducer, rules), manner, begun, instance, probe);
        probe.enter(None);
        result
    }

    fn steps(
        &mut self,
        slabs: &[Decoded],
        (reducer, rules): (&dyn Reducer, &Rules),
        manner: Manner,
        mut begun: Box<Begun>,
        instance: &mut Option<Box<dyn Instance>>,
        probe: &mut impl Probe,
    ) -> Result<Folded, Undone> {
        // Events before a stop are folded all the same: one of them may stop the run earlier.
        if !begun.taken.is_empty() {
            let (taken, number) = (&begun.taken, numbers(slabs));
            let stop = |(at, cause)| Stop { event: number(&taken[at as usize]), cause };
            probe.enter(Some(Step::Gather));
            let grouped = gather(reducer.description(), slabs, rules, &mut self.keys, taken)
                .map_err(|cause| Undone::Stopped(stop((0, cause))))?;
            probe.enter(Some(Step::Call));
            let fault = begun.fault.clone();
            let call = Call { slabs, rules, taken, grouped: &grouped, manner, fault };
            let Called { answer, trapped, passing_limits } =
                match call.run(reducer, instance, probe) {
                    Ok(called) => called,
                    Err(Undone::Stopped(at)) => return Err(Undone::Stopped(stop(at))),
                    Err(Undone::Slow(fault)) => {
                        begun.fault = fault;
                        self.begun = Some(begun);
                        return Err(Undone::Slow(None));
                    }
                };
            probe.enter(Some(Step::Keep));
            self.keep(&grouped, &answer, &trapped);
            self.note_taken(slabs, taken, &grouped);
            begun.folded.passing_limits = passing_limits;
            let event = |row: u32| number(&taken[grouped.order[row as usize] as usize]);
            begun.folded.take(answer, &trapped, event);
        }
        begun.stopped.map_or(Ok(begun.folded), |stop| Err(Undone::Stopped(stop)))
    }

    /// Judges its events of a batch, if they are not judged yet.
    pub fn begin(&mut self, slabs: &[Decoded], rules: &Rules) {
        let begun = self.begun.take();
        self.begun = Some(begun.unwrap_or_else(|| self.begin_with(slabs, rules, &mut NoProbe)));
    }

    fn begin_with(
        &mut self,
        slabs: &[Decoded],
        rules: &Rules,
        probe: &mut impl Probe,
    ) -> Box<Begun> {
        let mut folded = Folded::default();
        let (taken, stopped) = self.judged(slabs, rules, &mut folded, probe);
        Box::new(Begun { taken, folded, stopped, fault: None })
    }

    /// Its share of the batch that it [began](Self::begin), of the first reducer.
    pub fn unsure(&self) -> Option<Unsure<'_>> {
        let Begun { taken, stopped, .. } = self.begun.as_deref()?;
        let (keys, stop) = (&self.keys, stopped.as_ref());
        Some(Unsure { lane: 0, keys, taken, stop, looked: Box::new(|_| false) })
    }

    /// The events that reach the reducer; what became of the others is outcomes.
    pub fn judged(
        &mut self,
        slabs: &[Decoded],
        rules: &Rules,
        folded: &mut Folded,
        probe: &mut impl Probe,
    ) -> (Vec<Taken>, Option<Stop>) {
        let mut taken = Vec::new();
        self.ids_before.get_or_insert(self.ids.len());
        self.events += slabs.iter().map(|slab| slab.len() as u64).sum::<u64>();
        let (keys, ids) = (&mut self.keys, &mut self.ids);
        probe.enter(Some(Step::Judge));
        let stopped =
            judge(slabs, self.number, rules, keys, ids, &mut taken, &mut folded.outcomes).err();
        if ids.wants_tidy() {
            ids.tidy(&keys.highest());
        }
        self.note_others(slabs, &folded.outcomes);
        (taken, stopped)
    }

    /// From now on the shard notes where its keys' events lie.
    pub fn note_reaches(&mut self) {
        self.reaches.begin();
    }

    /// Where a key's events lie; none: it was not asked for.
    pub fn reach(&self, slot: Slot) -> Option<Reach> {
        self.reaches.of(slot)
    }

    /// Notes where the events of a batch lie that reached the reducer.
    pub fn note_taken(&mut self, slabs: &[Decoded], taken: &[Taken], grouped: &Grouped) {
        self.reaches.note_taken(self.keys.len(), slabs, taken, grouped);
    }

    /// Notes where the events of a batch lie that have a key and did not reach the reducer.
    pub fn note_others(&mut self, slabs: &[Decoded], outcomes: &[(u32, Outcome)]) {
        if !self.reaches.is_wanted() {
            return;
        }
        let numbering = Numbering::new(slabs);
        let found = outcomes.iter().filter_map(|&(event, _)| numbering.find(event));
        for (slab, row) in found.map(|(slab, row)| (&slabs[slab], row)) {
            if let Some(slot) = self.slot_of(slab, row) {
                self.reaches.note(slot, slab.spot(row));
            }
        }
    }

    /// The slot of an event with a key in this shard.
    pub fn slot_of(&self, slab: &Decoded, row: u32) -> Option<Slot> {
        let range = slab.range(self.number);
        let candidates = &slab.candidates()[range.clone()];
        let at = candidates.binary_search_by_key(&row, |event| event.row).ok()?;
        self.keys.find(candidates[at].key, slab.key(range.start + at))
    }

    /// Keeps the new states, and counts what was applied.
    pub fn keep(&mut self, grouped: &Grouped, answer: &Answer, trapped: &[u32]) {
        let mut refused: Vec<u32> = answer.rejects.iter().map(|r| r.row).collect();
        refused.extend_from_slice(trapped);
        refused.sort_unstable();
        let mut refused = refused.into_iter().peekable();
        let mut row = 0;
        for (number, &slot) in grouped.slots.iter().enumerate() {
            self.keys.set_state(slot, answer.states.get(number));
            let key = self.keys.get_mut(slot);
            for row in row..grouped.batch.key_ends[number] {
                if refused.next_if_eq(&row).is_none() {
                    key.applied += 1;
                    key.last = grouped.batch.times[row as usize];
                }
            }
            row = grouped.batch.key_ends[number];
        }
    }
}

/// The number in the batch of a taken event.
pub fn numbers(slabs: &[Decoded]) -> impl Fn(&Taken) -> u32 + use<'_> {
    let numbering = Numbering::new(slabs);
    move |taken| numbering.of(taken.slab as usize, taken.row)
}

impl Folded {
    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let details = self.details.iter().map(|(_, text)| size_of::<(u32, String)>() + text.len());
        size_of_val(&self.outcomes[..])
            + details.sum::<usize>()
            + self.emits.iter().map(Emitted::bytes).sum::<usize>()
    }

    /// Takes what a call gave: `event` leads from a row of the call to its number in the batch, and
    /// `trapped` are the rows that are rejected as traps.
    pub fn take(&mut self, mut answer: Answer, trapped: &[u32], event: impl Fn(u32) -> u32) {
        self.outcomes.extend(trapped.iter().map(|&row| (event(row), Outcome::Trapped)));
        for Rejected { row, code, detail } in answer.rejects {
            self.outcomes.push((event(row), Outcome::Rejected(code)));
            if !detail.is_empty() {
                self.details.push((event(row), cut(detail)));
            }
        }
        for emitted in &mut answer.emits {
            emitted.rows.iter_mut().for_each(|row| *row = event(*row));
        }
        self.emits = answer.emits;
    }
}
