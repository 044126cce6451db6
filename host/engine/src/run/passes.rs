//! More keys or ids than memory holds: each of several passes folds a portion of all keys. The
//! first one reads the log, and puts the events of the others [aside](super::aside), unless all
//! read it. What the passes before the last one came to lies in files until the last one comes to
//! the same events; joined, batch by batch and key by key, it is what one pass would give, and goes
//! on to digests and sink from there.

use super::aside::{Aside, Way};
use super::commit::Committer;
use super::error::RunError;
use super::misread::absent_keys;
use super::options::ReplayOptions;
use super::packed::Packed;
use super::prepare::{Prepared, prepare};
use super::replay::{Observer, Progress, derive, pass};
use super::results::Results;
use super::sequence::Extent;
use super::side::{Part, Side};
use super::spill::{Spill, SpillError, Spilled, SpilledRun};
use super::stages::{Stage, Stages};
use crate::limits::KEPT_PORTIONS_MAX;
use crate::log::LogError;
use crate::sink::{Commit, Sink, Takes};
use crate::snapshot::Run;
use retally_core::digest::Tables;
use retally_core::log::Reach;
use retally_core::portion::Portion;
use retally_core::reduce::{Ahead, Block, Finals, join_blocks, join_keys};
use retally_core::schema::Description;
use retally_core::snapshot::Head;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock, PoisonError};

/// In how many passes a log is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// In so many.
    Number(usize),
    /// In one, and where that holds more than it may, anew and in as many as it takes.
    Auto,
}

impl Default for Passes {
    fn default() -> Self {
        Self::Number(1)
    }
}

impl FromStr for Passes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
        match text {
            "auto" => Ok(Self::Auto),
            text => number(text).map(Self::Number).ok_or("it is \"auto\" or a number from 1 on"),
        }
    }
}

/// The portions of as many passes.
///
/// # Errors
/// When there cannot be as many.
pub(super) fn portions(passes: usize) -> Result<Vec<Portion>, RunError> {
    let all = Portion::all(passes).map(Iterator::collect);
    all.ok_or(RunError::Passes { passes, most: Portion::MAX })
}

/// What the passes before the last one came to.
pub(crate) struct Others {
    dir: PathBuf,
    parts: Vec<Spilled>,
    /// Whether the last one is among them.
    has_last: bool,
}

/// What the passes before the last one showed beside that.
#[derive(Default)]
pub(super) struct Shown {
    pub stages: Stages,
    /// The keys that were asked for and of which none of them found an event.
    pub absent: Option<Vec<String>>,
}

/// All passes but the last, which `last` and `results` are of: it then takes up what they came to.
pub(super) fn before(
    last: &Prepared<'_>,
    results: &mut Results<'_>,
    portions: &[Portion],
) -> Result<Shown, RunError> {
    let mut shown = Shown::default();
    let Some((_, earlier)) = portions.split_last().filter(|(_, earlier)| !earlier.is_empty())
    else {
        return Ok(shown);
    };
    let dir = spill_dir(last.options, results)?;
    let (mut parts, mut kept) = (Vec::new(), VecDeque::new());
    for (number, &portion) in earlier.iter().enumerate() {
        let way = match number {
            0 if is_read_once(last, portions.len()) => {
                let aside = Aside::new(&dir, portions.len(), &last.names)?;
                Some(Way::Apart(Mutex::new(aside)))
            }
            _ => kept.pop_front().map(|kept| Way::Kept(Mutex::new(kept))),
        };
        let told = Passing { to: last.observer, number, of: portions.len(), is_last: false };
        let (part, aside) = one(last, results, (portion, way), &dir, &told, &mut shown)?;
        parts.push(part);
        kept.extend(aside.map(Aside::kept).transpose()?.unwrap_or_default());
    }
    if let Some(kept) = kept.pop_front() {
        // It is the last that was kept, and nobody was there before.
        let _ = last.way.set(Way::Kept(Mutex::new(kept)));
    }
    results.others = Some(Others { dir, parts, has_last: false });
    Ok(shown)
}

