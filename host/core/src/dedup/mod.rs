//! Idempotency: which ids were seen, with which content, and for how long they are remembered.
//!
//! [`prints()`] hashes the events of a slab, each on its own; an [`IdTable`] per shard remembers.
//! What an id is, what content is and what forgetting means stands in docs/determinism.md.

mod content;
mod ids;
mod prints;
mod slots;

pub use ids::{IdTable, Remembered};
pub use prints::{Prints, prints};

use crate::log::Micros;

/// How long an id is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Window {
    /// For ever.
    #[default]
    All,
    /// Not at all: every event counts.
    Off,
    /// Until its key's highest time has moved more than this span beyond what it was when the id
    /// was seen.
    Span(Micros),
}

/// Whether an id was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was not, or it is forgotten: from now on it is seen.
    New,
    /// It was, with the same content.
    Duplicate,
    /// It was, with other content; the first stays.
    Conflict,
}
