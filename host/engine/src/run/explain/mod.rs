//! One key's history, event by event: what a reducer (or two side by side) read, emitted and
//! changed, and why an event was refused.
//!
//! ```text
//! prepare (as a replay) --> search: which events are the key's --> tell: fold each --> History
//!                             |
//!                             needle: which lines can be its
//! ```
//!
//! Every event is judged and folded as in a replay of this key alone, which is what a replay of all
//! keys makes of it. Only what must be is read: under order "log" the search ends with the
//! partition in which the key lives, and a finished run tells which one that is. Under order "time"
//! the places of events are known when every partition of the key is read.

mod found;
mod model;
mod needle;
mod search;
mod tell;

pub use found::newest_run;
pub use model::{
    FieldChange, History, HistoryFormat, ReadFor, ReducerOf, RowChange, RowWhat, Told, ToldSide,
};

use super::compare::plan;
use super::error::RunError;
use super::options::ReplayOptions;
use super::prepare::{Prepared, bounds, prepare};
use super::replay::Observer;
use super::side::{Part, Side};
use super::stopped::named;
use crate::job::Resolved;
use crate::range::Bounds;
use crate::sink::Sink;
use crate::source::named_partition;
use crate::store::Folder;
use found::Found;
use needle::Needle;
use retally_compare::Options;
use retally_compare::pair::Shared;
use retally_core::decode::Placed;
use retally_core::log::{Order, PartitionIndex, Place, Position, Reach, Spot};
use retally_core::manifest::{Input, Ranged};
use retally_core::reduce::Reducer;
use retally_core::schema::Description;
use search::{Go, Search};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use tell::{Teller, View, row_key};

/// Events that are told unless asked otherwise: what memory allows, for no person reads them all.
pub const TOLD_MAX: usize = 100_000;

/// Events on each side of a position that is asked about, unless a number is given.
pub const AROUND: usize = 10;

/// Partitions that are named where another one was asked for.
const NAMES_SHOWN: usize = 5;

/// How a key is explained.
#[derive(Clone, Default)]
pub struct ExplainOptions {
    /// How the log is gone through: threads, cancel, cache, log, and the range that is told; the
    /// rest has no meaning here.
    pub replay: ReplayOptions,
    /// Only the last so many events; with `around` so many on each side.
    pub last: Option<usize>,
    /// Only events around this position.
    pub around: Option<Position>,
    /// A finished run that tells where the key's events lie; none: the job's newest.
    pub run: Option<Folder>,
    /// Tolerances, where two sides are compared.
    pub compare: Options,
}

/// Explains a key under one reducer or two.
pub fn explain(
    job: &Resolved,
    key: &str,
    reducers: Vec<Arc<dyn Reducer>>,
    options: &ExplainOptions,
    observer: &dyn Observer,
) -> Result<History, RunError> {
    let mut replay = options.replay.clone();
    replay.resume = false;
    (replay.from_snapshot, replay.snapshot, replay.limit) = (None, None, None);
    let ranged = replay.clone();
    (replay.from, replay.to, replay.empty_state) = (None, None, false);
    replay.keys = Some(vec![key.to_owned()]);
    let shared = match reducers.as_slice() {
        [a, b] => {
            let (a, b) = (a.description(), b.description());
            Some(Shared::new(a, b, &plan(a, b, &options.compare)?))
        }
        _ => None,
    };
    let (mut nowhere_a, mut nowhere_b) = (Vec::new(), Vec::new());
    let nowhere: [&mut dyn Sink; 2] = [&mut nowhere_a, &mut nowhere_b];
    let sides = reducers.into_iter().zip(nowhere);
    let sides = sides
        .map(|(reducer, sink)| Side { reducer, sink, file: None, part: Part::default() })
        .collect();
    let (prepared, _) = prepare(job, sides, shared, &replay, observer)?;
    let mut options = options.clone();
    if let Some(at) = &mut options.around {
        // People have the names of files, and partitions are called without the suffix.
        let names: Vec<&str> = prepared.names.iter().map(String::as_str).collect();
        if let Some(name) = named_partition(&names, &at.partition) {
            at.partition = name.to_owned();
        }
    }
    let bounds = range(&prepared, &ranged, observer)?;
    Explaining { key, options: &options, prepared: &prepared, bounds }.run()
}

/// The range that is told.
fn range(
    prepared: &Prepared<'_>,
    asked: &ReplayOptions,
    observer: &dyn Observer,
) -> Result<Bounds, RunError> {
    let readers: Vec<&Description> =
        prepared.lanes.iter().map(|lane| lane.recipe.description()).collect();
    let log = (prepared.source.as_ref(), prepared.names.as_slice(), false);
    bounds(prepared.job, log, &readers, asked, observer)
}

struct Explaining<'a> {
    key: &'a str,
    options: &'a ExplainOptions,
    prepared: &'a Prepared<'a>,
    bounds: Bounds,
}

