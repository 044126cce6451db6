//! Sinks of a replay: memory holds what a run directory holds, several at once each get all of it,
//! and a run that is refused or fails leaves nothing.

use super::*;
use crate::job::{Authored, Resolved};
use crate::run::{ReplayOptions, Report, RunError, Silent, replay_into, replay_reducer};
use crate::rundir::{Keys, Named, RunReader, Table, check};
use crate::snapshot::Store;
use crate::store::Folder;
use crate::table::Batch;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use object_store::memory::InMemory;
use retally_core::digest::Hash;
use retally_core::log::Order;
use retally_core::reduce::OnConflict;
use retally_core::reduce::Reducer;
use retally_core::reduce::native::{Event, Native, Rules};
use retally_core::schema::{
    Condition, EmitKind, Field, Input, Kind, Reason, StateShape, Value, ViewShape, display,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Adds up amounts; refuses those above 900, violates above 5,000.
struct Sums;

impl Rules for Sums {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        event: &Event<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)> {
        let Some(Value::Integer(amount)) = event.get(0) else { return Ok(()) };
        if amount > 900 {
            return Err((0, format!("{amount}")));
        }
        let sum = sum(state) + amount;
        state.clear();
        state.extend_from_slice(&sum.to_le_bytes());
        emit(0, &[Some(Value::Integer(sum))]);
        Ok(())
    }

    fn view(&self, _key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>])) {
        row(&[Some(Value::Integer(sum(state)))]);
    }

    fn check(&self, _key: &[u8], state: &[u8]) -> Vec<(u16, String)> {
        if sum(state) > 5_000 { vec![(0, "much".into())] } else { Vec::new() }
    }
}

fn sum(state: &[u8]) -> i64 {
    state.try_into().map_or(0, i64::from_le_bytes)
}

fn reducer() -> Arc<dyn Reducer> {
    let field = |paths: &[&str]| Field {
        name: "sum".into(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        kind: Kind::Integer,
        required: true,
    };
    let reason = |code: &str| Reason { code: code.into(), says: "a sentence".into() };
    let description = Description {
        name: "sums".into(),
        version: "1".into(),
        inputs: vec![Input {
            name: "payment".into(),
            when: vec![Condition { path: "/type".into(), any_of: vec!["payment".into()] }],
            key: Vec::new(),
            fields: vec![field(&["/amount"])],
        }],
        params: Vec::new(),
        defaults: Vec::new(),
        emits: vec![EmitKind { name: "sum".into(), fields: vec![field(&[])] }],
        view: ViewShape { fields: vec![field(&[])], row_key: Vec::new() },
        state: StateShape { version: 1, layout: "sum: i64".into(), migrates: Vec::new() },
        rejects: vec![reason("too-large")],
        violations: vec![reason("much")],
    };
    description.check().unwrap();
    Arc::new(Native::new(description, Hash([1; 32]), Sums))
}

/// A folder with a log, and its job with `more` settings.
fn project(more: &str) -> (TempDir, Resolved) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("log")).unwrap();
    for part in ["a", "b"] {
        let line = |n: u64| match n % 50 {
            49 => "no event\n".to_owned(),
            _ => format!(
                "{{\"type\":\"payment\",\"id\":\"{n}\",\"key\":\"{part}{}\",\"ts\":\"2026-03-01T\
                 00:00:{:02}Z\",\"amount\":{}}}\n",
                n % 37,
                n % 60,
                n * 31 % 950
            ),
        };
        let text: String = (0..2_000).map(line).collect();
        std::fs::write(dir.path().join(format!("log/{part}.jsonl")), text).unwrap();
    }
    let text = format!(
        "[job]\nname = \"t\"\nreducer = \"r.wasm\"\n[source]\nurl = \"file:log/\"\n\
         format = \"json\"\nkey = \"/key\"\nid = \"/id\"\ntime = \"/ts\"\n{more}"
    );
    let authored = Authored::parse(&text, "job", dir.path()).unwrap();
    let job = Resolved::new(&authored).unwrap();
    (dir, job)
}

fn into(sink: &mut dyn Sink, job: &Resolved) -> Result<Report, RunError> {
    let options = ReplayOptions { batch_events: 300, threads: 2, ..ReplayOptions::default() };
    replay_into(job, reducer(), sink, &options, &Silent)
}

/// All files below a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

