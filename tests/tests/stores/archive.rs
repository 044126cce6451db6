//! examples/archive does what its page says: every command on it is run, and says what stands
//! below it.

use anyhow::{Context as _, Result, ensure};
use retally_tests::stores::Store;
use retally_tests::{Project, Ran, python, root};
use std::process::Command;

/// A block of the page.
enum Block {
    Commands(Vec<String>),
    /// Lines of what they say; `...` stands for any others.
    Said(Vec<String>),
}

fn blocks(page: &str) -> Vec<Block> {
    let fenced = page.split("```").skip(1).step_by(2);
    let block = |text: &str| {
        let (kind, text) = text.split_once('\n')?;
        let lines = text.replace("\\\n", " ");
        let lines = lines.lines().map(|line| line.trim_end().to_owned()).collect();
        match kind {
            "sh" => Some(Block::Commands(lines)),
            "text" => Some(Block::Said(lines)),
            _ => None,
        }
    };
    fenced.filter_map(block).collect()
}

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
    let page = std::fs::read_to_string(root().join("examples/archive/README.md"))?;
    let (mut said, mut commands) = (String::new(), 0);
    for block in blocks(&page) {
        match block {
            Block::Commands(lines) => {
                said.clear();
                for line in lines.iter().filter(|line| !line.starts_with("cargo ")) {
                    let ran = typed(&store, &project, line)?;
                    said += &format!("{}{}", ran.stderr, ran.stdout);
                    ensure!([0, 1].contains(&ran.code), "{line}: {said}");
                    commands += 1;
                }
            }
            Block::Said(lines) => {
                for line in lines.iter().filter(|line| *line != "...") {
                    let is_said = said.lines().any(|own| own.trim_end() == line);
                    ensure!(is_said, "the page has {line:?}, and what was said is\n{said}");
                }
            }
        }
    }
    ensure!(commands > 5, "{commands} commands");
    Ok(())
}
