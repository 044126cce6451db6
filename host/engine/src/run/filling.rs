//! Small slabs of a batch that are put together, to be decoded as one: a log of many small objects
//! has one for each, and a slab costs more than its few events. Which come together depends on the
//! log alone, and nothing depends on it.

use crate::limits::{SLAB_BYTES, SLAB_EVENTS};
use retally_core::decode::Placed;

/// See the module.
#[derive(Default)]
pub(crate) struct Filling {
    slabs: Vec<Placed>,
    events: usize,
    bytes: usize,
}

impl Filling {
    /// Takes a slab of so many bytes. Gives what has no room for it, and what is full with it.
    pub(crate) fn put(&mut self, placed: Placed, bytes: usize) -> [Option<Vec<Placed>>; 2] {
        let events = placed.slab.len();
        let is_over = self.events + events > SLAB_EVENTS || self.bytes + bytes > SLAB_BYTES;
        let before = if is_over { self.take() } else { None };
        self.slabs.push(placed);
        self.events += events;
        self.bytes += bytes;
        // A second one as large as this would hardly fit.
        let is_full = self.events >= SLAB_EVENTS / 2;
        [before, if is_full { self.take() } else { None }]
    }

    /// What was put together so far.
    pub(crate) fn take(&mut self) -> Option<Vec<Placed>> {
        let all = std::mem::take(self).slabs;
        (!all.is_empty()).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::decode::{Lines, Slab};
    use retally_core::log::Offsets;
    use std::sync::Arc;

    fn placed(partition: u32, events: usize) -> Placed {
        let (bytes, ends) = (vec![b'\n'; events], (1..=events as u32).collect());
        let lines = Lines { bytes, ends, ..Lines::default() };
        let (offsets, folders, beside) = (Offsets::From(0), Arc::default(), None);
        let slab = Arc::new(Slab::Lines(lines));
        Placed { partition, name: partition.to_string().into(), offsets, folders, beside, slab }
    }

    /// The partitions of what came together.
    fn together(slabs: &[(usize, usize)]) -> Vec<Vec<u32>> {
        let mut filling = Filling::default();
        let mut all = Vec::new();
        for (partition, &(events, bytes)) in (0..).zip(slabs) {
            all.extend(filling.put(placed(partition, events), bytes).into_iter().flatten());
        }
        all.extend(filling.take());
        all.iter().map(|one| one.iter().map(|placed| placed.partition).collect()).collect()
    }

    #[test]
    fn small_slabs_come_together_up_to_a_whole_one() {
        let (all, half) = (SLAB_EVENTS, SLAB_EVENTS / 2);
        assert_eq!(
            together(&[(all, 1), (half, 1), (1, 1), (1, 1)]),
            [vec![0], vec![1], vec![2, 3]]
        );
        // What is half full already takes nothing that is more than the rest.
        assert_eq!(together(&[(half - 1, 1), (all, 1)]), [vec![0], vec![1]]);
        assert_eq!(together(&[(half - 1, 1), (half, 1)]), [vec![0, 1]]);
        let bytes = SLAB_BYTES;
        assert_eq!(together(&[(1, bytes), (1, 1), (1, bytes - 1)]), [vec![0], vec![1, 2]]);
        assert!(together(&[]).is_empty());
    }
}
