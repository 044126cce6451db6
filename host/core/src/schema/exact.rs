//! Exact numbers wider than a value: sums of integers and decimals, and the bounds that people set
//! for them. No float is ever in between.

use super::text::{decimal, serde_as_text};
use crate::limits::EXACT_SCALE_MAX;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A whole number of units of 10^-scale; an integer has scale 0. In files it is a text with all
/// digits of its scale, because many readers of JSON make a float of every number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exact {
    /// How many units.
    pub units: i128,
    /// Digits after the point.
    pub scale: u8,
}

impl Exact {
    /// The same number with `scale` digits after the point; none if it has more digits than that,
    /// or does not fit.
    pub fn rescaled(self, scale: u8) -> Option<Self> {
        let units = if scale >= self.scale {
            self.units.checked_mul(power(scale - self.scale)?)?
        } else {
            let cut = power(self.scale - scale)?;
            if self.units % cut != 0 {
                return None;
            }
            self.units / cut
        };
        Some(Self { units, scale })
    }

    /// The sum, if it fits. Both must have one scale.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let same = self.scale == other.scale;
        let units = same.then(|| self.units.checked_add(other.units))??;
        Some(Self { units, ..self })
    }

    /// What is left when `other` is taken away, if it fits. Both must have one scale.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let same = self.scale == other.scale;
        let units = same.then(|| self.units.checked_sub(other.units))??;
        Some(Self { units, ..self })
    }

    /// Which of two numbers is larger, whatever their scales.
    pub fn compare(self, other: Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.rescaled(scale), other.rescaled(scale)) {
            (Some(a), Some(b)) => a.units.cmp(&b.units),
            // The one that no longer fits has the larger magnitude.
            (None, _) => self.units.cmp(&0),
            (_, None) => 0.cmp(&other.units),
        }
    }
}

fn power(digits: u8) -> Option<i128> {
    10i128.checked_pow(digits.into())
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, digits) = (if self.units < 0 { "-" } else { "" }, self.units.unsigned_abs());
        let mut text = String::new();
        decimal(sign, &digits.to_string(), self.scale.into(), &mut text);
        f.pad(&text)
    }
}

impl FromStr for Exact {
    type Err = ExactError;

    fn from_str(text: &str) -> Result<Self, ExactError> {
        let wrong = || ExactError(text.to_owned());
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if digits.is_empty() || text.ends_with('.') || !plain(digits) || !plain(places) {
            return Err(wrong());
        }
        let scale = u8::try_from(places.len()).ok().filter(|scale| *scale <= EXACT_SCALE_MAX);
        let units = format!("{whole}{places}").parse().map_err(|_| wrong())?;
        Ok(Self { units, scale: scale.ok_or_else(wrong)? })
    }
}

serde_as_text!(Exact, str::parse);

/// A text that is no exact number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no number; write digits, with a point where there are cents: \"-12.34\"")]
pub struct ExactError(pub String);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_are_no_numbers() {
        for text in ["", "-", ".5", "5.", "1e3", "1,000", "--1", "+-1", "0x1", " 1", "1_0", "٣"] {
            assert_eq!(text.parse::<Exact>(), Err(ExactError(text.into())), "{text}");
        }
        let long = "9".repeat(40);
        assert!(long.parse::<Exact>().is_err());
        assert!(format!("0.{}", "0".repeat(300)).parse::<Exact>().is_err());
    }

    #[test]
    fn digits_are_never_lost() {
        let number = |text: &str| text.parse::<Exact>().unwrap();
        assert_eq!(number("0.10").rescaled(1), Some(number("0.1")));
        assert_eq!(number("0.11").rescaled(1), None);
        assert_eq!(number("-3").rescaled(2), Some(number("-3.00")));
        assert_eq!(Exact { units: i128::MAX, scale: 0 }.rescaled(1), None);
        assert_eq!(number("1.0").checked_add(number("1.00")), None);
        assert_eq!(Exact { units: i128::MAX, scale: 0 }.checked_add(number("1")), None);
        assert_eq!(Exact { units: i128::MIN, scale: 0 }.checked_sub(number("1")), None);
        assert_eq!(format!("[{:>6}]", number("-0.05")), "[ -0.05]");
    }

    #[test]
    fn numbers_of_any_size_compare() {
        let [least, most] = [i128::MIN, i128::MAX].map(|units| Exact { units, scale: 0 });
        let small = Exact { units: 1, scale: EXACT_SCALE_MAX };
        assert_eq!(most.compare(small), Ordering::Greater);
        assert_eq!(least.compare(small), Ordering::Less);
        assert_eq!(small.compare(most), Ordering::Less);
        assert_eq!(small.compare(least), Ordering::Greater);
    }

    proptest! {
        #[test]
        fn the_text_means_the_number(units: i128, scale in 0..=EXACT_SCALE_MAX) {
            let number = Exact { units, scale };
            prop_assert_eq!(number.to_string().parse(), Ok(number));
        }

        #[test]
        fn comparing_goes_by_value(a: i64, b: i64, scale in 0u8..18) {
            let (a, b) = (Exact { units: a.into(), scale: 0 }, Exact { units: b.into(), scale: 0 });
            let finer = a.rescaled(scale).unwrap();
            prop_assert_eq!(finer.compare(b), a.units.cmp(&b.units));
            prop_assert_eq!(b.compare(finer), b.units.cmp(&a.units));
        }
    }
}
