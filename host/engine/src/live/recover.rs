//! Taking a partition over: the newest snapshot at or before what is committed, or the start of the
//! log. What lies between is folded in silence.

use super::error::LiveError;
use super::mark::{How, Mark};
use super::owned::Owned;
use super::setup::Setup;
use super::status::Watch;
use crate::run::{Migration, Restoring, RunError};
use crate::snapshot::{Store, Summary};
use retally_core::fold::{Fold, Recipe};
use retally_core::snapshot::{Binding, Needed};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Of a partition, what is known when it is taken over.
pub(super) struct Over<'a> {
    pub(super) setup: &'a Arc<Setup>,
    pub(super) partition: i32,
    /// What the group has committed of it.
    pub(super) committed: Option<&'a (u64, Mark)>,
    /// How many partitions the topic had when the group committed, of whichever.
    pub(super) before: u32,
    /// What the topic has of it.
    pub(super) ends: Range<u64>,
    /// Snapshots that are known to be damaged.
    pub(super) spoiled: &'a BTreeSet<String>,
    pub(super) watch: &'a dyn Watch,
}

impl Over<'_> {
    /// The partition as far as a snapshot has it.
    pub(super) fn take(&self) -> Result<Owned, LiveError> {
        let name: Arc<str> = self.partition.to_string().into();
        let (recipe, binding) = self.setup.of_partition(&name)?;
        if !self.setup.accept {
            self.same_partitions()?;
        }
        let of_another = |(_, mark): &&(u64, Mark)| mark.reducer != binding.reducer.sha256;
        if let Some((offset, mark)) = self.committed.filter(of_another) {
            if self.setup.migrate {
                return self.migrated((&name, &binding), &recipe, (*offset, mark));
            }
            if !self.setup.accept {
                return Err(self.of_another(mark, &binding));
            }
        }
        let silent_to = self.committed.map_or(0, |(offset, _)| *offset);
        if (1..self.ends.start).contains(&silent_to) {
            return Err(LiveError::Job(format!(
                "offsets {silent_to} to {} are gone, and were not taken: the topic keeps its \
                 records for too short a time. Without them no later result is right: put the \
                 whole log into a topic of another name, from an archive that has them, and run it \
                 there under another job name",
                self.ends.start - 1
            )));
        }
        for summary in self.snapshots(&name)? {
            let at = summary.partitions.first().map_or(0, |reached| reached.offset);
            let as_is = (Needed::from(&binding), &mut None);
            match self.restored(&summary, (&name, &binding), &recipe, (at, silent_to), as_is) {
                Ok(owned) => return Ok(owned),
                Err(error) => self.passed_over(&summary.reference.name, &error.to_string()),
            }
        }
        self.at_start(name, (recipe, binding), silent_to)
    }

    /// Has the marks of a partition tell who applies what from here on.
    pub(super) fn goes_on(&self, owned: &mut Owned) {
        let Some((offset, mark)) = self.committed else {
            let how = if self.setup.accept { How::Accepted } else { How::Begun };
            return owned.applies(0, how);
        };
        owned.applied = mark.applied.clone();
        let is_other = mark.reducer != owned.binding.reducer.sha256;
        if is_other && self.setup.migrate {
            owned.applies(*offset, How::Migrated);
        } else if is_other || mark.partitions != self.setup.partitions {
            owned.applies(*offset, How::Accepted);
        }
    }

    /// With another number of partitions keys lie elsewhere, and their states do not.
    fn same_partitions(&self) -> Result<(), LiveError> {
        let before = self.committed.map_or(self.before, |(_, mark)| mark.partitions);
        let now = self.setup.partitions.max(self.partition as u32 + 1);
        if before == now && now == self.setup.partitions {
            return Ok(());
        }
        Err(LiveError::Job(format!(
            "the topic has {now} partitions, and had {}: events of a key may lie in another \
             partition than those from which its state is. Run it under another job name, which \
             computes everything anew, on a topic in which no key lies in two partitions; or, if \
             no key moved, --accept",
            before.min(self.setup.partitions)
        )))
    }

    /// A worker of another reducer would not come to what is committed.
    fn of_another(&self, mark: &Mark, own: &Binding) -> LiveError {
        let takes = match self.setup.migrates() {
            [] => "",
            _ => "have it take over the states of the one before (--migrate), ",
        };
        LiveError::Job(format!(
            "what is committed was computed by another reducer ({}) than this one ({}): {takes}run \
             the new one under a job name of its own, which computes everything anew from the \
             start of the topic, or go back to the one before",
            mark.reducer, own.reducer.sha256
        ))
    }

    /// Snapshots that may do, the newest first.
    pub(super) fn snapshots(&self, name: &str) -> Result<Vec<Summary>, LiveError> {
        let Some(folder) = &self.setup.snapshots else { return Ok(Vec::new()) };
        let store = Store::within(folder.below(name));
        let mut usable = Vec::new();
        let listed = store.list()?;
        let is_any = !listed.is_empty();
        let sound = listed.into_iter().rev().filter(|(name, _)| !self.spoiled.contains(name));
        for (snapshot, summary) in sound {
            match summary {
                Err(error) => self.passed_over(&snapshot, &error.to_string()),
                Ok(summary) => match of_others(&summary, name) {
                    Some(why) => self.passed_over(&snapshot, &why),
                    None => usable.push(summary),
                },
            }
        }
        match self.committed {
            Some((offset, _)) => {
                usable.retain(|own: &Summary| {
                    let at = own.partitions.first().map_or(u64::MAX, |reached| reached.offset);
                    if at > *offset {
                        let why = format!("it is of offset {at}, and {offset} is committed");
                        self.passed_over(&own.reference.name, &why);
                    }
                    at <= *offset
                });
                Ok(usable)
            }
            None if is_any && !self.setup.accept => Err(LiveError::Job(
                "the group has committed nothing, and there are snapshots of this job: its offsets \
                 expired, the topic was made anew, or the group has another name now. What was \
                 published would be published once more; --accept begins anew from the start of \
                 the topic"
                    .into(),
            )),
            None => {
                if is_any {
                    self.watch.note(&format!(
                        "partition {}: begins anew from the start of the topic, and publishes once \
                         more what was published (--accept)",
                        self.partition
                    ));
                }
                Ok(Vec::new())
            }
        }
    }

    pub(super) fn restored(
        &self,
        summary: &Summary,
        (name, binding): (&Arc<str>, &Binding),
        recipe: &Recipe,
        (at, silent_to): (u64, u64),
        (needed, migration): (Needed<'_>, &mut Option<Migration>),
    ) -> Result<Owned, RunError> {
        if at < self.ends.start && at < silent_to {
            return Err(RunError::Log(crate::log::LogError::new(format!(
                "the topic begins at offset {} by now, and it ends at {at}",
                self.ends.start
            ))));
        }
        let loaded = summary.reference.load(needed)?;
        let head = loaded.head.clone();
        if needed.has_to_migrate(&head.binding) {
            *migration = Some(Migration::new(&head, binding, recipe));
        }
        let recipe = Recipe { seed: head.seed, ..recipe.clone() };
        let mut fold = Fold::resume(recipe, &[name.to_string()], head.outcomes)?;
        let mut restoring = Restoring { fold: &mut fold, homes: &[0], migration };
        let past = restoring.all(loaded, head.keys)?;
        let bound = (name.clone(), binding.clone());
        let mut owned = Owned::new(self.setup.clone(), bound, fold, at, silent_to);
        owned.past = Some(past);
        owned.counts = head.counts;
        owned.migrated = head.migrated;
        owned.parent = Some(summary.reference.clone());
        Ok(owned)
    }

    fn at_start(
        &self,
        name: Arc<str>,
        (recipe, binding): (Recipe, Binding),
        silent_to: u64,
    ) -> Result<Owned, LiveError> {
        if self.ends.start > 0 {
            return Err(LiveError::Job(format!(
                "offsets 0 to {} are gone, and no snapshot holds what they made: the topic keeps \
                 its records for too short a time, or the snapshots are lost: put the snapshots \
                 back, or put the whole log into a topic of another name, from an archive that has \
                 it, and run it there under another job name",
                self.ends.start - 1
            )));
        }
        let fold = Fold::new(recipe, &[name.to_string()]);
        Ok(Owned::new(self.setup.clone(), (name, binding), fold, 0, silent_to))
    }

    pub(super) fn passed_over(&self, snapshot: &str, why: &str) {
        let partition = self.partition;
        self.watch.note(&format!("partition {partition}: passed over snapshot {snapshot}: {why}"));
    }
}

/// Why a snapshot is not one of a worker that had this partition; none: it is.
fn of_others(summary: &Summary, name: &str) -> Option<String> {
    let all: Vec<&str> = summary.partitions.iter().map(|own| own.partition.as_str()).collect();
    match all.as_slice() {
        [own] if *own == name => None,
        [own] => Some(format!("it is of partition {own}")),
        _ => Some(format!(
            "it is a replay's, of several partitions ({}): a worker begins from its own",
            all.join(", ")
        )),
    }
}
