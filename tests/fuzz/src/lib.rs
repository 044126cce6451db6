//! What must hold of the readers of bytes that somebody else wrote, whatever the bytes: each body
//! takes bytes and panics if it does not. `tests/corpus.rs` runs them on every `cargo test`, over
//! a fixed corpus and seeded mutations of it; whoever has cargo-fuzz drives the same bodies for as
//! long as he likes by the targets in `fuzz/` at the checkout's root.

#![allow(clippy::unwrap_used, reason = "to panic is how a body says that something does not hold")]

pub mod mutate;

use retally_core::decode::{Code, Reading};
use retally_core::manifest::Manifest;
use retally_core::reduce::Reducer as _;
use retally_core::schema::Kind;
use retally_engine::rundir::{self, Keys, RunReader, Table};
use retally_engine::snapshot::Store;
use retally_kit::decode::{addressing, decode, field, input, is_json, lines, reader};
use retally_sandbox::{Sandbox, SandboxConfig};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Lines of JSON are valid exactly when serde_json takes them, and what is read of a line depends
/// on no other.
///
/// # Panics
/// When it is not so.
pub fn json(bytes: &[u8]) {
    let all: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let together = readings(&all);
    for (line, reading) in all.iter().zip(&together) {
        // What is nested too deep is refused before it is known to be valid.
        if *reading == Reading::Unreadable(Code::TooDeep) {
            continue;
        }
        let is_valid = ![Code::NotJson, Code::NotUtf8].map(Reading::Unreadable).contains(reading);
        let shown = String::from_utf8_lossy(line);
        assert!(is_json(line).is_none_or(|expected| expected == is_valid), "{shown:?}");
        assert_eq!(readings(&[line]), [*reading], "{shown:?}");
    }
}

fn readings(all: &[&[u8]]) -> Vec<Reading> {
    let fields = vec![
        field("x", "/x /a/b /1", Kind::Json, false),
        field("amount", "/amount", Kind::Decimal { scale: 2 }, false),
        field("b", "/b", Kind::Boolean, false),
    ];
    let reader = reader(vec![input("any", &[], fields)]);
    let addressing = addressing(&["@position"], "@position", "/t", None);
    let events = decode(&reader, &addressing, lines(all)).unwrap();
    assert_eq!(events.readings.len(), all.len());
    events.readings
}

/// A component is refused, or loads and tells the same of itself when it is loaded again.
///
/// # Panics
/// When it is not so.
pub fn component(bytes: &[u8]) {
    static SANDBOX: LazyLock<Sandbox> =
        LazyLock::new(|| Sandbox::new(SandboxConfig::default()).unwrap());
    let load = || SANDBOX.load(bytes).map_err(|error| error.to_string());
    match (load(), load()) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.description(), second.description());
            first.description().check().unwrap();
        }
        (Err(first), Err(second)) => assert_eq!(first, second),
        _ => panic!("a component is refused once and once not"),
    }
}

/// A manifest that is read is written again as what it says.
///
/// # Panics
/// When it is not so.
pub fn manifest(bytes: &[u8]) {
    let Ok(manifest) = Manifest::from_bytes(bytes) else { return };
    let _ = manifest.check();
    let written = manifest.to_bytes().unwrap();
    assert_eq!(Manifest::from_bytes(&written).unwrap().to_bytes().unwrap(), written);
}

/// A run directory of which one file holds something else does not check, and shows nothing or the
/// results that it showed. The first byte chooses the file, the others are its content.
///
/// # Panics
/// When it is not so. (What varies from run to run is listed nowhere, and nobody can miss it.)
pub fn run_directory(bytes: &[u8]) {
    static VIEW: LazyLock<String> = LazyLock::new(|| view(&fixture("run")).unwrap());
    let Some((file, content)) = chosen(&fixture("run"), bytes) else { return };
    let copy = copy_with("run", &file, content);
    let is_kept = fs::read(fixture("run").join(&file)).unwrap() == content;
    let holds = rundir::check(copy.path()).is_ok_and(|report| report.holds());
    let may_hold = is_kept || file.ends_with("audit.jsonl");
    assert!(may_hold || !holds, "{} is damaged and nobody noticed", file.display());
    if let Some(view) = view(copy.path()) {
        assert!(view == *VIEW, "{} is damaged and other results are shown", file.display());
    }
}

/// The results of a run, as text, if they can be read.
fn view(dir: &Path) -> Option<String> {
    let run = RunReader::open(dir).ok()?;
    let mut text = String::new();
    for batch in run.rows(Table::Views, &Keys::All).ok()? {
        text += &format!("{:?}", run.columns(Table::Views, &batch.ok()?).ok()?);
    }
    Some(text)
}

/// A snapshot of which one file holds something else is refused, or is the one that it was. The
/// first byte chooses the file, the others are its content.
///
/// # Panics
/// When another file than the manifest was changed and nothing is found.
pub fn snapshot(bytes: &[u8]) {
    let Some((file, content)) = chosen(&fixture("snapshots"), bytes) else { return };
    let copy = copy_with("snapshots", &file, content);
    let is_kept = fs::read(fixture("snapshots").join(&file)).unwrap() == content;
    let store = Store::open(&copy.path().to_string_lossy(), Path::new("")).unwrap();
    for (_, summary) in store.list().unwrap_or_default() {
        let holds = summary.is_ok_and(|summary| summary.reference.check().is_ok());
        let may_hold = is_kept || file.ends_with("manifest.json");
        assert!(may_hold || !holds, "{} is damaged and nobody noticed", file.display());
    }
}

/// Bytes with which [`run_directory`] and [`snapshot`] find everything as it was: one for each
/// file.
pub fn files_of(name: &str) -> Vec<Vec<u8>> {
    let folder = fixture(name);
    let with_number = |(number, file): (usize, PathBuf)| {
        let mut bytes = vec![number as u8];
        bytes.extend(fs::read(folder.join(file)).unwrap());
        bytes
    };
    files(&folder).into_iter().enumerate().map(with_number).collect()
}

/// A run, snapshots or a reducer that earlier versions made: tests/fixtures/formats.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/formats").join(name)
}

fn chosen<'a>(folder: &Path, bytes: &'a [u8]) -> Option<(PathBuf, &'a [u8])> {
    let (number, content) = bytes.split_first()?;
    let files = files(folder);
    Some((files[usize::from(*number) % files.len()].clone(), content))
}

/// All files below a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut all, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => all.push(path.strip_prefix(folder).unwrap().to_owned()),
            }
        }
    }
    all.sort();
    all
}

fn copy_with(name: &str, changed: &Path, content: &[u8]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(&fixture(name)) {
        let to = copy.path().join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        match file == changed {
            true => fs::write(to, content).unwrap(),
            false => drop(fs::copy(fixture(name).join(file), to).unwrap()),
        }
    }
    copy
}
