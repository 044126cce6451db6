//! Clearing away what a run that was killed left of a snapshot: the next run does it. In a store,
//! where nobody can tell whether its writer lives, it stays; a run that comes so far completes it.
//! And what live work no longer goes back to, if whoever saves there says that it is alone.

use super::format::{Body, MANIFEST, Part};
use super::{SnapshotError, SnapshotRef, Store, Summary};
use crate::store::{EntryKind, Filling};
use std::collections::BTreeSet;

impl Store {
    /// Removes what was begun to be saved and never finished.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub(crate) fn sweep(&self) -> Result<(), SnapshotError> {
        for entry in self.files.list("")? {
            let folder = self.files.below(&entry.name);
            let is_left = entry.kind == EntryKind::Folder
                && is_name(&entry.name)
                && folder.head(MANIFEST)?.is_none()
                && folder.filling()? == Filling::Abandoned;
            if is_left {
                folder.delete_all()?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Bytes of a snapshot's own files, without those of earlier ones on which it stands.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn bytes(&self, own: &SnapshotRef) -> Result<u64, SnapshotError> {
        Ok(self.files.below(&own.name).walk()?.iter().map(|(_, bytes)| bytes).sum())
    }

    /// Removes all snapshots but the newest so many, the newest that is `needed`, and the files of
    /// others on which these stand. What is damaged counts for nothing, and goes as it grows old.
    /// A snapshot's manifest goes first: what is half removed is none.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub(crate) fn thin_out(
        &self,
        newest: usize,
        needed: impl Fn(&Summary) -> bool,
    ) -> Result<(), SnapshotError> {
        let (mut kept, mut is_found) = (BTreeSet::new(), false);
        for (name, summary) in self.list()?.into_iter().rev() {
            let Ok(summary) = summary else { continue };
            let is_needed = !is_found && needed(&summary);
            is_found |= is_needed;
            if kept.len() < newest || is_needed {
                kept.insert(name);
            }
        }
        let Some(oldest) = kept.first().cloned() else { return Ok(()) };
        let mut files = BTreeSet::new();
        for name in &kept {
            let (body, _) = Body::read(&self.files, name)?;
            let groups = body.groups.iter().flat_map(|group| group.keys.iter().chain(&group.ids));
            groups.chain([&body.outcomes]).for_each(|part| paths(part, &mut files));
        }
        // Whoever saves now saves behind the oldest that is kept.
        let is_old = |name: &String| *name < oldest && is_name(name) && !kept.contains(name);
        for name in self.folders()?.into_iter().filter(is_old) {
            self.files.delete(&format!("{name}/{MANIFEST}"))?;
            let inside = format!("{name}/");
            if !files.iter().any(|path| path.starts_with(&inside)) {
                self.files.below(&name).delete_all()?;
                continue;
            }
            for entry in self.files.list(&name)? {
                let path = format!("{name}/{}", entry.name);
                if entry.kind != EntryKind::Folder && !files.contains(&path) {
                    self.files.delete(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// A file, and what leads to its rows.
fn paths(part: &Part, to: &mut BTreeSet<String>) {
    to.insert(part.path.clone());
    part.index.iter().for_each(|index| paths(index, to));
}

/// Whether a folder is called as snapshots are.
fn is_name(name: &str) -> bool {
    let of = |text: &str, length, is: fn(&u8) -> bool| {
        text.len() == length && text.bytes().all(|byte| is(&byte))
    };
    name.split_once('-').is_some_and(|(events, digest)| {
        of(events, 15, u8::is_ascii_digit) && of(digest, 16, u8::is_ascii_hexdigit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Folder;
    use std::fs;

    #[test]
    fn what_a_killed_run_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("snapshots", folder.path()).unwrap();
        let left = |name: &str| {
            let path = folder.path().join("snapshots").join(name);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("keys.parquet"), "PAR1").unwrap();
            path
        };
        let marked = |name: &str| {
            let path = left(name);
            (Folder::files(&path).claim(false).unwrap().unwrap(), path)
        };
        let (abandoned, gone) = marked("000000000000020-0123456789abcdef");
        let (_held, written) = marked("000000000000030-0123456789abcdef");
        let unmarked = left("000000000000040-0123456789abcdef");
        let (foreign, other) = marked("runs");
        drop((abandoned, foreign));
        store.sweep().unwrap();
        assert!(!gone.exists());
        for kept in [&written, &unmarked, &other] {
            assert!(kept.join("keys.parquet").exists(), "{}", kept.display());
        }
    }
}
