//! [`Decimal`]: amounts that are exact, and an overflow that is never silent.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};
use std::str::FromStr;

mod parse;
mod rounding;
mod shares;

pub use parse::ParseDecimalError;
pub use rounding::Rounding;
pub use shares::Number;

/// A number with `S` digits after the point, at most 18: `Decimal<2>` for cents.
///
/// It computes in 128 bits, checked: an overflow is a panic with a message, never a wrap. It
/// crosses into records and from events as 64 bits; what does not fit there is a panic too. Nothing
/// rounds unless a [`Rounding`] is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal<const S: u8>(i128);

/// A decimal that is checked while compiling: `decimal!("1000.00")`.
#[macro_export]
macro_rules! decimal {
    ($text:literal) => {
        const { $crate::Decimal::literal($text) }
    };
}

impl<const S: u8> Decimal<S> {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// One, in units.
    pub(crate) const ONE_UNITS: i128 = {
        assert!(S <= 18, "a decimal has at most 18 digits after the point");
        10i128.pow(S as u32)
    };

    /// Of units of 10^-S: 4100 is 41.00 for `Decimal<2>`.
    pub const fn from_units(units: i128) -> Self {
        const { assert!(S <= 18, "a decimal has at most 18 digits after the point") }
        Self(units)
    }

    /// In units of 10^-S.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// Of a whole number.
    pub const fn from_int(whole: i64) -> Self {
        // 64 bits times 10^18 fit 128 bits.
        Self(whole as i128 * Self::ONE_UNITS)
    }

    /// Reads text such as `-41.00`, exactly: digits beyond the scale must be zeros.
    ///
    /// # Errors
    /// Text that is no such number.
    pub const fn parse(text: &str) -> Result<Self, ParseDecimalError> {
        match parse::units(text.as_bytes(), S) {
            Ok(units) => Ok(Self(units)),
            Err(error) => Err(error),
        }
    }

    /// What [`decimal!`](crate::decimal!) calls.
    #[doc(hidden)]
    pub const fn literal(text: &str) -> Self {
        match Self::parse(text) {
            Ok(value) => value,
            Err(ParseDecimalError::Syntax) => panic!("not a decimal: write it like \"-41.00\""),
            Err(ParseDecimalError::Scale) => {
                panic!("more digits after the point than the Decimal has: raise its scale")
            }
            Err(ParseDecimalError::Range) => panic!("a decimal beyond 128 bits"),
        }
    }

    /// The value as it crosses into a column.
    #[track_caller]
    #[inline]
    pub(crate) fn to_column(self) -> i64 {
        match i64::try_from(self.0) {
            Ok(units) => units,
            Err(_) => panic!("{self} does not fit a record: it is beyond 64 bits with {S} digits"),
        }
    }

    /// Whether it is 0.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is below 0.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Without its sign.
    #[track_caller]
    #[must_use]
    pub const fn abs(self) -> Self {
        match self.0.checked_abs() {
            Some(units) => Self(units),
            None => panic!("decimal overflow in abs"),
        }
    }

    /// With `T` digits after the point. To fewer it rounds.
    #[track_caller]
    pub fn rescale<const T: u8>(self, rounding: Rounding) -> Decimal<T> {
        if T >= S {
            let factor = 10i128.pow(u32::from(T - S));
            return Decimal(
                self.0.checked_mul(factor).unwrap_or_else(|| overflow(self, "rescale")),
            );
        }
        Decimal(rounding.divide(self.0, 10i128.pow(u32::from(S - T))))
    }

    /// The product, rounded to the scale of this one: an amount times a rate. For another scale
    /// write [`mul_to`](Self::mul_to): what is rounded here and then again is rounded twice.
    #[track_caller]
    #[must_use]
    pub fn mul<const T: u8>(self, by: Decimal<T>, rounding: Rounding) -> Self {
        let product = self.0.checked_mul(by.0).unwrap_or_else(|| overflow(self, "mul"));
        Self(rounding.divide(product, Decimal::<T>::ONE_UNITS))
    }

    /// The quotient, rounded to the scale of this one.
    ///
    /// # Panics
    /// When `by` is 0, or on overflow.
    #[track_caller]
    #[must_use]
    pub fn div<const T: u8>(self, by: Decimal<T>, rounding: Rounding) -> Self {
        assert!(by.0 != 0, "{self} is divided by zero");
        let widened = self.0.checked_mul(Decimal::<T>::ONE_UNITS);
        Self(rounding.divide(widened.unwrap_or_else(|| overflow(self, "div")), by.0))
    }
}

#[cold]
#[track_caller]
fn overflow<const S: u8>(value: Decimal<S>, operation: &str) -> ! {
    panic!("decimal overflow: {operation} of {value}")
}

macro_rules! sums {
    ($(
        $what:literal $checked:ident, $trait:ident $op:ident, $assign:ident $op_assign:ident;
    )+) => {$(
        impl<const S: u8> Decimal<S> {
            #[doc = concat!("The ", $what, ", unless it overflows.")]
            #[must_use]
            pub const fn $checked(self, other: Self) -> Option<Self> {
                match self.0.$checked(other.0) {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
            }
        }

        impl<const S: u8> $trait for Decimal<S> {
            type Output = Self;

            #[track_caller]
            #[inline]
            fn $op(self, other: Self) -> Self {
                self.$checked(other).unwrap_or_else(|| overflow(self, stringify!($op)))
            }
        }

        impl<const S: u8> $assign for Decimal<S> {
            #[track_caller]
            #[inline]
            fn $op_assign(&mut self, other: Self) {
                *self = self.$op(other);
            }
        }
    )+};
}

sums! {
    "sum" checked_add, Add add, AddAssign add_assign;
    "difference" checked_sub, Sub sub, SubAssign sub_assign;
}

/// A number of times, exact.
impl<const S: u8> Mul<i64> for Decimal<S> {
    type Output = Self;

    #[track_caller]
    fn mul(self, times: i64) -> Self {
        Self(self.0.checked_mul(i128::from(times)).unwrap_or_else(|| overflow(self, "mul")))
    }
}

impl<const S: u8> Neg for Decimal<S> {
    type Output = Self;

    #[track_caller]
    fn neg(self) -> Self {
        Self(self.0.checked_neg().unwrap_or_else(|| overflow(self, "neg")))
    }
}

impl<const S: u8> Sum for Decimal<S> {
    #[track_caller]
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, |sum, value| sum + value)
    }
}

impl<'a, const S: u8> Sum<&'a Decimal<S>> for Decimal<S> {
    #[track_caller]
    fn sum<I: Iterator<Item = &'a Self>>(values: I) -> Self {
        values.copied().sum()
    }
}

impl<const S: u8> FromStr for Decimal<S> {
    type Err = ParseDecimalError;

    fn from_str(text: &str) -> Result<Self, ParseDecimalError> {
        Self::parse(text)
    }
}

impl<const S: u8> fmt::Display for Decimal<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0.unsigned_abs();
        let one = Self::ONE_UNITS.unsigned_abs();
        let text = match S {
            0 => units.to_string(),
            _ => format!("{}.{:0width$}", units / one, units % one, width = usize::from(S)),
        };
        f.pad_integral(self.0 >= 0, "", &text)
    }
}

impl<const S: u8> fmt::Debug for Decimal<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests;
