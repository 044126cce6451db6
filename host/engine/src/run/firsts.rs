//! What a comparison of two lanes knows of the first event at which a key parted.

use super::lane::{Pair, lock};
use super::prepare::Prepared;
use retally_compare::First;
use retally_compare::model::{
    FirstDivergence, FirstEvent, NamedOutcome, Rejects, ShownRecord, ShownRow,
};
use retally_compare::pair::{Detail, Parted, Seen, outcome_bit};
use retally_core::decode::Code;
use retally_core::limits::SHARDS;
use retally_core::reduce::{Outcome, Shard};
use retally_core::schema::{Column, Kind, Value, display};
use retally_core::shard::shard_of;
use retally_core::state::Slot;
use std::cmp::Ordering;

/// What an event with a key can come to but for being applied; the code stands beside none, for one
/// bit stands for all codes.
const UNAPPLIED: [Outcome; 6] = [
    Outcome::Rejected(0),
    Outcome::Trapped,
    Outcome::Duplicate,
    Outcome::Conflict,
    Outcome::Malformed(Code::FieldKind),
    Outcome::Quarantined,
];

/// What the bits of [`outcome_bits`] mean.
pub(crate) fn outcome_words() -> Vec<NamedOutcome> {
    UNAPPLIED.iter().map(|one| NamedOutcome { what: one.word().to_owned(), code: None }).collect()
}

/// What a key's events came to, by its number among [`outcome_words`].
pub(crate) fn outcome_bits(seen: &Seen) -> u64 {
    let had = |(_, one): &(usize, &Outcome)| seen.outcomes & outcome_bit(**one) != 0;
    UNAPPLIED.iter().enumerate().filter(had).fold(0, |bits, (number, _)| bits | 1 << number)
}

/// The reject codes of both lanes.
pub(crate) fn rejects(prepared: &Prepared<'_>) -> Rejects {
    match &prepared.lanes[..] {
        [a, b] => Rejects::of([a.recipe.description(), b.recipe.description()]),
        _ => Rejects::default(),
    }
}

pub(crate) struct Firsts<'a> {
    prepared: &'a Prepared<'a>,
    pair: &'a Pair,
    rejects: Rejects,
}

/// Where a key lies: its shard, and a side with its slot there.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    shard: usize,
    side: usize,
    slot: Slot,
}

impl<'a> Firsts<'a> {
    /// None: there is one lane alone.
    pub(crate) fn new(prepared: &'a Prepared<'a>) -> Option<Self> {
        prepared.lanes.pair().map(|pair| Self { prepared, pair, rejects: rejects(prepared) })
    }

    /// Finds a key. `shards`: those of both sides.
    pub(crate) fn place(&self, shards: [&[&Shard]; 2], key: &[u8]) -> Option<Place> {
        let hash = self.prepared.lanes[0].recipe.seed.key(key);
        let shard = shard_of(hash, SHARDS);
        (0..2).find_map(|side| {
            let slot = shards[side].get(shard)?.keys.find(hash, key)?;
            Some(Place { shard, side, slot })
        })
    }

    /// What is kept of a key.
    pub(crate) fn seen(&self, place: Place) -> (Seen, Option<Parted>) {
        let pair = lock(&self.pair.shards[place.shard]);
        let shared = &self.pair.shared;
        let seen = *pair.seen(shared, place.side, place.slot);
        (seen, pair.parted(shared, place.side, place.slot).copied())
    }

    /// Every key that parted and has a state on neither side.
    pub(crate) fn gone(&self, shards: [&[&Shard]; 2], mut with: impl FnMut(Parted)) {
        let has_state = |side: usize, shard: usize, hash: u64, key: &[u8]| {
            let keys = &shards[side][shard].keys;
            keys.find(hash, key).is_some_and(|slot| !keys.state(slot).is_empty())
        };
        for (shard, both) in shards[0].iter().zip(shards[1]).enumerate() {
            let both = [both.0, both.1];
            for side in 0..2 {
                let (own, other) = (&both[side].keys, &both[1 - side].keys);
                for slot in 0..own.len() as Slot {
                    let place = Place { shard, side, slot };
                    let (_, Some(parted)) = self.seen(place) else { continue };
                    let key = own.key(slot);
                    let hash = self.prepared.lanes[0].recipe.seed.key(key);
                    let told = side == 1 && other.find(hash, key).is_some();
                    if !told && !(0..2).any(|side| has_state(side, shard, hash, key)) {
                        with(parted);
                    }
                }
            }
        }
    }

    /// What the tally is told of the event at which a key parted.
    pub(crate) fn first(&self, parted: &Parted) -> First<'a> {
        First {
            time: Some(parted.time),
            input: self.input(parted),
            outcomes: parted.outcomes,
            before_range: self.is_before_range(parted),
        }
    }

    /// Whether it lies in what was replayed in front of the range.
    fn is_before_range(&self, parted: &Parted) -> bool {
        let place = self.prepared.bounds.place(parted.partition as usize, parted.offset);
        place == Ordering::Less
    }

    /// The input of the event, in A or else in B.
    fn input(&self, parted: &Parted) -> Option<&'a str> {
        let number = parted.inputs[0].or(parted.inputs[1])?;
        self.pair.shared.inputs().get(usize::from(number)).map(String::as_str)
    }

    /// The first event at which a key parted, and whether all of it was kept.
    pub(crate) fn event(&self, shards: [&[&Shard]; 2], key: &[u8]) -> (FirstDivergence, bool) {
        let Some(place) = self.place(shards, key) else { return (FirstDivergence::NoEvents, true) };
        let (_, Some(parted)) = self.seen(place) else { return (FirstDivergence::NoEvents, true) };
        let detail = {
            let pair = lock(&self.pair.shards[place.shard]);
            pair.detail(&self.pair.shared, place.side, place.slot)
        };
        let whole = detail.is_some();
        let event = self.first_event(&parted, detail);
        (FirstDivergence::Event(Box::new(event)), whole)
    }

    fn first_event(&self, parted: &Parted, detail: Option<Detail>) -> FirstEvent {
        let [outcome_a, outcome_b] = self.rejects.named(parted.outcomes);
        let mut event = FirstEvent {
            partition: self.prepared.names[parted.partition as usize].clone(),
            offset: parted.offset,
            before_range: self.is_before_range(parted),
            time: Some(display(Value::Timestamp(parted.time), Kind::Timestamp)),
            event_id: None,
            input: self.input(parted).map(str::to_owned),
            outcome_a,
            outcome_b,
            emits_a: Vec::new(),
            emits_b: Vec::new(),
            view_a: None,
            view_b: None,
        };
        let Some(Detail { id, emits, views }) = detail else { return event };
        event.event_id = Some(String::from_utf8_lossy(&id).into_owned());
        let described = |side: usize| self.prepared.lanes[side].recipe.description();
        let rows = |columns: &[Column]| 0..columns.first().map_or(0, Column::len);
        let [emits_a, emits_b] = [0, 1].map(|side: usize| {
            let kinds = described(side).emits.iter().zip(&emits[side]);
            let records = kinds.flat_map(|(kind, columns)| {
                rows(columns).map(move |row| ShownRecord::of(kind, columns, row))
            });
            records.collect()
        });
        let [view_a, view_b] = [0, 1].map(|side: usize| {
            let (fields, columns) = (&described(side).view.fields, views[side].as_ref()?);
            Some(rows(columns).map(|row| ShownRow::of(fields, columns, row)).collect())
        });
        FirstEvent { emits_a, emits_b, view_a, view_b, ..event }
    }
}
