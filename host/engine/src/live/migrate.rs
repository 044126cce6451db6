//! A partition that another version of the reducer worked on: its states become this version's, as
//! this one says (`migrate`), right at the committed offset. Before it, all was computed and
//! published by the version before; behind it, all is by this one. So a snapshot that ends exactly
//! there is asked for, which a worker saves when it gives a partition up; and what it holds is
//! first held against what was committed.

use super::error::LiveError;
use super::mark::Mark;
use super::owned::Owned;
use super::recover::Over;
use crate::run::RunError;
use crate::snapshot::Summary;
use retally_core::fold::Recipe;
use retally_core::log::Position;
use retally_core::snapshot::{Binding, Needed};
use std::sync::Arc;

impl Over<'_> {
    /// The partition with the states of the version before, turned into this one's.
    pub(super) fn migrated(
        &self,
        own: (&Arc<str>, &Binding),
        recipe: &Recipe,
        (offset, mark): (u64, &Mark),
    ) -> Result<Owned, LiveError> {
        let reached = |own: &Summary| own.partitions.first().map_or(0, |reached| reached.offset);
        let all = self.snapshots(own.0)?;
        let newest = all.first().map(reached);
        let is_its =
            |own: &&Summary| reached(own) == offset && own.binding.reducer.sha256 == mark.reducer;
        for summary in all.iter().filter(is_its) {
            match self.turned(summary, own, recipe, (offset, mark)) {
                Err(RunError::Snapshot(error)) => {
                    self.passed_over(&summary.reference.name, &error.to_string());
                }
                turned => return Ok(turned?),
            }
        }
        let newest = newest.map_or("there is none at all".to_owned(), |newest| {
            format!("the newest at or before it ends at {newest}")
        });
        Err(LiveError::Job(format!(
            "no whole snapshot of the version before ends at the committed offset {offset} \
             ({newest}), and from an earlier one this version would come to other states: start \
             the version before once more and have it finish (SIGTERM), which saves one"
        )))
    }

    fn turned(
        &self,
        summary: &Summary,
        (name, binding): (&Arc<str>, &Binding),
        recipe: &Recipe,
        (offset, mark): (u64, &Mark),
    ) -> Result<Owned, RunError> {
        let at = (offset, offset);
        let before = (Needed::from(&summary.binding), &mut None);
        let mut as_it_was = self.restored(summary, (name, &summary.binding), recipe, at, before)?;
        as_it_was.settle_all();
        if let Some(what) = mark.difference(&as_it_was.mark()) {
            return Err(RunError::Snapshot(crate::snapshot::SnapshotError::Broken {
                file: format!("snapshot {}", summary.reference.name),
                why: format!("it differs in its {what} from what was committed where it ends"),
            }));
        }
        drop(as_it_was);
        let mut migration = None;
        let needed = Needed { binding, migrates: Some(self.setup.migrates()) };
        let turned = (needed, &mut migration);
        let mut owned = self.restored(summary, (name, binding), recipe, at, turned)?;
        if let Some(migration) = migration {
            let at = Position { partition: name.to_string(), offset };
            let mut told = migration.told();
            told.checked_keys = self.setup.check_migrated(&owned.fold, &at)?;
            self.watch.note(&format!("partition {}: {told}", self.partition));
            owned.migrated.push(told);
        }
        owned.owes_mark = true;
        owned.touch_all();
        Ok(owned)
    }
}
