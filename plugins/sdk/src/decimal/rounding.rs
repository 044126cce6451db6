//! The ways to round, each by its name.

/// How a result with more digits than its scale is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest; halves to the even neighbour (bankers' rounding).
    HalfEven,
    /// To the nearest; halves away from zero (what is taught in school).
    HalfUp,
    /// To the nearest; halves towards zero.
    HalfDown,
    /// Away from zero.
    Up,
    /// Towards zero: cut off.
    Down,
    /// Towards positive infinity.
    Ceiling,
    /// Towards negative infinity.
    Floor,
}

impl Rounding {
    /// `dividend / divisor`, rounded to a whole number. The divisor is not 0.
    #[track_caller]
    pub(super) fn divide(self, dividend: i128, divisor: i128) -> i128 {
        let Some(quotient) = dividend.checked_div(divisor) else {
            panic!("decimal overflow: division of the smallest number by -1")
        };
        let rest = dividend % divisor;
        if rest == 0 {
            return quotient;
        }
        let positive = (dividend < 0) == (divisor < 0);
        // The rest against half of the divisor, without the overflow of doubling.
        let (rest, divisor) = (rest.unsigned_abs(), divisor.unsigned_abs());
        let half = rest.cmp(&(divisor - rest));
        let away = match self {
            Self::HalfEven => half.is_gt() || half.is_eq() && quotient % 2 != 0,
            Self::HalfUp => half.is_ge(),
            Self::HalfDown => half.is_gt(),
            Self::Up => true,
            Self::Down => false,
            Self::Ceiling => positive,
            Self::Floor => !positive,
        };
        match (away, positive) {
            (false, _) => quotient,
            (true, true) => quotient + 1,
            (true, false) => quotient - 1,
        }
    }
}
