//! Pages that say what to type and what is said then: a test follows them as a reader does.

use crate::{Ran, root};
use anyhow::{Result, ensure};

/// A block of a page.
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

/// Runs every command of a page but those of cargo, and holds what they say against what stands
/// below them. Gives how many there were. `path`: from the checkout.
///
/// # Errors
/// A command that cannot be run, or ends with another code than 0 or 1; a line that is not said.
pub fn follow(path: &str, mut typed: impl FnMut(&str) -> Result<Ran>) -> Result<usize> {
    let page = std::fs::read_to_string(root().join(path))?;
    let (mut said, mut commands) = (String::new(), 0);
    for block in blocks(&page) {
        match block {
            Block::Commands(lines) => {
                said.clear();
                for line in lines.iter().filter(|line| !line.starts_with("cargo ")) {
                    let ran = typed(line)?;
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
    Ok(commands)
}
