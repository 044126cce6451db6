//! The worker: a loop of small steps, driven by what the broker tells. It knows no clock and no
//! socket, so that a simulator can drive it through anything that may happen, seed by seed.
//!
//! Per step: hear what happened, fold what there is (each partition a slab, so that none starves
//! another), commit what is due, save snapshots, hand over what is asked for.

use super::broker::{Broker, Taken, Told, Transaction};
use super::doubt::Doubt;
use super::error::LiveError;
use super::mark::Mark;
use super::memory::TooMuch;
use super::owned::{Owned, Poison, Sealed};
use super::saving::Saving;
use super::setup::Setup;
use super::status::{PartitionStatus, Standing, Status, Watch};
use crate::limits::{LIVE_BATCH_BYTES, LIVE_FAREWELL, LIVE_STUCK, LIVE_WAIT};
use crate::log::LogError;
use retally_core::decode::Placed;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub(crate) struct Worker<'a, B: Broker> {
    pub(super) setup: Arc<Setup>,
    pub(super) broker: B,
    pub(super) watch: &'a dyn Watch,
    /// Finishes when every partition is where it ended when it was given.
    pub(super) until_end: bool,
    pub(super) slots: BTreeMap<i32, Slot>,
    pub(super) inflight: Option<Inflight>,
    /// Partitions that are to be given up.
    pub(super) leaving: BTreeSet<i32>,
    pub(super) saving: Saving,
    pub(super) status: Status,
    pub(super) now: Duration,
    submitted: Duration,
    told: Duration,
    is_busy: bool,
    /// Since when there is something for the next transaction.
    batch: Option<Duration>,
    pub(super) is_finishing: bool,
    pub(super) was_given: bool,
    /// Why it finishes by itself, before it is done.
    pub(super) too_much: Option<TooMuch>,
}

/// A partition that was given to this worker.
pub(super) struct Slot {
    pub(super) state: State,
    pub(super) committed: Option<(u64, Mark)>,
    /// What the topic had of it when it was given.
    pub(super) ends: Range<u64>,
    /// Records that were read, and wait until something else is done.
    pub(super) rest: Option<Placed>,
    /// Snapshots that turned out to be damaged.
    pub(super) spoiled: BTreeSet<String>,
    pub(super) given: Duration,
    pub(super) recovery: Option<Duration>,
}

/// What a partition does.
pub(super) enum State {
    Works(Box<Owned>),
    /// An event cannot be folded: it is taken over once more, up to there.
    Fell(Poison),
    /// A snapshot that it stands on is damaged: it is taken over once more, from another.
    Spoiled,
    Stopped(String),
}

/// A transaction that is under way.
pub(super) struct Inflight {
    pub(super) parts: BTreeMap<i32, Sealed>,
    pub(super) began: Duration,
    /// How often it was sent.
    pub(super) tries: u32,
    /// Nobody knows how it ended.
    pub(super) doubt: Option<Doubt>,
}

impl Slot {
    /// The partition, if it works.
    pub(super) fn owned(&self) -> Option<&Owned> {
        match &self.state {
            State::Works(owned) => Some(owned),
            State::Fell(_) | State::Spoiled | State::Stopped(_) => None,
        }
    }

    pub(super) fn owned_mut(&mut self) -> Option<&mut Owned> {
        match &mut self.state {
            State::Works(owned) => Some(owned),
            State::Fell(_) | State::Spoiled | State::Stopped(_) => None,
        }
    }

    pub(super) fn reached(&self) -> u64 {
        self.committed.as_ref().map_or(0, |(offset, _)| *offset)
    }
}

impl<'a, B: Broker> Worker<'a, B> {
    pub(super) fn new(setup: Setup, broker: B, watch: &'a dyn Watch) -> Self {
        Self {
            setup: Arc::new(setup),
            broker,
            watch,
            until_end: false,
            slots: BTreeMap::new(),
            inflight: None,
            leaving: BTreeSet::new(),
            saving: Saving::default(),
            status: Status::default(),
            now: Duration::ZERO,
            submitted: Duration::ZERO,
            told: Duration::ZERO,
            is_busy: false,
            batch: None,
            is_finishing: false,
            was_given: false,
            too_much: None,
        }
    }

