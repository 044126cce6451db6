//! After a fault: the batch's events one call each, so that a trap is laid at the right door.
//!
//! A trap and a limit are different things. A trap that a fresh instance repeats is the event's
//! own; one that it does not repeat means that the reducer keeps something between calls; a limit
//! depends on the machine and never decides a result. A broken contract is laid at its event's door
//! too. See docs/determinism.md.

use super::fold::grow;
use super::gather::{Grouped, fill};
use super::judge::Taken;
use super::running::apply;
use super::{
    Answer, Batch, Emitted, Fault, Instance, OnTrap, Probe, Reducer, Rejected, Rules, StopCause,
};
use crate::schema::{Column, Description, Spans};
use crate::shard::Decoded;

/// What came of a batch that was folded event by event.
pub(crate) struct Isolated {
    /// As if the batch had been folded in one call.
    pub answer: Answer,
    /// Rows of events that trapped and are rejected for it.
    pub trapped: Vec<u32>,
    /// Limits that were met and not met again.
    pub passing_limits: u64,
}

/// Folds the events of `grouped` one call each, in log order.
///
/// # Errors
/// The number among `taken` of the first event with which the run cannot go on, and why.
pub(crate) fn isolate(
    reducer: &dyn Reducer,
    slabs: &[Decoded],
    rules: &Rules,
    taken: &[Taken],
    grouped: &Grouped,
    first: &Fault,
    probe: &mut impl Probe,
) -> Result<Isolated, (u32, StopCause)> {
    let mut one = OneByOne { reducer, rules, instance: None, passing_limits: 0, trapped: 0 };
    let mut states: Vec<Vec<u8>> = grouped.batch.states.iter().map(<[u8]>::to_vec).collect();
    let mut results: Vec<Option<Answer>> = Vec::new();
    results.resize_with(taken.len(), || None);
    let mut row_of = vec![0u32; taken.len()];
    let mut key_of = vec![0u32; taken.len()];
    grow(probe, grouped.batch.states.bytes.len()).map_err(|cause| (0, cause))?;
    let mut key = 0;
    for (row, &number) in grouped.order.iter().enumerate() {
        while grouped.batch.key_ends[key] as usize <= row {
            key += 1;
        }
        (row_of[number as usize], key_of[number as usize]) = (row as u32, key as u32);
    }
    for number in 0..taken.len() {
        let key = key_of[number] as usize;
        let mut batch = Batch { key_ends: vec![1], ..Batch::default() };
        batch.params = rules.params.clone();
        batch.keys.push(grouped.batch.keys.get(key));
        batch.states.push(&states[key]);
        fill(&mut batch, reducer.description(), slabs, taken, &[number as u32]);
        let answer = one.fold(&batch).map_err(|cause| (number as u32, cause))?;
        if let Some(mut answer) = answer {
            // What is kept is the key's last state, not the one after each of its events.
            let state = std::mem::take(&mut answer.states).bytes;
            let more = state.len().saturating_sub(states[key].len()) + answer.bytes();
            grow(probe, more).map_err(|cause| (number as u32, cause))?;
            states[key] = state;
            results[number] = Some(answer);
        }
    }
    one.conclude(first).map_err(|cause| (0, cause))?;
    let (answer, trapped) = join(reducer.description(), grouped, &states, &results);
    Ok(Isolated { answer, trapped, passing_limits: one.passing_limits })
}

struct OneByOne<'a> {
    reducer: &'a dyn Reducer,
    rules: &'a Rules,
    instance: Option<Box<dyn Instance>>,
    passing_limits: u64,
    trapped: u64,
}

impl OneByOne<'_> {
    /// The answer of one event, or none if it traps and is rejected for it.
    fn fold(&mut self, batch: &Batch) -> Result<Option<Answer>, StopCause> {
        let first = match self.call(batch) {
            Ok(answer) => return Ok(Some(answer)),
            Err(fault) => worth_another(fault)?,
        };
        let state = || batch.states.get(0).to_vec();
        match (first, self.call(batch).map_err(worth_another)) {
            (_, Err(Err(cause))) => Err(cause),
            (Fault::Trap { message }, Err(Ok(Fault::Trap { .. }))) => {
                if self.rules.on_trap == OnTrap::Stop {
                    return Err(StopCause::Trap { message, state: state() });
                }
                self.trapped += 1;
                Ok(None)
            }
            (Fault::Trap { message }, Ok(_)) => Err(StopCause::Unrepeatable { message }),
            (Fault::Limit { which, message }, Err(_))
            | (_, Err(Ok(Fault::Limit { which, message }))) => {
                Err(StopCause::Limit { which, message, state: state() })
            }
            // A limit, which is all that is left.
            (_, Ok(answer)) => {
                self.passing_limits += 1;
                Ok(Some(answer))
            }
            (fault, Err(Ok(_))) => Err(StopCause::Contract { message: fault.to_string() }),
        }
    }

    fn call(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        apply(self.reducer, &mut self.instance, batch)
    }

    /// What the fault of the whole batch means, now that every event was folded alone.
    fn conclude(&mut self, first: &Fault) -> Result<(), StopCause> {
        match first {
            Fault::Trap { message } if self.trapped == 0 => {
                Err(StopCause::Unrepeatable { message: message.clone() })
            }
            Fault::Limit { .. } if self.passing_limits == 0 => {
                self.passing_limits = 1;
                Ok(())
            }
            // It breaks it only with several events in one call.
            Fault::Contract { message } => Err(StopCause::Contract { message: message.clone() }),
            _ => Ok(()),
        }
    }
}

/// A trap or a limit, of which another call tells more; all else is why the run stops.
fn worth_another(fault: Fault) -> Result<Fault, StopCause> {
    match (StopCause::beyond_calls(&fault), fault) {
        (Some(cause), _) => Err(cause),
        (None, Fault::Contract { message }) => Err(StopCause::Contract { message }),
        (None, fault) => Ok(fault),
    }
}

/// Joins the outcomes of single events as one call would have given them.
fn join(
    description: &Description,
    grouped: &Grouped,
    states: &[Vec<u8>],
    results: &[Option<Answer>],
) -> (Answer, Vec<u32>) {
    let columns = |fields: &[crate::schema::Field]| -> Vec<Column> {
        fields.iter().map(|field| Column::new(field.kind)).collect()
    };
    let empty = |kind: &crate::schema::EmitKind| Emitted {
        rows: Vec::new(),
        columns: columns(&kind.fields),
    };
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
    (joined, trapped)
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
