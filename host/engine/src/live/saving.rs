//! Snapshots of partitions, saved beside the work: one at a time, each on the one before it.

use super::broker::Broker;
use super::owned::Owned;
use super::worker::{Slot, Worker};
use crate::sink::Commit;
use crate::snapshot::{SnapshotError, SnapshotRef, Store, Summary};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

/// Snapshots on their way, and those that were saved.
#[derive(Default)]
pub(super) struct Saving {
    partitions: BTreeMap<i32, Own>,
    under_way: Option<(i32, Receiver<Saved>)>,
    /// Waits for each, so that what happens follows from a seed.
    pub(super) waits: bool,
}

/// With the bytes of its files.
type Saved = Result<(SnapshotRef, Option<u64>), SnapshotError>;

/// Of a partition.
#[derive(Default)]
struct Own {
    /// When its last one was saved, or tried, on the worker's clock.
    at: Duration,
    /// Events that it held.
    events: u64,
    saved: Option<Duration>,
    /// Bytes of its files.
    bytes: Option<u64>,
    /// What is not saved yet: no later one is whole without it.
    unsaved: Option<Arc<Commit>>,
    /// How often that was tried.
    tries: u32,
}

/// After a snapshot could not be saved, it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(10);

/// Snapshots of a partition that are kept, whatever else one of them needs.
const KEPT: usize = 3;

/// Broken rules that are told at a snapshot.
const TOLD: usize = 5;

/// So often; then the one on which it builds is taken for damaged.
const TRIES: u32 = 3;

impl Saving {
    /// When the last one of a partition was saved; before the first, when it was taken over.
    pub(super) fn saved(&self, partition: i32) -> Option<Duration> {
        self.partitions.get(&partition)?.saved
    }

    /// Bytes of the files of a partition's last one.
    pub(super) fn bytes(&self, partition: i32) -> Option<u64> {
        self.partitions.get(&partition)?.bytes
    }

    /// Whether something of a partition is still to be saved.
    pub(super) fn is_owed(&self, partition: i32) -> bool {
        self.partitions.get(&partition).is_some_and(|own| own.unsaved.is_some())
    }

    /// The partition is no longer this worker's: what is under way is finished, and nobody builds
    /// on it here.
    pub(super) fn forget(&mut self, partition: i32) {
        self.partitions.remove(&partition);
        self.under_way.take_if(|(own, _)| *own == partition);
    }
}

