//! Where what a pass over a log gives goes: the seam on its way out, as the log is on its way in.
//!
//! ```text
//! check -> begin -> block, commit, block, ... -> stateless -> keys, ... -> close -> end -> commit
//!                   in log order                 in byte order                      or: abandon
//! ```
//!
//! A run directory is a sink ([`RunDir`]), a folder of snapshots is one ([`Snapshots`]: a snapshot
//! is a commit), memory is one ([`Memory`]: Arrow batches); several are one too (a `Vec` of them).
//! Whoever embeds the engine gives one of his own. No sink decides a result: digests and counts are
//! made before it is asked.

mod folders;
mod memory;
#[cfg(test)]
mod tests;

pub use folders::{RunDir, Snapshots};
pub use memory::{Memory, Tables};

use crate::rundir::RunDirError;
use crate::snapshot::{Run, SnapshotError, SnapshotRef, gathered};
use crate::store::Folder;
use retally_core::digest::{History, Trees};
use retally_core::log::Reach;
use retally_core::manifest::{Manifest, RunFile};
use retally_core::reduce::{Block, Finals};
use retally_core::schema::Description;
use retally_core::snapshot::{Head, Piece};
use std::error::Error;

/// Takes what a pass gives, in the order that the module shows. What it cannot do is an error: then
/// the pass is over, and the sink is told to [`abandon`](Sink::abandon).
pub trait Sink: Send {
    /// What it takes: nothing else is made for it.
    fn takes(&self) -> Takes;

    /// Whether it could begin. Makes nothing: a pass begins to write when everything that can be
    /// refused was refused, here and elsewhere.
    fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }

    /// The pass begins.
    fn begin(&mut self, _beginning: &Beginning<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    /// What became of the next events, in log order.
    fn block(&mut self, _block: Block) -> Result<(), SinkError> {
        Ok(())
    }

    /// A point to go on from: everything so far is in order. Gives the names of what was saved.
    fn commit(&mut self, _commit: &Commit) -> Result<Vec<String>, SinkError> {
        Ok(Vec::new())
    }

    /// The same where several passes came to it, each over a portion of all keys: what a commit
    /// holds comes in parts, each of them piece by piece, of which no more need be read than is
    /// wanted. Unless a sink says what it does with that, all of it is put into one commit, as one
    /// pass would give it: each key once.
    fn commit_runs(
        &mut self,
        head: &Head,
        runs: &mut [&mut dyn Run],
    ) -> Result<Vec<String>, SinkError> {
        self.commit(&Commit { head: head.clone(), pieces: gathered(head, runs)? })
    }

    /// The keys that have events and no state, in byte order, and where those lie.
    fn stateless(&mut self, _keys: &[(Vec<u8>, Reach)]) -> Result<(), SinkError> {
        Ok(())
    }

    /// The next keys with a state, in byte order, and all that is known of them.
    fn keys(&mut self, _keys: Finals) -> Result<(), SinkError> {
        Ok(())
    }

    /// Nothing comes any more but the manifest. Gives the files that were made, for it.
    fn close(&mut self, _trees: &Trees) -> Result<Vec<RunFile>, SinkError> {
        Ok(Vec::new())
    }

    /// What the manifest is to hold under `control`, so that what was kept can be read.
    fn control(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// The folder in which it keeps a finished run; none: there is no such.
    fn run_dir(&self) -> Option<Folder> {
        None
    }

    /// The pass failed: what was kept may not look finished. What was committed stays. Where it is
    /// begun anew, as several passes, the sink begins once more.
    fn abandon(&mut self) {}

    /// The pass is complete.
    fn end(&mut self, _end: &End<'_>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// What a sink takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Takes {
    /// Blocks, with the bytes of refused events, and keys.
    pub results: bool,
    /// Where each key's events lie.
    pub places: bool,
    /// Commits.
    pub commits: bool,
}

/// What is known when a pass begins.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'a> {
    /// What the reducer declares.
    pub description: &'a Description,
    /// The partitions' names, in the order of the pass's numbers.
    pub partitions: &'a [String],
    /// The outcome trees of what lies before: in a snapshot, or replayed in front of a range; none:
    /// the pass begins a history.
    pub history: Option<&'a [History]>,
    /// The snapshot from which the pass goes on.
    pub snapshot: Option<&'a SnapshotRef>,
}

/// A point to go on from: a snapshot as it would be saved here.
#[derive(Debug)]
pub struct Commit {
    /// What stands at its top.
    pub head: Head,
    /// The keys that changed and the ids that came since the commit before, or since the pass
    /// began.
    pub pieces: Vec<Piece>,
}

/// A complete pass.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// The trees over the keys.
    pub trees: &'a Trees,
    /// What ran, on what, with what result.
    pub manifest: &'a Manifest,
    /// What varies from run to run, as lines of JSON.
    pub audit: &'a str,
}

