//! From an event of the key to what is told of it: folded by each reducer as a replay would fold
//! it, one event at a time, with the view before and after it.

use super::model::{Place, Told, ToldSide, changes};
use super::search::is_of;
use crate::run::RunError;
use crate::run::prepare::Prepared;
use crate::run::tallied::{fate, rejects};
use retally_compare::model::{ShownRecord, ShownRow, ShownValue};
use retally_compare::pair::{PairShard, Side};
use retally_core::decode::{Decoder, Placed};
use retally_core::dedup::Prints;
use retally_core::reduce::{
    Block, Instance, Keyed, NoProbe, Originals, Shard, Stop, check_viewed, merge,
};
use retally_core::schema::{Column, Field, Kind, Value, display};
use retally_core::shard::Decoded;

/// What a view is; none: it fails.
pub(super) type View = Option<Vec<ShownRow>>;

/// Folds one key, event by event.
pub(super) struct Teller<'a> {
    prepared: &'a Prepared,
    key: &'a [u8],
    decoder: Decoder,
    shards: Vec<Shard>,
    pair: Option<PairShard>,
    instances: Vec<Option<Box<dyn Instance>>>,
    rejects: Vec<Vec<String>>,
    pub(super) views: Vec<View>,
    row_keys: Vec<Vec<String>>,
    /// Events told so far.
    pub(super) events: u64,
    /// Whether the two sides have parted.
    pub(super) has_parted: bool,
}

impl<'a> Teller<'a> {
    pub(super) fn new(prepared: &'a Prepared, key: &'a [u8]) -> Self {
        let lanes = &prepared.lanes;
        let pair = match lanes.as_slice() {
            [a, b] => Some(PairShard::new(a.reducer.description(), b.reducer.description())),
            _ => None,
        };
        Self {
            prepared,
            key,
            decoder: Decoder::new(prepared.plan.clone()),
            shards: lanes.iter().map(|lane| Shard::new(0, &lane.rules)).collect(),
            pair,
            instances: lanes.iter().map(|_| None).collect(),
            rejects: (0..lanes.len()).map(|side| rejects(prepared, side)).collect(),
            views: lanes.iter().map(|_| Some(Vec::new())).collect(),
            row_keys: lanes.iter().map(|lane| row_key(lane.reducer.description())).collect(),
            events: 0,
            has_parted: false,
        }
    }

    /// Folds an event that is the key's for some reducer.
    ///
    /// # Errors
    /// The outer error ends the search; the inner one is the side and [`Stop`] with which a run
    /// cannot go on.
    pub(super) fn tell(
        &mut self,
        placed: &Placed,
    ) -> Result<Result<Told, (usize, Stop)>, RunError> {
        let mut readers = Vec::new();
        self.decoder.decode(placed, &mut readers)?;
        let lanes = &self.prepared.lanes;
        // What reads the event is told before the columns are put in another order.
        let read: Vec<Option<(String, Option<Vec<ShownValue>>)>> =
            (0..lanes.len()).map(|side| self.read(side, &readers)).collect();
        let own = (0..lanes.len()).find(|&side| read[side].is_some()).unwrap_or_default();
        let events = &readers[own.min(readers.len() - 1)];
        let time = display(Value::Timestamp(events.times[0]), Kind::Timestamp);
        let event_id = String::from_utf8_lossy(events.ids.get(0)).into_owned();
        let seed = &lanes[0].seed;
        let decoded: Vec<[Decoded; 1]> = readers
            .into_iter()
            .map(|events| [Decoded::new(placed.clone(), events, seed, 1, &mut Prints::default())])
            .collect();
        let slabs = |side: usize| decoded[side.min(decoded.len() - 1)].as_slice();
        let blocks = match self.fold(slabs) {
            Ok(blocks) => blocks,
            Err(stop) => return Ok(Err(stop)),
        };
        self.events += 1;
        let mut sides = Vec::new();
        for (side, (block, read)) in blocks.into_iter().zip(read).enumerate() {
            sides.push(read.map(|(input, fields)| self.side(side, &block, input, fields)));
        }
        let place = Place { partition: placed.name.to_string(), offset: placed.offsets.at(0) };
        Ok(Ok(Told { number: self.events, place, time, event_id, sides }))
    }

    /// Input and fields of the event for a side, if it is the key's there.
    fn read(
        &self,
        side: usize,
        readers: &[retally_core::decode::Events],
    ) -> Option<(String, Option<Vec<ShownValue>>)> {
        let events = &readers[side.min(readers.len() - 1)];
        if !is_of(events, 0, self.key) {
            return None;
        }
        let number = usize::from(events.inputs[0]);
        let input = self.prepared.lanes[side].reducer.description().inputs.get(number)?;
        let ready = events.readings[0] == retally_core::decode::Reading::Ready;
        let fields = ready.then(|| values(&input.fields, &events.columns[number], 0));
        Some((input.name.clone(), fields))
    }

