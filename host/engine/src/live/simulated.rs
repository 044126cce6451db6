//! A group, a log and transactions in memory, in which anything may happen that happens to Kafka:
//! workers die, are added, lose partitions without being asked, and transactions end so that nobody
//! knows how. All of it follows from a seed, so whatever fails fails again.

use super::broker::{Broker, Taken, Told, Transaction};
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
    /// What was published: topic, key, value, where the event lies.
    pub(super) published: Vec<(String, String, String, String)>,
    pub(super) owner: BTreeMap<i32, u64>,
    /// Who was asked to give which partition up.
    pub(super) asked: BTreeSet<(u64, i32)>,
    /// Who has not given up yet what somebody else may have: a broker knows members, and not who
    /// of them has what.
    pub(super) late: BTreeSet<(u64, i32)>,
    told: BTreeMap<u64, Vec<Told>>,
    /// Of each worker what it reads, and from where.
    pub(super) reads: BTreeMap<(u64, i32), u64>,
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
            published: Vec::new(),
            owner: BTreeMap::new(),
            asked: BTreeSet::new(),
            late: BTreeSet::new(),
            told: BTreeMap::new(),
            reads: BTreeMap::new(),
            under_way: BTreeMap::new(),
        }
    }

    pub(super) fn tell(&mut self, worker: u64, told: Told) {
        self.told.entry(worker).or_default().push(told);
    }

    /// Ends a transaction as a broker would: whole, and only by a member that may have what it
    /// commits.
    fn commit(&mut self, worker: u64, transaction: &Transaction) -> bool {
        let owns = |own: &(i32, u64, String)| {
            self.owner.get(&own.0) == Some(&worker) || self.late.contains(&(worker, own.0))
        };
        if !transaction.offsets.iter().all(owns) {
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
            self.committed.insert(*partition, (*offset, mark.clone()));
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
        let fails = self.is_rough && self.dice.is(percent);
        let ended = Some(!fails && self.commit(worker, &transaction));
        if let Some(own) = self.under_way.get_mut(&worker) {
            own.ended = ended;
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
            let is_known = !world.is_rough || !world.dice.is(15);
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
            return Ok(dice.is(50).then_some(Taken::End));
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
            world.late.remove(&(self.id, *partition));
        }
        // One that was lost may be given to it once more already.
        let is_asked = |own: &&i32| world.asked.contains(&(self.id, **own));
        if partitions.iter().find(is_asked).is_some() {
            // The client takes this as the answer to all that it was asked for.
            let of_it = |asked: &(u64, i32)| asked.0 == self.id;
            for asked in world.asked.extract_if(.., of_it) {
                world.owner.remove(&asked.1);
                if !partitions.contains(&asked.1) {
                    world.late.insert(asked);
                }
            }
        }
        Ok(())
    }

    fn committed(&mut self, partitions: &[i32]) -> Result<Vec<Option<(u64, String)>>, LiveError> {
        let world = &mut *self.world.borrow_mut();
        // Nobody is told before what is open has ended.
        let is_open = |own: &UnderWay| {
            own.transaction.offsets.iter().any(|(partition, ..)| partitions.contains(partition))
        };
        let open: Vec<u64> =
            world.under_way.iter().filter(|(_, own)| is_open(own)).map(|(id, _)| *id).collect();
        open.into_iter().for_each(|worker| world.end(worker, 50));
        Ok(partitions.iter().map(|own| world.committed.get(own).cloned()).collect())
    }

    fn ends(&mut self, partition: i32) -> Result<Range<u64>, LiveError> {
        let last = |own: &Vec<(u64, String)>| own.last().map_or(0, |(offset, _)| offset + 1);
        Ok(0..last(&self.world.borrow().log[&partition]))
    }

    fn end(&mut self, partition: i32) -> Option<u64> {
        self.ends(partition).ok().map(|ends| ends.end)
    }

    fn submit(&mut self, transaction: Transaction) {
        let world = &mut *self.world.borrow_mut();
        let polls = if world.is_rough { 1 + world.dice.below(4) } else { 1 };
        world.under_way.insert(self.id, UnderWay { transaction, polls, ended: None });
    }

    fn leave(&mut self) {}
}
