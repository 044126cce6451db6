//! Times and dates taken from their text.

use super::TimeUnit;
use super::number::{Beyond, decimal};
use crate::log::Micros;
use crate::schema::{days_from_civil, days_in_month};

/// The first moment that counts no more: 2200-01-01T00:00:00Z.
const END: Micros = 84_006 * DAY;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTime {
    Kind,
    Range,
}

/// Refuses what lies outside 1970 to 2200.
#[inline]
pub(super) fn within(time: Micros) -> Result<Micros, NoTime> {
    if (0..END).contains(&time) { Ok(time) } else { Err(NoTime::Range) }
}

/// A number of JSON's grammar as a time in `unit`.
pub(super) fn epoch(text: &[u8], unit: TimeUnit) -> Result<Micros, NoTime> {
    let scale = match unit {
        TimeUnit::Seconds => 6,
        TimeUnit::Millis => 3,
        TimeUnit::Micros => 0,
    };
    let time = decimal(text, scale, Beyond::Cut).map_err(|_| NoTime::Range)?;
    // What is cut off a time before 1970 must not move it to 1970.
    if time == 0 && text.starts_with(b"-") && text.iter().any(|b| (b'1'..=b'9').contains(b)) {
        return Err(NoTime::Range);
    }
    within(time)
}

#[inline]
pub(super) fn rfc3339(text: &[u8]) -> Result<Micros, NoTime> {
    let time = moment(text).ok_or(NoTime::Kind)?;
    within(time)
}

/// Two digits at `at`; the second value collects whether all were digits.
#[inline(always)]
fn two(text: &[u8; 19], at: usize, bad: &mut bool) -> u32 {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    *bad |= tens > 9 || ones > 9;
    u32::from(tens).wrapping_mul(10).wrapping_add(ones.into())
}

#[inline]
fn moment(text: &[u8]) -> Option<Micros> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let mut bad = head[4] != b'-' || head[7] != b'-' || head[13] != b':' || head[16] != b':';
    bad |= !matches!(head[10], b'T' | b't' | b' ');
    let year = two(head, 0, &mut bad).wrapping_mul(100).wrapping_add(two(head, 2, &mut bad));
    let (month, day) = (two(head, 5, &mut bad), two(head, 8, &mut bad));
    let (hour, minute) = (two(head, 11, &mut bad), two(head, 14, &mut bad));
    let second = two(head, 17, &mut bad);
    if bad || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if day == 0 || (day > 28 && day > days_in_month(year.into(), month)) {
        return None;
    }
    let (micros, rest) = fraction(rest)?;
    let offset = offset(rest)?;
    let minutes = i64::from(hour * 60 + minute) - offset;
    let days = days_from_civil(year.into(), month, day);
    // A leap second exists at the end of a day of UTC only; it is the first of the next day.
    if second == 60 && minutes.rem_euclid(1440) != 1439 {
        return None;
    }
    let seconds = minutes * 60 + i64::from(second);
    Some(days * DAY + seconds * SECOND + micros)
}

/// A fraction of a second in whole microseconds, and what stands behind it.
#[inline]
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let mut micros = 0;
    let mut count = 0;
    while let Some(digit) = digits.get(count).map(|b| b.wrapping_sub(b'0')).filter(|&d| d <= 9) {
        if count < 6 {
            micros = micros * 10 + i64::from(digit);
        }
        count += 1;
    }
    if count == 0 {
        return None;
    }
    for _ in count..6 {
        micros *= 10;
    }
    Some((micros, &digits[count..]))
}

/// Minutes east of UTC.
#[inline]
fn offset(text: &[u8]) -> Option<i64> {
    match text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let &[h1, h2, b':', m1, m2] = digits else { return None };
            let number = |tens: u8, ones: u8| {
                let both = tens.is_ascii_digit() && ones.is_ascii_digit();
                both.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
            };
            let (hours, minutes) = (number(h1, h2)?, number(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let east = hours * 60 + minutes;
            Some(if *sign == b'-' { -east } else { east })
        }
        _ => None,
    }
}