/// What came of a search.
struct Searched<'a> {
    teller: Teller<'a>,
    shown: Shown,
    stopped: Option<String>,
    first_difference: Option<Position>,
    read: ReadFor,
    /// Events before the range that were not folded, because it begins with no state.
    skipped: u64,
    /// The views with which the range begins, once it has.
    view_before: Option<Vec<View>>,
    /// Whether the search broke off at the end of the range.
    ended: bool,
}

impl Searched<'_> {
    fn events(&self) -> u64 {
        self.teller.events + self.skipped
    }
}

impl Explaining<'_> {
    fn run(&self) -> Result<History, RunError> {
        let (found, mut notes) = found::find(self.prepared, self.key, self.options.run.as_ref());
        if let Some(Found { place, name }) = &found {
            let searched = self.search(Some(place))?;
            let is_all = searched.events() == place.events || searched.ended;
            if is_all || searched.stopped.is_some() {
                return Ok(self.history(searched, notes));
            }
            notes.push(format!(
                "run {name} says that the key has {} events and they were not found where it says, \
                 so the whole log was read",
                place.events
            ));
        }
        Ok(self.history(self.search(None)?, notes))
    }

    /// Searches the log, or only where a run says that the events lie.
    fn search(&self, place: Option<&Reach<Position>>) -> Result<Searched<'_>, RunError> {
        let prepared = self.prepared;
        let readers: Vec<&Description> =
            prepared.lanes.iter().map(|lane| lane.recipe.description()).collect();
        let needle = Needle::new(&prepared.job.source.addressing, &readers, self.key);
        let within = |place: &Reach<Position>| -> Vec<bool> {
            let range = &place.first.partition..=&place.last.partition;
            prepared.names.iter().map(|name| range.contains(&name)).collect()
        };
        let only = place.map(within);
        let key = self.key.as_bytes();
        let around = self.options.around.as_ref().and_then(|at| {
            let partition = prepared.names.binary_search(&at.partition).ok()?;
            Some(Spot { partition: partition as PartitionIndex, offset: at.offset })
        });
        let only = only.as_deref();
        let search = Search { prepared, key, needle: &needle, only, around };
        let mut telling = Telling {
            prepared,
            bounds: &self.bounds,
            teller: Teller::new(prepared, key),
            shown: Shown::new(self.options),
            stopped: None,
            first_difference: None,
            all: place.map(|place| place.events),
            skipped: 0,
            view_before: None,
            ended: false,
        };
        let mut read = ReadFor {
            partitions_total: prepared.names.len() as u64,
            bytes_total: prepared.source.bytes(),
            ..ReadFor::default()
        };
        let found = std::cell::Cell::new(false);
        let order = prepared.job.order;
        let mut merged: Vec<(Place, Placed)> = Vec::new();
        let place_of_around = search.run(
            &mut read,
            &mut |placed, place| {
                found.set(true);
                if order == Order::Time {
                    merged.push((place, placed));
                    return Ok(Go::Continue(()));
                }
                let reached = self.options.around.as_ref().is_some_and(|at| {
                    (placed.name.as_ref(), place.spot.offset) >= (at.partition.as_str(), at.offset)
                });
                telling.tell(&placed, reached)
            },
            // A key lives in one partition: what is behind it need not be read.
            &mut || match order == Order::Log && found.get() {
                true => Go::Break(()),
                false => Go::Continue(()),
            },
        )?;
        // Only now all places are known.
        merged.sort_by_key(|(place, _)| *place);
        for (place, placed) in merged {
            if telling.tell(&placed, place_of_around.is_some_and(|at| place >= at))?.is_break() {
                break;
            }
        }
        let Telling {
            teller, shown, stopped, first_difference, skipped, view_before, ended, ..
        } = telling;
        Ok(Searched { teller, shown, stopped, first_difference, read, skipped, view_before, ended })
    }

    fn history(&self, searched: Searched<'_>, mut notes: Vec<String>) -> History {
        let events = searched.events();
        let Searched { teller, shown, stopped, first_difference, read, .. } = searched;
        let prepared = self.prepared;
        let reducer = |lane: &super::lane::Lane| {
            let description = lane.recipe.description();
            ReducerOf {
                name: description.name.clone(),
                version: description.version.clone(),
                sha256: lane.recipe.reducer.digest(),
                row_key: row_key(description),
            }
        };
        if read.unreadable > 0 {
            notes.push(format!(
                "{} lines hold the key's text and are no valid events, so nobody knows whether \
                 they are its own",
                read.unreadable
            ));
        }
        let findings = prepared.source.findings(None);
        notes.extend(Input { findings, ..Input::default() }.notes());
        notes.extend(teller.notes());
        let told = Vec::from(shown.told);
        notes.extend(self.of_range(events, &told, searched.ended));
        let view_before = match searched.view_before {
            _ if self.bounds.from.is_none() || events == 0 => Vec::new(),
            Some(views) => views,
            None => teller.views.clone(),
        };
        if let Some(at) = self.options.around.as_ref().filter(|_| events > 0) {
            notes.extend(self.not_at(at, &told));
        }
        let left_out_before = told.first().map_or(events, |first| first.number - 1);
        let left_out_behind = told.last().map_or(0, |last| events - last.number);
        History {
            format: HistoryFormat::CURRENT,
            key: self.key.to_owned(),
            reducers: prepared.lanes.iter().map(reducer).collect(),
            notes,
            events,
            left_out_before,
            left_out_behind,
            told,
            first_difference,
            range: self.bounds.asked.as_ref().map(Ranged::words),
            view_before,
            view: teller.views,
            stopped,
            read,
        }
    }

    /// What is to be said of the range.
    fn of_range(&self, events: u64, told: &[Told], ended: bool) -> Vec<String> {
        let none = events > 0 && told.is_empty() && self.bounds.asked.is_some();
        let none = none.then(|| "no event of the key lies in the range".to_owned());
        let end = "the history ends with the range: what the key has behind it was not looked for";
        let empty = "the range began with no state: the key's events before it count for nothing";
        let empty = self.bounds.range.empty_state.then(|| empty.to_owned());
        empty.into_iter().chain(none).chain(ended.then(|| end.to_owned())).collect()
    }

    /// Says that the key has no event at the position that was asked about.
    fn not_at(&self, at: &Position, told: &[Told]) -> Option<String> {
        let is_there =
            |told: &Told| (&told.place.partition, told.place.offset) == (&at.partition, at.offset);
        if told.iter().any(is_there) {
            return None;
        }
        let Position { partition, offset } = at;
        let none = match self.prepared.names.contains(partition) {
            true => format!("no event of the key lies at {partition}:{offset}"),
            false => {
                let names = self.prepared.names.iter().take(NAMES_SHOWN);
                let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
                format!(
                    "the log has no partition {partition:?}, with or without the suffix of its \
                     file; there are {}",
                    names.join(", ")
                )
            }
        };
        Some(format!("{none}; the events nearest to that position are told"))
    }
}

