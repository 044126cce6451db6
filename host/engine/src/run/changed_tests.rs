//! Going on from a snapshot while the log changes: whatever becomes of a log, a run that goes on
//! gives what a run from the start gives, or is refused.

use super::log_tests::{counting, job};
use super::*;
use crate::job::{Late, Resolved};
use crate::sink::{Sink, Snapshots};
use crate::store::Folder;
use proptest::prelude::*;
use retally_core::digest::Hash;
use retally_core::log::Order;
use retally_core::manifest::{Checked, Manifest};
use retally_core::receipt::News;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with a log.
pub(super) struct Place {
    pub(super) dir: TempDir,
    pub(super) job: Resolved,
}

/// Lines whose keys begin with `of`.
pub(super) fn lines(of: &str, numbers: std::ops::Range<u64>) -> String {
    let line = |n: u64| {
        let key = n % 3;
        format!("{{\"k\":\"{of}{key}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:00Z\"}}\n")
    };
    numbers.map(line).collect()
}

impl Place {
    pub(super) fn new(order: Order) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        let mut job = job(&dir, "");
        job.order = order;
        job.source.url = "file:log/".into();
        Self { dir, job }
    }

    /// Lines of a partition: of keys of its own, or of keys that all have where that may be.
    fn lines(&self, of: &str, numbers: std::ops::Range<u64>) -> String {
        lines(if self.job.order == Order::Path { "k" } else { of }, numbers)
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join("log").join(file)
    }

    pub(super) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(file), text).unwrap();
    }

    pub(super) fn add(&self, file: &str, text: impl AsRef<[u8]>) {
        let file = fs::OpenOptions::new().append(true).open(self.path(file));
        file.unwrap().write_all(text.as_ref()).unwrap();
    }

    /// Runs into a folder of snapshots and nothing else.
    pub(super) fn run(&self, options: &ReplayOptions) -> Result<Report, RunError> {
        let mut sink = Snapshots::within(Folder::files(&self.dir.path().join("snapshots")));
        let sink: &mut dyn Sink = &mut sink;
        replay_into(&self.job, counting(), sink, &options.clone(), &Silent)
    }

    pub(super) fn start(&self) -> Manifest {
        self.run(&ReplayOptions::default()).unwrap().manifest
    }

    pub(super) fn digest(&self) -> Hash {
        let mut nothing: Vec<&mut dyn Sink> = Vec::new();
        let options = ReplayOptions::default();
        let whole = replay_into(&self.job, counting(), &mut nothing, &options, &Silent);
        whole.unwrap().manifest.run_digest
    }

    pub(super) fn goes_on(&self) -> Result<Report, RunError> {
        self.run(&going_on())
    }

    pub(super) fn refused(&self) -> String {
        let error = self.goes_on().unwrap_err();
        assert!(matches!(error, RunError::ChangedLog(_)), "{error}");
        assert!(!error.is_usage());
        error.to_string()
    }
}

pub(super) fn going_on() -> ReplayOptions {
    ReplayOptions { from_snapshot: Some("file:snapshots".into()), ..ReplayOptions::default() }
}

#[test]
fn what_was_taken_is_not_read_again() {
    for order in [Order::Log, Order::Path] {
        let place = Place::new(order);
        place.write("a.jsonl", lines("a", 0..500));
        place.write("b.jsonl", lines("b", 0..400));
        place.start();
        place.add("b.jsonl", lines("b", 400..410));
        place.write("c.jsonl", lines("c", 0..7));
        let report = place.goes_on().unwrap();
        let from = report.manifest.from_snapshot.as_ref().unwrap();
        assert_eq!((from.checked, from.carried), (Checked::Edges, 1));
        assert!(from.accepted.is_empty() && !report.manifest.marks.partial);
        assert_eq!(report.manifest.counts.events, 17);
        let bytes = (lines("b", 400..410) + &lines("c", 0..7)).len() as u64;
        assert_eq!(report.news, Some(News { objects: 1, grown: 1, bytes }));
        assert_eq!(report.manifest.run_digest, place.digest());
        // The input description is that of the log as it stands.
        let whole = place.start();
        assert_eq!(report.manifest.input.objects, whole.input.objects);
        let every = ReplayOptions { recheck: true, ..going_on() };
        let every = place.run(&every).unwrap().manifest.from_snapshot.unwrap();
        assert_eq!((every.checked, every.carried), (Checked::EveryByte, 0));
    }
}

