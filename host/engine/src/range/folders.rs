//! Folders of times: which partitions can hold nothing of what a range asks for, and are not looked
//! at.

use super::places::{Asked, Of, UNKNOWN};
use super::{Bound, FLAGS};
use retally_core::log::Micros;

impl Of<'_> {
    /// Which partitions can hold no event before `--to`, as their folders say.
    pub(super) fn behind(&self, asked: &Asked<'_>, notes: &mut Vec<String>) -> Vec<bool> {
        let (None | Some(Bound::Time(_)), Some(Bound::Time(to))) = (asked.from, asked.to) else {
            return Vec::new();
        };
        let behind: Vec<bool> =
            self.log.within(&(Micros::MIN..*to)).into_iter().map(|can| !can).collect();
        let count = behind.iter().filter(|behind| **behind).count();
        notes.extend(self.told(count, ("behind", FLAGS[1])));
        behind
    }

    /// Of partitions that lie in front of the range, as their folders say, where they end, if they
    /// need not be looked at for that: a snapshot says it, or nobody asks.
    pub(super) fn in_front(&self, asked: &Asked<'_>, notes: &mut Vec<String>) -> Vec<Option<u64>> {
        let Some(Bound::Time(from)) = asked.from else { return Vec::new() };
        let mut front: Vec<bool> =
            self.log.within(&(*from..Micros::MAX)).into_iter().map(|can| !can).collect();
        if self.order.is_in_turn() {
            // What stands behind the place is not asked where it ends.
            let first = front.iter().take_while(|own| **own).count();
            front.iter_mut().skip(first).for_each(|own| *own = false);
        }
        // Of something it is told what times the log has.
        if front.iter().all(|own| *own) {
            front.iter_mut().rev().take(1).for_each(|own| *own = false);
        }
        if !front.contains(&true) {
            return Vec::new();
        }
        let ends = match self.skips_front(asked) {
            true => vec![Some(UNKNOWN); front.len()],
            false => (asked.ends)(),
        };
        let own = front.into_iter().zip(ends).map(|(own, end)| end.filter(|_| own));
        let own: Vec<Option<u64>> = own.collect();
        let count = own.iter().flatten().count();
        notes.extend(self.told(count, ("in front of", FLAGS[0])));
        own
    }

    fn told(&self, count: usize, (side, flag): (&str, &str)) -> Option<String> {
        let all = self.names.len();
        (count > 0).then(|| {
            format!(
                "{count} of {all} partitions lie in folders of times {side} {flag} and are not \
                 looked at"
            )
        })
    }

    /// Whether nobody asks where partitions in front of the range end: they come one after another,
    /// so that one place says where the range begins.
    pub(super) fn skips_front(&self, asked: &Asked<'_>) -> bool {
        self.order.is_in_turn() && asked.empty_state && !asked.saves
    }
}