/// What is told, event by event.
struct Telling<'a> {
    prepared: &'a Prepared<'a>,
    bounds: &'a Bounds,
    teller: Teller<'a>,
    shown: Shown,
    stopped: Option<String>,
    first_difference: Option<Position>,
    /// Events that the key has, if a run says.
    all: Option<u64>,
    /// As in [`Searched`].
    skipped: u64,
    view_before: Option<Vec<View>>,
    ended: bool,
}

impl Telling<'_> {
    /// Tells the next event; `reached`: it is the one that was asked about, or lies behind it.
    fn tell(&mut self, placed: &Placed, reached: bool) -> Result<Go, RunError> {
        let Self { prepared, teller, .. } = self;
        let at = self.bounds.place(placed.partition as usize, placed.offsets.at(0));
        match at {
            Ordering::Greater => {
                self.ended = true;
                return Ok(Go::Break(()));
            }
            Ordering::Less if self.bounds.range.empty_state => {
                self.skipped += 1;
                return Ok(Go::Continue(()));
            }
            Ordering::Less => {}
            Ordering::Equal => _ = self.view_before.get_or_insert_with(|| teller.views.clone()),
        }
        match teller.tell(placed)? {
            Ok(mut told) => {
                told.number += self.skipped;
                if teller.has_parted && self.first_difference.is_none() {
                    self.first_difference = Some(told.place.clone());
                }
                if at == Ordering::Equal {
                    self.shown.push(told, reached);
                }
                let is_last = self.all.is_some_and(|all| teller.events + self.skipped >= all);
                Ok(if is_last { Go::Break(()) } else { Go::Continue(()) })
            }
            Err((lane, stop)) => {
                let place = format!("{}:{}", placed.name, placed.offsets.at(0));
                let side = (prepared.lanes.len() > 1).then(|| named(prepared, lane));
                let side = side.map_or(String::new(), |side| format!(" in {side}"));
                self.stopped = Some(format!("a run stops{side} at {place}: {}", stop.cause));
                Ok(Go::Break(()))
            }
        }
    }
}

/// The events that are told.
struct Shown {
    told: VecDeque<Told>,
    each_side: usize,
    most: usize,
    /// Events behind the position so far.
    behind: Option<usize>,
}

impl Shown {
    fn new(options: &ExplainOptions) -> Self {
        let each_side = options.last.unwrap_or(AROUND);
        let most = match &options.around {
            Some(_) => each_side,
            None => options.last.unwrap_or(TOLD_MAX),
        };
        Self { told: VecDeque::new(), each_side, most, behind: None }
    }

    fn push(&mut self, told: Told, reached: bool) {
        if let Some(behind) = &mut self.behind {
            if *behind < self.each_side {
                *behind += 1;
                self.told.push_back(told);
            }
            return;
        }
        if reached {
            self.behind = Some(0);
            self.told.push_back(told);
            return;
        }
        self.told.push_back(told);
        while self.told.len() > self.most {
            self.told.pop_front();
        }
    }
}
