//! Runs over logs that are no files: offsets with gaps, sources that wait, sources without an end.

use super::*;
use crate::cancel::Cancel;
use crate::job::{Authored, Resolved};
use crate::log::{End, Feed, Log, LogError, MemoryLog, MemoryPartition, Part, Partition, Piece};
use crate::range::Bound;
use crate::rundir::{Keys, RunReader, Table, check};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use retally_core::digest::Hash;
use retally_core::manifest::{Checked, PartitionTaken};
use retally_core::reduce::Reducer;
use retally_core::reduce::native::{Event, Native, Rules};
use retally_core::schema::{
    Description, EmitKind, Field, Input, Kind, StateShape, Value, ViewShape,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tempfile::TempDir;

/// Counts the events of a key, and emits the count.
pub(super) struct Counting;

impl Rules for Counting {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        _event: &Event<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)> {
        state.push(1);
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

pub(super) fn counting() -> Arc<dyn Reducer> {
    Arc::new(Native::new(described(), Hash([7; 32]), Counting))
}

pub(crate) fn described() -> Description {
    let count = Field { name: "count".into(), paths: vec![], kind: Kind::Integer, required: true };
    let input = Input { name: "any".into(), when: vec![], key: vec![], fields: vec![] };
    Description {
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
    }
}

pub(super) fn job(dir: &TempDir, more: &str) -> Resolved {
    let text = format!(
        "[job]\nname = \"t\"\nreducer = \"r.wasm\"\n{more}[source]\nurl = \"memory\"\n\
         key = \"/k\"\nid = \"/i\"\ntime = \"/t\"\n[output]\ndir = \"runs\"\n"
    );
    Resolved::new(&Authored::parse(&text, "job", dir.path()).unwrap()).unwrap()
}

/// Lines of a partition, every seventh no event at all; a partition has keys of its own.
fn lines(partition: &str, count: usize) -> String {
    let line = |n: usize| match n % 7 {
        3 => "no event\n".to_owned(),
        _ => format!(
            "{{\"k\":\"{partition}{}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:00Z\"}}\n",
            n % 5
        ),
    };
    (0..count).map(line).collect()
}

const EVENTS: usize = 20_000;

/// The offset of an event of a log with gaps.
fn sparse(n: usize) -> u64 {
    (100 + n + n / 1000 + 3 * (n / 13)) as u64
}

pub(super) fn memory(has_gaps: bool) -> MemoryLog {
    let partition = |name: &str| {
        let lines = MemoryPartition::lines(name, lines(name, EVENTS));
        let offsets: Vec<u64> = (0..EVENTS).map(sparse).collect();
        if has_gaps { lines.at(offsets) } else { lines }
    };
    MemoryLog::new(["a", "b"].map(partition).to_vec()).unwrap()
}

pub(super) fn options(log: impl Log + 'static, threads: usize) -> ReplayOptions {
    let input: Option<Arc<dyn Log>> = Some(Arc::new(log));
    ReplayOptions { input, threads, batch_events: 3_000, ..ReplayOptions::default() }
}

fn run(dir: &TempDir, options: &ReplayOptions) -> Report {
    replay_reducer(&job(dir, ""), counting(), options, &Silent).unwrap()
}

fn offsets(run: &RunReader, table: Table) -> Vec<u64> {
    let mut all = Vec::new();
    for batch in run.rows(table, &Keys::All).unwrap() {
        let batch = batch.unwrap();
        let column = batch.array("offset").unwrap();
        let ids = column.as_primitive_opt::<UInt64Type>();
        match ids {
            Some(ids) => all.extend(ids.values()),
            None => all.extend(
                column
                    .as_primitive::<arrow_array::types::Int64Type>()
                    .values()
                    .iter()
                    .map(|&n| n as u64),
            ),
        }
    }
    all
}

#[test]
fn gaps_in_offsets_change_no_digest_and_are_told_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let dense = run(&dir, &options(memory(false), 2));
    for threads in [1, 3] {
        let report = run(&dir, &options(memory(true), threads));
        assert_eq!(report.manifest.run_digest, dense.manifest.run_digest);
        let last = Some(sparse(EVENTS - 1));
        let taken = |name: &str| PartitionTaken {
            partition: name.into(),
            events: EVENTS as u64,
            first: Some(100),
            last,
            deletions: 0,
        };
        assert_eq!(report.manifest.input.partitions, ["a", "b"].map(taken));
        assert!(check(&report.dir).unwrap().holds());
        let run = RunReader::open(&report.dir).unwrap();
        let of = |is: fn(&usize) -> bool| -> Vec<u64> {
            let one = || (0..EVENTS).filter(is).map(sparse);
            one().chain(one()).collect()
        };
        assert_eq!(offsets(&run, Table::Refused), of(|n| n % 7 == 3));
        assert_eq!(offsets(&run, Table::Emits(0)), of(|n| n % 7 != 3));
    }
}

#[test]
fn small_partitions_that_are_decoded_as_one_come_to_what_each_does() {
    let dir = tempfile::tempdir().unwrap();
    let events = |number: usize| 1 + number * 37 % 90;
    let log = || {
        let partition = |number: usize| {
            let name = format!("{number:03}");
            MemoryPartition::lines(&name, lines(&name, events(number)))
        };
        MemoryLog::new((0..400).map(partition).collect()).unwrap()
    };
    let is_refused = |n: &usize| n % 7 == 3;
    let refused: Vec<u64> = (0..400)
        .flat_map(|number| (0..events(number)).filter(is_refused).map(|n| n as u64))
        .collect();
    // A batch of one event ends with every slab, so that none has another beside it.
    let one = run(&dir, &ReplayOptions { batch_events: 1, ..options(log(), 2) });
    for (batch_events, threads) in [(1, 1), (3_000, 1), (3_000, 3), (1_000_000, 2)] {
        let report = run(&dir, &ReplayOptions { batch_events, ..options(log(), threads) });
        assert_eq!(report.manifest.run_digest, one.manifest.run_digest);
        assert_eq!(report.manifest.counts, one.manifest.counts);
        assert!(check(&report.dir).unwrap().holds());
        let run = RunReader::open(&report.dir).unwrap();
        assert_eq!(offsets(&run, Table::Refused), refused);
    }
}

#[test]
fn a_run_goes_on_from_a_snapshot_in_a_log_with_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let whole = run(&dir, &options(memory(true), 2));
    let first = ReplayOptions {
        limit: Some(7_001),
        snapshot: Some("file:snapshots".into()),
        ..options(memory(true), 2)
    };
    let first = run(&dir, &first);
    assert_eq!(first.manifest.input.partitions[0].last, Some(sparse(7_000)));
    let rest =
        ReplayOptions { from_snapshot: Some("file:snapshots".into()), ..options(memory(true), 2) };
    let rest = run(&dir, &rest);
    assert_eq!(rest.manifest.digests, whole.manifest.digests);
    assert_eq!(rest.manifest.input.partitions[0].first, Some(sparse(7_001)));
    let dense =
        ReplayOptions { from_snapshot: Some("file:snapshots".into()), ..options(late(), 1) };
    let error = replay_reducer(&job(&dir, ""), counting(), &dense, &Silent).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("are gone"), "{error}");
}