    /// Asks it to finish: [`Worker::step`] tells when it is done.
    pub(super) fn finish(&mut self) {
        self.is_finishing = true;
        self.leaving.extend(self.slots.keys());
    }

    /// Waits no longer for brokers that are away, or for a transaction that does not end, for who
    /// asked it to finish so long ago.
    pub(super) fn gives_up(&self, asked: Duration) -> Result<(), LiveError> {
        let is_stuck = self.inflight.is_some() && asked >= LIVE_FAREWELL + LIVE_STUCK;
        let why = match &self.status.away {
            Some(away) if asked >= LIVE_FAREWELL => format!("brokers do not answer ({away})"),
            _ if is_stuck => "its last transaction does not come to an end".to_owned(),
            _ => return Ok(()),
        };
        Err(LiveError::Broker(LogError::new(format!(
            "it is to finish, and {why}: what is not committed is left to whoever takes its \
             partitions over, and nothing of it is lost"
        ))))
    }

    /// One step at a time on the worker's clock. Gives whether it has finished.
    pub(super) fn step(&mut self, now: Duration) -> Result<bool, LiveError> {
        self.now = now;
        let due = match self.inflight {
            // What is due waits for its end, which is told.
            Some(_) => LIVE_WAIT,
            None => (self.submitted + self.setup.interval).saturating_sub(now),
        };
        let wait = if self.is_busy { Duration::ZERO } else { due.min(LIVE_WAIT) };
        let told = self.broker.poll(wait)?;
        let is_away = told.iter().any(|told| matches!(told, Told::Away(_)));
        if !is_away && self.status.away.take().is_some() {
            self.watch.note("brokers answer again");
        }
        told.into_iter().try_for_each(|told| self.hear(told))?;
        self.settle_doubt()?;
        self.is_busy = self.work()?;
        self.batch = self.batch.or(self.is_busy.then_some(now));
        self.recover_fallen()?;
        self.submit_if_due();
        self.save_snapshots();
        self.hand_over()?;
        if self.now >= self.told + LIVE_WAIT {
            self.tell();
        }
        if self.until_end && self.is_at_end() {
            self.finish();
        }
        let is_done = self.is_finishing && self.slots.is_empty() && self.inflight.is_none();
        if is_done {
            self.broker.leave();
            if let Some(too_much) = &self.too_much {
                return Err(too_much.error());
            }
        }
        Ok(is_done)
    }

    fn hear(&mut self, told: Told) -> Result<(), LiveError> {
        match told {
            Told::Given(partitions) => self.given(&partitions),
            Told::Asked(partitions) => {
                self.leaving.extend(partitions);
                Ok(())
            }
            Told::Lost(partitions) => {
                for partition in &partitions {
                    self.forget(*partition);
                }
                self.watch.note(&format!("lost partitions {}", listed(&partitions)));
                self.broker.release(&partitions)
            }
            Told::Committed => {
                if let Some(inflight) = self.inflight.take() {
                    self.note_time(inflight.began);
                    self.settled(inflight.parts);
                }
                Ok(())
            }
            Told::Uncertain(why) => {
                self.doubt(why);
                Ok(())
            }
            Told::Away(why) => {
                if self.status.away.is_none() {
                    self.watch.note(&format!("brokers do not answer: {why}; waits for them"));
                }
                self.status.away = Some(why);
                Ok(())
            }
        }
    }

    /// It is no longer this worker's, or begins anew: what is under way of it is of no matter here,
    /// for whoever takes it over reads what is committed once that has ended.
    pub(super) fn forget(&mut self, partition: i32) {
        self.slots.remove(&partition);
        if let Some(inflight) = &mut self.inflight {
            inflight.parts.remove(&partition);
        }
        self.leaving.remove(&partition);
        self.saving.forget(partition);
        if let Some(PartitionStatus { standing: Standing::Stopped(_), .. }) =
            self.status.partitions.remove(&partition)
        {
            self.status.stopped += 1;
        }
    }

    pub(super) fn stop(&mut self, partition: i32, why: String) {
        self.watch.stopped(partition, &why);
        if let Some(slot) = self.slots.get_mut(&partition) {
            slot.state = State::Stopped(why);
            slot.rest = None;
        }
    }

