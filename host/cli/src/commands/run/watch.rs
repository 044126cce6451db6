//! What a person, or a machine that reads logs, sees of live work.

use crate::report::text::harmless_lines;
use retally_engine::clock::wall_micros;
use retally_engine::live::{Standing, Status, Watch};
use serde_json::json;
use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Log {
    /// Lines for a person.
    Text,
    /// A JSON object a line: time, level, job, run and what is told.
    Json,
}

/// Tells on stderr, and keeps the last status for whoever asks.
pub(super) struct Watching {
    log: Log,
    job: String,
    /// Tells this run's lines from others'.
    run: String,
    status: Arc<Mutex<Option<Status>>>,
    told: Cell<i64>,
}

/// How often how it goes is told.
const EVERY: Duration = Duration::from_secs(10);

impl Watching {
    pub(super) fn new(log: Log, job: &str) -> Self {
        let began = wall_micros();
        let run = format!("{began:x}-{}", std::process::id());
        let (status, told) = (Arc::default(), Cell::new(began));
        Self { log, job: job.to_owned(), run, status, told }
    }

    /// The last status; none: nothing was told yet.
    pub(super) fn status(&self) -> Arc<Mutex<Option<Status>>> {
        self.status.clone()
    }

    /// How many partitions stopped.
    pub(super) fn stopped(&self) -> usize {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(status) = status.as_ref() else { return 0 };
        let is_stopped = |standing: &Standing| matches!(standing, Standing::Stopped(_));
        status.partitions.values().filter(|own| is_stopped(&own.standing)).count()
            + status.stopped as usize
    }

    fn line(&self, level: &str, text: &str, more: serde_json::Value) {
        match self.log {
            Log::Text => eprintln!("{}", harmless_lines(text)),
            Log::Json => {
                let mut line = json!({
                    "time_us": wall_micros(), "level": level, "job": self.job, "run": self.run,
                    "message": text,
                });
                if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more)
                {
                    line.extend(more);
                }
                eprintln!("{line}");
            }
        }
    }
}

impl Watch for Watching {
    fn note(&self, text: &str) {
        self.line("info", text, serde_json::Value::Null);
    }

    fn stopped(&self, partition: i32, why: &str) {
        let text = match self.log {
            Log::Text => format!("partition {partition} stops: {why}"),
            Log::Json => "a partition stops".to_owned(),
        };
        self.line("error", &text, json!({ "partition": partition, "why": why }));
    }

    fn status(&self, status: &Status) {
        let now = wall_micros();
        let is_due = now - self.told.get() >= EVERY.as_micros() as i64;
        if is_due {
            self.told.set(now);
            let events: u64 =
                status.partitions.values().flat_map(|own| &own.outcomes).map(|(_, n)| n).sum();
            let lag: u64 = status.partitions.values().map(|p| p.end.saturating_sub(p.next)).sum();
            let text = format!(
                "{} partitions, {events} events since their beginning, {lag} behind, {} records \
                 published in {} transactions",
                status.partitions.len(),
                status.records,
                status.transactions
            );
            let more = json!({ "events": events, "lag": lag, "records": status.records });
            self.line("info", &text, more);
        }
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status.clone());
    }
}
