//! The first diverging events, all together: how many are known, of which input, and when. The
//! buckets of event time grow coarser as they fill, so memory is bounded and no second pass is
//! needed; how coarse they end depends on the times alone, not on their order.

use super::exact::units_text;
use super::limits;
use super::model::{Cumulative, Divergences, InputCount, TimeBucket, TimeStep};
use retally_core::log::Micros;
use retally_core::reduce::Outcome;
use retally_core::schema::{Kind, Value, civil_from_days, days_from_civil, display};
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What is known of the first diverging event of a key.
#[derive(Debug, Clone, Copy, Default)]
pub struct First<'a> {
    /// Its time, if it was decoded.
    pub time: Option<Micros>,
    /// The input that took it, in A or else in B.
    pub input: Option<&'a str>,
    /// What became of it in A and in B; none: the side has no record of it.
    pub outcomes: [Option<Outcome>; 2],
}

/// What is known so far.
#[derive(Debug)]
pub(crate) struct DivergenceTally {
    found: u64,
    not_in_files: u64,
    healed: u64,
    by_input: BTreeMap<Option<String>, u64>,
    step: TimeStep,
    /// By where they begin.
    buckets: BTreeMap<i64, Bucket>,
    fields: Vec<(String, u8)>,
}

#[derive(Debug, Clone, Default)]
struct Bucket {
    keys: u64,
    deltas: Vec<i128>,
}

impl DivergenceTally {
    /// `fields`: the view's summed fields and the scale of their differences.
    pub(crate) fn new(fields: Vec<(String, u8)>) -> Self {
        Self {
            found: 0,
            not_in_files: 0,
            healed: 0,
            by_input: BTreeMap::new(),
            step: TimeStep::Minute,
            buckets: BTreeMap::new(),
            fields,
        }
    }

    /// Takes a key that differs at the end, or did on the way, with its differences at the end.
    pub(crate) fn key(&mut self, differs: bool, first: Option<First<'_>>, deltas: &[i128]) {
        let Some(first) = first else {
            self.not_in_files += u64::from(differs);
            return;
        };
        self.found += 1;
        self.healed += u64::from(!differs);
        let input = first.input.map(str::to_owned);
        *self.by_input.entry(input).or_default() += 1;
        let Some(time) = first.time else { return };
        let bucket = self.buckets.entry(begin(time, self.step)).or_default();
        bucket.add(1, deltas);
        while self.buckets.len() > limits::BUCKETS_HELD && self.coarsen() {}
    }

    fn coarsen(&mut self) -> bool {
        let Some(step) = coarser(self.step) else { return false };
        self.step = step;
        for (start, bucket) in std::mem::take(&mut self.buckets) {
            let into = self.buckets.entry(begin(start, step)).or_default();
            into.add(bucket.keys, &bucket.deltas);
        }
        true
    }

    /// Keys whose first diverging event is known, by its input.
    pub(crate) fn inputs(&self) -> &BTreeMap<Option<String>, u64> {
        &self.by_input
    }

    /// Keys whose first diverging event is known.
    pub(crate) fn found(&self) -> u64 {
        self.found
    }

    /// For each day (or coarser step) on which a key diverges first: its begin, and how many do.
    pub(crate) fn days(&self) -> BTreeMap<i64, u64> {
        let mut days = BTreeMap::new();
        for (&start, bucket) in &self.buckets {
            *days.entry(begin(start, self.step.max(TimeStep::Day))).or_default() += bucket.keys;
        }
        days
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> Divergences {
        while self.span() > limits::BUCKETS_TOLD && self.coarsen() {}
        let mut sums = vec![0i128; self.fields.len()];
        let mut over_time = Vec::with_capacity(self.buckets.len());
        for (start, bucket) in &self.buckets {
            for (sum, delta) in sums.iter_mut().zip(&bucket.deltas) {
                *sum = sum.saturating_add(*delta);
            }
            let cumulative = self.fields.iter().zip(&sums).map(|((field, scale), sum)| {
                Cumulative { field: field.clone(), difference: units_text(*sum, *scale) }
            });
            over_time.push(TimeBucket {
                from: time_text(*start),
                keys: bucket.keys,
                cumulative: cumulative.collect(),
            });
        }
        let by_input = self.by_input.into_iter();
        let by_input = by_input.map(|(input, keys)| InputCount { input, keys });
        let mut by_input: Vec<InputCount> = by_input.collect();
        by_input.sort_by_key(|count| std::cmp::Reverse(count.keys));
        Divergences {
            keys: self.found + self.not_in_files,
            found: self.found,
            not_in_files: self.not_in_files,
            healed: self.healed,
            by_input,
            step: (!over_time.is_empty()).then_some(self.step),
            over_time,
        }
    }

    /// Buckets from the first to the last, empty ones included.
    fn span(&self) -> i64 {
        let first = self.buckets.keys().next().copied().unwrap_or_default();
        let last = self.buckets.keys().next_back().copied().unwrap_or_default();
        let length = match self.step {
            TimeStep::Minute => MINUTE,
            TimeStep::Hour => HOUR,
            TimeStep::Day => DAY,
            TimeStep::Month => 30 * DAY,
            TimeStep::Year => 365 * DAY,
        };
        last.saturating_sub(first) / length + 1
    }
}

impl Bucket {
    fn add(&mut self, keys: u64, deltas: &[i128]) {
        self.keys += keys;
        self.deltas.resize(deltas.len(), 0);
        for (sum, delta) in self.deltas.iter_mut().zip(deltas) {
            *sum = sum.saturating_add(*delta);
        }
    }
}

fn coarser(step: TimeStep) -> Option<TimeStep> {
    match step {
        TimeStep::Minute => Some(TimeStep::Hour),
        TimeStep::Hour => Some(TimeStep::Day),
        TimeStep::Day => Some(TimeStep::Month),
        TimeStep::Month => Some(TimeStep::Year),
        TimeStep::Year => None,
    }
}

/// Where the bucket of a time begins.
fn begin(time: Micros, step: TimeStep) -> i64 {
    let (year, month, _) = civil_from_days(time.div_euclid(DAY));
    let (number, length) = match step {
        TimeStep::Minute => (time.div_euclid(MINUTE), MINUTE),
        TimeStep::Hour => (time.div_euclid(HOUR), HOUR),
        TimeStep::Day => (time.div_euclid(DAY), DAY),
        TimeStep::Month => (days_from_civil(year, month, 1), DAY),
        TimeStep::Year => (days_from_civil(year, 1, 1), DAY),
    };
    number.saturating_mul(length)
}

/// A time as RFC 3339.
pub(crate) fn time_text(micros: Micros) -> String {
    display(Value::Timestamp(micros), Kind::Timestamp)
}
