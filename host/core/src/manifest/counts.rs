//! How many events there were and what became of them. Every event is counted once.

use crate::reduce::{Block, Outcome};
use crate::times::Times;
use serde::{Deserialize, Serialize};

/// What became of the events of a run. The first is the sum of the eight behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Events taken from the log.
    pub events: u64,
    /// Events that the reducer took.
    pub applied: u64,
    /// Events that no input recognises.
    pub ignored: u64,
    /// Events that could not be decoded.
    pub malformed: u64,
    /// Events seen before, with the same content.
    pub duplicates: u64,
    /// Events seen before, with other content.
    pub conflicts: u64,
    /// Events that the reducer refused, or that made it trap where the job says "reject".
    pub rejected: u64,
    /// Events that the ledger takes out.
    pub quarantined: u64,
    /// Events outside the range or the subset.
    pub filtered: u64,
    /// Broken business rules found in the states at the end.
    pub violations: u64,
    /// Keys that have a state at the end.
    pub keys: u64,
    /// Records emitted.
    pub emits: u64,
    /// The events' times; none where the version that wrote it did not look at them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
}

impl Counts {
    /// Nothing yet, and times are looked at.
    pub fn begin() -> Self {
        Self { times: Some(Times::default()), ..Self::default() }
    }

    /// Counts the events of a block and its emits.
    pub fn add(&mut self, block: &Block) {
        self.events += block.outcomes.len() as u64;
        self.emits += block.emits.iter().map(|kind| kind.events.len() as u64).sum::<u64>();
        // Nearly all events are applied: what is rare is counted, the rest follows.
        let mut others = 0;
        for &what in &block.outcomes {
            let count = match what {
                Outcome::Applied => continue,
                Outcome::Rejected(_) | Outcome::Trapped => &mut self.rejected,
                Outcome::Duplicate => &mut self.duplicates,
                Outcome::Conflict => &mut self.conflicts,
                Outcome::Malformed(_) => &mut self.malformed,
                Outcome::Ignored => &mut self.ignored,
                Outcome::Quarantined => &mut self.quarantined,
                Outcome::Filtered => &mut self.filtered,
            };
            *count += 1;
            others += 1;
        }
        self.applied += block.outcomes.len() as u64 - others;
        self.times = self.times.map(|times| times.and(&block.times));
    }

    /// What became of the events: the counts whose sum [`Counts::events`] is.
    fn parts(&mut self) -> [&mut u64; 8] {
        [
            &mut self.applied,
            &mut self.ignored,
            &mut self.malformed,
            &mut self.duplicates,
            &mut self.conflicts,
            &mut self.rejected,
            &mut self.quarantined,
            &mut self.filtered,
        ]
    }

    /// All of them, in the order in which they are declared.
    pub(super) fn all(&self) -> [u64; 12] {
        let Self { events, applied, ignored, malformed, duplicates, conflicts, .. } = *self;
        let Self { rejected, quarantined, filtered, violations, keys, emits, .. } = *self;
        [
            events,
            applied,
            ignored,
            malformed,
            duplicates,
            conflicts,
            rejected,
            quarantined,
            filtered,
            violations,
            keys,
            emits,
        ]
    }

    /// Events with a record: all but the filtered ones.
    pub fn recorded(&self) -> u64 {
        self.events.saturating_sub(self.filtered)
    }

    /// Counts since the history began: `self` before this run, `run` of this run. Keys and
    /// violations are not sums: what stands at the end counts.
    #[must_use]
    pub fn then(&self, run: &Self) -> Self {
        let (mut sum, mut run) = (*self, *run);
        sum.parts().into_iter().zip(run.parts()).for_each(|(sum, part)| *sum += *part);
        let (events, emits) = (sum.events + run.events, sum.emits + run.emits);
        // Of a part unknown is unknown.
        let times = sum.times.zip(run.times).map(|(sum, run)| sum.and(&run));
        Self { events, emits, violations: run.violations, keys: run.keys, times, ..sum }
    }

    /// What a person should know where most events were seen before: an id that is none takes all
    /// but one event of a key away.
    pub(super) fn note(&self) -> Option<String> {
        let before = self.duplicates + self.conflicts;
        let all = before + self.applied + self.rejected;
        (before * 2 > all).then(|| {
            format!(
                "{before} of {all} events had a key and an id that were seen before; if they are \
                 events of their own, [source] id names what does not tell them apart"
            )
        })
    }

    /// Whether every event was counted once.
    ///
    /// # Errors
    /// Both sides of the sum when they differ.
    pub fn check(&self) -> Result<(), CountsError> {
        let mut parts = *self;
        let sum = parts.parts().iter().try_fold(0u64, |sum, part| sum.checked_add(**part));
        if sum != Some(self.events) {
            return Err(CountsError::Sum { events: self.events, sum: sum.unwrap_or(u64::MAX) });
        }
        let timed = self.events - self.filtered;
        match self.times {
            Some(times) if !times.hold_together(timed) => Err(CountsError::Times(timed)),
            _ => Ok(()),
        }
    }
}

/// Counts that do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CountsError {
    /// Counts that do not add up.
    #[error(
        "the counts do not add up: {events} events, but applied + ignored + malformed + duplicates \
         + conflicts + rejected + quarantined + filtered is {sum}"
    )]
    Sum {
        /// Events as counted.
        events: u64,
        /// Sum of what became of them.
        sum: u64,
    },
    /// A span and counts of times that no so many events can have.
    #[error("has a span of event times, or counts of them, that no {0} events can have")]
    Times(u64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Code;

    #[test]
    fn every_outcome_is_counted_once() {
        let outcomes = vec![
            Outcome::Applied,
            Outcome::Applied,
            Outcome::Rejected(0),
            Outcome::Trapped,
            Outcome::Duplicate,
            Outcome::Conflict,
            Outcome::Malformed(Code::NotJson),
            Outcome::Ignored,
            Outcome::Quarantined,
            Outcome::Filtered,
        ];
        let mut counts = Counts::default();
        counts.add(&Block { outcomes, ..Block::default() });
        assert_eq!(counts.check(), Ok(()));
        let expected = Counts {
            events: 10,
            applied: 2,
            rejected: 2,
            duplicates: 1,
            conflicts: 1,
            malformed: 1,
            ignored: 1,
            quarantined: 1,
            filtered: 1,
            ..Counts::default()
        };
        assert_eq!(counts, expected);
        assert_eq!(counts.then(&counts).events, 20);
    }

    #[test]
    fn most_events_seen_before_are_worth_a_word_and_every_one_twice_is_not() {
        let counts = Counts { duplicates: 1, conflicts: 2, applied: 2, ..Counts::default() };
        assert!(counts.note().is_some_and(|note| note.starts_with("3 of 5 events had a key")));
        assert_eq!(Counts { rejected: 1, ..counts }.note(), None);
        assert_eq!(Counts::default().note(), None);
    }

    #[test]
    fn counts_that_do_not_add_up_are_told() {
        let counts = Counts { events: 3, applied: 2, ..Counts::default() };
        assert_eq!(counts.check(), Err(CountsError::Sum { events: 3, sum: 2 }));
        let mut times = Times::default();
        times.add([1, 2, 3].into_iter());
        let counts = Counts { events: 3, applied: 3, times: Some(times), ..Counts::default() };
        assert_eq!(counts.check(), Ok(()));
        let filtered = Counts { applied: 2, filtered: 1, ..counts };
        assert_eq!(filtered.check(), Err(CountsError::Times(2)));
    }
}
