//! Times and days.

use std::fmt;

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A day of the Gregorian calendar: days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Date(i32);

const DAY_MICROS: i64 = 86_400_000_000;

impl Timestamp {
    /// Of microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Microseconds from `earlier` to this moment; below zero if it is later.
    #[track_caller]
    pub const fn since(self, earlier: Self) -> i64 {
        match self.0.checked_sub(earlier.0) {
            Some(micros) => micros,
            None => panic!("two timestamps are too far apart"),
        }
    }

    /// The day on which it lies, in UTC.
    pub const fn date(self) -> Date {
        Date(self.0.div_euclid(DAY_MICROS) as i32)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.rem_euclid(DAY_MICROS);
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{}T{h:02}:{m:02}:{s:02}.{micros:06}Z", self.date())
    }
}

impl Date {
    /// Of days since 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// Year, month from 1, day from 1.
    pub const fn ymd(self) -> (i64, u8, u8) {
        // Years of the algorithm begin in March, so that the leap day is the last of its year, and
        // are counted in eras of 400 years, which have 146,097 days.
        let day = self.0 as i64 + 719_468;
        let era = day.div_euclid(146_097);
        let day = day.rem_euclid(146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let (m, d) =
            (if month < 10 { month + 3 } else { month - 9 }, day - (153 * month + 2) / 5 + 1);
        let year = era * 400 + year + (m <= 2) as i64;
        (year, m as u8, d as u8)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        let at = |micros| Timestamp::from_micros(micros).to_string();
        assert_eq!(at(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(at(1_772_366_400_123_456), "2026-03-01T12:00:00.123456Z");
        assert_eq!(at(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
    }

    #[test]
    fn days_follow_one_another() {
        let mut last = Date::from_days(-800_000).ymd();
        for day in -799_999..800_000 {
            let next = Date::from_days(day).ymd();
            assert!(next > last, "{next:?} comes after {last:?}");
            assert!(next.2 == last.2 + 1 || next.2 == 1);
            last = next;
        }
    }
}
