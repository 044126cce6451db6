//! Order "time": whatever the threads, the batches, the snapshots on the way and what comes late, a
//! run gives what a run over the sorted log gives, or is refused.

use super::changed_tests::{Place, going_on};
use super::log_tests::{counting, job};
use super::*;
use crate::job::{Every, Late, Resolved, Snapshots as SnapshotSettings};
use crate::log::{End, Feed, Log, LogError, MemoryLog, MemoryPartition, Part, Partition};
use crate::rundir::check;
use crate::snapshot::Store;
use proptest::prelude::*;
use retally_core::digest::Digests;
use retally_core::log::Order;
use retally_core::manifest::Manifest;
use std::sync::Arc;

/// Key, id and second of an event; without a second it is malformed.
type Event = (u8, u16, Option<u8>);

fn line(&(key, id, second): &Event) -> String {
    let time =
        second.map_or("none".into(), |s| format!("2026-01-01T00:{:02}:{:02}Z", s / 60, s % 60));
    format!("{{\"k\":\"k{key}\",\"i\":\"{id}\",\"t\":\"{time}\"}}\n")
}

fn text(events: &[Event]) -> String {
    events.iter().map(line).collect()
}

/// Events of these seconds, with ids from `first` on, of three keys that all partitions share.
fn at(first: u16, seconds: &[u8]) -> String {
    let event = |(n, &s): (u16, &u8)| ((n % 3) as u8, n, Some(s));
    text(&(first..).zip(seconds).map(event).collect::<Vec<_>>())
}

fn log(files: &[Vec<Event>]) -> MemoryLog {
    let partition =
        |(n, events): (usize, &Vec<Event>)| MemoryPartition::lines(&format!("p{n}"), text(events));
    MemoryLog::new(files.iter().enumerate().map(partition).collect()).unwrap()
}

/// The same events in one partition, in their order by the rule as it is written.
fn sorted(files: &[Vec<Event>]) -> MemoryLog {
    let mut all = Vec::new();
    for (file, events) in files.iter().enumerate() {
        let mut highest = None;
        for (offset, event) in events.iter().enumerate() {
            highest = highest.max(event.2);
            all.push((highest, file, offset, event));
        }
    }
    all.sort();
    let text = all.iter().map(|(.., event)| line(event)).collect::<String>();
    MemoryLog::new(vec![MemoryPartition::lines("all", text)]).unwrap()
}

fn digests(job: &Resolved, options: &ReplayOptions) -> (Digests, Manifest) {
    let mut nothing: Vec<&mut dyn crate::sink::Sink> = Vec::new();
    let manifest = replay_into(job, counting(), &mut nothing, options, &Silent).unwrap().manifest;
    (manifest.digests, manifest)
}

fn files() -> impl Strategy<Value = Vec<Vec<Event>>> {
    let event = (0..4u8, 0..40u16, prop::option::weighted(0.9, 0..90u8));
    prop::collection::vec(prop::collection::vec(event, 0..30), 1..6)
}

