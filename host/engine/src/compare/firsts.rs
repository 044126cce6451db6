//! What walking the logs found of single keys: the first event whose outcome differs, and with
//! which codes events of a key were refused. One small record per key that has something.

use retally_compare::limits::FACTS_MAX;
use retally_compare::model::NamedOutcome;
use retally_compare::{First, KeyFacts};
use retally_core::log::Spot;
use retally_core::reduce::Outcome;
use std::cell::Cell;
use std::collections::BTreeMap;

/// Keys with refused events of which the codes are remembered; beyond, they explain nothing.
const REFUSED_KEYS_MAX: usize = 1 << 20;

/// The first event of a key whose outcome differs.
#[derive(Debug, Clone)]
pub(super) struct FirstRecord {
    pub(super) at: Spot,
    /// Its time, if it has emits on either side.
    pub(super) time: Option<i64>,
    /// What became of it in A and B; none: the side has no record of it.
    pub(super) outcomes: [Option<Outcome>; 2],
    /// For A and B, for each of the side's kinds: number of its first record, and how many it has.
    pub(super) emits: [Box<[(u64, u32)]>; 2],
    /// Whether the key was asked for.
    pub(super) seen: Cell<bool>,
}

/// What is known of single keys.
#[derive(Debug, Default)]
pub(super) struct Firsts {
    /// Names of partitions, by the numbers in the records.
    pub(super) partitions: Vec<String>,
    pub(super) records: BTreeMap<Vec<u8>, FirstRecord>,
    /// What became of refused events, by the bits below.
    refused: Vec<NamedOutcome>,
    refused_of: BTreeMap<Vec<u8>, u64>,
    /// More keys have refused events than are remembered.
    pub(super) too_many: bool,
    /// Whether refused events were looked at, even if there is none.
    pub(super) looked: bool,
}

impl Firsts {
    /// Nothing yet; `partitions` are the names of the numbers to come.
    pub(super) fn new(partitions: Vec<String>) -> Self {
        Self { partitions, ..Self::default() }
    }

    /// Remembers an event of a key, unless an earlier one is known.
    pub(super) fn add(&mut self, key: &[u8], record: impl FnOnce() -> FirstRecord) {
        if !self.records.contains_key(key) {
            self.records.insert(key.to_vec(), record());
        }
    }

    /// Remembers that an event of a key was refused, unless it is known to lie behind the key's
    /// first that differs: what came later explains nothing.
    pub(super) fn refuse(&mut self, key: Option<&str>, at: Option<Spot>, outcome: &NamedOutcome) {
        self.looked = true;
        let Some(key) = key else { return };
        // Events are walked in order: a record of another partition is an earlier one.
        if let Some((at, first)) = at.zip(self.records.get(key.as_bytes()))
            && (first.at.partition != at.partition || first.at.offset < at.offset)
        {
            return;
        }
        let bit = match self.refused.iter().position(|known| known == outcome) {
            Some(bit) => bit,
            None if self.refused.len() < FACTS_MAX => {
                self.refused.push(outcome.clone());
                self.refused.len() - 1
            }
            None => return,
        };
        if self.refused_of.len() >= REFUSED_KEYS_MAX {
            self.too_many = true;
            return;
        }
        *self.refused_of.entry(key.as_bytes().to_vec()).or_default() |= 1 << bit;
    }

    /// What is known of a key, which from now on is one that was asked for.
    pub(super) fn facts(&self, key: &[u8]) -> KeyFacts<'_> {
        let known = self.looked && !self.too_many;
        let first = self.records.get(key);
        if let Some(first) = first {
            first.seen.set(true);
        }
        KeyFacts {
            inputs: None,
            outcomes: known.then(|| self.refused_of.get(key).copied().unwrap_or_default()),
            first: first.map(told),
        }
    }

    /// Keys that were not asked for.
    pub(super) fn left(&self) -> impl Iterator<Item = First<'_>> {
        self.records.values().filter(|first| !first.seen.get()).map(told)
    }

    /// What the bits of facts mean, and how many keys have each.
    pub(super) fn words(&self) -> (Vec<NamedOutcome>, Vec<u64>) {
        let mut keys = vec![0; self.refused.len()];
        for bits in self.refused_of.values() {
            for (bit, keys) in keys.iter_mut().enumerate() {
                *keys += bits >> bit & 1;
            }
        }
        (self.refused.clone(), keys)
    }
}

fn told(first: &FirstRecord) -> First<'_> {
    First { time: first.time, outcomes: first.outcomes, ..First::default() }
}
