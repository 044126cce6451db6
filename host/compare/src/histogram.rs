//! How differences are spread, in one pass and in bounded memory: bins that end at 1, 2 and 5 times
//! the powers of ten, on both sides of zero. A difference finds its bin by itself, so neither the
//! order nor the number of the others moves it.

use super::exact::{float_text, units_text};
use super::model::Bin;
use super::sink::Delta;
use std::collections::BTreeMap;

/// Where the bins of a power of ten begin.
const STEPS: [u8; 3] = [1, 2, 5];

/// Bins of a power of ten. The bin `n` of a side, counted from 1, begins at
/// `STEPS[(n - 1) % 3] * 10^((n - 1) / 3)`; bins of negative differences have negative numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    bins: BTreeMap<i64, u64>,
}

/// Added to the exponents of floats, so that the smallest of them (-324) is not negative.
const FLOAT_SHIFT: i64 = 400;

impl Histogram {
    /// Counts a difference; zero and what is no finite number is in no bin.
    pub(crate) fn add(&mut self, delta: Delta) {
        let (number, negative) = match delta {
            Delta::Exact { units, .. } => (exact_bin(units.unsigned_abs()), units < 0),
            Delta::Float(value) => (float_bin(value.abs()), value < 0.0),
        };
        if let Some(number) = number {
            *self.bins.entry(if negative { -number } else { number }).or_default() += 1;
        }
    }

    /// The bins that hold any; `scale`: of exact differences, none of floats.
    pub(crate) fn bins(&self, scale: Option<u8>) -> Vec<Bin> {
        let edge = |number: i64| match scale {
            Some(scale) => exact_edge(number, scale),
            None => float_edge(number),
        };
        let bin = |(&number, &values): (&i64, &u64)| {
            let (near, far) = (edge(number.abs()), edge(number.abs() + 1));
            match number < 0 {
                true => Bin { from: format!("-{far}"), to: format!("-{near}"), values },
                false => Bin { from: near, to: far, values },
            }
        };
        self.bins.iter().map(bin).collect()
    }
}

fn bin(digit: u128, exponent: i64) -> i64 {
    let step = STEPS.iter().rposition(|&step| digit >= step.into()).unwrap_or_default();
    exponent * 3 + step as i64 + 1
}

fn exact_bin(units: u128) -> Option<i64> {
    let exponent = units.checked_ilog10()?;
    Some(bin(units / 10u128.pow(exponent), exponent.into()))
}

fn float_bin(size: f64) -> Option<i64> {
    if size == 0.0 || !size.is_finite() {
        return None;
    }
    // Its shortest text, `1.5e-7`: the first digit and the exponent without any rounding of ours.
    let text = format!("{size:e}");
    let (digits, exponent) = text.split_once('e')?;
    let digit = digits.chars().next()?.to_digit(10)?;
    Some(bin(digit.into(), exponent.parse::<i64>().ok()? + FLOAT_SHIFT))
}

fn exact_edge(number: i64, scale: u8) -> String {
    let (exponent, step) = ((number - 1) / 3, (number - 1) % 3);
    let power = u32::try_from(exponent).ok().and_then(|e| 10i128.checked_pow(e));
    let edge = power.and_then(|p| p.checked_mul(STEPS[step as usize].into()));
    edge.map_or_else(|| format!("{}e{exponent}", STEPS[step as usize]), |e| units_text(e, scale))
}

fn float_edge(number: i64) -> String {
    let (exponent, step) = ((number - 1) / 3 - FLOAT_SHIFT, (number - 1) % 3);
    let text = format!("{}e{exponent}", STEPS[step as usize]);
    text.parse().map_or(text, float_text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bins_end_at_one_two_and_five() {
        let mut histogram = Histogram::default();
        for units in [1, 1, 2, 4, 5, 9, 10, 99, 100, -1, -250, 0] {
            histogram.add(Delta::Exact { units, scale: 2 });
        }
        let bins = histogram.bins(Some(2));
        let text: Vec<_> =
            bins.iter().map(|b| format!("{}..{}: {}", b.from, b.to, b.values)).collect();
        insta::assert_snapshot!(text.join("\n"), @"
        -5.00..-2.00: 1
        -0.02..-0.01: 1
        0.01..0.02: 2
        0.02..0.05: 2
        0.05..0.10: 2
        0.10..0.20: 1
        0.50..1.00: 1
        1.00..2.00: 1
        ");
    }

    #[test]
    fn floats_have_bins_too() {
        let mut histogram = Histogram::default();
        for value in [0.1, 0.3, -1e300, 5e-324, f64::NAN, f64::INFINITY, 0.0] {
            histogram.add(Delta::Float(value));
        }
        let bins = histogram.bins(None);
        let text: Vec<_> =
            bins.iter().map(|b| format!("{}..{}: {}", b.from, b.to, b.values)).collect();
        insta::assert_snapshot!(text.join("\n"), @"
        -2e300..-1e300: 1
        5e-324..1e-323: 1
        0.1..0.2: 1
        0.2..0.5: 1
        ");
    }

    proptest! {
        #[test]
        fn a_difference_lies_within_its_bin(units in -1_000_000_000_000i64..1_000_000_000_000) {
            let mut histogram = Histogram::default();
            histogram.add(Delta::Exact { units: units.into(), scale: 0 });
            let bins = histogram.bins(Some(0));
            prop_assert_eq!(bins.len(), usize::from(units != 0));
            if let Some(bin) = bins.first() {
                let (from, to): (i64, i64) = (bin.from.parse().unwrap(), bin.to.parse().unwrap());
                let within = match units > 0 {
                    true => from <= units && units < to,
                    false => from < units && units <= to,
                };
                prop_assert!(within, "{units} in {from}..{to}");
            }
        }
    }
}