fn by_time(dir: &tempfile::TempDir) -> Resolved {
    job(dir, "order = \"time\"\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn it_gives_what_the_sorted_log_gives(
        files in files(),
        threads in 1..4usize,
        batch_events in 1..20u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let own = ReplayOptions { input: Some(Arc::new(log(&files))), ..ReplayOptions::default() };
        let (whole, manifest) = digests(&by_time(&dir), &own);
        let cut = ReplayOptions { threads, batch_events, ..own };
        let again = digests(&by_time(&dir), &cut).1;
        prop_assert_eq!(&again.run_digest, &manifest.run_digest);
        prop_assert_eq!(&again.positions, &manifest.positions);
        prop_assert_eq!(&again.input, &manifest.input);
        let one = ReplayOptions {
            input: Some(Arc::new(sorted(&files))),
            ..ReplayOptions::default()
        };
        let (model, of_model) = digests(&job(&dir, ""), &one);
        prop_assert_eq!((whole.views, whole.states), (model.views, model.states));
        prop_assert_eq!(manifest.counts, of_model.counts);
        let written = replay_reducer(&by_time(&dir), counting(), &cut, &Silent).unwrap();
        prop_assert_eq!(written.manifest.run_digest, manifest.run_digest);
        let checked = check(&written.dir).unwrap();
        prop_assert!(checked.holds(), "{:?}", checked);
    }

    #[test]
    fn a_run_goes_on_from_any_snapshot_on_the_way(
        files in files(),
        every in 1..40u64,
        batch_events in 1..20u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut job = by_time(&dir);
        let url = "file:snapshots".to_owned();
        job.snapshots = Some(SnapshotSettings { url: url.clone(), every: Every::Events(every) });
        let own = ReplayOptions {
            input: Some(Arc::new(log(&files))),
            batch_events,
            ..ReplayOptions::default()
        };
        let whole = replay_reducer(&job, counting(), &own, &Silent).unwrap().manifest;
        let store = Store::open(&url, dir.path()).unwrap();
        for (name, summary) in store.list().unwrap() {
            let reached: u64 = summary.unwrap().partitions.iter().map(|own| own.offset).sum();
            let from = ReplayOptions {
                from_snapshot: Some(format!("file:snapshots/{name}")),
                ..own.clone()
            };
            let rest = digests(&job, &from).1;
            prop_assert_eq!(rest.run_digest, whole.run_digest);
            prop_assert_eq!(rest.counts.events, whole.counts.events - reached);
        }
    }

    #[test]
    fn whatever_is_added_the_digest_is_the_whole_s_or_the_run_is_refused(
        first in files(),
        more in prop::collection::vec((0..6usize, prop::collection::vec(
            (0..4u8, 0..40u16, prop::option::weighted(0.9, 60..150u8)), 0..4)), 1..5),
        limit in prop::option::weighted(0.3, 1..20u64),
    ) {
        let place = Place::new(Order::Time);
        for (number, events) in first.iter().enumerate() {
            place.write(&format!("p{number}.jsonl"), text(events));
        }
        place.run(&ReplayOptions { limit, ..ReplayOptions::default() }).unwrap();
        for (file, events) in &more {
            let file = format!("p{file}.jsonl");
            if !place.path(&file).exists() {
                place.write(&file, "");
            }
            place.add(&file, text(events));
            match place.run(&going_on()) {
                Ok(report) => prop_assert_eq!(report.manifest.run_digest, place.digest()),
                Err(RunError::ChangedLog(_)) => break,
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}

/// Two files whose times lie between each other.
fn two(place: &Place) {
    place.write("a.jsonl", at(0, &[1, 5, 9]));
    place.write("b.jsonl", at(10, &[2, 6, 8]));
}

#[test]
fn what_comes_behind_what_was_taken_is_gone_on_with() {
    let place = Place::new(Order::Time);
    two(&place);
    place.start();
    // Its name would be late under order "path", its first line has no time at all.
    place.write("0.jsonl", format!("no event\n{}", at(20, &[10, 4, 12])));
    place.add("b.jsonl", at(30, &[9, 11]));
    let report = place.goes_on().unwrap();
    assert_eq!(report.manifest.counts.events, 6);
    assert_eq!(report.manifest.run_digest, place.digest());
    assert!(!report.manifest.marks.changed_log);
}

#[test]
fn what_comes_late_is_refused_gone_back_for_or_accepted() {
    let mut place = Place::new(Order::Time);
    two(&place);
    place.start();
    place.add("a.jsonl", at(20, &[12]));
    place.goes_on().unwrap();
    place.write("c.jsonl", at(30, &[11, 13]));
    let told = place.refused();
    let store = Store::open("file:snapshots", place.dir.path()).unwrap();
    // Its name is chance.
    let newest = store.list().unwrap().pop().unwrap().0;
    insta::assert_snapshot!(told.replace(&newest, "SNAPSHOT"));
    let accepted = ReplayOptions { accept_changed_log: true, ..going_on() };
    let accepted = place.run(&accepted).unwrap().manifest;
    assert!(accepted.marks.changed_log);
    assert_eq!(accepted.from_snapshot.unwrap().accepted.len(), 1);
    place.job.source.late = Late::Rewind;
    let back = place.goes_on().unwrap().manifest;
    // The accepted one and the one before it; the first took nothing behind 11.
    assert_eq!((back.run_digest, back.passed_over.len()), (place.digest(), 2));
    assert_eq!(back.counts.events, 3);
}

#[test]
fn what_was_added_to_an_older_file_may_be_late_too() {
    let place = Place::new(Order::Time);
    two(&place);
    place.start();
    place.add("b.jsonl", at(20, &[7, 20]));
    let told = place.refused();
    assert!(
        told.contains(
            "has events behind offset 3 that were not taken, and under order \"time\" its event \
             at offset 3 (2026-01-01T00:00:08Z) comes before a:2 (2026-01-01T00:00:09Z), which \
             was taken"
        ),
        "{told}"
    );
}

#[test]
fn what_a_limit_left_is_no_change_of_the_log() {
    let place = Place::new(Order::Time);
    place.write("a.jsonl", at(0, &[1, 2, 3]));
    place.write("b.jsonl", at(10, &[8, 9]));
    place.run(&ReplayOptions { limit: Some(1), ..ReplayOptions::default() }).unwrap();
    let told = place.refused();
    assert!(told.contains("--limit"), "{told}");
}

#[test]
fn a_snapshot_carries_the_highest_time_of_every_partition() {
    let place = Place::new(Order::Time);
    two(&place);
    place.start();
    let store = Store::open("file:snapshots", place.dir.path()).unwrap();
    let summary = store.list().unwrap().remove(0).1.unwrap();
    let micros = |second: i64| 1_767_225_600_000_000 + second * 1_000_000;
    assert_eq!(summary.highest, [micros(9), micros(8)]);
}

#[test]
fn more_partitions_than_can_be_merged_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let run = |count: usize| {
        let files = vec![vec![(1, 1, Some(1))]; count];
        let input: Option<Arc<dyn Log>> = Some(Arc::new(log(&files)));
        let options = ReplayOptions { input, ..ReplayOptions::default() };
        let mut nothing: Vec<&mut dyn crate::sink::Sink> = Vec::new();
        replay_into(&by_time(&dir), counting(), &mut nothing, &options, &Silent)
    };
    assert_eq!(run(512).unwrap().manifest.counts.events, 512);
    let error = run(513).unwrap_err();
    assert!(error.is_usage());
    insta::assert_snapshot!(error.to_string());
}

/// A log with a partition that has no end.
struct Endless(MemoryLog, Vec<Partition>);

impl Log for Endless {
    fn partitions(&self) -> &[Partition] {
        &self.1
    }

    fn parts(&self) -> &[Part] {
        self.0.parts()
    }

    fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError> {
        self.0.read(part, from)
    }
}

#[test]
fn a_partition_without_an_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let inner = log(&[vec![(1, 1, Some(1))]]);
    let open = |own: &Partition| Partition { end: End::Open, ..own.clone() };
    let partitions = inner.partitions().iter().map(open).collect();
    let input: Option<Arc<dyn Log>> = Some(Arc::new(Endless(inner, partitions)));
    let options = ReplayOptions { input, ..ReplayOptions::default() };
    let mut nothing: Vec<&mut dyn crate::sink::Sink> = Vec::new();
    let error = replay_into(&by_time(&dir), counting(), &mut nothing, &options, &Silent);
    let error = error.unwrap_err();
    assert!(error.is_usage());
    insta::assert_snapshot!(error.to_string());
}

#[test]
fn slabs_of_many_events_are_cut_where_their_times_say() {
    // Several slabs of each partition, and events that alternate all the way.
    let dir = tempfile::tempdir().unwrap();
    let line = |partition: usize, n: usize| {
        let second = (n * 2 + partition) % 60;
        let (hour, minute) = ((n * 2 + partition) / 3600, (n * 2 + partition) / 60 % 60);
        format!(
            "{{\"k\":\"k{}\",\"i\":\"{partition}-{n}\",\"t\":\"2026-01-01T{hour:02}:{minute:02}:\
             {second:02}Z\"}}\n",
            n % 7
        )
    };
    let partition = |p: usize| {
        let name = ["a", "b"][p];
        MemoryPartition::lines(name, (0..20_000).map(|n| line(p, n)).collect::<String>())
    };
    let log = Arc::new(MemoryLog::new(vec![partition(0), partition(1)]).unwrap());
    let run = |threads: usize, batch_events: u64, limit: Option<u64>| {
        let input: Option<Arc<dyn Log>> = Some(log.clone());
        let options =
            ReplayOptions { input, threads, batch_events, limit, ..ReplayOptions::default() };
        digests(&by_time(&dir), &options).1
    };
    let whole = run(1, BATCH_EVENTS, None);
    assert_eq!(whole.counts.events, 40_000);
    for (threads, batch) in [(3, 999), (2, 8_192), (4, 100_000)] {
        assert_eq!(run(threads, batch, None).run_digest, whole.run_digest);
    }
    let limited = run(2, 1_000, Some(9_000));
    assert_eq!((limited.counts.events, limited.run_digest), {
        let again = run(1, BATCH_EVENTS, Some(9_000));
        (18_000, again.run_digest)
    });
}

#[test]
fn what_was_read_long_before_the_merge_wants_it_keeps_nobody_waiting() {
    // All of `b` comes behind `a`, which is longer: it is read and waits, more slabs than are
    // decoded ahead, and no other work is left once its turn has come.
    let line = |partition: &str, n: usize| {
        let second = if partition == "a" { 1 } else { 2 };
        format!(
            "{{\"k\":\"k\",\"i\":\"{partition}{n}\",\"t\":\"2026-01-01T00:00:{second:02}Z\"}}\n"
        )
    };
    let partition = |name: &str, count: usize| {
        MemoryPartition::lines(name, (0..count).map(|n| line(name, n)).collect::<String>())
    };
    let log = MemoryLog::new(vec![partition("a", 80_000), partition("b", 50_000)]).unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let dir = tempfile::tempdir().unwrap();
        let input: Option<Arc<dyn Log>> = Some(Arc::new(log));
        let options =
            ReplayOptions { input, threads: 1, batch_events: 1 << 30, ..ReplayOptions::default() };
        told.send(digests(&by_time(&dir), &options).1.counts.events)
    });
    let waited = heard.recv_timeout(std::time::Duration::from_secs(120));
    assert_eq!(waited, Ok(130_000), "it waits for what nobody will do");
}

