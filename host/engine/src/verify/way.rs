//! How a perturbed replay is done: what of job, reducer, log and options is another one.

use super::VerifyOptions;
use super::doubled::Doubled;
use super::given::{Given, Giving, Slices};
use super::guests::{Called, Manner};
use super::perturbation::{Cover, Draws, Perturbation};
use super::report::Why;
use super::restored::restored;
use crate::job::{Format, Resolved};
use crate::log::{End, Log};
use crate::run::{
    self, Decodes, Observer, Passes, Positions, ReplayOptions, Report, RunError, Silent,
};
use crate::sink::Sink;
use retally_core::decode::Address;
use retally_core::dedup::Window;
use retally_core::log::Order;
use retally_core::manifest::Manifest;
use retally_core::reduce::Reducer;
use retally_sandbox::{Compiler, LoadError, SandboxError};
use std::sync::{Arc, Mutex, PoisonError};

/// A replay that can be done as often as wanted.
pub(super) struct Way {
    pub job: Resolved,
    pub reducer: Arc<dyn Reducer>,
    pub options: ReplayOptions,
    /// How the reducer is called; none: plainly.
    pub manner: Option<Manner>,
    /// How the log gives its events; none: as it does.
    pub giving: Option<Giving>,
    /// After so many events it stops, and goes on from a snapshot.
    pub stops_after: Option<u64>,
    /// What is another, for a person.
    pub how: String,
}

impl Way {
    /// Does it.
    pub(super) fn replay(
        &self,
        sink: &mut dyn Sink,
        observer: &dyn Observer,
    ) -> Result<Report, RunError> {
        let (reducer, options) = (self.reducer(), self.given()?);
        match self.stops_after {
            Some(events) => restored(self, (reducer, events), &options, sink, observer),
            None => run::replay_into(&self.job, reducer, sink, &options, observer),
        }
    }

    /// With a call of its own, in a fresh instance, for every event and every key.
    pub(super) fn all_alone(self) -> Self {
        let options = ReplayOptions { batch_events: 1, ..self.options };
        Self {
            options,
            manner: Some(Manner::Alone),
            giving: Some(Giving::Cut(Slices::Of(1))),
            ..self
        }
    }

    /// With a log that gives its events in another way.
    fn given(&self) -> Result<ReplayOptions, RunError> {
        let Some(giving) = self.giving else { return Ok(self.options.clone()) };
        let input: Option<Arc<dyn Log>> = Some(Arc::new(Given::new(self.log()?, giving)));
        Ok(ReplayOptions { input, ..self.options.clone() })
    }

    /// The log, opened as the replay itself would, and where its range begins and ends.
    pub(super) fn positions(&self) -> Result<Positions, RunError> {
        run::positions(&self.job, self.reducer.description(), &self.options, &Silent)
    }

    fn log(&self) -> Result<Arc<dyn Log>, RunError> {
        Ok(self.positions()?.log)
    }

    /// The same, where a perturbation that needs it is prepared.
    fn opened(&self) -> Result<Arc<dyn Log>, Why> {
        self.log().map_err(|error| Why::Failed(format!("it could not be done: {error}")))
    }

    /// Nothing of an earlier replay is left in it.
    fn reducer(&self) -> Arc<dyn Reducer> {
        let own = self.reducer.clone();
        match self.manner {
            Some(manner) => Arc::new(Called::new(own, manner)),
            None => own,
        }
    }
}

/// Reducers by how they were compiled: by which compiler, with which garbage, and whether it might
/// come from the cache.
pub(super) type Compiled = Arc<Mutex<Vec<((Compiler, Option<u64>, bool), Arc<dyn Reducer>)>>>;

/// What all ways begin with.
pub(super) struct Ways<'a> {
    pub job: &'a Resolved,
    pub options: &'a VerifyOptions,
    pub reducer: Arc<dyn Reducer>,
    pub replay: ReplayOptions,
    /// What was decoded for one of them and is for all.
    pub decodes: Arc<Decodes>,
    /// The reducer as it was compiled otherwise, once for all of them.
    pub compiled: Compiled,
}

/// Of batches of any size the most events.
const BATCH_MOST_EVENTS: u64 = 1000;

/// Bytes of a chunk by which a log is read, by chance: far less than else, and no round number.
const CHUNKS_FROM: u64 = 4_097;
const CHUNKS_TO: u64 = 16_384;

/// So many keys come to two shards or portions at least, but for one time in some ten thousand.
const SHARED_KEYS: u64 = 16;

