//! What a run holds beside its reducers' instances, and when that is too much: a run stops before
//! the machine swaps, or the system kills it without a word.
//!
//! Looked at whenever something has grown: after every piece that is read or decoded, before and
//! after every call, and after every shard's share of a batch, so that neither a long batch nor a
//! state that grows within one comes far beyond the limit: by no more than what the calls at work
//! return, each of which is bounded by the memory of an instance.

use super::error::RunError;
use super::lane::{Lanes, Pair, lock};
use super::stages::Stages;
use crate::limits::PARTITION_BYTES;
use retally_core::dedup::Window;
use retally_core::log::Micros;
use retally_core::portion::Portion;
use retally_core::reduce::{Probe, Step};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a run may hold, and what of it no lane tells.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    window: Window,
    partitions: usize,
    /// Bytes of what is on its way: read, decoded, folded and not committed.
    batches: AtomicUsize,
    /// Bytes that the calls at work take and return.
    calls: AtomicUsize,
}

/// What a run holds, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Keys and their states.
    pub states: usize,
    /// Ids.
    pub ids: usize,
    /// What is on its way between reading and commit.
    pub batches: usize,
    /// What calls of reducers that have not ended took in and returned.
    pub calls: usize,
    /// What is kept of every partition.
    pub partitions: usize,
}

impl Held {
    /// All of it.
    pub fn all(&self) -> usize {
        self.states + self.ids + self.batches + self.calls + self.partitions
    }

    /// How many passes, each over a portion of the keys, would hold at most `limit`, where one of
    /// `now` passes held this after a `share` of the log; none: nobody can tell, or what would not
    /// become less is all of it. `saves`: a snapshot is saved, for which keys and ids are copied
    /// while they are held.
    pub(crate) fn passes(
        &self,
        limit: usize,
        share: f64,
        now: usize,
        saves: bool,
    ) -> Option<usize> {
        let copies = 1 + usize::from(saves);
        let of_keys = (self.states + self.ids) * copies;
        let rest = self.batches + self.calls + self.partitions;
        // A tenth stays free for growth, and for what shards differ.
        let room = limit as f64 * 0.9 - rest as f64;
        let passes = (now as f64 * of_keys as f64 / share / room).ceil();
        let fits = room > 0.0 && passes <= Portion::MAX as f64;
        fits.then_some((passes as usize).max(now + 1)).filter(|&passes| passes <= Portion::MAX)
    }
}

impl Memory {
    pub(crate) fn new(limit: usize, window: Window, partitions: usize) -> Self {
        let partitions = partitions * PARTITION_BYTES;
        let [batches, calls] = [const { AtomicUsize::new(0) }; 2];
        Self { limit, window, partitions, batches, calls }
    }

    /// What may be held.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Notes what is on its way now.
    pub(crate) fn note_batches(&self, bytes: usize) {
        self.batches.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn held(&self, lanes: &Lanes) -> Held {
        let mut held = Held {
            states: lanes.pair().map_or(0, Pair::bytes),
            ids: 0,
            batches: self.batches.load(Ordering::Relaxed),
            calls: self.calls.load(Ordering::Relaxed),
            partitions: self.partitions,
        };
        for (states, ids) in lanes.iter().map(|lane| lane.bytes()) {
            held.states += states;
            held.ids += ids;
        }
        held
    }

    /// Checks what is held now. `events`: read so far.
    ///
    /// # Errors
    /// [`RunError::HostMemory`] when it is above the limit.
    pub(crate) fn check(&self, lanes: &Lanes, events: u64) -> Result<(), RunError> {
        let held = self.held(lanes);
        if held.all() <= self.limit {
            return Ok(());
        }
        let advice = self.advice(held, lanes[0].times());
        let limit = self.limit;
        let (largest, passes) = (None, None);
        Err(RunError::HostMemory { events, held, limit, largest, passes, advice })
    }

    /// What would help against what has grown most.
    fn advice(&self, held: Held, (first, last): (Micros, Micros)) -> String {
        let Held { states, ids, batches, calls, partitions } = held;
        let most = states.max(ids).max(batches).max(calls).max(partitions);
        if most == states {
            "a state that grows without end is the reducer's to mend; else raise [limits] \
             host_memory, or replay a part of the keys with --keys"
                .into()
        } else if most == batches {
            "events on their way need it: let fewer be so with --batch and --threads, or raise \
             [limits] host_memory"
                .into()
        } else if most == calls {
            "states that grow fast are the reducer's to mend; else let fewer events be in a call \
             with --batch and --threads, or raise [limits] host_memory"
                .into()
        } else if most == partitions {
            "there are very many partitions: put the log into fewer and larger files, or raise \
             [limits] host_memory"
                .into()
        } else {
            let room = self.limit.saturating_sub(held.all() - ids);
            self.window_advice(room, ids, (first, last))
        }
    }

    /// Which window would fit.
    fn window_advice(&self, room: usize, ids: usize, (first, last): (Micros, Micros)) -> String {
        let seen = last.saturating_sub(first).max(0);
        let held = match self.window {
            Window::Span(span) => span.min(seen),
            Window::All | Window::Off => seen,
        };
        // Ids are taken to come evenly over the time seen; a tenth stays free for growth.
        let fits = held as f64 * room as f64 / ids.max(1) as f64 * 0.9;
        format!(
            "raise [limits] host_memory, or remember ids for a shorter time: about [dedup] window \
             = \"{}\" would fit",
            span(fits as Micros)
        )
    }
}

/// Tells a run's memory what the calls of one share hold, and its stages where the time goes.
pub(crate) struct Weighed<'a> {
    pub stages: &'a mut Stages,
    pub memory: &'a Memory,
    pub lanes: &'a Lanes,
    /// Events read so far.
    pub events: u64,
    /// What the calls of this share hold.
    pub held: usize,
    /// Why the run is over, if a call holds too much.
    pub over: Option<RunError>,
}

