//! Why a fold cannot go on. Never the fault of an event that is fine: those folded before keep
//! their results, and a snapshot before the stop stays good.

use super::{Fault, Limit};
use crate::log::PartitionIndex;

/// The first event with which a run cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The event's number in the batch.
    pub event: u32,
    /// Why.
    pub cause: StopCause,
}

/// Why a run cannot go on; a fragment that fits behind the event's position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopCause {
    /// Order "log": the key of the event was seen in another partition.
    #[error("its key was seen in another partition before")]
    KeyInTwoPartitions {
        /// Where it was seen first.
        first: PartitionIndex,
    },
    /// `on_conflict = "stop"`.
    #[error(
        "its key and id were seen before with other content, and the job says on_conflict = \
         \"stop\""
    )]
    Conflict,
    /// An entry in the ledger is about another event.
    #[error("the ledger quarantines it as {name} {said:?}, but its {name} is {found:?}")]
    OtherEvent {
        /// `key` or `id`.
        name: &'static str,
        /// What the entry says.
        said: String,
        /// What the event has.
        found: String,
    },
    /// The event makes the reducer trap, every time.
    #[error("the reducer traps on it: {message}")]
    Trap {
        /// The panic's message, or the name of the trap.
        message: String,
        /// The key's state before the event.
        state: Vec<u8>,
    },
    /// A trap that a fresh instance does not repeat.
    #[error(
        "the reducer trapped ({message}), but a fresh instance does not: it keeps something \
         between calls, so its results cannot be trusted"
    )]
    Unrepeatable {
        /// The message of the trap.
        message: String,
    },
    /// The event meets a limit, every time.
    #[error("the reducer meets its {which} limit on it: {message}")]
    Limit {
        /// Which.
        which: Limit,
        /// For a person.
        message: String,
        /// The key's state before the event.
        state: Vec<u8>,
    },
    /// The reducer returned what its contract forbids.
    #[error("{message}")]
    Contract {
        /// What is wrong.
        message: String,
    },
    /// No instance could be made.
    #[error("no instance of the reducer starts: {0}")]
    Open(Fault),
}
