//! The span of event times of a run, and what it says of the unit in which they were read: seconds
//! that were read as milliseconds make 90 days into two hours of 1970, and nothing else would tell.
//!
//! Of every event whose key, id and time could be read, whatever became of it, but for those that
//! were filtered. In no digest: it follows from the log.

use crate::decode::convert::column_from_text;
use crate::log::Micros;
use crate::schema::{Kind, Value, Values, display, serde_as_text};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// 1990-01-01 and 2100-01-01: few logs are about other times.
const NEAR: std::ops::Range<Micros> = 631_152_000_000_000..4_102_444_800_000_000;

/// The names of units in a job, and how many microseconds they have.
const UNITS: [(&str, &str, i128); 3] =
    [("s", "seconds", 1_000_000), ("ms", "milliseconds", 1_000), ("us", "microseconds", 1)];

/// Event times of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// Events that have one.
    pub events: u64,
    /// The earliest; none: no event has one.
    pub earliest: Option<Moment>,
    /// The latest.
    pub latest: Option<Moment>,
    /// How many lie before 1990.
    pub before_1990: u64,
    /// How many lie in 2100 or later.
    pub from_2100: u64,
}

/// A time that is written in RFC 3339, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Micros);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display(Value::Timestamp(self.0), Kind::Timestamp))
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match column_from_text(Kind::Timestamp, text).map(|column| column.values) {
            Ok(Values::Timestamp(times)) if times.len() == 1 => Ok(Self(times[0])),
            _ => Err("a time is RFC 3339, such as 2024-01-31T23:59:59Z"),
        }
    }
}

serde_as_text!(Moment, str::parse::<Moment>);

impl Times {
    /// Counts times.
    pub fn add(&mut self, times: impl Iterator<Item = Micros>) {
        let (mut earliest, mut latest) = (Micros::MAX, Micros::MIN);
        let mut counts = [0_u64; 3];
        for time in times {
            earliest = earliest.min(time);
            latest = latest.max(time);
            counts[0] += 1;
            counts[1] += u64::from(time < NEAR.start);
            counts[2] += u64::from(time >= NEAR.end);
        }
        let [events, before_1990, from_2100] = counts;
        if events > 0 {
            let (earliest, latest) = (Some(Moment(earliest)), Some(Moment(latest)));
            *self = self.and(&Self { events, earliest, latest, before_1990, from_2100 });
        }
    }

    /// Of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let [own, others] = [self, other].map(|of| of.earliest.into_iter());
        Self {
            events: self.events + other.events,
            earliest: own.chain(others).min(),
            latest: self.latest.max(other.latest),
            before_1990: self.before_1990 + other.before_1990,
            from_2100: self.from_2100 + other.from_2100,
        }
    }

    /// Whether `part` can be some of them.
    pub(crate) fn holds(&self, part: &Self) -> bool {
        self.and(part).earliest == self.earliest
            && self.and(part).latest == self.latest
            && part.events <= self.events
            && part.before_1990 <= self.before_1990
            && part.from_2100 <= self.from_2100
    }

    /// Whether they can be those of `events` events.
    pub(crate) fn hold_together(&self, events: u64) -> bool {
        let is_far = |far: u64, is_so: bool| (far > 0) == is_so;
        let far = self.before_1990.checked_add(self.from_2100);
        self.events <= events
            && far.is_some_and(|far| far <= self.events)
            && match (self.earliest, self.latest) {
                (None, None) => self.events == 0,
                (Some(earliest), Some(latest)) => {
                    self.events > 0
                        && earliest <= latest
                        && is_far(self.before_1990, earliest.0 < NEAR.start)
                        && is_far(self.from_2100, latest.0 >= NEAR.end)
                }
                _ => false,
            }
    }

    /// What a person should know where most lie far from our days. `unit`: the name of the one in
    /// which numbers were read, if there is one.
    pub fn note(&self, unit: Option<&str>) -> Option<String> {
        let (said, extreme) = self.far("event times")?;
        Some(match likely(extreme, unit) {
            Some((name, words, read)) => format!(
                "{said}: the numbers look like {words} that were read as \"{read}\"; if so, write \
                 time_unit = \"{name}\" in [source]"
            ),
            None => format!("{said}: if they do not, [source] time or time_unit is wrong"),
        })
    }

    /// The same of a field of an input, whose values these are. Many a field holds times that are
    /// far from our days and right, so only what another unit explains is told.
    pub fn note_of_field(&self, input: &str, field: &str, unit: Option<&str>) -> Option<String> {
        let (said, extreme) = self.far(&format!("times of `{field}` of input `{input}`"))?;
        let (_, words, read) = likely(extreme, unit)?;
        Some(format!(
            "{said}: the numbers look like {words}, and [source] time_unit = \"{read}\" is the \
             unit of all times that are numbers; if so, declare the field as an integer, or write \
             RFC 3339 into the log"
        ))
    }

    /// Where most lie far from our days: how many, and the one that is farthest.
    fn far(&self, what: &str) -> Option<(String, Moment)> {
        let (far, extreme, place) = match self.before_1990 >= self.from_2100 {
            true => (self.before_1990, self.earliest?, "before 1990 (the earliest"),
            false => (self.from_2100, self.latest?, "in 2100 or later (the latest"),
        };
        let said = || format!("{far} of {} {what} lie {place} is {extreme})", self.events);
        (far * 2 > self.events).then(|| (said(), extreme))
    }
}

