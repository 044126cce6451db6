//! How the rows of a place differ, and each field over all of them: counts, exact sums, histogram,
//! transitions. Memory is bounded whatever the number of rows.

use super::align::{Fields, Pair};
use super::error::CompareError;
use super::exact::{delta, delta_scale, float_text, mean_text, units_text};
use super::histogram::Histogram;
use super::judge::{Judged, Rows, judge};
use super::limits;
use super::model::{
    FieldDifference, LoneTotal, Numeric, Presence, Sets, SideOf, Tolerated, Total, Transition,
    Transitions, Unit,
};
use super::sink::Delta;
use super::totals::{GroupTally, LoneSums, Movement, Summed, Sums, slot};
use retally_core::schema::{Kind, Value, display};
use std::collections::BTreeMap;

/// What is known so far of the rows of a place.
#[derive(Debug)]
pub(crate) struct RowTally {
    pub(crate) fields: Fields,
    tallies: Vec<FieldTally>,
    pub(crate) rows: Sets,
    pub(crate) summed: Summed,
    sums: Sums,
    lone: LoneSums,
    /// B minus A of each summed field: of the key, or of the record, at hand.
    pub(crate) deltas: Vec<i128>,
    moved: Vec<Movement>,
    /// What a tolerance let pass in the row at hand, of each summed field, if it did.
    tolerated: Vec<i128>,
    /// Whether every row was fed, and none skipped as known to be the same.
    pub(crate) whole: bool,
}

/// A row of a side, if there is one.
pub(crate) type Row<'a> = (Rows<'a>, Option<usize>);

/// The values of both sides.
pub(crate) type Both<'a> = [Option<Value<'a>>; 2];

impl RowTally {
    pub(crate) fn new(fields: Fields, summed: Summed) -> Self {
        Self {
            tallies: vec![FieldTally::default(); fields.pairs.len()],
            rows: Sets::default(),
            sums: summed.sums(),
            lone: LoneSums::new(&fields),
            deltas: vec![0; summed.pairs.len()],
            moved: vec![Movement::default(); summed.pairs.len()],
            tolerated: Vec::new(),
            summed,
            whole: true,
            fields,
        }
    }

    /// Counts rows that are known to be the same, without looking at them.
    pub(crate) fn skip(&mut self, rows: u64) {
        self.whole = false;
        self.equal(rows);
    }

    fn equal(&mut self, rows: u64) {
        self.rows.equal += rows;
        self.tallies.iter_mut().for_each(|tally| tally.compared += rows);
    }

    /// Adds rows that are the same on both sides, and to no group.
    pub(crate) fn same(&mut self, a: Rows<'_>, b: Rows<'_>) -> Result<(), CompareError> {
        self.equal(a.len() as u64);
        for (rows, of) in [(a, SideOf::A), (b, SideOf::B)] {
            for row in 0..rows.len() {
                self.summed.add_row(&self.fields, (rows, row, of), &mut self.sums[of as usize])?;
                self.lone.add(&self.fields, (rows, row, of))?;
            }
        }
        Ok(())
    }

