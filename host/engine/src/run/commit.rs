//! What is done with each batch in the order of the log: compared, counted and handed on; and the
//! memory of states and ids is watched.

use super::error::RunError;
use super::lane::{Lane, Pair, lock};
use super::prepare::Prepared;
use super::replay::Progress;
use super::results::Results;
use super::sequence::Extent;
use super::stages::{Stage, Stages};
use crate::compare::CompareError;
use crate::log::Reached;
use retally_compare::{SideStretch, Tally};
use retally_core::dedup::Window;
use retally_core::log::Micros;
use retally_core::reduce::Block;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

pub(crate) struct Committer<'a> {
    prepared: &'a Prepared<'a>,
    memory: Watch,
    /// Of each lane.
    results: Vec<Mutex<Results<'a>>>,
    /// What a comparison counts.
    tally: Option<Mutex<Tally>>,
}

impl<'a> Committer<'a> {
    /// Everything that can be refused is refused: from here on sinks may write.
    pub(crate) fn begin(
        prepared: &'a Prepared<'a>,
        mut results: Vec<Results<'a>>,
        tally: Option<Tally>,
    ) -> Result<Self, RunError> {
        let begun = results.iter_mut().try_for_each(|results| results.begin(&prepared.names));
        begun.inspect_err(|_| results.iter_mut().for_each(|results| results.sink.abandon()))?;
        Ok(Self {
            prepared,
            memory: Watch { limit: prepared.host_memory_bytes, window: prepared.job.window },
            results: results.into_iter().map(Mutex::new).collect(),
            tally: tally.map(Mutex::new),
        })
    }

    /// The results of a lane, once no thread folds.
    pub(crate) fn one(&mut self, lane: usize) -> &mut Results<'a> {
        self.results[lane].get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The results of both sides of a comparison, once no thread folds.
    pub(crate) fn both(&mut self) -> Option<[&mut Results<'a>; 2]> {
        let [a, b] = self.results.as_mut_slice() else { return None };
        Some([a, b].map(|own| own.get_mut().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Whether a sink takes blocks and keys.
    pub(crate) fn takes_results(&self) -> bool {
        self.results.iter().any(|results| lock(results).takes.results)
    }

    /// The pass failed.
    pub(crate) fn abandon(&mut self) {
        self.results.iter().for_each(|results| lock(results).sink.abandon());
    }

    /// What a comparison counted.
    pub(crate) fn tally(&mut self) -> Option<Tally> {
        let tally = self.tally.take()?;
        Some(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn watch(&self, events: u64) -> Result<(), RunError> {
        let lanes = &self.prepared.lanes;
        let (mut keys, mut ids) = (lanes.pair().map_or(0, Pair::bytes), 0);
        for (own_keys, own_ids) in lanes.iter().map(Lane::bytes) {
            keys += own_keys;
            ids += own_ids;
        }
        self.prepared.observer.progress(&Progress {
            events,
            bytes: self.prepared.bytes_read.load(Ordering::Relaxed),
            bytes_total: self.prepared.source.bytes(),
            memory: (keys + ids) as u64,
        });
        self.memory.check(keys, ids, events, lanes[0].times())
    }

    /// Takes the outcomes of the next batch, one block for each lane.
    pub(crate) fn blocks(&self, blocks: Vec<Block>, stages: &mut Stages) -> Result<(), RunError> {
        if let (Some(tally), [a, b]) = (&self.tally, blocks.as_slice()) {
            let sides = [&SideStretch::of(a), &SideStretch::of(b)];
            let tallied = stages.time(Stage::Compare, || lock(tally).stretch(sides, &mut |_| {}));
            tallied.map_err(CompareError::from)?;
        }
        let mut events = 0;
        for (results, block) in self.results.iter().zip(blocks) {
            events = lock(results).block(block, stages)?;
        }
        self.watch(events)
    }

    /// A point to go on from: every batch so far was taken, and none behind is folded.
    pub(crate) fn commit(&self, extents: &[Extent]) -> Result<(), RunError> {
        if !self.results.iter().any(|results| lock(results).takes.commits) {
            return Ok(());
        }
        let Prepared { source, names, lanes, options, .. } = self.prepared;
        let reached = |extent: &Extent| Reached { next: extent.next, bytes: extent.bytes };
        let reached: Vec<Reached> = extents.iter().map(reached).collect();
        let receipts = source.receipts(&reached, options.threads())?;
        for (results, lane) in self.results.iter().zip(lanes.iter()) {
            lock(results).commit(lane, names, extents, &receipts)?;
        }
        Ok(())
    }
}

/// Watches the memory of states, and of ids within the window: a run stops before the machine
/// swaps.
#[derive(Debug)]
struct Watch {
    limit: usize,
    window: Window,
}

impl Watch {
    /// Checks what is held now: `keys` and `ids` in bytes, `times` the first and last time of
    /// events.
    ///
    /// # Errors
    /// [`RunError::HostMemory`] when both together are above the limit.
    fn check(
        &self,
        keys: usize,
        ids: usize,
        events: u64,
        times: (Micros, Micros),
    ) -> Result<(), RunError> {
        if keys + ids <= self.limit {
            return Ok(());
        }
        let advice = self.advice(keys, ids, times);
        Err(RunError::HostMemory { events, keys, ids, limit: self.limit, advice })
    }

    /// Which window would fit, if a window can help.
    fn advice(&self, keys: usize, ids: usize, (first, last): (Micros, Micros)) -> String {
        let room = self.limit.saturating_sub(keys);
        if self.window == Window::Off || room < self.limit / 10 {
            return "the states alone need it: raise [limits] host_memory, or replay a part of the \
                    keys with --keys"
                .into();
        }
        let seen = last.saturating_sub(first);
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

    #[test]
    fn the_message_names_a_window_that_would_fit() {
        let watch = Watch { limit: GIB, window: Window::All };
        assert!(watch.check(GIB / 4, GIB / 4, 1, (0, 40 * DAY)).is_ok());
        let error = watch.check(GIB / 2, GIB, 1_000, (0, 40 * DAY)).unwrap_err().to_string();
        assert!(error.contains("window = \"18d\""), "{error}");
    }

    #[test]
    fn no_window_is_named_where_none_helps() {
        let watch = Watch { limit: GIB, window: Window::All };
        let error = watch.check(GIB, GIB / 2, 1_000, (0, DAY)).unwrap_err().to_string();
        assert!(error.contains("--keys"), "{error}");
    }
}
