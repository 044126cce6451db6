//! The first event with which a run cannot go on, of the shares that a limit kept from being
//! folded: found event by event in the order of the log, whatever shard has it. Nothing is kept.

use super::fold::numbers;
use super::isolate::{OneByOne, alone, grow};
use super::judge::Taken;
use super::{Manner, Probe, Reducer, Rules, Stop, StopCause, Trace, Undone};
use crate::shard::Decoded;
use crate::state::{KeyTable, Slot};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// A reducer and the batch as it reads it.
pub struct Scouted<'a> {
    /// The reducer.
    pub reducer: &'a dyn Reducer,
    /// Its rules.
    pub rules: &'a Rules,
    /// The batch.
    pub slabs: &'a [Decoded],
}

/// A share of a batch that is judged and not folded.
pub struct Unsure<'a> {
    /// The number of its reducer.
    pub lane: usize,
    /// The keys and states of its shard.
    pub keys: &'a KeyTable,
    /// The events that reach the reducer.
    pub taken: &'a [Taken],
    /// The event at which its judgement stopped.
    pub stop: Option<&'a Stop>,
    /// Of which keys the view after every event is wanted, too.
    pub looked: Box<dyn Fn(Slot) -> bool + 'a>,
}

/// The first stop of these shares, and its lane, if it comes before that event of that lane.
/// `probe` is told what the states take that are tried.
pub fn first_stop(
    lanes: &[Scouted<'_>],
    shares: &[Unsure<'_>],
    before: Option<(u32, usize)>,
    probe: &mut impl Probe,
) -> Option<(usize, Stop)> {
    let is_before = |at| before.is_none_or(|before| at < before);
    let judged = shares.iter().filter_map(|share| Some((share.lane, share.stop?)));
    let judged = judged.min_by_key(|&(lane, stop)| (stop.event, lane));
    let judged = judged.filter(|&(lane, stop)| is_before((stop.event, lane)));
    let end = judged.map(|(lane, stop)| (stop.event, lane)).or(before);
    let number = numbers(lanes.first()?.slabs);
    let mut folds: Vec<OneByOne<'_>> = lanes.iter().map(Scouted::singly).collect();
    let mut states: Vec<States> = vec![States::new(); shares.len()];
    // The next event of every share: its number, its lane; the share, and the event's place in it.
    let next = |share: usize, place: usize| {
        let Unsure { lane, taken, .. } = &shares[share];
        taken.get(place).map(|taken| Reverse((number(taken), *lane, share, place)))
    };
    let mut ahead: BinaryHeap<_> = (0..shares.len()).filter_map(|share| next(share, 0)).collect();
    while let Some(Reverse((event, lane, share, place))) = ahead.pop() {
        if end.is_some_and(|end| (event, lane) >= end) {
            break;
        }
        let (own, fold) = (&shares[share], &mut folds[lane]);
        if let Err(cause) = lanes[lane].step(own, place, &mut states[share], fold, probe) {
            return Some((lane, Stop { event, cause }));
        }
        ahead.extend(next(share, place + 1));
    }
    judged.map(|(lane, stop)| (lane, stop.clone()))
}

/// States that are no longer those of the shard.
type States = BTreeMap<Slot, Vec<u8>>;

impl Scouted<'_> {
    fn singly(&self) -> OneByOne<'_> {
        OneByOne::new(self.reducer, self.rules, Manner::Singly)
    }

    /// Folds one event of a share.
    fn step(
        &self,
        share: &Unsure<'_>,
        place: usize,
        states: &mut States,
        fold: &mut OneByOne<'_>,
        probe: &mut impl Probe,
    ) -> Result<(), StopCause> {
        let event = &share.taken[place];
        let Unsure { keys, looked, .. } = share;
        let state = states.get(&event.slot).map_or(keys.state(event.slot), Vec::as_slice);
        let of = (keys.key(event.slot), state);
        let description = self.reducer.description();
        let mut batch = alone(description, &self.rules.params, self.slabs, event, of);
        let mut answer = Ok(None);
        if looked(event.slot) {
            batch.trace = Trace::Views;
            answer = fold.look(&batch);
            batch.trace = Trace::Nothing;
        }
        if answer == Ok(None) {
            answer = fold.fold(&batch);
        }
        match answer {
            Ok(None) => Ok(()),
            Ok(Some(answer)) => {
                let tried = answer.states.bytes;
                let before = states.get(&event.slot).map_or(0, Vec::len);
                grow(probe, tried.len().saturating_sub(before))?;
                states.insert(event.slot, tried);
                Ok(())
            }
            Err(Undone::Stopped(cause)) => Err(cause),
            // Who takes events one by one is in no hurry.
            Err(Undone::Slow(_)) => Ok(()),
        }
    }
}