    /// Compares a row with its counterpart: whether they differ. `hear` is told of what is not the
    /// same: the number of the field, both values, whether a tolerance lets it pass.
    pub(crate) fn row<'a>(
        &mut self,
        [a, b]: [Row<'a>; 2],
        mut groups: Option<&mut GroupTally>,
        mut hear: impl FnMut(&Fields, usize, Both<'a>, bool) -> Result<(), CompareError>,
    ) -> Result<bool, CompareError> {
        let presence = Presence::of(a.1.is_some(), b.1.is_some());
        let mut differs = presence != Presence::Both;
        self.tolerated.clear();
        for (field, pair) in self.fields.pairs.iter().enumerate() {
            let (value_a, value_b) = (a.0.find(a.1, pair.a), b.0.find(b.1, pair.b));
            let mut judged = Judged::Different;
            if presence == Presence::Both {
                judged = judge(pair, value_a, value_b);
                self.tallies[field].add(pair, value_a, value_b, judged)?;
            }
            if judged != Judged::Same {
                differs |= judged == Judged::Different;
                if let Some(number) = self.summed.number(field)
                    && let Some(Delta::Exact { units, .. }) =
                        delta(value_a, value_b, pair.kind_a, pair.kind_b)
                {
                    if judged == Judged::Different {
                        self.deltas[number] = self.deltas[number].saturating_add(units);
                    } else {
                        self.tolerated.resize(self.summed.pairs.len(), 0);
                        self.tolerated[number] = units;
                    }
                }
                hear(&self.fields, field, [value_a, value_b], judged != Judged::Different)?;
            }
        }
        self.rows.add(presence, differs);
        for ((rows, row), of) in [(a, SideOf::A), (b, SideOf::B)] {
            let Some(row) = row else { continue };
            let groups = groups.as_deref_mut();
            self.lone.add(&self.fields, (rows, row, of))?;
            self.summed.add(&self.fields, (rows, row, of), &mut self.sums, groups, differs)?;
        }
        if let ((a, Some(row_a)), (b, Some(row_b)), Some(groups)) = (a, b, groups)
            && !self.tolerated.is_empty()
        {
            let sides = [(a, row_a, SideOf::A), (b, row_b, SideOf::B)];
            self.summed.tolerate(&self.fields, sides, groups, &self.tolerated, differs)?;
        }
        Ok(differs)
    }

    /// Begins a key or a record.
    pub(crate) fn begin(&mut self) {
        self.deltas.fill(0);
    }

    /// Ends a key or a record: its differences count as one.
    pub(crate) fn settle(&mut self, groups: Option<&mut GroupTally>) -> Result<(), CompareError> {
        self.summed.settle(&self.fields, &self.deltas, &mut self.moved)?;
        groups.map_or(Ok(()), GroupTally::settle)
    }

    /// Adds the rows of a side that has this place alone.
    pub(crate) fn alone(&mut self, rows: Rows<'_>, of: SideOf) -> Result<(), CompareError> {
        (0..rows.len()).try_for_each(|row| self.lone.add(&self.fields, (rows, row, of)))
    }

    /// How each field differs, and the totals; those of fields of one side alone go to `lone`.
    pub(crate) fn finish(
        &mut self,
        lone: &mut Vec<LoneTotal>,
    ) -> (Vec<FieldDifference>, Vec<Total>) {
        let tolerated = |(pair, _): &(usize, u8)| self.tallies[*pair].tolerated_units;
        let tolerated: Vec<i128> = self.summed.pairs.iter().map(tolerated).collect();
        let fields = std::mem::take(&mut self.tallies).into_iter().zip(&self.fields.pairs);
        let fields: Vec<_> = fields.map(|(tally, pair)| tally.finish(pair)).collect();
        // Of rows that were not fed nothing is known.
        if self.whole {
            lone.extend(std::mem::take(&mut self.lone).finish(&self.fields, self.summed.place()));
        }
        let sums = (&self.sums, tolerated.as_slice());
        (fields, self.summed.totals(&self.fields, sums, &self.moved, 0, self.whole))
    }
}

/// What is known of a field so far.
#[derive(Debug, Clone, Default)]
struct FieldTally {
    compared: u64,
    differ: u64,
    missing_a: u64,
    missing_b: u64,
    tolerated: u64,
    tolerated_sum: f64,
    tolerated_largest: f64,
    /// The same of decimals.
    tolerated_units: i128,
    tolerated_size: u128,
    numbers: Numbers,
    transitions: BTreeMap<(Option<String>, Option<String>), u64>,
    others: u64,
}

/// Differences of values that are there on both sides.
#[derive(Debug, Clone, Default)]
struct Numbers {
    values: u64,
    larger: u64,
    smaller: u64,
    exact: Range<i128>,
    float: Range<f64>,
    not_finite: u64,
    histogram: Histogram,
}

#[derive(Debug, Clone, Default)]
struct Range<T> {
    sum: T,
    smallest: T,
    largest: T,
}

impl<T: Copy + PartialOrd> Range<T> {
    fn widen(&mut self, value: T, is_first: bool) {
        if is_first || value < self.smallest {
            self.smallest = value;
        }
        if is_first || value > self.largest {
            self.largest = value;
        }
    }
}

impl FieldTally {
    /// Counts the values of a row that both sides have.
    fn add(
        &mut self,
        pair: &Pair,
        a: Option<Value<'_>>,
        b: Option<Value<'_>>,
        judged: Judged,
    ) -> Result<(), CompareError> {
        self.compared += 1;
        match judged {
            Judged::Same => return Ok(()),
            Judged::Tolerated(delta) => {
                self.tolerated += 1;
                match delta {
                    Delta::Float(delta) => {
                        self.tolerated_sum += delta;
                        self.tolerated_largest = self.tolerated_largest.max(delta.abs());
                    }
                    Delta::Exact { units, .. } => {
                        let sum = self.tolerated_units.checked_add(units);
                        let wrong = || CompareError::Sum(pair.name.clone());
                        self.tolerated_units = sum.ok_or_else(wrong)?;
                        self.tolerated_size = self.tolerated_size.max(units.unsigned_abs());
                    }
                }
                return Ok(());
            }
            Judged::Different => self.differ += 1,
        }
        self.missing_a += u64::from(a.is_none());
        self.missing_b += u64::from(b.is_none());
        if matches!(pair.kind_a, Kind::Text | Kind::Boolean) {
            self.transition(pair, a, b);
        }
        if a.is_some()
            && b.is_some()
            && let Some(delta) = delta(a, b, pair.kind_a, pair.kind_b)
        {
            let sum = self.numbers.add(delta);
            return sum.ok_or_else(|| CompareError::Sum(pair.name.clone()));
        }
        Ok(())
    }

