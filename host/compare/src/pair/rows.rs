//! What one side made of a call, by row: what became of each event, which records it emitted and
//! which view rows stand after it.

use retally_core::reduce::{Answer, Outcome};

/// Where the items of each row lie in a list that is sorted by row.
#[derive(Debug, Default)]
pub(super) struct Starts(Vec<u32>);

/// Items `at..at + len` of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) at: u32,
    pub(super) len: u32,
}

impl Starts {
    /// `owners`: the row of each item, never decreasing.
    pub(super) fn new(owners: &[u32], rows: usize) -> Self {
        let mut starts = vec![0; rows + 1];
        for &owner in owners {
            starts[owner as usize + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Self(starts)
    }

    #[inline]
    pub(super) fn of(&self, row: u32) -> Range {
        let at = self.0[row as usize];
        Range { at, len: self.0[row as usize + 1] - at }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// What became of each row: applied, rejected or trapped.
    pub(super) whats: Vec<Outcome>,
    /// For each shared emit kind where the records of each row lie.
    pub(super) emits: Vec<Starts>,
    /// Where the view rows after each row lie.
    pub(super) views: Starts,
}

impl Rows {
    /// Sorts an answer of `rows` events; `kinds`: the numbers of the shared emit kinds.
    pub(super) fn new(
        answer: &Answer,
        trapped: &[u32],
        rows: usize,
        kinds: impl Iterator<Item = usize>,
    ) -> Self {
        let mut whats = vec![Outcome::Applied; rows];
        answer.rejects.iter().for_each(|r| whats[r.row as usize] = Outcome::Rejected(r.code));
        trapped.iter().for_each(|&row| whats[row as usize] = Outcome::Trapped);
        let emits = kinds.map(|kind| Starts::new(&answer.emits[kind].rows, rows)).collect();
        Self { whats, emits, views: Starts::new(&answer.trace.owners, rows) }
    }
}