#[test]
fn a_log_that_changed_is_named_with_its_place() {
    type Do = fn(&Place);
    let cases: [(Order, Do, &str); 11] = [
        (
            Order::Log,
            |p| p.write("a.jsonl", "{}\n".to_owned() + &lines("a", 0..50)),
            "at its beginning",
        ),
        (Order::Path, |p| p.write("b.jsonl", lines("b", 0..3)), "`b.jsonl` (partition b) is new"),
        (Order::Path, |p| p.add("a.jsonl", lines("a", 50..51)), "behind offset 50 that were not"),
        (Order::Log, |p| p.write("a.jsonl", lines("a", 1..50)), "`a.jsonl` (partition a, taken"),
        (Order::Log, |p| p.write("a.jsonl", lines("a", 9..60)), "at its beginning"),
        (Order::Log, |p| p.write("a.jsonl", ""), "has 0 bytes"),
        (Order::Log, |p| fs::remove_file(p.path("a.jsonl")).unwrap(), "is gone"),
        (Order::Log, |p| fs::rename(p.path("a.jsonl"), p.path("d.jsonl")).unwrap(), "is gone"),
        (
            Order::Log,
            |p| {
                fs::remove_file(p.path("a.jsonl")).unwrap();
                p.write("a.json", lines("a", 0..50));
            },
            "is now `a.json`",
        ),
        (Order::Log, |p| p.add("open.jsonl", "}\n"), "in the middle of event 3, which had no line"),
        (
            Order::Log,
            |p| {
                let text = lines("a", 0..50).replace("\"49\"", "\"94\"");
                p.write("a.jsonl", text);
            },
            "at its beginning",
        ),
    ];
    for (order, change, says) in cases {
        let place = Place::new(order);
        place.write("a.jsonl", lines("a", 0..50));
        place.write("c.jsonl", lines("c", 0..50));
        place.write("open.jsonl", lines("open", 0..4).trim_end());
        place.start();
        change(&place);
        let told = place.refused();
        assert!(told.contains(says), "{says}: {told}");
        for way in ["rewind", "--accept-changed-log", "from the start"] {
            assert!(told.contains(way), "{told}");
        }
    }
}

#[test]
fn a_byte_in_the_middle_is_found_by_reading_every_byte_and_the_manifest_says_what_was_checked() {
    let place = Place::new(Order::Log);
    place.write("a.jsonl", lines("a", 0..6_000));
    place.write("b.jsonl", lines("b", 0..3));
    place.start();
    let text = lines("a", 0..6_000).replace("\"3000\"", "\"2997\"");
    place.write("a.jsonl", text);
    place.add("b.jsonl", lines("b", 3..4));
    let unseen = place.goes_on().unwrap().manifest;
    assert_ne!(unseen.run_digest, place.digest());
    assert_eq!(unseen.from_snapshot.unwrap().checked, Checked::Edges);
    fs::remove_dir_all(place.dir.path().join("snapshots")).unwrap();
    place.write("a.jsonl", lines("a", 0..6_000));
    place.start();
    place.write("a.jsonl", lines("a", 0..6_000).replace("\"3000\"", "\"2997\""));
    for every in [
        ReplayOptions { recheck: true, ..going_on() },
        ReplayOptions { attest: true, ..going_on() },
    ] {
        let told = place.run(&every).unwrap_err().to_string();
        assert!(told.contains("in the middle of the "), "{told}");
    }
    // What has grown is read anyway.
    place.add("a.jsonl", lines("a", 6_000..6_001));
    assert!(place.refused().contains("in the middle of the "));
}

#[test]
fn whoever_goes_back_finds_the_newest_that_fits_and_says_so() {
    let mut place = Place::new(Order::Path);
    place.write("d1.jsonl", lines("d1", 0..10));
    let first = place.run(&ReplayOptions::default()).unwrap().snapshots.concat();
    place.write("d3.jsonl", lines("d3", 0..10));
    let second = place.goes_on().unwrap().snapshots.concat();
    place.write("d2.jsonl", lines("d2", 0..10));
    let manifest = place.dir.path().join("snapshots").join(&first).join("manifest.json");
    let whole = fs::read(&manifest).unwrap();
    fs::write(&manifest, "{}").unwrap();
    assert!(place.refused().contains(&second), "whatever is wrong with an older one");
    fs::write(&manifest, whole).unwrap();
    place.job.source.late = Late::Rewind;
    let report = place.goes_on().unwrap();
    assert_eq!(report.manifest.run_digest, place.digest());
    assert_eq!(report.manifest.from_snapshot.unwrap().name, first);
    let passed = &report.manifest.passed_over;
    assert_eq!(passed.iter().map(|p| &p.snapshot).collect::<Vec<_>>(), [&second]);
    assert!(passed[0].why.contains("d2.jsonl"), "{}", passed[0].why);
    // Before everything: from the start.
    place.write("d0.jsonl", lines("d0", 0..10));
    let report = place.goes_on().unwrap();
    assert_eq!(report.manifest.run_digest, place.digest());
    assert!(report.manifest.from_snapshot.is_none());
    assert_eq!(report.manifest.passed_over.len(), 3);
}