/// `YYYY-MM-DD` as days since 1970.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let text: &[u8; 10] = text.try_into().ok()?;
    let mut padded = *b"0000-00-00T00:00:00";
    padded[..10].copy_from_slice(text);
    let mut bad = text[4] != b'-' || text[7] != b'-';
    let year = two(&padded, 0, &mut bad).wrapping_mul(100).wrapping_add(two(&padded, 2, &mut bad));
    let (month, day) = (two(&padded, 5, &mut bad), two(&padded, 8, &mut bad));
    if bad || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year.into(), month) {
        return None;
    }
    i32::try_from(days_from_civil(year.into(), month, day)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_with_any_offset() {
        let day = 19_723 * DAY; // 2024-01-01
        for (text, expected) in [
            ("2024-01-01T00:00:00Z", Ok(day)),
            ("2024-01-01t00:00:00z", Ok(day)),
            ("2024-01-01 00:00:00Z", Ok(day)),
            ("2024-01-01T01:30:00+01:30", Ok(day)),
            ("2023-12-31T23:59:59.5-00:00", Ok(day - 500_000)),
            ("2023-12-31T19:00:00-05:00", Ok(day)),
            ("2024-01-01T00:00:00.1234567Z", Ok(day + 123_456)),
            ("2023-12-31T23:59:60Z", Ok(day)),
            ("2024-01-01T00:59:60+01:00", Ok(day)),
            ("2024-01-01T00:59:60Z", Err(NoTime::Kind)),
            ("2024-01-01T00:00:00", Err(NoTime::Kind)),
            ("2024-01-01T00:00:00.Z", Err(NoTime::Kind)),
            ("2024-01-01T24:00:00Z", Err(NoTime::Kind)),
            ("2024-01-01T00:60:00Z", Err(NoTime::Kind)),
            ("2024-01-01T00:00:61Z", Err(NoTime::Kind)),
            ("2023-02-29T00:00:00Z", Err(NoTime::Kind)),
            ("2024-00-01T00:00:00Z", Err(NoTime::Kind)),
            ("2024-01-00T00:00:00Z", Err(NoTime::Kind)),
            ("2024-01-01T00:00:00+24:00", Err(NoTime::Kind)),
            ("2024-01-01T00:00:00+0100", Err(NoTime::Kind)),
            ("2024-01-01T00:00:00Zx", Err(NoTime::Kind)),
            ("2024-01-01", Err(NoTime::Kind)),
            ("", Err(NoTime::Kind)),
            ("1969-12-31T23:59:59.999999Z", Err(NoTime::Range)),
            ("1970-01-01T00:30:00+01:00", Err(NoTime::Range)),
            ("1970-01-01T00:00:00Z", Ok(0)),
            ("2199-12-31T23:59:59.999999Z", Ok(END - 1)),
            ("2200-01-01T00:00:00Z", Err(NoTime::Range)),
            ("0000-01-01T00:00:00Z", Err(NoTime::Range)),
        ] {
            assert_eq!(rfc3339(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn epochs_in_the_given_unit() {
        for (text, unit, expected) in [
            ("1700000000", TimeUnit::Seconds, Ok(1_700_000_000_000_000)),
            ("1700000000.1234567", TimeUnit::Seconds, Ok(1_700_000_000_123_456)),
            ("1.7e9", TimeUnit::Seconds, Ok(1_700_000_000_000_000)),
            ("1700000000123", TimeUnit::Millis, Ok(1_700_000_000_123_000)),
            ("1700000000123.9999", TimeUnit::Millis, Ok(1_700_000_000_123_999)),
            ("1700000000123456.9", TimeUnit::Micros, Ok(1_700_000_000_123_456)),
            ("1700000000123", TimeUnit::Seconds, Err(NoTime::Range)),
            ("-1", TimeUnit::Micros, Err(NoTime::Range)),
            ("-0.1", TimeUnit::Micros, Err(NoTime::Range)),
            ("-0.0", TimeUnit::Micros, Ok(0)),
            ("1e400", TimeUnit::Micros, Err(NoTime::Range)),
            ("99999999999999999999", TimeUnit::Micros, Err(NoTime::Range)),
        ] {
            assert_eq!(epoch(text.as_bytes(), unit), expected, "{text}");
        }
    }

    #[test]
    fn dates() {
        assert_eq!(date(b"1970-01-01"), Some(0));
        assert_eq!(date(b"2024-02-29"), Some(19_782));
        assert_eq!(date(b"1900-01-01"), Some(-25_567));
        for bad in ["2023-02-29", "2024-13-01", "2024-1-01", "2024/01/01", "20240101", ""] {
            assert_eq!(date(bad.as_bytes()), None, "{bad}");
        }
    }
}
