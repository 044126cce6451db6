//! Retally itself, as whoever embeds the engine calls it.

use crate::logs::Logs;
use anyhow::{Context as _, Result};
use retally_engine::job::{Authored, Resolved};
use retally_engine::run::{ReplayOptions, Report, Silent, replay as replay_job};

/// The reducer that `cargo xtask bench` built.
const REDUCER: &str = "target/reducers/orders.wasm";

/// Replays the log through plugins/orders into a new run directory; `writes`: with its emits.
pub(crate) fn replay(logs: &Logs, parquet: bool, writes: bool, threads: usize) -> Result<Report> {
    let (format, log) = if parquet { ("parquet", logs.parquet()) } else { ("json", logs.json()) };
    let dir = logs.dir.join("run");
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    let here = std::env::current_dir()?;
    let text = format!(
        r#"
        [job]
        name = "bench"
        reducer = {REDUCER:?}
        [source]
        url = {log:?}
        format = "{format}"
        key = "/account_id"
        id = "/event_id"
        time = "/ts"
        [params]
        emit_balances = "{writes}"
        [output]
        dir = "target/bench/runs"
        "#
    );
    let job = Resolved::new(&Authored::parse(&text, "the benchmark's job", &here)?)?;
    // Compiled once, as the command line does it.
    let cache = Some(logs.dir.join("cache"));
    let options = ReplayOptions { threads, cache, dir: Some(dir), ..ReplayOptions::default() };
    replay_job(&job, &options, &Silent).context("Retally stopped")
}