/// Why a sink could not take something.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A run directory.
    #[error(transparent)]
    RunDir(Box<RunDirError>),
    /// A snapshot.
    #[error(transparent)]
    Snapshot(Box<SnapshotError>),
    /// More came out than may be kept in memory.
    #[error(
        "the results are larger than {0} bytes, which is all that they may take in memory; allow \
         more, or write them into a run directory"
    )]
    TooLarge(usize),
    /// A sink of somebody else.
    #[error(transparent)]
    Own(Box<dyn Error + Send + Sync>),
}

impl SinkError {
    /// Whether the place that was named for a run or for snapshots is to blame, so that nothing was
    /// run.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::RunDir(error) => error.is_taken(),
            Self::Snapshot(error) => matches!(**error, SnapshotError::NoFolder(_)),
            Self::TooLarge(_) | Self::Own(_) => false,
        }
    }
}

impl From<RunDirError> for SinkError {
    fn from(error: RunDirError) -> Self {
        Self::RunDir(Box::new(error))
    }
}

impl From<SnapshotError> for SinkError {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(Box::new(error))
    }
}

/// Each takes what it takes; none: nothing is kept.
impl Sink for Vec<&mut (dyn Sink + '_)> {
    fn takes(&self) -> Takes {
        self.iter().map(|sink| sink.takes()).fold(Takes::default(), |all, one| Takes {
            results: all.results || one.results,
            places: all.places || one.places,
            commits: all.commits || one.commits,
        })
    }

    fn check(&self) -> Result<(), SinkError> {
        self.iter().try_for_each(|sink| sink.check())
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        self.iter_mut().try_for_each(|sink| sink.begin(beginning))
    }

    fn block(&mut self, block: Block) -> Result<(), SinkError> {
        each(self, block, |sink, block| sink.block(block))
    }

    fn commit(&mut self, commit: &Commit) -> Result<Vec<String>, SinkError> {
        let mut saved = Vec::new();
        for sink in self.iter_mut().filter(|sink| sink.takes().commits) {
            saved.extend(sink.commit(commit)?);
        }
        Ok(saved)
    }

    fn commit_runs(
        &mut self,
        head: &Head,
        runs: &mut [&mut dyn Run],
    ) -> Result<Vec<String>, SinkError> {
        let mut taking: Vec<_> = self.iter_mut().filter(|sink| sink.takes().commits).collect();
        if let [only] = taking.as_mut_slice() {
            return only.commit_runs(head, runs);
        }
        self.commit(&Commit { head: head.clone(), pieces: gathered(head, runs)? })
    }

    fn stateless(&mut self, keys: &[(Vec<u8>, Reach)]) -> Result<(), SinkError> {
        self.iter_mut().try_for_each(|sink| sink.stateless(keys))
    }

    fn keys(&mut self, keys: Finals) -> Result<(), SinkError> {
        each(self, keys, |sink, keys| sink.keys(keys))
    }

    fn control(&self) -> serde_json::Value {
        let own = self.iter().map(|sink| sink.control()).find(|control| !control.is_null());
        own.unwrap_or_default()
    }

    fn close(&mut self, trees: &Trees) -> Result<Vec<RunFile>, SinkError> {
        // Two of one kind have the same files.
        let mut files = Vec::new();
        for sink in self.iter_mut() {
            let own = sink.close(trees)?;
            files = if files.is_empty() { own } else { files };
        }
        Ok(files)
    }

    fn end(&mut self, end: &End<'_>) -> Result<(), SinkError> {
        self.iter_mut().try_for_each(|sink| sink.end(end))
    }

    fn run_dir(&self) -> Option<Folder> {
        self.iter().find_map(|sink| sink.run_dir())
    }

    fn abandon(&mut self) {
        self.iter_mut().for_each(|sink| sink.abandon());
    }
}

/// Gives `what` to every sink that takes results: copies, and to the last one itself.
fn each<T: Clone>(
    sinks: &mut [&mut (dyn Sink + '_)],
    what: T,
    mut give: impl FnMut(&mut dyn Sink, T) -> Result<(), SinkError>,
) -> Result<(), SinkError> {
    let mut taking: Vec<_> = sinks.iter_mut().filter(|sink| sink.takes().results).collect();
    let Some(last) = taking.pop() else { return Ok(()) };
    taking.into_iter().try_for_each(|sink| give(&mut **sink, what.clone()))?;
    give(&mut **last, what)
}
