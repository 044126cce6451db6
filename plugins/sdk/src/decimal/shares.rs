//! Products, quotients and shares of amounts: each rounded once, and no cent of what is divided up
//! lost or made.

use super::{Decimal, Rounding, overflow};

/// A number that an amount is multiplied by, divided by or divided up by: a [`Decimal`] of any
/// scale, or an integer.
pub trait Number: Copy + sealed::Sealed {
    /// Digits after the point.
    #[doc(hidden)]
    const SCALE: u8;

    /// In units of 10^-SCALE.
    #[doc(hidden)]
    fn units_of(self) -> i128;
}

mod sealed {
    pub trait Sealed {}
}

impl<const S: u8> sealed::Sealed for Decimal<S> {}
impl<const S: u8> Number for Decimal<S> {
    const SCALE: u8 = S;

    fn units_of(self) -> i128 {
        self.0
    }
}

macro_rules! integers {
    ($($type:ty)+) => {$(
        impl sealed::Sealed for $type {}
        impl Number for $type {
            const SCALE: u8 = 0;

            fn units_of(self) -> i128 {
                self.into()
            }
        }
    )+};
}

integers! { u8 u16 u32 u64 i8 i16 i32 i64 }

impl<const S: u8> Decimal<S> {
    /// The product with `R` digits after the point, rounded once: `quantity.mul_to::<2>(price,
    /// Rounding::HalfEven)` is an amount in cents, whatever digits quantity and price have.
    ///
    /// # Panics
    /// On overflow.
    #[track_caller]
    #[must_use]
    pub fn mul_to<const R: u8>(self, by: impl Number, rounding: Rounding) -> Decimal<R> {
        let product = self.0.checked_mul(by.units_of());
        let product = product.unwrap_or_else(|| overflow(self, "mul_to"));
        to_scale(self, "mul_to", (product, 1), scale_of(S, &by), rounding)
    }

    /// The quotient with `R` digits after the point, rounded once.
    ///
    /// # Panics
    /// When `by` is 0, or on overflow.
    #[track_caller]
    #[must_use]
    pub fn div_to<const R: u8>(self, by: impl Number, rounding: Rounding) -> Decimal<R> {
        let divisor = by.units_of();
        assert!(divisor != 0, "{self} is divided by zero");
        let scale = i32::from(S) - scale_of(0, &by);
        to_scale(self, "div_to", (self.0, divisor), scale, rounding)
    }

    /// `self * part / whole`, rounded once, to the scale of this one: `fee.ratio(9, 31,
    /// Rounding::HalfEven)` is the fee for 9 of 31 days. A quotient that is rounded before it is
    /// multiplied (`0.2903`) would be off by cents.
    ///
    /// # Panics
    /// When `whole` is 0, or on overflow.
    #[track_caller]
    #[must_use]
    pub fn ratio(self, part: impl Number, whole: impl Number, rounding: Rounding) -> Self {
        let divisor = whole.units_of();
        assert!(divisor != 0, "{self} is divided by zero");
        let product = self.0.checked_mul(part.units_of());
        let product = product.unwrap_or_else(|| overflow(self, "ratio"));
        let scale = scale_of(S, &part) - scale_of(0, &whole);
        to_scale(self, "ratio", (product, divisor), scale, rounding)
    }

    /// Divides it up into so many parts that are as equal as its digits allow: 100.00 in three are
    /// 33.34, 33.33, 33.33. Their sum is this one, to the unit. What does not come out even goes to
    /// the first parts, one unit to each; a negative amount is divided up as the positive one is.
    ///
    /// # Panics
    /// When `parts` is 0.
    #[track_caller]
    #[must_use]
    pub fn allocate(self, parts: usize) -> Vec<Self> {
        self.allocate_by(&vec![1u8; parts])
    }

    /// Divides it up by weights: one part for each, and their sum is this one, to the unit. Every
    /// part is its exact share, cut off towards zero; the units that are left go one each to the
    /// parts that lost most by that, of equal ones to the first (the largest remainders). So a part
    /// is less than one unit off its exact share, a weight of 0 gets nothing, and a negative amount
    /// is divided up as the positive one is.
    ///
    /// # Panics
    /// When a weight is below 0, when none is above it, or on overflow.
    #[track_caller]
    #[must_use]
    pub fn allocate_by<N: Number>(self, weights: &[N]) -> Vec<Self> {
        let weights: Vec<i128> = weights.iter().map(|weight| weight.units_of()).collect();
        assert!(weights.iter().all(|&weight| weight >= 0), "a weight is below zero");
        let whole = weights.iter().try_fold(0i128, |sum, &weight| sum.checked_add(weight));
        let whole = whole.unwrap_or_else(|| overflow(self, "allocate"));
        assert!(whole != 0, "{self} is divided up among none: no weight is above zero");
        let share = |&weight: &i128| {
            let product = self.0.checked_mul(weight);
            let product = product.unwrap_or_else(|| overflow(self, "allocate"));
            (product / whole, (product % whole).unsigned_abs())
        };
        let (mut parts, lost): (Vec<i128>, Vec<u128>) = weights.iter().map(share).unzip();
        let left = self.0 - parts.iter().sum::<i128>();
        let mut order: Vec<usize> = (0..parts.len()).collect();
        // The sort keeps the order of equal ones.
        order.sort_by_key(|&part| std::cmp::Reverse(lost[part]));
        for &part in order.iter().take(left.unsigned_abs() as usize) {
            parts[part] += left.signum();
        }
        parts.into_iter().map(Self).collect()
    }
}

/// Digits after the point of a product with something of `scale` digits.
fn scale_of<N: Number>(scale: u8, _: &N) -> i32 {
    i32::from(scale) + i32::from(N::SCALE)
}

/// A fraction of units of 10^-`scale`, with `R` digits after the point.
#[track_caller]
fn to_scale<const S: u8, const R: u8>(
    of: Decimal<S>,
    operation: &str,
    (dividend, divisor): (i128, i128),
    scale: i32,
    rounding: Rounding,
) -> Decimal<R> {
    const { assert!(R <= 18, "a decimal has at most 18 digits after the point") }
    let digits = i32::from(R) - scale;
    let factor = 10i128.checked_pow(digits.unsigned_abs());
    let widened = |value: i128| {
        let wide = factor.and_then(|factor| value.checked_mul(factor));
        wide.unwrap_or_else(|| overflow(of, operation))
    };
    Decimal(match digits >= 0 {
        true => rounding.divide(widened(dividend), divisor),
        false => rounding.divide(dividend, widened(divisor)),
    })
}
