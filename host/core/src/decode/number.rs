//! Numbers taken from their text: exactly, or not at all.

use super::Code;

/// Writes `value` in decimal digits to the end of `room` and returns them.
pub(super) fn digits_of(mut value: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut at = room.len();
    loop {
        at -= 1;
        room[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &room[at..];
        }
    }
}

/// The integer of `text`, which is digits, perhaps with a minus; `None` beyond 64 bits.
#[inline]
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    if digits.len() <= 18 {
        let value = small(digits) as i64;
        return Some(if negative { -value } else { value });
    }
    // The smallest integer has no positive partner, so sums run below zero.
    let sum = digits.iter().try_fold(0i64, |sum, &d| {
        sum.checked_mul(10)?.checked_sub(i64::from(d.wrapping_sub(b'0')))
    })?;
    if negative { Some(sum) } else { sum.checked_neg() }
}

#[inline]
fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    }
}

/// The value of at most 18 digits.
#[inline]
fn small(digits: &[u8]) -> u64 {
    let add = |sum: u64, d: &u8| sum.wrapping_mul(10).wrapping_add(u64::from(d.wrapping_sub(b'0')));
    digits.iter().fold(0u64, add)
}

const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < 20 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// What to do with digits beyond the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// They must be zeros.
    Refuse,
    /// They are dropped.
    Cut,
}

/// The number `text` (of JSON's grammar) in units of 10^-scale.
///
/// # Errors
/// [`Code::FieldScale`] for digits beyond the scale, judged first, and [`Code::FieldRange`].
#[inline]
pub(super) fn decimal(text: &[u8], scale: u8, beyond: Beyond) -> Result<i64, Code> {
    let (negative, digits) = sign(text);
    if digits.len() <= 19 {
        // Digits with at most one point among them: nearly all amounts that were ever written.
        let mut mantissa = 0u64;
        let mut point = digits.len();
        for (at, &byte) in digits.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(digit.into());
            } else if byte == b'.' {
                point = at;
            } else {
                return decimal_slow(negative, digits, scale, beyond);
            }
        }
        let places = digits.len().saturating_sub(point + 1);
        // Nineteen digits without a point may not fit.
        if places <= scale as usize && (point < digits.len() || point < 19) {
            let power = POWERS[scale as usize - places] as i64;
            let value = (mantissa as i64).checked_mul(power).ok_or(Code::FieldRange)?;
            return Ok(if negative { -value } else { value });
        }
    }
    decimal_slow(negative, digits, scale, beyond)
}

fn decimal_slow(negative: bool, text: &[u8], scale: u8, beyond: Beyond) -> Result<i64, Code> {
    let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])),
        None => (text, 0),
    };
    let point = mantissa.iter().position(|&b| b == b'.').unwrap_or(mantissa.len());
    let places = mantissa.len().saturating_sub(point + 1) as i64;
    let digits = || mantissa.iter().filter(|b| b.is_ascii_digit());
    let Some(leading) = digits().position(|&d| d != b'0') else { return Ok(0) };
    let trailing = digits().rev().take_while(|&&d| d == b'0').count();
    let count = digits().count();
    let significant = digits().take(count - trailing).skip(leading);
    let mut kept = (count - trailing - leading) as i64;
    // The value is the significant digits times ten to the `shift`, in units of 10^-scale.
    let shift = exponent.saturating_sub(places).saturating_add(trailing as i64 + i64::from(scale));
    if shift < 0 {
        if beyond == Beyond::Refuse {
            return Err(Code::FieldScale);
        }
        kept = kept.saturating_add(shift).max(0);
    }
    let shift = shift.max(0);
    if kept.saturating_add(shift) > 19 {
        return Err(Code::FieldRange);
    }
    let sum =
        significant.take(kept as usize).fold(0i128, |sum, &d| sum * 10 + i128::from(d - b'0'));
    let value = sum * i128::from(POWERS[shift as usize]);
    i64::try_from(if negative { -value } else { value }).map_err(|_| Code::FieldRange)
}

/// An exponent; beyond 18 digits it is as good as infinite.
fn exponent(text: &[u8]) -> i64 {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let (negative, digits) = sign(text);
    let zeros = digits.iter().take_while(|&&d| d == b'0').count();
    let digits = &digits[zeros..];
    let value = if digits.len() > 18 { i64::MAX / 4 } else { small(digits) as i64 };
    if negative { -value } else { value }
}

