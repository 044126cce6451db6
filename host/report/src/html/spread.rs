//! How the differences of a field are spread: bars over bins that end at 1, 2 and 5 times the
//! powers of ten, so that cents and millions are both to be seen; what is lower left of the middle,
//! what is higher right of it.

use super::escape::minus;
use super::svg::Plot;
use crate::number::{approximate, axis, decade, grouped};
use crate::sentence::with_unit;
use retally_compare::model::{Bin, Numeric};
use std::collections::BTreeMap;

/// Bars of a plot; more are put together.
const BARS_MAX: i64 = 48;

/// A plot has room for at least so many: a single bar is no wall.
const BARS_MIN: i64 = 12;

/// Labels of an axis.
const TICKS_MAX: i64 = 9;

/// A bar: of one bin or several.
#[derive(Debug)]
struct Bar {
    values: u64,
    from: String,
    to: String,
}

/// The plot; nothing if nothing differs.
pub(super) fn plot(name: &str, n: &Numeric) -> String {
    let bins: Vec<(bool, i64, &Bin)> = n.histogram.iter().filter_map(place).collect();
    let (Some(low), Some(high)) =
        (bins.iter().map(|bin| bin.1).min(), bins.iter().map(|bin| bin.1).max())
    else {
        return String::new();
    };
    let mut width = 1;
    while (high.div_euclid(width) - low.div_euclid(width) + 1) * 2 > BARS_MAX {
        width = if width == 1 { 3 } else { width * 2 };
    }
    let mut bars: BTreeMap<(bool, i64), Bar> = BTreeMap::new();
    for (is_higher, number, bin) in bins {
        let bar = bars.entry((is_higher, number.div_euclid(width))).or_insert_with(|| Bar {
            values: 0,
            from: bin.from.clone(),
            to: bin.to.clone(),
        });
        bar.values += bin.values;
        bar.to.clone_from(&bin.to);
    }
    draw(name, n, &bars, width)
}

fn draw(name: &str, n: &Numeric, bars: &BTreeMap<(bool, i64), Bar>, width: i64) -> String {
    let most = bars.values().map(|bar| bar.values).max().unwrap_or(0);
    let low = bars.keys().map(|key| key.1).min().unwrap_or(0);
    let side = |is_higher: bool| {
        let own = bars.keys().filter(|key| key.0 == is_higher).map(|key| key.1 - low + 1);
        own.max().unwrap_or(0)
    };
    let (left, right) = (side(false), side(true));
    let all = (left + right).max(BARS_MIN) as f64;
    let label = format!("Distribution of the differences in {name}");
    let mut plot = Plot::new(&label, 0.0, most as f64);
    for ((is_higher, number), bar) in bars {
        let from = match is_higher {
            true => left + number - low,
            false => left - 1 - (number - low),
        } as f64;
        let title = format!(
            "{} to {}: {}",
            minus(&with_unit(&bar.from, n.unit)),
            minus(&with_unit(&bar.to, n.unit)),
            grouped(bar.values)
        );
        let class = if *is_higher { "up" } else { "down" };
        let gap = 0.08;
        let span = ((from + gap) / all, (from + 1.0 - gap) / all);
        plot.bar(class, span, bar.values as f64, &title);
    }
    if left > 0 && right > 0 {
        plot.divide(left as f64 / all);
    }
    ticks(&mut plot, (left, right), low, width);
    plot.finish()
}

/// Powers of ten, as many as there is room for.
fn ticks(plot: &mut Plot, (left, right): (i64, i64), low: i64, width: i64) {
    let all = (left + right).max(BARS_MIN);
    let decades = all * width / 3 + 1;
    let every = (decades + TICKS_MAX - 1) / TICKS_MAX;
    let both = left > 0 && right > 0;
    for (count, is_higher) in [(left, false), (right, true)] {
        if count == 0 {
            continue;
        }
        for step in 0..=count {
            let number = (low + step) * width;
            // Next to the middle the labels of both sides would meet.
            let crowded = both && step == 0;
            if number.rem_euclid(3) != 0 || (number / 3).rem_euclid(every) != 0 || crowded {
                continue;
            }
            let value = approximate(&format!("1e{}", number.div_euclid(3)));
            let at = if is_higher { left + step } else { left - step };
            let value = if is_higher { value } else { -value };
            plot.tick(at as f64 / all as f64, &axis(value));
        }
    }
    if both {
        plot.tick(left as f64 / all as f64, "0");
    }
}

/// Whether a bin is of what is higher, and its number: three for each power of ten.
fn place(bin: &Bin) -> Option<(bool, i64, &Bin)> {
    let is_higher = !bin.from.starts_with('-');
    let near = if is_higher { &bin.from } else { &bin.to };
    let (digit, exponent) = decade(approximate(near))?;
    let step = match digit {
        0..2 => 0,
        2..5 => 1,
        _ => 2,
    };
    Some((is_higher, i64::from(exponent) * 3 + step, bin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_compare::model::Unit;

    fn numeric(bins: &[(&str, &str, u64)]) -> Numeric {
        let bin = |&(from, to, values): &(&str, &str, u64)| Bin {
            from: from.into(),
            to: to.into(),
            values,
        };
        Numeric {
            values: 1,
            unit: Unit::Value,
            larger: 0,
            smaller: 0,
            sum: "0".into(),
            mean: "0".into(),
            smallest: "0".into(),
            largest: "0".into(),
            not_finite: 0,
            histogram: bins.iter().map(bin).collect(),
        }
    }

    #[test]
    fn every_bin_is_in_a_bar() {
        let few = [("-5.00", "-2.00", 3), ("-0.02", "-0.01", 1), ("0.01", "0.02", 2)];
        let svg = plot("net", &numeric(&few));
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("<title>\u{2212}5.00 to \u{2212}2.00: 3</title>"), "{svg}");
        let wide = [("-2e300", "-1e300", 1), ("5e-324", "1e-323", 1), ("0.1", "0.2", 7)];
        let svg = plot("x", &numeric(&wide));
        assert_eq!(svg.matches("<rect").count(), 3, "{svg}");
        assert!(svg.len() < 10_000);
        assert_eq!(plot("x", &numeric(&[])), "");
    }
}
