//! How the differences of a field are spread: bars over bins that end at 1, 2 and 5 times the
//! powers of ten, so that cents and millions are both to be seen; what is lower left of the middle,
//! what is higher right of it.

use super::block::{Bar, Plot};
use super::sentence::with_unit;
use super::span::{Class, Difference, Span, name, said};
use crate::number::{approximate, axis, decade, grouped};
use retally_compare::model::{Bin, FieldDifference, Numeric};
use std::collections::BTreeMap;

/// Bars of a plot; more are put together.
const BARS_MAX: i64 = 48;

/// A plot has room for at least so many: a single bar is no wall.
const BARS_MIN: i64 = 12;

const TICKS_MAX: i64 = 9;

#[derive(Debug)]
struct Bins {
    values: u64,
    from: String,
    to: String,
}

pub(super) fn plot(field: &FieldDifference, n: &Numeric) -> Plot {
    let way = |way: Class, count: u64, word: &str| {
        Span::Difference(Difference { way, shown: format!("{} {word}", grouped(count)) })
    };
    let (higher, lower) =
        (way(Class::Up, n.larger, "higher"), way(Class::Down, n.smaller, "lower"));
    let not_finite = match n.not_finite {
        0 => String::new(),
        count => format!(", {} not finite", grouped(count)),
    };
    let in_field = said!["Rows by their difference in ", name(&field.name), ": "];
    let mut plot = Plot {
        caption: said![in_field, higher, ", ", lower, not_finite],
        label: format!("Distribution of the differences in {}", field.name),
        ..Plot::default()
    };
    let bins: Vec<(bool, i64, &Bin)> = n.histogram.iter().filter_map(place).collect();
    let numbers = bins.iter().map(|bin| bin.1);
    let (Some(low), Some(high)) = (numbers.clone().min(), numbers.max()) else { return plot };
    let mut width = 1;
    while (high.div_euclid(width) - low.div_euclid(width) + 1) * 2 > BARS_MAX {
        width = if width == 1 { 3 } else { width * 2 };
    }
    let mut bars: BTreeMap<(bool, i64), Bins> = BTreeMap::new();
    for (is_higher, number, bin) in bins {
        let bar = bars.entry((is_higher, number.div_euclid(width))).or_insert_with(|| Bins {
            values: 0,
            from: bin.from.clone(),
            to: bin.to.clone(),
        });
        bar.values += bin.values;
        bar.to.clone_from(&bin.to);
    }
    draw(&mut plot, n, &bars, width);
    plot
}

fn draw(plot: &mut Plot, n: &Numeric, bars: &BTreeMap<(bool, i64), Bins>, width: i64) {
    let low = bars.keys().map(|key| key.1).min().unwrap_or(0);
    let side = |is_higher: bool| {
        let own = bars.keys().filter(|key| key.0 == is_higher).map(|key| key.1 - low + 1);
        own.max().unwrap_or(0)
    };
    let (left, right) = (side(false), side(true));
    let all = (left + right).max(BARS_MIN) as f64;
    let bar = |((is_higher, number), bins): (&(bool, i64), &Bins)| {
        let from = match is_higher {
            true => left + number - low,
            false => left - 1 - (number - low),
        } as f64;
        let [low, high] = [&bins.from, &bins.to].map(|end| Span::Amount(with_unit(end, n.unit)));
        let gap = 0.08;
        Bar {
            class: if *is_higher { Class::Up } else { Class::Down },
            span: ((from + gap) / all, (from + 1.0 - gap) / all),
            value: bins.values as f64,
            title: said![low, " to ", high, format!(": {}", grouped(bins.values))],
        }
    };
    plot.bars = bars.iter().map(bar).collect();
    plot.middle = (left > 0 && right > 0).then_some(left as f64 / all);
    plot.ticks = ticks((left, right), low, width);
}

/// Powers of ten, as many as there is room for.
fn ticks((left, right): (i64, i64), low: i64, width: i64) -> Vec<(f64, String)> {
    let mut ticks = Vec::new();
    let all = (left + right).max(BARS_MIN);
    let decades = all * width / 3 + 1;
    let every = (decades + TICKS_MAX - 1) / TICKS_MAX;
    let both = left > 0 && right > 0;
    for (count, sign) in [(left, -1), (right, 1)] {
        let steps = if count == 0 { 0..0 } else { 0..count + 1 };
        for step in steps {
            let number = (low + step) * width;
            // Next to the middle the labels of both sides would meet.
            let crowded = both && step == 0;
            if number.rem_euclid(3) != 0 || (number / 3).rem_euclid(every) != 0 || crowded {
                continue;
            }
            let value = approximate(&format!("1e{}", number.div_euclid(3)));
            let at = (left + sign * step) as f64 / all as f64;
            ticks.push((at, axis(sign as f64 * value)));
        }
    }
    ticks.extend(both.then(|| (left as f64 / all as f64, "0".to_owned())));
    ticks
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
    use retally_core::schema::Kind;

    fn bars(bins: &[(&str, &str, u64)]) -> Vec<Bar> {
        let bin = |&(from, to, values): &(&str, &str, u64)| Bin {
            from: from.into(),
            to: to.into(),
            values,
        };
        let n = Numeric {
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
        };
        let field = FieldDifference {
            name: "net".into(),
            kind: Kind::Float,
            compared: 1,
            differ: 1,
            missing_a: 0,
            missing_b: 0,
            tolerated: None,
            numeric: Some(n.clone()),
            transitions: None,
        };
        let plot = plot(&field, &n);
        assert!(plot.ticks.len() <= 2 * TICKS_MAX as usize);
        plot.bars
    }

    #[test]
    fn every_bin_is_in_a_bar() {
        let few = bars(&[("-5.00", "-2.00", 3), ("-0.02", "-0.01", 1), ("0.01", "0.02", 2)]);
        assert_eq!(few.len(), 3);
        let said: Vec<String> =
            few.iter().map(|bar| bar.title.render(|span| span.text().into_owned())).collect();
        assert!(said.contains(&"-5.00 to -2.00: 3".to_owned()), "{said:?}");
        let wide = bars(&[("-2e300", "-1e300", 1), ("5e-324", "1e-323", 1), ("0.1", "0.2", 7)]);
        assert_eq!(wide.iter().map(|bar| bar.value).sum::<f64>(), 9.0);
        assert!(wide.len() == 3 && bars(&[]).is_empty());
    }
}