#[test]
fn a_change_that_is_accepted_is_told_for_as_long_as_the_history_goes_on() {
    let mut place = Place::new(Order::Path);
    place.write("a.jsonl", lines("a", 0..10));
    place.write("c.jsonl", lines("c", 0..10));
    place.start();
    place.write("b.jsonl", lines("b", 0..5));
    let accepting = ReplayOptions { accept_changed_log: true, ..going_on() };
    let manifest = place.run(&accepting).unwrap().manifest;
    assert!(manifest.marks.changed_log && manifest.counts.events == 5);
    // From now on it is what was taken, and the history is still not that of the log.
    place.add("c.jsonl", lines("c", 10..11));
    let manifest = place.goes_on().unwrap().manifest;
    let from = manifest.from_snapshot.unwrap();
    assert!(manifest.marks.changed_log);
    assert!(from.accepted_text().contains("`b.jsonl` (partition b) is new"), "{from:?}");
    // It is not what a run from the start gives, which is where going back leads.
    place.job.source.late = Late::Rewind;
    let manifest = place.goes_on().unwrap().manifest;
    assert_eq!(manifest.run_digest, place.digest());
    assert!(manifest.from_snapshot.is_none() && !manifest.marks.changed_log);
}

#[test]
fn of_snapshots_of_as_many_events_the_one_of_this_log_is_taken() {
    let place = Place::new(Order::Log);
    for round in 0..4 {
        let text = lines("a", 0..50).replace("\"7\"", &format!("\"{round}\""));
        place.write("a.jsonl", &text);
        if round > 0 {
            place.refused();
        }
        place.start();
        let manifest = place.goes_on().unwrap().manifest;
        assert_eq!(manifest.run_digest, place.digest());
    }
}

#[test]
fn a_part_of_each_partition_is_no_beginning_of_the_whole_where_one_comes_after_another() {
    let place = Place::new(Order::Path);
    place.write("a.jsonl", lines("a", 0..10));
    place.write("b.jsonl", lines("b", 0..10));
    place.run(&ReplayOptions { limit: Some(4), ..ReplayOptions::default() }).unwrap();
    let told = place.refused();
    assert!(told.contains("behind offset 4 that were not taken"), "{told}");
    // It is not the log that changed.
    assert!(told.contains("was saved by a run with --limit, behind which"), "{told}");
    assert!(!told.contains("the log is no longer") && !told.contains("put it back"), "{told}");
}

#[test]
fn a_snapshot_that_holds_more_than_a_limit_gives_is_refused_before_the_run() {
    let place = Place::new(Order::Log);
    place.write("a.jsonl", lines("a", 0..8));
    place.write("b.jsonl", lines("b", 0..2));
    place.start();
    place.add("b.jsonl", lines("b", 2..4));
    let limited = |limit| place.run(&ReplayOptions { limit: Some(limit), ..going_on() });
    let error = limited(7).unwrap_err();
    assert!(error.is_usage());
    let told = error.to_string();
    let says = "holds more than the first 7 events of partition a, of which it has taken all up to \
                offset 8: a run with --limit 7 cannot go on from it; name a snapshot that holds";
    assert!(told.contains(says), "{told}");
    let on = limited(8).unwrap().manifest;
    assert_eq!((on.counts.events, on.run_digest), (2, place.digest()));
    // What a subset leaves out is counted, too.
    let place = Place::new(Order::Log);
    place.write("a.jsonl", lines("a", 0..8));
    let some = |limit, from: Option<String>| {
        let keys = Some(vec!["a0".to_owned()]);
        place.run(&ReplayOptions { limit, keys, from_snapshot: from, ..ReplayOptions::default() })
    };
    some(None, None).unwrap();
    place.add("a.jsonl", lines("a", 8..9));
    let on = |limit| some(Some(limit), Some("file:snapshots".into()));
    assert!(matches!(on(7).unwrap_err(), RunError::BeyondLimit { limit: 7, .. }));
    assert_eq!(on(9).unwrap().manifest.counts.events, 1);
}

