//! A reducer that never returns costs about three deadlines in all, and the same event or key is
//! named for it, whatever the threads do. CPU time is counted here, not measured: a call takes one
//! step after another until it is ended.

use super::log_tests::{counting, job, options};
use super::*;
use crate::log::{MemoryLog, MemoryPartition};
use retally_compare::sink::NoSink;
use retally_core::digest::Hash;
use retally_core::reduce::{
    Answer, Batch, Engine, Fault, Halt, Instance, Keyed, Limit, Reducer, Trace, Viewed, Violated,
};
use retally_core::schema::{Description, Spans};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Steps of a deadline.
const DEADLINE: usize = 960;

/// What a call does with an event or a key.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    /// It takes so many steps.
    Takes(usize),
    Traps,
    Loops,
}

/// What is done with an event by its id, and with the view of a key.
#[derive(Clone, Copy)]
struct Ways {
    event: fn(&str) -> Does,
    view: fn(&str) -> Does,
}

const FINE: Ways = Ways { event: |_| Does::Takes(0), view: |_| Does::Takes(0) };

#[derive(Default)]
struct Seen {
    /// Steps of all calls.
    steps: AtomicUsize,
    /// Calls that loop; the first `together` of them wait for one another, as threads that run at
    /// the same time do.
    looping: AtomicUsize,
    together: usize,
    halted: AtomicUsize,
}

/// Counts the events of a key, and does what it is told.
struct Stepping {
    inner: Arc<dyn Reducer>,
    ways: Ways,
    seen: Arc<Seen>,
}

impl Reducer for Stepping {
    fn description(&self) -> &Description {
        self.inner.description()
    }

    fn digest(&self) -> Hash {
        self.inner.digest()
    }

    fn engine(&self) -> Engine {
        self.inner.engine()
    }

    fn open(&self) -> Result<Box<dyn Instance>, Fault> {
        let (inner, ways, seen) = (self.inner.open()?, self.ways, self.seen.clone());
        Ok(Box::new(Running { inner, ways, seen, parts: 1, halt: None }))
    }
}

struct Running {
    inner: Box<dyn Instance>,
    ways: Ways,
    seen: Arc<Seen>,
    parts: u32,
    halt: Option<Halt>,
}

impl Running {
    fn does(&self, what: Does, used: &mut usize) -> Result<(), Fault> {
        let steps = match what {
            Does::Takes(steps) => steps,
            Does::Traps => return Err(Fault::Trap { message: "on purpose".into() }),
            Does::Loops => {
                self.meet();
                usize::MAX
            }
        };
        if self.halt.as_ref().is_some_and(|halt| halt()) {
            self.seen.halted.fetch_add(1, Ordering::SeqCst);
            return Err(Fault::Halted);
        }
        let left = DEADLINE / self.parts as usize - *used;
        self.seen.steps.fetch_add(steps.min(left), Ordering::SeqCst);
        *used += steps.min(left);
        match steps > left {
            true => Err(Fault::Limit { which: Limit::Deadline, message: "slow".into() }),
            false => Ok(()),
        }
    }

