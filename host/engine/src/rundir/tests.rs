//! A generated run, written, read and checked; and run directories that must not pass for one.

use super::sample::{description, relist, sample};
use super::*;
use crate::store::Folder;
use retally_core::digest::{Hash, OutcomeShape, Outcomes};
use retally_core::schema::{Values, display};
use std::fs;
use std::path::{Path, PathBuf};

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn a_written_run_checks() {
    let dir = tempfile::tempdir().unwrap();
    // `RETALLY_SAMPLE` keeps the run for tests/python/recheck.py.
    let kept = std::env::var_os("RETALLY_SAMPLE").map(PathBuf::from);
    let path = kept.unwrap_or_else(|| dir.path().join("run"));
    let sample = sample(7);
    sample.write(&path, sample.outcomes(), 0);
    let report = check(&path).unwrap();
    assert_eq!(report.findings, [""; 0]);
    assert!(report.holds(), "{:#?}", report.digests);
    assert_eq!(report.digests.len(), 9);
}

#[test]
fn a_run_that_went_on_has_the_digests_of_the_whole_and_checks() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(8);
    let whole = sample.write(&dir.path().join("whole"), sample.outcomes(), 0);
    let mut begun = sample.outcomes();
    sample.blocks[..3].iter().for_each(|block| begun.add(block).unwrap());
    let shape = OutcomeShape::of(&description());
    let kept = std::env::var_os("RETALLY_SAMPLE_REST").map(PathBuf::from);
    let path = kept.unwrap_or_else(|| dir.path().join("rest"));
    let taken_up = Outcomes::restore(shape, &sample.partitions, begun.save()).unwrap();
    let rest = sample.write(&path, taken_up, 3);
    assert_eq!(rest.run_digest, whole.run_digest);
    let report = check(&path).unwrap();
    assert!(report.holds(), "{report:#?}");
    assert!(report.history);
}

#[test]
fn the_same_run_makes_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(9);
    let [a, b] = ["a", "b"].map(|name| {
        let path = dir.path().join(name);
        sample.write(&path, sample.outcomes(), 0);
        let relative = |(file, bytes): (PathBuf, Vec<u8>)| {
            (file.strip_prefix(&path).unwrap().to_path_buf(), bytes)
        };
        files(&path).into_iter().map(relative).collect::<Vec<_>>()
    });
    assert_eq!(a.len(), 11);
    assert!(a == b);
}

/// One hash over the names and bytes of all files.
fn fingerprint(dir: &Path) -> String {
    let mut all = Vec::new();
    for (path, bytes) in files(dir) {
        let name = path.strip_prefix(dir).unwrap().to_str().unwrap();
        all.extend(name.bytes().chain([0]).chain(bytes));
    }
    Hash::of(&all).to_string()
}

/// Files of two versions are compared byte for byte: these change with a format, which CHANGELOG
/// tells of, or with the library that writes Parquet, and by nothing else.
#[test]
fn the_bytes_of_a_run_are_what_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, rest) = (dir.path().join("whole"), dir.path().join("rest"));
    sample(7).write(&whole, sample(7).outcomes(), 0);
    let sample = sample(8);
    let mut begun = sample.outcomes();
    sample.blocks[..3].iter().for_each(|block| begun.add(block).unwrap());
    sample.write(&rest, begun, 3);
    assert_eq!(
        [fingerprint(&whole), fingerprint(&rest)],
        [
            "07dae21aef8e30b0e5191ea326f1c8428aad6e0e090ac502a6c2c50bb4ae0374",
            "3317d31d77c4da84ec5f79bbb1885cf337aae26ecbe75406ebc479bcab24169e",
        ]
    );
}