/// `unscaled` times ten to the minus `from`, in units of 10^-scale.
pub(super) fn rescale(unscaled: i128, from: i8, scale: u8) -> Result<i64, Code> {
    let shift = i32::from(scale) - i32::from(from);
    let power = 10i128.checked_pow(shift.unsigned_abs());
    let value = match power {
        _ if unscaled == 0 => 0,
        Some(power) if shift >= 0 => unscaled.checked_mul(power).ok_or(Code::FieldRange)?,
        Some(power) if unscaled % power == 0 => unscaled / power,
        _ if shift >= 0 => return Err(Code::FieldRange),
        _ => return Err(Code::FieldScale),
    };
    i64::try_from(value).map_err(|_| Code::FieldRange)
}

/// Every NaN becomes this one.
pub(super) const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0000);

pub(super) fn canonical(value: f64) -> f64 {
    if value.is_nan() { NAN } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refuse(text: &str, scale: u8) -> Result<i64, Code> {
        decimal(text.as_bytes(), scale, Beyond::Refuse)
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        let (scale, range) = (Err(Code::FieldScale), Err(Code::FieldRange));
        for (text, places, expected) in [
            ("0", 2, Ok(0)),
            ("-0", 2, Ok(0)),
            ("0.00", 0, Ok(0)),
            ("12.34", 2, Ok(1234)),
            ("-12.34", 2, Ok(-1234)),
            ("12.3", 2, Ok(1230)),
            ("12", 2, Ok(1200)),
            ("12.340", 2, Ok(1234)),
            ("12.345", 2, scale),
            ("1.5e1", 0, Ok(15)),
            ("15E-1", 1, Ok(15)),
            ("15e-1", 0, scale),
            ("1e2", 2, Ok(10000)),
            ("100e-2", 0, Ok(1)),
            ("0e99999999999999999999", 2, Ok(0)),
            ("1e99999999999999999999", 2, range),
            ("1e-99999999999999999999", 2, scale),
            ("0.000000000000000000000000001e27", 0, Ok(1)),
            ("1000000000000000000000000000e-27", 0, Ok(1)),
            ("92233720368547758.07", 2, Ok(i64::MAX)),
            ("92233720368547758.08", 2, range),
            ("-92233720368547758.08", 2, Ok(i64::MIN)),
            ("9223372036854775807", 0, Ok(i64::MAX)),
            ("9223372036854775808", 0, range),
            ("99999999999999999999.001", 2, scale),
            ("9.223372036854775807", 18, Ok(i64::MAX)),
            ("9.223372036854775808", 18, range),
        ] {
            assert_eq!(refuse(text, places), expected, "{text} at scale {places}");
        }
    }

    #[test]
    fn what_lies_beyond_can_be_cut() {
        let cut = |text: &str| decimal(text.as_bytes(), 3, Beyond::Cut);
        assert_eq!(cut("1.23456"), Ok(1234));
        assert_eq!(cut("0.0009"), Ok(0));
        assert_eq!(cut("-1.9999"), Ok(-1999));
        assert_eq!(cut("123456e-4"), Ok(12345));
        assert_eq!(cut("1e-400"), Ok(0));
    }

    #[test]
    fn integers_fill_64_bits() {
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer(b"9223372036854775808"), None);
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"-9223372036854775809"), None);
        assert_eq!(integer(b"-0"), Some(0));
    }

    proptest! {
        #[test]
        fn a_decimal_equals_its_rescaled_self(unscaled: i64, from in 0u8..19, scale in 0u8..19) {
            let digits = format!("{:0>20}", unscaled.unsigned_abs());
            let (whole, places) = digits.split_at(20 - usize::from(from));
            let sign = if unscaled < 0 { "-" } else { "" };
            let whole = match whole.trim_start_matches('0') { "" => "0", whole => whole };
            let dot = if from == 0 { "" } else { "." };
            let text = format!("{sign}{whole}{dot}{places}");
            let expected = rescale(unscaled.into(), from as i8, scale);
            prop_assert_eq!(refuse(&text, scale), expected);
            let text = format!("{unscaled}e-{from}");
            prop_assert_eq!(refuse(&text, scale), expected);
        }
    }
}