    fn transition(&mut self, pair: &Pair, a: Option<Value<'_>>, b: Option<Value<'_>>) {
        let long = |value: &Option<Value<'_>>| match value {
            Some(Value::Text(text)) => text.len() > limits::TRANSITION_MAX_BYTES,
            _ => false,
        };
        if long(&a) || long(&b) {
            self.others += 1;
            return;
        }
        let text = |value: Option<Value<'_>>| value.map(|value| display(value, pair.kind_a));
        match slot(&mut self.transitions, &(text(a), text(b)), limits::TRANSITIONS_MAX) {
            Some(values) => *values += 1,
            None => self.others += 1,
        }
    }

    fn finish(self, pair: &Pair) -> FieldDifference {
        let (sum, largest) = match delta_scale(pair.kind_a, pair.kind_b) {
            None => (float_text(self.tolerated_sum), float_text(self.tolerated_largest)),
            Some(scale) => {
                let largest = i128::try_from(self.tolerated_size).unwrap_or(i128::MAX);
                (units_text(self.tolerated_units, scale), units_text(largest, scale))
            }
        };
        let tolerated = pair.tolerance.clone().map(|tolerance| Tolerated {
            tolerance: tolerance.text,
            values: self.tolerated,
            sum,
            largest,
        });
        let changes = !self.transitions.is_empty() || self.others > 0;
        FieldDifference {
            name: pair.name.clone(),
            kind: pair.kind(),
            compared: self.compared,
            differ: self.differ,
            missing_a: self.missing_a,
            missing_b: self.missing_b,
            tolerated,
            numeric: self.numbers.finish(pair),
            transitions: changes.then(|| listed(self.transitions, self.others)),
        }
    }
}

impl Numbers {
    /// None: a sum beyond 128 bits.
    fn add(&mut self, delta: Delta) -> Option<()> {
        self.values += 1;
        let first = self.values - self.not_finite == 1;
        match delta {
            Delta::Exact { units, .. } => {
                self.larger += u64::from(units > 0);
                self.smaller += u64::from(units < 0);
                self.exact.sum = self.exact.sum.checked_add(units)?;
                self.exact.widen(units, first);
            }
            Delta::Float(value) => {
                self.larger += u64::from(value > 0.0);
                self.smaller += u64::from(value < 0.0);
                if !value.is_finite() {
                    self.not_finite += 1;
                    return Some(());
                }
                self.float.sum += value;
                self.float.widen(value, first);
            }
        }
        self.histogram.add(delta);
        Some(())
    }

    fn finish(self, pair: &Pair) -> Option<Numeric> {
        if self.values == 0 {
            return None;
        }
        let unit = match pair.kind_a {
            Kind::Timestamp => Unit::Seconds,
            Kind::Date => Unit::Days,
            _ => Unit::Value,
        };
        let scale = delta_scale(pair.kind_a, pair.kind_b);
        let finite = self.values - self.not_finite;
        let [sum, mean, smallest, largest] = match scale {
            Some(scale) => {
                let Range { sum, smallest, largest } = self.exact;
                let text = |units| units_text(units, scale);
                [text(sum), mean_text(sum, self.values, scale), text(smallest), text(largest)]
            }
            None => {
                let Range { sum, smallest, largest } = self.float;
                [sum, sum / finite.max(1) as f64, smallest, largest].map(float_text)
            }
        };
        Some(Numeric {
            values: self.values,
            unit,
            larger: self.larger,
            smaller: self.smaller,
            sum,
            mean,
            smallest,
            largest,
            not_finite: self.not_finite,
            histogram: self.histogram.bins(scale),
        })
    }
}

fn listed(
    transitions: BTreeMap<(Option<String>, Option<String>), u64>,
    others: u64,
) -> Transitions {
    let transition = |((from, to), values)| Transition { from, to, values };
    let mut list: Vec<Transition> = transitions.into_iter().map(transition).collect();
    // Stable: transitions that are equally frequent stay in the order of their values.
    list.sort_by_key(|transition| std::cmp::Reverse(transition.values));
    let cut = list.split_off(list.len().min(limits::TRANSITIONS_LISTED));
    let others = others + cut.iter().map(|transition| transition.values).sum::<u64>();
    Transitions { list, others }
}
