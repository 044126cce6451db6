//! One value over the states of many keys that costs only the keys that changed: the sum of their
//! rows' digests, modulo 2^256. What a live worker commits with its offsets.
//!
//! Against faults it is as good as the [tree](super::KeyTree): that two tables of states differ and
//! have one sum by accident has a chance of 2^-256. It is no proof against somebody who chooses
//! states so that sums agree (generalised birthday attacks on sums); a run digest is.

use super::keys::state_row;
use super::{Canonical, Hash};

/// See the module. It begins with no key at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateSum {
    /// The lowest limb first.
    limbs: [u64; 4],
    keys: u64,
}

/// What a key's state adds to a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTerm([u64; 4]);

impl StateTerm {
    /// Of a key, its state and the number of events that were applied to it: the digest of its row
    /// in the tree over states.
    pub fn of(key: &[u8], state: &[u8], applied: u64) -> Self {
        let Hash(bytes) = state_row(key, state, applied);
        let mut limbs = [0; 4];
        for (limb, bytes) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            // Chunks of eight are eight.
            *limb = bytes.iter().rev().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
        }
        Self(limbs)
    }
}

impl StateSum {
    /// A key has this state now, and `before` no longer; none: no state.
    pub fn set(&mut self, before: Option<StateTerm>, now: Option<StateTerm>) {
        if let Some(before) = before {
            self.keys -= 1;
            self.subtract(before);
        }
        if let Some(now) = now {
            self.keys += 1;
            self.add(now);
        }
    }

    fn add(&mut self, StateTerm(term): StateTerm) {
        let mut carry = false;
        for (limb, term) in self.limbs.iter_mut().zip(term) {
            let (sum, over) = limb.overflowing_add(term);
            let (sum, more) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over | more);
        }
    }

    fn subtract(&mut self, StateTerm(term): StateTerm) {
        let mut borrow = false;
        for (limb, term) in self.limbs.iter_mut().zip(term) {
            let (rest, under) = limb.overflowing_sub(term);
            let (rest, more) = rest.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (rest, under | more);
        }
    }

    /// The digest: over the number of keys and the sum.
    pub fn digest(&self) -> Hash {
        let mut sum = [0; 32];
        for (bytes, limb) in sum.chunks_exact_mut(8).zip(self.limbs) {
            bytes.copy_from_slice(&limb.to_le_bytes());
        }
        let mut canonical = Canonical::new("retally state sum v1");
        canonical.number(self.keys).hash(&Hash(sum));
        canonical.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sum_depends_on_what_there_is_and_not_on_how_it_came_to_be(
            steps in vec((0u8..5, vec(any::<u8>(), 0..9)), 0..40)
        ) {
            let mut by_steps = StateSum::default();
            let mut table = std::collections::BTreeMap::new();
            for (applied, (key, state)) in (1..).zip(&steps) {
                let now = (!state.is_empty()).then(|| StateTerm::of(&[*key], state, applied));
                by_steps.set(table.insert(*key, now).flatten(), now);
            }
            let mut at_once = StateSum::default();
            table.values().rev().for_each(|term| at_once.set(None, *term));
            prop_assert_eq!(by_steps.digest(), at_once.digest());
        }
    }

    #[test]
    fn every_part_of_a_row_counts() {
        let of = |key: &[u8], state: &[u8], applied| {
            let mut sum = StateSum::default();
            sum.set(None, Some(StateTerm::of(key, state, applied)));
            sum.digest()
        };
        let all = [of(b"a", b"b", 1), of(b"b", b"a", 1), of(b"a", b"b", 2), of(b"ab", b"", 1)];
        let unlike: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(unlike.len(), all.len());
        assert_ne!(StateSum::default().digest(), of(b"", b"", 0));
    }
}
