//! Exact numbers: sums and differences in units of a power of ten, and their one text. No
//! difference of two values is ever rounded; a mean is, because it must be, and says how.

use retally_core::schema::{Exact, Kind, Value, display};

/// Digits that a mean has more than what it is the mean of.
const MEAN_DIGITS: u32 = 6;

/// A difference of two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delta {
    /// In units of 10^-`scale`; of timestamps microseconds (scale 6), of dates days (scale 0).
    Exact {
        /// How many units.
        units: i128,
        /// Digits after the point.
        scale: u8,
    },
    /// Of floats.
    Float(f64),
}

/// Of two kinds that are compared the one that holds the values of both.
pub(crate) fn finer(a: Kind, b: Kind) -> Kind {
    match (a, b) {
        (Kind::Decimal { scale: a }, Kind::Decimal { scale: b }) => {
            Kind::Decimal { scale: a.max(b) }
        }
        (kind, _) => kind,
    }
}

/// Digits after the point of differences between values of these kinds; none where a difference is
/// no exact number.
pub(crate) fn delta_scale(a: Kind, b: Kind) -> Option<u8> {
    match (a, b) {
        (Kind::Decimal { scale: a }, Kind::Decimal { scale: b }) => Some(a.max(b)),
        (Kind::Integer, Kind::Integer) | (Kind::Date, Kind::Date) => Some(0),
        (Kind::Timestamp, Kind::Timestamp) => Some(6),
        _ => None,
    }
}

/// A value in units of 10^-`scale`, of a kind whose differences are exact.
pub(crate) fn units(value: Value<'_>, kind: Kind, scale: u8) -> Option<i128> {
    match (value, kind) {
        (Value::Decimal(value), Kind::Decimal { scale: own }) => {
            // At most 2^63 * 10^18: far within 128 bits.
            let shift = u32::from(scale.saturating_sub(own));
            i128::from(value).checked_mul(10i128.checked_pow(shift)?)
        }
        (Value::Integer(value) | Value::Timestamp(value), _) => Some(value.into()),
        (Value::Date(value), _) => Some(value.into()),
        _ => None,
    }
}

pub(crate) fn delta(
    a: Option<Value<'_>>,
    b: Option<Value<'_>>,
    kind_a: Kind,
    kind_b: Kind,
) -> Option<Delta> {
    if let (Kind::Float, Kind::Float) = (kind_a, kind_b) {
        let float = |value: Option<Value<'_>>| match value {
            Some(Value::Float(value)) => value,
            _ => 0.0,
        };
        return Some(Delta::Float(float(b) - float(a)));
    }
    let scale = delta_scale(kind_a, kind_b)?;
    let units = |value: Option<Value<'_>>, kind| match value {
        Some(value) => units(value, kind, scale),
        None => Some(0),
    };
    let units = units(b, kind_b)?.checked_sub(units(a, kind_a)?)?;
    Some(Delta::Exact { units, scale })
}

impl Delta {
    /// Its exact text.
    pub fn text(self) -> String {
        match self {
            Self::Exact { units, scale } => units_text(units, scale),
            Self::Float(value) => float_text(value),
        }
    }
}

/// A float's text, without a negative zero: nobody asks for the sign of no difference.
pub(crate) fn float_text(value: f64) -> String {
    display(Value::Float(if value == 0.0 { 0.0 } else { value }), Kind::Float)
}

/// The text of a number in units of 10^-`scale`.
pub(crate) fn units_text(units: i128, scale: u8) -> String {
    Exact { units, scale }.to_string()
}

/// `sum / count`, rounded half to even, six digits more than the sum has.
pub(crate) fn mean_text(sum: i128, count: u64, scale: u8) -> String {
    let count = u128::from(count.max(1));
    let (mut whole, rest) = (sum.unsigned_abs() / count, sum.unsigned_abs() % count);
    let more = 10u128.pow(MEAN_DIGITS);
    // The rest is below 2^64, so this stays far within 128 bits.
    let mut part = half_even(rest * more, count);
    if part == more {
        (whole, part) = (whole + 1, 0);
    }
    let sign = if sum < 0 && (whole, part) != (0, 0) { "-" } else { "" };
    // Half of 128 bits at the most after a division by two or more; by one it is the sum itself.
    let whole = units_text(i128::try_from(whole).unwrap_or(i128::MAX), scale);
    let point = if scale == 0 { "." } else { "" };
    format!("{sign}{whole}{point}{part:0width$}", width = MEAN_DIGITS as usize)
}

/// `part / whole` with `digits` digits, rounded half to even; nothing of nothing.
pub(crate) fn ratio_text(part: u128, whole: u128, digits: u8) -> Option<String> {
    let scaled = part.checked_mul(10u128.pow(digits.into()))?;
    let units = (whole > 0).then(|| half_even(scaled, whole))?;
    Some(units_text(i128::try_from(units).ok()?, digits))
}

fn half_even(number: u128, by: u128) -> u128 {
    let (whole, rest) = (number / by, number % by);
    let up = match (rest * 2).cmp(&by) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => whole % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    whole + u128::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_exact() {
        assert_eq!(units_text(-5, 2), "-0.05");
        assert_eq!(units_text(0, 2), "0.00");
        assert_eq!(units_text(i128::MIN, 0), "-170141183460469231731687303715884105728");
        assert_eq!(mean_text(10, 4, 0), "2.500000");
        assert_eq!(mean_text(-1, 3, 2), "-0.00333333");
        assert_eq!(mean_text(2, 3, 2), "0.00666667");
        assert_eq!(mean_text(-1, 4_000_000, 0), "0.000000");
        assert_eq!(mean_text(1_999_999_999, 1_000_000_000, 0), "2.000000");
        assert_eq!(ratio_text(98, 100, 4).as_deref(), Some("0.9800"));
        assert_eq!(ratio_text(1, 0, 4), None);
        assert_eq!(float_text(-0.0), "0.0");
    }

    #[test]
    fn decimals_of_two_scales_differ_by_value() {
        let (two, four) = (Kind::Decimal { scale: 2 }, Kind::Decimal { scale: 4 });
        let found = delta(Some(Value::Decimal(150)), Some(Value::Decimal(15_001)), two, four);
        assert_eq!(found.map(Delta::text).as_deref(), Some("0.0001"));
        let zero = delta(Some(Value::Decimal(150)), Some(Value::Decimal(15_000)), two, four);
        assert_eq!(zero, Some(Delta::Exact { units: 0, scale: 4 }));
        let widest = Kind::Decimal { scale: 18 };
        let far = delta(Some(Value::Decimal(i64::MIN)), Some(Value::Decimal(1)), two, widest);
        assert_eq!(far.map(Delta::text).as_deref(), Some("92233720368547758.080000000000000001"),);
    }

    proptest! {
        #[test]
        fn a_mean_is_off_by_half_a_unit_at_most(sum in -999_999i128..999_999, count in 1u64..999) {
            let text = mean_text(sum, count, 0);
            let units: i128 = text.replace('.', "").parse().unwrap();
            let off = (units * i128::from(count) - sum * 1_000_000).abs();
            prop_assert!(2 * off <= i128::from(count), "{text}");
        }
    }
}
