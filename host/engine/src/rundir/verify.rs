//! Whether the files of a run are those that its manifest lists: size and SHA-256 of each.

use super::RunDirError;
use super::reader::RunReader;
use super::shape::{AUDIT, MANIFEST, SIGNATURE};
use crate::limits::{VERIFY_THREADS, WRITE_BUFFER_BYTES};
use crate::store::{Meta, is_mark};
use crate::table::TableError;
use crate::threads::each;
use retally_core::digest::Hash;
use retally_core::manifest::RunFile;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Files that were what the manifest says, and what the system told of them then: one that was
/// exchanged or written to since is hashed again.
#[derive(Debug, Default)]
pub(super) struct Verified(Mutex<BTreeMap<String, Meta>>);

impl Verified {
    /// Makes sure of an open file of a run, unless that was done.
    pub(super) fn file(&self, run: &RunReader, name: &str, now: &Meta) -> Result<(), RunDirError> {
        let listed = run.listed(name).ok_or_else(|| run.unlisted(name))?;
        let path = run.dir.join(name);
        if self.known().get(name) == Some(now) {
            return Ok(());
        }
        if let Some(what) = run.difference(listed, now)? {
            return Err(TableError::Changed { path, what }.into());
        }
        if run.about(name)? != *now {
            let what = "it is being written to".to_owned();
            return Err(TableError::Changed { path, what }.into());
        }
        self.known().insert(name.to_owned(), now.clone());
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Meta>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunReader {
    /// How a file is not what the manifest says, if it is not. A size that differs is answered at
    /// once.
    fn difference(&self, listed: &RunFile, now: &Meta) -> Result<Option<String>, RunDirError> {
        let (bytes, said) = (now.bytes, listed.bytes);
        if bytes != said {
            return Ok(Some(format!("it has {bytes} bytes, and the manifest says {said}")));
        }
        let mut stored = self.folder.opened(&listed.path, now)?.stream(0)?;
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; WRITE_BUFFER_BYTES]);
        loop {
            match stored.read_some(&mut buffer)? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            }
        }
        let found = Hash(hasher.finalize().into());
        let said = listed.sha256;
        let what = || format!("its SHA-256 is {found}, and the manifest says {said}");
        Ok((found != said).then(what))
    }

    /// What the manifest says of a file.
    pub(super) fn listed(&self, name: &str) -> Option<&RunFile> {
        self.manifest().files.iter().find(|file| file.path == name)
    }

    fn unlisted(&self, name: &str) -> RunDirError {
        let what = format!("it lists no file {name}, which a run has");
        TableError::Changed { path: self.dir.join(MANIFEST), what }.into()
    }

    /// Makes sure that every file of the run is what the manifest says.
    ///
    /// # Errors
    /// The first that is not.
    pub fn verify(&self) -> Result<(), RunDirError> {
        let Some(verified) = &self.verified else { return Ok(()) };
        self.of_each(|file| verified.file(self, &file.path, &self.about(&file.path)?)).map(|_| ())
    }

    /// How the files differ from what the manifest says of them, as sentences.
    pub(super) fn changed_files(&self) -> Result<Vec<String>, RunDirError> {
        let one = |file: &RunFile| {
            let found = match self.about(&file.path) {
                Ok(now) => self.difference(file, &now).map_err(|error| error.to_string()),
                Err(error) => Ok(Some(error.to_string())),
            };
            let told =
                |found| format!("{} is not the file that the manifest lists: {found}", file.path);
            Ok(found.unwrap_or_else(Some).map(told))
        };
        Ok(self.of_each(one)?.into_iter().flatten().collect())
    }

    /// Does something with every listed file, on a few threads: hashing waits for the disk or for
    /// one core. In the order of the list.
    fn of_each<T: Send>(
        &self,
        one: impl Fn(&RunFile) -> Result<T, RunDirError> + Sync,
    ) -> Result<Vec<T>, RunDirError> {
        let files = &self.manifest().files;
        each(VERIFY_THREADS, files.len(), |at| one(&files[at]))
    }

    /// The bytes of the manifest as it was read: what a signature is over.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signature over the manifest, if there is one.
    pub fn signature(&self) -> Result<Option<Vec<u8>>, RunDirError> {
        Ok(self.folder.get(SIGNATURE)?.map(Into::into))
    }

    /// Puts a signature over the manifest beside it, in place of one that is there.
    pub fn put_signature(&self, signature: &[u8]) -> Result<(), RunDirError> {
        Ok(self.folder.put(SIGNATURE, signature)?)
    }

    /// What lies in the directory and does not belong to the run, by path.
    pub fn strays(&self) -> Result<Vec<String>, RunDirError> {
        let is_stray = |name: &String| {
            // A mark that its writer had no time to remove takes nothing from a complete run.
            self.listed(name).is_none()
                && ![MANIFEST, AUDIT, SIGNATURE].contains(&name.as_str())
                && !is_mark(name)
        };
        // A link to a folder is followed by nobody, and is no file of a run.
        let names = self.folder.walk()?.into_iter().map(|(name, _)| name);
        Ok(names.filter(is_stray).collect())
    }
}