#[test]
fn a_key_is_explained_in_the_order_of_its_events() {
    let place = Place::new(Order::Time);
    // The second event of `a` is no event of the key, and moves what comes behind it.
    place.write("a.jsonl", text(&[(1, 1, Some(1)), (2, 2, Some(9)), (1, 3, Some(3))]));
    place.write("b.jsonl", text(&[(1, 4, Some(2)), (1, 5, Some(8)), (1, 6, Some(10))]));
    let explain = |options: &ExplainOptions| {
        let history = explain(&place.job, "k1", vec![counting()], options, &Silent).unwrap();
        assert_eq!(history.events, 5);
        let of = |told: &Told| format!("{}:{}", told.place.partition, told.place.offset);
        history.told.iter().map(of).collect::<Vec<_>>()
    };
    let order = ["a:0", "b:0", "b:1", "a:2", "b:2"];
    assert_eq!(explain(&ExplainOptions::default()), order);
    let last = ExplainOptions { last: Some(2), ..ExplainOptions::default() };
    assert_eq!(explain(&last), order[3..]);
    let position = |partition: &str, offset| retally_core::log::Position {
        partition: partition.into(),
        offset,
    };
    let around = |at| ExplainOptions { around: Some(at), last: Some(1), ..Default::default() };
    assert_eq!(explain(&around(position("a", 2))), order[2..]);
    // An event of another key has its place, too.
    assert_eq!(explain(&around(position("a", 1))), order[2..]);
    assert_eq!(explain(&around(position("b", 0))), order[..3]);
}
