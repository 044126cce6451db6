//! `audit.jsonl`: everything about a run that is not the same the next time, such as times,
//! threads, machine, limits that passed. One JSON object a line, each with the time at which it was
//! written; nothing in it enters a digest or a manifest.
//!
//! ```text
//! {"at":"2026-01-31T09:00:00Z","event":"started","retally":"0.1.0","job":"retally.toml",...}
//! {"at":"...","event":"step","step":"replay","seconds":4.2}
//! {"at":"...","event":"note","text":"left out _SUCCESS: begins with `_` or `.`"}
//! {"at":"...","event":"passing-limit","count":1}
//! {"at":"...","event":"finished","seconds":5.0,"events":1000000}
//! ```

use super::prepare::Prepared;
use super::stages::Stages;
use crate::clock::wall_micros;
use retally_core::log::Micros;
use retally_core::manifest::Manifest;
use retally_core::schema::{Kind, Value, display};
use serde_json::{Map, json};
use std::sync::atomic::Ordering;

/// The audit of a run that is complete but for what is written last. `saved`: names of snapshots;
/// `notes`: what was told.
pub(crate) fn text(
    prepared: &Prepared<'_>,
    side: usize,
    manifest: &Manifest,
    (saved, notes): (&[String], &[String]),
    stages: &Stages,
) -> String {
    let (job, options, lane) = (prepared.job, prepared.options, &prepared.lanes[side]);
    let seconds = prepared.watch.elapsed();
    let now = wall_micros();
    let began = now - i64::try_from(seconds.as_micros()).unwrap_or(0);
    let started = json!({
        "event": "started",
        "retally": manifest.retally,
        "job": job.origin,
        // Where its relative paths start: what it takes to run the manifest again.
        "base": job.base.display().to_string(),
        "command": Some(&options.command).filter(|command| !command.is_empty()),
        "threads": options.threads(),
        "batch_events": options.batch_events,
        "from_snapshot": manifest.from_snapshot,
        "passed_over": Some(&manifest.passed_over).filter(|passed| !passed.is_empty()),
        "new": prepared.news,
        "machine": {
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "cpus": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        },
    });
    let steps = stages.seconds().into_iter();
    let steps =
        steps.map(|(step, seconds)| json!({"event": "step", "step": step, "seconds": seconds}));
    let saved = saved
        .iter()
        .map(|name| json!({"event": "step", "step": "snapshot", "seconds": 0.0, "detail": name}));
    let notes = notes.iter().map(|text| json!({"event": "note", "text": text}));
    let count = lane.passing_limits.load(Ordering::Relaxed);
    let passing = (count > 0).then(|| json!({"event": "passing-limit", "count": count}));
    let (keys, ids) = lane.bytes();
    let finished = json!({
        "event": "finished",
        "seconds": seconds.as_secs_f64(),
        "events": manifest.counts.events,
        "memory_bytes": keys + ids,
    });
    let behind = steps.chain(saved).chain(notes).chain(passing).chain([finished]);
    line(began, started) + &behind.map(|event| line(now, event)).collect::<String>()
}

/// What happened at a time, as a line; what is null is left out.
fn line(at: Micros, event: serde_json::Value) -> String {
    let at = display(Value::Timestamp(at), Kind::Timestamp);
    let mut line = Map::from_iter([("at".to_owned(), at.into())]);
    if let serde_json::Value::Object(fields) = event {
        line.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
    serde_json::Value::Object(line).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_with_its_time() {
        let step = json!({"event": "step", "step": "replay", "seconds": 0.5, "detail": null});
        assert_eq!(
            line(1_500_000, step).trim_end(),
            r#"{"at":"1970-01-01T00:00:01.500000Z","event":"step","step":"replay","seconds":0.5}"#
        );
    }
}
