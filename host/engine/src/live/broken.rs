//! Broken rules: the reducer's `check` is asked at snapshots, never per batch, of every key that
//! changed since it was asked last.

use super::error::LiveError;
use super::owned::{Owned, derive};
use retally_core::state::Slot;
use std::collections::BTreeMap;

/// What `check` said of keys.
#[derive(Default)]
pub(super) struct Checked {
    /// Of each key whether it was asked as it is now.
    is_checked: Vec<bool>,
    /// Keys that break rules, and which.
    broken: BTreeMap<Slot, Vec<String>>,
}

impl Checked {
    /// Some keys changed.
    pub(super) fn changed(&mut self, slots: &[Slot]) {
        for &slot in slots {
            if let Some(is_checked) = self.is_checked.get_mut(slot as usize) {
                *is_checked = false;
            }
        }
    }

    /// How many rules are broken.
    pub(super) fn count(&self) -> u64 {
        self.broken.values().map(|own| own.len() as u64).sum()
    }
}

impl Owned {
    /// Asks `check`. Gives what is broken now and was not before, a sentence each.
    ///
    /// # Errors
    /// When it does not return.
    pub(super) fn check_rules(&mut self) -> Result<Vec<String>, LiveError> {
        let rules = self.fold.recipe.description().violations.clone();
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let keys = &self.fold.shards[0].keys;
        let Checked { is_checked, broken } = &mut self.checked;
        is_checked.resize(keys.len(), false);
        let (mut due, mut before) = (Vec::new(), BTreeMap::new());
        for (slot, is_checked) in (0..).zip(is_checked.iter_mut()) {
            if !std::mem::replace(is_checked, true) {
                before.extend(broken.remove_entry(&slot));
                due.push(slot);
            }
        }
        let mut new = Vec::new();
        derive(&mut self.fold, due, |call, finals| {
            for violated in &finals.violated {
                let slot = call[violated.owner as usize].1;
                let rule = &rules[usize::from(violated.code)].code;
                let key = String::from_utf8_lossy(finals.keys.get(violated.owner as usize));
                let told = format!("the key {key:?} breaks {rule}: {}", violated.detail);
                if !before.get(&slot).is_some_and(|before: &Vec<String>| before.contains(&told)) {
                    new.push(told.clone());
                }
                broken.entry(slot).or_default().push(told);
            }
        })?;
        Ok(new)
    }
}
