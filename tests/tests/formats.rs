//! What earlier versions wrote is read by this one: run directories and snapshots are kept for
//! years, and whoever opens one must not find that only the version which made it can.

use anyhow::{Context, Result};
use retally_tests::{Project, files, root};
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
    project.replay(&["--out", "today"])?;
    let compared = project.run(&["compare", "run", "today", "--expect", "none"])?;
    assert_eq!(compared.code, 0, "{}{}", compared.stdout, compared.stderr);
    Ok(())
}

#[test]
fn a_run_of_an_earlier_version_is_repeated() -> Result<()> {
    let project = kept()?;
    let again = project.replay(&["--manifest", "run/manifest.json", "--out", "again"])?;
    let kept = manifest(&project, "run")?;
    assert_eq!(again["digest"], kept["run_digest"]);
    assert_eq!(again["seal"], kept["seal"]);
    Ok(())
}

#[test]
fn a_snapshot_of_an_earlier_version_is_gone_on_from() -> Result<()> {
    let project = kept()?;
    let on = project.replay(&["--from-snapshot", "snapshots", "--out", "on"])?;
    let kept = manifest(&project, "run-on")?;
    assert_eq!(on["digest"], kept["run_digest"]);
    assert_eq!(on["seal"], kept["seal"]);
    Ok(())
}
