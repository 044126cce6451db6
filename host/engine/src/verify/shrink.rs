//! From a log on which a perturbation makes a difference to the smallest that shows it: fewer
//! events are tried, again and again, for as long as the difference stays.

use super::held::{Event, Held, OVER};
use super::perturbation::Perturbation;
use super::places::Places;
use super::report::{Left, Perturbed, Shrunk, Verdict};
use super::repro::{self, Repro};
use super::way::Ways;
use super::{Quiet, Tried, Verification};
use crate::clock::Stopwatch;
use crate::job::{Authored, Resolved};
use crate::ledger::Ledger;
use crate::limits::{SHRUNK_FIRST_EVENTS, SHRUNK_WITHIN};
use crate::log::Log;
use crate::run::{ReplayOptions, Silent};
use retally_core::log::Position;
use retally_core::manifest::{Entry, Manifest};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// What of a job a smaller log in files has no use for.
const LEFT_OUT: [&str; 9] = [
    "job.ledger",
    "source.kafka",
    "source.registry",
    "source.layout",
    "output.",
    "snapshots.",
    "publish.",
    "gates.",
    "live.",
];

/// How often a difference has to show in a row where it shows by chance; the more often, the more
/// of the logs that were tried may have been lucky.
const SHOWN_TIMES: [usize; 3] = [8, 32, 128];

/// The same once more, from files.
const AGAIN_TIMES: usize = 4;

/// Whether a difference that shows under this and others as well is not of its making.
fn says_little(what: Perturbation) -> bool {
    what == Perturbation::Again || what.name().starts_with("compile-")
}

/// Leaves a folder for each likely cause of what failed, if a smaller log shows it.
pub(super) fn shrink(
    verification: &Verification<'_>,
    perturbed: &[Perturbed],
    (whole, is_one): (&Manifest, bool),
    dir: &Path,
) -> Vec<Shrunk> {
    let failed = perturbed.iter().filter(|one| one.is_failed());
    let (elsewhere, failed): (Vec<&Perturbed>, Vec<&Perturbed>) =
        failed.partition(|one| one.what == Perturbation::Process);
    let mut groups: Vec<Vec<&Perturbed>> = Vec::new();
    for one in failed {
        let cause = one.what.likely_cause();
        // What differs even where nothing is changed says the least.
        let is_own = |group: &&mut Vec<&Perturbed>| {
            is_one || group[0].what.likely_cause() == cause || one.what == Perturbation::Again
        };
        match groups.iter_mut().find(is_own) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    if groups.is_empty() {
        let why = || "another process is asked for all of the log alone".to_owned();
        let of = whole.counts.events;
        return elsewhere
            .iter()
            .map(|one| Shrunk { what: one.what, of, left: Err(why()) })
            .collect();
    }
    groups.iter().map(|group| Shrinking::of(verification, group, whole).shrunk(dir)).collect()
}

/// One difference that is made smaller.
struct Shrinking<'a> {
    verification: &'a Verification<'a>,
    /// What shows it, that which says most first.
    group: Vec<&'a Perturbed>,
    /// How often it has to show: where a replay does not even repeat, it may show by chance.
    times: usize,
    whole: &'a Manifest,
    /// The job without what names places of the log.
    job: Resolved,
    watch: Stopwatch,
}

