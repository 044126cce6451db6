//! What earlier versions wrote is read by this one: run directories and snapshots are kept for
//! years, and whoever opens one must not find that only the version which made it can.

use anyhow::{Context, Result};
use retally_tests::{Project, files, reducer, root};
use serde_json::Value;

/// A project that holds what an earlier version made.
fn kept() -> Result<Project> {
    let project = Project::new("orders")?;
    for (name, bytes) in files(&root().join("tests/fixtures/formats"))? {
        project.write(&name, bytes)?;
    }
    Ok(project)
}

fn manifest(project: &Project, run: &str) -> Result<Value> {
    let path = project.path(run).join("manifest.json");
    Ok(serde_json::from_slice(&std::fs::read(&path).context("a manifest")?)?)
}

#[test]
fn a_run_of_an_earlier_version_is_checked_shown_and_compared() -> Result<()> {
    let project = kept()?;
    for run in ["run", "run-on"] {
        let checked = project.run(&["results", "check", run])?;
        assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
        let shown = project.run(&["results", "show", run, "--format", "csv"])?;
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        assert!(shown.stdout.lines().count() > 100, "{}", shown.stdout);
    }
    project.write("orders.wasm", std::fs::read(reducer("orders"))?)?;
    let today = project.replay(&["--out", "today"])?;
    assert_eq!(today["digest"], manifest(&project, "run")?["run_digest"]);
    let compared = project.run(&["compare", "run", "today", "--expect", "none"])?;
    assert_eq!(compared.code, 0, "{}{}", compared.stdout, compared.stderr);
    Ok(())
}

#[test]
fn a_reducer_of_an_earlier_contract_is_refused_saying_what_to_do() -> Result<()> {
    let project = kept()?;
    let again = project.run(&["replay", "--manifest", "run/manifest.json", "--out", "again"])?;
    assert_eq!(again.code, 2, "{}", again.stderr);
    for part in ["orders.wasm", "is refused", "build it again"] {
        assert!(again.stderr.contains(part), "{part:?} is not in:\n{}", again.stderr);
    }
    assert!(!project.path("again").exists());
    Ok(())
}

#[test]
fn a_snapshot_of_another_reducer_is_refused_naming_both() -> Result<()> {
    let project = kept()?;
    project.write("orders.wasm", std::fs::read(reducer("orders"))?)?;
    let on = project.run(&["replay", "--from-snapshot", "snapshots", "--out", "on"])?;
    assert_eq!(on.code, 3, "{}", on.stderr);
    for part in ["cannot be gone on from", "its reducer is orders@1.0.0", "replay from the start"] {
        assert!(on.stderr.contains(part), "{part:?} is not in:\n{}", on.stderr);
    }
    assert!(!project.path("on").exists());
    Ok(())
}
