//! Whether the files of a run are those that its manifest lists: size and SHA-256 of each.

use super::RunDirError;
use super::reader::{RunReader, failed, regular};
use super::shape::{AUDIT, MANIFEST, SIGNATURE};
use crate::limits::{VERIFY_THREADS, WRITE_BUFFER_BYTES};
use crate::store::{self, Folder, Meta};
use crate::table::TableError;
use crate::threads::each;
use retally_core::digest::Hash;
use retally_core::manifest::RunFile;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Files that were what the manifest says, and what the system told of them then: one that was
/// exchanged or written to since is hashed again.
#[derive(Debug, Default)]
pub(super) struct Verified(Mutex<BTreeMap<String, Meta>>);

impl Verified {
    /// Makes sure of an open file of a run, unless that was done.
    pub(super) fn file(&self, run: &RunReader, name: &str, file: &File) -> Result<(), RunDirError> {
        let listed = run.listed(name).ok_or_else(|| run.unlisted(name))?;
        let path = run.dir.join(name);
        let about = || file.metadata().map(|meta| store::about(&meta));
        let now = || about().map_err(|error| failed("read", &path, error));
        let before = now()?;
        if self.known().get(name) == Some(&before) {
            return Ok(());
        }
        if let Some(what) = difference(listed, file, &path)? {
            return Err(TableError::Changed { path, what }.into());
        }
        if now()? != before {
            let what = "it is being written to".to_owned();
            return Err(TableError::Changed { path, what }.into());
        }
        self.known().insert(name.to_owned(), before);
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Meta>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a file is not what the manifest says, if it is not. A size that differs is answered at once.
fn difference(
    listed: &RunFile,
    mut file: &File,
    path: &Path,
) -> Result<Option<String>, RunDirError> {
    let fail = |error| failed("read", path, error);
    let bytes = file.metadata().map_err(fail)?.len();
    if bytes != listed.bytes {
        let said = listed.bytes;
        return Ok(Some(format!("it has {bytes} bytes, and the manifest says {said}")));
    }
    file.rewind().map_err(fail)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; WRITE_BUFFER_BYTES]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(fail(error)),
        }
    }
    let found = Hash(hasher.finalize().into());
    let said = listed.sha256;
    let what = || format!("its SHA-256 is {found}, and the manifest says {said}");
    Ok((found != said).then(what))
}

impl RunReader {
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
        let one = |file: &RunFile| {
            let path = self.dir.join(&file.path);
            let open = regular(&path).map_err(|error| failed("open", &path, error))?;
            verified.file(self, &file.path, &open)
        };
        self.of_each(one).map(|_| ())
    }

    /// How the files differ from what the manifest says of them, as sentences.
    pub(super) fn changed_files(&self) -> Result<Vec<String>, RunDirError> {
        let one = |file: &RunFile| {
            let path = self.dir.join(&file.path);
            let found = match regular(&path) {
                Ok(open) => difference(file, &open, &path).map_err(|error| error.to_string()),
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
        Ok(Folder::files(&self.dir).get(SIGNATURE)?.map(Into::into))
    }

    /// Puts a signature over the manifest beside it, in place of one that is there.
    pub fn put_signature(&self, signature: &[u8]) -> Result<(), RunDirError> {
        Ok(Folder::files(&self.dir).put(SIGNATURE, signature)?)
    }

    /// What lies in the directory and does not belong to the run, by path.
    pub fn strays(&self) -> Result<Vec<String>, RunDirError> {
        let mut found = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let path = self.dir.join(&folder);
            let fail = |error| failed("read", &path, error);
            for entry in fs::read_dir(&path).map_err(fail)? {
                let entry = entry.map_err(fail)?;
                let name = format!("{folder}{}", entry.file_name().to_string_lossy());
                // A link to a folder is followed by nobody, and is no file of a run.
                if entry.file_type().map_err(fail)?.is_dir() {
                    folders.push(format!("{name}/"));
                } else if self.listed(&name).is_none()
                    && ![MANIFEST, AUDIT, SIGNATURE].contains(&name.as_str())
                {
                    found.push(name);
                }
            }
        }
        found.sort();
        Ok(found)
    }
}
