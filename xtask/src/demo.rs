//! `cargo xtask demo`: from a fresh checkout to a replayed log of a million events.

use crate::{setup, steps};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const EVENTS: u64 = 1_000_000;

/// The demo's job; see examples/orders/README.md.
pub(crate) const JOB: &str = "examples/orders/retally.toml";

pub(crate) fn run() -> Result<()> {
    setup::build()?;
    build()?;
    log()?;
    steps::run("replay", Command::new(binary()).args(["replay", "--job", JOB]))?;
    print_next();
    Ok(())
}

/// The log, unless it is there.
pub(crate) fn log() -> Result<()> {
    let log = Path::new("target/demo/log");
    println!("== log: {EVENTS} order events in {}", log.display());
    let wrote = xtask::orders_log::write_demo(log, EVENTS)
        .with_context(|| format!("cannot write the demo's log in {}", log.display()))?;
    println!(
        "== log: {} applied, {} ignored, {} malformed, {} duplicates, {} conflicts and {} rejected \
         must come out",
        wrote.applied,
        wrote.ignored,
        wrote.malformed,
        wrote.duplicates,
        wrote.conflicts,
        wrote.rejected
    );
    Ok(())
}

/// The binary and the reducers, from source. Of the whole workspace, as tests and lints are: cargo
/// chooses features by what is selected, and with others all dependencies would be compiled again.
pub(crate) fn build() -> Result<()> {
    let args = ["build", "--locked", "--release", "--workspace", "--bin", "retally"];
    steps::run("host", &mut steps::cargo(&args))?;
    steps::run("reducers", Command::new(binary()).args(["reducer", "build"]).args(reducers()?))
}

/// The reducers of this checkout: what in `plugins` becomes a module.
fn reducers() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("plugins").context("no folder plugins")? {
        let folder = entry?.path();
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        if manifest.contains("\"cdylib\"") {
            found.push(folder);
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn binary() -> PathBuf {
    steps::root().join("target/release/retally")
}

fn print_next() {
    let run = newest("target/demo/runs").unwrap_or_else(|| PathBuf::from("target/demo/runs/RUN"));
    let (retally, run) = ("target/release/retally", run.display());
    println!(
        "
Where to look next

every account's result, recheck every digest from the files, do it again and compare:
  {retally} results show {run} | head
  {retally} results check {run}
  {retally} replay --job {JOB} --manifest {run}/manifest.json

the calculation, what it declares, one of your own:
  plugins/orders/src/lib.rs
  {retally} reducer inspect target/reducers/orders.wasm
  {retally} reducer new fees

the run, for any tool that reads JSON and Parquet; what the log holds:
  {run}
  examples/orders/README.md

two versions of a calculation side by side, over this log and over real flights:
  examples/compare/README.md"
    );
}

/// The run directory that was finished last.
fn newest(folder: &str) -> Option<PathBuf> {
    let runs = std::fs::read_dir(folder).ok()?.flatten();
    let finished = runs.filter_map(|run| {
        let manifest = run.path().join("manifest.json").metadata().ok()?;
        Some((manifest.modified().ok()?, run.path()))
    });
    finished.max().map(|(_, path)| path)
}