    fn fold<'s>(
        &mut self,
        slabs: impl Fn(usize) -> &'s [Decoded],
    ) -> Result<Vec<Block>, (usize, Stop)> {
        let lanes = &self.prepared.lanes;
        let folded = match (&mut self.pair, &self.prepared.pair) {
            (Some(own), Some(pair)) => {
                let [shard_a, shard_b] = self.shards.as_mut_slice() else { return Ok(Vec::new()) };
                let [instance_a, instance_b] = self.instances.as_mut_slice() else {
                    return Ok(Vec::new());
                };
                let mut sides: [Side<'_>; 2] =
                    [lanes[0].side(shard_a, instance_a), lanes[1].side(shard_b, instance_b)];
                let slabs = [slabs(0), slabs(1)];
                let folded = own.fold(&pair.shared, &mut sides, slabs, 0, &mut NoProbe)?;
                let hash = lanes[0].seed.key(self.key);
                self.has_parted = (0..2).any(|side| {
                    let slot = self.shards[side].keys.find(hash, self.key);
                    slot.is_some_and(|slot| own.parted(&pair.shared, side, slot).is_some())
                });
                folded.into_iter().collect::<Vec<_>>()
            }
            _ => {
                let (shard, instance) = (&mut self.shards[0], &mut self.instances[0]);
                let lane = &lanes[0];
                let reducer = lane.reducer.as_ref();
                let folded = shard.fold(slabs(0), reducer, &lane.rules, instance, &mut NoProbe);
                vec![vec![folded.map_err(|stop| (0, stop))?]]
            }
        };
        let merged = |(side, folded): (usize, Vec<_>)| {
            let description = lanes[side].reducer.description();
            merge(description, slabs(side), &folded, Originals::Unwanted)
        };
        Ok(folded.into_iter().enumerate().map(merged).collect())
    }

    fn side(
        &mut self,
        side: usize,
        block: &Block,
        input: String,
        fields: Option<Vec<ShownValue>>,
    ) -> ToldSide {
        let description = self.prepared.lanes[side].reducer.description();
        let emits = description.emits.iter().zip(&block.emits);
        let records = |(kind, rows): (&retally_core::schema::EmitKind, _)| {
            let rows: &retally_core::reduce::EmitRows = rows;
            let record = |row| {
                let values = values(&kind.fields, &rows.columns, row);
                ShownRecord { kind: kind.name.clone(), values }
            };
            (0..rows.events.len()).map(record).collect::<Vec<_>>()
        };
        let emits = emits.flat_map(records).collect();
        let view = self.view(side);
        let before = std::mem::replace(&mut self.views[side], view.clone());
        let changes = match (&before, &view) {
            (Some(before), Some(after)) => changes(&self.row_keys[side], before, after),
            _ => Vec::new(),
        };
        let detail = block.refused.first().map(|refused| refused.detail.clone());
        ToldSide {
            input,
            fields,
            outcome: fate(&self.rejects[side], block.outcomes[0]),
            detail: detail.unwrap_or_default(),
            emits,
            changes,
            view,
        }
    }

    /// The view of the key as it stands now.
    fn view(&mut self, side: usize) -> View {
        let lane = &self.prepared.lanes[side];
        let keys = &self.shards[side].keys;
        let slot = keys.find(lane.seed.key(self.key), self.key);
        let Some(slot) = slot.filter(|&slot| !keys.state(slot).is_empty()) else {
            return Some(Vec::new());
        };
        let mut keyed = Keyed { params: lane.rules.params.clone(), ..Keyed::default() };
        keyed.keys.push(self.key);
        keyed.states.push(keys.state(slot));
        keyed.times.push(keys.get(slot).last);
        let mut running = match self.instances[side].take() {
            Some(running) => running,
            None => lane.reducer.open().ok()?,
        };
        let viewed = running.view(&keyed).ok()?;
        let description = lane.reducer.description();
        check_viewed(description, 1, &viewed).ok()?;
        self.instances[side] = Some(running);
        let row = |row| ShownRow { values: values(&description.view.fields, &viewed.columns, row) };
        Some((0..viewed.owners.len()).map(row).collect())
    }
}

/// Names of the fields that tell the rows of a key apart.
pub(super) fn row_key(description: &retally_core::schema::Description) -> Vec<String> {
    let field = |number: &u16| description.view.fields.get(usize::from(*number));
    description.view.row_key.iter().filter_map(field).map(|field| field.name.clone()).collect()
}

fn values(fields: &[Field], columns: &[Column], row: usize) -> Vec<ShownValue> {
    let value = |(field, column): (&Field, &Column)| {
        let value = column.get(row).map(|value| display(value, field.kind));
        ShownValue { field: field.name.clone(), value }
    };
    fields.iter().zip(columns).map(value).collect()
}
