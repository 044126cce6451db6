//! Order "sort": whatever the threads, the batches, the files of a folder and what comes late, a
//! run gives what a run over folders in order gives, or is refused.

use super::changed_tests::going_on;
use super::log_tests::{counting, job};
use super::*;
use crate::job::{Every, Late, Resolved, Snapshots as SnapshotSettings};
use crate::log::{MemoryLog, MemoryPartition};
use crate::range::Bound;
use crate::rundir::check;
use crate::sink::{Sink, Snapshots};
use crate::snapshot::Store;
use crate::source::Format;
use crate::store::Folder;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use retally_core::log::Order;
use retally_core::manifest::Manifest;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

const SORT: &str = "order = { sort = [\"time\", \"/seq\"], within = \"dt={date}\" }\n";

/// Day, second, key, id; without a second it is malformed.
type Event = (u8, Option<u8>, u8, u16);

fn line(seq: usize, &(day, second, key, id): &Event) -> String {
    let time = second.map_or("none".into(), |s| format!("2026-01-0{day}T00:00:{s:02}Z"));
    format!("{{\"k\":\"k{key}\",\"i\":\"{id}\",\"t\":\"{time}\",\"seq\":{seq}}}\n")
}

/// The events in files, as `file` says of each.
fn log(events: &[Event], file: impl Fn(usize) -> usize) -> MemoryLog {
    let mut files = std::collections::BTreeMap::<String, String>::new();
    for (seq, event) in events.iter().enumerate() {
        let name = format!("dt=2026-01-0{}/part-{}", event.0, file(seq));
        *files.entry(name).or_default() += &line(seq, event);
    }
    let files = files.into_iter().map(|(name, text)| MemoryPartition::lines(&name, text));
    MemoryLog::new(files.collect()).unwrap()
}

/// The same with a partition for each folder, in order.
fn in_order(events: &[Event]) -> MemoryLog {
    let mut all: Vec<_> = events.iter().enumerate().collect();
    all.sort_by_key(|(seq, event)| (event.0, event.1, *seq));
    let folders = all.chunk_by(|a, b| a.1.0 == b.1.0).map(|own| {
        let text: String = own.iter().map(|(seq, event)| line(*seq, event)).collect();
        MemoryPartition::lines(&format!("dt=2026-01-0{}", own[0].1.0), text)
    });
    MemoryLog::new(folders.collect()).unwrap()
}

fn reads(log: MemoryLog) -> ReplayOptions {
    ReplayOptions { input: Some(Arc::new(log)), ..ReplayOptions::default() }
}

