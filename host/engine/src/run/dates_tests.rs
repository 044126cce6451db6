//! Folders of dates: those that lie in front of a range, or behind it, are not opened; and records
//! of which nothing is read but their bytes have the time of their folder.

use super::log_tests::{Counting, counting, described, job};
use super::*;
use crate::Cancel;
use crate::job::Resolved;
use crate::log::conformance::check;
use crate::log::{Feed, Log, LogError, Part, Partition, Reached};
use crate::range::Bound;
use crate::sink::{Sink, Snapshots};
use crate::source::{Format, Layout, Options, Source};
use crate::store::Folder;
use retally_core::digest::Hash;
use retally_core::log::{Micros, Order, Sort};
use retally_core::manifest::{Manifest, Object};
use retally_core::receipt::{Present, Receipt};
use retally_core::reduce::Reducer;
use retally_core::reduce::native::Native;
use retally_core::schema::{Field, Kind};
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// A file for each day of a week, with three events of it, the first of the day before.
fn week(dir: &TempDir) {
    for day in 1..8 {
        let folder = dir.path().join(format!("log/dt=2026-01-0{day}"));
        fs::create_dir_all(&folder).unwrap();
        let line = |n: u8, at: String| {
            format!("{{\"k\":\"k{}\",\"i\":\"{day}-{n}\",\"t\":\"{at}\"}}\n", n % 2)
        };
        let before = line(0, format!("2026-01-0{}T23:59:00Z", (day - 1).max(1)));
        let own = (1..3).map(|n| line(n, format!("2026-01-0{day}T0{n}:00:00Z")));
        fs::write(folder.join("x.jsonl"), before + &own.collect::<String>()).unwrap();
    }
}

fn layout() -> Layout {
    Layout::parse("dt={date}").unwrap()
}

fn of_order(dir: &TempDir, order: Order) -> Resolved {
    let mut job = job(dir, "");
    (job.order, job.source.url) = (order, "file:log/".into());
    if order == Order::Sort {
        let within = Some("dt={date}".to_owned());
        job.sort = Some(Sort { by: vec!["time".into()], within });
    }
    job
}

fn bound(word: &str) -> Option<Bound> {
    Some(Bound::parse(&[word]).unwrap())
}

fn run(job: &Resolved, options: &ReplayOptions) -> (Manifest, Vec<String>) {
    let mut nothing: Vec<&mut dyn Sink> = Vec::new();
    let report = replay_into(job, counting(), &mut nothing, options, &Silent).unwrap();
    (report.manifest, report.notes)
}

#[test]
fn folders_outside_of_a_range_are_not_opened() {
    for order in [Order::Path, Order::Sort] {
        let dir = tempfile::tempdir().unwrap();
        week(&dir);
        let mut job = of_order(&dir, order);
        let range = ReplayOptions {
            from: bound("2026-01-04"),
            to: bound("2026-01-05T01:30:00Z"),
            empty_state: true,
            ..ReplayOptions::default()
        };
        // Without a layout all times are looked at.
        let (looked, _) = run(&job, &range);
        assert_eq!(looked.counts.events, 4);
        job.source.layout = Some(layout());
        let mut how = Options::new(Format::Json);
        how.layout = Some(Arc::new(layout()));
        let log = Source::open("log/", dir.path(), &how).unwrap();
        let whole = log.taken(&[true; 7], 1).unwrap();
        // Whoever opened one of these would find that it is gone.
        for day in [1, 2, 7] {
            fs::remove_dir_all(dir.path().join(format!("log/dt=2026-01-0{day}"))).unwrap();
        }
        let input: Option<Arc<dyn Log>> = Some(Arc::new(log));
        let (own, notes) = run(&job, &ReplayOptions { input, ..range.clone() });
        assert_eq!(own.seal, looked.seal);
        assert_eq!(own.job.settings.range, looked.job.settings.range);
        let told = |begin: &str| notes.iter().any(|note| note.starts_with(begin));
        assert!(told("1 of 7 partitions lie in folders of times behind --to"), "{notes:?}");
        assert!(told("2 of 7 partitions lie in folders of times in front of --from"), "{notes:?}");
        // Of what the run has nothing to do with there is no hash.
        let hashed = |day: usize| own.input.objects[day - 1].xxh3_128;
        assert_eq!([1, 2, 3, 6, 7].map(hashed), [None; 5]);
        assert_eq!([4, 5].map(hashed), [4, 5].map(|day: usize| whole[day - 1].xxh3_128));
    }
}