#[test]
fn a_snapshot_in_the_middle_remembers_what_it_took_and_no_more() {
    let mut place = Place::new(Order::Log);
    place.job.snapshots = Some(crate::job::Snapshots {
        url: "file:snapshots".into(),
        every: crate::job::Every::Events(8_192),
    });
    place.write("a.jsonl", lines("a", 0..20_000));
    place.write("b.jsonl", lines("b", 0..100));
    let saved = place.run(&ReplayOptions::default()).unwrap().snapshots;
    assert_eq!(saved.len(), 3);
    let middle = ReplayOptions {
        from_snapshot: Some(format!("file:snapshots/{}", saved[0])),
        recheck: true,
        ..ReplayOptions::default()
    };
    // What lies behind it may change.
    place.write("a.jsonl", lines("a", 0..20_000).replace("\"9000\"", "\"9x00\""));
    let report = place.run(&middle).unwrap();
    assert_eq!(report.manifest.run_digest, place.digest());
    assert_eq!(report.manifest.counts.events, 20_100 - 8_192);
    place.write("a.jsonl", lines("a", 0..20_000).replace("\"8191\"", "\"8x91\""));
    assert!(place.run(&middle).unwrap_err().to_string().contains("a.jsonl"));
}

#[test]
fn who_asks_for_the_newest_that_fits_begins_without_one_and_ends_where_nothing_is_new() {
    let mut place = Place::new(Order::Log);
    let resume = ReplayOptions { resume: true, ..ReplayOptions::default() };
    place.write("a.jsonl", lines("a", 0..10));
    assert!(matches!(place.run(&resume).unwrap_err(), RunError::NoSnapshots));
    let url = "file:snapshots".to_owned();
    place.job.snapshots = Some(crate::job::Snapshots { url, every: crate::job::Every::End });
    let first = place.run(&resume).unwrap();
    assert!(first.manifest.from_snapshot.is_none());
    let nothing = place.run(&resume).unwrap_err();
    let RunError::NothingNew(nothing) = nothing else { panic!("{nothing}") };
    assert_eq!((nothing.snapshot, nothing.objects), (first.snapshots.concat(), 1));
    place.add("a.jsonl", lines("a", 10..12));
    let second = place.run(&resume).unwrap().manifest;
    assert_eq!((second.counts.events, second.run_digest), (2, place.digest()));
    // Of another job there is none.
    place.job.order = Order::Path;
    let other = place.run(&resume).unwrap().manifest;
    assert!(other.from_snapshot.is_none() && other.passed_over[0].why.contains("order"));
}

