//! A call for a share of a batch, and after a fault its events one call each, so that a trap is
//! laid at the right door.
//!
//! A trap and a limit are different things. A trap that a fresh instance repeats is the event's
//! own; one that it does not repeat means that the reducer keeps something between calls; a limit
//! depends on the machine and never decides a result. A broken contract is laid at its event's door
//! too. See docs/determinism.md.

use super::gather::{Grouped, fill};
use super::judge::Taken;
use super::running::apply_within;
use super::{
    Answer, Batch, Emitted, Fault, Instance, Limit, Manner, OnTrap, Probe, Reducer, Rejected,
    Rules, StopCause, Undone,
};
use crate::schema::{Column, Description, Spans};
use crate::shard::Decoded;
use std::sync::Arc;

/// A share of a batch, judged and grouped, on its way into a reducer.
pub struct Call<'a> {
    /// The batch.
    pub slabs: &'a [Decoded],
    /// What decides beside the events.
    pub rules: &'a Rules,
    /// The events, in log order.
    pub taken: &'a [Taken],
    /// The same, grouped.
    pub grouped: &'a Grouped,
    /// How it is folded.
    pub manner: Manner,
    /// What an earlier attempt left to know ([`Undone::Slow`]).
    pub fault: Option<Fault>,
}

/// What came of it.
pub struct Called {
    /// As one call gives it.
    pub answer: Answer,
    /// Rows of events that trapped and are rejected for it.
    pub trapped: Vec<u32>,
    /// Limits that were met and not met again.
    pub passing_limits: u64,
}

impl Call<'_> {
    /// One call for all, and event by event if that fails. `probe` is told what it holds.
    ///
    /// # Errors
    /// A stop is the number among `taken` of the first event with which the run cannot go on.
    pub fn run(
        self,
        reducer: &dyn Reducer,
        instance: &mut Option<Box<dyn Instance>>,
        probe: &mut impl Probe,
    ) -> Result<Called, Undone<(u32, StopCause)>> {
        let over = |cause| Undone::Stopped((0, cause));
        grow(probe, self.grouped.batch.bytes()).map_err(over)?;
        let Manner::Hurried(parts) = self.manner else {
            return self.isolate(reducer, self.fault.as_ref(), probe);
        };
        let fault = match apply_within(reducer, instance, &self.grouped.batch, parts) {
            Ok(answer) => {
                grow(probe, answer.bytes()).map_err(over)?;
                return Ok(Called { answer, trapped: Vec::new(), passing_limits: 0 });
            }
            Err(fault) => fault,
        };
        if let Some(cause) = StopCause::beyond_calls(&fault) {
            return Err(Undone::Stopped((0, cause)));
        }
        if let Fault::Limit { which, .. } = fault {
            // A part of a deadline is no limit that anybody set.
            let is_known = parts == 1 || which != Limit::Deadline;
            return Err(Undone::Slow(is_known.then_some(fault)));
        }
        match self.isolate(reducer, Some(&fault), probe) {
            Err(Undone::Slow(_)) => Err(Undone::Slow(Some(fault))),
            isolated => isolated,
        }
    }

    /// Folds the events one call each, in log order.
    fn isolate(
        &self,
        reducer: &dyn Reducer,
        first: Option<&Fault>,
        probe: &mut impl Probe,
    ) -> Result<Called, Undone<(u32, StopCause)>> {
        let Self { slabs, rules, taken, grouped, .. } = self;
        let mut one = OneByOne::new(reducer, rules, self.manner);
        let mut states: Vec<Vec<u8>> = grouped.batch.states.iter().map(<[u8]>::to_vec).collect();
        let at = |number: usize| move |cause| Undone::Stopped((number as u32, cause));
        grow(probe, grouped.batch.states.bytes.len()).map_err(at(0))?;
        let mut results: Vec<Option<Answer>> = Vec::new();
        results.resize_with(taken.len(), || None);
        let mut key_of = vec![0u32; taken.len()];
        let mut key = 0;
        for (row, &number) in grouped.order.iter().enumerate() {
            while grouped.batch.key_ends[key] as usize <= row {
                key += 1;
            }
            key_of[number as usize] = key as u32;
        }
        for (number, event) in taken.iter().enumerate() {
            let key = key_of[number] as usize;
            let of = (grouped.batch.keys.get(key), states[key].as_slice());
            let batch = alone(reducer.description(), &rules.params, slabs, event, of);
            let answer = one.fold(&batch).map_err(|undone| undone.map(|c| (number as u32, c)))?;
            if let Some(mut answer) = answer {
                // What is kept is the key's last state, not the one after each of its events.
                let state = std::mem::take(&mut answer.states).bytes;
                let more = state.len().saturating_sub(states[key].len()) + answer.bytes();
                grow(probe, more).map_err(at(number))?;
                states[key] = state;
                results[number] = Some(answer);
            }
        }
        one.conclude(first).map_err(|cause| Undone::Stopped((0, cause)))?;
        let (answer, trapped) = join(reducer.description(), grouped, &states, &results)
            .map_err(|cause| Undone::Stopped((0, cause)))?;
        Ok(Called { answer, trapped, passing_limits: one.passing_limits })
    }
}