/// The rows of batches as texts.
fn cells(run: &RunReader, table: Table, batches: &[RecordBatch]) -> Vec<String> {
    let mut all = Vec::new();
    for batch in batches {
        // Names of partitions are numbers with a list of names in memory, and texts in a file.
        let named = batch.column(0).as_dictionary_opt::<Int32Type>();
        let rest = match named {
            Some(_) => batch.project(&(1..batch.num_columns()).collect::<Vec<_>>()).unwrap(),
            None => batch.clone(),
        };
        let names = named.map(|names| names.values().as_string::<i32>());
        let columns = run.columns(table, &Batch::new(&Path::new("memory").into(), rest)).unwrap();
        for row in 0..batch.num_rows() {
            let first = named.and_then(|named| named.key(row)).zip(names);
            let first = first.map(|(number, names)| names.value(number).to_owned());
            let cell = |column: &Named| {
                let value = column.column.get(row).map(|value| display(value, column.kind));
                value.unwrap_or_else(|| "-".into())
            };
            all.push(
                first.into_iter().chain(columns.iter().map(cell)).collect::<Vec<_>>().join(","),
            );
        }
    }
    all
}

#[test]
fn memory_holds_what_a_run_directory_holds() {
    let (dir, job) = project("");
    let (mut run_dir, mut memory) = (RunDir::new(dir.path().join("run")), Memory::default());
    let mut both: Vec<&mut dyn Sink> = vec![&mut memory, &mut run_dir];
    let report = into(&mut both, &job).unwrap();
    assert!(check(run_dir.folder().place()).unwrap().holds());
    let run = RunReader::open(run_dir.folder().place()).unwrap();
    let (manifest, tables) = memory.into_results().unwrap();
    assert_eq!(&manifest, run.manifest());
    assert_eq!(manifest, report.manifest);
    assert!(manifest.counts.rejected > 0 && manifest.counts.malformed > 0);
    assert_eq!(tables.emits.len(), 1);
    for (name, in_memory) in [
        (Table::Views, &tables.views),
        (Table::States, &tables.states),
        (Table::Violations, &tables.violations),
        (Table::Refused, &tables.refused),
        (Table::Emits(0), &tables.emits[0].1),
    ] {
        let batches = run.rows(name, &Keys::All).unwrap();
        let on_disk: Vec<_> = batches.map(|batch| batch.unwrap().arrow().clone()).collect();
        let kept = cells(&run, name, in_memory);
        assert!(!kept.is_empty(), "{name:?}");
        assert_eq!(kept, cells(&run, name, &on_disk), "{name:?}");
    }
    // Alone it gets the same, and a pass into nothing has the same digests.
    let mut alone = Memory::default();
    into(&mut alone, &job).unwrap();
    let (own, _) = alone.into_results().unwrap();
    assert_eq!((own.seal, own.control.is_null()), (manifest.seal, true));
    let mut nowhere: Vec<&mut dyn Sink> = Vec::new();
    assert_eq!(into(&mut nowhere, &job).unwrap().manifest.seal, manifest.seal);
}

#[test]
fn memory_is_bounded() {
    let (_dir, job) = project("");
    let mut memory = Memory::at_most(10_000);
    let error = into(&mut memory, &job).unwrap_err().to_string();
    assert!(error.contains("larger than 10000 bytes"), "{error}");
    assert!(memory.into_results().is_none());
}

/// A sink of somebody else, which fails at its n-th call.
struct Failing {
    left: u32,
    abandoned: bool,
}

impl Failing {
    fn call(&mut self) -> Result<(), SinkError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| SinkError::Own("full".into()))?;
        Ok(())
    }
}

impl Sink for Failing {
    fn takes(&self) -> Takes {
        Takes { results: true, places: false, commits: true }
    }

    fn begin(&mut self, _: &Beginning<'_>) -> Result<(), SinkError> {
        self.call()
    }

    fn block(&mut self, _: Block) -> Result<(), SinkError> {
        self.call()
    }

    fn keys(&mut self, _: Finals) -> Result<(), SinkError> {
        self.call()
    }

    fn commit(&mut self, _: &Commit) -> Result<Vec<String>, SinkError> {
        self.call()?;
        Ok(vec!["committed".into()])
    }

    fn end(&mut self, _: &End<'_>) -> Result<(), SinkError> {
        self.call()
    }

    fn abandon(&mut self) {
        self.abandoned = true;
    }
}

