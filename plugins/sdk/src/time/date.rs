//! [`Date`]: days of the calendar, and reckoning with them.

use std::fmt;

/// A day of the Gregorian calendar: days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Date(i32);

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// All of a year so far away are days that a date can be.
const YEARS_MAX: u64 = 5_800_000;

/// How many days a month has.
const fn days_in(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
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

    /// Of year, month from 1, day from 1; none if there is no such day, or it is more than 5.8
    /// million years away.
    pub const fn from_ymd(year: i64, month: u8, day: u8) -> Option<Self> {
        if year.unsigned_abs() > YEARS_MAX || month < 1 || month > 12 {
            return None;
        }
        if day < 1 || day > days_in(year, month) {
            return None;
        }
        // The inverse of `ymd`.
        let (m, d) = (month as i64, day as i64);
        let year = year - (m <= 2) as i64;
        let of_year = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
        let era = year.div_euclid(400);
        let year = year.rem_euclid(400);
        let of_era = year * 365 + year / 4 - year / 100 + of_year;
        Some(Self((era * 146_097 + of_era - 719_468) as i32))
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

    /// Its year.
    pub const fn year(self) -> i64 {
        self.ymd().0
    }

    /// Its month, from 1.
    pub const fn month(self) -> u8 {
        self.ymd().1
    }

    /// Its day of the month, from 1.
    pub const fn day(self) -> u8 {
        self.ymd().2
    }

    /// Its day of the week.
    pub const fn weekday(self) -> Weekday {
        use Weekday::*;
        // The first of 1970 was a Thursday.
        [Thursday, Friday, Saturday, Sunday, Monday, Tuesday, Wednesday]
            [self.0.rem_euclid(7) as usize]
    }

    /// How many days its month has.
    pub const fn days_in_month(self) -> u8 {
        let (year, month, _) = self.ymd();
        days_in(year, month)
    }

    /// The first day of its month.
    pub const fn first_of_month(self) -> Self {
        Self(self.0 - self.day() as i32 + 1)
    }

    /// The last day of its month.
    #[track_caller]
    pub const fn last_of_month(self) -> Self {
        self.plus_days((self.days_in_month() - self.day()) as i64)
    }

    /// Days from `earlier` to this one; below zero if it is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 as i64 - earlier.0 as i64
    }

    /// So many days later; earlier, if below zero.
    ///
    /// # Panics
    /// Beyond what a date can be.
    #[track_caller]
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        match (self.0 as i64).checked_add(days) {
            Some(day) if day as i32 as i64 == day => Self(day as i32),
            _ => panic!("a date so many days away is beyond what a date can be"),
        }
    }

    /// The same day so many months later; earlier, if below zero. Where that month is shorter, its
    /// last day: one month after January 31 is February 28, or 29. So months are not added one by
    /// one, for from February 28 the next is March 28: count them from the day that began.
    ///
    /// # Panics
    /// Beyond what a date can be.
    #[track_caller]
    #[must_use]
    pub const fn plus_months(self, months: i32) -> Self {
        let (year, month, day) = self.ymd();
        // Months since the year 0.
        let month = year * 12 + month as i64 - 1 + months as i64;
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) as u8 + 1);
        let last = days_in(year, month);
        match Self::from_ymd(year, month, if day < last { day } else { last }) {
            Some(date) => date,
            None => panic!("a date so many months away is beyond what a date can be"),
        }
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
    fn days_follow_one_another() {
        let mut last = Date::from_days(-800_000).ymd();
        for day in -799_999..800_000 {
            let next = Date::from_days(day).ymd();
            assert!(next > last, "{next:?} comes after {last:?}");
            assert!(next.2 == last.2 + 1 || next.2 == 1);
            last = next;
        }
    }

    fn date(year: i64, month: u8, day: u8) -> Date {
        Date::from_ymd(year, month, day).unwrap()
    }

    #[test]
    fn days_are_made_of_what_they_are_shown_as() {
        for days in (-800_000..800_000).chain([-2_000_000_000, 2_000_000_000]) {
            let day = Date::from_days(days);
            let (y, m, d) = day.ymd();
            assert_eq!(Date::from_ymd(y, m, d), Some(day));
            assert_eq!((day.year(), day.month(), day.day()), (y, m, d));
            assert_eq!(day.first_of_month(), date(y, m, 1));
            assert_eq!(day.last_of_month().plus_days(1), day.first_of_month().plus_months(1));
        }
        for (y, m, d) in [(2026, 2, 29), (1900, 2, 29), (2026, 0, 1), (2026, 13, 1), (2026, 4, 31)]
        {
            assert_eq!(Date::from_ymd(y, m, d), None);
        }
        assert_eq!(Date::from_ymd(2026, 1, 0), None);
        assert_eq!(Date::from_ymd(i64::MAX, 1, 1), None);
        assert_eq!(date(2026, 11, 29).weekday(), Weekday::Sunday);
        assert_eq!(date(1969, 12, 31).weekday(), Weekday::Wednesday);
    }

    #[test]
    fn months_end_where_they_end() {
        let end = date(2027, 1, 31);
        let months = [1, 2, 3, 13, 25, -2, -11, 0];
        let expected = [
            "2027-02-28",
            "2027-03-31",
            "2027-04-30",
            "2028-02-29",
            "2029-02-28",
            "2026-11-30",
            "2026-02-28",
            "2027-01-31",
        ];
        assert_eq!(months.map(|months| end.plus_months(months).to_string()), expected);
        assert_eq!(end.plus_months(1).plus_months(1).to_string(), "2027-03-28");
        assert_eq!((end.days_in_month(), end.plus_months(13).days_in_month()), (31, 29));
        assert_eq!(end.plus_days(-31).to_string(), "2026-12-31");
        assert_eq!(date(2028, 3, 1).since(date(2027, 3, 1)), 366);
        assert_eq!(date(2027, 3, 1).since(date(2028, 3, 1)), -366);
    }

    #[test]
    #[should_panic(expected = "beyond what a date can be")]
    fn a_date_is_never_wrapped() {
        let _ = Date::from_days(i32::MAX).plus_days(1);
    }
}
