//! The steps of both sides held against each other, until the first at which a key parts.
//!
//! A key parts at the first of its events of which something else shows on the two sides: its
//! records of the kinds that both declare, its refusal with the code, or the view after it. An
//! event that was applied and shows none of these, a duplicate and one that is ignored are alike.

use super::differ::{Facing, Span, Spanned, mark, same_views};
use super::half::Half;
use super::looks::{Look, Looks};
use super::rows::{Range, Rows};
use super::shared::Shared;
use super::steps::{At, Step, Steps};
use retally_core::decode::Code;
use retally_core::reduce::Outcome;

/// What shows of an event on one side, beside the view after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    Records,
    Rejected(u16),
    Trapped,
    Conflict,
    Quarantined,
    Malformed(Code),
}

/// What came of walking a key's steps.
#[derive(Debug, Clone, Copy)]
pub(super) enum Walked {
    /// Both sides show the same.
    Same,
    /// A view before the first step is needed to tell.
    Needs,
    /// They part at this step; what the views after it are.
    Parted { step: u32, looks: [Look; 2] },
}

/// See the module.
pub(super) struct Walk<'a> {
    shared: &'a Shared,
    steps: &'a Steps,
    halves: [&'a Half; 2],
    rows: [Rows; 2],
    /// Steps whose records differ.
    records: Vec<bool>,
    /// Steps after which the views differ, of those that both sides applied.
    views: Vec<bool>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(shared: &'a Shared, steps: &'a Steps, halves: [&'a Half; 2]) -> Self {
        let rows = [0, 1].map(|side| {
            let half = halves[side];
            let kinds = shared.emits.iter().map(|emits| emits.kinds[side]);
            let rows = half.grouped.order.len();
            Rows::new(&half.answer, &half.trapped, rows, kinds)
        });
        let marks = vec![false; steps.steps.len()];
        let mut walk = Self { shared, steps, halves, rows, records: marks.clone(), views: marks };
        if shared.twins {
            walk.mark_outcomes();
        }
        walk.mark_records();
        walk.mark_views();
        walk
    }

    /// The rows of a step that both sides applied.
    fn applied(&self, step: &Step) -> Option<[u32; 2]> {
        let [Some(a), Some(b)] = [0, 1].map(|side| self.applied_row(step, side)) else {
            return None;
        };
        Some([a, b])
    }

    /// The row of a step that a side applied.
    pub(super) fn applied_row(&self, step: &Step, side: usize) -> Option<u32> {
        match step.at[side] {
            At::Row(row) if self.rows[side].whats[row as usize] == Outcome::Applied => Some(row),
            _ => None,
        }
    }

    /// Twins' steps are the rows of both calls: what became of one is told here at once.
    fn mark_outcomes(&mut self) {
        let code = |side: usize, what: &Outcome| match *what {
            Outcome::Rejected(code) => Some(self.shared.rejects[side][usize::from(code)]),
            _ => None,
        };
        let [a, b] = [0, 1].map(|side: usize| &self.rows[side].whats);
        for ((a, b), marked) in a.iter().zip(b).zip(&mut self.records) {
            let codes = (code(0, a), code(1, b));
            *marked |= if codes == (None, None) { a != b } else { codes.0 != codes.1 };
        }
    }

    fn mark_records(&mut self) {
        for (number, emits) in self.shared.emits.iter().enumerate() {
            let of = |side: usize| &self.halves[side].answer.emits[emits.kinds[side]];
            let ranges = |[a, b]: [u32; 2]| {
                [self.rows[0].emits[number].of(a), self.rows[1].emits[number].of(b)]
            };
            let (facing, unequal) = self.facing([&of(0).rows, &of(1).rows], ranges);
            let columns = [0, 1].map(|side| of(side).columns.as_slice());
            mark(&emits.fields, columns, &facing, &mut self.records);
            unequal.into_iter().for_each(|step| self.records[step as usize] = true);
        }
    }

    fn mark_views(&mut self) {
        if self.halves[0].imprinted {
            return self.mark_imprints();
        }
        let shared = &self.shared.view;
        let of = |side: usize| &self.halves[side].answer.trace;
        let columns = [0, 1].map(|side| of(side).columns.as_slice());
        let ranges = |[a, b]: [u32; 2]| [self.rows[0].views.of(a), self.rows[1].views.of(b)];
        let (facing, unequal) = self.facing([&of(0).owners, &of(1).owners], ranges);
        mark(shared, columns, &facing, &mut self.views);
        if !shared.row_key.is_empty() {
            // In another order they may still be the same rows.
            for number in 0..self.views.len() {
                if self.views[number]
                    && let Some(rows) = self.applied(&self.steps.steps[number])
                {
                    self.views[number] = !same_views(shared, columns, ranges(rows));
                }
            }
        }
        unequal.into_iter().for_each(|step| self.views[step as usize] = true);
        if self.halves.iter().any(|half| !half.failed.is_empty()) {
            self.mark_failed();
        }
    }

    /// Of twins' calls with imprints: marks where these differ, or where there are none.
    fn mark_imprints(&mut self) {
        let [a, b] = self.halves.map(|half| &half.answer.imprints);
        if [a.len(), b.len()] != [2 * self.views.len(); 2] {
            return self.views.fill(true);
        }
        for ((a, b), differs) in a.chunks_exact(2).zip(b.chunks_exact(2)).zip(&mut self.views) {
            *differs = a != b;
        }
    }

    /// The first step of the group with this number at which anything is marked.
    pub(super) fn first_mark(&self, number: u32) -> Option<u32> {
        self.steps.range(number).find(|&at| self.records[at as usize] || self.views[at as usize])
    }

    /// Views that fail on one side alone differ; on both they are alike.
    fn mark_failed(&mut self) {
        for (number, step) in self.steps.steps.iter().enumerate() {
            let Some(rows) = self.applied(step) else { continue };
            let failed =
                [0, 1].map(|side| self.halves[side].failed.binary_search(&rows[side]).is_ok());
            if failed != [false, false] {
                self.views[number] = failed[0] != failed[1];
            }
        }
    }

    /// What must be equal for steps that both sides applied, and those where the counts differ.
    /// `owners`: the row of the call of each row on both sides.
    fn facing(
        &self,
        owners: [&'a [u32]; 2],
        ranges: impl Fn([u32; 2]) -> [Range; 2],
    ) -> (Facing<'a>, Vec<u32>) {
        if self.shared.twins && owners[0] == owners[1] {
            return (Facing::Aligned(owners[0]), Vec::new());
        }
        let mut facing = Spanned::with_capacity(self.steps.steps.len());
        let mut unequal = Vec::new();
        for (number, step) in self.steps.steps.iter().enumerate() {
            let Some(rows) = self.applied(step) else { continue };
            let [a, b] = ranges(rows);
            if a.len != b.len {
                unequal.push(number as u32);
            } else if a.len > 0 {
                facing.push(Span { step: number as u32, at: [a.at, b.at], len: a.len });
            }
        }
        (Facing::Spanned(facing), unequal)
    }

    fn shown(&self, step: &Step, side: usize) -> Shown {
        let what = match step.at[side] {
            At::Absent => return Shown::Nothing,
            At::Other(what) => what,
            At::Row(row) => self.rows[side].whats[row as usize],
        };
        match what {
            Outcome::Applied => {
                let row = self.applied_row(step, side).unwrap_or_default();
                let any = self.rows[side].emits.iter().any(|kind| kind.of(row).len > 0);
                if any { Shown::Records } else { Shown::Nothing }
            }
            Outcome::Rejected(code) => {
                Shown::Rejected(self.shared.rejects[side][usize::from(code)])
            }
            Outcome::Trapped => Shown::Trapped,
            Outcome::Conflict => Shown::Conflict,
            Outcome::Quarantined => Shown::Quarantined,
            Outcome::Malformed(code) => Shown::Malformed(code),
            Outcome::Duplicate | Outcome::Ignored | Outcome::Filtered => Shown::Nothing,
        }
    }

    /// The row of a step that reached a side's reducer, and what became of it.
    pub(super) fn reached(&self, step: &Step, side: usize) -> Option<(u32, Outcome)> {
        match step.at[side] {
            At::Row(row) => Some((row, self.rows[side].whats[row as usize])),
            _ => None,
        }
    }

    /// Walks the steps of the group with this number.
    pub(super) fn group(&self, number: u32, looks: &Looks) -> Walked {
        if self.shared.twins && self.first_mark(number).is_none() {
            return Walked::Same;
        }
        let mut now = [Look::Before; 2];
        for at in self.steps.range(number) {
            let step = &self.steps.steps[at as usize];
            let applied = [0, 1].map(|side| self.applied_row(step, side));
            for (now, applied) in now.iter_mut().zip(applied) {
                *now = applied.map_or(*now, Look::After);
            }
            let parted = self.shown(step, 0) != self.shown(step, 1)
                || self.records[at as usize]
                || match applied {
                    [Some(_), Some(_)] => self.views[at as usize],
                    [None, None] => false,
                    _ => match looks.same(self, number, now) {
                        Some(same) => !same,
                        None => return Walked::Needs,
                    },
                };
            if parted && !looks.knows(number, now) {
                return Walked::Needs;
            }
            if parted {
                return Walked::Parted { step: at, looks: now };
            }
        }
        Walked::Same
    }

    /// Where the view rows after a row of a side lie; none: the view fails.
    pub(super) fn after(&self, side: usize, row: u32) -> Option<Range> {
        let failed = self.halves[side].failed.binary_search(&row).is_ok();
        (!failed).then(|| self.rows[side].views.of(row))
    }

    pub(super) fn half(&self, side: usize) -> &'a Half {
        self.halves[side]
    }

    pub(super) fn shared(&self) -> &'a Shared {
        self.shared
    }
}
