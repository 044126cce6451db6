//! Events that the first of several passes puts aside: of whatever kind they are, the others make
//! of them what one pass makes, and keep their bytes.

use super::log_tests::{described, job, options};
use super::passes_tests::files;
use super::*;
use crate::log::{MemoryLog, MemoryPartition};
use crate::rundir::check;
use crate::source::Format;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use retally_core::digest::Hash;
use retally_core::log::Order;
use retally_core::reduce::Reducer;
use retally_core::reduce::native::{Event as Read, Native, Rules};
use retally_core::schema::{Description, Kind, Value};
use retally_kit::describe::{field, input, reason};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Adds up what it does not reject, and emits it with a note.
struct Judging;

impl Rules for Judging {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        event: &Read<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)> {
        let Some(Value::Decimal(number)) = event.get(0) else { return Ok(()) };
        if number % 19 == 0 {
            return Err((0, format!("{number} by 19")));
        }
        state.push(event.get(1).map_or(0, |_| 1));
        emit(0, &[Some(Value::Integer(number + state.len() as i64))]);
        Ok(())
    }

    fn view(&self, _key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>])) {
        row(&[Some(Value::Integer(state.iter().map(|&one| i64::from(one)).sum()))]);
    }

    fn check(&self, _key: &[u8], _state: &[u8]) -> Vec<(u16, String)> {
        Vec::new()
    }
}

pub(super) fn judging() -> Arc<dyn Reducer> {
    let number = field("n", Kind::Decimal { scale: 0 }, true);
    let fields = vec![number, field("note", Kind::Text, false)];
    let mut number = input("number", fields.clone());
    number.when.clear();
    // The first input that takes an event is the one with a type.
    let inputs = vec![input("other", fields), number];
    let described = Description { inputs, rejects: vec![reason("by-19")], ..described() };
    Arc::new(Native::new(described, Hash([9; 32]), Judging))
}

/// What an event has: type, key, id, time, number, note.
type Event = [Option<String>; 6];

const NAMES: [&str; 6] = ["type", "k", "i", "t", "n", "note"];

fn event(partition: &str, n: usize) -> Event {
    let text = |text: String| Some(text);
    // The same once more, or something else in its place.
    let own = if n % 17 == 1 || n % 13 == 1 { n - 1 } else { n };
    let number = if n % 13 == 1 { n } else { own };
    [
        n.is_multiple_of(3).then(|| "other".into()),
        text(format!("{partition}{}", own % 40)).filter(|_| !n.is_multiple_of(29)),
        text(own.to_string()),
        text(format!("2026-01-01T{:02}:{:02}:00Z", own / 60 % 24, (own % 60) ^ 1)),
        text(if n.is_multiple_of(11) { "x".into() } else { number.to_string() }),
        text(format!("\"{own}\u{e9}")).filter(|_| own % 2 == 0),
    ]
}

/// Events of a partition.
const EVENTS: u64 = 1_000;

fn events(partition: &str) -> Vec<Event> {
    (0..EVENTS as usize).map(|n| event(partition, n)).collect()
}

fn lines(partition: &str) -> String {
    let line = |event: Event| {
        let members = NAMES.iter().zip(event).filter_map(|(name, value)| Some((name, value?)));
        let members: Vec<String> =
            members.map(|(name, value)| format!("\"{name}\": {value:?}")).collect();
        format!("{{{}}} \n", members.join(" , "))
    };
    events(partition).into_iter().map(line).collect()
}

fn table(partition: &str, dir: &Path) {
    let events = events(partition);
    let column = |at: usize| -> ArrayRef {
        Arc::new(events.iter().map(|event| event[at].clone()).collect::<StringArray>())
    };
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    columns.extend(NAMES.iter().enumerate().map(|(at, &name)| (name, column(at))));
    // What no reducer reads is kept of what is refused, too.
    columns.push(("more", column(3)));
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let file = fs::File::create(dir.join(format!("{partition}.parquet"))).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

pub(super) fn log() -> MemoryLog {
    log_of(8)
}

/// As many of its partitions.
pub(super) fn log_of(partitions: usize) -> MemoryLog {
    let partition = |name: &str| {
        let offsets: Vec<u64> = (0..EVENTS).map(|n| n + n / 7).collect();
        MemoryPartition::lines(name, lines(name)).at(offsets)
    };
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().take(partitions);
    MemoryLog::new(names.map(partition).collect()).unwrap()
}

pub(super) fn passes(number: usize, reread: bool, options: ReplayOptions) -> ReplayOptions {
    let passes = Passes::Number(number);
    ReplayOptions { passes, reread, batch_events: 1_000, ..options }
}

#[test]
fn whatever_becomes_of_events_becomes_of_those_that_were_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    for order in [Order::Log, Order::Path, Order::Time] {
        let mut job = job(&dir, "");
        job.order = order;
        let run = |options| replay_reducer(&job, judging(), &options, &Silent).unwrap();
        let whole = run(passes(1, false, options(log(), 2)));
        let counts = whole.manifest.counts;
        assert!(counts.malformed > 400 && counts.rejected > 100, "{counts:?}");
        assert!(counts.duplicates > 50 && counts.conflicts > 100, "{counts:?}");
        assert!(counts.applied > 2_000, "{counts:?}");
        for (number, threads) in [(2, 3), (7, 1)] {
            for reread in [true, false] {
                let parts = run(passes(number, reread, options(log(), threads)));
                assert!(files(&parts.dir) == files(&whole.dir), "{order:?} {number} {reread}");
                assert!(check(&parts.dir).unwrap().holds());
            }
        }
    }
}

#[test]
fn events_of_a_table_that_were_put_aside_are_kept_whole_where_they_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = job(&dir, "");
    (job.source.format, job.source.url) = (Format::Parquet, "file:log/".into());
    let folder = dir.path().join("log");
    fs::create_dir(&folder).unwrap();
    ["a", "b"].into_iter().for_each(|partition| table(partition, &folder));
    let run = |number, reread| {
        let options = passes(number, reread, ReplayOptions::default());
        replay_reducer(&job, judging(), &options, &Silent).unwrap()
    };
    let whole = run(1, false);
    assert!(whole.manifest.counts.rejected > 50, "{:?}", whole.manifest.counts);
    for reread in [true, false] {
        assert!(files(&run(5, reread).dir) == files(&whole.dir));
    }
}

#[test]
fn a_stop_in_a_later_pass_shows_the_event_as_in_one() {
    let dir = tempfile::tempdir().unwrap();
    let job = job(&dir, "");
    // A key of two partitions, among others that are in the portions of other passes.
    let line = |key: &str, n: usize| {
        format!("{{\"k\":\"{key}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:00Z\",\"n\":{n}}}\n")
    };
    for twice in 0..6 {
        let lines = |of: &str| -> String {
            let key =
                |n: usize| if n == 30 { format!("{twice}") } else { format!("{of}{}", n % 9) };
            (0..50).map(|n| line(&key(n), n)).collect()
        };
        let partition = |name: &str| MemoryPartition::lines(name, lines(name));
        let log = || MemoryLog::new(["a", "b"].map(partition).to_vec()).unwrap();
        let stop = |number, reread| {
            let options = passes(number, reread, options(log(), 2));
            replay_reducer(&job, judging(), &options, &Silent).unwrap_err().to_string()
        };
        let whole = stop(1, false);
        assert!(whole.contains("b:30") && whole.contains("\"n\":30"), "{whole}");
        assert_eq!([stop(4, true), stop(4, false)], [whole.clone(), whole]);
    }
}
