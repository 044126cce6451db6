//! Why a run could not begin, or could not finish.

use super::aside::AsideError;
use super::memory::Held;
use super::spill::SpillError;
use super::stopped::way_on;
use crate::compare::CompareError;
use crate::job::JobError;
use crate::ledger::LedgerError;
use crate::log::LogError;
use crate::range::RangeError;
use crate::sink::SinkError;
use crate::snapshot::SnapshotError;
use crate::store::StoreError;
use crate::threads::ThreadError;
use retally_core::decode::{DecodeError, PlanError};
use retally_core::digest::{BlockError, HistoryError, KeyTreeError};
use retally_core::log::Position;
use retally_core::manifest::{
    Change, Checked, CountsError, Hole, ManifestError, TotalsError, sentence,
};
use retally_core::reduce::{Fault, KeyFault, MigrateError};
use retally_sandbox::{LoadError, SandboxError};
use std::path::PathBuf;

/// Why a run could not begin, or could not finish. Each says what, where and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The job makes no sense.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A place cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger makes no sense.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The reducer's file cannot be read.
    #[error("cannot read the reducer {path}: {error}; build it with `retally reducer build`")]
    ReducerFile {
        /// Its file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is another reducer than the job asks for.
    #[error(
        "the reducer {path} has SHA-256 {found}, but {expected} is asked \
             for; name the component that has it with `--reducer`"
    )]
    OtherReducer {
        /// Its file.
        path: PathBuf,
        /// What was asked for.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The file is no reducer, or the machine cannot tell.
    #[error(
        "the reducer {path} {}: {error}",
        if .error.is_of_reducer() { "is refused" } else { "cannot be loaded" }
    )]
    Reducer {
        /// Its file.
        path: PathBuf,
        /// Why.
        error: LoadError,
    },
    /// A reducer that is not trusted, and nobody says in which process it is compiled.
    #[error(
        "the job says untrusted = true, so that its reducer is compiled in a process of its own, \
         and there is no way into one (`ReplayOptions::compiler_process`)"
    )]
    NoCompiler,
    /// The sandbox cannot be set up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The log cannot be found or read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The reducer and the job do not go together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A piece of the log cannot be decoded at all.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A snapshot cannot be loaded.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A state that the reducer did not take over.
    #[error("{error}, of snapshot {snapshot}; a run from the start of the log needs no such state")]
    Migrate {
        /// The snapshot that holds it.
        snapshot: String,
        /// Why.
        error: MigrateError,
    },
    /// States that were taken over, and are not what a replay gives.
    #[error(
        "of {keys} keys whose states were taken over {count} have another view than after a replay \
         of this version from the start; nothing was written:{}", .shown.concat()
    )]
    Migrated {
        /// Keys that were looked at.
        keys: usize,
        /// How many of them differ.
        count: usize,
        /// Some of these with both views, a line each.
        shown: Vec<String>,
    },
    /// States that were taken over, and a log that no longer has what they were made of.
    #[error(
        "states that were taken over cannot be held against a replay: the log reaches offset \
         {reached} of partition {}, the snapshot {}; leave --check-migrated out to go on unchecked",
        .at.partition, .at.offset
    )]
    NoReplay {
        /// What the snapshot reached.
        at: Position,
        /// What the log gave.
        reached: u64,
    },
    /// The newest snapshot is to be gone on from, and nothing says where snapshots lie.
    #[error(
        "no folder of snapshots to resume from; write url = \"file:snapshots/\" in [snapshots], or \
         name one with --snapshot"
    )]
    NoSnapshots,
    /// A snapshot that holds more of a partition than a limit gives.
    #[error(
        "snapshot {snapshot} holds more than the first {limit} events of partition {}, of which it \
         has taken all up to offset {}: a run with --limit {limit} cannot go on from it; name a \
         snapshot that holds less, raise the limit, or begin at the start of the log",
        .at.partition, .at.offset
    )]
    BeyondLimit {
        /// The snapshot.
        snapshot: String,
        /// Events of each partition that are asked for.
        limit: u64,
        /// What it has reached of a partition.
        at: Position,
    },
    /// A snapshot that holds what a range shall give, or what lies behind its end.
    #[error(
        "snapshot {snapshot} has taken partition {} up to offset {}, behind offset {bound} where \
         the range has to have its state; name a snapshot that holds less, or leave \
         --from-snapshot out", .at.partition, .at.offset
    )]
    BeyondRange {
        /// The snapshot.
        snapshot: String,
        /// What it has reached of a partition.
        at: Position,
        /// What it may have reached at most.
        bound: u64,
    },
    /// A range that cannot be taken.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The log is no longer what a snapshot took of it.
    #[error(transparent)]
    ChangedLog(Box<ChangedLog>),
    /// Everything of the log was taken already, so that nothing was run.
    #[error(transparent)]
    NothingNew(Box<NothingNew>),
    /// What came out cannot be kept.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The run stopped at an event.
    #[error(transparent)]
    Stopped(Box<Stopped>),
    /// The run stopped at a key's view or check.
    #[error(
        "cannot derive the results{}: the reducer's `view` or `check` fails: {fault}{}",
        .side.as_ref().map_or(String::new(), |side| format!(" in {side}")),
        key_hint(fault)
    )]
    Key {
        /// Of a comparison: which of the two sides.
        side: Option<String>,
        /// The key, and why.
        fault: Box<KeyFault>,
    },
    /// What the run holds no longer fits.
    #[error(
        "stopped after {events} events: states hold {}{}, ids {}, batches on their way {}, calls \
         at work {} and partitions {}, together above the limit of {} (host_memory); {advice}",
        size(.held.states),
        .largest.as_deref().map_or(String::new(), |(key, bytes)| {
            format!(" (the largest is that of key {key:?}, with {})", size(*bytes))
        }),
        size(.held.ids), size(.held.batches), size(.held.calls), size(.held.partitions),
        size(*.limit)
    )]
    HostMemory {
        /// Events read so far.
        events: u64,
        /// What it holds.
        held: Held,
        /// What it may hold together, in bytes.
        limit: usize,
        /// The key with the largest state, and the bytes of that.
        largest: Option<Box<(String, usize)>>,
        /// In how many passes it would; none: passes do not help.
        passes: Option<usize>,
        /// What to do.
        advice: String,
    },
    /// More passes than there can be.
    #[error("{passes} passes are more than {most}, which is as many as there can be")]
    Passes {
        /// How many were asked for.
        passes: usize,
        /// How many there can be.
        most: usize,
    },
    /// Nobody says where it is to be kept what passes came to.
    #[error(
        "several passes over the log need a folder of this machine to keep what they came to: name \
         one with --spill"
    )]
    NoSpill,
    /// What a pass came to cannot be kept.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// The events of later passes cannot be kept.
    #[error(transparent)]
    Aside(#[from] AsideError),
    /// A thread that was not given, or that panicked.
    #[error(transparent)]
    Thread(#[from] ThreadError),
    /// The machine did not give what a call needs.
    #[error("stopped: this machine did not give what the sandbox needs: {0}")]
    Machine(String),
    /// Two sides that cannot be compared, or not as asked.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A control total does not fit.
    #[error(transparent)]
    Totals(#[from] TotalsError),
    /// Somebody asked the run to stop.
    #[error("stopped on request; nothing that looks finished is left behind")]
    Cancelled,
    /// Something that cannot be, was.
    #[error("{0}: this is a fault of Retally; please report it")]
    Internal(String),
}

/// Bytes for a person: in MiB, and what is less than one in KiB.
pub(crate) fn size(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mib => format!("{mib} MiB"),
    }
}

/// A log of which nothing is new.
#[derive(Debug, thiserror::Error)]
#[error("nothing is new since snapshot {snapshot}: {objects} objects of the log are as they were")]
pub struct NothingNew {
    /// The snapshot.
    pub snapshot: String,
    /// Objects of the log that were taken.
    pub objects: usize,
    /// In what the log had changed earlier in the history, and was gone on with all the same.
    pub accepted: Vec<Change>,
    /// What no finished run has of the events before it.
    pub holes: Vec<Hole>,
    /// How closely the log was held against what was taken.
    pub checked: Checked,
}

/// A log that is no longer what a snapshot took of it.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: {}; {}go back to an older snapshot or the start (late = \"rewind\" in [source]), go on \
     all the same, which every report will say (--accept-changed-log), or replay from the start \
     into another folder of snapshots",
    if *.by_limit {
        format!(
            "snapshot {snapshot} was saved by a run with --limit, behind which nobody can go on in \
             this order"
        )
    } else {
        format!("the log is no longer what snapshot {snapshot} took of it")
    },
    sentence(.changes),
    if *.by_limit { "" } else { "put it back as it was, " }
)]
pub struct ChangedLog {
    /// The snapshot.
    pub snapshot: String,
    /// In what.
    pub changes: Vec<Change>,
    /// It is not the log that changed: a limit left a part of it, which is too late now.
    pub by_limit: bool,
}