#[test]
fn a_log_in_memory_is_known_again_and_one_that_cannot_tell_is_told_as_unchecked() {
    let dir = tempfile::tempdir().unwrap();
    let whole = run(&dir, &options(memory(false), 2)).manifest;
    let first = ReplayOptions {
        limit: Some(7_001),
        snapshot: Some("file:snapshots".into()),
        ..options(memory(false), 2)
    };
    run(&dir, &first);
    let from =
        |log: ReplayOptions| ReplayOptions { from_snapshot: Some("file:snapshots".into()), ..log };
    let rest = run(&dir, &from(options(memory(false), 2))).manifest;
    assert_eq!(rest.run_digest, whole.run_digest);
    assert_eq!(rest.from_snapshot.unwrap().checked, Checked::EveryByte);
    let other = |name: &str| {
        MemoryPartition::lines(name, lines(name, EVENTS).replacen("\"6000\"", "\"6001\"", 1))
    };
    let other = MemoryLog::new(["a", "b"].map(other).to_vec()).unwrap();
    let changed = from(options(other, 2));
    let error = replay_reducer(&job(&dir, ""), counting(), &changed, &Silent).unwrap_err();
    assert!(error.to_string().contains("`a` (partition a, taken up to offset 7001)"), "{error}");
    let rest = run(&dir, &from(options(Slow::new(true, End::OfParts), 2))).manifest;
    assert_eq!(rest.run_digest, whole.run_digest);
    assert_eq!(rest.from_snapshot.unwrap().checked, Checked::Nothing);
}

#[test]
fn a_key_is_explained_where_its_events_lie_in_a_log_with_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let replay = options(memory(true), 2);
    let explaining = ExplainOptions { replay, ..ExplainOptions::default() };
    let job = job(&dir, "");
    let history = explain(&job, "b2", vec![counting()], &explaining, &Silent).unwrap();
    let expected = (0..EVENTS).filter(|n| n % 5 == 2 && n % 7 != 3).map(sparse);
    let told = history.told.iter().map(|told| told.place.offset);
    assert!(told.eq(expected));
    assert!(history.told.iter().all(|told| told.place.partition == "b"));
}

#[test]
fn an_event_in_a_log_with_gaps_is_taken_out_by_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!(
        "{{\"quarantine\":{{\"partition\":\"a\",\"offset\":{},\"key\":\"a2\",\"id\":\"17002\"}},\
         \"author\":\"t\",\"reason\":\"a test\"}}\n",
        sparse(17_002)
    );
    std::fs::write(dir.path().join("ledger.jsonl"), line).unwrap();
    let job = job(&dir, "ledger = \"ledger.jsonl\"\n");
    let report = replay_reducer(&job, counting(), &options(memory(true), 2), &Silent).unwrap();
    assert_eq!(report.manifest.counts.quarantined, 1);
}

