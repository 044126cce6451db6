//! Moments, and the days on which they lie.

use std::fmt;

mod date;
mod zone;

pub use date::{Date, Weekday};
pub use zone::{LocalTime, Zone};

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

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
        Date::from_days(self.0.div_euclid(DAY_MICROS) as i32)
    }

    /// Hour, minute, second and microseconds, in UTC.
    const fn clock(self) -> (u8, u8, u8, u32) {
        let micros = self.0.rem_euclid(DAY_MICROS);
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        (h as u8, m as u8, s as u8, micros as u32)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (h, m, s, micros) = self.clock();
        write!(f, "{}T{h:02}:{m:02}:{s:02}.{micros:06}Z", self.date())
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
}