fn manifest(job: &Resolved, options: &ReplayOptions) -> Manifest {
    let mut nothing: Vec<&mut dyn Sink> = Vec::new();
    replay_into(job, counting(), &mut nothing, options, &Silent).unwrap().manifest
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (1..4u8, prop::option::weighted(0.9, 0..20u8), 0..4u8, 0..40u16);
    prop::collection::vec(event, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn it_gives_what_folders_in_order_give(
        events in events(),
        homes in prop::collection::vec(0..4usize, 60),
        threads in 1..4usize,
        batch_events in 1..20u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let sort = job(&dir, SORT);
        let whole = manifest(&job(&dir, "order = \"path\"\n"), &reads(in_order(&events)));
        let cut = ReplayOptions { threads, batch_events, ..reads(log(&events, |seq| homes[seq])) };
        let own = replay_reducer(&sort, counting(), &cut, &Silent).unwrap();
        prop_assert_eq!(own.manifest.run_digest, whole.run_digest);
        prop_assert_eq!(&own.manifest.input.partitions, &whole.input.partitions);
        prop_assert!(own.manifest.job.digest != whole.job.digest);
        let checked = check(&own.dir).unwrap();
        prop_assert!(checked.holds(), "{:?}", checked);
        let one = manifest(&sort, &reads(log(&events, |_| 0)));
        prop_assert_eq!(one.run_digest, whole.run_digest);
        prop_assert_eq!(one.job.digest, own.manifest.job.digest);
        // The job of a run asks for the same again.
        let again = crate::job::Authored::of_run(&own.manifest, dir.path()).unwrap();
        let again = Resolved::new(&again).unwrap();
        prop_assert_eq!((again.order, again.sort), (Order::Sort, sort.sort));
    }

    #[test]
    fn a_run_goes_on_from_any_snapshot_on_the_way(
        events in events(),
        every in 1..40u64,
        batch_events in 1..20u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut job = job(&dir, SORT);
        let url = "file:snapshots".to_owned();
        job.snapshots = Some(SnapshotSettings { url: url.clone(), every: Every::Events(every) });
        let own = ReplayOptions { batch_events, ..reads(log(&events, |seq| seq % 3)) };
        let whole = replay_reducer(&job, counting(), &own, &Silent).unwrap().manifest;
        let store = Store::open(&url, dir.path()).unwrap();
        for (name, summary) in store.list().unwrap() {
            let reached: u64 = summary.unwrap().partitions.iter().map(|own| own.offset).sum();
            let from_snapshot = Some(format!("file:snapshots/{name}"));
            let rest = manifest(&job, &ReplayOptions { from_snapshot, ..own.clone() });
            prop_assert_eq!(rest.run_digest, whole.run_digest);
            prop_assert_eq!(rest.counts.events, whole.counts.events - reached);
        }
    }
}

#[test]
fn passes_and_ranges_are_those_of_folders_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (sort, path) = (job(&dir, SORT), job(&dir, "order = \"path\"\n"));
    let events: Vec<Event> = (0..90u16)
        .map(|n| ((n % 3 + 1) as u8, Some((n * 7 % 60) as u8), (n % 5) as u8, n))
        .collect();
    let (own, model) = (reads(log(&events, |seq| seq % 4)), reads(in_order(&events)));
    let whole = manifest(&path, &model).run_digest;
    for reread in [true, false] {
        let passes = ReplayOptions {
            passes: Passes::Number(3),
            reread,
            spill: Some(dir.path().to_owned()),
            ..own.clone()
        };
        assert_eq!(manifest(&sort, &passes).run_digest, whole);
    }
    for [from, to] in [
        ["dt=2026-01-02:0", "dt=2026-01-03:0"],
        ["dt=2026-01-01:7", "dt=2026-01-02:11"],
        ["2026-01-01T00:00:30Z", "2026-01-03T00:00:05Z"],
    ] {
        let [from, to] = [from, to].map(|word| Some(Bound::parse(&[word]).unwrap()));
        let of = |job, options: &ReplayOptions| {
            let options = ReplayOptions { from: from.clone(), to: to.clone(), ..options.clone() };
            let manifest = manifest(job, &options);
            (manifest.run_digest, manifest.counts)
        };
        let own = of(&sort, &own);
        assert_eq!(own, of(&path, &model));
        assert!(own.1.events > 0);
    }
}

/// A folder with a log that is sorted by day.
struct Place {
    dir: TempDir,
    job: Resolved,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut job = job(&dir, SORT);
        job.source.url = "file:log/".into();
        Self { dir, job }
    }

    /// Events of these seconds of a day, as a file of their own.
    fn write(&self, day: u8, file: &str, seconds: &[u8]) {
        let folder = self.dir.path().join(format!("log/dt=2026-01-0{day}"));
        fs::create_dir_all(&folder).unwrap();
        let lines = (0..).zip(seconds).map(|(seq, &s)| line(seq, &(day, Some(s), s % 3, s.into())));
        fs::write(folder.join(file), lines.collect::<String>()).unwrap();
    }

    fn run(&self, options: &ReplayOptions) -> Result<Report, RunError> {
        let mut sink = Snapshots::within(Folder::files(&self.dir.path().join("snapshots")));
        let sink: &mut dyn Sink = &mut sink;
        replay_into(&self.job, counting(), sink, options, &Silent)
    }

    fn whole(&self) -> Manifest {
        manifest(&self.job, &ReplayOptions::default())
    }

    fn refused(&self) -> String {
        let error = self.run(&going_on()).unwrap_err();
        assert!(matches!(error, RunError::ChangedLog(_)), "{error}");
        let store = Store::open("file:snapshots", self.dir.path()).unwrap();
        // Names of snapshots are chance.
        let names = store.list().unwrap().into_iter().map(|(name, _)| name);
        names.fold(error.to_string(), |told, name| told.replace(&name, "SNAPSHOT"))
    }
}

#[test]
fn folders_that_are_new_are_gone_on_with() {
    let place = Place::new();
    place.write(1, "b.jsonl", &[5, 1]);
    place.write(1, "a.jsonl", &[9, 3, 4]);
    place.run(&ReplayOptions::default()).unwrap();
    place.write(2, "z.jsonl", &[8, 2]);
    place.write(2, "a.jsonl", &[5]);
    let report = place.run(&going_on()).unwrap();
    assert_eq!((report.manifest.counts.events, report.news.unwrap().objects), (3, 2));
    let whole = place.whole();
    assert_eq!(report.manifest.run_digest, whole.run_digest);
    assert_eq!(report.manifest.input.objects, whole.input.objects);
    // And from there once more.
    place.write(3, "a.jsonl", &[7, 6]);
    let report = place.run(&going_on()).unwrap();
    assert_eq!(report.manifest.counts.events, 2);
    assert_eq!(report.manifest.run_digest, place.whole().run_digest);
}

