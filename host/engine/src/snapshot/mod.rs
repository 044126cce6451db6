//! Snapshots on disk: saved, found and read. What one holds is [`retally_core::snapshot`]'s
//! business.
//!
//! ```text
//! snapshots/                   the folder that a job names; many jobs may share it
//!   000000001000000-3f9a0c…/   events since the history began, and a digest of what it is of
//!     keys-0000.parquet        keys that changed since the one before; one group per partition, by
//!                              key; one group for order "path"
//!     ids.parquet              a segment: ids that no snapshot before it holds
//!     ids-index.parquet        what leads to an id in it; none under a span, where ids have groups
//!     outcomes.parquet         the outcome trees so far
//!     manifest.json            written last: what has none is no snapshot
//! ```
//!
//! A manifest names every file with its SHA-256, also those of earlier snapshots that it builds on,
//! and carries a hash of itself. It holds the seed of the history: who can read a
//! snapshot can choose ids that look the same, so it is to be kept as the results are. What is
//! complete is never deleted here; what a killed run left of one is.

mod error;
mod format;
mod index;
mod inherited;
mod load;
mod order;
mod past;
mod rows;
mod save;
mod sweep;

#[cfg(test)]
mod tests;

pub use error::SnapshotError;
pub use format::SnapshotFormat;
pub(crate) use load::drop_superseded;
pub use load::{Groups, IdSegments, KeyLists, Loaded, LoadedGroup, Segments};
pub use order::{Run, Sizes};
pub(crate) use order::{each_id, each_key, gathered, sizes_of};
pub use past::Past;

use crate::store::{Base, EntryKind, Folder};
use format::{Body, MANIFEST};
use retally_core::digest::Hash;
use retally_core::log::{Micros, Position};
use retally_core::manifest::{Change, Counts, Migrated};
use retally_core::receipt::Receipt;
use retally_core::snapshot::{Binding, Finished, Needed, Standing};
use std::cmp::Reverse;

/// A folder of snapshots.
#[derive(Debug, Clone)]
pub struct Store {
    files: Folder,
    /// Set when the URL names one snapshot and not the folder of all.
    only: Option<String>,
}

/// One snapshot of a store.
#[derive(Debug, Clone)]
pub struct SnapshotRef {
    /// Its name in the store.
    pub name: String,
    /// SHA-256 of its manifest.
    pub sha256: Hash,
    /// Where it lies.
    files: Folder,
}

impl PartialEq for SnapshotRef {
    fn eq(&self, other: &Self) -> bool {
        let own = (&self.name, &self.sha256);
        own == (&other.name, &other.sha256) && self.files.is_same(&other.files)
    }
}

impl Eq for SnapshotRef {}

/// What a snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Which snapshot.
    pub reference: SnapshotRef,
    /// What it is bound to.
    pub binding: Binding,
    /// How far each partition was read.
    pub partitions: Vec<Position>,
    /// Under order "time" the highest time of each.
    pub highest: Vec<Micros>,
    /// Counts since the history began.
    pub counts: Counts,
    /// Whether the history began without the state that belonged to its first position.
    pub empty_state: bool,
    /// What was taken of the log.
    pub receipts: Vec<Receipt>,
    /// In what the log had changed under what was taken, and was gone on with all the same.
    pub accepted: Vec<Change>,
    /// Versions of the reducer whose states were taken over on the way.
    pub migrated: Vec<Migrated>,
    /// How it stands to the runs before it.
    pub standing: Standing,
}

impl Store {
    /// The store at `url` (a folder, or one snapshot in it); a relative path starts at `base`.
    /// Nothing is made before something is saved.
    pub fn open(url: &str, base: impl Into<Base>) -> Result<Self, SnapshotError> {
        let files = Folder::open(url, base)?;
        if files.head(MANIFEST)?.is_some()
            && let Some((parent, name)) = files.split()
        {
            return Ok(Self { files: parent, only: Some(name) });
        }
        Ok(Self { files, only: None })
    }

    /// The store that a folder is.
    pub fn within(folder: Folder) -> Self {
        Self { files: folder, only: None }
    }

    /// Whether snapshots can lie there, as far as shows before one does.
    ///
    /// # Errors
    /// A file that has the name of the folder, or of one around it.
    pub fn check(&self) -> Result<(), SnapshotError> {
        let place = self.files.file("");
        let file = place.iter().flat_map(|path| path.ancestors()).find(|path| path.is_file());
        file.map_or(Ok(()), |path| Err(SnapshotError::NoFolder(path.display().to_string())))
    }

    /// The complete snapshots, fewest events first. One that is broken stands in its place as an
    /// error, so that nobody goes on from an older one without being told.
    ///
    /// # Errors
    /// When the folder cannot be read; one that does not exist is empty.
    #[allow(clippy::type_complexity)]
    pub fn list(&self) -> Result<Vec<(String, Result<Summary, SnapshotError>)>, SnapshotError> {
        let names = self.names()?.into_iter();
        Ok(names.map(|name| (name.clone(), self.summary(&name))).collect())
    }