/// In so many pieces a log comes, at one of which a replay stops.
const STOPS_AT_PIECES: u64 = 100;

/// Why some borders do not move.
const SORTED: &str = "events are sorted before they come in batches, in pieces of their own";

type Made = Result<Way, Why>;

fn cannot<T>(why: impl Into<String>) -> Result<T, Why> {
    Err(Why::Cannot(why.into()))
}

fn failed<T>(why: impl Into<String>) -> Result<T, Why> {
    Err(Why::Failed(why.into()))
}

impl Ways<'_> {
    /// The reference's.
    pub(super) fn as_it_is(&self, limit: Option<u64>) -> Way {
        let limit = limit.or(self.replay.limit);
        Way {
            job: self.job.clone(),
            reducer: self.reducer.clone(),
            options: ReplayOptions {
                limit,
                decodes: Some(self.decodes.clone()),
                ..self.replay.clone()
            },
            manner: None,
            giving: None,
            stops_after: None,
            how: String::new(),
        }
    }

    /// Of how many events of each partition a perturbation takes no more; none: all that were asked
    /// for.
    pub(super) fn limit(&self, what: Perturbation, whole: &Manifest) -> Option<u64> {
        let Cover::Events(most) = what.cover() else { return None };
        let replay = &self.replay;
        // Behind a run with a limit nobody goes on in order of time.
        if self.options.whole || (what == Perturbation::Restore && self.job.order == Order::Time) {
            return None;
        }
        // A limit counts from the start of a partition.
        if replay.from.is_some() || replay.to.is_some() || whole.counts.events <= most {
            return None;
        }
        let partitions = whole.input.partitions.iter().filter(|own| own.events > 0).count();
        let limit = (most / partitions.max(1) as u64).max(1);
        Some(replay.limit.map_or(limit, |asked| asked.min(limit)))
    }

    /// A perturbation's, given what the reference came to.
    pub(super) fn perturbed(
        &self,
        what: Perturbation,
        limit: Option<u64>,
        reference: &Manifest,
    ) -> Made {
        let (mut way, events) = (self.as_it_is(limit), reference.counts.events);
        if what.reads_anew() {
            way.options.decodes = None;
        }
        let mut draws = Draws::new(self.options.seed, what);
        let shared = matches!(what, Perturbation::ThreadsOne | Perturbation::ThreadsMany)
            || what == Perturbation::Passes;
        if shared && reference.counts.keys < SHARED_KEYS {
            return cannot("the keys are so few that chance may leave them together");
        }
        match what {
            Perturbation::Again => Ok(how(way, "nothing")),
            Perturbation::InstancesFresh => {
                Ok(called(way, Manner::Fresh, "a fresh instance for every call"))
            }
            Perturbation::InstancesShared => {
                Ok(called(way, Manner::Shared(draws), "instances go from shard to shard"))
            }
            Perturbation::CallTwice => Ok(called(way, Manner::Twice, "every call made twice")),
            Perturbation::Trace => {
                Ok(called(way, Manner::Traced, "views asked for after every event"))
            }
            Perturbation::BatchOne => self.batches(way, Slices::Of(1), events),
            Perturbation::BatchTwo => self.batches(way, Slices::Of(2), events),
            Perturbation::BatchPrime => self.batches(way, Slices::Of(draws.prime()), events),
            Perturbation::BatchRandom => {
                self.batches(way, Slices::UpTo(BATCH_MOST_EVENTS, draws), events)
            }
            Perturbation::BatchLargest => largest(way, events),
            Perturbation::ThreadsOne => threads(way, 1),
            Perturbation::ThreadsMany => {
                let from = way.options.threads as u64 + 1;
                threads(way, draws.between(from, from + 5) as usize)
            }
            Perturbation::Restore => self.restore(way, draws, events),
            Perturbation::Passes => {
                let passes = draws.between(2, 4) as usize;
                let spill = Some(self.options.scratch.clone());
                let text = format!("an equal part of the keys in each of {passes} passes");
                let mut way = how(way, &text);
                let passes = Passes::Number(passes);
                way.options = ReplayOptions { passes, spill, ..way.options };
                Ok(way)
            }
            Perturbation::Duplicates => self.duplicates(way),
            Perturbation::CompileAfresh => self.compiled_afresh(way),
            Perturbation::CompileUnoptimised => self.by(Compiler::Unoptimised, way),
            Perturbation::CompileBaseline => self.by(Compiler::Baseline, way),
            Perturbation::CompileWinch => self.by(Compiler::Winch, way),
            Perturbation::CompilePulley => self.by(Compiler::Pulley, way),
            Perturbation::MemoryGarbage => {
                // What is compiled here is of use to this seed alone, and not worth its place.
                let (garbage, cache) = (Some(draws.next()), None);
                let options = ReplayOptions { garbage, cache, ..way.options.clone() };
                self.compiled(how(way, "garbage where memory was never written"), &options)
            }
            Perturbation::Process => Ok(way),
            Perturbation::Chunks => self.chunks(way, draws),
            Perturbation::Arrival => self.arrival(way, draws),
        }
    }

    /// Read in chunks and parts of other sizes.
    fn chunks(&self, mut way: Way, mut draws: Draws) -> Made {
        let log = way.opened()?;
        if self.job.order == Order::Sort {
            return cannot(SORTED);
        }
        if way.options.input.is_some() || log.objects().is_empty() {
            return cannot("the log is no files, which are read in chunks");
        }
        let chunk = draws.between(CHUNKS_FROM, CHUNKS_TO);
        let split = chunk * draws.between(2, 16);
        (way.options.chunk_bytes, way.options.split_bytes) = (chunk as usize, split);
        let is_lines = matches!(self.job.source.format, Format::Json | Format::Raw);
        let is_cut = is_lines && log.parts().iter().any(|part| part.bytes > chunk);
        if !is_cut && way.opened()?.parts().len() == log.parts().len() {
            return cannot("its files are too small to be cut, or come in pieces of their own");
        }
        let parts = format!("in parts of {split} bytes");
        let text = if is_lines { format!("read {chunk} bytes at a time, {parts}") } else { parts };
        Ok(how(way, &text))
    }

    /// What is read at the same time comes in another order.
    fn arrival(&self, mut way: Way, draws: Draws) -> Made {
        match self.job.order {
            _ if way.opened()?.parts().len() < 2 => {
                cannot("the log has one part, which is there or not")
            }
            Order::Sort => cannot(SORTED),
            Order::Log | Order::Path | Order::Time => {
                way.giving = Some(Giving::Late(draws));
                way.options.as_they_come = true;
                let text = match self.job.order {
                    Order::Log => "files come late by chance, and are folded as they come",
                    _ => "files come late by chance",
                };
                Ok(how(way, text))
            }
        }
    }

    /// Batches of other borders.
    fn batches(&self, mut way: Way, slices: Slices, events: u64) -> Made {
        let (size, text) = match slices {
            Slices::Of(1) => (1, "batches of 1 event".to_owned()),
            // Where a piece of the log ends, the batch goes on in the next one.
            Slices::Of(size) => (size, format!("batches of {size} to {} events", 2 * size - 1)),
            Slices::UpTo(most, _) => (1, format!("batches of 1 to {most} events, by chance")),
        };
        match self.job.order {
            _ if events < 2 => cannot("a log of one event has no border of batches to move"),
            _ if size >= events => cannot("one batch holds all: no border of batches to move"),
            Order::Sort => cannot(SORTED),
            Order::Log | Order::Path | Order::Time => {
                way.giving = Some(Giving::Cut(slices));
                way.options.batch_events = size;
                Ok(how(way, &text))
            }
        }
    }

    fn restore(&self, mut way: Way, mut draws: Draws, events: u64) -> Made {
        let is_limited = way.options.limit.is_some();
        match self.job.order {
            _ if events < 2 => cannot("a log of one event has no place to stop in"),
            _ if way.options.from.is_some() => {
                cannot("of a range with --from nothing goes on from a snapshot within it")
            }
            Order::Sort => cannot(SORTED),
            Order::Time if is_limited => {
                cannot("in order of time nobody goes on behind a run with --limit")
            }
            Order::Log | Order::Path | Order::Time => {
                // A snapshot is saved where a piece ends.
                let size = (events / STOPS_AT_PIECES).max(1);
                let after = draws.between(1, events.saturating_sub(size).max(2));
                way.giving = Some(Giving::Cut(Slices::Of(size)));
                way.stops_after = Some(after);
                way.options.spill = Some(self.options.scratch.clone());
                Ok(how(way, &format!("stopped after about {after} events, on from a snapshot")))
            }
        }
    }

    fn compiled_afresh(&self, way: Way) -> Made {
        if way.options.cache.is_none() {
            return cannot("there is no cache, so the reference was compiled afresh, too");
        }
        let options = ReplayOptions { cache: None, ..way.options.clone() };
        self.compiled(how(way, "compiled afresh, not taken from the cache"), &options)
    }

    /// Compiled in another way.
    fn by(&self, compiler: Compiler, way: Way) -> Made {
        let text = match compiler {
            Compiler::Optimised => "compiled as ever",
            Compiler::Unoptimised => "compiled without optimisation",
            Compiler::Baseline => "compiled for the least processor of this architecture",
            Compiler::Winch => "compiled by Winch",
            Compiler::Pulley => "interpreted by Pulley",
        };
        let options = ReplayOptions { compiler, ..way.options.clone() };
        self.compiled(how(way, text), &options)
    }

    /// With another compilation of the reducer.
    fn compiled(&self, way: Way, options: &ReplayOptions) -> Made {
        let how = (options.compiler, options.garbage, options.cache.is_some());
        let mut known = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reducer)) = known.iter().find(|(own, _)| *own == how) {
            return Ok(Way { reducer: reducer.clone(), ..way });
        }
        let reducer = run::load(self.job, options).map_err(unloaded)?;
        if reducer.digest() != self.reducer.digest() {
            return failed("the reducer's file was changed meanwhile");
        }
        known.push((how, reducer.clone()));
        Ok(Way { reducer, ..way })
    }

    /// With every event twice.
    fn duplicates(&self, mut way: Way) -> Made {
        let ReplayOptions { from, to, limit, .. } = &way.options;
        let is_part = from.is_some() || to.is_some() || limit.is_some();
        match self.job.order {
            _ if self.job.window == Window::Off => cannot("the job tells no duplicates"),
            _ if self.job.window != Window::All => {
                cannot("the job forgets ids, perhaps before the event comes again")
            }
            _ if self.job.source.addressing.id == Address::Position => {
                cannot("an event's id is its position, so that none comes twice")
            }
            _ if self.job.ledger.is_some() => {
                cannot("the ledger names events by positions, which would be others")
            }
            _ if is_part => cannot("a part of the log is bounded by positions"),
            Order::Sort => cannot(SORTED),
            Order::Log | Order::Path | Order::Time => {
                let log = way.opened()?;
                if log.partitions().iter().any(|own| own.end != End::OfParts) {
                    return cannot("the log says by offsets where it ends");
                }
                way.options.input = Some(Arc::new(Doubled::new(log)));
                Ok(how(way, "every event comes twice"))
            }
        }
    }
}

