//! A limit for a count: a number, or a share of all. Shares are exact: no float decides whether a
//! gate holds.

use crate::model::gate::{Finding, Judged};
use retally_core::schema::Exact;
use std::fmt;
use std::str::FromStr;

/// Digits behind the point that a share may have: a billionth of a percent.
const SHARE_DIGITS: u8 = 9;

/// A hundred percent, in units of 10^-[`SHARE_DIGITS`] percent.
const WHOLE: u64 = 100 * 10u64.pow(SHARE_DIGITS as u32);

/// What a count may be at most: written `17`, or `0.1%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// This number.
    Count(u64),
    /// This share, in units of 10^-9 percent.
    Share(u64),
}

impl Limit {
    /// The largest count that is allowed among `all`.
    pub fn most(self, all: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            // At most `all`, because no share is above the whole.
            Self::Share(units) => (u128::from(all) * u128::from(units) / u128::from(WHOLE)) as u64,
        }
    }

    /// Holds `count` of `all` things called `things` (`events`) against the limit.
    pub fn judge(self, gate: &str, count: u64, all: u64, things: &str) -> Judged {
        let most = self.most(all);
        let limit = match self {
            Self::Count(_) => format!("at most {self}"),
            Self::Share(_) => format!("at most {self} of {things}"),
        };
        let finding = Finding {
            of: None,
            actual: count.to_string(),
            among: matches!(self, Self::Share(_)).then_some(all),
            over: (count > most).then(|| (count - most).to_string()),
        };
        let (gate, holds) = (gate.to_owned(), count <= most);
        Judged { gate, limit, holds, judged: 1, findings: vec![finding], more: 0, why: None }
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let limit = match text.strip_suffix('%') {
            None => text.parse().ok().map(Self::Count),
            Some(share) => {
                let share: Option<Exact> = share.trim_end().parse().ok();
                let share = share.filter(|share| share.scale <= SHARE_DIGITS);
                let units =
                    share.and_then(|share| share.rescaled(SHARE_DIGITS)?.units.try_into().ok());
                units.filter(|units| *units <= WHOLE).map(Self::Share)
            }
        };
        // Neither has a sign.
        let limit = limit.filter(|_| text.starts_with(|c: char| c.is_ascii_digit()));
        limit.ok_or_else(|| LimitError(text.to_owned()))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Share(units) => {
                let share = Exact { units: (*units).into(), scale: SHARE_DIGITS }.to_string();
                write!(f, "{}%", share.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

/// A text that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a whole number such as 17 nor a share from 0% to 100% such as \"0.1%\"")]
pub struct LimitError(pub String);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(text: &str) -> Limit {
        text.parse().unwrap()
    }

    #[test]
    fn texts_that_are_no_limits() {
        for text in
            ["", "%", "-1", "0.1", "101%", "100.000000001%", "1e3%", ".5%", "5.%", "1.0000000001%"]
        {
            assert_eq!(text.parse::<Limit>(), Err(LimitError(text.into())), "{text}");
        }
    }

    #[test]
    fn a_share_is_met_exactly_and_not_by_one_more() {
        for (share, all, most) in
            [("0.1%", 1_000, 1), ("0.1%", 999, 0), ("5 %", 61, 3), ("0%", 9, 0), ("100%", 7, 7)]
        {
            assert_eq!(limit(share).most(all), most, "{share} of {all}");
        }
        assert_eq!(limit("100%").most(u64::MAX), u64::MAX);
        assert!(limit("0.1%").judge("malformed", 1, 1_000, "events").holds);
        let broken = limit("0.1%").judge("malformed", 17, 1_000, "events");
        assert!(!broken.holds);
        assert_eq!(
            serde_json::to_string(&broken).unwrap(),
            "{\"gate\":\"malformed\",\"limit\":\"at most 0.1% of events\",\"holds\":false,\
             \"judged\":1,\"findings\":[{\"actual\":\"17\",\"among\":1000,\"over\":\"16\"}],\
             \"more\":0}"
        );
    }

    #[test]
    fn a_count_does_not_care_how_many_there_are() {
        assert!(limit("0").judge("conflicts", 0, 0, "events").holds);
        let broken = limit("3").judge("conflicts", 5, 1_000_000, "events");
        assert_eq!((broken.limit.as_str(), broken.holds), ("at most 3", false));
        assert_eq!(broken.findings[0].over.as_deref(), Some("2"));
    }

    proptest! {
        #[test]
        fn a_limit_is_read_as_it_is_written(units in 0..=WHOLE, count: u64) {
            for limit in [Limit::Share(units), Limit::Count(count)] {
                prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            }
        }

        #[test]
        fn what_is_allowed_is_within_the_share_and_one_more_is_not(
            units in 0..=WHOLE, all in 0u64..1 << 40,
        ) {
            let most = u128::from(Limit::Share(units).most(all));
            let share = |count: u128| count * u128::from(WHOLE);
            let limit = u128::from(all) * u128::from(units);
            prop_assert!(share(most) <= limit && share(most + 1) > limit);
        }
    }
}
