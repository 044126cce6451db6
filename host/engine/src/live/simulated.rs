//! A group, a log and transactions in memory, in which anything may happen that happens to Kafka:
//! workers die, are added, lose partitions without being asked, and transactions end so that nobody
//! knows how. All of it follows from a seed, so whatever fails fails again.

use super::broker::{Broker, Committed, Taken, Told, Transaction};
use super::error::LiveError;
use crate::log::Piece;
use retally_core::decode::{Folders, Lines, Slab};
use retally_core::log::Offsets;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

pub(super) const PARTITIONS: i32 = 4;

/// Numbers that follow from a seed (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Everything outside of workers.
pub(super) struct World {
    pub(super) dice: Dice,
    /// Whether anything goes wrong.
    pub(super) is_rough: bool,
    /// Of each partition its records, with their offsets.
    pub(super) log: BTreeMap<i32, Vec<(u64, String)>>,
    pub(super) committed: BTreeMap<i32, (u64, String)>,
    /// What was committed before that.
    before: BTreeMap<i32, (u64, String)>,
    /// Workers whose last transaction was not committed.
    failed: BTreeSet<u64>,
    /// What was published: topic, key, value, where the event lies.
    pub(super) published: Vec<(String, String, String, String)>,
    pub(super) owner: BTreeMap<i32, u64>,
    /// Who was asked to give which partition up.
    pub(super) asked: BTreeSet<(u64, i32)>,
    /// Who lost which partition, and has not answered.
    pub(super) lost: BTreeSet<(u64, i32)>,
    told: BTreeMap<u64, Vec<Told>>,
    /// Of each worker what it reads, and from where.
    pub(super) reads: BTreeMap<(u64, i32), u64>,
    /// So many of the next transactions are not committed, and of so many nobody hears.
    pub(super) unsure: (u64, u64),
    /// Transactions under way.
    pub(super) under_way: BTreeMap<u64, UnderWay>,
}

pub(super) struct UnderWay {
    transaction: Transaction,
    /// After how many polls its worker hears of its end.
    polls: u64,
    /// Whether it is committed, once it has ended.
    ended: Option<bool>,
}

/// A worker's own view of the world.
pub(super) struct Simulated {
    pub(super) id: u64,
    pub(super) world: Rc<RefCell<World>>,
}

impl World {
    pub(super) fn new(seed: u64, is_rough: bool) -> Self {
        Self {
            dice: Dice(seed),
            is_rough,
            log: (0..PARTITIONS).map(|partition| (partition, Vec::new())).collect(),
            committed: BTreeMap::new(),
            before: BTreeMap::new(),
            failed: BTreeSet::new(),
            published: Vec::new(),
            owner: BTreeMap::new(),
            asked: BTreeSet::new(),
            lost: BTreeSet::new(),
            told: BTreeMap::new(),
            reads: BTreeMap::new(),
            unsure: (0, 0),
            under_way: BTreeMap::new(),
        }
    }

    pub(super) fn tell(&mut self, worker: u64, told: Told) {
        self.told.entry(worker).or_default().push(told);
    }

    /// Ends a transaction as a broker would: whole, and only by who is a member of the group, and
    /// knows what it lost. What a member owns, it does not look at.
    fn commit(&mut self, worker: u64, transaction: &Transaction) -> bool {
        let lost = |own: &(i32, u64, String)| self.lost.contains(&(worker, own.0));
        if transaction.offsets.iter().any(lost) {
            return false;
        }
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"-")).into_owned();
        for record in transaction.batches.iter().flat_map(|batch| batch.iter()) {
            let at = record.headers.iter().find(|(name, _)| *name == "at").map(|(_, at)| *at);
            let (topic, key) = (record.topic.to_owned(), text(record.key));
            self.published.push((topic, key, text(record.value), text(at)));
        }
        for (partition, offset, mark) in &transaction.offsets {
            let committed = self.committed.insert(*partition, (*offset, mark.clone()));
            self.before.extend(committed.map(|committed| (*partition, committed)));
        }
        true
    }

    /// Ends a transaction that is under way.
    pub(super) fn end(&mut self, worker: u64, percent: u64) {
        let Some(UnderWay { transaction, ended: None, .. }) = self.under_way.get(&worker) else {
            return;
        };
        let transaction = Transaction {
            batches: transaction.batches.clone(),
            offsets: transaction.offsets.clone(),
        };
        let is_refused = self.unsure.0 > 0;
        self.unsure.0 -= u64::from(is_refused);
        let fails = is_refused || self.is_rough && self.dice.is(percent);
        let is_committed = !fails && self.commit(worker, &transaction);
        match is_committed {
            true => _ = self.failed.remove(&worker),
            false => _ = self.failed.insert(worker),
        }
        if let Some(own) = self.under_way.get_mut(&worker) {
            own.ended = Some(is_committed);
        }
    }

    /// Gives every partition that nobody owns to a worker.
    pub(super) fn assign(&mut self, workers: &BTreeSet<u64>) {
        let all: Vec<u64> = workers.iter().copied().collect();
        for partition in 0..PARTITIONS {
            if !self.owner.contains_key(&partition) && !all.is_empty() {
                let worker = all[self.dice.below(all.len() as u64) as usize];
                self.owner.insert(partition, worker);
                self.tell(worker, Told::Given(vec![partition]));
            }
        }
    }

    /// A worker is gone, and nobody asked it.
    pub(super) fn gone(&mut self, worker: u64) {
        self.end(worker, 50);
        self.under_way.remove(&worker);
        self.owner.retain(|_, owner| *owner != worker);
        self.told.remove(&worker);
    }
}

