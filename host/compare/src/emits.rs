//! The emits of both sides, a stretch of the log at a time: a record is known by its event and its
//! number among those of its kind and event.

use super::align::{Emits, Fields};
use super::error::CompareError;
use super::field::RowTally;
use super::judge::Rows;
use super::model::{EmitDifference, LoneTotal, Presence, SideOf, Total};
use super::totals::{GroupTally, Summed};
use retally_core::log::Micros;
use retally_core::schema::{Column, Values};

/// Records of one kind on one side.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    /// Number of each record's event, never decreasing; the same number is the same event on both
    /// sides.
    pub events: &'a [u32],
    /// One column per declared field.
    pub columns: &'a [Column],
    /// The time of each record's event; empty: not known.
    pub times: &'a [Micros],
}

impl Records<'_> {
    /// No records: of a kind that a side does not declare.
    pub const NONE: Records<'static> = Records { events: &[], columns: &[], times: &[] };
}

/// What is known of a kind so far.
#[derive(Debug)]
pub(crate) struct EmitTally {
    emit: Emits,
    pub(crate) records: RowTally,
    doubled: u64,
    looked: bool,
}

impl EmitTally {
    pub(crate) fn new(emit: &Emits, summed: Summed) -> Self {
        let records = RowTally::new(emit.fields.clone(), summed);
        Self { emit: emit.clone(), records, doubled: 0, looked: false }
    }

    pub(crate) fn skip(&mut self, records: u64) {
        self.looked = true;
        self.records.skip(records);
    }

    /// Counts records that stand for an event, kind and number a second time.
    pub(crate) fn double(&mut self, records: u64) {
        self.looked = true;
        self.doubled += records;
    }

    /// Whether anything differs of what was compared: a kind of one version alone is not.
    pub(crate) fn differs(&self) -> bool {
        let compared = self.emit.a.is_some() && self.emit.b.is_some();
        compared && (self.records.rows.differing() > 0 || self.doubled > 0)
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
            self.records.rows.only_a += rows_a.len() as u64;
            self.records.rows.only_b += rows_b.len() as u64;
            self.records.alone(rows_a, SideOf::A)?;
            return self.records.alone(rows_b, SideOf::B);
        }
        if rows_a.is_empty() && rows_b.is_empty() {
            return Ok(());
        }
        if groups.is_none() && a.events == b.events && same_columns(&self.emit.fields, a, b) {
            return self.records.same(rows_a, rows_b);
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
            let mut any = false;
            for number in 0..(end_a - at_a).max(end_b - at_b) {
                let [row_a, row_b] = [(at_a, end_a), (at_b, end_b)]
                    .map(|(at, end)| Some(at + number).filter(|row| *row < end));
                let sides = [(rows_a, row_a), (rows_b, row_b)];
                if let Some(groups) = &mut groups {
                    let time = |times: &[Micros], row: Option<usize>| times.get(row?).copied();
                    groups.time = time(a.times, row_a).or(time(b.times, row_b));
                }
                self.records.begin();
                if self.records.row(sides, groups.as_deref_mut(), |_, _, _, _| Ok(()))? {
                    self.records.settle(groups.as_deref_mut())?;
                    any = true;
                }
            }
            if any {
                differs(event);
            }
            (at_a, at_b) = (end_a, end_b);
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, lone: &mut Vec<LoneTotal>) -> (EmitDifference, Vec<Total>) {
        let (fields, totals) = match self.looked {
            true => self.records.finish(lone),
            false => (Vec::new(), Vec::new()),
        };
        let difference = EmitDifference {
            kind: self.emit.kind,
            declared: Presence::of(self.emit.a.is_some(), self.emit.b.is_some()),
            fields_aligned: self.emit.fields.alignment,
            records: self.looked.then_some(self.records.rows),
            doubled: self.doubled,
            fields,
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
