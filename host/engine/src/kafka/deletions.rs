//! Which offsets of a partition have a record without a value: a deletion, which is no event. They
//! are noted one by one, so that whoever reads a partition twice, or less than all of it, counts
//! each once and none that he did not take.
//!
//! ```text
//! number of a page -> a bit for each of its offsets      (4,096 offsets: 512 bytes)
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

const PAGE_OFFSETS: u64 = 4096;

type Page = [u64; (PAGE_OFFSETS / 64) as usize];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Deletions(Mutex<BTreeMap<u64, Box<Page>>>);

impl Deletions {
    /// Notes some, ascending.
    pub(super) fn note(&self, offsets: &[u64]) {
        if offsets.is_empty() {
            return;
        }
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for own in offsets.chunk_by(|a, b| a / PAGE_OFFSETS == b / PAGE_OFFSETS) {
            let empty = || Box::new([0; (PAGE_OFFSETS / 64) as usize]);
            let page = pages.entry(own[0] / PAGE_OFFSETS).or_insert_with(empty);
            for offset in own {
                let (word, bit) = place(*offset);
                page[word] |= 1 << bit;
            }
        }
    }

    /// How many lie within these offsets.
    pub(super) fn within(&self, offsets: &Range<u64>) -> u64 {
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = offsets.end.checked_sub(1).filter(|last| *last >= offsets.start) else {
            return 0;
        };
        let own = pages.range(offsets.start / PAGE_OFFSETS..=last / PAGE_OFFSETS);
        own.map(|(number, page)| count(page, number * PAGE_OFFSETS, offsets)).sum()
    }
}

/// The word and the bit of an offset in its page.
fn place(offset: u64) -> (usize, u64) {
    ((offset % PAGE_OFFSETS / 64) as usize, offset % 64)
}

/// How many of a page, which begins at `first`, lie within these offsets.
fn count(page: &Page, first: u64, offsets: &Range<u64>) -> u64 {
    let words = (0..).zip(page).filter(|(_, word)| **word != 0);
    let of_word = |(number, word): (u64, &u64)| {
        let begins = first + number * 64;
        let from = offsets.start.saturating_sub(begins).min(64);
        let to = offsets.end.saturating_sub(begins).min(64);
        let below = |bits: u64| 1_u64.checked_shl(bits as u32).map_or(u64::MAX, |one| one - 1);
        u64::from((word & below(to) & !below(from)).count_ones())
    };
    words.map(of_word).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_counts_once_and_within_what_was_taken(
            mut offsets in prop::collection::vec(0_u64..20_000, 0..300),
            ranges in prop::collection::vec((0_u64..21_000, 0_u64..21_000), 1..20),
        ) {
            offsets.sort_unstable();
            let all = Deletions::default();
            all.note(&offsets);
            all.note(&offsets[offsets.len() / 2..]);
            offsets.dedup();
            for (start, end) in ranges.into_iter().chain([(0, 20_000)]) {
                let expected = offsets.iter().filter(|own| (start..end).contains(own)).count();
                prop_assert_eq!(all.within(&(start..end)), expected as u64, "{}..{}", start, end);
            }
            prop_assert_eq!(all.within(&(0..u64::MAX)), offsets.len() as u64);
        }
    }
}
