//! Live work in a simulated world: whatever happens, what is published is what one worker publishes
//! to which nothing happens.

use super::broker::Told;
use super::mark::Mark;
use super::setup::{LiveOptions, Setup};
use super::simulated::{PARTITIONS, Simulated, World};
use super::status::{Standing, Watch};
use super::worker::Worker;
use crate::job::{Authored, Resolved};
use crate::run::log_tests::described;
use retally_core::digest::Hash;
use retally_core::reduce::Reducer;
use retally_core::reduce::native::{Event, Native, Rules};
use retally_core::schema::{Description, Reason, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Counts the events of a key, and emits the count; at times it forgets the key. A key may have so
/// many, if that is a rule.
struct Counting {
    most: Option<usize>,
}

impl Rules for Counting {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        event: &Event<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)> {
        match event.time % 20_000_000 {
            0 => state.clear(),
            _ => state.push((event.time % 251) as u8),
        }
        emit(0, &[Some(Value::Integer(state.len() as i64))]);
        Ok(())
    }

    fn view(&self, _key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>])) {
        row(&[Some(Value::Integer(state.len() as i64))]);
    }

    fn check(&self, _key: &[u8], state: &[u8]) -> Vec<(u16, String)> {
        let is_broken = self.most.is_some_and(|most| state.len() > most);
        is_broken.then(|| (0, format!("it has {}", state.len()))).into_iter().collect()
    }
}

fn counting(most: Option<usize>) -> Arc<dyn Reducer> {
    let rule = Reason { code: "too-many".into(), says: "Too many events.".into() };
    let violations = most.map(|_| rule).into_iter().collect();
    let described = Description { violations, ..described() };
    Arc::new(Native::new(described, Hash([7; 32]), Counting { most }))
}

const JOB: &str = "[job]\nname = \"t\"\nreducer = \"r.wasm\"\n[source]\nurl = \"kafka://h:1/t\"\n\
    key = \"/k\"\nid = \"/i\"\ntime = \"/t\"\n[publish]\nemits = \"{kind}\"\nviews = \"views\"\n\
    refused = \"refused\"\n[live]\ninterval = \"300ms\"\n[snapshots]\nurl = \"snapshots\"\n\
    every = \"40 events\"\n";

/// Tells nobody, and keeps what stopped and what is broken.
#[derive(Default)]
struct Keeps(RefCell<Vec<String>>, RefCell<Vec<String>>);

impl Watch for Keeps {
    fn note(&self, text: &str) {
        self.1.borrow_mut().extend(text.contains(" breaks ").then(|| text.to_owned()));
    }

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
    most: Option<usize>,
    born: u64,
    now: Duration,
}

impl<'w> Group<'w> {
    fn new(world: World, folder: &'w TempDir, keeps: &'w Keeps) -> Self {
        let world = Rc::new(RefCell::new(world));
        let workers = BTreeMap::new();
        Self { world, workers, folder, keeps, most: None, born: 0, now: Duration::ZERO }
    }

