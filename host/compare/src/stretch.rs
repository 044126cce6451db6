//! A stretch of the log on both sides: what became of its events, and what was emitted for them.
//! Whoever walks two logs, as lanes of one pass or as files of two runs, ends here.

use super::emits::Records;
use super::error::CompareError;
use super::model::{NamedOutcome, SideOf};
use super::tally::Tally;
use retally_core::reduce::{Block, Outcome};

/// A stretch of the log as one side tells it.
#[derive(Debug, Clone, Default)]
pub struct SideStretch<'a> {
    /// What became of each event. Of those behind the last, and of the filtered, the side has no
    /// record.
    pub outcomes: &'a [Outcome],
    /// The same of those that were refused alone.
    pub refused: Vec<Outcome>,
    /// The records of each emit kind that the side declares, by its number.
    pub emits: Vec<Records<'a>>,
}

impl<'a> SideStretch<'a> {
    /// A block as a stretch.
    pub fn of(block: &'a Block) -> Self {
        let records = block.emits.iter();
        Self {
            outcomes: &block.outcomes,
            refused: block.refused.iter().map(|refused| refused.what).collect(),
            emits: records.map(|of| Records { events: &of.events, columns: &of.columns }).collect(),
        }
    }
}

impl Tally {
    /// Takes the next stretch of the log. `differs` hears the events whose outcome or records
    /// differ, some of them more than once.
    ///
    /// # Errors
    /// A sum that is too large.
    pub fn stretch(
        &mut self,
        sides: [&SideStretch<'_>; 2],
        differs: &mut dyn FnMut(u32),
    ) -> Result<(), CompareError> {
        let [a, b] = sides.map(|side| side.outcomes);
        if !self.rejects.alike() || a != b {
            let own = |outcomes: &[Outcome], event: usize| {
                outcomes.get(event).copied().unwrap_or(Outcome::Filtered)
            };
            let both = (0..a.len().max(b.len())).map(|event| (own(a, event), own(b, event)));
            let changed = both.zip(0u32..).filter(|((a, b), _)| !self.rejects.same(*a, *b));
            let changes = changed.map(|(change, event)| {
                differs(event);
                change
            });
            let changes = counted(changes);
            for ((a, b), events) in changes {
                let [a, b] = [(a, 0), (b, 1)].map(|(own, side)| self.named(own, side));
                self.outcome(&a, &b, events);
            }
        }
        for (number, side) in [SideOf::A, SideOf::B].into_iter().enumerate() {
            for (outcome, events) in counted(sides[number].refused.iter().copied()) {
                let outcome = self.named(outcome, number);
                self.refusal(side, &outcome, events);
            }
        }
        for number in 0..self.plan().emits.len() {
            let emit = &self.plan().emits[number];
            let [a, b] = [(emit.a, 0), (emit.b, 1)].map(|(kind, side): (Option<usize>, usize)| {
                kind.and_then(|kind| sides[side].emits.get(kind)).copied().unwrap_or(Records::NONE)
            });
            self.emits(number, a, b, differs)?;
        }
        Ok(())
    }

    fn named(&self, outcome: Outcome, side: usize) -> NamedOutcome {
        NamedOutcome::of(outcome, &self.rejects.0[side])
    }
}

/// How often each thing comes; there are few.
fn counted<T: PartialEq>(things: impl Iterator<Item = T>) -> Vec<(T, u64)> {
    let mut counts: Vec<(T, u64)> = Vec::new();
    for thing in things {
        match counts.iter_mut().find(|(known, _)| *known == thing) {
            Some((_, count)) => *count += 1,
            None => counts.push((thing, 1)),
        }
    }
    counts
}