/// The event at which a run stopped.
#[derive(Debug, thiserror::Error)]
#[error(
    "stopped{} at event {position} (key {key:?}, id {id:?}): {cause}{help}",
    .side.as_ref().map_or(String::new(), |side| format!(" in {side},"))
)]
pub struct Stopped {
    /// Where.
    pub position: Position,
    /// Of a comparison: which of the two sides.
    pub side: Option<String>,
    /// The event's key.
    pub key: String,
    /// The event's id.
    pub id: String,
    /// Why.
    pub cause: String,
    /// The event's bytes, the key's state before it, and what to do next, a line each.
    pub help: String,
}

/// Turns errors of the core that only a fault of ours can cause into [`RunError::Internal`].
macro_rules! internal {
    ($($error:ty),+) => {$(
        impl From<$error> for RunError {
            fn from(error: $error) -> Self {
                Self::Internal(error.to_string())
            }
        }
    )+};
}

impl From<KeyFault> for RunError {
    fn from(fault: KeyFault) -> Self {
        Self::Key { side: None, fault: Box::new(fault) }
    }
}

internal!(BlockError, KeyTreeError, HistoryError, CountsError, ManifestError);

impl RunError {
    /// The same error, of a side of a comparison.
    pub(super) fn on(self, named: String) -> Self {
        match self {
            Self::Key { fault, .. } => Self::Key { side: Some(named), fault },
            other => other,
        }
    }

