//! [`Zone`]: the clock of a place, from a table that lies in the artifact.

use super::{Date, Timestamp};
use std::fmt;

/// The clock of a place: how far it is from UTC, and when that changes.
///
/// `zone!("Europe/Berlin")` is checked while compiling and writes the changes of that one zone into
/// the reducer, some hundred bytes; who names none pays nothing. [`Zone::find`] takes a name that
/// is known only when a reducer runs, and has the whole table in the artifact (about 120 KB).
/// Either way the table is pinned: a reducer answers the same on every machine, in every year,
/// until it is built again with another SDK.
#[derive(Clone, Copy)]
pub struct Zone {
    name: &'static str,
    table: &'static [u8],
}

/// Version, bytes, and where in them the zone of each name lies.
type Table = (&'static str, &'static [u8], &'static [(&'static str, u32, u32)]);

/// A constant, so that a reducer has of it what it uses: nothing, or all.
const TABLE: Table = retally_macros::__zones!();

/// What clock and calendar of a place show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime {
    /// The day.
    pub date: Date,
    /// The hour, from 0 to 23.
    pub hour: u8,
    /// The minute.
    pub minute: u8,
    /// The second.
    pub second: u8,
    /// The microseconds of the second.
    pub micros: u32,
    /// How far the clock is ahead of UTC, in seconds: it tells the two hours apart that an autumn
    /// night has of one name.
    pub offset: i32,
}

impl Timestamp {
    /// The day on which it lies in a time zone: `meta.time.date_in(zone!("Europe/Berlin"))`.
    pub fn date_in(self, zone: Zone) -> Date {
        self.datetime_in(zone).date
    }

    /// What clock and calendar show in a time zone.
    pub fn datetime_in(self, zone: Zone) -> LocalTime {
        let offset = zone.offset_at(self);
        let local = Self(self.0 + i64::from(offset) * 1_000_000);
        let (hour, minute, second, micros) = local.clock();
        LocalTime { date: local.date(), hour, minute, second, micros, offset }
    }
}

impl Zone {
    /// The version of the table: of the IANA time zone database, with its changes since 1970
    /// (before that the offset of its first day is taken).
    pub const TABLE: &'static str = TABLE.0;

    /// The zone of a name such as `Europe/Berlin`, if the table has it.
    pub fn find(name: &str) -> Option<Self> {
        let (_, bytes, names) = const { TABLE };
        let at = names.binary_search_by(|(other, ..)| (*other).cmp(name)).ok()?;
        let (name, start, end) = names[at];
        Some(Self { name, table: &bytes[start as usize..end as usize] })
    }

    /// The zone of a name, say of a param.
    ///
    /// # Panics
    /// When the table has no such zone.
    #[track_caller]
    pub fn named(name: &str) -> Self {
        match Self::find(name) {
            Some(zone) => zone,
            None => panic!("no time zone of tzdb {} is called {name:?}", Self::TABLE),
        }
    }

    /// What `zone!` writes.
    #[doc(hidden)]
    pub const fn __of(name: &'static str, table: &'static [u8]) -> Self {
        Self { name, table }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// How far its clock is ahead of UTC at a moment, in seconds.
    pub fn offset_at(self, time: Timestamp) -> i32 {
        let seconds = time.micros().div_euclid(1_000_000);
        let (rule, rest) = match self.table[0] {
            0 => (None, &self.table[1..]),
            _ => (Some(&self.table[1..23]), &self.table[23..]),
        };
        let (changes, _) = rest[4..].as_chunks::<8>();
        let behind = changes.partition_point(|[a, b, c, d, ..]| {
            i64::from(u32::from_le_bytes([*a, *b, *c, *d])) <= seconds
        });
        match rule {
            Some(rule) if behind == changes.len() && seconds >= 0 => by_rule(rule, seconds),
            _ if behind == 0 => number(rest, 0),
            _ => number(&changes[behind - 1], 4),
        }
    }
}

fn number(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The offset by the rule of standard and summer time.
fn by_rule(rule: &[u8], seconds: i64) -> i32 {
    let (standard, summer) = rule.split_at(11);
    let offsets = [standard, summer].map(|begins| number(begins, 0));
    let year = day_of(seconds + i64::from(offsets[0])).year();
    let from = |begins: &[u8], clock: i32| {
        let day = nth_weekday(year, begins[4], begins[5], begins[6]);
        i64::from(day.days()) * 86_400 + i64::from(number(begins, 7)) - i64::from(clock)
    };
    // Each begins on the clock of the other.
    let (winter, spring) = (from(standard, offsets[1]), from(summer, offsets[0]));
    let is_summer = match spring < winter {
        true => (spring..winter).contains(&seconds),
        // South of the equator summer goes on over the turn of the year.
        false => !(winter..spring).contains(&seconds),
    };
    offsets[usize::from(is_summer)]
}

fn day_of(seconds: i64) -> Date {
    Date::from_days(seconds.div_euclid(86_400) as i32)
}

/// The `week`-th `weekday` (0: Sunday) of a month, the last if `week` is 5.
fn nth_weekday(year: i64, month: u8, week: u8, weekday: u8) -> Date {
    let first = match Date::from_ymd(year, month, 1) {
        Some(first) => first,
        None => panic!("the year {year} is beyond what a date can be"),
    };
    // The first of 1970 was a Thursday: number 4.
    let ahead = i64::from((i32::from(weekday) - first.days() - 4).rem_euclid(7));
    let day = first.plus_days(ahead + 7 * (i64::from(week) - 1));
    if day.month() == month { day } else { day.plus_days(-7) }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for LocalTime {
    /// `2026-03-29T03:00:00.000000+02:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, hour, minute, second, micros, offset } = self;
        let (sign, ahead) = (if *offset < 0 { '-' } else { '+' }, offset.unsigned_abs() / 60);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}.{micros:06}")?;
        write!(f, "{sign}{:02}:{:02}", ahead / 60, ahead % 60)
    }
}

#[cfg(test)]
#[path = "zone_tests.rs"]
mod tests;
