//! What a developer types:
//! `cargo xtask setup|demo|data|test|bench|verify-aarch64|services|picture|ci`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for a terminal")]

mod aarch64;
mod check;
mod data;
mod demo;
mod picture;
mod setup;
mod steps;
#[path = "../../host/cli/src/toolchain.rs"]
#[expect(dead_code, reason = "the binary `retally` uses all of it, this tool only the search")]
mod toolchain;

use anyhow::{Result, bail};
use std::process::{Command, ExitCode};

const USAGE: &str = "cargo xtask COMMAND

  setup   install what is missing: the wasm target, rustfmt, clippy, pyarrow, DuckDB,
          chromium, the servers of the tests; says what it does
  demo    build everything, write a log of 1,000,000 order events, replay it, say where to look
  data    fetch real data: `data flights`, all flights that left New York in 2013
  test    everything: format, clippy, tests of host and plugins, docs, digests and results computed
          a second time in Python and SQL; `test --quick`: format, house rules, laws and unit
          tests alone, a minute once all is compiled
  bench   the benchmark against the native baseline
  verify-aarch64
          build for 64-bit ARM, replay a part of the demo's log under QEMU, and say whether the
          digests are those of this machine; installs QEMU and compilers where they are missing
  services start an S3 and a Kafka, as tests use them, and say how `retally` reaches them;
          `services up kafka`: that alone; `--three`: a Kafka of three brokers
  picture docs/compare.png: the page of a comparison over real data, as README shows it
  ci      what .ci/run does: `test`, with snapshots frozen";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = args.split_first() else { bail!("{USAGE}") };
    std::env::set_current_dir(steps::root())?;
    match command.as_str() {
        "setup" => setup::run(),
        "demo" => demo::run(),
        "data" => data::run(rest),
        "test" => check::run(rest),
        "ci" => check::run(&[]),
        "bench" => bench(rest),
        "verify-aarch64" => aarch64::run(),
        "services" => {
            let words = rest.iter().map(String::as_str);
            let (flags, mut names): (Vec<_>, Vec<_>) =
                words.partition(|word| word.starts_with('-'));
            names.retain(|name| *name != "up");
            if flags.iter().any(|flag| *flag != "--three") {
                bail!("`cargo xtask services` takes names of servers, and --three");
            }
            xtask::services::run(&names, !flags.is_empty(), &mut std::io::stdout())
        }
        "picture" => picture::run(),
        "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("no command `{other}`\n\n{USAGE}"),
    }
}

/// Reducers first: the benchmark replays through them.
fn bench(args: &[String]) -> Result<()> {
    setup::build()?;
    demo::build()?;
    // Of the whole workspace, as `demo::build` says.
    let build = ["build", "--locked", "--release", "--workspace", "--bin", "retally-bench"];
    steps::run("benchmark", &mut steps::cargo(&build))?;
    let bench = steps::root().join("target/release/retally-bench");
    steps::run("bench", Command::new(bench).args(args))
}
