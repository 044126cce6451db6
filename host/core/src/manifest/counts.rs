//! How many events there were and what became of them. Every event is counted once.

use crate::reduce::{Block, Outcome};
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
}

impl Counts {
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

    /// Counts since the history began: `self` before this run, `run` of this run. Keys and
    /// violations are not sums: what stands at the end counts.
    #[must_use]
    pub fn then(&self, run: &Self) -> Self {
        let (mut sum, mut run) = (*self, *run);
        sum.parts().into_iter().zip(run.parts()).for_each(|(sum, part)| *sum += *part);
        let (events, emits) = (sum.events + run.events, sum.emits + run.emits);
        Self { events, emits, violations: run.violations, keys: run.keys, ..sum }
    }

    /// Whether every event was counted once.
    ///
    /// # Errors
    /// Both sides of the sum when they differ.
    pub fn check(&self) -> Result<(), CountsError> {
        let mut parts = *self;
        let sum = parts.parts().iter().try_fold(0u64, |sum, part| sum.checked_add(**part));
        if sum == Some(self.events) {
            return Ok(());
        }
        Err(CountsError { events: self.events, sum: sum.unwrap_or(u64::MAX) })
    }
}

/// Counts that do not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the counts do not add up: {events} events, but applied + ignored + malformed + duplicates + \
     conflicts + rejected + quarantined + filtered is {sum}"
)]
pub struct CountsError {
    /// Events as counted.
    pub events: u64,
    /// Sum of what became of them.
    pub sum: u64,
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
    fn counts_that_do_not_add_up_are_told() {
        let counts = Counts { events: 3, applied: 2, ..Counts::default() };
        assert_eq!(counts.check(), Err(CountsError { events: 3, sum: 2 }));
    }
}
