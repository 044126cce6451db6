//! A verification: the same replay again and again, each time with one thing changed that must not
//! matter, held against the replay as it is by their digests.
//!
//! ```text
//! job --> reference replay ------------------------------> digests
//!     \-> perturbation by perturbation: way --> replay --> digests   equal: passed
//!                                                                     else: locate, both once more
//! ```
//!
//! What comes out of a replay is hashed and thrown away, so that a verification needs no room for
//! runs; where digests differ both sides come once more, and are held against each other event by
//! event and key by key. What could not change anything is told as not exercised, never as passed.

mod alarm;
mod doubled;
mod given;
mod golden;
mod guests;
mod held;
mod locate;
mod perturbation;
mod places;
mod prints;
mod report;
mod repro;
mod restored;
mod shrink;
mod tell;
mod way;

pub use golden::{Changed, Golden, GoldenError, GoldenFormat, Held};
pub use perturbation::{Chosen, NoPerturbation, Perturbation};
pub use report::{
    Apart, Came, Difference, DigestPair, Left, Perturbed, Shrunk, Tally, ValuePair, Verdict,
    VerifyReport, Why,
};
pub use repro::{JOB as REPRO_JOB, Repro, ReproError, ReproFormat};

use crate::Cancel;
use crate::clock::Stopwatch;
use crate::job::Resolved;
use crate::run::{self, Observer, Progress, ReplayOptions, Report, RunError};
use crate::sink::{Sink, SinkError, Takes};
use alarm::Alarm;
use retally_core::manifest::Manifest;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use way::{Way, Ways};

/// Has another process replay the job as it is; gives what came out, and what was changed for that
/// process.
pub type Elsewhere = Arc<dyn Fn(&Cancel) -> Result<(Came, String), String> + Send + Sync>;

/// What whoever starts a verification says beside the job.
#[derive(Clone)]
pub struct VerifyOptions {
    /// How the reference is replayed, and which part of the log. No run directory and no snapshot
    /// of it is written.
    pub replay: ReplayOptions,
    /// What is changed.
    pub chosen: Chosen,
    /// Whether each takes all of the log; if not, what costs many times a replay takes a part.
    pub whole: bool,
    /// By which what is changed by chance is changed the same way again.
    pub seed: u64,
    /// After so long nothing more is begun, and what is at work ends.
    pub budget: Duration,
    /// A folder of this machine for the snapshot of a replay that stops, and for what passes came
    /// to.
    pub scratch: PathBuf,
    /// The folder in which a smaller log that shows a difference is left; none: none is looked for.
    pub shrink_to: Option<PathBuf>,
    /// The way into another process; none: there is none.
    pub elsewhere: Option<Elsewhere>,
}

/// Verifies that a job's results do not depend on what must not matter.
///
/// # Errors
/// A reference that cannot be replayed. That something differs is none: the report has it.
pub fn verify(
    job: &Resolved,
    options: &VerifyOptions,
    observer: &dyn Observer,
) -> Result<VerifyReport, RunError> {
    let watch = Stopwatch::start();
    // Whatever snapshots the job saves, a verification begins where the log does.
    let job = &Resolved { snapshots: None, ..job.clone() };
    let alarm = Alarm::set(options.replay.cancel.clone(), watch, options.budget)?;
    let replay = ReplayOptions { cancel: alarm.cancel(), ..options.replay.clone() };
    let ended = |error| match alarm.why() {
        Some(why) => Ok(unbegun(options, why, watch)),
        None => Err(error),
    };
    // The second time it comes from the cache, whoever compiled it.
    let times = 1 + usize::from(replay.cache.is_some());
    let mut loaded = (0..times).map(|_| run::load(job, &replay));
    let reducer = match loaded.try_fold(None, |_, reducer| reducer.map(Some)) {
        Ok(reducer) => reducer.ok_or_else(|| RunError::Internal("no reducer".into()))?,
        Err(error) => return ended(error),
    };
    let (decodes, compiled) = (Arc::default(), Arc::default());
    let ways = Ways { job, options, reducer, replay, decodes, compiled };
    let references = Vec::new();
    let mut verification = Verification { ways, alarm: &alarm, observer, references };
    let reference = match verification.ways.as_it_is(None).replay(&mut Nothing, observer) {
        Ok(report) => report,
        Err(error) => return ended(error),
    };
    verification.references.push((None, Replayed::from(&reference)));
    let reference_seconds = watch.elapsed().as_secs_f64();
    let mut perturbed = Vec::new();
    for what in options.chosen.iter() {
        perturbed.push(verification.one(what, &reference.manifest)?);
    }
    let has_failed = perturbed.iter().any(Perturbed::is_failed);
    let unrepeatable = has_failed.then(|| verification.unrepeatable(&reference.manifest)).flatten();
    let shrunk = options.shrink_to.as_deref().map(|dir| {
        let whole = (&reference.manifest, unrepeatable.is_some());
        shrink::shrink(&verification, &perturbed, whole, dir)
    });
    Ok(VerifyReport {
        reference: Some(reference.manifest),
        seed: options.seed,
        unrepeatable,
        shrunk: shrunk.unwrap_or_default(),
        ended: alarm.why(),
        perturbed,
        notes: reference.notes,
        seconds: watch.elapsed().as_secs_f64(),
        reference_seconds,
    })
}

