//! Runs in several passes are those of one pass, file by file; and what they are told apart by.

use super::log_tests::{counting, described, job, memory, options};
use super::memory_tests::Growing;
use super::*;
use crate::log::{Feed, Log, LogError, MemoryLog, MemoryPartition, Part, Partition};
use crate::range::Bound;
use crate::rundir::check;
use crate::sink::Sink;
use crate::store::Folder;
use retally_core::digest::Hash;
use retally_core::log::{Order, Position};
use retally_core::reduce::Originals;
use retally_core::reduce::native::Native;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The files of a run, but for the audit, which no two runs have alike.
pub(super) fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let folder = Folder::files(dir);
    let named = folder.walk().unwrap().into_iter().map(|(name, _)| name);
    let named = named.filter(|name| name != "audit.jsonl");
    named.map(|name| (name.clone(), std::fs::read(dir.join(&name)).unwrap())).collect()
}

/// Whether every pass reads the log.
const WAYS: [bool; 2] = [true, false];

fn passes(number: usize, reread: bool, options: ReplayOptions) -> ReplayOptions {
    ReplayOptions { passes: Passes::Number(number), reread, ..options }
}

#[test]
fn several_passes_write_what_one_does() {
    let dir = tempfile::tempdir().unwrap();
    for order in [Order::Log, Order::Path] {
        let mut job = job(&dir, "");
        job.order = order;
        let run = |number, reread, threads| {
            let options = passes(number, reread, options(memory(true), threads));
            let report = replay_reducer(&job, counting(), &options, &Silent).unwrap();
            (files(&report.dir), report.manifest.counts)
        };
        let (whole, counts) = run(1, true, 2);
        assert!(whole.len() > 5 && counts.malformed > 0 && counts.emits > 0);
        let ways = WAYS.into_iter().flat_map(|reread| {
            [(2, 1), (3, 3), (16, 2)].map(|(number, threads)| (number, reread, threads))
        });
        for (number, reread, threads) in ways {
            let (parts, of_parts) = run(number, reread, threads);
            assert_eq!(of_parts, counts);
            assert_eq!(parts.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
            parts.iter().for_each(|(name, bytes)| assert!(whole[name] == *bytes, "{name}"));
        }
    }
}

#[test]
fn keys_that_are_asked_for_and_are_not_there_are_told_as_in_one_pass() {
    let dir = tempfile::tempdir().unwrap();
    let job = job(&dir, "");
    let run = |number, reread| {
        let keys = ["a1", "b2", "c3", "nobody"].map(str::to_owned).to_vec();
        let options = ReplayOptions { keys: Some(keys), ..options(memory(false), 2) };
        let report =
            replay_reducer(&job, counting(), &passes(number, reread, options), &Silent).unwrap();
        (report.notes, report.manifest.run_digest)
    };
    let whole = run(1, true);
    assert!(whole.0.iter().any(|note| note.contains("2 of the 4 keys")), "{whole:?}");
    WAYS.into_iter().for_each(|reread| assert_eq!(run(5, reread), whole));
}

#[test]
fn passes_need_a_folder_and_there_are_not_more_than_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let job = job(&dir, "");
    let into = |options: &ReplayOptions| {
        let mut nothing: Vec<&mut dyn Sink> = Vec::new();
        replay_into(&job, counting(), &mut nothing, options, &Silent)
    };
    let error = into(&passes(2, false, options(memory(false), 1))).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("--spill"), "{error}");
    let spill = Some(dir.path().to_owned());
    let options = ReplayOptions { spill, ..options(memory(false), 1) };
    into(&passes(2, false, options.clone())).unwrap();
    let error = into(&passes(5_000, false, options.clone())).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("more than 2048"), "{error}");
    let spill = Some(dir.path().join("not-there"));
    let error =
        into(&passes(2, false, ReplayOptions { spill, ..options })).unwrap_err().to_string();
    assert!(error.contains("not-there") && error.contains("--spill"), "{error}");
}

