//! What varies from run to run of the same calculation, kept beside the manifest and out of it:
//! times, threads, machine, limits that passed.

use super::commit::Kept;
use super::error::RunError;
use super::finish::About;
use super::lane::Lane;
use super::stages::Stages;
use crate::audit::{AUDIT, Audit, AuditEvent, Machine};
use crate::clock::{Stopwatch, wall_micros};
use retally_core::manifest::Manifest;
use retally_core::schema::{Kind, Value, display};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Writes the audit of a run that is complete but for its manifest.
pub(crate) fn write(
    about: &About<'_>,
    lane: &Lane<Kept>,
    dir: &Path,
    manifest: &Manifest,
    stages: &Stages,
    watch: &Stopwatch,
) -> Result<(), RunError> {
    let (job, options) = (about.job, about.options);
    let path = dir.join(AUDIT);
    let unwritable = |error| RunError::Audit { path: path.clone(), error };
    let mut audit = Audit::new(File::create(&path).map_err(unwritable)?);
    let seconds = watch.elapsed();
    let began = wall_micros() - i64::try_from(seconds.as_micros()).unwrap_or(0);
    let mut record = |at, event| audit.record(at, event).map_err(unwritable);
    record(
        began,
        AuditEvent::Started {
            retally: manifest.retally.clone(),
            job: job.origin.clone(),
            base: job.base.clone(),
            command: options.command.clone(),
            threads: options.threads(),
            batch_events: options.batch_events as usize,
            machine: Machine::this(),
        },
    )?;
    for (step, seconds) in stages.seconds() {
        record(wall_micros(), AuditEvent::Step { step: step.into(), seconds, detail: None })?;
    }
    for name in about.snapshots {
        let detail = Some(name.clone());
        let step = AuditEvent::Step { step: "snapshot".into(), seconds: 0.0, detail };
        record(wall_micros(), step)?;
    }
    let count = lane.passing_limits.load(Ordering::Relaxed);
    if count > 0 {
        record(wall_micros(), AuditEvent::PassingLimit { count })?;
    }
    let (keys, ids) = lane.bytes();
    record(
        wall_micros(),
        AuditEvent::Finished {
            seconds: seconds.as_secs_f64(),
            events: manifest.counts.events,
            memory_bytes: Some((keys + ids) as u64),
        },
    )
}

/// A run directory that does not exist yet: the job's name, the time, and a number if need be.
pub(crate) fn fresh_dir(output: &Path, name: &str) -> PathBuf {
    let now = display(Value::Timestamp(wall_micros() / 1_000_000 * 1_000_000), Kind::Timestamp);
    let stamp: String = now.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let first = output.join(format!("{name}-{stamp}"));
    let others = (2..).map(|number| output.join(format!("{name}-{stamp}-{number}")));
    std::iter::once(first.clone()).chain(others).find(|dir| !dir.exists()).unwrap_or(first)
}
