//! How one field differs over all rows: counts, exact sums, histogram, transitions. Memory is
//! bounded whatever the number of rows.

use super::align::Pair;
use super::error::CompareError;
use super::exact::{delta_scale, float_text, mean_text, units_text};
use super::histogram::Histogram;
use super::judge::{Judged, difference};
use super::limits;
use super::model::{FieldDifference, Numeric, Tolerated, Transition, Transitions, Unit};
use super::sink::Delta;
use retally_core::schema::{Kind, Value, display};
use std::collections::BTreeMap;

/// What is known of a field so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldTally {
    compared: u64,
    differ: u64,
    missing_a: u64,
    missing_b: u64,
    tolerated: u64,
    tolerated_sum: f64,
    tolerated_largest: f64,
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

impl FieldTally {
    /// Counts rows in which the field is the same, without looking at them.
    pub(crate) fn skip(&mut self, rows: u64) {
        self.compared += rows;
    }

    /// Counts the values of a row that both sides have.
    pub(crate) fn add(
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
                if let Delta::Float(delta) = delta {
                    self.tolerated_sum += delta;
                    self.tolerated_largest = self.tolerated_largest.max(delta.abs());
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
            && let Some(delta) = difference(pair, a, b)
        {
            return self
                .numbers
                .add(delta)
                .ok_or_else(|| CompareError::Sum { field: pair.name.clone() });
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
        let change = (text(a), text(b));
        if self.transitions.len() < limits::TRANSITIONS_MAX
            || self.transitions.contains_key(&change)
        {
            *self.transitions.entry(change).or_default() += 1;
        } else {
            self.others += 1;
        }
    }

    /// What was found.
    pub(crate) fn finish(self, pair: &Pair) -> FieldDifference {
        let tolerated = pair.tolerance.as_ref().map(|(_, tolerance)| Tolerated {
            tolerance: tolerance.clone(),
            values: self.tolerated,
            sum: float_text(self.tolerated_sum),
            largest: float_text(self.tolerated_largest),
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
                let Range { smallest, largest, .. } = &mut self.exact;
                *smallest = if first { units } else { units.min(*smallest) };
                *largest = if first { units } else { units.max(*largest) };
            }
            Delta::Float(value) => {
                self.larger += u64::from(value > 0.0);
                self.smaller += u64::from(value < 0.0);
                if !value.is_finite() {
                    self.not_finite += 1;
                    return Some(());
                }
                self.float.sum += value;
                let Range { smallest, largest, .. } = &mut self.float;
                *smallest = if first { value } else { value.min(*smallest) };
                *largest = if first { value } else { value.max(*largest) };
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
