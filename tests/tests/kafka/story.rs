//! examples/kafka does what its page says: every command on it is run, and says what stands below
//! it.

use anyhow::{Context as _, Result, ensure};
use retally_tests::kafka::Kafka;
use retally_tests::stores::Store;
use retally_tests::{Project, pages, python, root};
use std::process::Command;

#[test]
fn the_page_of_live_work_is_true() -> Result<()> {
    // Its topics have the names that the page gives them.
    let (kafka, store, project) = (Kafka::start()?, Store::s3()?, Project::new("orders")?);
    let commands = pages::follow("examples/kafka/README.md", |line| {
        let line = line.replace("$KAFKA", &kafka.brokers());
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut command = match words.as_slice() {
            ["target/release/retally", args @ ..] => store.command(&project, args),
            ["target/python/bin/python", args @ ..] => {
                let mut command = Command::new(python()?);
                command.args(args);
                command
            }
            _ => anyhow::bail!("the page says {line:?}"),
        };
        Ok(command.current_dir(root()).output().context("it does not start")?.into())
    })?;
    ensure!(commands > 8, "{commands} commands");
    Ok(())
}
