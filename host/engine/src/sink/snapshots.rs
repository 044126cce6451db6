//! A folder of snapshots as a sink: every commit is saved as one.

use super::{Beginning, Commit, Sink, SinkError, Takes};
use crate::snapshot::{SnapshotError, SnapshotRef, Store};
use crate::store::Folder;
use std::path::Path;

/// Saves every commit as a snapshot.
pub struct Snapshots {
    store: Store,
    /// The snapshot behind which ids count as new.
    parent: Option<SnapshotRef>,
}

impl Snapshots {
    /// Saves them in the folder at `url`; a relative path starts at `base`.
    ///
    /// # Errors
    /// A URL that names no place where snapshots can lie.
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

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
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