struct Verification<'a> {
    ways: Ways<'a>,
    alarm: &'a Alarm,
    observer: &'a dyn Observer,
    /// References that were replayed: of the first so many events of each partition, or of all that
    /// was asked for.
    references: Vec<(Option<u64>, Replayed)>,
}

/// What a replay came to.
#[derive(Clone)]
struct Replayed {
    manifest: Manifest,
    batches: u64,
}

impl From<&Report> for Replayed {
    fn from(report: &Report) -> Self {
        Self { manifest: report.manifest.clone(), batches: report.batches }
    }
}

/// Nothing came to an end.
fn unbegun(options: &VerifyOptions, why: Why, watch: Stopwatch) -> VerifyReport {
    let none = |what| Perturbed {
        what,
        how: String::new(),
        verdict: Verdict::NotExercised(why.clone()),
        events: 0,
        seconds: 0.0,
    };
    let seconds = watch.elapsed().as_secs_f64();
    VerifyReport {
        reference: None,
        seed: options.seed,
        unrepeatable: None,
        shrunk: Vec::new(),
        perturbed: options.chosen.iter().map(none).collect(),
        ended: Some(why),
        notes: Vec::new(),
        seconds,
        reference_seconds: seconds,
    }
}

impl Verification<'_> {
    /// Does one perturbation.
    fn one(&mut self, what: Perturbation, whole: &Manifest) -> Result<Perturbed, RunError> {
        let watch = Stopwatch::start();
        let (how, events, verdict) = match self.alarm.why() {
            Some(why) => (String::new(), 0, Verdict::NotExercised(why)),
            None => self.verdict(what, whole)?,
        };
        let events = if matches!(verdict, Verdict::NotExercised(_)) { 0 } else { events };
        Ok(Perturbed { what, how, verdict, events, seconds: watch.elapsed().as_secs_f64() })
    }

    fn verdict(
        &mut self,
        what: Perturbation,
        whole: &Manifest,
    ) -> Result<(String, u64, Verdict), RunError> {
        let limit = self.ways.limit(what, whole);
        Ok(match self.tried(what, limit)? {
            Tried::Not(why) => (String::new(), 0, Verdict::NotExercised(why)),
            Tried::Same { how, events } => (how, events, Verdict::Passed),
            Tried::Differs { way, how, events, found } => {
                let found = match what {
                    _ if found.stopped.is_some() => *found,
                    Perturbation::Process => Difference {
                        unnamed: Some("the other process gives its digests alone".to_owned()),
                        ..*found
                    },
                    _ => {
                        let both = (&self.ways.as_it_is(limit), &*way);
                        let named = self.located(both, what.keeps_positions());
                        Difference { digests: found.digests, ..named }
                    }
                };
                (how, events, Verdict::Failed(Box::new(found)))
            }
        })
    }

    /// Holds a perturbed replay against the reference.
    fn tried(&mut self, what: Perturbation, limit: Option<u64>) -> Result<Tried, RunError> {
        let not = |why| Ok(Tried::Not(why));
        let reference = match self.reference(limit) {
            Ok(reference) => reference,
            Err(error) => return self.failed_for(error).map_or_else(Err, not),
        };
        let events = reached(&reference.manifest);
        if events == 0 {
            return not(Why::Cannot("no event reaches the reducer".to_owned()));
        }
        let way = match self.ways.perturbed(what, limit, &reference.manifest) {
            Ok(way) => way,
            // What was given up says nothing of what was asked.
            Err(why) => return not(self.alarm.why().unwrap_or(why)),
        };
        let (how, found) = match self.digests(what, &way, &reference) {
            Ok((how, digests)) if digests.is_empty() => return Ok(Tried::Same { how, events }),
            Ok((how, digests)) => (how, Difference { digests, ..Difference::default() }),
            Err(Ended::Differently(stopped)) => {
                (way.how.clone(), Difference { stopped: Some(stopped), ..Difference::default() })
            }
            Err(Ended::For(why)) => return not(why),
            Err(Ended::Fault(error)) => return Err(error),
        };
        Ok(Tried::Differs { way: Box::new(way), how, events, found: Box::new(found) })
    }

    /// What was changed, and the digests that differ.
    fn digests(
        &self,
        what: Perturbation,
        way: &Way,
        reference: &Replayed,
    ) -> Result<(String, Vec<DigestPair>), Ended> {
        let came = Came::from(&reference.manifest);
        let (how, other, batches) = match what {
            Perturbation::Process => {
                let (how, other) = self.elsewhere()?;
                (how, other, None)
            }
            _ => {
                let replayed = self.came(way)?;
                (way.how.clone(), Came::from(&replayed.manifest), Some(replayed.batches))
            }
        };
        // A replay that goes on from a snapshot notes of its input what it took itself.
        let is_other = way.stops_after.is_none() && came.input != other.input;
        if what.keeps_positions() && (came.partitions != other.partitions || is_other) {
            return Err(Ended::For(Why::Failed(CHANGED.to_owned())));
        }
        let digests = came.differences(&other, what.keeps_positions());
        if what.moves_batches() && digests.is_empty() && batches == Some(reference.batches) {
            return Err(Ended::For(Why::Cannot(UNMOVED.to_owned())));
        }
        Ok((how, digests))
    }

    /// What came out of a perturbed replay.
    fn came(&self, way: &Way) -> Result<Replayed, Ended> {
        match way.replay(&mut Nothing, &Quiet(self.observer)) {
            Ok(report) => Ok(Replayed::from(&report)),
            Err(error) if is_of_reducer(&error) && self.alarm.why().is_none() => {
                Err(Ended::Differently(error.to_string()))
            }
            Err(error) => Err(self.failed_for(error).map_or_else(Ended::Fault, Ended::For)),
        }
    }

    /// The reference of a part of the log, or of all that was asked for.
    fn reference(&mut self, limit: Option<u64>) -> Result<Replayed, RunError> {
        if let Some((_, known)) = self.references.iter().find(|(of, _)| *of == limit) {
            return Ok(known.clone());
        }
        let way = self.ways.as_it_is(limit);
        let replayed = Replayed::from(&way.replay(&mut Nothing, &Quiet(self.observer))?);
        self.references.push((limit, replayed.clone()));
        Ok(replayed)
    }

    fn elsewhere(&self) -> Result<(String, Came), Ended> {
        let Some(elsewhere) = &self.ways.options.elsewhere else {
            let why = "there is no way into another process".to_owned();
            return Err(Ended::For(Why::Cannot(why)));
        };
        let failed = |why: String| Ended::For(self.alarm.why().unwrap_or(Why::Failed(why)));
        let (came, how) = elsewhere(&self.ways.replay.cancel).map_err(failed)?;
        Ok((how, came))
    }

    /// Why the replay does not repeat where nothing is changed; none: it does, or nobody could find
    /// out. Each time more is taken away of what calls can have in common.
    fn unrepeatable(&self, whole: &Manifest) -> Option<String> {
        if self.repeats(&self.ways.as_it_is(None))? {
            return None;
        }
        let fresh = |limit| self.ways.perturbed(Perturbation::InstancesFresh, limit, whole).ok();
        if self.repeats(&fresh(None)?)? {
            return Some(KEPT.to_owned());
        }
        let few = self.ways.limit(Perturbation::BatchOne, whole);
        let alone = self.repeats(&fresh(few)?.all_alone())?;
        Some(if alone { OTHER_KEYS } else { NO_FUNCTION }.to_owned())
    }

    /// Whether some replays come to the same; none: they cannot be done.
    fn repeats(&self, way: &Way) -> Option<bool> {
        let once = || Some(Came::from(&self.came(way).ok()?.manifest));
        let first = once()?;
        for _ in 0..REPEATS {
            if once()? != first {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Event and key on which two replays part.
    fn located(&self, (reference, perturbed): (&Way, &Way), events: bool) -> Difference {
        let found = locate::locate(reference, perturbed, events, &Quiet(self.observer));
        let unnamed = |why: String| Difference { unnamed: Some(why), ..Difference::default() };
        found.unwrap_or_else(|error| match self.alarm.why() {
            Some(Why::Asked) => unnamed("somebody asked to stop before they were found".to_owned()),
            Some(_) => unnamed("the budget ended before they were found".to_owned()),
            None => unnamed(format!("looking for them failed: {error}")),
        })
    }

    /// Why a replay that failed says nothing of the reducer.
    ///
    /// # Errors
    /// A fault of ours.
    fn failed_for(&self, error: RunError) -> Result<Why, RunError> {
        match (self.alarm.why(), error) {
            (Some(why), _) => Ok(why),
            (None, RunError::Internal(text)) => Err(RunError::Internal(text)),
            (None, error) => Ok(Why::Failed(format!("it could not be done: {error}"))),
        }
    }
}

/// So many times a replay is done again before it is said to repeat: what differs by chance may not
/// each time.
const REPEATS: usize = 4;

/// Said where a replay took another log than the reference.
const CHANGED: &str = "the log was not what it was a moment before, in events or in bytes: verify \
                       what no longer changes, up to a bound (--to)";

/// Said where batches were to end elsewhere.
const UNMOVED: &str = "as many batches came of it as else: no border of theirs moved";

/// What differs from replay to replay, but not in fresh instances.
const KEPT: &str = "the replay does not repeat even where nothing is changed, but it does with a \
                    fresh instance for every call: the reducer keeps something from call to call \
                    outside the state that the host holds for it, such as a static, a cache, or a \
                    hash map whose order depends on earlier calls";

/// What differs in fresh instances, but not where each event has its own.
const OTHER_KEYS: &str = "the replay does not repeat, not even with a fresh instance for every \
                          call, but it does where every event has a call of its own: what the \
                          reducer makes of a key depends on the other keys of the call: it looks \
                          at them, or keeps something from one to the next outside the state that \
                          the host holds for it, such as a static or a cache";

/// What differs even so.
const NO_FUNCTION: &str = "the replay does not repeat, not even where every event has a fresh \
                           instance of its own: what the reducer answers does not follow from \
                           what it is asked, or this machine computes wrongly";

/// What a perturbed replay came to beside the reference.
enum Tried {
    /// It was not exercised.
    Not(Why),
    /// The same.
    Same { how: String, events: u64 },
    /// Something else: other digests, or it did not come to its end.
    Differs { way: Box<Way>, how: String, events: u64, found: Box<Difference> },
}

/// How a perturbed replay ended that gives no digests.
enum Ended {
    /// By the reducer, which did not end the reference.
    Differently(String),
    /// For a reason that says nothing of the reducer.
    For(Why),
    /// By a fault of ours.
    Fault(RunError),
}

/// Events that reached the reducer.
fn reached(manifest: &Manifest) -> u64 {
    let counts = manifest.since_start.as_ref().unwrap_or(&manifest.counts);
    counts.applied + counts.rejected
}

/// Whether it is the reducer by which a replay ended, which the reference did not.
fn is_of_reducer(error: &RunError) -> bool {
    matches!(error, RunError::Stopped(_) | RunError::Key { .. })
}

/// Takes nothing: digests are all that is wanted.
struct Nothing;

impl Sink for Nothing {
    fn takes(&self) -> Takes {
        Takes::default()
    }

    fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Passes progress on, and nothing of what every replay of the log would tell again.
struct Quiet<'a>(&'a dyn Observer);

impl Observer for Quiet<'_> {
    fn progress(&self, progress: &Progress) {
        self.0.progress(progress);
    }
}