#[test]
fn a_changed_row_is_found_in_its_digest_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    sample(1).write(&one, sample(1).outcomes(), 0);
    sample(2).write(&other, sample(2).outcomes(), 0);
    fs::copy(other.join("view.parquet"), one.join("view.parquet")).unwrap();
    relist(&one);
    let report = check(&one).unwrap();
    let differ: Vec<_> = report.digests.iter().filter(|d| !d.equal()).map(|d| d.what).collect();
    assert_eq!(differ, ["views", "run digest", "seal"]);
    let [rows, net, leaves] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert!(rows.starts_with("the view has ") && net.contains("`net` of the view"), "{rows} {net}");
    assert_eq!(leaves, "the leaves of the views in leaves.parquet are not those of the rows");
}

#[test]
fn changed_control_totals_are_found_though_every_digest_is_equal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let mut manifest = sample(1).write(&path, sample(1).outcomes(), 0);
    let net = manifest.totals.view.fields.get_mut("net").unwrap();
    let right = net.to_owned();
    net.sum.units += 1;
    let wrong = net.sum;
    manifest.totals.emits.get_mut("flag").unwrap().rows += 1;
    manifest.totals.emits.get_mut("flag").unwrap().fields.remove("wei");
    fs::write(path.join("manifest.json"), manifest.to_bytes().unwrap()).unwrap();
    let report = check(&path).unwrap();
    assert!(report.digests.iter().all(Checked::equal) && !report.holds());
    let [emits, view, rows, wei] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert!(emits.starts_with("manifest.json has control totals of "), "{emits}");
    let values = right.values;
    assert_eq!(
        *view,
        format!(
            "the control total `net` of the view is recorded as {wrong} over {values} values, the \
             files give {} over {values} values",
            right.sum
        )
    );
    assert!(rows.starts_with("emit `flag` has "), "{rows}");
    assert!(wei.starts_with("the control total `wei` of emit `flag` is recorded as nothing"));
}

#[test]
fn emits_of_another_run_and_missing_refused_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    sample(1).write(&one, sample(1).outcomes(), 0);
    sample(2).write(&other, sample(2).outcomes(), 0);
    fs::copy(other.join("refused.parquet"), one.join("refused.parquet")).unwrap();
    let report = check(&one).unwrap();
    assert!(report.digests.iter().all(Checked::equal));
    assert!(!report.holds());
    let file = "emits/flag/00000.parquet";
    fs::copy(other.join(file), one.join(file)).unwrap();
    let report = check(&one).unwrap();
    let why = report.digests[0].recomputed.clone().unwrap_err();
    assert!(why.contains("was not applied, or stands out of log order"), "{why}");
}

#[test]
fn a_torn_file_spoils_its_own_digest_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    sample(3).write(&path, sample(3).outcomes(), 0);
    let file = path.join("states.parquet");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let report = check(&path).unwrap();
    let bad: Vec<_> = report.digests.iter().filter(|d| !d.equal()).map(|d| d.what).collect();
    assert_eq!(bad, ["states", "run digest", "seal"]);
    assert!(report.digests[2].recomputed.clone().unwrap_err().contains("states.parquet"));
}

#[test]
fn what_is_no_finished_run_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let open = || RunReader::open(&path).map(|_| ()).unwrap_err().to_string();
    assert!(open().ends_with("is no run directory"));
    let names = vec!["a".to_owned()];
    let folder = Folder::files(&path);
    let taken = |replace| RunWriter::check(&folder, replace).unwrap_err().to_string();
    let create = || {
        let claim = RunWriter::claim(&folder, true)?;
        RunWriter::create(&folder, &description(), &names, None).map(|writer| (writer, claim))
    };
    let writer = create().unwrap();
    for replace in [false, true] {
        assert!(taken(replace).contains("is where another run writes right now"));
    }
    assert!(create().is_err(), "what is being written is not replaced");
    // As a crash leaves it: half of the files, and nobody who holds them.
    fs::write(path.join("view.parquet"), "PAR1").unwrap();
    drop(writer);
    assert!(open().contains("is half-written: it has no manifest.json"));
    assert!(taken(false).contains("was interrupted before it was finished: add --replace"));
    RunWriter::check(&folder, true).unwrap();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    assert!(taken(true).contains("holds `notes.txt` already"));
    fs::remove_file(path.join("notes.txt")).unwrap();
    drop(create().unwrap());
    assert!(!path.join("view.parquet").exists(), "what was left is gone");
    fs::write(path.join("manifest.json"), "{\"format\": 99, \"soul\": true}").unwrap();
    assert!(open().contains("has format 99, and this version of retally reads formats up to 1"));
    assert!(taken(true).contains("holds a finished run already, which is never replaced"));
}

