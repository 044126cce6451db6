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

/// From the finest to the coarsest.
const STEPS: [TimeStep; 5] =
    [TimeStep::Minute, TimeStep::Hour, TimeStep::Day, TimeStep::Month, TimeStep::Year];

/// What is known of the first diverging event of a key.
#[derive(Debug, Clone, Copy, Default)]
pub struct First<'a> {
    /// Its time, if it was decoded.
    pub time: Option<Micros>,
    /// The input that took it, in A or else in B.
    pub input: Option<&'a str>,
    /// What became of it in A and in B; none: the side has no record of it.
    pub outcomes: [Option<Outcome>; 2],
    /// Whether it lies before the range that is compared.
    pub before_range: bool,
}

#[derive(Debug)]
pub(crate) struct DivergenceTally {
    /// All but what is put in at the end.
    pub(crate) told: Divergences,
    /// Keys whose first diverging event is known, by its input.
    pub(crate) by_input: BTreeMap<Option<String>, u64>,
    step: TimeStep,
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
            told: Divergences::default(),
            by_input: BTreeMap::new(),
            step: TimeStep::Minute,
            buckets: BTreeMap::new(),
            fields,
        }
    }

    /// Takes a key that differs at the end, or did on the way, with its differences at the end.
    pub(crate) fn key(&mut self, differs: bool, first: Option<First<'_>>, deltas: &[i128]) {
        let Some(first) = first else {
            self.told.not_in_files += u64::from(differs);
            return;
        };
        // What parted and came together again before the range is no difference of the range.
        if first.before_range && !differs {
            return;
        }
        self.told.before_range += u64::from(first.before_range);
        self.told.found += 1;
        self.told.healed += u64::from(!differs);
        *self.by_input.entry(first.input.map(str::to_owned)).or_default() += 1;
        let Some(time) = first.time else { return };
        let bucket = self.buckets.entry(begin(time, self.step)).or_default();
        bucket.add(1, deltas);
        while self.buckets.len() > limits::BUCKETS_HELD && self.coarsen() {}
    }

    fn coarsen(&mut self) -> bool {
        let coarser = STEPS.into_iter().find(|step| *step > self.step);
        let Some(step) = coarser else { return false };
        self.step = step;
        for (start, bucket) in std::mem::take(&mut self.buckets) {
            let into = self.buckets.entry(begin(start, step)).or_default();
            into.add(bucket.keys, &bucket.deltas);
        }
        true
    }

    /// For each day (or coarser step) on which a key diverges first: its begin, and how many do.
    pub(crate) fn days(&self) -> BTreeMap<i64, u64> {
        let mut days = BTreeMap::new();
        for (&start, bucket) in &self.buckets {
            *days.entry(begin(start, self.step.max(TimeStep::Day))).or_default() += bucket.keys;
        }
        days
    }

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
        let input = |(input, keys)| InputCount { input, keys };
        let mut by_input: Vec<InputCount> = self.by_input.into_iter().map(input).collect();
        by_input.sort_by_key(|count| std::cmp::Reverse(count.keys));
        let keys = self.told.found + self.told.not_in_files;
        let step = (!over_time.is_empty()).then_some(self.step);
        Divergences { keys, by_input, step, over_time, ..self.told }
    }

    /// Buckets from the first to the last, empty ones included.
    fn span(&self) -> i64 {
        let first = self.buckets.keys().next().copied().unwrap_or_default();
        let last = self.buckets.keys().next_back().copied().unwrap_or_default();
        last.saturating_sub(first) / self.step.micros() + 1
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

fn begin(time: Micros, step: TimeStep) -> i64 {
    let day = TimeStep::Day.micros();
    let (year, month, _) = civil_from_days(time.div_euclid(day));
    let (number, length) = match step {
        TimeStep::Month => (days_from_civil(year, month, 1), day),
        TimeStep::Year => (days_from_civil(year, 1, 1), day),
        step => (time.div_euclid(step.micros()), step.micros()),
    };
    number.saturating_mul(length)
}

/// The month of a time: `2026-03`.
pub(crate) fn month_text(time: Micros) -> String {
    let mut text = time_text(begin(time, TimeStep::Month));
    text.truncate("2026-03".len());
    text
}

pub(crate) fn time_text(micros: Micros) -> String {
    display(Value::Timestamp(micros), Kind::Timestamp)
}