/// A log whose partitions begin behind what a snapshot has reached.
fn late() -> MemoryLog {
    let partition = |name: &str| MemoryPartition::lines(name, "{}\n").at([1_000_000]);
    MemoryLog::new(["a", "b"].map(partition).to_vec()).unwrap()
}

/// A log that has nothing at every other question: another thread wakes it, or nobody does.
struct Slow {
    log: MemoryLog,
    partitions: Vec<Partition>,
    wakes: bool,
    polls: Arc<AtomicUsize>,
    dropped: Arc<AtomicBool>,
}

struct SlowFeed {
    feed: Box<dyn Feed>,
    wakes: bool,
    is_open: bool,
    asked: bool,
    polls: Arc<AtomicUsize>,
    dropped: Arc<AtomicBool>,
}

impl Slow {
    fn new(wakes: bool, end: End) -> Self {
        let log = memory(false);
        let with_end = |partition: &Partition| Partition { end, ..partition.clone() };
        let partitions = log.partitions().iter().map(with_end).collect();
        Self { log, partitions, wakes, polls: Arc::default(), dropped: Arc::default() }
    }
}

impl Log for Slow {
    fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    fn parts(&self) -> &[Part] {
        self.log.parts()
    }

    fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError> {
        Ok(Box::new(SlowFeed {
            feed: self.log.read(part, from)?,
            wakes: self.wakes,
            is_open: self.partitions[part].end == End::Open,
            asked: false,
            polls: self.polls.clone(),
            dropped: self.dropped.clone(),
        }))
    }
}

impl Feed for SlowFeed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        self.asked = !self.asked;
        if self.asked {
            let waker = cx.waker().clone();
            if self.wakes {
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(5));
                    waker.wake();
                });
            }
            return Poll::Pending;
        }
        match self.feed.poll(cx) {
            Poll::Ready(Ok(None)) if self.is_open => Poll::Pending,
            polled => polled,
        }
    }
}

impl Drop for SlowFeed {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_source_that_waits_gives_the_same_and_is_asked_only_when_woken() {
    let dir = tempfile::tempdir().unwrap();
    let expected = run(&dir, &options(memory(false), 2)).manifest;
    for threads in [1, 2] {
        let slow = Slow::new(true, End::OfParts);
        let polls = slow.polls.clone();
        let report = run(&dir, &options(slow, threads));
        assert_eq!(report.manifest.run_digest, expected.run_digest);
        assert_eq!(report.manifest.seal, expected.seal);
        // Three slabs and an end in each partition, each asked for twice.
        assert_eq!(polls.load(Ordering::SeqCst), 2 * 2 * 4);
    }
}

#[test]
fn partitions_without_an_end_take_turns_up_to_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Some(10_000);
    let ends = ReplayOptions { limit, ..options(memory(false), 2) };
    let expected = run(&dir, &ends).manifest;
    let endless = ReplayOptions { limit, ..options(Slow::new(true, End::Open), 2) };
    let manifest = run(&dir, &endless).manifest;
    assert_eq!((manifest.run_digest, manifest.seal), (expected.run_digest, expected.seal));
    // Also where a range ends with what there is.
    let at = |offset: usize| Bound::parse(&["a", "b"].map(|name| format!("{name}:{offset}"))).ok();
    let ranged = |own| ReplayOptions { from: at(5_000), to: at(EVENTS), ..own };
    let expected = run(&dir, &ranged(options(memory(false), 2))).manifest;
    let manifest = run(&dir, &ranged(options(Slow::new(true, End::Open), 2))).manifest;
    assert_eq!((manifest.run_digest, manifest.seal), (expected.run_digest, expected.seal));
    let from = Bound::parse(&["2026-01-01"]).ok();
    let timed = ReplayOptions { from, ..options(Slow::new(true, End::Open), 2) };
    let error = replay_reducer(&job(&dir, ""), counting(), &timed, &Silent).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("has no end"), "{error}");
    let endless = options(Slow::new(true, End::Open), 2);
    let job = job(&dir, "order = \"path\"\n");
    let error = replay_reducer(&job, counting(), &endless, &Silent).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("has no end"), "{error}");
}

#[test]
fn a_source_that_waits_for_ever_ends_with_the_cancel() {
    let dir = tempfile::tempdir().unwrap();
    for threads in [1, 2] {
        let slow = Slow::new(false, End::OfParts);
        let (polls, dropped) = (slow.polls.clone(), slow.dropped.clone());
        let cancel = Cancel::default();
        let options = ReplayOptions { cancel: cancel.clone(), ..options(slow, threads) };
        let job = job(&dir, "");
        let run = std::thread::spawn(move || {
            replay_reducer(&job, counting(), &options, &Silent).map(|report| report.dir)
        });
        while polls.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(20));
        cancel.cancel();
        assert!(matches!(run.join().unwrap(), Err(RunError::Cancelled)));
        assert!(dropped.load(Ordering::SeqCst));
    }
    let left = std::fs::read_dir(dir.path().join("runs"));
    assert!(left.is_err() || left.unwrap().next().is_none());
}