#[test]
fn what_must_be_known_of_folders_in_front_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    week(&dir);
    let mut job = of_order(&dir, Order::Path);
    job.source.layout = Some(layout());
    let from = bound("2026-01-04");
    // A snapshot tells of every partition up to where it was taken.
    let range = ReplayOptions { from, empty_state: true, ..ReplayOptions::default() };
    let mut sink = Snapshots::within(Folder::files(&dir.path().join("snapshots")));
    let saved = replay_into(&job, counting(), &mut sink, &range, &Silent).unwrap();
    assert!(!saved.notes.iter().any(|note| note.contains("in front of")));
    assert_eq!(saved.manifest.seal, run(&job, &range).0.seal);
    // Events in front are replayed for the state that they leave.
    let replays = ReplayOptions { empty_state: false, ..range };
    let (own, notes) = run(&job, &replays);
    assert!(!notes.iter().any(|note| note.contains("in front of")));
    assert_eq!(own.replayed(), Some(10));
    // The run that is asked for by its positions is the same one.
    let (first, _) = run(&job, &ReplayOptions { empty_state: true, ..replays.clone() });
    let range = first.job.settings.range.clone();
    let from = Some(Bound::Repeated(range.from, first.range.clone().unwrap().from));
    let again = run(&job, &ReplayOptions { from, empty_state: true, ..replays }).0;
    assert_eq!((again.seal, again.range), (first.seal, first.range));
}

#[test]
fn folders_behind_a_range_may_lie_between_others() {
    let dir = tempfile::tempdir().unwrap();
    for (region, day) in ["eu", "us"].iter().flat_map(|r| (1..5).map(move |day| (r, day))) {
        let folder = dir.path().join(format!("log/{region}/dt=2026-01-0{day}"));
        fs::create_dir_all(&folder).unwrap();
        let line = |hour: u8| {
            let at = format!("2026-01-0{day}T0{hour}:00:00Z");
            format!("{{\"k\":\"k\",\"i\":\"{region}{day}{hour}\",\"t\":\"{at}\"}}\n")
        };
        fs::write(folder.join("x.jsonl"), (1..4).map(line).collect::<String>()).unwrap();
    }
    for order in [Order::Path, Order::Time] {
        let mut job = of_order(&dir, order);
        let to = ReplayOptions { to: bound("2026-01-02T02:00:00Z"), ..ReplayOptions::default() };
        let (all, _) = run(&job, &to);
        job.source.layout = Some(layout());
        let (own, notes) = run(&job, &to);
        let told = notes.iter().any(|note| note.starts_with("2 of 8 partitions lie in folders"));
        assert!(told, "{notes:?}");
        assert_eq!(own.job.settings.range, all.job.settings.range);
        assert_eq!((own.run_digest, own.counts), (all.run_digest, all.counts));
    }
}

/// Counts records, of which it reads the bytes.
fn of_bytes(path: &str, kind: Kind) -> Arc<dyn Reducer> {
    let mut described = described();
    described.inputs[0].fields =
        vec![Field { name: "all".into(), paths: vec![path.into()], kind, required: true }];
    Arc::new(Native::new(described, Hash([8; 32]), Counting))
}

#[test]
fn records_that_are_bytes_have_key_and_time_from_their_folder_and_their_place_for_an_id() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = dir.path().join("log").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("k=a/dt=2026-01-01/hour=03/x.log", b"\xef\xbb\xbfone\n\ntwo\r\n{\0\xff\xfe");
    write("k=b/dt=2026-01-01/hour=04/x.log", b"\xff\xfe\n");
    write("k=b/dt=2026-01-02/hour=00/x.txt", b"{ no JSON\n\"a\"\n");
    write("k=b/dt=2026-01-02/hour=00/y.parquet", b"left out");
    let mut job = job(&dir, "");
    job.source.url = "file:log/".into();
    job.source.format = Format::Raw;
    let layout = || Layout::parse("dt={date}/hour={}").unwrap();
    job.source.layout = Some(layout());
    let path = |path: &str| retally_core::decode::Address::Path(path.into());
    let addressing = &mut job.source.addressing;
    (addressing.key, addressing.time) = (vec![path("@path:k")], path("@path:hour"));
    addressing.id = retally_core::decode::Address::Position;
    job.order = Order::Path;
    let read = |kind: Kind, options: &ReplayOptions| {
        let mut tables: Vec<&mut dyn Sink> = Vec::new();
        let report = replay_into(&job, of_bytes("", kind), &mut tables, options, &Silent).unwrap();
        report.manifest
    };
    let whole = ReplayOptions::default();
    let bytes = read(Kind::Bytes, &whole);
    assert_eq!((bytes.counts.events, bytes.counts.applied, bytes.counts.keys), (7, 7, 2));
    // A text is UTF-8, and each record by itself is one or is not.
    let texts = read(Kind::Text, &whole);
    assert_eq!((texts.counts.applied, texts.counts.malformed), (5, 2));
    // The hour's folder says when it begins.
    let from = |word: &str| {
        let options = ReplayOptions { from: bound(word), empty_state: true, ..whole.clone() };
        read(Kind::Bytes, &options).counts.events
    };
    assert_eq!(from("2026-01-01T03:00:01Z"), 3);
    assert_eq!(from("2026-01-01T04:00:01Z"), 2);
    // Bytes are as they stand, but for the ends of lines.
    let mut how = Options::new(Format::Raw);
    how.layout = Some(Arc::new(layout()));
    let source = Source::open("log/", dir.path(), &how).unwrap();
    let told = check(&source, &Cancel::default()).unwrap();
    let first: Vec<&[u8]> =
        told["k=a/dt=2026-01-01/hour=03/x"].iter().map(|(_, bytes)| bytes.as_slice()).collect();
    assert_eq!(first, [&b"\xef\xbb\xbfone"[..], b"", b"two", b"{\0\xff\xfe"]);
    let refused = |path: &str, kind: Kind| {
        let mut tables: Vec<&mut dyn Sink> = Vec::new();
        let reducer = of_bytes(path, kind);
        replay_into(&job, reducer, &mut tables, &whole, &Silent).unwrap_err().to_string()
    };
    let told = [refused("/a", Kind::Text), refused("", Kind::Integer)].join("\n");
    insta::assert_snapshot!(told);
}

