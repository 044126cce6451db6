//! `cargo xtask picture`: docs/compare.png, the page of a comparison over real data, made by the
//! project itself.

use crate::{data, demo, setup, steps};
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;

/// Whose versions are compared.
const JOB: &str = "examples/flights/retally.toml";
const REDUCERS: [&str; 2] = ["target/reducers/flights.wasm", "target/reducers/flights-v2.wasm"];

/// Where runs and page are put.
const FOLDER: &str = "target/picture";

/// What README shows.
const PICTURE: &str = "docs/compare.png";

/// Wide enough for three columns, high enough for verdict and totals.
const SIZE: &str = "1100,1250";

/// A picture that is fetched with every clone had better be small.
const PICTURE_MAX_BYTES: u64 = 300_000;

/// All of it.
pub(crate) fn run() -> Result<()> {
    setup::wasm()?;
    demo::build()?;
    data::flights()?;
    let folder = steps::root().join(FOLDER);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let runs = ["flights-1.0.0", "flights-2.0.0"];
    for (run, reducer) in runs.iter().zip(REDUCERS) {
        let mut replay = retally(&folder);
        replay.args(["replay", "--job"]).arg(steps::root().join(JOB));
        replay.arg("--reducer").arg(steps::root().join(reducer)).args(["--out", run]);
        steps::run("replay", &mut replay)?;
    }
    let mut compare = retally(&folder);
    compare.args(["compare", runs[0], runs[1], "--by", "origin", "--job", JOB, "--report-only"]);
    steps::run("compare", compare.args(["--html", "compare.html"]))?;
    shoot(&folder)
}

fn retally(folder: &Path) -> Command {
    let mut command = Command::new(demo::binary());
    command.current_dir(folder);
    command
}

fn shoot(folder: &Path) -> Result<()> {
    let picture = steps::root().join(PICTURE);
    let mut browser = Command::new(setup::chromium()?);
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
    browser.args(["--no-first-run", "--disable-background-networking", "--disable-sync"]);
    browser.args(["--disable-component-update", "--blink-settings=preferredColorScheme=1"]);
    browser.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    browser.arg(format!("--window-size={SIZE}"));
    browser.arg(format!("--screenshot={}", picture.display()));
    browser.arg(format!("file://{}", folder.join("compare.html").display()));
    steps::run("picture", &mut browser)?;
    let bytes = std::fs::metadata(&picture).context(PICTURE)?.len();
    ensure!(bytes < PICTURE_MAX_BYTES, "{PICTURE} has {bytes} bytes: make it smaller");
    println!("picture  {PICTURE}, {bytes} bytes");
    Ok(())
}
