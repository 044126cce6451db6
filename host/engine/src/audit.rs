//! `audit.jsonl`: everything about a run that is not the same the next time. One JSON object a
//! line, each with the time at which it was written; nothing in it enters a digest or a manifest.
//!
//! ```text
//! {"at":"2026-01-31T09:00:00Z","event":"started","retally":"0.1.0","job":"retally.toml",...}
//! {"at":"...","event":"step","step":"replay","seconds":4.2}
//! {"at":"...","event":"finished","seconds":5.0,"events":1000000}
//! ```

use retally_core::log::Micros;
use retally_core::schema::{Kind, Value, display};
use serde::Serialize;
use std::path::PathBuf;

/// The audit's file in a run directory.
pub const AUDIT: &str = "audit.jsonl";

/// A line of an audit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// When it was written.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub event: AuditEvent,
}

/// What an audit tells of.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum AuditEvent {
    /// The run began.
    Started {
        /// Version of Retally.
        retally: String,
        /// The job, as the person named it.
        job: String,
        /// Folder at which its relative paths start: what it takes to run the manifest again.
        base: PathBuf,
        /// The command, as it was given.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        command: Vec<String>,
        /// Threads that folded.
        threads: usize,
        /// Events of a batch.
        batch_events: usize,
        /// Where it ran.
        machine: Machine,
    },
    /// A part of the work is done.
    Step {
        /// Which: `open`, `replay`, `snapshot`, `finish`.
        step: String,
        /// How long it took.
        seconds: f64,
        /// What there is to say of it: the name of the snapshot.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A limit was met and not met again by a fresh instance: it decided nothing.
    PassingLimit {
        /// How often.
        count: u64,
    },
    /// The run is complete.
    Finished {
        /// How long it all took.
        seconds: f64,
        /// Events taken from the log.
        events: u64,
        /// Most memory that ids and states held, in bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        memory_bytes: Option<u64>,
    },
}

/// Where a run ran.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Machine {
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
    /// Processors that could be used.
    pub cpus: usize,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        Self {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

impl Line {
    /// What happened `at` this time.
    pub fn new(at: Micros, event: AuditEvent) -> Self {
        Self { at: display(Value::Timestamp(at), Kind::Timestamp), event }
    }
}

/// The text of an audit.
pub fn text(lines: &[Line]) -> String {
    // Numbers, texts and lists always become JSON.
    let line = |line: &Line| serde_json::to_string(line).unwrap_or_default() + "\n";
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_with_its_time() {
        let started = AuditEvent::Started {
            retally: "0.1.0".into(),
            job: "retally.toml".into(),
            base: "/jobs".into(),
            command: Vec::new(),
            threads: 2,
            batch_events: 65_536,
            machine: Machine { os: "linux".into(), arch: "x86_64".into(), cpus: 2 },
        };
        let step = AuditEvent::Step { step: "replay".into(), seconds: 0.5, detail: None };
        let lines = [Line::new(0, started), Line::new(1_500_000, step)];
        let text = text(&lines);
        assert_eq!(
            text.lines().nth(1).unwrap(),
            r#"{"at":"1970-01-01T00:00:01.500000Z","event":"step","step":"replay","seconds":0.5}"#
        );
    }
}
