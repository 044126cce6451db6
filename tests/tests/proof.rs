//! What is shown or checked of a run is what was written: altered runs are not shown, compared or
//! repeated as if they were whole; seals and signatures are verified, by OpenSSH too.

use anyhow::{Result, ensure};
use retally_tests::{Project, payments};
use serde_json::Value;

/// A project of 4,000 events and a run of it in `run`.
fn project() -> Result<(Project, Value)> {
    let project = Project::new("orders")?;
    for name in ["a", "b"] {
        project.write(&format!("log/{name}.jsonl"), payments(2_000, name))?;
    }
    let run = project.replay(&["--out", "run"])?;
    Ok((project, run))
}

/// Changes a byte in the middle of a file.
fn alter(project: &Project, file: &str) -> Result<()> {
    let mut bytes = std::fs::read(project.path(file))?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    project.write(file, bytes)
}

#[test]
fn an_altered_run_is_neither_shown_nor_compared() -> Result<()> {
    let (project, _) = project()?;
    project.replay(&["--out", "same"])?;
    project.write("run/emits/balance/00001.parquet", "PAR1")?;
    let shown = project.run(&["results", "show", "run", "--key", "a-003"])?;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let stray = "note: emits/balance/00001.parquet lies in this folder and is no file of the run";
    ensure!(shown.stderr.contains(stray), "{}", shown.stderr);
    std::fs::remove_file(project.path("run/emits/balance/00001.parquet"))?;
    assert_eq!(project.run(&["compare", "run", "same"])?.code, 0);

    alter(&project, "run/view.parquet")?;
    for args in [&["results", "show", "run"][..], &["results", "show", "run", "--key", "a-003"]] {
        let shown = project.run(args)?;
        assert_eq!(shown.code, 3, "{}{}", shown.stdout, shown.stderr);
        ensure!(!shown.stdout.contains("a-003"), "{}", shown.stdout);
        ensure!(shown.stderr.contains("view.parquet"), "{}", shown.stderr);
        ensure!(shown.stderr.contains("hint: `retally results check RUN`"), "{}", shown.stderr);
    }
    let compared = project.run(&["compare", "run", "same"])?;
    assert_eq!(compared.code, 3, "{}", compared.stdout);
    ensure!(compared.stderr.contains("its SHA-256 is"), "{}", compared.stderr);
    let explained = project.run(&["explain", "a-003", "--run", "run"])?;
    assert_eq!(explained.code, 0, "where its events lie is in another file: {}", explained.stderr);
    alter(&project, "run/where.parquet")?;
    let explained = project.run(&["explain", "a-003", "--run", "run"])?;
    let told = "note: run run tells nothing here: run/where.parquet is not as it was written";
    ensure!(explained.stdout.contains(told), "{}{}", explained.stdout, explained.stderr);
    Ok(())
}
