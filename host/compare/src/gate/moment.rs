//! A limit for event times: a moment, or a whole day in UTC.

use crate::model::gate::{Finding, Judged};
use retally_core::decode::convert::column_from_text;
use retally_core::log::Micros;
use retally_core::manifest::span_text;
use retally_core::schema::{Kind, Value, Values, display};
use retally_core::times::{Moment, Times};
use std::fmt;
use std::str::FromStr;

const DAY: Micros = 86_400_000_000;

/// What event times may be at the earliest or at the latest: written `2024-01-31`, or
/// `2024-01-31T12:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// This moment.
    Moment(Moment),
    /// This day, which is within the limit: days since 1970.
    Day(i32),
}

impl TimeLimit {
    /// The first moment within the limit, where it is one for the earliest, and the last, where it
    /// is one for the latest.
    fn ends(self) -> [Micros; 2] {
        match self {
            Self::Moment(moment) => [moment.0; 2],
            Self::Day(day) => [Micros::from(day) * DAY, (Micros::from(day) + 1) * DAY - 1],
        }
    }

    /// Holds the earliest of the times against the limit.
    pub fn judge_earliest(self, gate: &str, times: Option<Times>) -> Judged {
        let limit = format!("not before {self}");
        let earliest = times.and_then(|times| times.earliest);
        judged(gate, limit, earliest, |earliest| self.ends()[0] - earliest, "-")
    }

    /// Holds the latest of the times against the limit.
    pub fn judge_latest(self, gate: &str, times: Option<Times>) -> Judged {
        let limit = format!("not after {self}");
        let latest = times.and_then(|times| times.latest);
        judged(gate, limit, latest, |latest| latest - self.ends()[1], "")
    }
}

/// `beyond`: by how much a time is beyond the limit, if it is above zero.
fn judged(
    gate: &str,
    limit: String,
    actual: Option<Moment>,
    beyond: impl Fn(Micros) -> Micros,
    sign: &str,
) -> Judged {
    let gate = gate.to_owned();
    let Some(actual) = actual else {
        return Judged::unjudged(gate, limit, "no event has a time".to_owned());
    };
    let beyond = Some(beyond(actual.0)).filter(|beyond| *beyond > 0);
    let over = beyond.map(|beyond| format!("{sign}{}", span_text(beyond)));
    let holds = over.is_none();
    let finding = Finding { of: None, actual: actual.to_string(), among: None, over };
    Judged { gate, limit, holds, judged: 1, findings: vec![finding], more: 0, why: None }
}

impl FromStr for TimeLimit {
    type Err = TimeLimitError;

    fn from_str(text: &str) -> Result<Self, TimeLimitError> {
        if let Ok(moment) = text.parse() {
            return Ok(Self::Moment(moment));
        }
        match column_from_text(Kind::Date, text).map(|column| column.values) {
            Ok(Values::Date(days)) if days.len() == 1 => Ok(Self::Day(days[0])),
            _ => Err(TimeLimitError(text.to_owned())),
        }
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment(moment) => moment.fmt(f),
            Self::Day(day) => f.write_str(&display(Value::Date(*day), Kind::Date)),
        }
    }
}

/// A text that is no limit for times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a day such as 2024-01-31 nor a time such as 2024-01-31T12:00:00Z")]
pub struct TimeLimitError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> TimeLimit {
        text.parse().unwrap()
    }

    fn times(text: &str) -> Option<Times> {
        let moment: Moment = text.parse().unwrap();
        let mut times = Times::default();
        times.add([moment.0].into_iter());
        Some(times)
    }

    #[test]
    fn a_limit_is_read_as_it_is_written() {
        for text in ["2024-01-31", "2024-01-31T12:00:00Z", "2024-01-31T12:00:00.000001Z"] {
            assert_eq!(limit(text).to_string(), text);
        }
        for text in ["", "2024", "2024-02-30", "2024-01-31T12:00:00", "0", "yesterday"] {
            assert_eq!(text.parse::<TimeLimit>(), Err(TimeLimitError(text.into())));
        }
    }

    #[test]
    fn a_day_is_within_its_limit_from_its_first_to_its_last_moment() {
        let day = limit("2024-01-31");
        for (at, earliest, latest) in [
            ("2024-01-30T23:59:59.999999Z", Some("-1us"), None),
            ("2024-01-31T00:00:00Z", None, None),
            ("2024-01-31T23:59:59.999999Z", None, None),
            ("2024-02-01T00:00:00Z", None, Some("1us")),
            ("2024-02-03T00:00:00Z", None, Some("2d1us")),
        ] {
            let judged = [
                (day.judge_earliest("earliest", times(at)), earliest),
                (day.judge_latest("latest", times(at)), latest),
            ];
            for (judged, over) in judged {
                assert_eq!(judged.findings[0].over.as_deref(), over, "{at}");
                assert_eq!(judged.holds, over.is_none());
                assert_eq!(judged.findings[0].actual, at);
            }
        }
        let moment = limit("2024-01-31T12:00:00Z");
        assert!(moment.judge_latest("latest", times("2024-01-31T12:00:00Z")).holds);
        assert!(!moment.judge_latest("latest", times("2024-01-31T12:00:00.000001Z")).holds);
    }

    #[test]
    fn without_a_time_nothing_is_judged_and_the_gate_is_broken() {
        for times in [None, Some(Times::default())] {
            let judged = limit("2024-01-31").judge_latest("latest", times);
            assert!(!judged.holds);
            assert_eq!(judged.why.as_deref(), Some("no event has a time"));
        }
    }
}
