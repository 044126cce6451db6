//! Where the time of a run goes, stage by stage.

use crate::clock::Stopwatch;
use retally_core::reduce::{Probe, Step};
use std::time::Duration;

/// A stage of the way of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Bytes in, decompressed and cut into lines or rows.
    Read,
    /// Lines or rows to columns.
    Decode,
    /// Keyed hashes, shards.
    Hash,
    /// Order, subset, ids seen.
    Dedup,
    /// Grouping by key, keeping states.
    State,
    /// The reducer's own time, crossing included.
    Sandbox,
    /// Two sides held against each other.
    Compare,
    /// Back to log order.
    Merge,
    /// Answer digests.
    Digest,
    /// Files out.
    Write,
}

/// What they are called, in their order.
const STAGES: [&str; 10] =
    ["read", "decode", "hash", "dedup", "state", "sandbox", "compare", "merge", "digest", "write"];

/// Time spent in each stage, summed over threads, and in how many batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stages {
    pub(crate) batches: u64,
    spent: [Duration; STAGES.len()],
    step: Option<(Step, Stopwatch)>,
}

impl Stages {
    /// Does `work` and counts its time.
    pub(crate) fn time<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let result = work();
        self.spent[stage as usize] += watch.elapsed();
        result
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.batches += other.batches;
        for (into, from) in self.spent.iter_mut().zip(&other.spent) {
            *into += *from;
        }
    }

    /// Names and seconds.
    pub(crate) fn seconds(&self) -> Vec<(&'static str, f64)> {
        let spent = self.spent.iter().map(Duration::as_secs_f64);
        STAGES.into_iter().zip(spent).collect()
    }
}

impl Probe for Stages {
    fn enter(&mut self, step: Option<Step>) {
        let next = step.map(|step| (step, Stopwatch::start()));
        if let Some((step, watch)) = std::mem::replace(&mut self.step, next) {
            let stage = match step {
                Step::Decode => Stage::Decode,
                Step::Hash => Stage::Hash,
                Step::Judge => Stage::Dedup,
                Step::Gather | Step::Keep => Stage::State,
                Step::Call => Stage::Sandbox,
                Step::Compare => Stage::Compare,
            };
            self.spent[stage as usize] += watch.elapsed();
        }
    }
}