impl Probe for Weighed<'_> {
    fn enter(&mut self, step: Option<Step>) {
        self.stages.enter(step);
        if step.is_none() {
            self.memory.calls.fetch_sub(std::mem::take(&mut self.held), Ordering::Relaxed);
        }
    }

    fn grows(&mut self, bytes: usize) -> bool {
        self.held += bytes;
        self.memory.calls.fetch_add(bytes, Ordering::Relaxed);
        self.over = self.over.take().or(self.memory.check(self.lanes, self.events).err());
        self.over.is_none()
    }
}

/// The key with the largest state, and its bytes: asked once no thread folds.
pub(crate) fn largest(lanes: &Lanes) -> Option<(String, usize)> {
    let of_shard = |shard: &std::sync::Mutex<retally_core::reduce::Shard>| {
        let shard = lock(shard);
        let slot = shard.keys.with_state().max_by_key(|&slot| shard.keys.state(slot).len())?;
        let key = String::from_utf8_lossy(shard.keys.key(slot)).into_owned();
        Some((key, shard.keys.state(slot).len()))
    };
    lanes.iter().flat_map(|lane| &lane.shards).filter_map(of_shard).max_by_key(|(_, bytes)| *bytes)
}

/// A span as the job file writes it, rounded down.
fn span(micros: Micros) -> String {
    let seconds = micros / 1_000_000;
    match seconds {
        s if s >= 2 * 86_400 => format!("{}d", s / 86_400),
        s if s >= 2 * 3_600 => format!("{}h", s / 3_600),
        s if s >= 120 => format!("{}m", s / 60),
        s => format!("{}s", s.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: usize = 1 << 30;
    const DAY: Micros = 86_400_000_000;

    fn advice(held: Held) -> String {
        Memory::new(GIB, Window::All, 0).advice(held, (0, 40 * DAY))
    }

    #[test]
    fn passes_are_as_many_as_make_room() {
        let held = Held { states: GIB / 2, ids: GIB / 2, batches: GIB / 10, ..Held::default() };
        // A fifth of the log: 5 GiB in all, into 0.8 GiB; of two passes, half of the keys.
        assert_eq!(held.passes(GIB, 0.2, 1, false), Some(7));
        assert_eq!(held.passes(GIB, 0.2, 2, false), Some(13));
        // Keys and ids twice, the rest once.
        assert_eq!(held.passes(GIB, 0.2, 1, true), Some(13));
        // More than there were, whatever the log says of its size.
        assert_eq!(Held { states: 1, ..Held::default() }.passes(GIB, 1.0, 3, false), Some(4));
        assert_eq!(held.passes(GIB, 0.0, 1, false), None);
        assert_eq!(Held { batches: GIB, ..held }.passes(GIB, 0.5, 1, false), None);
        assert_eq!(held.passes(GIB, 1e-9, 1, false), None);
    }

    #[test]
    fn the_advice_is_about_what_has_grown_most() {
        // Half of it is left for ids, a tenth of that stays free: 40 days / 2 * 0.9.
        let half = Held { ids: GIB / 2, ..Held::default() };
        let states = Held { states: GIB / 2, ids: GIB, ..Held::default() };
        assert!(advice(states).contains("window = \"18d\""));
        assert!(advice(Held { states: GIB, ..half }).contains("--keys"));
        assert!(advice(Held { batches: GIB, ..half }).contains("--batch"));
        assert!(advice(Held { calls: GIB, ..half }).contains("events be in a call"));
        assert!(advice(Held { partitions: GIB, ..half }).contains("larger files"));
    }
}
