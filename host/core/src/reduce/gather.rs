//! From events in log order to the batch that a reducer gets: grouped by key, in log order within a
//! key.
//!
//! Two passes of counting sort by the key's number within the batch (keys are numbered as they
//! first appear), then each column is gathered in that order.

use super::judge::Taken;
use super::{Batch, Rules};
use crate::schema::{Column, Description, Spans, Value, Values};
use crate::shard::Decoded;
use crate::state::{KeyState, KeyTable, Slot};

/// A batch and where its parts come from.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    /// What the reducer gets.
    pub batch: Batch,
    /// The slot of each key of the batch.
    pub slots: Vec<Slot>,
    /// For each row of the batch its number among the taken events.
    pub order: Vec<u32>,
}

/// Groups `taken` by key and gathers what the reducer reads of them.
pub(crate) fn gather(
    description: &Description,
    slabs: &[Decoded],
    rules: &Rules,
    keys: &mut KeyTable,
    taken: &[Taken],
) -> Grouped {
    let (slots, order, key_ends) = group(keys, taken);
    let mut batch = Batch { key_ends, trace: rules.trace, ..Batch::default() };
    batch.params = rules.params.clone();
    for &slot in &slots {
        batch.keys.push(keys.key(slot));
        batch.states.push(&keys.get(slot).state);
    }
    fill(&mut batch, description, slabs, taken, &order);
    Grouped { batch, slots, order }
}

fn group(keys: &mut KeyTable, taken: &[Taken]) -> (Vec<Slot>, Vec<u32>, Vec<u32>) {
    let mut slots = Vec::new();
    let mut counts: Vec<u32> = Vec::new();
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

/// Where a value lies: slab and row in the columns of the event's input.
#[derive(Clone, Copy)]
struct Place {
    slab: u32,
    row: u32,
}

/// Fills the lists over events, in `order`.
pub(crate) fn fill(
    batch: &mut Batch,
    description: &Description,
    slabs: &[Decoded],
    taken: &[Taken],
    order: &[u32],
) {
    let mut places: Vec<Vec<Place>> = vec![Vec::new(); description.inputs.len()];
    batch.inputs.reserve(order.len());
    batch.times.reserve(order.len());
    batch.ids.ends.reserve(order.len());
    for &number in order {
        let Taken { slab, row, .. } = taken[number as usize];
        let events = &slabs[slab as usize].events;
        let at = row as usize;
        let input = events.inputs[at];
        batch.inputs.push(input);
        batch.times.push(events.times[at]);
        batch.ids.push(events.ids.get(at));
        places[input as usize].push(Place { slab, row: events.rows[at] });
    }
    for (number, (input, places)) in description.inputs.iter().zip(&places).enumerate() {
        let column = |(field, shape): (usize, &crate::schema::Field)| {
            gather_column(Values::new(shape.kind), slabs, number, field, places)
        };
        batch.columns.push(input.fields.iter().enumerate().map(column).collect());
    }
}

fn gather_column(
    mut values: Values,
    slabs: &[Decoded],
    input: usize,
    field: usize,
    places: &[Place],
) -> Column {
    let source = |slab: u32| &slabs[slab as usize].events.columns[input][field].values;
    macro_rules! copy {
        ($into:ident, $kind:ident) => {{
            // One look at the kind per slab instead of one per value.
            let lists: Vec<_> = (0..slabs.len() as u32)
                .map(|slab| match source(slab) {
                    Values::$kind(list) => list.as_slice(),
                    _ => &[],
                })
                .collect();
            $into.extend(places.iter().map(|p| lists[p.slab as usize][p.row as usize]));
        }};
    }
    match &mut values {
        Values::Boolean(into) => copy!(into, Boolean),
        Values::Integer(into) => copy!(into, Integer),
        Values::Decimal(into) => copy!(into, Decimal),
        Values::Float(into) => copy!(into, Float),
        Values::Timestamp(into) => copy!(into, Timestamp),
        Values::Date(into) => copy!(into, Date),
        Values::Text(into) | Values::Bytes(into) | Values::Json(into) => {
            gather_spans(into, places, source);
        }
    }
    let missing = missing(slabs, input, field, places);
    Column { values, missing }
}

fn gather_spans<'a>(into: &mut Spans, places: &[Place], source: impl Fn(u32) -> &'a Values) {
    into.ends.reserve(places.len());
    for place in places {
        match source(place.slab).get(place.row as usize) {
            Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => into.push(bytes),
            // The kinds of a slab's columns are those of the description.
            _ => into.close(),
        }
    }
}

fn missing(slabs: &[Decoded], input: usize, field: usize, places: &[Place]) -> Vec<u32> {
    if !slabs.iter().any(|slab| slab.any_missing(input, field)) {
        return Vec::new();
    }
    let is_missing = |(number, place): (usize, &Place)| {
        let slab = &slabs[place.slab as usize];
        slab.is_missing(input, field, place.row as usize).then_some(number as u32)
    };
    places.iter().enumerate().filter_map(is_missing).collect()
}