/// A thousand keys in each partition.
fn many() -> MemoryLog {
    let line = |p: usize, n: usize| {
        let key = n % 1_000;
        format!("{{\"k\":\"{p}-{key}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:00Z\"}}\n")
    };
    let lines = |p: usize| (0..60_000).map(|n| line(p, n)).collect::<String>();
    let partition = |p: usize| MemoryPartition::lines(&format!("p{p}"), lines(p));
    MemoryLog::new((0..4).map(partition).collect()).unwrap()
}

#[test]
fn memory_that_is_too_small_names_the_passes_that_would_do_and_auto_does_them() {
    let dir = tempfile::tempdir().unwrap();
    let job = job(&dir, "");
    let limited = || {
        let options = options(many(), 2);
        ReplayOptions { host_memory_bytes: Some(40 << 20), batch_events: 3_000, ..options }
    };
    // 46 MiB of states.
    let growing = || Arc::new(Native::new(described(), Hash([8; 32]), Growing(200)));
    let whole = replay_reducer(&job, growing(), &options(many(), 2), &Silent).unwrap();
    let error = replay_reducer(&job, growing(), &limited(), &Silent).unwrap_err();
    let RunError::HostMemory { passes: Some(enough), .. } = &error else { panic!("{error}") };
    assert!(error.to_string().contains(&format!("--passes {enough} would do")), "{error}");
    for reread in WAYS {
        let number = passes(*enough, reread, limited());
        let parts = replay_reducer(&job, growing(), &number, &Silent).unwrap();
        assert_eq!(parts.manifest.run_digest, whole.manifest.run_digest);
    }
    let auto = ReplayOptions { passes: Passes::Auto, ..limited() };
    let parts = replay_reducer(&job, growing(), &auto, &Silent).unwrap();
    assert_eq!(files(&parts.dir), files(&whole.dir));
    assert!(parts.notes.iter().any(|note| note.contains("begins anew, in")), "{:?}", parts.notes);
    let easy = ReplayOptions { passes: Passes::Auto, ..options(many(), 2) };
    let once = replay_reducer(&job, growing(), &easy, &Silent).unwrap();
    assert!(once.notes.is_empty());
}

/// A log that is another one each time that it is read from its beginning.
struct Changing {
    logs: Vec<MemoryLog>,
    read: AtomicUsize,
}

impl Log for Changing {
    fn partitions(&self) -> &[Partition] {
        self.logs[0].partitions()
    }

    fn parts(&self) -> &[Part] {
        self.logs[0].parts()
    }

    fn bytes(&self) -> u64 {
        self.logs[0].bytes()
    }

    fn originals(&self) -> Originals {
        self.logs[0].originals()
    }

    fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError> {
        let read = self.read.fetch_add(1, Ordering::Relaxed);
        self.logs[read.min(self.logs.len() - 1)].read(part, from)
    }
}

#[test]
fn a_log_that_changes_between_passes_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let job = job(&dir, "");
    let log = |events: usize| {
        let line =
            |n| format!("{{\"k\":\"{}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:00Z\"}}\n", n % 9);
        let lines: String = (0..events).map(line).collect();
        MemoryLog::new(vec![MemoryPartition::lines("a", lines)]).unwrap()
    };
    for (first, second) in [(100, 101), (101, 100), (100, 3_100), (3_100, 100)] {
        let logs = vec![log(first), log(second)];
        let changing = Changing { logs, read: AtomicUsize::new(0) };
        let options = passes(2, true, options(changing, 1));
        let error = replay_reducer(&job, counting(), &options, &Silent).unwrap_err().to_string();
        assert!(error.contains("no longer what it was"), "{first} {second}: {error}");
    }
}

