//! What whoever starts a replay says beside the job.

use super::decodes::Decodes;
use super::error::RunError;
use super::passes::Passes;
use crate::cancel::Cancel;
use crate::limits::{BATCH_EVENTS, CHUNK_BYTES, SPLIT_BYTES, THREADS_MAX};
use crate::log::Log;
use crate::range::Bound;
use crate::store::Folder;
use retally_core::subset::Sample;
use retally_sandbox::{Compiler, CompilerProcess, LogSink};
use std::path::PathBuf;
use std::sync::Arc;

/// What of a replay is not the job's: how it is done, and which part of the log it takes.
#[derive(Clone)]
pub struct ReplayOptions {
    /// Threads that share the work, at least one and at most [`THREADS_MAX`].
    pub threads: usize,
    /// What a run may hold where the job sets no limit, in bytes: states, ids, partitions, and what
    /// is on its way, but not the instances of reducers, of which every thread has one.
    /// None: as much as there is, so whoever embeds the engine should tell what its machine or
    /// container allows.
    pub host_memory_bytes: Option<u64>,
    /// Events of a batch: decides where snapshots lie and how much memory is on its way, no result.
    pub batch_events: u64,
    /// Only these keys.
    pub keys: Option<Vec<String>>,
    /// Only a share of all keys; not together with `keys`.
    pub sample: Option<Sample>,
    /// Only the first so many events of each partition.
    pub limit: Option<u64>,
    /// Where outputs begin; state never does: what lies before is replayed for the state that it
    /// leaves, from a snapshot if there is one.
    pub from: Option<Bound>,
    /// The first event that is not taken; none: to the end of the log.
    pub to: Option<Bound>,
    /// Begin at `from` with no state, whatever lies before.
    pub empty_state: bool,
    /// Go on from a snapshot: a folder of snapshots (its newest) or one snapshot in it.
    pub from_snapshot: Option<String>,
    /// Go on from the newest snapshot that fits in the folder in which this run saves its own; from
    /// the start if there is none. Where nothing is new, nothing is run
    /// ([`RunError::NothingNew`]).
    pub resume: bool,
    /// Hold every byte that the snapshot took of the log against what is there, and not only
    /// versions and edges.
    pub recheck: bool,
    /// Go on from a snapshot though the log is no longer what was taken of it.
    pub accept_changed_log: bool,
    /// Take states over that an older version of the reducer made.
    pub migrate: bool,
    /// Of so many keys the views of states that were taken over must be those of a replay from the
    /// start of the log.
    pub check_migrated: u64,
    /// In how many passes the log is folded: in each a part of the keys is held. Changes no result.
    /// A comparison has one.
    pub passes: Passes,
    /// Whether every pass reads the log; if not, the first puts the events of the others into
    /// files, unless there are so many passes that these would be too many.
    pub reread: bool,
    /// The folder of this machine in which it is kept what passes came to until the last one is
    /// done, and the events of passes that do not read the log; none: the one around the run
    /// directory.
    pub spill: Option<PathBuf>,
    /// Save a snapshot at the end to this URL, whatever the job says.
    pub snapshot: Option<String>,
    /// Whether the input description has a SHA-256 of every object.
    pub attest: bool,
    /// Bytes that a reader of lines asks for at a time; changes no result.
    pub chunk_bytes: usize,
    /// An object with more bytes is read in several parts, where it can be; changes no result.
    pub split_bytes: u64,
    /// Whether partitions are folded as they come, where the job's order lets them, and not one
    /// after another; changes no result.
    pub as_they_come: bool,
    /// What was decoded of this log for this job and this subset of keys, and is kept for a replay
    /// that does so once more; changes no result.
    pub decodes: Option<Arc<Decodes>>,
    /// The log, in place of the one that the job names.
    pub input: Option<Arc<dyn Log>>,
    /// Asked by somebody else when the run shall stop: it ends at once, also while it waits for its
    /// log.
    pub cancel: Cancel,
    /// How reducers are compiled; changes no result.
    pub compiler: Compiler,
    /// A number from which bytes are drawn that a reducer's memory holds where it may expect
    /// nothing; none: zeros. Changes no result.
    pub garbage: Option<u64>,
    /// Another process in which a reducer is compiled that the job does not trust; none: there is
    /// none, and such a job is refused.
    pub compiler_process: Option<CompilerProcess>,
    /// Folder for compiled reducers; none: they are compiled each time.
    pub cache: Option<PathBuf>,
    /// Where lines that a reducer logs go, and what is to be told of its compiled code: to a
    /// person, never into a result.
    pub log: LogSink,
    /// The command as it was given, for the audit.
    pub command: Vec<String>,
    /// The run directory; none: a new one in the job's output folder.
    pub dir: Option<Folder>,
    /// Whether the run directory may take the place of one that was never finished.
    pub replace: bool,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            host_memory_bytes: None,
            batch_events: BATCH_EVENTS,
            keys: None,
            sample: None,
            limit: None,
            from: None,
            to: None,
            empty_state: false,
            from_snapshot: None,
            resume: false,
            recheck: false,
            accept_changed_log: false,
            migrate: false,
            check_migrated: 0,
            passes: Passes::default(),
            reread: false,
            spill: None,
            snapshot: None,
            attest: false,
            cancel: Cancel::default(),
            chunk_bytes: CHUNK_BYTES,
            split_bytes: SPLIT_BYTES,
            as_they_come: false,
            decodes: None,
            input: None,
            compiler: Compiler::default(),
            garbage: None,
            compiler_process: None,
            cache: None,
            log: Arc::new(|_| {}),
            command: Vec::new(),
            dir: None,
            replace: false,
        }
    }
}

impl ReplayOptions {
    pub(crate) fn threads(&self) -> usize {
        self.threads.clamp(1, THREADS_MAX)
    }

    /// The process in which a reducer is compiled; none: this one.
    pub(crate) fn process_for(&self, untrusted: bool) -> Result<Option<CompilerProcess>, RunError> {
        match &self.compiler_process {
            None if untrusted => Err(RunError::NoCompiler),
            process => Ok(process.clone().filter(|_| untrusted)),
        }
    }

    /// Whether a part of the log was asked for.
    pub(crate) fn is_part(&self) -> bool {
        self.limit.is_some() || self.from.is_some() || self.to.is_some()
    }
}
