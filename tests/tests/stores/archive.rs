//! examples/archive does what its page says: every command on it is run, and says what stands
//! below it.

use anyhow::{Context as _, Result, ensure};
use retally_tests::stores::Store;
use retally_tests::{Project, Ran, pages, python, root};
use std::process::Command;

/// Runs a command of the page from the root, as its reader does.
fn typed(store: &Store, project: &Project, line: &str) -> Result<Ran> {
    let bucket = store.data().join("bucket").display().to_string();
    let line = line.replace("target/services/s3/bucket", &bucket);
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut command = match words.as_slice() {
        ["target/release/retally", args @ ..] => store.command(project, args),
        ["python3", args @ ..] => {
            let mut command = Command::new(python()?);
            command.args(args);
            command
        }
        _ => anyhow::bail!("the page says {line:?}"),
    };
    Ok(command.current_dir(root()).output().context("it does not start")?.into())
}

#[test]
fn the_page_of_the_archive_is_true() -> Result<()> {
    let (store, project) = (Store::s3()?, Project::new("orders")?);
    let commands =
        pages::follow("examples/archive/README.md", |line| typed(&store, &project, line))?;
    ensure!(commands > 5, "{commands} commands");
    Ok(())
}