#[test]
fn a_log_whose_events_are_put_aside_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let job = job(&dir, "");
    let whole = replay_reducer(&job, counting(), &options(memory(true), 2), &Silent).unwrap();
    // Whoever reads it once more would find another.
    let logs = vec![memory(true), memory(true), many()];
    let changing = Changing { logs, read: AtomicUsize::new(0) };
    let options = passes(5, false, options(changing, 2));
    let parts = replay_reducer(&job, counting(), &options, &Silent).unwrap();
    assert!(files(&parts.dir) == files(&whole.dir));
}

#[test]
fn a_pass_that_stops_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let job = job(&dir, "[limits]\nhost_memory = \"1MiB\"\n");
    for reread in WAYS {
        let options = passes(2, reread, options(many(), 1));
        replay_reducer(&job, counting(), &options, &Silent).unwrap_err();
        assert_eq!(std::fs::read_dir(dir.path().join("runs")).unwrap().count(), 0);
    }
}

#[test]
fn a_range_in_several_passes_is_that_of_one() {
    let dir = tempfile::tempdir().unwrap();
    for order in [Order::Log, Order::Path] {
        let mut job = job(&dir, "");
        job.order = order;
        let at = |partition: &str, offset| Position { partition: partition.into(), offset };
        let run = |number, reread| {
            let from = match order {
                Order::Path => vec![at("a", 9_000)],
                _ => vec![at("a", 9_000), at("b", 12_345)],
            };
            let (from, to) = (Some(Bound::At(from)), Some(Bound::At(vec![at("b", 15_000)])));
            let options = ReplayOptions { from, to, ..options(memory(false), 2) };
            let options = passes(number, reread, options);
            replay_reducer(&job, counting(), &options, &Silent).unwrap()
        };
        let whole = run(1, true);
        for parts in WAYS.map(|reread| run(3, reread)) {
            assert_eq!(parts.notes, whole.notes);
            assert!(files(&parts.dir) == files(&whole.dir));
            assert!(check(&parts.dir).unwrap().holds());
        }
    }
}

/// Two partitions that have the same keys, and times that run on side by side with steps back.
fn interleaved() -> MemoryLog {
    let partition = |name: &str, shift: usize| {
        let line = |n: usize| {
            let second = (n + shift).wrapping_sub(n % 7);
            let (minute, second) = (second / 60 % 60, second % 60);
            let time = format!("2026-01-01T{:02}:{minute:02}:{second:02}Z", (n + shift) / 3600);
            format!("{{\"k\":\"k{}\",\"i\":\"{name}{n}\",\"t\":\"{time}\"}}\n", n % 50)
        };
        MemoryPartition::lines(name, (0..20_000).map(line).collect::<String>())
    };
    MemoryLog::new(vec![partition("a", 10), partition("b", 500)]).unwrap()
}

#[test]
fn partitions_merged_by_time_are_merged_alike_in_every_pass_and_range() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = job(&dir, "");
    job.order = Order::Time;
    let run = |number, reread, from: Option<&str>| {
        let from = from.map(|time| Bound::parse(&[time]).unwrap());
        let options = ReplayOptions { from, ..options(interleaved(), 2) };
        let options = passes(number, reread, options);
        replay_reducer(&job, counting(), &options, &Silent).unwrap()
    };
    let whole = run(1, true, None);
    for reread in WAYS {
        assert!(files(&run(3, reread, None).dir) == files(&whole.dir));
    }
    let from = Some("2026-01-01T03:30:00Z");
    let range = run(1, true, from);
    assert_eq!(range.manifest.run_digest, whole.manifest.run_digest);
    assert!(range.manifest.counts.events < whole.manifest.counts.events / 2);
    for reread in WAYS {
        assert!(files(&run(4, reread, from).dir) == files(&range.dir));
    }
    let at = Some(Bound::At(vec![Position { partition: "a".into(), offset: 9 }]));
    let options = ReplayOptions { from: at, ..options(interleaved(), 2) };
    let error = replay_reducer(&job, counting(), &options, &Silent).unwrap_err().to_string();
    assert!(error.contains("begins and ends at a time"), "{error}");
}
