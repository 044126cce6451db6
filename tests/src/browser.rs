//! Pages in a real browser: Chromium without a window, on a page from disk, at an address of its
//! own.
//! `cargo xtask setup` installs it.

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A page as the browser left it.
#[derive(Debug)]
pub struct Shown {
    /// The document, after its script ran.
    pub dom: String,
    /// What the page had to say: errors, and whatever its policy did not let it do.
    pub console: Vec<String>,
}

/// The browser that `cargo xtask test` found or installed.
fn browser() -> PathBuf {
    std::env::var_os("RETALLY_CHROMIUM").map_or_else(|| "chromium".into(), PathBuf::from)
}

/// A command that opens nothing but what it is given.
fn command(profile: &Path) -> Command {
    let mut command = Command::new(browser());
    command.args([
        "--headless",
        // Tests may run as root, where Chromium has no sandbox of its own.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--enable-logging=stderr",
    ]);
    command.arg(format!("--user-data-dir={}", profile.display())).stdin(Stdio::null());
    command
}

/// Opens a page at a fragment (`#search=x`, or nothing) and reads it back.
///
/// # Errors
/// When there is no browser, or it does not show the page.
pub fn show(page: &Path, fragment: &str) -> Result<Shown> {
    let profile = tempfile::tempdir()?;
    let mut command = command(profile.path());
    command.arg("--dump-dom").arg(format!("file://{}{fragment}", page.display()));
    let output = command.output().with_context(|| {
        format!("cannot start {}: run `cargo xtask setup`", browser().display())
    })?;
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && dom.contains("</html>"), "no page: {log}");
    let console = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned);
    Ok(Shown { dom, console: console.collect() })
}
