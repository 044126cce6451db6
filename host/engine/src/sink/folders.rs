//! Folders as sinks: a run directory, and snapshots, of which every commit is one.

use super::{Beginning, Commit, End, Sink, SinkError, Takes};
use crate::rundir::{self, RunDirError, RunWriter, fresh_name};
use crate::snapshot::{Run, SnapshotError, SnapshotRef, Store};
use crate::store::{Base, Claim, Folder, StoreError};
use crate::table::TableError;
use retally_core::digest::Trees;
use retally_core::log::Reach;
use retally_core::manifest::RunFile;
use retally_core::reduce::{Block, Finals};
use retally_core::snapshot::Head;
use std::io::ErrorKind;
use std::path::Path;

/// Writes a run directory: complete, or not at all.
pub struct RunDir {
    folder: Folder,
    replace: bool,
    /// The job's output folder and name, where the folder is to be a new one.
    fresh: Option<(Folder, String)>,
    /// Between the beginning and the closing.
    writer: Option<RunWriter>,
    /// What the manifest is to hold, from the beginning to the end.
    control: Option<serde_json::Value>,
    /// From the beginning to the end.
    claim: Option<Claim>,
}

impl RunDir {
    /// A run directory at a path of this machine, or a folder of any store, where nothing may lie
    /// yet.
    pub fn new(folder: impl Into<Folder>) -> Self {
        let folder = folder.into();
        Self { folder, replace: false, fresh: None, writer: None, control: None, claim: None }
    }

    /// A new run directory in `output`, named by the job and the time. It has its name from the
    /// beginning on.
    ///
    /// # Errors
    /// When the output folder cannot be read.
    pub fn fresh(output: impl Into<Folder>, name: &str) -> Result<Self, StoreError> {
        let output = output.into();
        let folder = fresh(&output, name)?;
        Ok(Self { fresh: Some((output, name.to_owned())), ..Self::new(folder) })
    }

    /// Makes the folder of a new run, which no other run then takes.
    fn reserve(&mut self) -> Result<(), RunDirError> {
        let Some((output, name)) = &self.fresh else { return Ok(()) };
        let failed = |path: &Path, error| TableError::Io { verb: "make", path: path.into(), error };
        // In a store no folder is made: who comes first puts its mark.
        let Some(path) = output.file("") else {
            self.folder = fresh(output, name)?;
            return Ok(());
        };
        std::fs::create_dir_all(&path).map_err(|error| failed(&path, error))?;
        loop {
            let folder = fresh(output, name)?;
            let dir = folder.place();
            match std::fs::create_dir(&dir) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => {
                    made.map_err(|error| failed(&dir, error))?;
                    self.folder = folder;
                    return Ok(());
                }
            }
        }
    }

    /// Removes the folder of a new run again, in which nothing lies.
    fn unreserve(&self) {
        if let Some(path) = self.folder.file("").filter(|_| self.fresh.is_some()) {
            let _ = std::fs::remove_dir(path);
        }
    }

    /// Whether it may take the place of a run that was never finished.
    #[must_use]
    pub fn replacing(self, replace: bool) -> Self {
        Self { replace, ..self }
    }

    /// Where it lies.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }
}

impl Sink for RunDir {
    fn takes(&self) -> Takes {
        Takes { results: true, places: true, commits: false }
    }

    fn check(&self) -> Result<(), SinkError> {
        match RunWriter::check(&self.folder, self.replace) {
            // Another run came first; a new one gets another name when it begins.
            Err(error) if self.fresh.is_some() && error.is_taken() => Ok(()),
            checked => Ok(checked?),
        }
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        let Beginning { description, partitions, history, .. } = *beginning;
        self.check()?;
        self.reserve()?;
        let claim =
            RunWriter::claim(&self.folder, self.replace).inspect_err(|_| self.unreserve())?;
        let begun = RunWriter::create(&self.folder, description, partitions, history);
        let writer = begun.inspect_err(|_| discard(&self.folder, &claim))?;
        self.claim = Some(claim);
        self.control = Some(writer.control());
        self.writer = Some(writer);
        Ok(())
    }

