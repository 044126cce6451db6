//! A reducer that never returns costs the deadlines of one shard, not of all.

use super::log_tests::{counting, job, memory, options};
use super::*;
use retally_core::digest::Hash;
use retally_core::reduce::{
    Answer, Batch, Engine, Fault, Halt, Instance, Keyed, Limit, Reducer, Viewed, Violated,
};
use retally_core::schema::{Description, Spans};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

/// Loops in every call. On the thread that came first a deadline is over at once; on the others
/// none ever is, and only the end of the run ends their calls.
struct Looping {
    inner: Arc<dyn Reducer>,
    seen: Arc<Seen>,
    /// Whether `view` loops, and not `apply`.
    in_view: bool,
}

#[derive(Default)]
struct Seen {
    first: Mutex<Option<ThreadId>>,
    deadlines: AtomicUsize,
    halted: AtomicUsize,
    /// Calls that run on the other threads.
    waiting: AtomicUsize,
    /// How many of them the first deadline waits for.
    wanted: usize,
}

impl Seen {
    fn loops(&self, halt: Option<&Halt>) -> Fault {
        let own = std::thread::current().id();
        let turn = Duration::from_millis(1);
        // Some thousand turns: whoever waits for them in vain has failed.
        let mut turns = 0..30_000;
        if *self.first.lock().unwrap().get_or_insert(own) == own {
            while self.waiting.load(Ordering::SeqCst) < self.wanted {
                assert!(turns.next().is_some(), "the other threads do not come");
                std::thread::sleep(turn);
            }
            self.deadlines.fetch_add(1, Ordering::SeqCst);
            return Fault::Limit { which: Limit::Deadline, message: "looped".into() };
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        while !halt.is_some_and(|halt| halt()) {
            assert!(turns.next().is_some(), "nobody ended the call");
            std::thread::sleep(turn);
        }
        self.halted.fetch_add(1, Ordering::SeqCst);
        Fault::Halted
    }
}

impl Reducer for Looping {
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
        let (inner, seen) = (self.inner.open()?, self.seen.clone());
        Ok(Box::new(Running { inner, seen, in_view: self.in_view, halt: None }))
    }
}

struct Running {
    inner: Box<dyn Instance>,
    seen: Arc<Seen>,
    in_view: bool,
    halt: Option<Halt>,
}

impl Instance for Running {
    fn halt_when(&mut self, halt: Halt) {
        self.halt = Some(halt);
    }

    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        match self.in_view {
            true => self.inner.apply(batch),
            false => Err(self.seen.loops(self.halt.as_ref())),
        }
    }

    fn view(&mut self, keyed: &Keyed) -> Result<Viewed, Fault> {
        match self.in_view {
            true => Err(self.seen.loops(self.halt.as_ref())),
            false => self.inner.view(keyed),
        }
    }

    fn check(&mut self, keyed: &Keyed) -> Result<Vec<Violated>, Fault> {
        self.inner.check(keyed)
    }

    fn migrate(&mut self, version: u32, keyed: &Keyed) -> Result<Result<Spans, String>, Fault> {
        self.inner.migrate(version, keyed)
    }
}

fn ended(threads: usize, in_view: bool) -> (Arc<Seen>, RunError) {
    let dir = tempfile::tempdir().unwrap();
    let seen = Arc::new(Seen { wanted: threads - 1, ..Seen::default() });
    let reducer = Looping { inner: counting(), seen: seen.clone(), in_view };
    let options = options(memory(false), threads);
    let error = replay_reducer(&job(&dir, ""), Arc::new(reducer), &options, &Silent).unwrap_err();
    (seen, error)
}

#[test]
fn the_first_stop_ends_the_calls_of_the_other_shards() {
    for threads in [1, 3] {
        let (seen, error) = ended(threads, false);
        assert!(error.to_string().contains("deadline limit"), "{error}");
        // The call of the batch, the event alone, and once more: whatever number of shards.
        assert_eq!(seen.deadlines.load(Ordering::SeqCst), 3);
        assert_eq!(seen.halted.load(Ordering::SeqCst), threads - 1);
    }
}

#[test]
fn a_view_that_never_returns_is_named_once() {
    let (seen, error) = ended(1, true);
    assert!(error.to_string().contains("key \"a0\": limit: deadline"), "{error}");
    assert_eq!(seen.deadlines.load(Ordering::SeqCst), 2);
}

#[test]
fn a_call_ends_with_the_cancel() {
    let dir = tempfile::tempdir().unwrap();
    // The run is on another thread than the one whose deadlines are over.
    let seen = Arc::new(Seen { wanted: 0, ..Seen::default() });
    *seen.first.lock().unwrap() = Some(std::thread::current().id());
    let reducer = Looping { inner: counting(), seen: seen.clone(), in_view: false };
    let options = options(memory(false), 1);
    let (cancel, other) = (options.cancel.clone(), seen.clone());
    let job = job(&dir, "");
    let error = std::thread::scope(|scope| {
        let run =
            scope.spawn(|| replay_reducer(&job, Arc::new(reducer), &options, &Silent).unwrap_err());
        while other.waiting.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        cancel.cancel();
        run.join().unwrap()
    });
    assert!(matches!(error, RunError::Cancelled), "{error}");
    assert_eq!(seen.halted.load(Ordering::SeqCst), 1);
}