/// Something that happens to a log.
#[derive(Debug, Clone)]
enum Happens {
    Appended { file: usize, lines: u64, with_end: bool },
    New { file: usize, lines: u64 },
    Gone { file: usize },
    Cut { file: usize, at: usize },
    Edited { file: usize, at: usize, to: u8 },
    Renamed { file: usize, to: usize },
    Packed { file: usize },
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn happens() -> impl Strategy<Value = Happens> {
    let file = || 0..NAMES.len();
    prop_oneof![
        3 => (file(), 0..4u64, any::<bool>())
            .prop_map(|(file, lines, with_end)| Happens::Appended { file, lines, with_end }),
        3 => (file(), 0..4u64).prop_map(|(file, lines)| Happens::New { file, lines }),
        1 => file().prop_map(|file| Happens::Gone { file }),
        1 => (file(), 0..400usize).prop_map(|(file, at)| Happens::Cut { file, at }),
        1 => (file(), 0..400usize, prop::sample::select(b"\n1x".to_vec()))
            .prop_map(|(file, at, to)| Happens::Edited { file, at, to }),
        1 => (file(), file()).prop_map(|(file, to)| Happens::Renamed { file, to }),
        1 => file().prop_map(|file| Happens::Packed { file }),
    ]
}

fn do_it(place: &Place, what: &Happens, serial: u64) {
    let path = |file: usize| place.path(&format!("{}.jsonl", NAMES[file]));
    let more = |file: usize, count: u64| place.lines(NAMES[file], serial..serial + count);
    match *what {
        Happens::Appended { file, lines, with_end } if path(file).exists() => {
            let text = more(file, lines);
            let text = if with_end { text.as_str() } else { text.trim_end() };
            place.add(&format!("{}.jsonl", NAMES[file]), text);
        }
        Happens::New { file, lines } if !path(file).exists() => {
            fs::write(path(file), more(file, lines)).unwrap();
        }
        Happens::Gone { file } => drop(fs::remove_file(path(file))),
        Happens::Renamed { file, to } if !path(to).exists() => {
            drop(fs::rename(path(file), path(to)));
        }
        Happens::Cut { file, at } | Happens::Edited { file, at, .. } if path(file).exists() => {
            let mut bytes = fs::read(path(file)).unwrap();
            match (*what).clone() {
                Happens::Cut { .. } => bytes.truncate(at),
                Happens::Edited { to, .. } if at < bytes.len() => bytes[at] = to,
                _ => {}
            }
            fs::write(path(file), bytes).unwrap();
        }
        Happens::Packed { file } if path(file).exists() => {
            let packed = zstd::encode_all(&*fs::read(path(file)).unwrap(), 1).unwrap();
            fs::write(path(file).with_extension("jsonl.zst"), packed).unwrap();
            fs::remove_file(path(file)).unwrap();
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn whatever_becomes_of_a_log_the_digest_is_the_whole_s_or_the_run_is_refused(
        is_path: bool,
        sizes in prop::collection::vec(0..5u64, 1..4),
        is_open: bool,
        limit in prop::option::of(1..4u64),
        steps in prop::collection::vec(prop::collection::vec(happens(), 0..3), 1..4),
    ) {
        let place = Place::new(if is_path { Order::Path } else { Order::Log });
        for (name, size) in NAMES.iter().step_by(2).zip(&sizes) {
            let text = place.lines(name, 0..*size);
            let text = if is_open { text.trim_end() } else { text.as_str() };
            place.write(&format!("{name}.jsonl"), text);
        }
        place.run(&ReplayOptions { limit, ..ReplayOptions::default() }).unwrap();
        for (number, step) in (1..).zip(&steps) {
            step.iter().zip(0..).for_each(|(what, n)| do_it(&place, what, number * 100 + n * 10));
            match place.run(&ReplayOptions { recheck: true, ..going_on() }) {
                Ok(report) => prop_assert_eq!(report.manifest.run_digest, place.digest()),
                Err(RunError::ChangedLog(_)) => break,
                Err(RunError::Log(error)) if error.to_string().contains("no log in") => break,
                Err(RunError::Log(error)) if error.to_string().contains("would both be") => break,
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}

#[test]
fn going_back_gives_a_run_also_where_nothing_is_new_behind_it() {
    let mut place = Place::new(Order::Path);
    place.job.source.late = Late::Rewind;
    place.write("d1.jsonl", lines("d1", 0..10));
    place.start();
    place.write("d2.jsonl", lines("d2", 0..10));
    place.goes_on().unwrap();
    fs::remove_file(place.path("d2.jsonl")).unwrap();
    let report = place.run(&ReplayOptions { resume: true, ..resuming() }).unwrap();
    assert_eq!(report.manifest.run_digest, place.digest());
    assert_eq!(report.manifest.passed_over.len(), 1);
}

fn resuming() -> ReplayOptions {
    ReplayOptions { snapshot: Some("file:snapshots".into()), ..ReplayOptions::default() }
}

#[test]
fn of_snapshots_of_as_many_events_the_one_of_an_honest_history_is_gone_on_from() {
    // Their names are chance: often enough that one that sorts last is gone on from by it.
    for _ in 0..6 {
        let place = Place::new(Order::Path);
        place.write("a.jsonl", lines("a", 0..10));
        place.write("c.jsonl", lines("c", 0..10));
        place.start();
        place.write("b.jsonl", lines("b", 0..5));
        place.run(&ReplayOptions { accept_changed_log: true, ..going_on() }).unwrap();
        place.start();
        place.write("d.jsonl", lines("d", 0..5));
        let manifest = place.goes_on().unwrap().manifest;
        assert!(!manifest.marks.changed_log);
        assert_eq!(manifest.run_digest, place.digest());
    }
}

#[test]
fn behind_what_is_gone_and_accepted_a_late_file_is_late_all_the_same() {
    let place = Place::new(Order::Path);
    place.write("a.jsonl", lines("a", 0..10));
    place.write("c.jsonl", lines("c", 0..10));
    place.start();
    fs::remove_file(place.path("c.jsonl")).unwrap();
    place.run(&ReplayOptions { accept_changed_log: true, ..going_on() }).unwrap();
    place.write("b.jsonl", lines("b", 0..5));
    assert!(place.refused().contains("`b.jsonl`"), "{}", place.refused());
}