    fn add(&mut self) {
        self.born += 1;
        let job = Authored::parse(JOB, "job", self.folder.path()).unwrap();
        let job = Resolved::new(&job).unwrap();
        let names: Vec<String> = (0..PARTITIONS).map(|number| number.to_string()).collect();
        let setup = Setup::new(&job, counting(self.most), &names, &LiveOptions::default()).unwrap();
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
        self.now += Duration::from_millis(100);
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
                // One rebalance at a time.
                if world.asked.iter().any(|(asked, _)| *asked == worker) {
                    return;
                }
                let own = world.owner.iter().filter(|(_, owner)| **owner == worker);
                let own: Vec<i32> = own.map(|(partition, _)| *partition).collect();
                let some: Vec<i32> = own.into_iter().filter(|_| world.dice.is(60)).collect();
                if !some.is_empty() {
                    world.asked.extend(some.iter().map(|partition| (worker, *partition)));
                    world.tell(worker, Told::Asked(some));
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
                    world.lost.insert((worker, partition));
                    world.reads.remove(&(worker, partition));
                    world.tell(worker, Told::Lost(vec![partition]));
                }
            }
            13..15 => self.spoil(),
            _ => {}
        }
    }

    /// All files of snapshots.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut open = vec![self.folder.path().join("snapshots")];
        while let Some(folder) = open.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                if path.is_dir() { open.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }

    /// Damages a file of a snapshot.
    fn spoil(&self) {
        let files = self.files();
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
            "views" if value == "-" => _ = views.remove(key),
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
    // Three that are kept, one that a partition needs, and some between them, from a time at which
    // nothing could be committed: they do not pile up.
    let files = group.files();
    for partition in 0..PARTITIONS {
        let own = group.folder.path().join(format!("snapshots/live/t/{partition}"));
        let whole = |path: &&PathBuf| path.starts_with(&own) && path.ends_with("manifest.json");
        let count = files.iter().filter(whole).count();
        assert!(count <= 6, "seed {seed}: {count} snapshots");
    }
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

#[test]
fn a_key_with_events_in_two_partitions_stops_one_of_them() {
    let (folder, keeps) = (TempDir::new().unwrap(), Keeps::default());
    let mut group = Group::new(World::new(9, false), &folder, &keeps);
    let line = |n: u64| {
        let of = if n < 50 { "a" } else { "both" };
        format!("{{\"k\":\"{of}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:00Z\"}}")
    };
    let both = line(99);
    group
        .world
        .borrow_mut()
        .log
        .insert(0, (0..20).map(|n| (n, line(n))).chain([(20, both.clone())]).collect());
    group.world.borrow_mut().log.insert(3, vec![(0, both)]);
    group.add();
    (0..100).for_each(|_| group.step());
    let told = keeps.0.borrow().join("\n");
    assert!(told.contains("the key \"both\" has events here and in partition"), "{told}");
    assert_eq!(keeps.0.borrow().len(), 1, "{told}");
}

#[test]
fn rules_are_checked_at_snapshots_and_each_that_breaks_is_told_once() {
    let (folder, keeps) = (TempDir::new().unwrap(), Keeps::default());
    let mut group = Group::new(World::new(11, false), &folder, &keeps);
    group.most = Some(50);
    let line = |key: &str, n: u64| {
        format!("{{\"k\":\"{key}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:01Z\"}}")
    };
    let key = |n: u64| if n < 60 { "much" } else { "little" };
    group.world.borrow_mut().log.insert(1, (0..100).map(|n| (n, line(key(n), n))).collect());
    group.settle();
    let worker = |group: &mut Group<'_>| {
        (0..10).for_each(|_| group.step());
        let worker = group.workers.values_mut().next().unwrap();
        worker.save_last(1);
        worker.tell();
        worker.status.partitions[&1].violations
    };
    assert_eq!(worker(&mut group), 1);
    // What is broken still is not told again, and what breaks now is.
    group.world.borrow_mut().log.get_mut(&1).unwrap().extend((100..140).map(|n| {
        let key = if n == 139 { "much" } else { "little" };
        (n, line(key, n))
    }));
    group.settle();
    assert_eq!(worker(&mut group), 2);
    let told = keeps.1.borrow();
    let of = |key: &str| told.iter().filter(|told| told.contains(key)).count();
    assert_eq!((of("\"much\" breaks too-many: it has 60"), of("\"little\"")), (1, 1), "{told:?}");
    assert_eq!(*keeps.0.borrow(), Vec::<String>::new());
}

/// Whether a transaction that took a partition over from another version is committed, its mark
/// tells: the offset is the same before and after.
#[test]
fn a_mark_in_place_of_another_versions_is_sent_until_it_is_committed() {
    for refused in 0..3 {
        let (folder, keeps) = (TempDir::new().unwrap(), Keeps::default());
        let mut group = Group::new(World::new(13, false), &folder, &keeps);
        append(&mut group.world.borrow_mut(), &mut 0);
        group.settle();
        let own = group.world.borrow().committed[&2].clone();
        let other = Mark { reducer: Hash([8; 32]), ..Mark::parse(&own.1).unwrap() };
        // As if another version had committed what this one took over.
        group.world.borrow_mut().committed.insert(2, (own.0, other.text()));
        let slot = group.workers.get_mut(&1).unwrap().slots.get_mut(&2).unwrap();
        slot.committed = Some((own.0, other));
        slot.owned_mut().unwrap().owes_mark = true;
        let before = group.workers[&1].status.transactions;
        group.world.borrow_mut().unsure = (refused, refused + 1);
        (0..60).for_each(|_| group.step());
        assert_eq!(group.world.borrow().committed[&2], own, "{refused}");
        let status = &group.workers[&1].status;
        assert_eq!((status.transactions - before, status.uncertain), (1, refused + 1));
        assert_eq!(*keeps.0.borrow(), Vec::<String>::new());
    }
}
