//! The emits of both sides, a stretch of the log at a time: a record is known by its event and its
//! number among those of its kind and event.

use super::align::{Emits, Fields};
use super::error::CompareError;
use super::field::FieldTally;
use super::judge::{Judged, Rows, judge};
use super::model::{EmitDifference, Presence, Sets, SideOf, Total};
use super::totals::{GroupTally, Summed, Sums};
use retally_core::schema::{Column, Values};

/// Records of one kind on one side.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    /// Number of each record's event, never decreasing; the same number is the same event on both
    /// sides.
    pub events: &'a [u32],
    /// One column per declared field.
    pub columns: &'a [Column],
}

impl Records<'_> {
    /// No records: of a kind that a side does not declare.
    pub const NONE: Records<'static> = Records { events: &[], columns: &[] };
}

/// What is known of a kind so far.
#[derive(Debug)]
pub(crate) struct EmitTally {
    emit: Emits,
    tallies: Vec<FieldTally>,
    records: Sets,
    doubled: u64,
    looked: bool,
    summed: Summed,
    sums: Sums,
    /// Whether every record was fed.
    pub(crate) whole: bool,
}

impl EmitTally {
    pub(crate) fn new(emit: &Emits, summed: Summed) -> Self {
        Self {
            tallies: vec![FieldTally::default(); emit.fields.pairs.len()],
            records: Sets::default(),
            doubled: 0,
            looked: false,
            sums: summed.sums(),
            summed,
            whole: true,
            emit: emit.clone(),
        }
    }

    /// Counts records that are known to be the same.
    pub(crate) fn skip(&mut self, records: u64) {
        self.looked = true;
        self.whole = false;
        self.records.equal += records;
        self.tallies.iter_mut().for_each(|tally| tally.skip(records));
    }

    /// Counts records that stand for an event, kind and number a second time.
    pub(crate) fn double(&mut self, records: u64) {
        self.looked = true;
        self.doubled += records;
    }

    /// Whether anything differs of what was compared: a kind of one version alone is not.
    pub(crate) fn differs(&self) -> bool {
        let compared = self.emit.a.is_some() && self.emit.b.is_some();
        compared && (self.records.differing() > 0 || self.doubled > 0)
    }

    /// Compares the records of a stretch of the log; `differs` hears the events whose records
    /// differ, in their order.
    pub(crate) fn add(
        &mut self,
        a: Records<'_>,
        b: Records<'_>,
        mut groups: Option<&mut GroupTally>,
        differs: &mut dyn FnMut(u32),
    ) -> Result<(), CompareError> {
        self.looked = true;
        let rows_a = Rows { columns: a.columns, start: 0, end: a.events.len() };
        let rows_b = Rows { columns: b.columns, start: 0, end: b.events.len() };
        if self.emit.a.is_none() || self.emit.b.is_none() {
            // Of a kind of one version alone nothing can be compared: its records are counted.
            self.records.only_a += rows_a.len() as u64;
            self.records.only_b += rows_b.len() as u64;
            return Ok(());
        }
        if rows_a.is_empty() && rows_b.is_empty() {
            return Ok(());
        }
        if groups.is_none() && a.events == b.events && same_columns(&self.emit.fields, a, b) {
            let count = rows_a.len() as u64;
            self.records.equal += count;
            self.tallies.iter_mut().for_each(|tally| tally.skip(count));
            return self.summed.add_same(&self.emit.fields, (rows_a, rows_b), &mut self.sums);
        }
        let (mut at_a, mut at_b) = (0, 0);
        while at_a < rows_a.len() || at_b < rows_b.len() {
            let next_a = a.events.get(at_a).copied().unwrap_or(u32::MAX);
            let event = next_a.min(b.events.get(at_b).copied().unwrap_or(u32::MAX));
            let of = |events: &[u32], from: usize| {
                let rest = events.get(from..).unwrap_or_default();
                from + rest.iter().take_while(|&&of| of == event).count()
            };
            let (end_a, end_b) = (of(a.events, at_a), of(b.events, at_b));
            let own_a = Rows { start: at_a, end: end_a, ..rows_a };
            let own_b = Rows { start: at_b, end: end_b, ..rows_b };
            if self.event(own_a, own_b, groups.as_deref_mut())? {
                differs(event);
            }
            (at_a, at_b) = (end_a, end_b);
        }
        Ok(())
    }

    /// Compares the records of one event.
    fn event(
        &mut self,
        a: Rows<'_>,
        b: Rows<'_>,
        mut groups: Option<&mut GroupTally>,
    ) -> Result<bool, CompareError> {
        let fields = &self.emit.fields;
        let mut differ = 0;
        for row in 0..a.len().max(b.len()) {
            let both = row < a.len() && row < b.len();
            let mut differs = !both;
            for (pair, tally) in fields.pairs.iter().zip(&mut self.tallies) {
                if both {
                    let (value_a, value_b) = (a.get(row, pair.a), b.get(row, pair.b));
                    let judged = judge(pair, value_a, value_b);
                    differs |= judged == Judged::Different;
                    tally.add(pair, value_a, value_b, judged)?;
                }
            }
            self.records.add(Presence::of(row < a.len(), row < b.len()), differs);
            differ += usize::from(differs);
            for (rows, of) in [(a, SideOf::A), (b, SideOf::B)] {
                if row < rows.len() {
                    let groups = groups.as_deref_mut();
                    let own = (rows, row, of);
                    self.summed.add(fields, own, &mut self.sums, groups, differs)?;
                }
            }
        }
        Ok(differ > 0)
    }

    /// What was found.
    pub(crate) fn finish(self) -> (EmitDifference, Vec<Total>) {
        let declared = Presence::of(self.emit.a.is_some(), self.emit.b.is_some());
        let compared = declared == Presence::Both;
        let fields = self.tallies.into_iter().zip(&self.emit.fields.pairs);
        let fields = fields.map(|(tally, pair)| tally.finish(pair)).collect();
        let totals = match self.looked {
            true => self.summed.totals(&self.emit.fields, &self.sums, self.whole),
            false => Vec::new(),
        };
        let difference = EmitDifference {
            kind: self.emit.kind,
            declared,
            fields_aligned: self.emit.fields.alignment,
            records: self.looked.then_some(self.records),
            doubled: self.doubled,
            fields: if compared && self.looked { fields } else { Vec::new() },
        };
        (difference, totals)
    }
}

/// Whether all shared columns are the same in every bit, so that no record need be looked at.
fn same_columns(fields: &Fields, a: Records<'_>, b: Records<'_>) -> bool {
    fields.pairs.iter().all(|pair| {
        let (a, b) = (&a.columns[pair.a], &b.columns[pair.b]);
        let same = match (&a.values, &b.values) {
            (Values::Float(a), Values::Float(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (a, b) => pair.kind_a == pair.kind_b && a == b,
        };
        same && a.missing == b.missing
    })
}
