//! Idempotency: which ids were seen, with which content, and for how long they are remembered.

use crate::log::Micros;

/// How long an id is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// For ever.
    All,
    /// Not at all: every event counts.
    Off,
    /// Until its key's highest time has moved more than this span beyond what it was when the id was
    /// seen.
    Span(Micros),
}
