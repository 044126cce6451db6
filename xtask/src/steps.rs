//! Running programs one after another: what runs is said before, how long it took after.

pub(crate) use crate::toolchain::succeeds;

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// Cargo as a developer would call it: what cargo set for this tool itself is not handed on.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo.args(args);
    cargo
}

/// Runs a step; its output goes where ours goes.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<()> {
    match code(name, command)? {
        Some(0) => Ok(()),
        _ => bail!("{name} failed: {}", shown(command)),
    }
}

/// The same, with the code with which it exits; none: a signal ended it.
pub(crate) fn code(name: &str, command: &mut Command) -> Result<Option<i32>> {
    println!("== {name}: {}", shown(command));
    let begin = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;
    let seconds = begin.elapsed().as_secs_f64();
    let how = if status.success() { "done in" } else { "failed after" };
    println!("== {name}: {how} {seconds:.1} s");
    Ok(status.code())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