/// The unit in which a time would be one of our days, by its name in a job and in words; and the
/// one in which it was read.
fn likely(time: Moment, unit: Option<&str>) -> Option<(&'static str, &'static str, &'static str)> {
    let (read, _, micros_read) = *UNITS.iter().find(|(name, ..)| Some(*name) == unit)?;
    let fits = |micros: i128| {
        let time = i128::from(time.0) * micros / micros_read;
        Micros::try_from(time).is_ok_and(|time| NEAR.contains(&time))
    };
    let (name, words, _) = *UNITS.iter().find(|(_, _, micros)| fits(*micros))?;
    Some((name, words, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-01.
    const DAY: Micros = 1_704_067_200_000_000;

    fn of(times: &[Micros]) -> Times {
        let mut all = Times::default();
        // However they are cut.
        times.chunks(2).for_each(|times| all.add(times.iter().copied()));
        all
    }

    #[test]
    fn the_span_and_what_is_far_from_our_days() {
        let times = of(&[DAY, 0, NEAR.start, NEAR.end, NEAR.end - 1, NEAR.start - 1, DAY]);
        let text = serde_json::to_string(&times).unwrap();
        let span = r#""earliest":"1970-01-01T00:00:00Z","latest":"2100-01-01T00:00:00Z""#;
        let far = r#""before_1990":2,"from_2100":1"#;
        assert_eq!(text, format!("{{\"events\":7,{span},{far}}}"));
        assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times);
        assert!(times.hold_together(7) && Times::default().hold_together(0));
        for wrong in [
            Times { events: 8, ..times },
            Times { earliest: times.latest, latest: times.earliest, ..times },
            Times { earliest: None, ..times },
            Times { before_1990: 0, ..times },
            Times { from_2100: 0, ..times },
            Times { before_1990: 7, ..times },
            Times { latest: Some(Moment(DAY)), ..times },
        ] {
            assert!(!wrong.hold_together(7), "{wrong:?}");
        }
    }

    #[test]
    fn the_likely_unit_is_named_where_most_times_are_far() {
        let (seconds, millis) = (DAY / 1_000, DAY / 1_000_000);
        for (times, unit, expected) in [
            (vec![seconds, seconds, DAY], Some("ms"), "look like seconds that were read as \"ms\""),
            (vec![seconds], Some("us"), "look like milliseconds that were read as \"us\""),
            (vec![millis], Some("us"), "look like seconds that were read as \"us\""),
            (vec![seconds], None, "[source] time or time_unit is wrong"),
            (vec![NEAR.end], Some("s"), "lie in 2100 or later (the latest is 2100-01-01"),
        ] {
            let note = of(&times).note(unit).unwrap();
            assert!(note.contains(expected), "{note}");
        }
        let note = of(&[seconds]).note(Some("ms")).unwrap();
        assert!(note.ends_with("if so, write time_unit = \"s\" in [source]"), "{note}");
        assert_eq!(of(&[seconds, DAY]).note(Some("ms")), None, "half is not most");
        assert_eq!(of(&[]).note(Some("ms")), None);
    }

    #[test]
    fn a_field_is_told_of_where_another_unit_explains_it() {
        let due = |times: &[Micros], unit| of(times).note_of_field("invoice", "due", unit);
        let note = due(&[DAY / 1_000, DAY / 1_000, DAY], Some("ms")).unwrap();
        let expected = "2 of 3 times of `due` of input `invoice` lie before 1990 (the earliest is \
                        1970-01-20T17:21:07.200000Z): the numbers look like seconds, and [source] \
                        time_unit = \"ms\" is the unit of all times that are numbers; if so, \
                        declare the field as an integer, or write RFC 3339 into the log";
        assert_eq!(note, expected);
        assert_eq!(due(&[DAY / 1_000, DAY], Some("ms")), None, "half is not most");
        // Somebody's birthday, and times that are texts.
        assert_eq!(due(&[NEAR.start / 2], Some("ms")), None);
        assert_eq!(due(&[DAY / 1_000], None), None);
    }
}
