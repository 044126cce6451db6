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
    /// The machine did not give what a call needs.
    #[error("this machine did not give what the sandbox needs: {message}")]
    Machine {
        /// What it refused.
        message: String,
    },
    /// More than the lists of a call can hold.
    #[error("the {what} of the events of one shard in a batch are more than 4 GiB together")]
    TooMuch {
        /// Of what.
        what: &'static str,
    },
    /// The run was over before the call returned: another stop tells why.
    #[error("the run was over before the call returned")]
    Halted,
}

impl StopCause {
    /// Why no call can help any more, whatever of the batch it is about.
    pub(super) fn beyond_calls(fault: &Fault) -> Option<Self> {
        match fault {
            Fault::Machine { message } => Some(Self::Machine { message: message.clone() }),
            Fault::Halted => Some(Self::Halted),
            Fault::Trap { .. } | Fault::Limit { .. } | Fault::Contract { .. } => None,
        }
    }

    /// Whether it depends on the machine or the batch and not on the log: then which stop is the
    /// first of all does not matter, and the others need not be waited for.
    pub fn is_of_machine(&self) -> bool {
        matches!(
            self,
            Self::Limit { .. } | Self::Machine { .. } | Self::TooMuch { .. } | Self::Halted
        )
    }
}
