//! What varies from run to run of the same calculation, kept beside the manifest and out of it:
//! times, threads, machine, limits that passed.

use super::prepare::Prepared;
use super::stages::Stages;
use crate::audit::{AuditEvent, Line, Machine};
use crate::clock::wall_micros;
use retally_core::manifest::Manifest;
use retally_core::schema::{Kind, Value, display};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// The audit of a run that is complete but for what is written last. `saved`: names of snapshots.
pub(crate) fn lines(
    prepared: &Prepared<'_>,
    side: usize,
    manifest: &Manifest,
    saved: &[String],
    stages: &Stages,
) -> Vec<Line> {
    let Prepared { job, options, .. } = prepared;
    let lane = &prepared.lanes[side];
    let seconds = prepared.watch.elapsed();
    let began = wall_micros() - i64::try_from(seconds.as_micros()).unwrap_or(0);
    let started = AuditEvent::Started {
        retally: manifest.retally.clone(),
        job: job.origin.clone(),
        base: job.base.clone(),
        command: options.command.clone(),
        threads: options.threads(),
        batch_events: options.batch_events as usize,
        machine: Machine::this(),
    };
    let steps = stages.seconds().into_iter();
    let steps = steps.map(|(step, seconds)| (step.to_owned(), seconds, None));
    let saved = saved.iter().map(|name| ("snapshot".to_owned(), 0.0, Some(name.clone())));
    let steps = steps.chain(saved);
    let steps = steps.map(|(step, seconds, detail)| AuditEvent::Step { step, seconds, detail });
    let count = lane.passing_limits.load(Ordering::Relaxed);
    let passing = (count > 0).then_some(AuditEvent::PassingLimit { count });
    let (keys, ids) = lane.bytes();
    let finished = AuditEvent::Finished {
        seconds: seconds.as_secs_f64(),
        events: manifest.counts.events,
        memory_bytes: Some((keys + ids) as u64),
    };
    let now = steps.chain(passing).chain([finished]).map(|event| Line::new(wall_micros(), event));
    std::iter::once(Line::new(began, started)).chain(now).collect()
}

/// A run directory that does not exist yet: the job's name, the time, and a number if need be.
pub(crate) fn fresh_dir(output: &Path, name: &str) -> PathBuf {
    let now = display(Value::Timestamp(wall_micros() / 1_000_000 * 1_000_000), Kind::Timestamp);
    let stamp: String = now.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let first = output.join(format!("{name}-{stamp}"));
    let others = (2..).map(|number| output.join(format!("{name}-{stamp}-{number}")));
    std::iter::once(first.clone()).chain(others).find(|dir| !dir.exists()).unwrap_or(first)
}