/// Tells `probe` that a call holds so many bytes more.
///
/// # Errors
/// When the run may not hold them.
pub fn grow(probe: &mut impl Probe, bytes: usize) -> Result<(), StopCause> {
    if probe.grows(bytes) { Ok(()) } else { Err(StopCause::Halted) }
}

/// A batch of one event; `of`: its key and the state of that.
pub fn alone(
    description: &Description,
    params: &Arc<Vec<Column>>,
    slabs: &[Decoded],
    event: &Taken,
    (key, state): (&[u8], &[u8]),
) -> Batch {
    let mut batch = Batch { key_ends: vec![1], params: params.clone(), ..Batch::default() };
    batch.keys.push(key);
    batch.states.push(state);
    fill(&mut batch, description, slabs, std::slice::from_ref(event), &[0]);
    batch
}

/// Folds events one call each.
pub struct OneByOne<'a> {
    reducer: &'a dyn Reducer,
    rules: &'a Rules,
    manner: Manner,
    instance: Option<Box<dyn Instance>>,
    passing_limits: u64,
    trapped: u64,
}

impl<'a> OneByOne<'a> {
    /// On an instance of its own.
    pub fn new(reducer: &'a dyn Reducer, rules: &'a Rules, manner: Manner) -> Self {
        Self { reducer, rules, manner, instance: None, passing_limits: 0, trapped: 0 }
    }

    /// The answer of one event, or none if it traps and is rejected for it.
    ///
    /// # Errors
    /// When the run cannot go on with it.
    pub fn fold(&mut self, batch: &Batch) -> Result<Option<Answer>, Undone<StopCause>> {
        let first = match self.call(batch) {
            Ok(answer) => return Ok(Some(answer)),
            Err(fault) => self.worth_another(fault)?,
        };
        let again = match self.call(batch) {
            Ok(answer) => Ok(answer),
            Err(fault) => Err(self.worth_another(fault)?),
        };
        let state = || batch.states.get(0).to_vec();
        match (first, again) {
            (Fault::Trap { message }, Err(Fault::Trap { .. })) => {
                if self.rules.on_trap == OnTrap::Stop {
                    return Err(Undone::Stopped(StopCause::Trap { message, state: state() }));
                }
                self.trapped += 1;
                Ok(None)
            }
            (Fault::Trap { message }, Ok(_)) => {
                Err(Undone::Stopped(StopCause::Unrepeatable { message }))
            }
            (Fault::Limit { which, message }, Err(_))
            | (_, Err(Fault::Limit { which, message })) => {
                Err(Undone::Stopped(StopCause::Limit { which, message, state: state() }))
            }
            // A limit, which is all that is left.
            (_, Ok(answer)) => {
                self.passing_limits += 1;
                Ok(Some(answer))
            }
            (fault, Err(_)) => {
                Err(Undone::Stopped(StopCause::Contract { message: fault.to_string() }))
            }
        }
    }

    /// The answer of one event with the views after it, which its batch asks for; none: they fail,
    /// or the event does.
    ///
    /// # Errors
    /// When a limit keeps from knowing that: it would decide whether views differ.
    pub fn look(&mut self, batch: &Batch) -> Result<Option<Answer>, Undone<StopCause>> {
        self.look_again(batch, false)
    }

