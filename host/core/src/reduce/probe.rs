//! A place to measure from: the fold tells which step it begins and how much it holds, and knows
//! neither clock nor limit itself.

/// A step of the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Lines or rows to columns.
    Decode,
    /// Keyed hashes, sorting into shards.
    Hash,
    /// Order, subset, quarantine, de-duplication.
    Judge,
    /// Grouping by key.
    Gather,
    /// The reducer's call.
    Call,
    /// Keeping what it returned.
    Keep,
    /// Holding two sides against each other.
    Compare,
}

/// Told of every step.
pub trait Probe {
    /// A step begins; none: this piece of the fold ends.
    fn enter(&mut self, step: Option<Step>);

    /// What this piece of the fold holds beside its shard, until it ends, grows by so many bytes.
    /// False: that is too much for the run, which is over by that.
    fn grows(&mut self, bytes: usize) -> bool {
        let _ = bytes;
        true
    }
}

/// Looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn enter(&mut self, _step: Option<Step>) {}
}
