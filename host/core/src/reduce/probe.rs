//! A place to measure from: the fold tells which step it begins, and knows no clock itself.

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
}

/// Looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn enter(&mut self, _step: Option<Step>) {}
}
