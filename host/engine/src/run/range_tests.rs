//! A range of the log: what it gives of its events is what a run of the whole gives of them, and
//! what it gives of keys is what a run up to its end gives.

use super::changed_tests::{Place, lines};
use super::log_tests::{counting, job, options as read};
use super::*;
use crate::job::Snapshots;
use crate::log::{MemoryLog, MemoryPartition};
use crate::range::{Bound, RangeError};
use crate::rundir::check;
use crate::sink::{Memory, Tables};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use proptest::prelude::*;
use retally_core::log::{Order, Position};
use retally_core::manifest::Manifest;
use tempfile::TempDir;

/// An event: its key, id and minute; or none of all that.
type Made = Option<(u8, u8, u8)>;

/// The names of partitions, in order.
const NAMES: [&str; 3] = ["a", "b", "c"];

/// The offset of an event of a log with gaps.
fn sparse(n: usize) -> u64 {
    (n + 2 * (n / 3)) as u64
}

/// Under order "log" a partition has keys of its own.
fn log(order: Order, made: &[Vec<Made>]) -> MemoryLog {
    let line = |name: &str, event: &Made| match event {
        None => "no event\n".to_owned(),
        Some((key, id, minute)) => {
            let of = if order == Order::Path { "k" } else { name };
            format!(
                "{{\"k\":\"{of}{key}\",\"i\":\"{id}\",\"t\":\"2026-01-01T00:{minute:02}:00Z\"}}\n"
            )
        }
    };
    let partition = |(name, made): (&&str, &Vec<Made>)| {
        let text: String = made.iter().map(|event| line(name, event)).collect();
        MemoryPartition::lines(name, text).at((0..made.len()).map(sparse).collect::<Vec<_>>())
    };
    MemoryLog::new(NAMES.iter().zip(made).map(partition).collect()).unwrap()
}

fn minute(minute: u8) -> Bound {
    Bound::parse(&[format!("2026-01-01T00:{minute:02}:00Z")]).unwrap()
}

fn at(name: &str, offset: u64) -> Position {
    Position { partition: name.into(), offset }
}

/// What a run of a range gives in memory.
fn run(
    order: Order,
    made: &[Vec<Made>],
    range: &ReplayOptions,
) -> Result<(Manifest, Tables), RunError> {
    let dir = tempfile::tempdir().unwrap();
    let mut job = job(&dir, "");
    job.order = order;
    let mut memory = Memory::default();
    let own = read(log(order, made), 2);
    let options = ReplayOptions { input: own.input, batch_events: 5, threads: 2, ..range.clone() };
    replay_into(&job, counting(), &mut memory, &options, &Silent)?;
    Ok(memory.into_results().unwrap())
}

fn all(batches: &[RecordBatch]) -> Option<RecordBatch> {
    Some(concat_batches(&batches.first()?.schema(), batches).unwrap())
}

/// The rows of a table, of those that lie where a range begins or behind it.
fn rows(batches: &[RecordBatch], from: &[u64; 3]) -> Option<RecordBatch> {
    let all = all(batches)?;
    let column = |name: &str| all.column_by_name(name).unwrap();
    // Emits name their partitions by a dictionary.
    let names: Vec<String> = match column("partition").as_dictionary_opt::<Int32Type>() {
        Some(of) => {
            let names = of.values().as_string::<i32>();
            of.keys().values().iter().map(|&key| names.value(key as usize).to_owned()).collect()
        }
        None => {
            column("partition").as_string::<i32>().iter().flatten().map(str::to_owned).collect()
        }
    };
    let offsets = column("offset").as_primitive::<Int64Type>();
    let is_in = |row: usize| {
        let number = NAMES.iter().position(|own| *own == names[row]).unwrap();
        offsets.value(row) as u64 >= from[number]
    };
    let keep: Vec<bool> = (0..all.num_rows()).map(is_in).collect();
    let kept = filter_record_batch(&all, &BooleanArray::from(keep)).unwrap();
    (kept.num_rows() > 0).then_some(kept)
}

