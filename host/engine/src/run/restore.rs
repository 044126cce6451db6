//! What a snapshot holds becomes a fold's memory: one thread reads, another takes in.

use super::error::RunError;
use super::migration::Migration;
use crate::snapshot::{Groups, Loaded, LoadedGroup, Past, SnapshotError, SnapshotRef};
use crate::threads::{join, spawn};
use retally_core::fold::Fold;
use retally_core::log::PartitionIndex;
use std::sync::mpsc::{SyncSender, sync_channel};

/// A fold that takes a snapshot in.
pub(crate) struct Restoring<'a> {
    pub fold: &'a mut Fold,
    /// This run's number for each partition of the snapshot.
    pub homes: &'a [PartitionIndex],
    /// If another version made the states.
    pub migration: &'a mut Option<Migration>,
}

impl Restoring<'_> {
    /// Takes in all keys and the ids that have to be there before the first event, and gives the
    /// others. `keys`: how many keys the snapshot says that it has.
    ///
    /// # Errors
    /// A file that is missing, changed or broken, keys that are not all there, and states that
    /// cannot be taken over.
    pub(crate) fn all(&mut self, loaded: Loaded, keys: Option<u64>) -> Result<Past, RunError> {
        let (portion, shards) = (self.fold.recipe.portion, self.fold.shards.len());
        let Loaded { reference, groups, segments, .. } = loaded;
        let (out, read) = sync_channel(1);
        let past = std::thread::scope(|scope| {
            let reading = spawn(scope, move || read_all(groups, &out))?;
            let past = segments.open(portion, shards)?;
            // Behind an error what was read ahead is dropped, and the thread ends.
            for group in read {
                self.group(group, &reference)?;
            }
            join(reading)??;
            Ok::<_, RunError>(past)
        })?;
        if self.migration.is_some() {
            // No file has them as they are now.
            self.fold.shards.iter_mut().for_each(|shard| shard.keys.unsettle());
        }
        let found = self.fold.len() as u64;
        match keys.filter(|&keys| portion.is_all() && keys != found) {
            None => Ok(past),
            Some(keys) => Err(SnapshotError::Broken {
                file: format!("snapshot {}", reference.name),
                why: format!("it says that it has {keys} keys, and its files have {found}"),
            }
            .into()),
        }
    }

    fn group(&mut self, mut group: LoadedGroup, reference: &SnapshotRef) -> Result<(), RunError> {
        if self.migration.is_some() {
            group.drop_superseded();
        }
        let mut slots = Vec::new();
        for keys in &mut group.keys {
            if let Some(migration) = self.migration {
                migration.states(keys, &reference.name)?;
            }
            slots.extend(self.fold.import_keys(keys, self.homes));
        }
        while let Some(ids) = group.ids.next(&group.keys)? {
            self.fold.import_ids(&ids, &slots);
        }
        Ok(())
    }
}

/// Reads ahead, while somebody takes it.
fn read_all(mut groups: Groups, out: &SyncSender<LoadedGroup>) -> Result<(), SnapshotError> {
    while let Some(group) = groups.next_group()? {
        if out.send(group).is_err() {
            break;
        }
    }
    Ok(())
}
