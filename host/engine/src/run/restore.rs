//! What a snapshot holds becomes a fold's memory: one thread reads, another takes in.

use super::error::RunError;
use super::migration::Migration;
use crate::snapshot::{
    Groups, IdSegments, Loaded, LoadedGroup, Past, SnapshotError, SnapshotRef, drop_superseded,
};
use crate::threads::{join, spawn};
use retally_core::dedup::Window;
use retally_core::fold::Fold;
use retally_core::log::PartitionIndex;
use retally_core::snapshot::KeyRows;
use retally_core::state::Slot;
use std::sync::mpsc::{SyncSender, sync_channel};

/// A fold that takes a snapshot in.
pub(crate) struct Restoring<'a> {
    pub fold: &'a mut Fold,
    /// This run's number for each partition of the snapshot.
    pub homes: &'a [PartitionIndex],
    /// If another version made the states.
    pub migration: &'a mut Option<Migration>,
}

/// What comes of a snapshot: keys of a group, then its ids.
enum Came {
    Keys(KeyRows),
    Ids(IdSegments),
}

/// Lists of keys that are read ahead.
const READ_AHEAD: usize = 2;

/// What was taken in of a group.
#[derive(Default)]
struct Group {
    /// The keys, where they are asked for once more.
    keys: Vec<KeyRows>,
    slots: Vec<Option<Slot>>,
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
        let (out, read) = sync_channel(READ_AHEAD);
        let past = std::thread::scope(|scope| {
            let reading = spawn(scope, move || read_all(groups, &out))?;
            let past = segments.open(portion, shards)?;
            // Behind an error what was read ahead is dropped, and the thread ends.
            let mut group = Group::default();
            for came in read {
                match came {
                    Came::Keys(keys) => self.keys(keys, &mut group),
                    Came::Ids(ids) => self.ids(ids, std::mem::take(&mut group), &reference)?,
                }
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

    fn keys(&mut self, keys: KeyRows, group: &mut Group) {
        if self.migration.is_some() {
            group.keys.push(keys);
            return;
        }
        group.slots.extend(self.fold.import_keys(&keys, self.homes));
        if matches!(self.fold.recipe.rules.window, Window::Span(_)) {
            group.keys.push(keys);
        }
    }

    /// Ends a group with its ids.
    fn ids(
        &mut self,
        mut ids: IdSegments,
        mut group: Group,
        reference: &SnapshotRef,
    ) -> Result<(), RunError> {
        if let Some(migration) = self.migration {
            // A state is turned into another once.
            drop_superseded(&mut group.keys, std::iter::empty());
            for keys in &mut group.keys {
                migration.states(keys, &reference.name)?;
                group.slots.extend(self.fold.import_keys(keys, self.homes));
            }
        }
        while let Some(ids) = ids.next(&group.keys)? {
            self.fold.import_ids(&ids, &group.slots);
        }
        Ok(())
    }
}

/// Reads ahead, while somebody takes it.
fn read_all(mut groups: Groups, out: &SyncSender<Came>) -> Result<(), SnapshotError> {
    while let Some(LoadedGroup { mut keys, ids, .. }) = groups.next_group()? {
        while let Some(keys) = keys.next()? {
            if out.send(Came::Keys(keys)).is_err() {
                return Ok(());
            }
        }
        if out.send(Came::Ids(ids)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