    /// Whether what was asked to be checked is not so (exit code 1).
    pub fn is_check(&self) -> bool {
        matches!(self, Self::Migrated { .. })
    }

    /// Whether job, reducer or usage is to blame, so that nothing was run (exit code 2, else 3).
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Log(error) => error.is_usage(),
            Self::Compare(error) => error.is_usage(),
            Self::Sink(error) => error.is_usage(),
            Self::Store(error) => error.is_usage(),
            Self::Range(error) => error.is_usage(),
            Self::Reducer { error, .. } => error.is_of_reducer(),
            Self::Job(_)
            | Self::Ledger(_)
            | Self::ReducerFile { .. }
            | Self::OtherReducer { .. }
            | Self::NoCompiler
            | Self::NoSnapshots
            | Self::Passes { .. }
            | Self::NoSpill
            | Self::BeyondLimit { .. }
            | Self::BeyondRange { .. }
            | Self::Plan(_) => true,
            _ => false,
        }
    }
}

/// What to do about a key whose results cannot be derived.
fn key_hint(fault: &KeyFault) -> String {
    let key = fault.key.as_ref().map(|(key, _)| String::from_utf8_lossy(key).into_owned());
    let look = key.map(|key| format!("look at its history with `retally explain {key}`"));
    let on = match fault.fault {
        Fault::Limit { which, .. } => Some(way_on(which)),
        _ => None,
    };
    let hints: Vec<String> = look.into_iter().chain(on).collect();
    if hints.is_empty() { String::new() } else { format!("\nhint: {}", hints.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_told_in_kib_below_one_mib() {
        let held = Held { states: 300 << 10, ids: 3 << 20, partitions: 1, ..Held::default() };
        let largest = Some(Box::new(("k".to_owned(), 200 << 10)));
        let advice = "more".to_owned();
        let error = RunError::HostMemory {
            events: 7,
            held,
            limit: 512 << 10,
            largest,
            passes: None,
            advice,
        };
        assert_eq!(
            error.to_string(),
            "stopped after 7 events: states hold 300 KiB (the largest is that of key \"k\", with \
             200 KiB), ids 3 MiB, batches on their way 0 KiB, calls at work 0 KiB and partitions \
             0 KiB, together above the limit of 512 KiB (host_memory); more"
        );
    }
}