    fn look_again(
        &mut self,
        batch: &Batch,
        is_second: bool,
    ) -> Result<Option<Answer>, Undone<StopCause>> {
        let fault = match self.call(batch) {
            Ok(answer) => {
                self.passing_limits += u64::from(is_second);
                return Ok(Some(answer));
            }
            Err(Fault::Contract { .. }) => return Ok(None),
            Err(fault) => self.worth_another(fault)?,
        };
        match fault {
            Fault::Limit { .. } if !is_second => self.look_again(batch, true),
            Fault::Limit { which, message } => {
                let state = batch.states.get(0).to_vec();
                Err(Undone::Stopped(StopCause::Limit { which, message, state }))
            }
            _ => Ok(None),
        }
    }

    /// Limits that were met and not met again.
    pub fn passing_limits(&self) -> u64 {
        self.passing_limits
    }

    fn call(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        apply_within(self.reducer, &mut self.instance, batch, self.manner.parts())
    }

    /// A trap or a limit, of which another call tells more.
    fn worth_another(&self, fault: Fault) -> Result<Fault, Undone<StopCause>> {
        if let Some(cause) = StopCause::beyond_calls(&fault) {
            return Err(Undone::Stopped(cause));
        }
        match (fault, self.manner) {
            (Fault::Contract { message }, _) => {
                Err(Undone::Stopped(StopCause::Contract { message }))
            }
            (Fault::Limit { .. }, Manner::Hurried(_)) => Err(Undone::Slow(None)),
            (fault, _) => Ok(fault),
        }
    }

    /// What the fault of the whole batch means, now that every event was folded alone.
    fn conclude(&mut self, first: Option<&Fault>) -> Result<(), StopCause> {
        match first {
            Some(Fault::Trap { message }) if self.trapped == 0 => {
                Err(StopCause::Unrepeatable { message: message.clone() })
            }
            Some(Fault::Limit { .. }) if self.passing_limits == 0 => {
                self.passing_limits = 1;
                Ok(())
            }
            // Which event that is depends on what else is in the call, so none is to blame.
            Some(Fault::Contract { message }) => Err(StopCause::Contract {
                message: format!(
                    "{message}; only where it is called with several events, of which this is the \
                     first: none of them does it alone"
                ),
            }),
            _ => Ok(()),
        }
    }
}

/// Joins the outcomes of single events as one call would have given them.
///
/// # Errors
/// When that is more than one call can give.
fn join(
    description: &Description,
    grouped: &Grouped,
    states: &[Vec<u8>],
    results: &[Option<Answer>],
) -> Result<(Answer, Vec<u32>), StopCause> {
    let columns = |fields: &[crate::schema::Field]| -> Vec<Column> {
        fields.iter().map(|field| Column::new(field.kind)).collect()
    };
    let empty = |kind: &crate::schema::EmitKind| Emitted {
        rows: Vec::new(),
        columns: columns(&kind.fields),
    };
    too_much("states", states.iter().map(Vec::len))?;
    let mut joined = Answer {
        states: states.iter().map(Vec::as_slice).collect::<Spans>(),
        emits: description.emits.iter().map(empty).collect(),
        ..Answer::default()
    };
    let mut trapped = Vec::new();
    for (row, &number) in grouped.order.iter().enumerate() {
        let row = row as u32;
        let Some(answer) = &results[number as usize] else {
            trapped.push(row);
            continue;
        };
        for (into, from) in joined.emits.iter_mut().zip(&answer.emits) {
            into.rows.extend(from.rows.iter().map(|_| row));
            append(&mut into.columns, &from.columns);
        }
        let reject = |r: &Rejected| Rejected { row, code: r.code, detail: r.detail.clone() };
        joined.rejects.extend(answer.rejects.iter().map(reject));
    }
    let lists = joined.emits.iter().flat_map(|emitted| &emitted.columns);
    lists.map(|column| column.values.texts()).try_for_each(|len| too_much("records", [len]))?;
    Ok((joined, trapped))
}

/// Refuses lists of bytes that together are longer than their ends can tell.
///
/// # Errors
/// [`StopCause::TooMuch`].
pub(super) fn too_much(
    what: &'static str,
    lens: impl IntoIterator<Item = usize>,
) -> Result<(), StopCause> {
    match Spans::can_hold(lens) {
        true => Ok(()),
        false => Err(StopCause::TooMuch { what }),
    }
}

/// Appends the rows of columns of the same fields.
pub fn append(into: &mut [Column], from: &[Column]) {
    for (into, from) in into.iter_mut().zip(from) {
        for row in 0..from.len() {
            let pushed = into.push(from.get(row));
            debug_assert!(pushed.is_ok(), "outcomes were checked against the same fields");
        }
    }
}
