//! How a shard's share of a batch is folded, so that a reducer that never returns costs few
//! deadlines, and the same event is named for it whatever the threads do.
//!
//! ```text
//! every share --Hurried--> folded
//!                 |
//!                 a limit --> first_stop: the shares that are not folded, event by event in the
//!                               |         order of the log --> the first with which none goes on
//!                               none: each of them, Singly --> folded
//! ```
//!
//! Threads that fold at the same time hurry, so that all of their calls together take no more than
//! one deadline; what then is left to be found out is found by one alone.

use super::{Fault, Stop};

/// How a share is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// In one call that may take one of so many equal parts of a deadline; event by event if that
    /// traps or breaks the contract. A limit ends the attempt: [`Undone::Slow`].
    Hurried(u32),
    /// Event by event, each within the whole of a deadline. A limit that repeats is a stop.
    Singly,
}

impl Manner {
    /// Of how many equal parts of a deadline a call may take one.
    pub fn parts(self) -> u32 {
        match self {
            Self::Hurried(parts) => parts,
            Self::Singly => 1,
        }
    }
}

/// Why a share is not folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone<S = Stop> {
    /// The run cannot go on.
    Stopped(S),
    /// A limit was met in a hurry, and nothing was kept: whether it means anything is not known.
    /// With what an attempt event by event must know of the call for all.
    Slow(Option<Fault>),
}

impl<S> Undone<S> {
    /// The same, with another word for the stop.
    pub fn map<T>(self, stop: impl FnOnce(S) -> T) -> Undone<T> {
        match self {
            Self::Stopped(own) => Undone::Stopped(stop(own)),
            Self::Slow(fault) => Undone::Slow(fault),
        }
    }
}
