//! A folder that is being filled carries a mark until what lies in it is complete. So what a killed
//! process left behind can be told from what another one writes right now, and from what somebody
//! keeps there.
//!
//! On this machine the mark is a file that is locked: the lock goes with the process. In a store it
//! is an object that whoever comes first puts there; whether its writer still lives cannot be told,
//! so somebody else takes the folder only when a person says so, and the first finds its mark gone.

use super::remote::{New, Remote};
use super::{At, Folder, StoreError, files};
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// The object that is the mark: one in a folder, so that a lock on it excludes all others.
const MARK: &str = ".filling.unfinished";

/// Whether a name is that of a mark, or of one that somebody is about to put there: where a store
/// writes under a temporary name, whoever comes second may see it.
pub(crate) fn is_mark(name: &str) -> bool {
    name == MARK || name.strip_prefix('.').is_some_and(|rest| rest.starts_with(MARK))
}

/// The mark of a folder that is being filled. Dropped, it stays and says that it was abandoned.
pub struct Claim(Mark);

enum Mark {
    /// The file is open as long as it is locked.
    File { _locked: File, path: PathBuf },
    /// With its ETag, which nobody else's has.
    Object(Folder, Remote, Option<String>),
}

/// Who fills a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// Nobody began to, or whoever did is done.
    Nobody,
    /// Somebody does right now.
    Somebody,
    /// Whoever began to is no more.
    Abandoned,
    /// Somebody began to; whether that goes on cannot be told.
    Begun,
}

impl Folder {
    /// Begins to fill the folder; none: somebody else does. Of several who try at once one does.
    /// `over`: also where somebody began of whom nobody can tell whether they go on.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn claim(&self, over: bool) -> Result<Option<Claim>, StoreError> {
        self.step("")?;
        match &self.at {
            At::Files(path) => {
                let path = path.join(MARK);
                let mark = files::mark(&path).map_err(|error| self.failed("write", "", error))?;
                Ok(mark.map(|file| Claim(Mark::File { _locked: file, path })))
            }
            At::Remote(remote) => self.put_mark(remote, over),
        }
    }

    fn put_mark(&self, remote: &Remote, over: bool) -> Result<Option<Claim>, StoreError> {
        let refused = |error| self.refused("write", MARK, error);
        // Two marks differ, so that a store which says that one is there already can be asked
        // whose it is: an answer that was lost makes the second try find the first.
        let mut own = [0; 16];
        let chance = |error: getrandom::Error| {
            self.failed("write", MARK, io::Error::other(error.to_string()))
        };
        getrandom::fill(&mut own).map_err(chance)?;
        let text: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
        let before = match over {
            true => remote.head(MARK).map_err(refused)?,
            false => None,
        };
        let how = before.map_or(New::Absent, New::InPlaceOf);
        let put = remote.put_if(MARK, text.as_bytes(), how).map_err(refused)?;
        Ok(put.map(|etag| Claim(Mark::Object(self.clone(), remote.clone(), etag))))
    }

    /// Who fills the folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn filling(&self) -> Result<Filling, StoreError> {
        let At::Files(path) = &self.at else {
            let is_marked = self.head(MARK)?.is_some();
            return Ok(if is_marked { Filling::Begun } else { Filling::Nobody });
        };
        let mut filling = Filling::Nobody;
        for entry in self.list("")? {
            if files::is_unfinished(&entry.name) {
                let file = path.join(entry.name);
                if files::is_held(&file).map_err(|error| self.failed("read", "", error))? {
                    return Ok(Filling::Somebody);
                }
                filling = Filling::Abandoned;
            }
        }
        Ok(filling)
    }
}

impl Claim {
    /// Whether the folder is still whose mark this is.
    ///
    /// # Errors
    /// When the store does not say.
    pub fn holds(&self) -> Result<bool, StoreError> {
        match &self.0 {
            Mark::File { .. } => Ok(true),
            Mark::Object(folder, _, own) => {
                let bare =
                    |etag: &Option<String>| Some(etag.as_ref()?.trim_matches('"').to_owned());
                Ok(folder.head(MARK)?.is_some_and(|mark| bare(&mark.etag) == bare(own)))
            }
        }
    }

    /// Says that the folder is complete. What makes it so lies there already, so a mark that cannot
    /// be removed takes nothing from it.
    pub fn done(self) {
        match &self.0 {
            Mark::File { path, .. } => _ = std::fs::remove_file(path),
            Mark::Object(_, remote, _) => {
                if matches!(self.holds(), Ok(true)) {
                    let _ = remote.delete(MARK);
                }
            }
        }
    }
}
