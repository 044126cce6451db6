//! `cargo xtask picture`: docs/compare.png, the page of a comparison over real data, made by the
//! project itself.

use crate::{data, demo, setup, steps};
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;

const JOB: &str = "examples/flights/retally.toml";
const REDUCERS: [&str; 2] = ["target/reducers/flights.wasm", "target/reducers/flights-v2.wasm"];

const FOLDER: &str = "target/picture";
const PAGE: &str = "target/picture/compare.html";

const PICTURE: &str = "docs/compare.png";

/// Wide enough for three columns, high enough for verdict and totals.
const SIZE: &str = "1100,1250";

/// A picture that is fetched with every clone had better be small.
const PICTURE_MAX_BYTES: u64 = 300_000;

pub(crate) fn run() -> Result<()> {
    setup::build()?;
    demo::build()?;
    data::flights()?;
    let folder = steps::root().join(FOLDER);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let mut compare = Command::new(demo::binary());
    compare.current_dir(steps::root()).args(["compare", "--job", JOB]);
    compare.args(["--a", REDUCERS[0], "--b", REDUCERS[1], "--by", "origin", "--report-only"]);
    steps::run("compare", compare.args(["--html", PAGE]))?;
    shoot(&folder)
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