#[test]
fn where_any_sink_fails_none_looks_finished() {
    let (dir, job) = project("[snapshots]\nurl = \"file:snapshots/\"\nevery = \"1000 events\"\n");
    for left in 0.. {
        let (mut run_dir, mut failing) =
            (RunDir::new(dir.path().join("run")), Failing { left, abandoned: false });
        let mut both: Vec<&mut dyn Sink> = vec![&mut run_dir, &mut failing];
        let result = into(&mut both, &job);
        assert_eq!(failing.abandoned, result.is_err());
        if let Ok(report) = result {
            assert!(left > 6, "only {left} calls");
            assert!(report.snapshots.len() > 1 && report.snapshots[0] == "committed");
            return;
        }
        // The run directory ended before the other failed, so it is complete; else it is gone.
        if run_dir.folder().place().exists() {
            assert!(check(run_dir.folder().place()).unwrap().holds());
            std::fs::remove_dir_all(run_dir.folder().place()).unwrap();
        }
    }
}

#[test]
fn what_is_refused_leaves_nothing_on_disk() {
    let snapshots = "[snapshots]\nurl = \"file:snapshots/\"\n";
    type Change = fn(&mut ReplayOptions);
    let refused: [(&str, &str, Change); 8] = [
        ("[params]\nnobody = 1\n", "param", |_| {}),
        ("[[expect]]\ntotal = \"nothing\"\nequals = 1\n", "nothing", |_| {}),
        (snapshots, "s3", |options| options.snapshot = Some("s3://bucket/".into())),
        (snapshots, "no complete snapshot", |options| {
            options.from_snapshot = Some("file:elsewhere/".into());
        }),
        (snapshots, "holds `a.jsonl` already", |options| {
            options.dir = Some(Folder::files(Path::new("LOG")))
        }),
        (snapshots, "cannot", |options| {
            options.dir = Some(Folder::files(Path::new("LOG/a.jsonl/run")))
        }),
        ("LEDGER", "ledger", |_| {}),
        ("SOURCE", "nowhere", |_| {}),
    ];
    for (more, why, change) in refused {
        let (dir, mut job) = project(if more.starts_with('[') { more } else { snapshots });
        if more == "LEDGER" {
            let line = "{\"quarantine\":{\"partition\":\"c\",\"offset\":1},\"author\":\"mia\",\
                        \"reason\":\"ticket\"}\n";
            std::fs::write(dir.path().join("ledger.jsonl"), line).unwrap();
            job.ledger = Some("ledger.jsonl".into());
        }
        if more == "SOURCE" {
            job.source.url = "file:nowhere/".into();
        }
        let mut options = ReplayOptions::default();
        change(&mut options);
        if let Some(own) = &options.dir {
            let log = dir.path().join("log");
            let own = own.place().to_string_lossy().replace("LOG", &log.to_string_lossy());
            options.dir = Some(Folder::files(Path::new(&own)));
        }
        let before = files(dir.path());
        let error = replay_reducer(&job, reducer(), &options, &Silent).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!(files(dir.path()), before, "{error}");
        let folders = std::fs::read_dir(dir.path()).unwrap();
        let folders = folders.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
        assert_eq!(folders, 1, "{error}");
    }
}

/// A folder in which so many steps are done and then none.
fn stopping(folder: &Folder, steps: u32) -> Folder {
    let mut folder = folder.clone();
    folder.steps = Some(Arc::new(steps.into()));
    folder
}

/// A folder of this machine, and one in a store of objects.
fn folders(dir: &Path) -> [Folder; 2] {
    [Folder::files(dir), Folder::over(Arc::new(InMemory::new()), "bucket/x", "mem:x").unwrap()]
}

#[test]
fn wherever_the_machine_stops_a_run_directory_is_complete_or_none() {
    let (dir, job) = project("");
    for folder in folders(&dir.path().join("run")) {
        for steps in 0.. {
            let result = into(&mut RunDir::new(stopping(&folder, steps)), &job);
            let opened = RunReader::open(&folder);
            assert_eq!(result.is_ok(), opened.is_ok(), "after {steps} steps");
            if result.is_ok() {
                assert!(check(&folder).unwrap().holds());
                assert!(steps >= 20, "only {steps} steps");
                break;
            }
            // Another run takes its place when it may; else it works or says what lies there.
            if let Err(error) = into(&mut RunDir::new(&folder), &job) {
                assert!(error.to_string().contains("add --replace"), "{error}");
                into(&mut RunDir::new(&folder).replacing(true), &job).unwrap();
            }
            assert!(check(&folder).unwrap().holds());
            folder.delete_all().unwrap();
        }
    }
}