/// A log that notes which of its parts were read.
struct Watched {
    log: Source,
    read: Mutex<BTreeSet<usize>>,
}

impl Log for Watched {
    fn partitions(&self) -> &[Partition] {
        self.log.partitions()
    }

    fn parts(&self) -> &[Part] {
        self.log.parts()
    }

    fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError> {
        self.read.lock().unwrap().insert(part);
        self.log.read(part, from)
    }

    fn taken(&self, read: &[bool], threads: usize) -> Result<Vec<Object>, LogError> {
        self.log.taken(read, threads)
    }

    fn receipts(&self, reached: &[Reached], threads: usize) -> Result<Vec<Receipt>, LogError> {
        self.log.receipts(reached, threads)
    }

    fn present(
        &self,
        receipts: &[Receipt],
        every_byte: bool,
        threads: usize,
    ) -> Result<Option<Vec<Present>>, LogError> {
        self.log.present(receipts, every_byte, threads)
    }

    fn within(&self, span: &Range<Micros>) -> Vec<bool> {
        self.log.within(span)
    }
}

#[test]
fn folders_that_a_snapshot_has_taken_are_not_looked_at() {
    for order in [Order::Log, Order::Path, Order::Time, Order::Sort] {
        let dir = tempfile::tempdir().unwrap();
        week(&dir);
        if order == Order::Log {
            // A key lives in one partition.
            for day in 1..8 {
                let path = dir.path().join(format!("log/dt=2026-01-0{day}/x.jsonl"));
                let text = fs::read_to_string(&path).unwrap();
                fs::write(path, text.replace("\"k\":\"k", &format!("\"k\":\"{day}"))).unwrap();
            }
        }
        let mut job = of_order(&dir, order);
        job.source.layout = Some(layout());
        let every = crate::job::Every::End;
        job.snapshots = Some(crate::job::Snapshots { url: "file:snapshots".into(), every });
        let from = bound("2026-01-05");
        let range = ReplayOptions { from, ..ReplayOptions::default() };
        let watched = |job: &Resolved| {
            let mut how = Options::new(Format::Json);
            how.layout = job.source.layout.clone().map(Arc::new);
            let log = Source::open("log/", dir.path(), &how).unwrap();
            let log = Arc::new(Watched { log, read: Mutex::default() });
            let input: Option<Arc<dyn Log>> = Some(log.clone());
            let own = run(job, &ReplayOptions { input, ..range.clone() });
            let read: Vec<usize> = log.read.lock().unwrap().iter().copied().collect();
            (own, read)
        };
        let ((whole, notes), read) = watched(&job);
        assert_eq!(read, [0, 1, 2, 3, 4, 5, 6], "{order:?}");
        assert!(!notes.iter().any(|note| note.contains("in front of")), "{notes:?}");
        let to = ReplayOptions { to: bound("2026-01-04"), ..ReplayOptions::default() };
        let mut sink = Snapshots::within(Folder::files(&dir.path().join("snapshots")));
        replay_into(&job, counting(), &mut sink, &to, &Silent).unwrap();
        let ((own, notes), read) = watched(&job);
        // The third day lies right in front of where the range may begin, and of the fourth the
        // snapshot has taken a part.
        assert_eq!(read, [3, 4, 5, 6], "{order:?}: {notes:?} {:?}", own.from_snapshot);
        let told = notes.iter().any(|n| n.starts_with("3 of 7 partitions lie in folders of times"));
        assert!(told, "{notes:?}");
        assert!(own.from_snapshot.is_some());
        assert_eq!(own.job.settings.range, whole.job.settings.range);
        assert_eq!((own.run_digest, own.digests), (whole.run_digest, whole.digests));
        // One that has changed since is looked at.
        let first = dir.path().join("log/dt=2026-01-01/x.jsonl");
        let text = fs::read_to_string(&first).unwrap();
        fs::write(&first, text.replacen("2026", "2025", 1)).unwrap();
        job.source.late = crate::job::Late::Rewind;
        let ((_, notes), _) = watched(&job);
        let told = notes.iter().any(|n| n.starts_with("2 of 7 partitions lie in folders of times"));
        assert!(told, "{order:?}: {notes:?}");
    }
}
