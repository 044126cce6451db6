//! From events in log order to the batch that a reducer gets: grouped by key, in log order within a
//! key.
//!
//! Two passes of counting sort by the key's number within the batch (keys are numbered as they
//! first appear), then each column is gathered in that order.

use super::isolate::too_much;
use super::judge::Taken;
use super::{Batch, Rules, StopCause};
use crate::schema::pick::{Pick, pick, pick_spans, sized};
use crate::schema::{Column, Description, Kind, Spans, Values};
use crate::shard::{Candidate, Decoded};
use crate::state::{KeyState, KeyTable, Slot};

/// A batch and where its parts come from.
#[derive(Debug, Default)]
pub struct Grouped {
    /// What the reducer gets.
    pub batch: Batch,
    /// The slot of each key of the batch.
    pub slots: Vec<Slot>,
    /// For each row of the batch its number among the taken events.
    pub order: Vec<u32>,
}

/// Groups `taken` by key and gathers what the reducer reads of them.
///
/// # Errors
/// [`StopCause::TooMuch`].
pub fn gather(
    description: &Description,
    slabs: &[Decoded],
    rules: &Rules,
    keys: &mut KeyTable,
    taken: &[Taken],
) -> Result<Grouped, StopCause> {
    let (slots, order, key_ends) = group(keys, taken);
    let mut batch = Batch { key_ends, ..Batch::default() };
    batch.params = rules.params.clone();
    copy_all(&mut batch.keys, &slots, |&slot| keys.key(slot));
    batch.states = states(keys, &slots)?;
    fill(&mut batch, description, slabs, taken, &order);
    Ok(Grouped { batch, slots, order })
}

/// The states of keys: what is read of a batch is bounded by it, a state grew over any number of
/// them.
///
/// # Errors
/// [`StopCause::TooMuch`].
pub fn states(keys: &KeyTable, slots: &[Slot]) -> Result<Spans, StopCause> {
    too_much("states", slots.iter().map(|&slot| keys.state(slot).len()))?;
    let mut states = Spans::default();
    copy_all(&mut states, slots, |&slot| keys.state(slot));
    Ok(states)
}

/// Appends what `of` gives for each key.
pub(super) fn copy_all<'a, K>(into: &mut Spans, keys: &[K], of: impl Fn(&K) -> &'a [u8]) {
    into.ends.reserve(keys.len());
    into.bytes.reserve(keys.iter().map(|key| of(key).len()).sum());
    keys.iter().for_each(|key| into.push(of(key)));
}

fn group(keys: &mut KeyTable, taken: &[Taken]) -> (Vec<Slot>, Vec<u32>, Vec<u32>) {
    let most = keys.len().min(taken.len());
    let mut slots = Vec::with_capacity(most);
    let mut counts: Vec<u32> = Vec::with_capacity(most);
    for event in taken {
        let key = keys.get_mut(event.slot);
        if key.mark == KeyState::UNTOUCHED {
            key.mark = slots.len() as u32;
            slots.push(event.slot);
            counts.push(0);
        }
        counts[key.mark as usize] += 1;
    }
    let mut next = 0;
    for count in &mut counts {
        next += std::mem::replace(count, next);
    }
    let mut order = vec![0; taken.len()];
    for (number, event) in taken.iter().enumerate() {
        let place = &mut counts[keys.get(event.slot).mark as usize];
        order[*place as usize] = number as u32;
        *place += 1;
    }
    for &slot in &slots {
        keys.get_mut(slot).mark = KeyState::UNTOUCHED;
    }
    // Each key's start has moved to its end.
    (slots, order, counts)
}

/// Fills the lists over events, in `order`.
pub(super) fn fill(
    batch: &mut Batch,
    description: &Description,
    slabs: &[Decoded],
    taken: &[Taken],
    order: &[u32],
) {
    let picks: Vec<Pick> = order
        .iter()
        .map(|&number| {
            let Taken { slab, candidate, .. } = taken[number as usize];
            (slab, candidate)
        })
        .collect();
    let candidates: Vec<&[Candidate]> = slabs.iter().map(Decoded::candidates).collect();
    let rows: Vec<&[u32]> = slabs.iter().map(|slab| slab.events.rows.as_slice()).collect();
    let input = |&(slab, candidate): &Pick| candidates[slab as usize][candidate as usize].input;
    let mut places = sized(description.inputs.len(), picks.iter().map(input));
    batch.inputs.reserve(picks.len());
    batch.times.reserve(picks.len());
    for &(slab, candidate) in &picks {
        let event = &candidates[slab as usize][candidate as usize];
        batch.inputs.push(event.input);
        batch.times.push(event.time);
        places[event.input as usize].push((slab, rows[slab as usize][event.row as usize]));
    }
    let ids: Vec<&Spans> = slabs.iter().map(|slab| &slab.ids).collect();
    pick_spans(&mut batch.ids, &ids, &picks);
    for (number, (input, places)) in description.inputs.iter().zip(&places).enumerate() {
        let column = |(field, shape): (usize, &crate::schema::Field)| {
            gather_column(shape.kind, slabs, number, field, places)
        };
        batch.columns.push(input.fields.iter().enumerate().map(column).collect());
    }
}

fn gather_column(
    kind: Kind,
    slabs: &[Decoded],
    input: usize,
    field: usize,
    places: &[Pick],
) -> Column {
    let sources: Vec<&Values> =
        slabs.iter().map(|slab| &slab.events.columns[input][field].values).collect();
    let missing = missing(slabs, input, field, places);
    Column { values: pick(Values::new(kind), &sources, places), missing }
}

fn missing(slabs: &[Decoded], input: usize, field: usize, places: &[Pick]) -> Vec<u32> {
    if !slabs.iter().any(|slab| slab.any_missing(input, field)) {
        return Vec::new();
    }
    let is_missing = |(number, &(slab, row)): (usize, &Pick)| {
        let slab = &slabs[slab as usize];
        slab.is_missing(input, field, row as usize).then_some(number as u32)
    };
    places.iter().enumerate().filter_map(is_missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_no_list_can_hold_are_a_stop() {
        let mut keys = KeyTable::default();
        for key in 0..3u8 {
            let slot = keys.slot(u64::from(key), &[key], 0);
            // Never written, so that it takes no memory.
            keys.put_state(slot, vec![0; 3 << 29]);
        }
        let refused = states(&keys, &[0, 1, 2]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the states of the events of one shard in a batch are more than 4 GiB together"
        );
        keys.set_state(1, b"b");
        keys.set_state(0, b"");
        keys.set_state(2, b"cc");
        let held: Vec<Vec<u8>> =
            states(&keys, &[2, 0, 1]).unwrap().iter().map(<[u8]>::to_vec).collect();
        assert_eq!(held, [&b"cc"[..], b"", b"b"]);
    }
}
