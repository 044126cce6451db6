//! A place to measure from: the fold tells which step it begins, and knows no clock itself.

/// A step of a shard's fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
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
    /// A step begins; none: the fold of this shard ends.
    fn enter(&mut self, step: Option<Step>);
}

/// Looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn enter(&mut self, _step: Option<Step>) {}
}
