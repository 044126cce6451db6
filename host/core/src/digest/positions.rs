//! Which events of the log a run has a record of: the outcomes' digest covers what became of them
//! in order, this one where they lie. A log may have gaps, and a subset leaves events out.
//!
//! ```text
//! positions  SHA-256 over, in the canonical writing of crate::digest::canonical:
//!   "retally positions v1": text
//!   partitions with a record: list, in byte order of their names, of
//!     name: text | SHA-256 over its runs: hash
//! run        first offset: u64 | how many consecutive offsets: u64     (little-endian; as long as
//!                                                                       can be, in log order)
//! ```

use super::{Canonical, Hash};
use crate::log::PartitionIndex;
use crate::reduce::{Block, Outcome};
use sha2::{Digest, Sha256};

/// The positions of the events of a run so far.
#[derive(Debug, Clone, Default)]
pub struct Positions {
    /// By the run's numbers of partitions.
    partitions: Vec<Runs>,
}

/// The runs of one partition.
#[derive(Debug, Clone, Default)]
struct Runs {
    hasher: Sha256,
    /// The run that the next event may continue: its first offset and how many events.
    first: u64,
    events: u64,
}

impl Runs {
    #[inline]
    fn add(&mut self, first: u64, events: u64) {
        if self.events > 0 && self.first + self.events == first {
            self.events += events;
        } else if events > 0 {
            self.close();
            (self.first, self.events) = (first, events);
        }
    }

    fn close(&mut self) {
        if self.events > 0 {
            self.hasher.update(self.first.to_le_bytes());
            self.hasher.update(self.events.to_le_bytes());
        }
    }
}

impl Positions {
    /// Adds the events of a block. `filtered`: whether it has any that leave no record, which
    /// whoever counts them knows.
    pub fn add(&mut self, block: &Block, filtered: bool) {
        let mut event = 0;
        for stretch in &block.stretches {
            let events = stretch.events as usize;
            let outcomes = block.outcomes.get(event..event + events).unwrap_or_default();
            event += events;
            let runs = self.of(stretch.partition);
            if !filtered {
                runs.add(stretch.first_offset, outcomes.len() as u64);
                continue;
            }
            let mut offset = stretch.first_offset;
            for alike in outcomes.chunk_by(|a, b| is_filtered(a) == is_filtered(b)) {
                if !is_filtered(&alike[0]) {
                    runs.add(offset, alike.len() as u64);
                }
                offset += alike.len() as u64;
            }
        }
    }

    /// Adds consecutive events of a partition that have a record.
    pub fn add_run(&mut self, partition: PartitionIndex, first: u64, events: u64) {
        self.of(partition).add(first, events);
    }

    fn of(&mut self, partition: PartitionIndex) -> &mut Runs {
        let number = partition as usize;
        if self.partitions.len() <= number {
            self.partitions.resize_with(number + 1, Runs::default);
        }
        &mut self.partitions[number]
    }

    /// The digest. `names`: of the partitions, in the order of the run's numbers.
    pub fn digest(&self, names: &[String]) -> Hash {
        let named = names.iter().zip(&self.partitions);
        let mut taken: Vec<_> = named.filter(|(_, runs)| runs.events > 0).collect();
        taken.sort_unstable_by_key(|(name, _)| *name);
        let mut canonical = Canonical::new("retally positions v1");
        canonical.number(taken.len() as u64);
        for (name, runs) in taken {
            let mut runs = runs.clone();
            runs.close();
            canonical.text(name).hash(&Hash(runs.hasher.finalize().into()));
        }
        canonical.finish()
    }
}

fn is_filtered(outcome: &Outcome) -> bool {
    *outcome == Outcome::Filtered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Stretch;

    fn block(stretches: &[(u32, u64, &[Outcome])]) -> Block {
        let stretch = |&(partition, first_offset, outcomes): &(u32, u64, &[Outcome])| Stretch {
            partition,
            first_offset,
            events: outcomes.len() as u32,
        };
        Block {
            stretches: stretches.iter().map(stretch).collect(),
            outcomes: stretches.iter().flat_map(|(_, _, outcomes)| outcomes.to_vec()).collect(),
            ..Block::default()
        }
    }

    #[test]
    fn positions_are_told_apart_and_cuts_are_not() {
        use Outcome::{Applied as A, Filtered as F, Ignored as I};
        let names = ["b", "a"].map(str::to_owned);
        let digest = |blocks: &[Block], filtered| {
            let mut positions = Positions::default();
            blocks.iter().for_each(|block| positions.add(block, filtered));
            positions.digest(&names)
        };
        let whole = digest(&[block(&[(0, 5, &[A, I, A, A]), (1, 0, &[I])])], false);
        // Recomputed in Python with hashlib.
        assert_eq!(whole.to_string(), PINNED);
        let cut = [block(&[(0, 5, &[A]), (0, 6, &[A]), (1, 0, &[I])]), block(&[(0, 7, &[I, I])])];
        assert_eq!(digest(&cut, true), whole);
        let filtered = digest(&[block(&[(0, 3, &[F, F, A, A, A, A, F]), (1, 0, &[A, F])])], true);
        assert_eq!(filtered, whole);
        let moved = digest(&[block(&[(0, 5, &[A, I, A]), (0, 9, &[A]), (1, 0, &[I])])], false);
        assert_ne!(moved, whole);
        assert_ne!(digest(&[block(&[(0, 5, &[A, F, A, A, A]), (1, 0, &[I])])], true), whole);
    }

    const PINNED: &str = "a7d201ac9859eec75f7be15209ad7dd3f93115a2618307f0604e2981ad715c94";
}