    /// Folds what there is. Gives whether there was anything.
    fn work(&mut self) -> Result<bool, LiveError> {
        let mut is_busy = false;
        let own = self.slots.keys().copied().filter(|own| !self.leaving.contains(own));
        for partition in own.collect::<Vec<_>>() {
            let was_busy = self.work_on(partition)?;
            is_busy |= was_busy;
            let is_over = was_busy && self.finishes_for_memory();
            self.keys_elsewhere(partition);
            self.arrive(partition)?;
            if is_over {
                break;
            }
        }
        Ok(is_busy)
    }

    fn work_on(&mut self, partition: i32) -> Result<bool, LiveError> {
        let Some(slot) = self.slots.get_mut(&partition) else { return Ok(false) };
        let State::Works(owned) = &mut slot.state else { return Ok(false) };
        // What waits for a transaction fills no memory.
        if owned.is_at_barrier() || owned.waiting() >= LIVE_BATCH_BYTES {
            return Ok(false);
        }
        let taken = match slot.rest.take() {
            Some(rest) => owned.take_placed(rest),
            None => match self.broker.take(partition) {
                // What cannot be read of one partition is nothing to the others.
                Err(error) => {
                    self.stop(partition, error.to_string());
                    return Ok(true);
                }
                Ok(None) => return Ok(false),
                Ok(Some(Taken::End(at))) => {
                    owned.reach(at);
                    return Ok(true);
                }
                Ok(Some(Taken::Records(piece))) => owned.take(piece),
            },
        };
        match taken {
            Ok(Ok(rest)) => slot.rest = rest,
            Ok(Err(poison)) => slot.state = State::Fell(poison),
            Err(LiveError::Snapshot(error)) => self.spoil(partition, &error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// A key lives in one partition. What other workers have cannot be seen here; a replay of the
    /// topic refuses it.
    fn keys_elsewhere(&mut self, partition: i32) {
        let owned = self.slots.get_mut(&partition).and_then(Slot::owned_mut);
        let new = owned.map_or(0..0, Owned::new_keys);
        let Some(owned) = self.slots.get(&partition).and_then(Slot::owned) else { return };
        let found = new.map(|slot| owned.key(slot)).find_map(|key| {
            let has = |(other, slot): &(&i32, &Slot)| {
                let is_there = |owned: &Owned| owned.fold.find(key).is_some();
                **other != partition && slot.owned().is_some_and(is_there)
            };
            let (other, _) = self.slots.iter().find(has)?;
            Some((*other, String::from_utf8_lossy(key).into_owned()))
        });
        let Some((other, key)) = found else { return };
        self.stop(
            partition,
            format!(
                "the key {key:?} has events here and in partition {other}, and live work takes \
                 each partition by itself: have the producer partition by what [source] key names"
            ),
        );
    }

    fn submit_if_due(&mut self) {
        let is_full =
            |slot: &Slot| slot.owned().is_some_and(|owned| owned.waiting() >= LIVE_BATCH_BYTES);
        let is_due = self.now >= self.submitted + self.setup.interval
            || !self.leaving.is_empty()
            || self.slots.values().any(is_full);
        if self.inflight.is_some() || !is_due {
            return;
        }
        let (mut parts, mut failed) = (BTreeMap::new(), Vec::new());
        for (&partition, slot) in &mut self.slots {
            let reached = slot.reached();
            let Some(owned) = slot.owned_mut().filter(|own| own.is_owing(reached)) else {
                continue;
            };
            // Without a snapshot of its own nobody could go on from there.
            if owned.owes_mark && self.saving.is_owed(partition) {
                continue;
            }
            match owned.seal() {
                Ok(sealed) => _ = parts.insert(partition, sealed),
                Err(error) => failed.push((partition, error.to_string())),
            }
        }
        failed.into_iter().for_each(|(partition, why)| self.stop(partition, why));
        self.submitted = self.now;
        if let (Some(since), false) = (self.batch.take(), parts.is_empty()) {
            let took = self.now.saturating_sub(since);
            self.status.batch = [took, self.status.batch[1] + took];
        }
        self.send(parts, 1);
    }

    pub(super) fn send(&mut self, parts: BTreeMap<i32, Sealed>, tries: u32) {
        if parts.is_empty() {
            return;
        }
        let mut transaction = Transaction::default();
        for (&partition, sealed) in &parts {
            transaction.batches.push(sealed.batch.clone());
            transaction.offsets.push((partition, sealed.to, sealed.mark.text()));
        }
        self.broker.submit(transaction);
        self.inflight = Some(Inflight { parts, began: self.now, tries, doubt: None });
    }

    pub(super) fn settled(&mut self, parts: BTreeMap<i32, Sealed>) {
        self.status.transactions += 1;
        for (partition, Sealed { to, mark, batch }) in parts {
            self.status.records += batch.len() as u64;
            if let Some(slot) = self.slots.get_mut(&partition) {
                slot.committed = Some((to, mark));
            }
        }
    }

    fn note_time(&mut self, began: Duration) {
        let took = self.now.saturating_sub(began);
        self.status.transaction = [took, self.status.transaction[1] + took];
    }

    /// Gives up what is asked for, once everything of it is committed and saved: all at once. The
    /// client takes the first answer for the whole of it, and what was given up later would be
    /// somebody else's by then, while this worker, a member still, could commit it.
    fn hand_over(&mut self) -> Result<(), LiveError> {
        let is_ready = |partition: &i32| {
            let inflight = self.inflight.as_ref();
            let owes = |slot: &Slot| slot.owned().is_some_and(|own| own.is_owing(slot.reached()));
            !inflight.is_some_and(|inflight| inflight.parts.contains_key(partition))
                && !self.slots.get(partition).is_some_and(owes)
        };
        if self.leaving.is_empty() || !self.leaving.iter().all(is_ready) {
            return Ok(());
        }
        let ready: Vec<i32> = self.leaving.iter().copied().collect();
        self.tell();
        ready.iter().for_each(|&partition| self.save_last(partition));
        ready.iter().for_each(|&partition| self.forget(partition));
        self.watch.note(&format!("gave up partitions {}", listed(&ready)));
        self.broker.release(&ready)
    }

    /// Whether every partition is where it ended when it was given.
    fn is_at_end(&self) -> bool {
        let is_done = |slot: &Slot| match &slot.state {
            State::Works(owned) => {
                let is_read = owned.is_at_barrier() || owned.next >= slot.ends.end;
                is_read && !owned.is_silent() && !owned.is_owing(slot.reached())
            }
            State::Fell(_) | State::Spoiled => false,
            State::Stopped(_) => true,
        };
        self.was_given && self.slots.values().all(is_done)
    }

    pub(super) fn tell(&mut self) {
        self.told = self.now;
        let mut memory = 0;
        for (partition, slot) in &self.slots {
            let status = self.status.partitions.entry(*partition).or_default();
            status.committed = slot.reached();
            status.end = self.broker.end(*partition).unwrap_or(slot.ends.end);
            status.recovery = slot.recovery;
            let saved = self.setup.snapshots.as_ref().and(self.saving.saved(*partition));
            status.snapshot_age = saved.map(|at| self.now.saturating_sub(at));
            status.snapshot_bytes = self.saving.bytes(*partition);
            match &slot.state {
                State::Works(owned) => {
                    memory += owned.held().all() as u64;
                    status.of(owned);
                }
                State::Fell(_) | State::Spoiled => status.standing = Standing::Recovering,
                State::Stopped(why) => status.standing = Standing::Stopped(why.clone()),
            }
        }
        self.status.memory = memory;
        self.watch.status(&self.status);
    }
}

impl PartitionStatus {
    fn of(&mut self, owned: &Owned) {
        self.standing = match &owned.barrier {
            Some((_, why)) => Standing::Stopped(why.clone()),
            None if owned.is_silent() => Standing::Recovering,
            None => Standing::Live,
        };
        self.next = owned.next;
        let counts = &owned.counts;
        self.outcomes = vec![
            ("applied", counts.applied),
            ("ignored", counts.ignored),
            ("malformed", counts.malformed),
            ("duplicate", counts.duplicates),
            ("conflict", counts.conflicts),
            ("rejected", counts.rejected),
            ("quarantined", counts.quarantined),
        ];
        self.emits = counts.emits;
        self.keys = owned.fold.len() as u64;
        self.violations = owned.checked.count();
        self.end = self.end.max(owned.next);
    }
}

pub(super) fn listed(partitions: &[i32]) -> String {
    let all: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    all.join(", ")
}
