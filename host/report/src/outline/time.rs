//! When keys begin to differ, over event time; and how the differences add up, if each key's
//! difference at the end is counted when the key begins to differ.

use super::block::{Bar, Plot};
use super::first::words;
use super::span::{Class, Difference, Span, name, said};
use crate::number::{approximate, grouped, is_zero};
use retally_compare::model::{Comparison, Divergences, TimeBucket, TimeStep};
use retally_core::decode::convert::column_from_text;
use retally_core::schema::{Kind, Value, display};

const FIELDS_MAX: usize = 6;

/// Labels of the time axis, but for the last: of days, and of moments, which are longer. On a small
/// screen they still stand apart.
const TICKS: i64 = 3;
const TICKS_LONG: i64 = 2;

/// Days from which on an axis is told in days.
const DAYS: i64 = 4;

const DAY: i64 = 86_400_000_000;

pub(super) fn plots(c: &Comparison) -> Vec<Plot> {
    let d = &c.divergences;
    let Some(axis) = Axis::of(d) else { return Vec::new() };
    let bar = |(bucket, at): (&TimeBucket, &i64)| Bar {
        class: Class::Different,
        span: (axis.share(*at), axis.share(at + axis.step.micros())),
        value: bucket.keys as f64,
        title: format!("{}: {} keys", moment(&bucket.from, axis.step), grouped(bucket.keys)).into(),
    };
    let ((each, ..), keys) = (told(axis.step), words(c).keys);
    let first = Plot {
        caption: format!("{keys}, per {each} of event time").into(),
        label: format!("{keys}, over event time"),
        bars: d.over_time.iter().zip(&axis.at).map(bar).collect(),
        ticks: axis.ticks(),
        ..Plot::default()
    };
    let fields = d.over_time.last().map(|last| last.cumulative.as_slice()).unwrap_or_default();
    let moves = |field: &usize| {
        let own = d.over_time.iter().filter_map(|bucket| bucket.cumulative.get(*field));
        own.clone().any(|sum| !is_zero(&sum.difference))
    };
    let moving = (0..fields.len()).filter(moves).take(FIELDS_MAX);
    let sums = moving.filter_map(|field| cumulative(&d.over_time, &axis, field));
    std::iter::once(first).chain(sums).collect()
}

fn cumulative(buckets: &[TimeBucket], axis: &Axis, field: usize) -> Option<Plot> {
    let sums = buckets.iter().filter_map(|bucket| bucket.cumulative.get(field));
    let points = axis.at.iter().zip(sums.clone());
    let points = points.map(|(at, sum)| (axis.share(*at), approximate(&sum.difference)));
    let last = sums.clone().next_back()?;
    let way = if last.difference.starts_with('-') { Class::Down } else { Class::Up };
    let sum = Span::Difference(Difference::of(&last.difference));
    Some(Plot {
        caption: said!["Difference in ", name(&last.field), " added up: ", sum],
        label: format!("Difference in {} over event time, added up", last.field),
        steps: Some((way, points.collect())),
        ticks: axis.ticks(),
        ..Plot::default()
    })
}

struct Axis {
    step: TimeStep,
    at: Vec<i64>,
    from: i64,
    to: i64,
}

impl Axis {
    fn of(d: &Divergences) -> Option<Self> {
        let step = d.step?;
        let at: Vec<i64> =
            d.over_time.iter().map(|bucket| micros(&bucket.from)).collect::<Option<_>>()?;
        let (first, last) = (*at.first()?, *at.last()?);
        let length = step.micros();
        // A step of nothing in front, so that the first rise is seen to be one.
        let from = first.saturating_sub(length);
        Some(Self { step, at, from, to: last.saturating_add(length) })
    }

    fn share(&self, at: i64) -> f64 {
        (at.saturating_sub(self.from)) as f64 / (self.to.saturating_sub(self.from)).max(1) as f64
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let tick = |(at, unit): (i64, i64)| {
            let text = display(Value::Timestamp(at), Kind::Timestamp);
            let shown = if unit == DAY { self.step.max(TimeStep::Day) } else { self.step };
            (self.share(at), moment(&text, shown))
        };
        self.places().into_iter().map(tick).collect()
    }

    /// Where labels stand, each with the unit that it is told in: first and last, and between them
    /// as many as there is room for.
    fn places(&self) -> Vec<(i64, i64)> {
        let (Some(&first), Some(&last)) = (self.at.first(), self.at.last()) else {
            return Vec::new();
        };
        // Whole days where there are enough of them.
        let unit = if last - first >= DAYS * DAY { DAY } else { self.step.micros().min(DAY) };
        let first = first - first.rem_euclid(unit);
        let units = (last - first) / unit;
        // On a small screen a day is a fifth as wide as the axis, a moment nearly a third.
        let (most, wide) = if unit == DAY { (TICKS, 0.2) } else { (TICKS_LONG, 0.32) };
        let all = self.to.saturating_sub(self.from) as f64;
        let fits = |parts: &i64| (units / parts * unit) as f64 >= wide * all;
        let parts = (1..=most).rev().find(fits).unwrap_or(1);
        let mut places: Vec<(i64, i64)> =
            (0..=parts).map(|part| (first + units * part / parts * unit, unit)).collect();
        places.dedup();
        places
    }
}

/// How a step of time is told: its name, what stands in front of a moment, and how many characters
/// a moment has that is as precise.
pub(super) fn told(step: TimeStep) -> (&'static str, &'static str, usize) {
    match step {
        TimeStep::Minute => ("minute", "at ", 16),
        TimeStep::Hour => ("hour", "at ", 16),
        TimeStep::Day => ("day", "on ", 10),
        TimeStep::Month => ("month", "in ", 7),
        TimeStep::Year => ("year", "in ", 4),
    }
}

pub(super) fn moment(rfc3339: &str, step: TimeStep) -> String {
    rfc3339.get(..told(step).2).unwrap_or(rfc3339).replacen('T', " ", 1)
}

fn micros(text: &str) -> Option<i64> {
    match column_from_text(Kind::Timestamp, text).ok()?.get(0)? {
        Value::Timestamp(micros) => Some(micros),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_time_axis_stand_apart() {
        for step in [TimeStep::Minute, TimeStep::Hour, TimeStep::Day, TimeStep::Month] {
            for buckets in 1..400 {
                let length = step.micros();
                let at: Vec<i64> = (0..buckets).map(|n| 20_513 * DAY + n * length).collect();
                let (from, to) = (at[0] - length, at[0] + buckets * length);
                let axis = Axis { step, at, from, to };
                let places = axis.places();
                let is_day = places.iter().all(|(_, unit)| *unit == DAY);
                // How wide a label is where it is widest, on a small screen.
                let wide = if is_day { 0.19 } else { 0.31 };
                let shares: Vec<f64> = places.iter().map(|(at, _)| axis.share(*at)).collect();
                for pair in shares.windows(2) {
                    assert!(pair[1] - pair[0] >= wide, "{step:?} {buckets} {shares:?}");
                }
                let last = axis.share(axis.at[axis.at.len() - 1]);
                let end = shares[shares.len() - 1];
                assert!(last - end <= DAY as f64 / (to - from) as f64, "{step:?} {buckets}");
            }
        }
    }
}
