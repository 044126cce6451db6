//! Folders as sinks: a run directory, and snapshots, of which every commit is one.

use super::{Beginning, Commit, End, Sink, SinkError, Takes};
use crate::rundir::{self, RunDirError, RunWriter, fresh_dir};
use crate::snapshot::{SnapshotError, SnapshotRef, Store};
use crate::store::{Claim, Folder};
use crate::table::TableError;
use retally_core::digest::Trees;
use retally_core::log::Reach;
use retally_core::manifest::RunFile;
use retally_core::reduce::{Block, Finals};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Writes a run directory: complete, or not at all.
pub struct RunDir {
    folder: Folder,
    replace: bool,
    /// The job's output folder and name, where the folder is to be a new one.
    fresh: Option<(PathBuf, String)>,
    /// Between the beginning and the closing.
    writer: Option<RunWriter>,
    /// What the manifest is to hold, from the beginning to the end.
    control: Option<serde_json::Value>,
    /// From the closing to the end.
    claim: Option<Claim>,
}

impl RunDir {
    /// A run directory at `dir`, where nothing may lie yet.
    pub fn new(dir: impl AsRef<Path>) -> Self {
        Self::within(Folder::files(dir.as_ref()))
    }

    /// A run directory that is a folder of any store. It is read once it lies on this machine.
    pub fn within(folder: Folder) -> Self {
        Self { folder, replace: false, fresh: None, writer: None, control: None, claim: None }
    }

    /// A new run directory in `output`, named by the job and the time. It has its name from the
    /// beginning on.
    pub fn fresh(output: &Path, name: &str) -> Self {
        let fresh = Some((output.to_owned(), name.to_owned()));
        Self { fresh, ..Self::new(fresh_dir(output, name)) }
    }

    /// Makes the folder of a new run, which no other run then takes.
    fn reserve(&mut self) -> Result<(), RunDirError> {
        let Some((output, name)) = &self.fresh else { return Ok(()) };
        let failed = |path: &Path, error| TableError::Io { verb: "make", path: path.into(), error };
        std::fs::create_dir_all(output).map_err(|error| failed(output, error))?;
        loop {
            let dir = fresh_dir(output, name);
            match std::fs::create_dir(&dir) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => {
                    made.map_err(|error| failed(&dir, error))?;
                    self.folder = Folder::files(&dir);
                    return Ok(());
                }
            }
        }
    }

    /// Whether it may take the place of a run that was never finished.
    #[must_use]
    pub fn replacing(self, replace: bool) -> Self {
        Self { replace, ..self }
    }
    /// Where it lies on this machine; empty: elsewhere.
    pub fn dir(&self) -> PathBuf {
        self.folder.file("").unwrap_or_default()
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
        let Beginning { description, partitions, history, snapshot } = *beginning;
        self.check()?;
        self.reserve()?;
        let history = snapshot.map(|_| history);
        let begun = RunWriter::create(&self.folder, self.replace, description, partitions, history);
        let writer = begun.inspect_err(|error| {
            // What another run has is not this one's to remove.
            if !error.is_taken() {
                discard(&self.folder);
            }
        })?;
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
        let (files, claim) = writer.close(trees)?;
        self.claim = Some(claim);
        Ok(files)
    }

    fn end(&mut self, end: &End<'_>) -> Result<(), SinkError> {
        if self.control.take().is_none() {
            return Ok(());
        }
        let ended = rundir::complete(&self.folder, end.manifest, end.audit);
        ended.inspect_err(|_| discard(&self.folder))?;
        if let Some(claim) = self.claim.take() {
            claim.done();
        }
        Ok(())
    }

    fn run_dir(&self) -> Option<PathBuf> {
        self.folder.file("")
    }

    fn abandon(&mut self) {
        (self.writer, self.claim) = (None, None);
        if self.control.take().is_some() {
            discard(&self.folder);
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

/// Removes what has no manifest: nobody can have use for it.
fn discard(folder: &Folder) {
    let _ = folder.delete_all();
}

/// Saves every commit as a snapshot.
pub struct Snapshots {
    store: Store,
    /// The snapshot behind which ids count as new.
    parent: Option<SnapshotRef>,
}

impl Snapshots {
    /// Saves them in the folder at `url`; a relative path starts at `base`.
    pub fn new(url: &str, base: &Path) -> Result<Self, SnapshotError> {
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
}
