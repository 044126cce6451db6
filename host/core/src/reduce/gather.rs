//! From events in log order to the batch that a reducer gets: grouped by key, in log order within a
//! key.
//!
//! Two passes of counting sort by the key's number within the batch (keys are numbered as they
//! first appear), then each column is gathered in that order.

use super::judge::Taken;
use super::{Batch, Rules};
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
pub fn gather(
    description: &Description,
    slabs: &[Decoded],
    rules: &Rules,
    keys: &mut KeyTable,
    taken: &[Taken],
) -> Grouped {
    let (slots, order, key_ends) = group(keys, taken);
    let mut batch = Batch { key_ends, ..Batch::default() };
    batch.params = rules.params.clone();
    copy_all(&mut batch.keys, &slots, |&slot| keys.key(slot));
    copy_all(&mut batch.states, &slots, |&slot| keys.state(slot));
    fill(&mut batch, description, slabs, taken, &order);
    Grouped { batch, slots, order }
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
pub fn fill(
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