    /// The names of the complete snapshots, fewest events first.
    fn names(&self) -> Result<Vec<String>, SnapshotError> {
        let names = match &self.only {
            Some(only) => vec![only.clone()],
            None => self.folders()?,
        };
        let mut complete = Vec::new();
        for name in names {
            if self.files.head(&format!("{name}/{MANIFEST}"))?.is_some() {
                complete.push(name);
            }
        }
        // Names begin with the number of events, in digits of equal length.
        complete.sort();
        Ok(complete)
    }

    /// All that may be a snapshot of the store.
    fn folders(&self) -> Result<Vec<String>, SnapshotError> {
        let entries = self.files.list("")?.into_iter();
        let folders = entries.filter(|entry| entry.kind == EntryKind::Folder);
        Ok(folders.map(|entry| entry.name).collect())
    }

    /// Snapshots of as many events; those of a history that a run from the start would have gone
    /// through first, before those that went on over a change or another version, or that a person
    /// has to look at; and of a topic first who looked farthest behind the last event.
    fn alike(&self, names: &[String]) -> Vec<Result<Summary, SnapshotError>> {
        let mut all: Vec<_> = names.iter().rev().map(|name| self.summary(name)).collect();
        all.sort_by_key(|found| {
            let is_odd = |own: &Summary| {
                let Standing { finished, holes, .. } = &own.standing;
                let is_good = finished.as_ref().is_some_and(|finished| finished.broke.is_empty());
                !own.accepted.is_empty()
                    || !own.migrated.is_empty()
                    || !is_good
                    || !holes.is_empty()
            };
            let ends = |own: &Receipt| own.records.as_ref().map_or(0, |records| records.end);
            let looked = |own: &Summary| own.receipts.iter().map(ends).sum::<u64>();
            (found.as_ref().is_ok_and(is_odd), Reverse(found.as_ref().map_or(0, looked)))
        });
        all
    }

    /// The snapshot of this name.
    ///
    /// # Errors
    /// When it is not there, not complete, or broken.
    pub fn summary(&self, name: &str) -> Result<Summary, SnapshotError> {
        let (body, reference) = Body::read(&self.files, name)?;
        Ok(Summary {
            reference,
            binding: body.binding,
            partitions: body.partitions,
            highest: body.highest,
            counts: body.counts,
            empty_state: body.empty_state,
            receipts: body.receipts,
            accepted: body.accepted,
            migrated: body.migrated,
            standing: body.standing,
        })
    }

    /// The complete snapshot with the most events, whatever it is bound to.
    ///
    /// # Errors
    /// When the folder cannot be read, or the snapshot is broken.
    pub(crate) fn latest(&self) -> Result<Option<Summary>, SnapshotError> {
        self.names()?.last().map(|name| self.summary(name)).transpose()
    }

    /// What the run came to that saved a snapshot; none: nobody knows of its end. A snapshot on the
    /// way is named by the one at the end.
    pub fn finished(&self, of: &Summary) -> Result<Option<Finished>, SnapshotError> {
        if let Some(finished) = &of.standing.finished {
            return Ok(Some(finished.clone()));
        }
        let own = &of.reference.name;
        let events = |name: &str| name.split('-').next().map(str::to_owned);
        // What has taken fewer events is no end of its run; what is broken names nothing.
        let later = self.folders()?.into_iter().filter(|name| events(name) >= events(own));
        let mut ends = later.filter_map(|name| self.summary(&name).ok()?.standing.finished);
        Ok(ends.find(|finished| finished.within.contains(own)))
    }

    /// The snapshot with the most events from which a run that is bound by `needed` can go on and
    /// that is `wanted`; none: of those that fit the run none is wanted.
    ///
    /// # Errors
    /// When there is none: then the error says in what the newest differs. Also when a newer one is
    /// broken, because then an older one may not be what is wanted; and what `wanted` cannot tell.
    pub fn newest<'a, E: From<SnapshotError>>(
        &self,
        needed: impl Into<Needed<'a>>,
        mut wanted: impl FnMut(&Summary) -> Result<bool, E>,
    ) -> Result<Option<Summary>, E> {
        let (needed, mut differs, mut fits) = (needed.into(), None, false);
        let names = self.names()?;
        // Names begin with the number of events.
        let groups = names.chunk_by(|a, b| a.split('-').next() == b.split('-').next()).rev();
        for summary in groups.flat_map(|names| self.alike(names)) {
            let summary = summary?;
            match needed.difference(&summary.binding, &summary.partitions) {
                None if wanted(&summary)? => return Ok(Some(summary)),
                None => fits = true,
                Some(difference) => {
                    differs.get_or_insert((summary.reference, difference));
                }
            }
        }
        match differs {
            _ if fits => Ok(None),
            None => Err(SnapshotError::None(self.files.show("")).into()),
            Some((reference, difference)) => {
                Err(SnapshotError::differs(&reference, difference).into())
            }
        }
    }
}