#[test]
fn wherever_the_machine_stops_snapshots_are_complete_or_none() {
    let (dir, job) = project("[snapshots]\nurl = \"file:unused/\"\nevery = \"1000 events\"\n");
    let path = dir.path().join("snapshots");
    for steps in 0.. {
        let result = into(&mut Snapshots::within(stopping(&Folder::files(&path), steps)), &job);
        let store = Store::within(Folder::files(&path));
        for (name, summary) in store.list().unwrap() {
            let checked = summary.unwrap().reference.check();
            assert!(checked.is_ok(), "{name} after {steps} steps: {checked:?}");
        }
        if result.is_ok() {
            assert!(store.list().unwrap().len() > 1 && steps > 10, "only {steps} steps");
            return;
        }
        // Another run leaves whole snapshots, and nothing of what the first one left besides.
        into(&mut Snapshots::within(Folder::files(&path)), &job).unwrap();
        let list = store.list().unwrap();
        let folders = std::fs::read_dir(&path).unwrap().count();
        assert_eq!(folders, list.len(), "after {steps} steps");
        assert!(list.into_iter().all(|(_, s)| s.unwrap().reference.check().is_ok()));
        let _ = std::fs::remove_dir_all(&path);
    }
}

#[test]
fn runs_that_begin_at_once_get_folders_of_their_own() {
    let (dir, job) = project("");
    let output = dir.path().join("runs");
    let dirs: std::collections::BTreeSet<PathBuf> = std::thread::scope(|scope| {
        let run = || {
            let mut sink = RunDir::fresh(&output, "sums").unwrap();
            into(&mut sink, &job).unwrap();
            sink.folder().place()
        };
        let all: Vec<_> = (0..6).map(|_| scope.spawn(run)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(dirs.len(), 6, "{dirs:?}");
    assert!(dirs.iter().all(|dir| check(dir).unwrap().holds()));
}

#[test]
fn of_runs_that_want_one_folder_one_has_it_and_the_others_leave_it_alone() {
    let (dir, job) = project("");
    let all = folders(dir.path());
    for (round, folder) in (0..10).map(|round| (round, all[round % 2].below(&round.to_string()))) {
        // Of a store nobody can tell whether the first still writes: no other is to replace it.
        let replace = folder.file("").is_some();
        let done: usize = std::thread::scope(|scope| {
            let run = || match into(&mut RunDir::new(&folder).replacing(replace), &job) {
                Ok(_) => 1,
                Err(error) => {
                    assert!(error.is_usage(), "{error}");
                    0
                }
            };
            let all: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            all.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(done, 1, "round {round}");
        assert!(check(&folder).unwrap().holds());
    }
}

/// Does something at the first block.
struct Taking<'a>(Option<&'a (dyn Fn() + Sync)>);

impl Sink for Taking<'_> {
    fn takes(&self) -> Takes {
        Takes { results: true, places: false, commits: false }
    }

    fn begin(&mut self, _: &Beginning<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    fn block(&mut self, _: Block) -> Result<(), SinkError> {
        if let Some(take) = self.0.take() {
            take();
        }
        Ok(())
    }

    fn end(&mut self, _: &End<'_>) -> Result<(), SinkError> {
        Ok(())
    }
}

#[test]
fn a_run_whose_folder_another_one_took_over_is_not_finished_there() {
    let (dir, job) = project("");
    let [_, folder] = folders(dir.path());
    for is_alike in [true, false] {
        let mut other = job.clone();
        other.on_conflict = if is_alike { job.on_conflict } else { OnConflict::Stop };
        other.order = if is_alike { job.order } else { Order::Path };
        let take = || into(&mut RunDir::new(&folder).replacing(true), &other).map(|_| ()).unwrap();
        let (mut run_dir, mut taking) = (RunDir::new(&folder), Taking(Some(&take)));
        let mut both: Vec<&mut dyn Sink> = vec![&mut taking, &mut run_dir];
        let error = into(&mut both, &job).unwrap_err();
        assert!(error.to_string().contains("was taken over by another run"), "{error}");
        assert!(error.is_usage());
        assert!(check(&folder).unwrap().holds(), "the other's run is left alone");
        folder.delete_all().unwrap();
    }
}

/// Notes what it is asked for, in order.
#[derive(Default)]
struct Asked(Vec<&'static str>);

impl Sink for Asked {
    fn takes(&self) -> Takes {
        Takes { results: false, places: false, commits: true }
    }

    fn begin(&mut self, _: &Beginning<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    fn commit(&mut self, _: &Commit) -> Result<Vec<String>, SinkError> {
        self.0.push("commit");
        Ok(Vec::new())
    }

    fn end(&mut self, _: &End<'_>) -> Result<(), SinkError> {
        self.0.push("end");
        Ok(())
    }
}

#[test]
fn whoever_goes_on_from_the_last_commit_finds_the_run_finished() {
    let (_dir, job) = project("");
    let mut asked = Asked::default();
    into(&mut asked, &job).unwrap();
    assert_eq!(asked.0, ["end", "commit"]);
}