impl Broker for Simulated {
    fn partitions(&mut self) -> Result<u32, LiveError> {
        Ok(PARTITIONS as u32)
    }

    fn poll(&mut self, _: Duration) -> Result<Vec<Told>, LiveError> {
        let world = &mut *self.world.borrow_mut();
        let mut told = world.told.remove(&self.id).unwrap_or_default();
        let is_over = world.under_way.get_mut(&self.id).is_some_and(|own| {
            own.polls = own.polls.saturating_sub(1);
            own.polls == 0
        });
        if is_over {
            world.end(self.id, 15);
            let ended = world.under_way.remove(&self.id).and_then(|own| own.ended);
            let is_committed = ended == Some(true);
            let is_unheard = world.unsure.1 > 0;
            world.unsure.1 -= u64::from(is_unheard);
            let is_known = !is_unheard && (!world.is_rough || !world.dice.is(15));
            told.push(match is_committed && is_known {
                true => Told::Committed,
                false => Told::Uncertain("simulated".to_owned()),
            });
        }
        Ok(told)
    }

    fn own(&mut self, partitions: &[(i32, Option<u64>)]) -> Result<(), LiveError> {
        let world = &mut *self.world.borrow_mut();
        for (partition, from) in partitions {
            if let Some(from) = from {
                world.reads.insert((self.id, *partition), *from);
            }
        }
        Ok(())
    }

    fn seek(&mut self, partition: i32, from: u64) -> Result<(), LiveError> {
        self.own(&[(partition, Some(from))])
    }

    fn take(&mut self, partition: i32) -> Result<Option<Taken>, LiveError> {
        let world = &mut *self.world.borrow_mut();
        let World { reads, log, dice, .. } = world;
        let Some(from) = reads.get_mut(&(self.id, partition)) else { return Ok(None) };
        let there: Vec<&(u64, String)> =
            log[&partition].iter().filter(|(offset, _)| offset >= from).collect();
        if there.is_empty() {
            return Ok(dice.is(50).then_some(Taken::End(*from)));
        }
        let some = &there[..1 + dice.below(there.len().min(20) as u64) as usize];
        let mut lines = Lines::default();
        for (_, line) in some {
            lines.bytes.extend_from_slice(line.as_bytes());
            lines.ends.push(lines.bytes.len() as u32);
        }
        let offsets: Vec<u64> = some.iter().map(|(offset, _)| *offset).collect();
        *from = offsets[offsets.len() - 1] + 1;
        let (offsets, folders) = (Some(Offsets::These(offsets.into())), Folders::default());
        let (slab, beside, end) = (Slab::Lines(lines), None, None);
        Ok(Some(Taken::Records(Piece { slab, offsets, folders, beside, end })))
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), LiveError> {
        let world = &mut *self.world.borrow_mut();
        for partition in partitions {
            world.reads.remove(&(self.id, *partition));
            world.lost.remove(&(self.id, *partition));
        }
        // Whoever answers for one of those that are asked for answers for all of them. One that was
        // lost may be given to it once more already.
        if partitions.iter().any(|own| world.asked.contains(&(self.id, *own))) {
            let World { asked, owner, .. } = world;
            asked.retain(|(worker, partition)| {
                let is_own = *worker == self.id;
                is_own.then(|| owner.remove(partition));
                !is_own
            });
        }
        Ok(())
    }

    fn committed(&mut self, partitions: &[i32]) -> Result<Option<Committed>, LiveError> {
        let world = &mut *self.world.borrow_mut();
        // Nobody is told before what is open has ended.
        let is_open = |own: &UnderWay| {
            own.transaction.offsets.iter().any(|(partition, ..)| partitions.contains(partition))
        };
        let open: Vec<u64> =
            world.under_way.iter().filter(|(_, own)| is_open(own)).map(|(id, _)| *id).collect();
        open.into_iter().for_each(|worker| world.end(worker, 50));
        let may_lag = world.is_rough && world.failed.contains(&self.id);
        let told = |partition: &i32| {
            // A broker that came back may tell less for a while to who asks how something ended.
            let lags = world.reads.contains_key(&(self.id, *partition));
            let before = world.before.get(partition).filter(|_| may_lag && lags);
            let before = before.filter(|_| world.dice.is(20));
            before.or_else(|| world.committed.get(partition)).cloned()
        };
        Ok(Some(partitions.iter().map(told).collect()))
    }

    fn ends(&mut self, partition: i32) -> Result<Option<Range<u64>>, LiveError> {
        Ok(self.end(partition).map(|end| 0..end))
    }

    fn end(&mut self, partition: i32) -> Option<u64> {
        let log = &self.world.borrow().log[&partition];
        Some(log.last().map_or(0, |(offset, _)| offset + 1))
    }

    fn submit(&mut self, transaction: Transaction) {
        let world = &mut *self.world.borrow_mut();
        let polls = if world.is_rough { 1 + world.dice.below(4) } else { 1 };
        world.under_way.insert(self.id, UnderWay { transaction, polls, ended: None });
    }

    fn leave(&mut self) {}
}
