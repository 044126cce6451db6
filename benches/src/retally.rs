//! Retally itself, as whoever embeds the engine calls it.

use crate::logs::{Logs, remove};
use anyhow::{Context as _, Result};
use retally_engine::job::{Authored, Resolved};
use retally_engine::run::{ReplayOptions, Report, Silent, replay as replay_job};

/// The reducer that `cargo xtask bench` built.
pub(crate) const REDUCER: &str = "target/reducers/orders.wasm";

/// Replays the log through plugins/orders into a new run directory; `writes`: with its emits.
pub(crate) fn replay(logs: &Logs, parquet: bool, writes: bool, threads: usize) -> Result<Report> {
    let job = job(logs, REDUCER, parquet, writes)?;
    replay_job(&job, &anew(logs, threads)?, &Silent).context("Retally stopped")
}

/// Into a run directory that is new.
pub(crate) fn anew(logs: &Logs, threads: usize) -> Result<ReplayOptions> {
    remove(&logs.run())?;
    Ok(ReplayOptions { threads, dir: Some(logs.run().into()), ..options(logs) })
}

/// Reducers are compiled once, as the command line does it.
pub(crate) fn options(logs: &Logs) -> ReplayOptions {
    ReplayOptions { cache: Some(logs.dir.join("cache")), ..ReplayOptions::default() }
}

pub(crate) fn job(logs: &Logs, reducer: &str, parquet: bool, writes: bool) -> Result<Resolved> {
    let (format, log) = if parquet { ("parquet", logs.parquet()) } else { ("json", logs.json()) };
    let here = std::env::current_dir()?;
    let text = format!(
        r#"
        [job]
        name = "bench"
        reducer = {reducer:?}
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
    Ok(Resolved::new(&Authored::parse(&text, "the benchmark's job", &here)?)?)
}
