//! Deterministic logs of order events: the demo's and the benchmark's. The same arguments give the
//! same bytes on every machine: whole numbers only, a small generator of our own, no clock.

mod random;

pub use random::Random;

/// What a log holds, and what a replay of it through the reducer `orders` must count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files, each a partition.
    pub files: u64,
    /// Their sizes together.
    pub bytes: u64,
    /// Lines.
    pub events: u64,
    /// Payments, refunds and chargebacks that count.
    pub applied: u64,
    /// Refunds larger than what was captured.
    pub rejected: u64,
    /// Lines that repeat one before.
    pub duplicates: u64,
    /// Lines with the id of one before and other content.
    pub conflicts: u64,
    /// Lines that cannot be read.
    pub malformed: u64,
    /// Events of types that no input knows.
    pub ignored: u64,
    /// Accounts with at least one event that counts.
    pub keys: u64,
}
