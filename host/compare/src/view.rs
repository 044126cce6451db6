//! The views of both sides, key by key in byte order: which keys, rows and fields differ, and by
//! how much.

use super::align::{Fields, Plan};
use super::error::CompareError;
use super::field::FieldTally;
use super::judge::{Judged, Rows, difference, judge};
use super::model::{Alignment, FieldDifference, Presence, Sets, SideOf, Total};
use super::sink::{Delta, Difference, Sink};
use super::totals::{GroupTally, Summed, Sums};
use retally_core::schema::{Kind, Value};

/// What a key's rows came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyVerdict {
    /// Neither side has a row of it: it is not in the results.
    Absent,
    /// The same on both sides.
    Equal,
    /// Not the same, on the sides that have it.
    Different(Presence),
}

/// What is known of the views so far.
#[derive(Debug)]
pub(crate) struct ViewTally {
    pub(crate) fields: Fields,
    tallies: Vec<FieldTally>,
    pub(crate) keys: Sets,
    rows: Sets,
    pub(crate) summed: Summed,
    sums: Sums,
    /// Whether every row was fed, not only those of leaves that differ.
    pub(crate) whole: bool,
    last: Option<Vec<u8>>,
    /// The rows of the key at hand: numbers of A's and B's.
    pub(crate) pairs: Vec<(Option<usize>, Option<usize>)>,
    /// What differs of the key at hand, in the order of rows, then fields.
    pub(crate) found: Vec<Found>,
    /// Per summed field: B minus A of the key at hand.
    pub(crate) deltas: Vec<i128>,
}

/// A value of the key at hand that differs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Number of the row pair.
    pub(crate) row: usize,
    /// Number of the field pair.
    pub(crate) field: usize,
    pub(crate) delta: Option<Delta>,
}

impl ViewTally {
    pub(crate) fn new(plan: &Plan, summed: Summed) -> Self {
        let fields = plan.view.clone();
        Self {
            tallies: vec![FieldTally::default(); fields.pairs.len()],
            keys: Sets::default(),
            rows: Sets::default(),
            sums: summed.sums(),
            deltas: vec![0; summed.pairs.len()],
            summed,
            whole: true,
            last: None,
            pairs: Vec::new(),
            found: Vec::new(),
            fields,
        }
    }

    /// Counts keys and rows that are known to be the same.
    pub(crate) fn skip(&mut self, keys: u64, rows: u64) {
        self.keys.equal += keys;
        self.rows.equal += rows;
        self.tallies.iter_mut().for_each(|tally| tally.skip(rows));
        self.whole = false;
    }

    /// Compares the rows of a key.
    pub(crate) fn key(
        &mut self,
        key: &[u8],
        a: Rows<'_>,
        b: Rows<'_>,
        groups: Option<&mut GroupTally>,
        sink: &mut dyn Sink,
    ) -> Result<KeyVerdict, CompareError> {
        self.in_order(key)?;
        self.found.clear();
        self.deltas.fill(0);
        if a.is_empty() && b.is_empty() {
            return Ok(KeyVerdict::Absent);
        }
        self.fields.row_pairs(a, b, &mut self.pairs);
        let mut groups = groups;
        let mut differs = false;
        for number in 0..self.pairs.len() {
            differs |= self.row(key, (a, b), number, groups.as_deref_mut(), sink)?;
        }
        let presence = Presence::of(!a.is_empty(), !b.is_empty());
        self.keys.add(presence, differs);
        if !differs {
            return Ok(KeyVerdict::Equal);
        }
        sink.key(key, presence).map_err(CompareError::Sink)?;
        Ok(KeyVerdict::Different(presence))
    }

    fn in_order(&mut self, key: &[u8]) -> Result<(), CompareError> {
        if let Some(last) = &self.last
            && last.as_slice() >= key
        {
            let shown = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
            return Err(CompareError::Order { before: shown(last), key: shown(key) });
        }
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(key);
        Ok(())
    }

