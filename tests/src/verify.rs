//! Jobs that are verified, and what the tests look for in a report.

use crate::{Project, Ran, acts, payments};
use anyhow::{Context as _, Result};
use serde_json::Value;

/// Payments of two partitions.
///
/// # Errors
/// When it cannot be made, run or read.
pub fn orders() -> Result<Project> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(1500, "a"))?;
    project.write("log/b.jsonl", payments(1500, "b"))?;
    Ok(project)
}

/// Events of 50 keys, of which every seventh does `what`: those of each key some.
///
/// # Errors
/// When it cannot be made, run or read.
pub fn chameleon(what: &str) -> Result<Project> {
    let project = Project::new("chameleon")?;
    project.write("log/a.jsonl", acts(2000, what))?;
    Ok(project)
}

/// Verifies on two threads.
///
/// # Errors
/// When it cannot be made, run or read.
pub fn verify(project: &Project, args: &[&str]) -> Result<Ran> {
    let all = ["verify", "--threads", "2"].iter().chain(args).copied();
    project.run(&all.collect::<Vec<_>>())
}

/// Names and verdicts.
///
/// # Errors
/// When it cannot be made, run or read.
pub fn verdicts(report: &Value) -> Result<Vec<(String, String)>> {
    let all = report["perturbations"].as_array().context("no perturbations")?;
    let text = |one: &Value, of: &str| one[of].as_str().unwrap_or_default().to_owned();
    Ok(all.iter().map(|one| (text(one, "name"), text(one, "verdict"))).collect())
}

/// The verdict of one.
///
/// # Errors
/// When it cannot be made, run or read.
pub fn is(report: &Value, name: &str) -> Result<String> {
    let all = verdicts(report)?;
    Ok(all.into_iter().find(|(own, _)| own == name).context(name.to_owned())?.1)
}