#[test]
fn a_folder_that_cannot_be_made_says_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let path = dir.path().join("file/run");
    let error = RunWriter::claim(&Folder::files(&path), false).err().unwrap();
    assert!(error.to_string().starts_with("cannot make "), "{error}");
}

#[test]
fn some_keys_are_read_without_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    sample(4).write(&path, sample(4).outcomes(), 0);
    let run = RunReader::open(&path).unwrap();
    let wanted = ["k00003", "k01999", "nobody"].map(str::to_owned);
    let keys = Keys::These(wanted.into());
    let mut found = Vec::new();
    for batch in run.rows(Table::States, &keys).unwrap() {
        let batch = batch.unwrap();
        found.extend(batch.texts("key").unwrap().iter().flatten().map(str::to_owned));
    }
    assert_eq!(found, ["k00003", "k01999"]);
    let all = run.rows(Table::Views, &Keys::All).unwrap();
    let names = all.map(|batch| batch.unwrap().arrow().schema().field(1).name().clone());
    assert_eq!(names.last().as_deref(), Some("currency"));
}

#[test]
fn a_decimal_of_19_digits_begins_a_wider_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let mut sample = sample(5);
    let net = sample.blocks[3].emits[0].columns[1].values.len() / 2;
    if let Values::Decimal(values) = &mut sample.blocks[3].emits[0].columns[1].values {
        values[net] = i64::MIN;
    }
    sample.write(&path, sample.outcomes(), 0);
    assert!(path.join("emits/balance/00001.parquet").exists());
    assert!(!path.join("emits/flag/00001.parquet").exists());
    let report = check(&path).unwrap();
    assert!(report.holds(), "{report:#?}");
}

#[test]
fn rows_are_shown_without_arrow() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    sample(6).write(&path, sample(6).outcomes(), 0);
    let run = RunReader::open(&path).unwrap();
    let shown = |table| {
        let batch = run.rows(table, &Keys::All).unwrap().next().unwrap().unwrap();
        let columns = run.columns(table, &batch).unwrap();
        let cell = |named: &Named| {
            let value = named.column.get(0).map(|value| display(value, named.kind));
            format!("{}={}", named.name, value.unwrap_or_else(|| "-".into()))
        };
        columns.iter().map(cell).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        shown(Table::States),
        "key=k00000 state=AAAAAA== applied=0 time=1970-01-01T00:00:00Z"
    );
    assert!(shown(Table::Views).contains(" currency=EUR net="));
    assert!(shown(Table::Emits(0)).contains(" seq=0 "));
    assert!(shown(Table::Emits(1)).ends_with(" wei=9.223372036854775807"));
    assert!(shown(Table::Leaves).starts_with("tree=states first_row=0 rows="));
    for table in [Table::Violations, Table::Refused, Table::Outcomes] {
        assert!(!shown(table).is_empty());
    }
}

#[test]
fn a_damaged_file_never_makes_the_reader_panic() {
    let dir = tempfile::tempdir().unwrap();
    let (path, sample) = (dir.path().join("run"), sample(11));
    sample.write(&path, sample.outcomes(), 0);
    for (file, bytes) in files(&path)
        .into_iter()
        .filter(|(file, _)| file.extension().is_some_and(|e| e == "parquet"))
    {
        for at in (0..bytes.len()).step_by(bytes.len() / 24 + 1) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x5a;
            fs::write(&file, damaged).unwrap();
            // It may lie where nobody looks; what must not be is an end of the program.
            drop(check(&path));
        }
        fs::write(&file, bytes).unwrap();
    }
    assert!(check(&path).unwrap().holds());
}