impl<'a> Shrinking<'a> {
    fn of(
        verification: &'a Verification<'a>,
        group: &[&'a Perturbed],
        whole: &'a Manifest,
    ) -> Self {
        let mut group = group.to_vec();
        group.sort_by_key(|one| says_little(one.what));
        let job = Resolved { ledger: None, ..verification.ways.job.clone() };
        Self { verification, group, times: 1, whole, job, watch: Stopwatch::start() }
    }

    fn shrunk(mut self, dir: &Path) -> Shrunk {
        let is_chance = self.group.iter().any(|one| one.what == Perturbation::Again);
        let tries = if is_chance { &SHOWN_TIMES[..] } else { &[1] };
        let (mut what, mut left) = (self.group[0].what, Err(String::new()));
        for &times in tries {
            self.times = times;
            (what, left) = match self.smallest() {
                Ok((what, held, all, is_smallest)) => {
                    let (dir, events) = (dir.join(what.name()), all.len() as u64);
                    let is_seen = self.left(what, (&held, &all), &dir);
                    (what, is_seen.map(|is_seen| Left { dir, events, is_smallest, is_seen }))
                }
                Err(why) => (what, Err(why)),
            };
            if left.is_ok() || self.is_over() {
                break;
            }
        }
        Shrunk { what, of: self.whole.counts.events, left }
    }

    /// The smallest log that was found, and what shows it there.
    fn smallest(&self) -> Result<(Perturbation, Held, Vec<Event>, bool), String> {
        let (held, all, shown) = self.first()?;
        let (what, mut events) = self.fewest(&held, (all, shown))?;
        let of_key = self.of_key(&held).filter(|own| own.len() < events.len());
        if let Some(own) = of_key.filter(|own| self.shows(what, &held, own)) {
            events = own;
        }
        let shows = |events: &[Event]| self.shows(what, &held, events);
        let (events, is_smallest) = smallest(events, shows, || self.is_over());
        Ok((what, held, events, is_smallest))
    }

    /// Whether no more is tried: then nothing that did not show means anything.
    fn is_over(&self) -> bool {
        self.verification.alarm.why().is_some() || self.watch.elapsed() >= SHRUNK_WITHIN
    }

    /// As many of the first events as it takes, held in memory, and what shows on them.
    fn first(&self) -> Result<(Held, Vec<Event>, Perturbation), String> {
        let ways = &self.verification.ways;
        if ways.job.source.layout.is_some()
            || ways.job.sort.as_ref().is_some_and(|s| s.within.is_some())
        {
            return Err("the paths of its files say what they hold".to_owned());
        }
        let way = ways.as_it_is(None);
        let positions = way.positions().map_err(|error| error.to_string())?;
        let out = self.quarantined(&positions.log.names())?;
        let partitions = positions.log.partitions().len().max(1) as u64;
        let mut most = SHRUNK_FIRST_EVENTS;
        loop {
            let each = (most / partitions).max(1).min(way.options.limit.unwrap_or(u64::MAX));
            let held = Held::read(&positions, each, &out, &ways.replay.cancel)?;
            let all = held.events.clone();
            if let Some(one) = self.group.iter().find(|one| self.shows(one.what, &held, &all)) {
                return Ok((held, all, one.what));
            }
            if self.is_over() {
                return Err(OVER.to_owned());
            }
            let is_limited = way.options.limit.is_some_and(|limit| each >= limit);
            if !held.is_part || is_limited {
                return Err("on the log in memory it did not show again".to_owned());
            }
            most = most.saturating_mul(16);
        }
    }

    /// Events that no reducer sees, by the names of partitions.
    fn quarantined(&self, names: &[String]) -> Result<BTreeSet<Position>, String> {
        let job = self.verification.ways.job;
        let Some(path) = &job.ledger else { return Ok(BTreeSet::new()) };
        let ledger = Ledger::load(&job.path(path)).and_then(|ledger| ledger.of_log(names));
        let ledger = ledger.map_err(|error| error.to_string())?;
        Ok(ledger.entries().iter().map(Entry::at).collect())
    }

    /// The fewest first events that show it, by powers, and what shows it there.
    fn fewest(
        &self,
        held: &Held,
        (all, shown): (Vec<Event>, Perturbation),
    ) -> Result<(Perturbation, Vec<Event>), String> {
        let sizes = (0..).map(|power| 4u64.saturating_pow(power));
        for size in sizes {
            let events = held.first(size);
            let shows = |one: &&&Perturbed| self.shows(one.what, held, &events);
            if let Some(one) = self.group.iter().find(shows) {
                return Ok((one.what, events));
            }
            if self.is_over() {
                return Ok((shown, all));
            }
            if events.len() == all.len() {
                break;
            }
        }
        Err("it does not show each time, so that nothing smaller was found".to_owned())
    }

    /// The events of the first key that differs, if it is known.
    fn of_key(&self, held: &Held) -> Option<Vec<Event>> {
        let difference = |one: &&Perturbed| match &one.verdict {
            Verdict::Failed(found) => found.key.clone().or_else(|| found.event.clone()),
            Verdict::Passed | Verdict::NotExercised(_) => None,
        };
        let key = self.group.iter().find_map(difference)?.key?;
        let mut way = self.verification.ways.as_it_is(None);
        way.options.keys = Some(vec![key]);
        // What was decoded was so for other keys, too.
        (way.options.sample, way.options.decodes) = (None, None);
        let mut places = Places::default();
        way.replay(&mut places, &Quiet(self.verification.observer)).ok()?;
        let own = held.at(&places.0);
        (!own.is_empty()).then_some(own)
    }

    /// Whether a perturbation makes a difference on a log of these events alone.
    fn shows(&self, what: Perturbation, held: &Held, events: &[Event]) -> bool {
        !events.is_empty()
            && held.log(events).is_ok_and(|log| {
                let input = Some(log);
                self.differs(what, (&self.job, input), self.times)
            })
    }

    /// Whether it makes a difference so many times in a row.
    fn differs(
        &self,
        what: Perturbation,
        (job, input): (&Resolved, Option<Arc<dyn Log>>),
        times: usize,
    ) -> bool {
        let Verification { ways, alarm, .. } = self.verification;
        // What is held is all that was asked for.
        let replay = ReplayOptions {
            input,
            limit: None,
            from: None,
            to: None,
            empty_state: false,
            keys: None,
            sample: None,
            ..ways.replay.clone()
        };
        // Each time with a reference of its own, which chance decides as well.
        (0..times).all(|_| {
            let (options, reducer) = (ways.options, ways.reducer.clone());
            let (replay, decodes, compiled) =
                (replay.clone(), Arc::default(), ways.compiled.clone());
            let ways = Ways { job, options, reducer, replay, decodes, compiled };
            let mut trial = Verification { ways, alarm, observer: &Silent, references: Vec::new() };
            matches!(trial.tried(what, None), Ok(Tried::Differs { .. }))
        })
    }

    /// Leaves the folder, if it shows the difference from its files, too. Gives whether that was
    /// seen: there may have been no time.
    fn left(
        &self,
        what: Perturbation,
        (held, events): (&Held, &[Event]),
        dir: &Path,
    ) -> Result<bool, String> {
        let ways = &self.verification.ways;
        let (files, is_table) = held.files(events)?;
        let limits = ways.job.limits;
        let set = |job: Authored| -> Result<Authored, crate::job::JobError> {
            let mut job = job.without(&LEFT_OUT);
            job.set_text("job.reducer", repro::REDUCER)?;
            job.set_text("job.reducer.sha256", &ways.reducer.digest().to_string())?;
            job.set_text("source.url", repro::LOG)?;
            job.set_text("limits.memory", &format!("{}B", limits.memory_bytes))?;
            job.set_text("limits.deadline", &format!("{}ms", limits.deadline.as_millis()))?;
            if is_table {
                job.set_text("source.format", "parquet")?;
            }
            Ok(job)
        };
        let job = Authored::of_run(self.whole, Path::new("")).and_then(set);
        let job = job.map_err(|error| error.to_string())?;
        let repro = Repro::of(what, ways.options, (events.len() as u64, self.times > 1));
        let reducer = ways.job.path(&ways.job.reducer.path);
        let fresh = repro.write(dir, &job.to_toml(), &reducer, &files)?;
        let again = Authored::load(&fresh.path().join(repro::JOB));
        let again = again.and_then(|job| Resolved::new(&job)).map_err(|error| error.to_string())?;
        let is_seen = self.differs(what, (&again, None), self.times.min(AGAIN_TIMES));
        if !is_seen && !self.is_over() {
            return Err(
                "it shows on a smaller log, but not each time, or not from files".to_owned()
            );
        }
        repro::put(fresh, dir).map(|()| is_seen)
    }
}

/// The smallest choice that was found: none of what is left can be left out, if that was looked at
/// before it `is_over`, which is told, too.
fn smallest<T: Clone>(
    mut events: Vec<T>,
    shows: impl Fn(&[T]) -> bool,
    is_over: impl Fn() -> bool,
) -> (Vec<T>, bool) {
    let mut size = events.len().div_ceil(2);
    loop {
        let (mut at, before) = (0, events.len());
        while at < events.len() && events.len() > 1 {
            if is_over() {
                return (events, false);
            }
            let end = (at + size).min(events.len());
            let rest = [&events[..at], &events[end..]].concat();
            match !rest.is_empty() && shows(&rest) {
                true => events = rest,
                false => at = end,
            }
        }
        match size {
            0 | 1 if events.len() == before => return (events, true),
            0 | 1 => {}
            _ => size = size.div_ceil(2).min(events.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_that_is_left_can_be_left_out(
            needed in proptest::collection::btree_set(0u32..300, 1..6),
        ) {
            let shows = |chosen: &[u32]| needed.iter().all(|one| chosen.contains(one));
            let (left, is_smallest) = smallest((0..300).collect(), shows, || false);
            prop_assert!(is_smallest);
            prop_assert_eq!(left, needed.iter().copied().collect::<Vec<_>>());
        }

        #[test]
        fn what_depends_on_how_many_there_are_comes_to_as_few_as_it_takes(few in 1usize..40) {
            let (left, _) = smallest((0..100).collect(), |all| all.len() >= few, || false);
            prop_assert_eq!(left.len(), few);
        }
    }

    #[test]
    fn whoever_has_no_time_left_keeps_what_shows_it() {
        let (left, is_smallest) = smallest(vec![1, 2, 3], |_| true, || true);
        assert_eq!((left.len(), is_smallest), (3, false));
    }
}