#[test]
fn what_comes_into_a_folder_that_was_taken_is_refused_or_gone_back_for() {
    let mut place = Place::new();
    place.write(1, "a.jsonl", &[5, 1]);
    place.run(&ReplayOptions::default()).unwrap();
    place.write(2, "a.jsonl", &[9, 3]);
    place.run(&going_on()).unwrap();
    place.write(2, "b.jsonl", &[4]);
    insta::assert_snapshot!("new_file", place.refused());
    place.job.source.late = Late::Rewind;
    let report = place.run(&going_on()).unwrap();
    assert_eq!(report.manifest.counts.events, 3);
    assert_eq!(report.manifest.run_digest, place.whole().run_digest);
    place.job.source.late = Late::Refuse;
    // A line more in a file, and a folder before those that were taken.
    place.write(2, "a.jsonl", &[9, 3, 6]);
    assert!(place.refused().contains("may not grow"));
    place.write(2, "a.jsonl", &[9, 3]);
    place.write(0, "a.jsonl", &[1]);
    let told = place.refused();
    assert!(told.contains("under order \"sort\" its events come before those of dt=2026-01-02"));
}

fn table(place: &Place, day: u8, file: &str, columns: Vec<(&str, ArrayRef)>) {
    let folder = place.dir.path().join(format!("log/dt=2026-01-0{day}"));
    fs::create_dir_all(&folder).unwrap();
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let file = fs::File::create(folder.join(file)).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

fn texts(all: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(all.to_vec()))
}

#[test]
fn a_table_is_sorted_by_columns_that_no_reducer_reads_and_what_is_refused_is_kept_whole() {
    let mut place = Place::new();
    place.job.source.format = Format::Parquet;
    let time = |second: u8| format!("2026-01-01T00:00:{second:02}Z");
    let (one, two) = (time(1), time(2));
    let seq = |all: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(all.to_vec())) };
    table(
        &place,
        1,
        "a.parquet",
        vec![
            ("k", texts(&["a", "b", "c"])),
            ("i", texts(&["1", "2", "3"])),
            ("t", texts(&[&two, "none", &one])),
            ("seq", seq(&[2, 1, 10])),
            ("more", texts(&["x", "kept", "y"])),
        ],
    );
    table(
        &place,
        1,
        "b.parquet",
        vec![
            ("k", texts(&["a", "b"])),
            ("i", texts(&["4", "5"])),
            ("t", texts(&[&one, &two])),
            ("seq", seq(&[9, 1])),
        ],
    );
    let options = ReplayOptions::default();
    let report = replay_reducer(&place.job, counting(), &options, &Silent).unwrap();
    assert!(check(&report.dir).unwrap().holds());
    let refused = crate::rundir::RunReader::open(&report.dir).unwrap();
    let mut all = Vec::new();
    for batch in refused.rows(crate::rundir::Table::Refused, &crate::rundir::Keys::All).unwrap() {
        let batch = batch.unwrap();
        let bytes = batch.array("bytes").unwrap();
        let bytes = arrow_array::cast::AsArray::as_binary::<i32>(bytes.as_ref()).clone();
        all.extend(bytes.iter().map(|b| String::from_utf8_lossy(b.unwrap()).into_owned()));
    }
    // Without a time it is the first.
    assert_eq!(all, [r#"{"k":"b","i":"2","t":"none","seq":1,"more":"kept"}"#]);
    // The same as lines.
    let lines = Place::new();
    let folder = lines.dir.path().join("log/dt=2026-01-01");
    fs::create_dir_all(&folder).unwrap();
    let line = |k, i, t: &str, seq| {
        format!("{{\"k\":\"{k}\",\"i\":\"{i}\",\"t\":\"{t}\",\"seq\":{seq}}}\n")
    };
    let all = [
        line("b", "5", &two, 1),
        line("a", "1", &two, 2),
        line("c", "3", &one, 10),
        line("b", "2", "none", 1),
        line("a", "4", &one, 9),
    ];
    fs::write(folder.join("a.jsonl"), all.concat()).unwrap();
    assert_eq!(lines.whole().run_digest, report.manifest.run_digest);
    place.job.sort.as_mut().unwrap().by = vec!["/sequence".into()];
    let mut nothing: Vec<&mut dyn Sink> = Vec::new();
    let error = replay_into(&place.job, counting(), &mut nothing, &options, &Silent).unwrap_err();
    insta::assert_snapshot!("no_column", error);
}
