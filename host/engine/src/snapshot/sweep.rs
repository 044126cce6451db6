//! Clearing away what a run that was killed left of a snapshot: the next run does it. In a store,
//! where nobody can tell whether its writer lives, it stays; a run that comes so far completes it.

use super::format::MANIFEST;
use super::{SnapshotError, Store};
use crate::store::{EntryKind, Filling};

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
