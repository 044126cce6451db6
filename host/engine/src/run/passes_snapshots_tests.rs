//! Snapshots of runs in several passes are those of one pass, file by file, and are gone on from
//! like any other.

use super::aside_tests::{judging, log, log_of, passes};
use super::log_tests::{job, options};
use super::passes_tests::files;
use super::*;
use crate::job::Resolved;
use crate::range::Bound;
use crate::sink::{Beginning, Commit, Sink, SinkError, Snapshots, Takes};
use crate::snapshot::{SnapshotRef, Store};
use crate::store::Folder;
use retally_core::log::Order;
use retally_core::snapshot::Piece;
use tempfile::TempDir;

/// A job that saves snapshots on the way.
fn saving(dir: &TempDir, (order, window): (Order, &str)) -> Resolved {
    let more = format!(
        "[snapshots]\nurl = \"file:own/\"\nevery = \"1500 events\"\n\
         [dedup]\nwindow = \"{window}\"\n"
    );
    Resolved { order, ..job(dir, &more) }
}

const KINDS: [(Order, &str); 5] = [
    (Order::Log, "all"),
    (Order::Path, "all"),
    (Order::Time, "all"),
    (Order::Log, "90m"),
    (Order::Path, "90m"),
];

/// In how many passes, and whether each of them reads the log.
const HOW: [(usize, bool); 4] = [(2, true), (3, false), (7, true), (16, false)];

fn run(job: &Resolved, options: &ReplayOptions) -> Report {
    replay_reducer(job, judging(), options, &Silent).unwrap()
}

/// Saves a snapshot in `first`: whose history it is decides the bytes, so all go on from the same.
fn begin(job: &Resolved) {
    let snapshot = Some("file:first/".to_owned());
    let first = match job.order {
        Order::Time => {
            let to = Some(Bound::parse(&["2026-01-01T03:00:00Z"]).unwrap());
            ReplayOptions { to, snapshot, ..options(log(), 2) }
        }
        _ => ReplayOptions { snapshot, ..options(log_of(2), 2) },
    };
    run(job, &passes(1, false, first));
}

#[test]
fn snapshots_of_several_passes_are_those_of_one() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let job = saving(&dir, kind);
        begin(&job);
        let on = |(number, reread): (usize, bool), into: &str| {
            let (snapshot, from_snapshot) = (Some(format!("file:{into}/")), "file:first/".into());
            let from_snapshot = Some(from_snapshot);
            let options = ReplayOptions { snapshot, from_snapshot, ..options(log(), 2) };
            let report = run(&job, &passes(number, reread, options));
            (report.snapshots.clone(), files(&report.dir), files(&dir.path().join(into)))
        };
        let whole = on((1, false), "one");
        assert!(whole.0.len() > 2, "{:?}", whole.0);
        for how in HOW {
            let parts = on(how, &format!("in-{}", how.0));
            assert_eq!(parts.0, whole.0);
            assert!(parts.1 == whole.1, "{kind:?} {how:?}: another run");
            let names = |of: &std::collections::BTreeMap<String, Vec<u8>>| -> Vec<String> {
                of.keys().cloned().collect()
            };
            assert_eq!(names(&parts.2), names(&whole.2));
            parts.2.iter().for_each(|(name, own)| assert!(whole.2[name] == *own, "{name}"));
        }
    }
}

#[test]
fn a_run_goes_on_from_any_snapshot_of_passes_in_passes() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let job = saving(&dir, kind);
        let whole = run(&job, &passes(3, false, options(log(), 2)));
        let store = Store::open("file:own/", dir.path()).unwrap();
        let saved: Vec<String> = store.list().unwrap().into_iter().map(|(name, _)| name).collect();
        assert!(saved.len() > 3, "{saved:?}");
        for (number, name) in (1..).zip(saved) {
            let from_snapshot = Some(format!("file:own/{name}"));
            let snapshot = Some(format!("file:on-{name}/"));
            let options = ReplayOptions { from_snapshot, snapshot, ..options(log(), 2) };
            let rest = run(&job, &passes(number, number % 2 == 0, options));
            assert_eq!(rest.manifest.digests, whole.manifest.digests, "{kind:?} {name}");
        }
        // What nobody has to run again.
        let options = ReplayOptions { resume: true, ..options(log(), 2) };
        let again = replay_reducer(&job, judging(), &passes(4, false, options), &Silent);
        assert!(matches!(again, Err(RunError::NothingNew(_))), "{:?}", again.map(|r| r.dir));
    }
}

/// Saves commits by itself, and counts the keys with a state that they have.
struct Own {
    store: Store,
    last: Option<SnapshotRef>,
    with_state: Vec<usize>,
}

impl Sink for Own {
    fn takes(&self) -> Takes {
        Takes { commits: true, ..Takes::default() }
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        self.last = beginning.snapshot.cloned();
        Ok(())
    }

    fn commit(&mut self, commit: &Commit) -> Result<Vec<String>, SinkError> {
        let Commit { head, pieces } = commit;
        let keys: usize = pieces.iter().map(|piece| piece.keys.len()).sum();
        assert!(keys as u64 <= head.keys.unwrap());
        let states = pieces.iter().map(|Piece { keys, .. }| {
            (0..keys.len()).filter(|&row| !keys.states.get(row).is_empty()).count()
        });
        self.with_state.push(states.sum());
        self.last = Some(self.store.save(head, pieces, self.last.as_ref())?);
        Ok(Vec::new())
    }
}

#[test]
fn a_sink_that_knows_no_parts_gets_all_of_them_beside_one_that_does() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let job = saving(&dir, kind);
        begin(&job);
        let saved = |number| {
            let within = |what: &str| dir.path().join(format!("{what}-{number}"));
            let store = Store::within(Folder::files(&within("own")));
            let mut own = Own { store, last: None, with_state: Vec::new() };
            let mut snapshots = Snapshots::within(Folder::files(&within("in")));
            let mut sinks: Vec<&mut dyn Sink> = vec![&mut own, &mut snapshots];
            let spill = Some(dir.path().to_owned());
            let from_snapshot = Some("file:first/".to_owned());
            let options = ReplayOptions { spill, from_snapshot, ..options(log(), 2) };
            let options = passes(number, false, options);
            let report = replay_into(&job, judging(), &mut sinks, &options, &Silent).unwrap();
            assert_eq!(report.snapshots.len(), own.with_state.len());
            assert!(files(&within("own")) == files(&within("in")), "{kind:?} {number}");
            (own.with_state, report.snapshots, files(&within("own")))
        };
        let whole = saved(1);
        assert!(whole.0.iter().filter(|&&keys| keys > 9).count() > 2, "{:?}", whole.0);
        for number in [2, 5] {
            let parts = saved(number);
            assert_eq!((&parts.0, &parts.1), (&whole.0, &whole.1), "{kind:?}");
            assert!(parts.2 == whole.2, "{kind:?} {number}: other bytes");
        }
    }
}
