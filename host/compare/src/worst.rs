//! The differing keys that are shown one by one: for each number of the view those that differ
//! most, and the first of those that differ in no number. Bounded, whatever differs.

use super::align::Fields;
use super::judge::Rows;
use super::limits;
use super::model::{
    FirstDivergence, KeyDifference, Presence, Ranking, RowDifference, ValueDifference, Worst,
};
use super::sink::Delta;
use super::view::{Found, ViewTally, row_key};
use retally_core::schema::display;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(crate) struct WorstTally {
    shown: usize,
    rankings: Vec<Top>,
    held: BTreeMap<Vec<u8>, Held>,
    differing: u64,
    evicted: u64,
}

/// The first keys of a ranking.
#[derive(Debug)]
struct Top {
    /// Number of the field; none: keys that differ in no number.
    field: Option<usize>,
    keys: BTreeSet<(Reverse<u128>, Vec<u8>)>,
}

#[derive(Debug)]
struct Held {
    rankings: usize,
    difference: KeyDifference,
}

impl WorstTally {
    pub(crate) fn new(fields: &Fields, shown: usize) -> Self {
        let numbers = (0..fields.pairs.len()).filter(|field| fields.pairs[*field].has_sizes());
        let top = |field| Top { field, keys: BTreeSet::new() };
        let fields = numbers.take(limits::RANKINGS_MAX).map(Some).chain([None]);
        let rankings = fields.map(top).collect();
        Self { shown, rankings, held: BTreeMap::new(), differing: 0, evicted: 0 }
    }

    /// Takes the key at hand, which differs, if it is among the first of any ranking.
    pub(crate) fn key(&mut self, key: &[u8], side: Presence, view: &ViewTally, rows: Both<'_>) {
        self.differing += 1;
        let mut ranked = false;
        let mut places = Vec::new();
        for number in 0..self.rankings.len() {
            let size = match self.rankings[number].field {
                Some(field) => largest(&view.found, field),
                None => u128::from(!ranked),
            };
            ranked |= size > 0;
            if size > 0 && self.rankings[number].takes(size, key, self.shown) {
                places.push((number, size));
            }
        }
        if places.is_empty() {
            return;
        }
        let difference = shown(key, side, view, rows);
        self.held.insert(key.to_vec(), Held { rankings: places.len(), difference });
        for (number, size) in places {
            let top = &mut self.rankings[number].keys;
            top.insert((Reverse(size), key.to_vec()));
            if top.len() > self.shown
                && let Some((_, out)) = top.pop_last()
            {
                self.let_go(&out);
            }
        }
    }

    fn let_go(&mut self, key: &[u8]) {
        if let Some(held) = self.held.get_mut(key) {
            held.rankings -= 1;
            if held.rankings == 0 {
                self.held.remove(key);
                self.evicted += 1;
            }
        }
    }

    pub(crate) fn keys(&self) -> Vec<Vec<u8>> {
        self.held.keys().cloned().collect()
    }

    /// The keys that are shown, each with what `first` knows of its first diverging event.
    pub(crate) fn finish(
        self,
        fields: &Fields,
        first: &mut dyn FnMut(&[u8]) -> FirstDivergence,
    ) -> Worst {
        let numbers: BTreeMap<&Vec<u8>, u32> = self.held.keys().zip(0..).collect();
        let ranking = |top: &Top| {
            let field = top.field.map(|field| fields.pairs[field].name.clone());
            let keys = top.keys.iter().filter_map(|(_, key)| numbers.get(key).copied());
            Ranking { field, keys: keys.collect() }
        };
        let rankings = self.rankings.iter().filter(|top| !top.keys.is_empty());
        let rankings = rankings.map(ranking).collect();
        let mut keys = Vec::with_capacity(self.held.len());
        for (key, held) in self.held {
            keys.push(KeyDifference { first: first(&key), ..held.difference });
        }
        Worst { of: self.differing, keys, rankings }
    }
}

impl Top {
    fn takes(&self, size: u128, key: &[u8], shown: usize) -> bool {
        let last = if self.keys.len() < shown { None } else { self.keys.last() };
        let beats =
            |(last, of): &(Reverse<u128>, Vec<u8>)| (Reverse(size), key) < (*last, of.as_slice());
        shown > 0 && last.is_none_or(beats)
    }
}

pub(crate) type Both<'a> = (Rows<'a>, Rows<'a>);

/// Size of the largest difference of a field; 0: it does not differ in a number.
fn largest(found: &[Found], field: usize) -> u128 {
    let size = |found: &Found| match found.delta {
        Some(Delta::Exact { units, .. }) => units.unsigned_abs(),
        // Floats without a sign are ordered as their bits are.
        Some(Delta::Float(value)) => value.abs().to_bits().into(),
        None => 0,
    };
    found.iter().filter(|found| found.field == field).map(size).max().unwrap_or_default()
}

fn shown(key: &[u8], presence: Presence, view: &ViewTally, (a, b): Both<'_>) -> KeyDifference {
    let mut rows = Vec::new();
    let mut more_rows = 0;
    for (number, &(row_a, row_b)) in view.pairs.iter().enumerate() {
        let from = view.found.partition_point(|found| found.row < number);
        let own = view.found[from..].iter().take_while(|found| found.row == number);
        let side = Presence::of(row_a.is_some(), row_b.is_some());
        if side == Presence::Both && own.clone().next().is_none() {
            continue;
        }
        if rows.len() == limits::ROWS_SHOWN {
            more_rows += 1;
            continue;
        }
        let sides = [(a, row_a), (b, row_b)];
        let value = |found: &Found| {
            let pair = &view.rows.fields.pairs[found.field];
            let [a, b] = [a.find(row_a, pair.a), b.find(row_b, pair.b)];
            // Nothing where both sides have no value, as in a row of one side alone.
            (a.is_some() || b.is_some()).then(|| ValueDifference {
                field: pair.name.clone(),
                a: a.map(|value| display(value, pair.kind_a)),
                b: b.map(|value| display(value, pair.kind_b)),
                difference: found.delta.filter(|_| a.is_some() && b.is_some()).map(Delta::text),
            })
        };
        let row_key = row_key(&view.rows.fields, sides);
        rows.push(RowDifference {
            row_key: row_key.iter().map(|(kind, value)| display(*value, *kind)).collect(),
            position: row_a.or(row_b).unwrap_or_default() as u32,
            presence: side,
            values: own.filter_map(value).collect(),
        });
    }
    let key = String::from_utf8_lossy(key).into_owned();
    KeyDifference { key, presence, rows, more_rows, first: FirstDivergence::NoEvents }
}
