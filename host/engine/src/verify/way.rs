//! How a perturbed replay is done: what of job, reducer, log and options is another one.

use super::VerifyOptions;
use super::doubled::Doubled;
use super::guests::{Called, Manner};
use super::perturbation::{Cover, Draws, Perturbation};
use super::report::Why;
use super::restored::restored;
use crate::job::Resolved;
use crate::log::{End, Log};
use crate::run::{self, Observer, Passes, ReplayOptions, Report, RunError, Silent};
use crate::sink::Sink;
use retally_core::decode::Address;
use retally_core::dedup::Window;
use retally_core::log::Order;
use retally_core::manifest::Manifest;
use retally_core::reduce::Reducer;
use std::sync::Arc;

/// A replay that can be done as often as wanted.
pub(super) struct Way {
    pub job: Resolved,
    pub reducer: Arc<dyn Reducer>,
    pub options: ReplayOptions,
    /// How the reducer is called; none: plainly.
    pub manner: Option<Manner>,
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
        let reducer = self.reducer();
        match self.stops_after {
            Some(events) => restored(self, (reducer, events), sink, observer),
            None => run::replay_into(&self.job, reducer, sink, &self.options, observer),
        }
    }
}

impl Way {
    /// With a call of its own, in a fresh instance, for every event and every key.
    pub(super) fn all_alone(self) -> Self {
        let options = ReplayOptions { batch_events: 1, ..self.options };
        Self { options, manner: Some(Manner::Alone), ..self }
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

/// What all ways begin with.
pub(super) struct Ways<'a> {
    pub job: &'a Resolved,
    pub options: &'a VerifyOptions,
    pub reducer: Arc<dyn Reducer>,
    pub replay: ReplayOptions,
}

type Made = Result<Way, Why>;

fn cannot<T>(why: impl Into<String>) -> Result<T, Why> {
    Err(Why::Cannot(why.into()))
}

impl Ways<'_> {
    /// The reference's.
    pub(super) fn as_it_is(&self, limit: Option<u64>) -> Way {
        let limit = limit.or(self.replay.limit);
        Way {
            job: self.job.clone(),
            reducer: self.reducer.clone(),
            options: ReplayOptions { limit, ..self.replay.clone() },
            manner: None,
            stops_after: None,
            how: String::new(),
        }
    }

    /// Of how many events of each partition a perturbation takes no more; none: all that were asked
    /// for.
    pub(super) fn limit(&self, what: Perturbation, whole: &Manifest) -> Option<u64> {
        let Cover::Events(most) = what.cover() else { return None };
        let Self { replay, .. } = self;
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
        let (way, events) = (self.as_it_is(limit), reference.counts.events);
        let mut draws = Draws::new(self.options.seed, what);
        let shared = matches!(what, Perturbation::ThreadsOne | Perturbation::ThreadsMany)
            || what == Perturbation::Passes;
        if shared && reference.counts.keys < 2 {
            return cannot("there are no two keys to share out");
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
            Perturbation::BatchOne => batches(way, 1, events),
            Perturbation::BatchTwo => batches(way, 2, events),
            Perturbation::BatchPrime => batches(way, draws.prime(), events),
            Perturbation::BatchLargest => batches(way, events.max(1), events),
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
                let number = Passes::Number(passes);
                way.options = ReplayOptions { passes: number, reread: true, spill, ..way.options };
                Ok(way)
            }
            Perturbation::Duplicates => self.duplicates(way),
            Perturbation::CompileAfresh => self.compiled_afresh(way),
            Perturbation::CompileUnoptimised => {
                let options = ReplayOptions { optimised: false, ..way.options.clone() };
                self.compiled(how(way, "compiled without optimisation"), &options)
            }
            Perturbation::Process => Ok(way),
        }
    }

    fn restore(&self, mut way: Way, mut draws: Draws, events: u64) -> Made {
        let is_limited = way.options.limit.is_some();
        match self.job.order {
            _ if events < 2 => cannot("a log of one event has no place to stop in"),
            _ if way.options.from.is_some() => {
                cannot("of a range with --from nothing goes on from a snapshot within it")
            }
            Order::Time if is_limited => {
                cannot("in order of time nobody goes on behind a run with --limit")
            }
            _ => {
                let after = draws.between(1, events);
                way.stops_after = Some(after);
                way.options.spill = Some(self.options.scratch.clone());
                Ok(how(way, &format!("stopped after {after} events, on from a snapshot")))
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

    /// With another compilation of the reducer.
    fn compiled(&self, way: Way, options: &ReplayOptions) -> Made {
        let reducer = match run::load(self.job, options) {
            Ok(reducer) => reducer,
            Err(error) => return cannot(format!("it could not be done: {error}")),
        };
        if reducer.digest() != self.reducer.digest() {
            return cannot("the reducer's file was changed meanwhile");
        }
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
            Order::Sort => cannot("events are sorted, so that none comes twice in a row"),
            Order::Log | Order::Path | Order::Time => {
                // The log is opened as the run itself would.
                let found = self.log(&way);
                let log = match found {
                    Ok(log) => log,
                    Err(error) => return cannot(format!("it could not be done: {error}")),
                };
                if log.partitions().iter().any(|own| own.end != End::OfParts) {
                    return cannot("the log says by offsets where it ends");
                }
                way.options.input = Some(Arc::new(Doubled::new(log)));
                Ok(how(way, "every event comes twice"))
            }
        }
    }

    fn log(&self, way: &Way) -> Result<Arc<dyn Log>, RunError> {
        let description = self.reducer.description();
        Ok(run::positions(self.job, description, &way.options, &Silent)?.log)
    }
}

fn how(way: Way, how: &str) -> Way {
    Way { how: how.to_owned(), ..way }
}

fn called(way: Way, manner: Manner, text: &str) -> Way {
    Way { manner: Some(manner), ..how(way, text) }
}

/// Batches of other borders.
fn batches(way: Way, size: u64, events: u64) -> Made {
    let own = way.options.batch_events;
    if events < 2 || size == own || (size.min(own) >= events) {
        let border =
            if events < 2 { "a log of one event has no" } else { "one batch holds all: no" };
        return cannot(format!("{border} border of batches to move"));
    }
    let text = match size {
        1 => "batches of 1 event".to_owned(),
        _ if size >= events => "one batch".to_owned(),
        size => format!("batches of {size} events"),
    };
    let mut way = how(way, &text);
    way.options.batch_events = size;
    Ok(way)
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