    fn block(&mut self, block: Block) -> Result<(), SinkError> {
        self.with(|writer| writer.block(block))
    }

    fn stateless(&mut self, keys: &[(Vec<u8>, Reach)]) -> Result<(), SinkError> {
        self.with(|writer| {
            writer.stateless(keys.to_vec());
            Ok(())
        })
    }

    fn keys(&mut self, keys: Finals) -> Result<(), SinkError> {
        self.with(|writer| writer.finals(keys))
    }

    fn control(&self) -> serde_json::Value {
        self.control.clone().unwrap_or_default()
    }

    fn close(&mut self, trees: &Trees) -> Result<Vec<RunFile>, SinkError> {
        let Some(writer) = self.writer.take() else { return Ok(Vec::new()) };
        Ok(writer.close(trees)?)
    }

    fn end(&mut self, end: &End<'_>) -> Result<(), SinkError> {
        if self.control.take().is_none() {
            return Ok(());
        }
        let Some(claim) = self.claim.take() else { return Ok(()) };
        let ended = rundir::complete(&self.folder, &claim, end.manifest, end.audit);
        if let Err(error) = ended {
            discard(&self.folder, &claim);
            return Err(error.into());
        }
        claim.done();
        Ok(())
    }

    fn run_dir(&self) -> Option<Folder> {
        Some(self.folder.clone())
    }

    fn abandon(&mut self) {
        self.control = None;
        self.writer = None;
        if let Some(claim) = self.claim.take() {
            discard(&self.folder, &claim);
        }
    }
}

impl RunDir {
    fn with(
        &mut self,
        write: impl FnOnce(&mut RunWriter) -> Result<(), RunDirError>,
    ) -> Result<(), SinkError> {
        Ok(self.writer.as_mut().map_or(Ok(()), write)?)
    }
}

/// A folder in `output` that is not there yet.
fn fresh(output: &Folder, name: &str) -> Result<Folder, StoreError> {
    let there = output.list("")?;
    let is_there = |name: &str| there.iter().any(|entry| entry.name == name);
    Ok(output.below(&fresh_name(name, is_there)))
}

/// Removes what has no manifest: nobody can have use for it. What another run has by now is not
/// this one's to remove.
fn discard(folder: &Folder, claim: &Claim) {
    if matches!(claim.holds(), Ok(true)) {
        let _ = folder.delete_all();
    }
}

/// Saves every commit as a snapshot.
pub struct Snapshots {
    store: Store,
    /// The snapshot behind which ids count as new.
    parent: Option<SnapshotRef>,
}

impl Snapshots {
    /// Saves them in the folder at `url`; a relative path starts at `base`.
    pub fn new(url: &str, base: impl Into<Base>) -> Result<Self, SnapshotError> {
        Ok(Self { store: Store::open(url, base)?, parent: None })
    }

    /// Saves them in a folder of any store.
    pub fn within(folder: Folder) -> Self {
        Self { store: Store::within(folder), parent: None }
    }
}

impl Sink for Snapshots {
    fn takes(&self) -> Takes {
        Takes { commits: true, ..Takes::default() }
    }

    fn check(&self) -> Result<(), SinkError> {
        Ok(self.store.check()?)
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        self.store.sweep()?;
        self.parent = beginning.snapshot.cloned();
        Ok(())
    }

    fn commit(&mut self, commit: &Commit) -> Result<Vec<String>, SinkError> {
        let saved = self.store.save(&commit.head, &commit.pieces, self.parent.as_ref())?;
        let name = saved.name.clone();
        self.parent = Some(saved);
        Ok(vec![name])
    }

    fn commit_runs(
        &mut self,
        head: &Head,
        runs: &mut [&mut dyn Run],
    ) -> Result<Vec<String>, SinkError> {
        let saved = self.store.save_runs(head, runs, self.parent.as_ref())?;
        let name = saved.name.clone();
        self.parent = Some(saved);
        Ok(vec![name])
    }
}
