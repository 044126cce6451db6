//! A group, a log and transactions in memory, in which anything may happen that happens to Kafka:
//! workers die, are added, lose partitions without being asked, and transactions end so that nobody
//! knows how. All of it follows from a seed, so whatever fails fails again.

use super::broker::{Broker, Taken, Told, Transaction};
use super::error::LiveError;
use super::setup::{LiveOptions, Setup};
use super::status::{Standing, Watch};
use super::worker::Worker;
use crate::job::{Authored, Resolved};
use crate::log::Piece;
use retally_core::decode::{Folders, Lines, Slab};
use retally_core::digest::Hash;
use retally_core::log::Offsets;
use retally_core::reduce::Reducer;
use retally_core::reduce::native::{Event, Native, Rules};
use retally_core::schema::{
    Description, EmitKind, Field, Input, Kind, StateShape, Value, ViewShape,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const PARTITIONS: i32 = 4;

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Everything outside of workers.
struct World {
    dice: Dice,
    /// Whether anything goes wrong.
    is_rough: bool,
    /// Of each partition its records, with their offsets.
    log: BTreeMap<i32, Vec<(u64, String)>>,
    committed: BTreeMap<i32, (u64, String)>,
    /// What was published: topic, key, value, where the event lies.
    published: Vec<(String, String, String, String)>,
    owner: BTreeMap<i32, u64>,
    /// Who was asked to give which partition up.
    asked: BTreeSet<(u64, i32)>,
    told: BTreeMap<u64, Vec<Told>>,
    /// Of each worker what it reads, and from where.
    reads: BTreeMap<(u64, i32), u64>,
    /// Transactions under way.
    under_way: BTreeMap<u64, UnderWay>,
}

struct UnderWay {
    transaction: Transaction,
    /// After how many polls its worker hears of its end.
    polls: u64,
    /// Whether it is committed, once it has ended.
    ended: Option<bool>,
}

/// A worker's own view of the world.
struct Simulated {
    id: u64,
    world: Rc<RefCell<World>>,
}

impl World {
    fn new(seed: u64, is_rough: bool) -> Self {
        Self {
            dice: Dice(seed),
            is_rough,
            log: (0..PARTITIONS).map(|partition| (partition, Vec::new())).collect(),
            committed: BTreeMap::new(),
            published: Vec::new(),
            owner: BTreeMap::new(),
            asked: BTreeSet::new(),
            told: BTreeMap::new(),
            reads: BTreeMap::new(),
            under_way: BTreeMap::new(),
        }
    }

    fn tell(&mut self, worker: u64, told: Told) {
        self.told.entry(worker).or_default().push(told);
    }

    /// Ends a transaction as a broker would: whole, and only by who owns what it commits.
    fn commit(&mut self, worker: u64, transaction: &Transaction) -> bool {
        let owns = |own: &(i32, u64, String)| self.owner.get(&own.0) == Some(&worker);
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
    fn end(&mut self, worker: u64, percent: u64) {
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
    fn assign(&mut self, workers: &BTreeSet<u64>) {
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
    fn gone(&mut self, worker: u64) {
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
            // One that was lost may be given to it once more already.
            if world.asked.remove(&(self.id, *partition)) {
                world.owner.remove(partition);
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

/// Counts the events of a key, and emits the count; refuses nothing, and traps at an id.
struct Counting;

impl Rules for Counting {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        event: &Event<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)> {
        state.push((event.time % 251) as u8);
        emit(0, &[Some(Value::Integer(state.len() as i64))]);
        Ok(())
    }

    fn view(&self, _key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>])) {
        row(&[Some(Value::Integer(state.len() as i64))]);
    }

    fn check(&self, _key: &[u8], _state: &[u8]) -> Vec<(u16, String)> {
        Vec::new()
    }
}

fn counting() -> Arc<dyn Reducer> {
    let count = Field { name: "count".into(), paths: vec![], kind: Kind::Integer, required: true };
    let input = Input { name: "any".into(), when: vec![], key: vec![], fields: vec![] };
    let description = Description {
        name: "counting".into(),
        version: "1".into(),
        inputs: vec![input],
        params: vec![],
        defaults: vec![],
        emits: vec![EmitKind { name: "count".into(), fields: vec![count.clone()] }],
        view: ViewShape { fields: vec![count], row_key: vec![] },
        state: StateShape { version: 1, layout: "bytes".into(), migrates: vec![] },
        rejects: vec![],
        violations: vec![],
    };
    Arc::new(Native::new(description, Hash([7; 32]), Counting))
}

const JOB: &str = "[job]\nname = \"t\"\nreducer = \"r.wasm\"\n[source]\nurl = \"kafka://h:1/t\"\n\
    key = \"/k\"\nid = \"/i\"\ntime = \"/t\"\n[publish]\nemits = \"{kind}\"\nviews = \"views\"\n\
    refused = \"refused\"\n[live]\ninterval = \"3ms\"\n[snapshots]\nurl = \"snapshots\"\n\
    every = \"40 events\"\n";

/// Tells nobody, and keeps what stopped.
#[derive(Default)]
struct Keeps(RefCell<Vec<String>>);

impl Watch for Keeps {
    fn stopped(&self, partition: i32, why: &str) {
        self.0.borrow_mut().push(format!("{partition}: {why}"));
    }
}

/// A group of workers on a world.
struct Group<'w> {
    world: Rc<RefCell<World>>,
    workers: BTreeMap<u64, Worker<'w, Simulated>>,
    folder: &'w TempDir,
    keeps: &'w Keeps,
    born: u64,
    now: Duration,
}

impl<'w> Group<'w> {
    fn new(world: World, folder: &'w TempDir, keeps: &'w Keeps) -> Self {
        let world = Rc::new(RefCell::new(world));
        Self { world, workers: BTreeMap::new(), folder, keeps, born: 0, now: Duration::ZERO }
    }

    fn add(&mut self) {
        self.born += 1;
        let job = Authored::parse(JOB, "job", self.folder.path()).unwrap();
        let job = Resolved::new(&job).unwrap();
        let names: Vec<String> = (0..PARTITIONS).map(|number| number.to_string()).collect();
        let setup = Setup::new(&job, counting(), &names, &LiveOptions::default()).unwrap();
        let broker = Simulated { id: self.born, world: self.world.clone() };
        let mut worker = Worker::new(setup, broker, self.keeps);
        worker.saving.waits = true;
        self.workers.insert(self.born, worker);
    }

    fn some_worker(&self) -> Option<u64> {
        let all: Vec<u64> = self.workers.keys().copied().collect();
        let at = self.world.borrow_mut().dice.below(all.len().max(1) as u64);
        all.get(at as usize).copied()
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let all = self.workers.keys().copied().collect();
        self.world.borrow_mut().assign(&all);
        for worker in self.workers.values_mut() {
            worker.step(self.now).unwrap();
        }
    }

    /// Something happens.
    fn happen(&mut self) {
        let what = self.world.borrow_mut().dice.below(100);
        let Some(worker) = self.some_worker() else { return self.add() };
        match what {
            0..3 => {
                self.workers.remove(&worker);
                self.world.borrow_mut().gone(worker);
            }
            3..6 if self.workers.len() < 3 => self.add(),
            6..10 => {
                let world = &mut *self.world.borrow_mut();
                let own = world.owner.iter().find(|(_, owner)| **owner == worker);
                if let Some(partition) = own.map(|(partition, _)| *partition) {
                    world.asked.insert((worker, partition));
                    world.tell(worker, Told::Asked(vec![partition]));
                }
            }
            10..13 => {
                let world = &mut *self.world.borrow_mut();
                let own = world.owner.iter().find(|(_, owner)| **owner == worker);
                if let Some(partition) = own.map(|(partition, _)| *partition) {
                    // What was sent before it was lost may commit all the same.
                    world.end(worker, 50);
                    world.owner.remove(&partition);
                    world.asked.remove(&(worker, partition));
                    world.reads.remove(&(worker, partition));
                    world.tell(worker, Told::Lost(vec![partition]));
                }
            }
            13..15 => self.spoil(),
            _ => {}
        }
    }

    /// Damages a file of a snapshot.
    fn spoil(&self) {
        let mut files = Vec::new();
        let mut open = vec![self.folder.path().join("snapshots")];
        while let Some(folder) = open.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                if path.is_dir() { open.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        let at = self.world.borrow_mut().dice.below(files.len().max(1) as u64);
        if let Some(file) = files.get(at as usize) {
            std::fs::write(file, "spoiled").unwrap();
        }
    }

    /// Works until everything is committed and no more comes.
    fn settle(&mut self) {
        self.world.borrow_mut().is_rough = false;
        if self.workers.is_empty() {
            self.add();
        }
        for _ in 0..2_000 {
            self.step();
            let world = self.world.borrow();
            let is_done = |(partition, log): (&i32, &Vec<(u64, String)>)| {
                let end = log.last().map_or(0, |(offset, _)| offset + 1);
                world.committed.get(partition).map_or(0, |(offset, _)| *offset) >= end
            };
            if world.log.iter().all(is_done) && world.under_way.is_empty() {
                return;
            }
        }
        panic!("it never settles: {:?}", self.keeps.0.borrow());
    }
}

/// The lines of a log that follow from a seed, as they come.
fn append(world: &mut World, number: &mut u64) {
    for partition in 0..PARTITIONS {
        for _ in 0..world.dice.below(12) {
            *number += 1;
            let line = match world.dice.below(20) {
                0 => "no event".to_owned(),
                roll => {
                    let id = if roll == 1 { number.saturating_sub(4) } else { *number };
                    let (key, second) = (world.dice.below(6), *number % 60);
                    format!(
                        "{{\"k\":\"{partition}-{key}\",\"i\":\"{id}\",\
                         \"t\":\"2026-01-01T00:00:{second:02}Z\"}}"
                    )
                }
            };
            let gap = u64::from(world.dice.is(10)) * 2;
            let log = world.log.entry(partition).or_default();
            let next = log.last().map_or(0, |(offset, _)| offset + 1) + gap;
            log.push((next, line));
        }
    }
}

/// What was published but views, whose number depends on when transactions began; and the last view
/// of each key.
type Outcome = (Vec<(String, String, String, String)>, BTreeMap<String, String>);

fn outcome(world: &World) -> Outcome {
    let (mut others, mut views) = (Vec::new(), BTreeMap::new());
    for (topic, key, value, at) in &world.published {
        match topic.as_str() {
            "views" => _ = views.insert(key.clone(), value.clone()),
            _ => others.push((at.clone(), topic.clone(), key.clone(), value.clone())),
        }
    }
    // Stable: what one partition published to a topic stays in its order.
    let of = |at: &str| at.split(':').next().map(str::to_owned);
    others.sort_by_key(|(at, topic, ..)| (of(at), topic.clone()));
    (others, views)
}

fn seed(seed: u64) {
    let (folder, keeps) = (TempDir::new().unwrap(), Keeps::default());
    let mut group = Group::new(World::new(seed, true), &folder, &keeps);
    let mut number = 0;
    for _ in 0..200 {
        if group.world.borrow_mut().dice.is(25) {
            append(&mut group.world.borrow_mut(), &mut number);
        }
        group.happen();
        group.step();
    }
    group.settle();
    assert_eq!(*keeps.0.borrow(), Vec::<String>::new(), "seed {seed}");
    let rough = group.world.borrow();
    // The same log, worked by one worker to which nothing happens.
    let (quiet_folder, quiet_keeps) = (TempDir::new().unwrap(), Keeps::default());
    let mut quiet = Group::new(World::new(seed, false), &quiet_folder, &quiet_keeps);
    quiet.world.borrow_mut().log.clone_from(&rough.log);
    quiet.settle();
    let smooth = quiet.world.borrow();
    assert_eq!(outcome(&rough), outcome(&smooth), "seed {seed}");
    assert_eq!(rough.committed, smooth.committed, "seed {seed}");
    assert!(!rough.published.is_empty(), "seed {seed}");
}

/// How many seeds are tried: `RETALLY_SEEDS=5000..9000 cargo test ... simulated` tries others.
fn seeds() -> Range<u64> {
    let asked = std::env::var("RETALLY_SEEDS").ok();
    let range = asked.as_deref().and_then(|asked| asked.split_once(".."));
    range.map_or(0..100, |(from, to)| from.parse().unwrap()..to.parse().unwrap())
}

#[test]
fn whatever_happens_every_result_is_published_once_and_in_order() {
    seeds().for_each(seed);
}

#[test]
fn what_is_committed_and_differs_stops_its_partition_alone() {
    let (folder, keeps) = (TempDir::new().unwrap(), Keeps::default());
    let mut group = Group::new(World::new(7, false), &folder, &keeps);
    append(&mut group.world.borrow_mut(), &mut 0);
    append(&mut group.world.borrow_mut(), &mut 100);
    group.settle();
    group.workers.clear();
    group.world.borrow_mut().gone(1);
    let alter = |text: &str| text.replacen("\"states\":\"", "\"states\":\"0000", 1);
    let mark = group.world.borrow().committed[&2].clone();
    let text: String = alter(&mark.1);
    let cut = text.find("\"states\":\"").unwrap() + 10;
    let text = format!("{}{}", &text[..cut + 64], &text[cut + 68..]);
    group.world.borrow_mut().committed.insert(2, (mark.0, text));
    append(&mut group.world.borrow_mut(), &mut 200);
    group.add();
    (0..200).for_each(|_| group.step());
    let told = keeps.0.borrow().join("\n");
    assert!(told.starts_with("2: what it comes to") && told.contains("its states"), "{told}");
    let worker = group.workers.values().next().unwrap();
    let standing = |partition: i32| worker.status.partitions[&partition].standing.clone();
    assert!(matches!(standing(2), Standing::Stopped(_)));
    assert_eq!(standing(1), Standing::Live);
    assert_eq!(group.world.borrow().committed[&2].0, mark.0);
}