impl<B: Broker> Worker<'_, B> {
    /// Begins to save what is due, and takes note of what is saved.
    pub(super) fn save_snapshots(&mut self) {
        if !self.note_saved(self.saving.waits) {
            return;
        }
        let now = self.now;
        let is_due = |own: &Own, owned: &Owned, every: Duration, events: Option<u64>| {
            let new = owned.counts.events.saturating_sub(own.events);
            let is_full = events.is_some_and(|events| new >= events);
            match own.unsaved {
                Some(_) => now >= own.at + AGAIN,
                None => new > 0 && (is_full || now >= own.at + every),
            }
        };
        let (every, events) = (self.setup.every, self.setup.every_events);
        for (&partition, slot) in &self.slots {
            let Some(owned) = slot.owned() else { continue };
            let own = self.saving.partitions.entry(partition).or_insert_with(|| Own {
                at: now,
                events: owned.counts.events,
                saved: Some(now),
                ..Own::default()
            });
            // Before anything is committed there is nothing to go on from.
            let may = !owned.is_silent() && slot.committed.is_some();
            if may && is_due(own, owned, every, events) {
                return self.save(partition);
            }
        }
    }

    /// Saves a last one, and waits for it.
    pub(super) fn save_last(&mut self, partition: i32) {
        self.note_saved(true);
        let slot = self.slots.get(&partition).filter(|slot| slot.committed.is_some());
        let Some(owned) = slot.and_then(Slot::owned) else { return };
        let has_new = |own: &Own| own.unsaved.is_some() || owned.counts.events > own.events;
        let known = self.saving.partitions.get(&partition);
        if !owned.is_silent() && known.map_or(owned.counts.events > 0, has_new) {
            self.save_and_wait(partition);
        }
    }

    /// Saves the states that were taken over from another version, where they were, before that is
    /// committed: from its own snapshots nobody but that version goes on.
    pub(super) fn save_migrated(&mut self, partition: i32) {
        let owned = self.slots.get(&partition).and_then(Slot::owned);
        if owned.is_some_and(|owned| owned.owes_mark) {
            self.note_saved(true);
            self.save_and_wait(partition);
        }
    }

    /// Asks a partition's `check`, and tells what it says.
    fn check_rules(&mut self, partition: i32) {
        let Some(owned) = self.slots.get_mut(&partition).and_then(Slot::owned_mut) else { return };
        match owned.check_rules() {
            Ok(broken) => {
                let more = broken.len().saturating_sub(TOLD);
                for told in broken.iter().take(TOLD) {
                    self.watch.note(&format!("partition {partition}: {told}"));
                }
                if more > 0 {
                    self.watch.note(&format!(
                        "partition {partition}: and {more} more; `retally replay` of the topic \
                         lists all of them"
                    ));
                }
            }
            Err(error) => self.stop(partition, error.to_string()),
        }
    }

    fn save_and_wait(&mut self, partition: i32) {
        self.save(partition);
        self.note_saved(true);
    }

    fn save(&mut self, partition: i32) {
        self.check_rules(partition);
        let Some(slot) = self.slots.get_mut(&partition) else { return };
        let committed = slot.reached();
        let Some(owned) = slot.owned_mut() else { return };
        let own = self.saving.partitions.entry(partition).or_default();
        (own.at, own.events) = (self.now, owned.counts.events);
        let Some(folder) = &self.setup.snapshots else { return };
        let commit = own.unsaved.get_or_insert_with(|| Arc::new(owned.snapshot())).clone();
        own.events = commit.head.counts.events;
        let store = Store::within(folder.below(&owned.name));
        let (parent, (out, done)) = (owned.parent.clone(), channel());
        let is_needed =
            move |own: &Summary| own.partitions.first().is_some_and(|own| own.offset <= committed);
        let work = move || {
            let saved = store.save(&commit.head, &commit.pieces, parent.as_ref());
            // How many bytes that were is no reason to save it once more.
            let saved = saved.map(|own| {
                let bytes = store.bytes(&own).ok();
                (own, bytes)
            });
            // What is too much is removed behind the next one, if it cannot be now.
            let _ = saved.is_ok().then(|| store.thin_out(KEPT, is_needed));
            // Whoever lost the partition does not wait for it.
            let _ = out.send(saved);
        };
        match std::thread::Builder::new().name("retally-snapshot".into()).spawn(work) {
            Ok(_) => self.saving.under_way = Some((partition, done)),
            Err(error) => self.watch.note(&format!("no thread saves a snapshot: {error}")),
        }
    }

    /// Takes note of what is saved. Gives whether nothing is under way any more.
    fn note_saved(&mut self, waits: bool) -> bool {
        let Some((partition, done)) = &self.saving.under_way else { return true };
        let partition = *partition;
        let saved = match waits {
            true => done.recv().map_err(|_| TryRecvError::Disconnected),
            false => done.try_recv(),
        };
        let saved = match saved {
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => {
                self.saving.under_way = None;
                return true;
            }
            Ok(saved) => saved,
        };
        self.saving.under_way = None;
        let own = self.saving.partitions.entry(partition).or_default();
        match saved {
            Ok((reference, bytes)) => {
                self.status.snapshots[0] += 1;
                (own.saved, own.bytes) = (Some(self.now), bytes);
                (own.unsaved, own.tries) = (None, 0);
                if let Some(owned) = self.slots.get_mut(&partition).and_then(Slot::owned_mut) {
                    owned.parent = Some(reference);
                }
            }
            Err(error) => {
                self.status.snapshots[1] += 1;
                own.tries += 1;
                if own.tries.is_multiple_of(TRIES) {
                    self.spoil(partition, &error.to_string());
                    return true;
                }
                let seconds = AGAIN.as_secs();
                self.watch.note(&format!(
                    "partition {partition}: its snapshot is not saved: {error}; tries again in \
                     {seconds} seconds"
                ));
            }
        }
        true
    }
}
