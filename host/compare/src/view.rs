//! The views of both sides, key by key in byte order: which keys, rows and fields differ, and by
//! how much.

use super::align::{Fields, Plan};
use super::error::CompareError;
use super::exact::delta;
use super::field::{Row, RowTally};
use super::judge::Rows;
use super::model::{Presence, Sets};
use super::sink::{Delta, Difference, DifferenceSink};
use super::totals::{GroupTally, Summed};
use retally_core::schema::{Kind, Value};

#[derive(Debug)]
pub(crate) struct ViewTally {
    pub(crate) rows: RowTally,
    pub(crate) keys: Sets,
    last: Option<Vec<u8>>,
    /// The rows of the key at hand: numbers of A's and B's.
    pub(crate) pairs: Vec<(Option<usize>, Option<usize>)>,
    /// What differs of the key at hand, in the order of rows, then fields.
    pub(crate) found: Vec<Found>,
}

/// A value of the key at hand that differs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) row: usize,
    pub(crate) field: usize,
    pub(crate) delta: Option<Delta>,
}

impl ViewTally {
    pub(crate) fn new(plan: &Plan, summed: Summed) -> Self {
        Self {
            keys: Sets::default(),
            last: None,
            pairs: Vec::new(),
            found: Vec::new(),
            rows: RowTally::new(plan.view.clone(), summed),
        }
    }

    /// Compares the rows of a key: on which sides it stands, if it differs.
    pub(crate) fn key(
        &mut self,
        key: &[u8],
        a: Rows<'_>,
        b: Rows<'_>,
        mut groups: Option<&mut GroupTally>,
        sink: &mut dyn DifferenceSink,
    ) -> Result<Option<Presence>, CompareError> {
        self.in_order(key)?;
        self.found.clear();
        self.rows.begin();
        // In no view, and in the results of neither side.
        if a.is_empty() && b.is_empty() {
            return Ok(None);
        }
        self.rows.fields.row_pairs(a, b, &mut self.pairs);
        let mut differs = false;
        for number in 0..self.pairs.len() {
            differs |= self.row(key, (a, b), number, groups.as_deref_mut(), sink)?;
        }
        let presence = Presence::of(!a.is_empty(), !b.is_empty());
        self.keys.add(presence, differs);
        if !differs {
            return Ok(None);
        }
        self.rows.settle(groups)?;
        sink.key(key, presence).map_err(CompareError::Sink)?;
        Ok(Some(presence))
    }

    fn in_order(&mut self, key: &[u8]) -> Result<(), CompareError> {
        if let Some(last) = &self.last
            && last.as_slice() >= key
        {
            let shown = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
            return Err(CompareError::Order(shown(key), shown(last)));
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
        groups: Option<&mut GroupTally>,
        sink: &mut dyn DifferenceSink,
    ) -> Result<bool, CompareError> {
        let (row_a, row_b) = self.pairs[number];
        let sides = [(a, row_a), (b, row_b)];
        self.rows.row(sides, groups, |fields, field, [a, b], tolerated| {
            let pair = &fields.pairs[field];
            let delta = delta(a, b, pair.kind_a, pair.kind_b);
            if !tolerated {
                self.found.push(Found { row: number, field, delta });
            }
            let difference = Difference {
                key,
                position: row_a.or(row_b).unwrap_or_default() as u32,
                presence: Presence::of(row_a.is_some(), row_b.is_some()),
                row_key: &row_key(fields, sides),
                field,
                pair,
                a,
                b,
                delta,
                tolerated,
            };
            sink.value(&difference).map_err(CompareError::Sink)
        })
    }
}

/// The row key of a row, of A's if both sides have it.
pub(crate) fn row_key<'a>(fields: &Fields, [a, b]: [Row<'a>; 2]) -> Vec<(Kind, Value<'a>)> {
    let part = |&number: &usize| {
        let pair = &fields.pairs[number];
        match a.1.is_some() {
            true => Some((pair.kind_a, a.0.find(a.1, pair.a)?)),
            false => Some((pair.kind_b, b.0.find(b.1, pair.b)?)),
        }
    };
    fields.row_key.iter().filter_map(part).collect()
}
