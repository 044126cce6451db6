//! The fuzz targets on every test run: what is committed as it is, then so many seeded mutations of
//! it. A failure names target, seed and number, which make the same bytes again.

#![allow(clippy::unwrap_used, reason = "a test, its helpers included")]

use retally_fuzz::mutate::{Chance, mutate};
use retally_fuzz::{component, files_of, fixture, json, manifest, run_directory, snapshot};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const SEED: u64 = 20_260_301;

/// Runs a body over a corpus and `rounds` mutations of each of its entries.
fn fuzz(target: &str, corpus: &[Vec<u8>], rounds: usize, body: fn(&[u8])) {
    assert!(!corpus.is_empty());
    for (number, entry) in corpus.iter().enumerate() {
        body(entry);
        let mut chance = Chance::new(SEED + number as u64);
        for round in 0..rounds {
            let bytes = mutate(entry, &mut chance);
            let held = catch_unwind(AssertUnwindSafe(|| body(&bytes)));
            assert!(held.is_ok(), "{target}: entry {number}, mutation {round}, seed {SEED}");
        }
    }
}

#[test]
fn lines_of_json() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/json");
    let files = fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    fuzz("json", &corpus, 5_000, json);
}

#[test]
fn manifests() {
    let corpus = ["run", "run-on"].map(|run| fs::read(fixture(run).join("manifest.json")).unwrap());
    fuzz("manifest", &corpus, 2_000, manifest);
}

#[test]
fn run_directories() {
    fuzz("run_directory", &files_of("run"), 40, run_directory);
}

#[test]
fn snapshots() {
    fuzz("snapshot", &files_of("snapshots"), 40, snapshot);
}

/// Few: what is nearly a component is compiled.
#[test]
fn components() {
    fuzz("component", &[fs::read(fixture("orders.wasm")).unwrap()], 60, component);
}