    /// Compares one row with its counterpart: whether it differs.
    fn row(
        &mut self,
        key: &[u8],
        (a, b): (Rows<'_>, Rows<'_>),
        number: usize,
        mut groups: Option<&mut GroupTally>,
        sink: &mut dyn Sink,
    ) -> Result<bool, CompareError> {
        let (row_a, row_b) = self.pairs[number];
        let mut differs = row_a.is_none() || row_b.is_none();
        let before = self.found.len();
        for (field, pair) in self.fields.pairs.iter().enumerate() {
            let value_a = row_a.and_then(|row| a.get(row, pair.a));
            let value_b = row_b.and_then(|row| b.get(row, pair.b));
            let mut judged = Judged::Different;
            if row_a.is_some() && row_b.is_some() {
                judged = judge(pair, value_a, value_b);
                self.tallies[field].add(pair, value_a, value_b, judged)?;
            }
            if judged == Judged::Same {
                continue;
            }
            let tolerated = judged != Judged::Different;
            let delta = difference(pair, value_a, value_b);
            if !tolerated {
                differs = true;
                self.found.push(Found { row: number, field, delta });
            }
            let row_key = row_key(&self.fields, (a, row_a), (b, row_b));
            let difference = Difference {
                key,
                position: row_a.or(row_b).unwrap_or_default() as u32,
                presence: Presence::of(row_a.is_some(), row_b.is_some()),
                row_key: &row_key,
                field,
                name: &pair.name,
                kind_a: pair.kind_a,
                kind_b: pair.kind_b,
                a: value_a,
                b: value_b,
                delta,
                tolerated,
            };
            sink.value(&difference).map_err(CompareError::Sink)?;
        }
        self.rows.add(Presence::of(row_a.is_some(), row_b.is_some()), differs);
        self.sum_deltas(before);
        for (rows, row, of) in [(a, row_a, SideOf::A), (b, row_b, SideOf::B)] {
            let Some(row) = row else { continue };
            let groups = groups.as_deref_mut();
            self.summed.add(&self.fields, (rows, row, of), &mut self.sums, groups, differs)?;
        }
        Ok(differs)
    }

    fn sum_deltas(&mut self, from: usize) {
        for found in &self.found[from..] {
            let summed = self.summed.pairs.iter().position(|(pair, _)| *pair == found.field);
            if let (Some(summed), Some(Delta::Exact { units, .. })) = (summed, found.delta) {
                self.deltas[summed] = self.deltas[summed].saturating_add(units);
            }
        }
    }

    /// What was found.
    pub(crate) fn finish(self) -> ViewResult {
        let fields = self.tallies.into_iter().zip(&self.fields.pairs);
        ViewResult {
            fields: fields.map(|(tally, pair)| tally.finish(pair)).collect(),
            totals: self.summed.totals(&self.fields, &self.sums, self.whole),
            alignment: self.fields.alignment,
            keys: self.keys,
            rows: self.rows,
        }
    }
}

/// What was found of the views.
#[derive(Debug)]
pub(crate) struct ViewResult {
    pub(crate) alignment: Alignment,
    pub(crate) keys: Sets,
    pub(crate) rows: Sets,
    pub(crate) fields: Vec<FieldDifference>,
    pub(crate) totals: Vec<Total>,
}

/// The row key of a row, of A's if both sides have it.
pub(crate) fn row_key<'a>(
    fields: &Fields,
    (a, row_a): (Rows<'a>, Option<usize>),
    (b, row_b): (Rows<'a>, Option<usize>),
) -> Vec<(Kind, Value<'a>)> {
    let part = |&number: &usize| {
        let pair = &fields.pairs[number];
        match (row_a, row_b) {
            (Some(row), _) => Some((pair.kind_a, a.get(row, pair.a)?)),
            (None, Some(row)) => Some((pair.kind_b, b.get(row, pair.b)?)),
            (None, None) => None,
        }
    };
    fields.row_key.iter().filter_map(part).collect()
}

/// Fields whose differences are numbers, in the plan's order.
pub(crate) fn ranked(fields: &Fields) -> Vec<usize> {
    let pairs = fields.pairs.iter().enumerate().filter(|(_, pair)| pair.has_sizes());
    pairs.map(|(number, _)| number).collect()
}