    fn meet(&self) {
        let Seen { looping, together, .. } = &*self.seen;
        if looping.fetch_add(1, Ordering::SeqCst) < *together {
            // Some thousand turns: whoever waits for them in vain has failed.
            let mut turns = 0..30_000;
            while looping.load(Ordering::SeqCst) < *together {
                assert!(turns.next().is_some(), "the other threads do not come");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn views(&self, keyed: &Spans) -> Result<(), Fault> {
        let mut used = 0;
        let mut one = |key: &[u8]| self.does((self.ways.view)(text(key)), &mut used);
        keyed.iter().try_for_each(&mut one)
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

impl Instance for Running {
    fn halt_when(&mut self, halt: Halt) {
        self.halt = Some(halt);
    }

    fn hurry(&mut self, parts: u32) {
        self.parts = parts;
    }

    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        let (mut used, mut row) = (0, 0);
        for (key, &end) in batch.key_ends.iter().enumerate() {
            for row in row..end {
                self.does((self.ways.event)(text(batch.ids.get(row as usize))), &mut used)?;
                if batch.trace != Trace::Nothing {
                    self.does((self.ways.view)(text(batch.keys.get(key))), &mut used)?;
                }
            }
            row = end;
        }
        self.inner.apply(batch)
    }

    fn view(&mut self, keyed: &Keyed) -> Result<Viewed, Fault> {
        self.views(&keyed.keys)?;
        self.inner.view(keyed)
    }

    fn check(&mut self, keyed: &Keyed) -> Result<Vec<Violated>, Fault> {
        self.inner.check(keyed)
    }

    fn migrate(&mut self, version: u32, keyed: &Keyed) -> Result<Result<Spans, String>, Fault> {
        self.inner.migrate(version, keyed)
    }
}

/// Two partitions of events with the ids a0, a1, ..., of 40 keys each.
fn log(events: usize) -> MemoryLog {
    let partition = |name: &str| {
        let line = |n: usize| {
            let key = n % 40;
            format!(
                "{{\"k\":\"{name}{key:02}\",\"i\":\"{name}{n}\",\"t\":\"2026-01-01T00:00:00Z\"}}\n"
            )
        };
        MemoryPartition::lines(name, (0..events).map(line).collect::<String>())
    };
    MemoryLog::new(["a", "b"].map(partition).to_vec()).unwrap()
}

/// So many keys of one event.
fn wide(keys: usize) -> MemoryLog {
    let line =
        |n: usize| format!("{{\"k\":\"k{n:05}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:00Z\"}}\n");
    MemoryLog::new(vec![MemoryPartition::lines("a", (0..keys).map(line).collect::<String>())])
        .unwrap()
}

fn stepping(ways: Ways, together: usize) -> (Arc<dyn Reducer>, Arc<Seen>) {
    let seen = Arc::new(Seen { together, ..Seen::default() });
    (Arc::new(Stepping { inner: counting(), ways, seen: seen.clone() }), seen)
}

fn ran(
    log: MemoryLog,
    ways: Ways,
    threads: usize,
    together: usize,
) -> (Result<Report, RunError>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let (reducer, seen) = stepping(ways, together);
    let job = job(&dir, "");
    let result = replay_reducer(&job, reducer, &options(log, threads), &Silent);
    (result, seen.steps.load(Ordering::SeqCst))
}

/// Where a run stops, and the steps that it took.
fn stopped(log: MemoryLog, ways: Ways, threads: usize, together: usize) -> (String, usize) {
    let (result, steps) = ran(log, ways, threads, together);
    match result.unwrap_err() {
        RunError::Stopped(stopped) => (format!("{}: {}", stopped.position, stopped.cause), steps),
        other => (other.to_string(), steps),
    }
}

const THREADS: [usize; 4] = [1, 2, 5, 16];

#[test]
fn however_many_events_never_return_three_deadlines_are_spent_and_the_first_is_named() {
    for threads in THREADS {
        let ways = Ways { event: |_| Does::Loops, ..FINE };
        // All threads meet one of them at the same time.
        let (told, steps) = stopped(log(500), ways, threads, threads);
        assert_eq!(told, "a:0: the reducer meets its deadline limit on it: slow", "{threads}");
        assert!(steps <= 3 * DEADLINE, "{steps} steps on {threads} threads");
    }
}

#[test]
fn of_some_events_that_never_return_the_first_of_the_log_is_named_whatever_the_threads_do() {
    let event = |id: &str| match id {
        "a333" | "a407" | "a388" | "a330" | "b12" | "b13" | "b14" | "b15" => Does::Loops,
        _ => Does::Takes(0),
    };
    for threads in THREADS.repeat(3) {
        // Which shards have these keys differs from run to run.
        let (told, steps) = stopped(log(500), Ways { event, ..FINE }, threads, 0);
        assert_eq!(told, "a:330: the reducer meets its deadline limit on it: slow", "{threads}");
        assert!(steps <= 3 * DEADLINE, "{steps} steps on {threads} threads");
    }
}

#[test]
fn a_trap_and_an_event_that_never_returns_are_told_by_their_order_in_the_log() {
    let late = |id: &str| match id {
        "a100" | "b7" => Does::Loops,
        "a200" => Does::Traps,
        _ => Does::Takes(0),
    };
    let early = |id: &str| match id {
        "a300" | "b7" => Does::Loops,
        "a200" => Does::Traps,
        _ => Does::Takes(0),
    };
    for threads in THREADS.repeat(3) {
        let told = |event| stopped(log(500), Ways { event, ..FINE }, threads, 0).0;
        assert_eq!(told(late), "a:100: the reducer meets its deadline limit on it: slow");
        assert_eq!(told(early), "a:200: the reducer traps on it: on purpose");
    }
}

#[test]
fn a_stop_in_an_earlier_batch_is_told_though_a_later_one_is_slow() {
    let event = |id: &str| match id {
        // Batches hold 3,000 events.
        "a9000" | "a4000" => Does::Loops,
        "a3500" => Does::Traps,
        _ => Does::Takes(0),
    };
    for threads in THREADS {
        let told = stopped(log(10_000), Ways { event, ..FINE }, threads, 0).0;
        assert_eq!(told, "a:3500: the reducer traps on it: on purpose");
    }
}

#[test]
fn events_that_are_slow_only_together_change_no_digest() {
    let plain = ran(log(2_000), FINE, 1, 0).0.unwrap().manifest.digests;
    // In a call of a shard there are fifty or so, and more of a shard with several keys.
    let ways = [|_: &str| Does::Takes(1), |_: &str| Does::Takes(9), |_: &str| Does::Takes(959)];
    for threads in THREADS {
        for event in ways {
            let found = ran(log(2_000), Ways { event, ..FINE }, threads, 0).0.unwrap();
            assert_eq!(found.manifest.digests, plain, "{threads}");
        }
    }
}

#[test]
fn the_audit_tells_of_a_limit_that_was_met_and_of_no_part_of_one() {
    let told = |takes: fn(&str) -> Does, threads: usize| {
        let dir = tempfile::tempdir().unwrap();
        let (reducer, seen) = stepping(Ways { event: takes, ..FINE }, 0);
        let options = options(log(2_000), threads);
        let report = replay_reducer(&job(&dir, ""), reducer, &options, &Silent).unwrap();
        let audit = std::fs::read_to_string(report.dir.join("audit.jsonl")).unwrap();
        (audit.contains("passing-limit"), seen.steps.load(Ordering::SeqCst))
    };
    assert!(told(|_| Does::Takes(959), 1).0);
    // Calls that take no more than a deadline, though more than a sixteenth, are folded anew.
    let (is_told, steps) = told(|_| Does::Takes(1), 16);
    assert!(!is_told && steps > 4_000, "{is_told} {steps}");
}

#[test]
fn however_many_views_never_return_three_deadlines_are_spent_and_the_first_key_is_named() {
    let one = |key: &str| match key {
        "k04100" | "k09000" | "k13000" | "k17000" | "k17001" => Does::Loops,
        _ => Does::Takes(0),
    };
    for threads in THREADS {
        let all = Ways { view: |_| Does::Loops, ..FINE };
        let (told, steps) = stopped(wide(20_000), all, threads, threads.min(5));
        assert!(told.contains("key \"k00000\": limit: deadline"), "{told}");
        assert!(steps <= 3 * DEADLINE, "{steps} steps on {threads} threads");
        let (told, steps) = stopped(wide(20_000), Ways { view: one, ..FINE }, threads, 0);
        assert!(told.contains("key \"k04100\": limit: deadline"), "{told}");
        assert!(steps <= 3 * DEADLINE, "{steps} steps on {threads} threads");
    }
}

#[test]
fn views_that_are_slow_only_together_change_no_digest() {
    let plain = ran(wide(20_000), FINE, 1, 0).0.unwrap().manifest.digests;
    for threads in THREADS {
        let view = |_: &str| Does::Takes(1);
        let found = ran(wide(20_000), Ways { view, ..FINE }, threads, 0).0.unwrap();
        assert_eq!(found.manifest.digests, plain, "{threads}");
    }
}

/// What a comparison of two reducers ends with, and the steps of both.
fn compared(log: MemoryLog, [a, b]: [Ways; 2], threads: usize) -> (String, usize) {
    let dir = tempfile::tempdir().unwrap();
    let ((a, seen_a), (b, seen_b)) = (stepping(a, 0), stepping(b, 0));
    let options = PassOptions { replay: options(log, threads), ..PassOptions::default() };
    let compared = compare(&job(&dir, ""), [a, b], &options, &Silent, &mut NoSink);
    let told = match compared.unwrap_err() {
        RunError::Stopped(at) => {
            format!("{} {}: {}", at.side.unwrap_or_default(), at.position, at.cause)
        }
        other => other.to_string(),
    };
    (told, seen_a.steps.load(Ordering::SeqCst) + seen_b.steps.load(Ordering::SeqCst))
}

#[test]
fn a_comparison_spends_three_deadlines_and_names_the_first_event_of_both_sides() {
    let all = Ways { event: |_| Does::Loops, ..FINE };
    let event = |id: &str| if id == "a250" { Does::Loops } else { Does::Takes(0) };
    let some = Ways { event, ..FINE };
    let event = |id: &str| if id == "a251" || id == "b0" { Does::Loops } else { Does::Takes(0) };
    let others = Ways { event, ..FINE };
    let limit = "the reducer meets its deadline limit on it: slow";
    for threads in THREADS {
        for (sides, first) in [
            ([all, all], "a, counting@1 a:0"),
            ([FINE, all], "b, counting@1 a:0"),
            ([others, some], "b, counting@1 a:250"),
            ([some, others], "a, counting@1 a:250"),
        ] {
            let (told, steps) = compared(log(500), sides, threads);
            assert_eq!(told, format!("{first}: {limit}"), "{threads}");
            assert!(steps <= 3 * DEADLINE, "{steps} steps on {threads} threads");
        }
    }
}

#[test]
fn a_view_that_never_returns_is_not_compared_as_one_that_fails() {
    let view = |key: &str| if key == "a07" || key == "b03" { Does::Loops } else { Does::Takes(0) };
    for threads in THREADS {
        let (told, steps) = compared(log(500), [FINE, Ways { view, ..FINE }], threads);
        assert!(told.starts_with("b, counting@1 a:7: the reducer meets its deadline"), "{told}");
        assert!(steps <= 3 * DEADLINE, "{steps} steps on {threads} threads");
    }
}

#[test]
fn a_key_is_explained_though_its_view_never_returns() {
    let dir = tempfile::tempdir().unwrap();
    let view = |key: &str| if key == "a07" { Does::Loops } else { Does::Takes(0) };
    let explained = |ways| {
        let (reducer, seen) = stepping(ways, 0);
        let replay = options(log(500), 2);
        let options = ExplainOptions { replay, ..ExplainOptions::default() };
        let job = job(&dir, "");
        let history = explain(&job, "a07", vec![reducer], &options, &Silent).unwrap();
        (history, seen.steps.load(Ordering::SeqCst))
    };
    let (history, steps) = explained(Ways { view, ..FINE });
    assert_eq!((history.events, history.stopped.as_deref(), steps), (13, None, DEADLINE));
    let note = "the view of counting@1 after event 1 meets its deadline limit, so from there on \
                none is shown; raise it in [limits] if it is too tight";
    assert!(history.notes.iter().any(|told| told == note), "{:?}", history.notes);
    let event = |id: &str| if id == "a87" { Does::Loops } else { Does::Takes(0) };
    let (history, steps) = explained(Ways { event, ..FINE });
    assert_eq!((history.events, steps), (2, 3 * DEADLINE));
    let stopped = "a run stops at a:87: the reducer meets its deadline limit on it: slow";
    assert_eq!(history.stopped.as_deref(), Some(stopped));
}

#[test]
fn a_call_ends_with_the_cancel() {
    let dir = tempfile::tempdir().unwrap();
    // It waits for a second call, which never comes, until the run is cancelled.
    let (reducer, seen) = stepping(Ways { event: |_| Does::Loops, ..FINE }, 2);
    let options = options(log(100), 1);
    let (cancel, other) = (options.cancel.clone(), seen.clone());
    let job = job(&dir, "");
    let error = std::thread::scope(|scope| {
        let run = scope.spawn(|| replay_reducer(&job, reducer, &options, &Silent).unwrap_err());
        while other.looping.load(Ordering::SeqCst) == 0 && !run.is_finished() {
            std::thread::yield_now();
        }
        cancel.cancel();
        other.looping.fetch_add(1, Ordering::SeqCst);
        run.join().unwrap()
    });
    assert!(matches!(error, RunError::Cancelled), "{error}");
    assert_eq!(seen.halted.load(Ordering::SeqCst), 1);
}
