//! `cargo xtask test`: everything that must hold, in the order in which it fails soonest.

use crate::{data, demo, setup, steps};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

const HOST: &str = "Cargo.toml";

/// The guests' workspace: another lock file, tested natively.
const PLUGINS: &str = "plugins/Cargo.toml";

/// Guests that misbehave: compiled for wasm alone.
const GUESTS: &str = "tests/guests/Cargo.toml";

/// All of it, or with `--quick` what takes a minute once all is compiled.
pub(crate) fn run(args: &[String]) -> Result<()> {
    match args {
        [] => whole(),
        [flag] if flag == "--quick" => quick(),
        _ => bail!("`cargo xtask test` takes --quick or nothing"),
    }
}

/// What fails most often while somebody writes: format, house rules, the core's laws and all unit
/// tests. No reducer is built and nothing is installed.
fn quick() -> Result<()> {
    format()?;
    let mut tests = steps::cargo(&["test", "--locked", "--release", "--workspace"]);
    tests.args(["--lib", "--bins", "--test", "laws", "--test", "tidy", "--test", "deny"]);
    steps::run("quick tests", tests.env("INSTA_UPDATE", "no"))
}

fn whole() -> Result<()> {
    setup::run()?;
    format()?;
    lint()?;
    deny()?;
    demo::build()?;
    guests()?;
    data::flights()?;
    tests()?;
    docs()
}

fn format() -> Result<()> {
    for (what, manifest) in [("host", HOST), ("plugins", PLUGINS), ("guests", GUESTS)] {
        let args = ["fmt", "--all", "--check", "--manifest-path", manifest];
        steps::run(&format!("format of {what}"), &mut steps::cargo(&args))?;
    }
    Ok(())
}

/// A command of cargo over host and plugins. In release like all else, so that build scripts and
/// macros are compiled once.
fn both(what: &str, command: &str, with: impl Fn(&mut Command)) -> Result<()> {
    for (of, manifest) in [("", HOST), (" of plugins", PLUGINS)] {
        let args = [command, "--locked", "--release", "--workspace", "--manifest-path", manifest];
        let mut cargo = steps::cargo(&args);
        with(&mut cargo);
        steps::run(&format!("{what}{of}"), &mut cargo)?;
    }
    Ok(())
}

fn lint() -> Result<()> {
    both("clippy", "clippy", |cargo| {
        cargo.args(["--all-targets", "--", "--deny", "warnings"]);
    })
}

/// Advisories too, where cargo-deny is installed and its database can be had; what else deny.toml
/// says, the tests hold against it.
fn deny() -> Result<()> {
    if !steps::succeeds("cargo", &["deny", "--version"]) {
        println!("deny     no cargo-deny here, so nothing is known of advisories");
        return Ok(());
    }
    let ours = ["deny", "--locked", "check", "bans", "licenses", "sources"];
    steps::run("deny", &mut steps::cargo(&ours))?;
    if steps::succeeds("cargo", &["deny", "fetch", "db"]) {
        return steps::run("advisories", &mut steps::cargo(&["deny", "check", "advisories"]));
    }
    println!("deny     the database of advisories cannot be had, so nothing is known of them");
    Ok(())
}

/// The ill-behaved guests, which the sandbox's tests look for in target/guests, and those of whole
/// runs beside the reducers.
pub(crate) fn guests() -> Result<()> {
    let args = ["build", "--locked", "--release", "--workspace", "--example", "guests"];
    steps::run("builder of guests", &mut steps::cargo(&args))?;
    let builder = steps::root().join("target/release/examples/guests");
    steps::run("guests", &mut Command::new(builder))?;
    for guest in std::fs::read_dir("target/guests")? {
        let guest = guest?;
        std::fs::copy(guest.path(), Path::new("target/reducers").join(guest.file_name()))?;
    }
    Ok(())
}

fn tests() -> Result<()> {
    let (python, chromium) = (setup::python()?, setup::chromium()?);
    both("tests", "test", |cargo| {
        // A snapshot that differs is a failure, never a new file; and digests are recomputed in
        // Python.
        cargo.env("INSTA_UPDATE", "no").env("RETALLY_PYTHON", &python);
        cargo.env("RETALLY_CHROMIUM", &chromium);
    })
}

fn docs() -> Result<()> {
    let mut host = steps::cargo(&["doc", "--locked", "--release", "--workspace", "--no-deps"]);
    host.args(["--document-private-items"]).env("RUSTDOCFLAGS", "--deny warnings");
    steps::run("docs", &mut host)?;
    let mut plugins = steps::cargo(&["doc", "--locked", "--release", "--workspace", "--no-deps"]);
    plugins.args(["--manifest-path", PLUGINS]).env("RUSTDOCFLAGS", "--deny warnings");
    steps::run("docs of plugins", &mut plugins)
}
