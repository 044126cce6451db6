//! What a comparison counts while two lanes pass by: fates and records of both sides, a batch at a
//! time in log order.

use super::error::RunError;
use super::prepare::Prepared;
use crate::compare::CompareError;
use retally_compare::model::Fate;
use retally_compare::pair::{Seen, fate_bit};
use retally_compare::{Records, SideOf, Tally};
use retally_core::reduce::{Block, Outcome};

/// The two sides as the tally calls them.
pub(crate) const SIDES: [SideOf; 2] = [SideOf::A, SideOf::B];

/// Fates other than applied that an event with a key can have; the code stands beside none, for
/// one bit stands for all codes.
const FATES: [Outcome; 6] = [
    Outcome::Rejected(0),
    Outcome::Trapped,
    Outcome::Duplicate,
    Outcome::Conflict,
    Outcome::Malformed(retally_core::decode::Code::FieldKind),
    Outcome::Quarantined,
];

/// What the bits of [`fate_bits`] mean.
pub(crate) fn fates() -> Vec<Fate> {
    FATES.iter().map(|what| Fate { what: what.word().to_owned(), code: None }).collect()
}

/// The fates that a key's events had, by their numbers among [`fates`].
pub(crate) fn fate_bits(seen: &Seen) -> u64 {
    let had = |(_, what): &(usize, &Outcome)| seen.fates & fate_bit(**what) != 0;
    FATES.iter().enumerate().filter(had).fold(0, |bits, (number, _)| bits | 1 << number)
}

/// See the module.
pub(crate) struct Tallied {
    pub tally: Tally,
    /// The reject codes of each side.
    rejects: [Vec<String>; 2],
}

impl Tallied {
    pub(crate) fn new(mut tally: Tally, prepared: &Prepared) -> Self {
        tally.look_at_outcomes();
        Self { tally, rejects: [0, 1].map(|side| rejects(prepared, side)) }
    }

    /// Takes the outcomes of a batch on both sides.
    pub(crate) fn blocks(&mut self, blocks: [&Block; 2]) -> Result<(), RunError> {
        let [a, b] = blocks.map(|block| block.outcomes.as_slice());
        if a != b {
            let changes = a.iter().zip(b).filter(|(a, b)| a != b);
            for ((a, b), events) in counted(changes.map(|(a, b)| (*a, *b))) {
                let (a, b) = (self.fate(0, a), self.fate(1, b));
                self.tally.outcome(&a, &b, events);
            }
        }
        for (side, block) in blocks.into_iter().enumerate() {
            for (what, events) in counted(block.refused.iter().map(|refused| refused.what)) {
                let fate = self.fate(side, what);
                self.tally.refusal(SIDES[side], &fate, events);
            }
        }
        let kinds: Vec<_> = self.tally.plan().emits.iter().map(|e| [e.a, e.b]).collect();
        for (number, kinds) in kinds.into_iter().enumerate() {
            let records = |side: usize| match kinds[side].map(|kind| &blocks[side].emits[kind]) {
                Some(rows) => Records { events: &rows.events, columns: &rows.columns },
                None => Records::NONE,
            };
            let tallied = self.tally.emits(number, records(0), records(1), &mut |_| {});
            tallied.map_err(CompareError::from)?;
        }
        Ok(())
    }

    /// A fate with its code.
    pub(crate) fn fate(&self, side: usize, what: Outcome) -> Fate {
        fate(&self.rejects[side], what)
    }
}

/// The reject codes of a side.
pub(crate) fn rejects(prepared: &Prepared, side: usize) -> Vec<String> {
    let rejects = &prepared.lanes[side].recipe.description().rejects;
    rejects.iter().map(|reason| reason.code.clone()).collect()
}

/// A fate with its code.
pub(crate) fn fate(rejects: &[String], what: Outcome) -> Fate {
    Fate::of(what, |number| rejects.get(usize::from(number)).cloned())
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
