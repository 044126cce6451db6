//! A run stops where it holds more than it may, and says what has grown.

use super::log_tests::{described, job, memory, options};
use super::*;
use crate::log::{MemoryLog, MemoryPartition};
use retally_core::digest::Hash;
use retally_core::reduce::native::{Event, Native, Rules};
use retally_core::reduce::{Answer, Batch, Fault, Keyed, Limit, Viewed};
use retally_core::schema::Value;
use retally_kit::faulty::{Faults, faulty};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every event makes its key's state longer by so many bytes.
pub(super) struct Growing(pub(super) usize);

impl Rules for Growing {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        _event: &Event<'_>,
        _emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)> {
        state.resize(state.len() + self.0, 1);
        Ok(())
    }

    fn view(&self, _key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>])) {
        row(&[Some(Value::Integer(state.len() as i64))]);
    }

    fn check(&self, _key: &[u8], _state: &[u8]) -> Vec<(u16, String)> {
        Vec::new()
    }
}

fn stopped(by: usize, options: &ReplayOptions) -> RunError {
    let dir = tempfile::tempdir().unwrap();
    let reducer = Arc::new(Native::new(described(), Hash([8; 32]), Growing(by)));
    replay_reducer(&job(&dir, ""), reducer, options, &Silent).unwrap_err()
}

/// Takes one event a call: whatever folds more meets a limit. Counts the calls that succeed.
struct Single(Arc<AtomicU64>);

impl Faults for Single {
    fn before(&self, batch: &Batch) -> Result<(), Fault> {
        match batch.len() {
            0 | 1 => Ok(()),
            _ => Err(Fault::Limit { which: Limit::Memory, message: "too many".into() }),
        }
    }

    fn apply(&self, _: &Batch, _: &Answer) -> Result<(), Fault> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn view(&self, _: &Keyed, _: &Viewed) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn events_folded_one_by_one_after_a_limit_stop_within_the_batch_too() {
    let dir = tempfile::tempdir().unwrap();
    let native = Arc::new(Native::new(described(), Hash([8; 32]), Growing(16 << 10)));
    let calls = Arc::new(AtomicU64::new(0));
    let reducer = faulty(native, Single(calls.clone()));
    let error = replay_reducer(&job(&dir, ""), reducer, &limited(12 << 20), &Silent).unwrap_err();
    let RunError::HostMemory { held, .. } = &error else { panic!("{error}") };
    // So many events make 8 MiB of states; kept after each event they would be far more.
    assert!(held.calls + held.states < 9 << 20, "{error}");
    assert!((256..=512).contains(&calls.load(Ordering::Relaxed)), "{calls:?} {error}");
}

#[test]
fn what_a_call_returns_counts_before_it_is_kept() {
    let error = stopped(2 << 10, &limited(10 << 20));
    let RunError::HostMemory { held, .. } = &error else { panic!("{error}") };
    assert!(held.calls > 4 << 20 && held.states < 4 << 20, "{error}");
}

fn limited(bytes: u64) -> ReplayOptions {
    let options = options(memory(false), 1);
    ReplayOptions { host_memory_bytes: Some(bytes), batch_events: 131_072, ..options }
}

#[test]
fn states_that_grow_within_one_batch_stop_the_run_within_it() {
    // All events are one batch of 4 MiB; ten keys grow to 1.7 MiB each in it.
    let error = stopped(512, &limited(13 << 20));
    let RunError::HostMemory { held, largest, advice, .. } = &error else { panic!("{error}") };
    assert!((4 << 20..13 << 20).contains(&(held.states + held.calls)), "{error}");
    let (key, bytes) = *largest.clone().unwrap();
    assert!(key.starts_with(['a', 'b']) && bytes > 1 << 20, "{error}");
    assert!(error.to_string().contains(&format!("the largest is that of key {key:?}")), "{error}");
    assert!(advice.contains("the reducer's to mend"), "{error}");
}

#[test]
fn batches_on_their_way_and_partitions_count() {
    let error = stopped(0, &limited(1 << 20));
    let RunError::HostMemory { held, advice, .. } = &error else { panic!("{error}") };
    assert!(held.batches > (1 << 20) - (64 << 10), "{error}");
    assert!(advice.contains("--batch"), "{error}");
    let partition = |n| MemoryPartition::lines(&format!("p{n:04}"), String::new());
    let log = MemoryLog::new((0..1_000).map(partition).collect()).unwrap();
    let many = ReplayOptions { host_memory_bytes: Some(3 << 20), ..options(log, 1) };
    let error = stopped(0, &many);
    assert!(error.to_string().contains("larger files"), "{error}");
}

#[derive(Default)]
struct Most(AtomicU64);

impl Observer for Most {
    fn progress(&self, progress: &Progress) {
        self.0.fetch_max(progress.memory, Ordering::Relaxed);
    }
}

#[test]
fn as_much_room_is_made_for_ids_of_a_compressed_log_as_of_a_plain_one() {
    use std::io::Write as _;
    // Objects that are a little longer, compressed, than what a decompressor reads at first.
    let text = |object: usize, lines: usize| -> String {
        let line = |n: usize| {
            let id = Hash::of(format!("{object} {n}").as_bytes());
            format!("{{\"k\":\"k{}\",\"i\":\"{id}\",\"t\":\"2026-01-01T00:00:00Z\"}}\n", n % 100)
        };
        (0..lines).map(line).collect()
    };
    let gzip = |text: &str| {
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        to.write_all(text.as_bytes()).unwrap();
        to.finish().unwrap()
    };
    let (mut lines, mut step) = (1_000, 1_000);
    while step > 0 {
        match gzip(&text(0, lines + step)).len() > 131_072 {
            true => step /= 2,
            false => lines += step,
        }
    }
    let used = |compressed: bool| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("log")).unwrap();
        for object in 0..20 {
            let text = text(object, lines + 20);
            let file = dir.path().join(format!("log/{object:02}.jsonl"));
            match compressed {
                true => std::fs::write(file.with_extension("jsonl.gz"), gzip(&text)).unwrap(),
                false => std::fs::write(file, text).unwrap(),
            }
        }
        let mut job = job(&dir, "order = \"path\"\n");
        job.source.url = "file:log/".into();
        let most = Most::default();
        let options = ReplayOptions { batch_events: 8_192, ..ReplayOptions::default() };
        let reducer = Arc::new(Native::new(described(), Hash([8; 32]), Growing(1)));
        replay_reducer(&job, reducer, &options, &most).unwrap();
        most.0.into_inner()
    };
    let (plain, compressed) = (used(false), used(true));
    assert!(compressed < plain * 2, "{compressed} bytes, plain {plain}");
}