/// Why a reducer cannot be loaded that was loaded for the reference.
fn unloaded(error: RunError) -> Why {
    match error {
        RunError::Reducer { error: LoadError::NoStack(why), .. } => Why::Cannot(why.to_string()),
        RunError::Reducer {
            error: LoadError::Invalid(why) | LoadError::CompilerEnded(why),
            ..
        } => Why::Cannot(format!("this compiler does not take the reducer: {why}")),
        RunError::Sandbox(SandboxError::Engine(why)) => {
            Why::Cannot(format!("there is no such compiler here: {why:#}"))
        }
        error => Why::Failed(format!("it could not be done: {error}")),
    }
}

fn how(way: Way, how: &str) -> Way {
    Way { how: how.to_owned(), ..way }
}

fn called(way: Way, manner: Manner, text: &str) -> Way {
    Way { manner: Some(manner), ..how(way, text) }
}

/// All in one batch.
fn largest(mut way: Way, events: u64) -> Made {
    if way.options.batch_events >= events {
        return cannot("one batch holds all: no border of batches to move");
    }
    way.options.batch_events = events;
    Ok(how(way, "batches as large as they may be"))
}

fn threads(mut way: Way, threads: usize) -> Made {
    if way.options.threads == threads {
        return cannot("the reference has as many threads");
    }
    way.options.threads = threads;
    let text = match threads {
        1 => "one thread".to_owned(),
        many => format!("{many} threads"),
    };
    Ok(how(way, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_compiler_does_not_take_is_told_apart_from_what_failed() {
        let of = |error| unloaded(RunError::Reducer { path: "r.wasm".into(), error });
        let Why::Cannot(why) = of(LoadError::Invalid("unimplemented".to_owned())) else { panic!() };
        assert_eq!(why, "this compiler does not take the reducer: unimplemented");
        let ended = LoadError::CompilerEnded("exit status: 101".to_owned());
        assert!(matches!(of(ended), Why::Cannot(_)));
        let killed = LoadError::CompilerKilled("signal: 9 (SIGKILL)".to_owned());
        assert!(matches!(of(killed), Why::Failed(why) if why.contains("signal: 9 (SIGKILL)")));
        let Why::Failed(why) = of(LoadError::Machine("no memory".to_owned())) else { panic!() };
        assert!(why.starts_with("it could not be done: "), "{why}");
    }
}
