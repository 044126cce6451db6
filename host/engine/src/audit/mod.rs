//! An audit: what live work published, as everybody else reads it, held against a replay of the
//! same events. The proof of exactly-once after the fact, which trusts no worker: it takes from it
//! no more than the offsets up to which it says that everything is published.
//!
//! ```text
//! events --> replay --> the records that it would send --> Table, Views <-- the topics' records
//!                       the marks that it would commit --> Marked       <-- the group's offsets
//! ```
//!
//! The records of the replay are made by the code that makes those of a worker, so what is compared
//! are bytes. Memory does not grow with the records: see `table`. Of views a hash of each key is
//! kept. Where anything differs both sides come once more, so that it can be named.

mod error;
mod held;
mod marks;
mod record;
mod replayed;
mod report;
mod sheet;
mod table;
#[cfg(test)]
mod tests;
mod topics;
mod views;
mod window;

pub use error::AuditError;
pub use report::{
    AuditReport, Audited, CameTo, Content, Finding, Marked, Removed, TopicReport, What,
};

use crate::clock::Stopwatch;
use crate::job::Resolved;
use crate::kafka::{KafkaLog, Reads, Topic};
use crate::live::{LiveOptions, Setup, group_of, topic_of};
use crate::log::Log;
use crate::range::Bound;
use crate::run::{self, Observer, Positions, ReplayOptions, Report, RunError, kafka};
use marks::Committed;
use replayed::{Made, Replayed};
use retally_core::log::Position;
use retally_core::manifest::Manifest;
use retally_core::reduce::Reducer;
use sheet::Sheet;
use std::sync::Arc;
use topics::Topics;
use window::Window;

/// Holds what was published of a job against a replay: within the range of `options`, and up to
/// what the job's group has committed.
///
/// # Errors
/// See [`AuditError`]. That something differs is none: the report has it.
pub fn audit(
    job: &Resolved,
    options: &ReplayOptions,
    observer: &dyn Observer,
) -> Result<AuditReport, AuditError> {
    let watch = Stopwatch::start();
    let mut audit = Audit::prepare(job, options, observer)?;
    let (report, made) = audit.pass(job, observer)?;
    if audit.sheet.differs() {
        observer.note("what is published differs: replays and reads once more, to name in what");
        let (again, _) = audit.pass(job, observer)?;
        let digest = |manifest: &Manifest| (manifest.digests.outcomes, manifest.digests.views);
        if digest(&again.manifest) != digest(&report.manifest) {
            return Err(AuditError::Unrepeatable);
        }
    }
    let Audit { setup, committed, sheet, mut notes, .. } = audit;
    notes.extend(report.notes);
    let named = sheet.window.names.iter().zip(&sheet.window.from).zip(&sheet.window.to);
    let range = named.map(|((name, &from), &to)| Audited { partition: name.to_string(), from, to });
    Ok(AuditReport {
        manifest: report.manifest,
        group: group_of(job).to_owned(),
        range: range.collect(),
        marks: committed.held_against(&made, &sheet.window, &setup)?,
        topics: sheet.reports(),
        notes,
        seconds: watch.elapsed().as_secs_f64(),
    })
}

/// Everything that is known before the first event is read.
struct Audit {
    setup: Setup,
    reducer: Arc<dyn Reducer>,
    committed: Committed,
    topics: Topics,
    sheet: Sheet,
    options: ReplayOptions,
    notes: Vec<String>,
}

impl Audit {
    /// Refuses everything that can be refused.
    fn prepare(
        job: &Resolved,
        options: &ReplayOptions,
        observer: &dyn Observer,
    ) -> Result<Self, AuditError> {
        let url = topic_of(job).ok_or_else(|| AuditError::NoTopic(job.source.url.clone()))?;
        let reducer = run::load(job, options)?;
        let (kafka, topic) = (kafka(job)?, Topic::of(url)?);
        let log = KafkaLog::open(url, &kafka, Reads::default())?;
        let setup = Setup::new(job, reducer.clone(), &log.names(), &LiveOptions::default())?;
        if setup.publishes.topics().is_empty() {
            return Err(AuditError::NothingPublished);
        }
        let committed = Committed::ask(&log, group_of(job))?;
        let is_asked = options.from.is_some() || options.to.is_some();
        let mut notes: Vec<String> = committed.of_another(&setup, is_asked)?.into_iter().collect();
        // Only now: whatever was committed before is seen then.
        let topics = Topics::open((&kafka, &topic.brokers), &setup.publishes)?;
        let to = match &options.to {
            Some(to) => to.clone(),
            None => committed.bound()?,
        };
        let asked = ReplayOptions { to: Some(to), ..options.clone() };
        let positions = run::positions(job, reducer.description(), &asked, observer)?;
        let (options, window) = bounded(asked, positions, &committed, &mut notes);
        notes.iter().for_each(|note| observer.note(note));
        let sheet = Sheet::new(window, &setup.publishes, reducer.description())?;
        let mut audit = Self { setup, reducer, committed, topics, sheet, options, notes };
        audit.topics.lacking(&mut audit.sheet, &audit.options.cancel)?;
        Ok(audit)
    }

    /// Takes both sides in.
    fn pass(
        &mut self,
        job: &Resolved,
        observer: &dyn Observer,
    ) -> Result<(Report, Made), AuditError> {
        let mut sink = Replayed::new(&mut self.sheet);
        let report =
            run::replay_into(job, self.reducer.clone(), &mut sink, &self.options, observer)?;
        let made = sink.made().ok_or_else(|| RunError::Internal("no sink was begun".into()))?;
        self.topics.read(&mut self.sheet, &self.options.cancel)?;
        Ok((report, made))
    }
}

/// The range as positions, and no farther than everything is published.
fn bounded(
    options: ReplayOptions,
    Positions { log, from, mut to }: Positions,
    committed: &Committed,
    notes: &mut Vec<String>,
) -> (ReplayOptions, Window) {
    let names = log.names();
    for (name, to) in names.iter().zip(&mut to) {
        let Some(offset) = committed.offset(name).filter(|offset| offset < to) else { continue };
        *to = offset;
        notes.push(format!(
            "of partition {name} the group has committed what lies before offset {offset}: it is \
             audited up to there"
        ));
    }
    let bound = |offsets: &[u64]| {
        let at = |(name, &offset): (&String, &u64)| Position { partition: name.clone(), offset };
        Some(Bound::At(names.iter().zip(offsets).map(at).collect()))
    };
    let is_part = from.iter().any(|&offset| offset > 0);
    let (from_bound, to_bound) = (bound(&from).filter(|_| is_part), bound(&to));
    let begins = log.partitions().iter().map(|own| own.first).collect();
    let options = ReplayOptions { from: from_bound, to: to_bound, input: Some(log), ..options };
    let names = names.iter().map(|name| Arc::from(name.as_str())).collect();
    (options, Window { names, begins, from, to })
}