/// Whether the first pass puts aside what the others fold, so that the log is read once: from two
/// passes on that is no dearer than to read it again, and of many a fraction.
fn is_read_once(last: &Prepared<'_>, passes: usize) -> bool {
    !last.options.reread && passes <= KEPT_PORTIONS_MAX
}

/// Where passes are kept: the folder that was named, else the one around the run.
fn spill_dir(options: &ReplayOptions, results: &Results<'_>) -> Result<PathBuf, RunError> {
    if let Some(dir) = &options.spill {
        return Ok(dir.clone());
    }
    let around = || Some(results.sink.run_dir()?.file("")?.parent()?.to_owned());
    let dir = around().ok_or(RunError::NoSpill)?;
    // The run begins in it once the last pass does.
    let made = std::fs::create_dir_all(&dir);
    made.map_err(|error| SpillError { dir: dir.clone(), error })?;
    Ok(dir)
}

/// One pass. Where it begins it begins like the last one, with other keys.
fn one(
    last: &Prepared<'_>,
    results: &Results<'_>,
    (portion, way): (Portion, Option<Way>),
    dir: &Path,
    told: &Passing<'_>,
    shown: &mut Shown,
) -> Result<(Spilled, Option<Aside>), RunError> {
    let of_last = &last.lanes[0];
    // What the last one has checked stays checked.
    let options = ReplayOptions { check_migrated: 0, recheck: false, ..last.options.clone() };
    let mut spill = Spill::new(dir, results.takes)?;
    let (states, ids) = of_last.bytes();
    let (seed, bounds) = (Some(of_last.recipe.seed), Some(last.bounds.clone()));
    let log = Some(last.whole.clone());
    let part = Part { portion, seed, beside: states + ids, bounds, log };
    let reducer = results.reducer.clone();
    let side = Side { reducer, sink: &mut spill, file: None, part };
    let (mut prepared, own) = prepare(last.job, vec![side], None, &options, told)?;
    if let Some(way) = way {
        // The last one tells what was read of the log, whichever of them read it.
        prepared.source = last.source.clone();
        prepared.way = OnceLock::from(way);
    }
    let mut committer = Committer::new(&prepared, own, None);
    committer.one(0).spills = true;
    let (extents, mut stages) = pass(&prepared, &committer)?;
    derive(&prepared, committer.one(0).sink, &mut stages)?;
    committer.commit(&extents, Some(Vec::new()), None)?;
    let lane = &prepared.lanes[0];
    of_last.signs.take_in(&lane.signs);
    let limits = lane.passing_limits.load(Ordering::Relaxed);
    of_last.passing_limits.fetch_add(limits, Ordering::Relaxed);
    if let Some(asked) = shown.absent.as_ref().or(last.options.keys.as_ref()) {
        shown.absent = Some(absent_keys(&prepared.lanes, asked));
    }
    shown.stages.add(&stages);
    drop(committer);
    let aside = match prepared.way.into_inner() {
        Some(Way::Apart(aside)) => Some(aside.into_inner().unwrap_or_else(PoisonError::into_inner)),
        Some(Way::Kept(_)) | None => None,
    };
    Ok((spill.spilled()?, aside))
}

impl Others {
    /// What all passes made of a batch, of which the last one made `last`.
    pub(super) fn block(&mut self, of: &Description, last: Block) -> Result<Block, RunError> {
        let mut blocks = self.next()?;
        blocks.push(last);
        join_blocks(of, blocks).map_err(changed)
    }

    /// The next piece of each.
    fn next<T: Packed>(&mut self) -> Result<Vec<T>, RunError> {
        let next = |part: &mut Spilled| part.next()?.ok_or_else(|| changed("one found more"));
        self.parts.iter_mut().map(next).collect()
    }