/// The place of the first event at or after a minute, in each partition, by the rule as it stands
/// in the docs.
fn places(order: Order, made: &[Vec<Made>], minute: u8) -> [u64; 3] {
    let is_due = |event: &Made| event.is_some_and(|(.., own)| own >= minute);
    let end = |part: &[Made]| part.len().checked_sub(1).map_or(0, |last| sparse(last) + 1);
    let mut is_behind = false;
    [0, 1, 2].map(|number| {
        let part = &made[number];
        let first = part.iter().position(is_due).map(sparse);
        if order == Order::Log {
            return first.unwrap_or(end(part));
        }
        let place = if is_behind { 0 } else { first.unwrap_or(end(part)) };
        is_behind |= first.is_some();
        place
    })
}

fn listed(places: [u64; 3]) -> Vec<Position> {
    let all = NAMES.iter().zip(places).filter(|(_, offset)| *offset > 0);
    all.map(|(name, offset)| at(name, offset)).collect()
}

fn made() -> impl Strategy<Value = Vec<Vec<Made>>> {
    let event = prop_oneof![1 => Just(None), 9 => (0..3u8, 0..30u8, 0..20u8).prop_map(Some)];
    proptest::collection::vec(proptest::collection::vec(event, 0..25), 3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_range_gives_what_a_run_of_the_whole_gives(
        made in made(),
        is_path: bool,
        (from, to) in (0..22u8, 0..22u8),
    ) {
        let order = if is_path { Order::Path } else { Order::Log };
        let end = ReplayOptions { to: Some(minute(to)), ..ReplayOptions::default() };
        let range = ReplayOptions { from: Some(minute(from)), ..end.clone() };
        let begins = places(order, &made, from);
        let taken = match run(order, &made, &range) {
            Err(RunError::Range(_)) => return Ok(()),
            taken => taken.unwrap(),
        };
        let whole = run(order, &made, &end).unwrap();
        let ((of, got), (to, full)) = (&taken, &whole);
        prop_assert_eq!(&of.job.settings.range.from, &listed(begins));
        prop_assert_eq!(&of.job.settings.range.to, &to.job.settings.range.to);
        prop_assert_eq!(of.run_digest, to.run_digest);
        prop_assert_eq!(all(&got.views), all(&full.views));
        prop_assert_eq!(all(&got.states), all(&full.states));
        let emits = [got, full].map(|tables| &tables.emits[0].1);
        prop_assert_eq!(rows(emits[0], &[0; 3]), rows(emits[1], &begins));
        prop_assert_eq!(rows(&got.refused, &[0; 3]), rows(&full.refused, &begins));
        prop_assert_eq!(of.check(), Ok(()));
        match of.since_start {
            Some(since) => prop_assert_eq!(since, to.counts),
            None => prop_assert_eq!(listed(begins), vec![]),
        }
    }

    #[test]
    fn a_range_behind_a_snapshot_goes_on_from_it(
        made in made(),
        is_path: bool,
        (a, b) in (1..20u8, 1..20u8),
    ) {
        let order = if is_path { Order::Path } else { Order::Log };
        let dir = tempfile::tempdir().unwrap();
        let mut job = job(&dir, "");
        job.order = order;
        let run = |from: Option<u8>, to: u8, snapshot: bool| {
            let options = ReplayOptions {
                from: from.map(minute),
                to: Some(minute(to)),
                snapshot: snapshot.then(|| "file:snapshots".to_owned()),
                ..read(log(order, &made), 2)
            };
            replay_reducer(&job, counting(), &options, &Silent)
        };
        let (a, b) = (a.min(b), a.max(b));
        // The second has its state from the snapshot of the first, the third from there as well
        // and what lies between.
        let Ok(first) = run(None, a, true) else { return Ok(()) };
        if !first.broke.is_empty() {
            return Ok(());
        }
        let (Ok(next), Ok(whole)) = (run(Some(a), b, true), run(None, b, false)) else {
            return Ok(());
        };
        prop_assert!(next.manifest.from_snapshot.is_some());
        prop_assert_eq!(next.manifest.replayed(), Some(0));
        let later = run(Some(a + 1), b, true);
        for report in [Ok(next), later].into_iter().flatten() {
            prop_assert_eq!(report.manifest.run_digest, whole.manifest.run_digest);
            let found = check(report.folder.clone().unwrap()).unwrap();
            prop_assert_eq!(found.findings, Vec::<String>::new());
        }
    }
}

fn usage(order: Order, made: &[Vec<Made>], range: &ReplayOptions) -> String {
    let error = run(order, made, range).unwrap_err();
    assert!(error.is_usage(), "{error}");
    error.to_string()
}

fn ranged(from: &[&str], to: &[&str]) -> ReplayOptions {
    let bound = |words: &[&str]| (!words.is_empty()).then(|| Bound::parse(words).unwrap());
    ReplayOptions { from: bound(from), to: bound(to), ..ReplayOptions::default() }
}

fn some() -> Vec<Vec<Made>> {
    let event = |n: u8| Some((n % 3, n, n));
    vec![(0..10).map(event).collect(), (5..15).map(event).collect(), vec![]]
}

#[test]
fn a_range_that_cannot_be_taken_is_refused_with_what_to_do() {
    let (log, path) = (Order::Log, Order::Path);
    let limit = |range: ReplayOptions| ReplayOptions { limit: Some(3), ..range };
    let empty = |range: ReplayOptions| ReplayOptions { empty_state: true, ..range };
    let resumed = |range: ReplayOptions| ReplayOptions { resume: true, ..range };
    let told = [
        usage(log, &some(), &ranged(&["aa:3"], &[])),
        usage(log, &some(), &ranged(&["a:3", "a:4"], &[])),
        usage(log, &some(), &ranged(&["a:99"], &[])),
        usage(log, &some(), &ranged(&["a:9"], &["a:3"])),
        usage(log, &some(), &ranged(&["2026-02-01"], &[])),
        usage(log, &some(), &ranged(&[], &["2025-02-01"])),
        usage(log, &some(), &ranged(&["2026-01-01T00:08:00Z"], &["2026-01-01T00:07:00Z"])),
        usage(log, &[vec![None], vec![], vec![]], &ranged(&["2026-01-01"], &[])),
        usage(path, &some(), &ranged(&["a:3", "b:3"], &[])),
        usage(path, &some(), &ranged(&["b:99"], &[])),
        usage(path, &some(), &ranged(&["b:3"], &["a:3"])),
        usage(path, &some(), &ranged(&["b:3"], &["b:3"])),
        usage(log, &some(), &limit(ranged(&["a:3"], &[]))),
        usage(log, &some(), &empty(ranged(&[], &["a:3"]))),
        usage(log, &some(), &resumed(empty(ranged(&["a:3"], &[])))),
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_neither_a_time_nor_a_position_is_told() {
    let words: [&[&str]; 10] = [
        &["yesterday"],
        &["2026-13-01"],
        &["2026-03-01T10:15"],
        &["2026-03-01T10:15:00"],
        &["1066-10-14T09:00:00Z"],
        &["2026-03-01", "a:5"],
        &["a:"],
        &["@group:"],
        &["@group:x", "a:5"],
        &[":5"],
    ];
    let told = words.map(|words| Bound::parse(words).unwrap_err().to_string());
    insta::assert_snapshot!(told.join("\n"));
    // A group stands alone, and a partition may be called like one.
    let group = Bound::parse(&["@group:orders:5"]).unwrap();
    assert_eq!(group.to_string(), "@group:orders:5");
    assert_eq!(group, Bound::Group("orders:5".into()));
    assert_eq!(Bound::parse(&["group:5"]).unwrap(), Bound::At(vec![at("group", 5)]));
    // A partition may be called like a day, or like an hour.
    let day = Bound::At(vec![at("2026-03-01", 5)]);
    assert_eq!(Bound::parse(&["2026-03-01:5"]).unwrap(), day);
    let hour = Bound::At(vec![at("2026-03-01T10.jsonl", 15), at("a:b", 7)]);
    assert_eq!(Bound::parse(&["2026-03-01T10.jsonl:15", "a:b:7"]).unwrap(), hour);
    let same = ["2026-03-01", "2026-03-01T00:00:00Z", "2026-03-01T01:30:00+01:30"];
    let same = same.map(|word| Bound::parse(&[word]).unwrap().to_string());
    assert_eq!(same, ["2026-03-01T00:00:00Z"; 3]);
}

/// A log of files, with snapshots.
fn place() -> Place {
    let mut place = Place::new(Order::Log);
    let every = crate::job::Every::End;
    place.job.snapshots = Some(Snapshots { url: "file:snapshots".to_owned(), every });
    place.write("a.jsonl", lines("a", 0..50));
    place.write("b.jsonl", lines("b", 0..50));
    place
}

fn replayed(place: &Place, options: &ReplayOptions) -> Result<Report, RunError> {
    replay_reducer(&place.job, counting(), options, &Silent)
}

#[test]
fn state_comes_from_the_newest_snapshot_before_the_range_and_no_other() {
    let place = place();
    let saved = |to: &[&str]| {
        let snapshot = Some("file:snapshots".to_owned());
        let options = ReplayOptions { snapshot, ..ranged(&[], to) };
        replayed(&place, &options).unwrap().snapshots.remove(0)
    };
    let (early, late) = (saved(&["a:10", "b:10"]), saved(&["a:30", "b:20"]));
    let whole = place.digest();
    let of = |report: &Report| report.manifest.from_snapshot.as_ref().map(|from| from.name.clone());
    for (from, due, events) in [
        (["a:9", "b:40"], None, 49),
        (["a:10", "b:10"], Some(&early), 0),
        (["a:29", "b:40"], Some(&early), 49),
        (["a:31", "b:20"], Some(&late), 1),
    ] {
        let report = replayed(&place, &ranged(&from, &[])).unwrap();
        assert_eq!(
            (of(&report).as_ref(), report.manifest.replayed()),
            (due, Some(events)),
            "{from:?}"
        );
        assert_eq!(report.manifest.run_digest, whole);
        assert!(report.manifest.marks.partial && report.snapshots.is_empty());
        let found = check(report.folder.unwrap()).unwrap();
        assert!(found.holds(), "{:?}", found.findings);
    }
    // Whoever names one that holds too much is told.
    let url = format!("file:snapshots/{late}");
    let named = ReplayOptions { from_snapshot: Some(url), ..ranged(&["a:30", "b:19"], &[]) };
    let told = replayed(&place, &named).unwrap_err();
    assert!(told.is_usage());
    let says = "has taken partition b up to offset 20, behind offset 19 where the range has to";
    assert!(told.to_string().contains(says), "{told}");
}

#[test]
fn a_snapshot_behind_replayed_events_says_that_nobody_gave_them() {
    let place = place();
    let snapshot = Some("file:snapshots".to_owned());
    let options = ReplayOptions { snapshot, ..ranged(&["a:10"], &["a:20"]) };
    replayed(&place, &options).unwrap();
    let resumed = ReplayOptions { resume: true, ..ReplayOptions::default() };
    let next = replayed(&place, &resumed).unwrap().manifest;
    assert_eq!(next.run_digest, place.digest());
    let holes = &next.from_snapshot.as_ref().unwrap().holes;
    assert_eq!(holes, &[retally_core::manifest::Hole { partition: "a".into(), from: 0, to: 10 }]);
}

#[test]
fn whoever_goes_on_behind_a_range_comes_to_what_the_whole_gives() {
    for order in [Order::Log, Order::Path] {
        let mut place = place();
        place.job.order = order;
        let own = |of: &str| lines(if order == Order::Path { "k" } else { of }, 0..50);
        ["a", "b", "c"].iter().for_each(|of| place.write(&format!("{of}.jsonl"), own(of)));
        let run = |from: &[&str], to: &[&str]| {
            let snapshot = Some("file:snapshots".to_owned());
            let options = ReplayOptions { snapshot, ..ranged(from, to) };
            let report = replayed(&place, &options).unwrap();
            (report.manifest.from_snapshot.is_some(), report.manifest.replayed())
        };
        let is_path = order == Order::Path;
        let at =
            |places: [&'static str; 3]| if is_path { vec![places[1]] } else { places.to_vec() };
        // Whole partitions lie before, some lie behind, and some are cut.
        let (begin, middle) = (at(["a:50", "b:10", "c:0"]), at(["a:50", "b:20", "c:0"]));
        let end = if is_path { vec!["c:5"] } else { vec!["a:50", "b:30", "c:5"] };
        assert_eq!(run(&[], &begin), (false, None));
        assert_eq!(run(&middle, &end), (true, Some(10)), "{order:?}");
        let resumed = ReplayOptions { resume: true, ..ReplayOptions::default() };
        let next = replayed(&place, &resumed).unwrap().manifest;
        assert_eq!(next.run_digest, place.digest());
        let from = next.from_snapshot.as_ref().unwrap();
        let hole = retally_core::manifest::Hole { partition: "b".into(), from: 10, to: 20 };
        assert_eq!((&from.holes, &from.accepted), (&vec![hole], &vec![]));
        assert_eq!(next.check(), Ok(()));
    }
}

#[test]
fn an_empty_state_is_marked_in_all_that_goes_on_from_it_and_is_not_gone_on_from_unasked() {
    let place = place();
    let snapshot = Some("file:snapshots".to_owned());
    let range = ranged(&["a:10", "b:10"], &["a:20", "b:20"]);
    let options = ReplayOptions { snapshot, empty_state: true, ..range };
    let first = replayed(&place, &options).unwrap();
    let marks = &first.manifest.marks;
    assert!(marks.empty_state && marks.partial && first.manifest.since_start.is_none());
    assert_eq!((first.manifest.counts.events, first.manifest.replayed()), (20, None));
    let text = "from a:10, b:10, to a:20, b:20; it began there with no state";
    assert_eq!(first.manifest.range_text().unwrap(), text);
    assert!(check(first.folder.unwrap()).unwrap().holds());
    let whole = place.digest();
    assert_ne!(first.manifest.run_digest, whole);
    let resumed = ReplayOptions { resume: true, ..ReplayOptions::default() };
    let next = replayed(&place, &resumed).unwrap().manifest;
    assert_eq!((next.run_digest, next.marks.empty_state), (whole, false));
    assert!(next.passed_over[0].why.contains("began with no state (--empty-state)"));
    let url = format!("file:snapshots/{}", first.snapshots[0]);
    let named = ReplayOptions { from_snapshot: Some(url), ..ReplayOptions::default() };
    let named = replayed(&place, &named).unwrap();
    assert!(named.manifest.marks.empty_state);
    assert!(check(named.folder.unwrap()).unwrap().holds());
}

#[test]
fn a_run_of_a_range_is_repeated_by_its_positions() {
    let dir: TempDir = tempfile::tempdir().unwrap();
    for order in [Order::Log, Order::Path] {
        let mut job = job(&dir, "");
        job.order = order;
        let run = |range: ReplayOptions| {
            let options = ReplayOptions { input: read(log(order, &some()), 1).input, ..range };
            replay_reducer(&job, counting(), &options, &Silent).unwrap().manifest
        };
        let first = run(ReplayOptions {
            from: Some(minute(6)),
            to: Some(minute(12)),
            ..ReplayOptions::default()
        });
        let (range, asked) = (&first.job.settings.range, first.range.clone().unwrap());
        let again = run(ReplayOptions {
            from: Some(Bound::Repeated(range.from.clone(), asked.from)),
            to: Some(Bound::Repeated(range.to.clone(), asked.to)),
            ..ReplayOptions::default()
        });
        assert_eq!((again.seal, &again.range), (first.seal, &first.range));
    }
}

#[test]
fn events_out_of_order_around_a_time_are_told() {
    let event = |minute: u8| Some((0, minute, minute));
    let made = vec![[1, 9, 3, 4, 12].map(event).to_vec(), vec![], vec![]];
    let dir = tempfile::tempdir().unwrap();
    let options = ReplayOptions {
        input: read(log(Order::Log, &made), 1).input,
        ..ranged(&["2026-01-01T00:05:00Z"], &["a:50"])
    };
    let report = replay_reducer(&job(&dir, ""), counting(), &options, &Silent).unwrap();
    assert_eq!(report.manifest.counts.events, 4);
    insta::assert_snapshot!(report.notes.join("\n"));
}

#[test]
fn a_time_that_is_asked_of_a_log_without_times_is_refused() {
    let made = vec![vec![None, None], vec![], vec![]];
    let error = run(Order::Log, &made, &ranged(&["2026-01-01"], &[])).unwrap_err();
    assert!(matches!(error, RunError::Range(RangeError::NoTimes(_))), "{error}");
}