    /// The keys of all passes in byte order, of which the lane of `prepared` has the last one's.
    pub(super) fn keys(
        &mut self,
        prepared: &Prepared<'_>,
        results: &mut Results<'_>,
        stages: &mut Stages,
    ) -> Result<Tables, RunError> {
        for part in &mut self.parts {
            if part.next::<Block>()?.is_some() {
                return Err(changed("one found more"));
            }
        }
        let mut own = Spill::new(&self.dir, results.takes)?;
        derive(prepared, &mut own, stages)?;
        if results.takes.commits {
            let (lane, names) = (&prepared.lanes[0], &prepared.names);
            let extents = vec![Extent::default(); names.len()];
            own.commit(&results.commit_of(lane, names, &extents, &[], None))?;
        }
        // Room for the keys of all passes on their way.
        prepared.lanes[0].forget();
        let mut own = own.spilled()?;
        own.next::<Block>()?;
        self.parts.push(own);
        self.has_last = true;
        let stateless: Vec<Vec<(Vec<u8>, Reach)>> = self.next()?;
        let mut stateless = stateless.concat();
        stateless.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        results.sink.stateless(&stateless)?;
        self.joined(results, stages)
    }

    /// A point to go on from: of all passes, of which the last one makes `last`, unless it has
    /// told what it has of it already.
    pub(super) fn commit(
        &mut self,
        last: Commit,
        sink: &mut dyn Sink,
    ) -> Result<Vec<String>, RunError> {
        let mut own = None;
        if !self.has_last {
            let takes = Takes { commits: true, ..Takes::default() };
            let mut spill = Spill::new(&self.dir, takes)?;
            spill.commit(&last)?;
            own = Some(spill.spilled()?);
        }
        let parts = self.parts.iter_mut().chain(&mut own);
        let mut runs = parts.map(Spilled::run).collect::<Result<Vec<_>, _>>()?;
        let keys = runs.iter().map(|run| run.keys).sum();
        let head = Head { keys: Some(keys), ..last.head };
        let mut all: Vec<&mut dyn Run> = Vec::new();
        runs.iter_mut().for_each(|run| all.push(run));
        let saved = sink.commit_runs(&head, &mut all)?;
        runs.into_iter().try_for_each(SpilledRun::finish)?;
        Ok(saved)
    }

    fn joined(
        &mut self,
        results: &mut Results<'_>,
        stages: &mut Stages,
    ) -> Result<Tables, RunError> {
        let description = results.reducer.description().clone();
        let mut tables = Tables::new(&description);
        let mut ahead: Vec<Ahead> = self.parts.iter().map(|_| Ahead::default()).collect();
        let mut is_open = vec![true; ahead.len()];
        loop {
            stages.time(Stage::Read, || -> Result<(), RunError> {
                let parts = self.parts.iter_mut().zip(&mut ahead).zip(&mut is_open);
                for ((part, ahead), is_open) in parts.filter(|((_, a), open)| **open && a.is_over())
                {
                    let next: Option<Finals> = part.next()?;
                    *is_open = next.is_some();
                    *ahead = Ahead::new(next.unwrap_or_default());
                }
                Ok(())
            })?;
            let finals = stages.time(Stage::Merge, || join_keys(&description, &mut ahead));
            if finals.keys.is_empty() {
                return Ok(tables);
            }
            stages.time(Stage::Digest, || tables.add(&finals))?;
            stages.time(Stage::Write, || results.keys(finals))?;
        }
    }
}

/// Why what passes came to does not fit together.
fn changed(why: impl std::fmt::Display) -> RunError {
    RunError::Log(LogError::new(format!(
        "the log was read several times, and is no longer what it was: {why}; run it once more"
    )))
}

/// Tells of one pass as a part of all.
pub(super) struct Passing<'a> {
    to: &'a dyn Observer,
    number: usize,
    of: usize,
    is_last: bool,
}

impl<'a> Passing<'a> {
    /// Tells of the last pass.
    pub(super) fn last(to: &'a dyn Observer, portions: &[Portion]) -> Self {
        let of = portions.len();
        Self { to, number: of - 1, of, is_last: true }
    }
}

impl Observer for Passing<'_> {
    fn progress(&self, progress: &Progress) {
        let Progress { events, bytes, bytes_total, memory } = *progress;
        let (number, of) = (self.number as u64, self.of as u64);
        let bytes = bytes.saturating_add(bytes_total.saturating_mul(number));
        let bytes_total = bytes_total.saturating_mul(of);
        self.to.progress(&Progress { events, bytes, bytes_total, memory });
    }

    fn note(&self, text: &str) {
        // What the others tell it tells too.
        if self.is_last {
            self.to.note(text);
        }
    }
}
