//! A folder that is being filled carries a mark until what lies in it is complete. So what a killed
//! process left behind can be told from what another one writes right now, and from what somebody
//! keeps there. Only folders of this machine: stores end unfinished uploads by rules of their own.

use super::{At, Folder, StoreError, files};
use std::fs::File;
use std::path::PathBuf;

/// The file that is the mark: one in a folder, so that a lock on it excludes all others.
pub(crate) const MARK: &str = ".filling.unfinished";

/// The mark of a folder that is being filled. Dropped, it stays and says that it was abandoned.
pub struct Claim {
    mark: Option<(File, PathBuf)>,
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
}

impl Folder {
    /// Begins to fill the folder; none: somebody else does. Of several who try at once one does.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn claim(&self) -> Result<Option<Claim>, StoreError> {
        self.step("")?;
        let At::Files(path) = &self.at else { return Ok(Some(Claim { mark: None })) };
        let path = path.join(MARK);
        let mark = files::mark(&path).map_err(|error| self.failed("write", "", error))?;
        Ok(mark.map(|file| Claim { mark: Some((file, path)) }))
    }

    /// Who fills the folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn filling(&self) -> Result<Filling, StoreError> {
        let At::Files(path) = &self.at else { return Ok(Filling::Nobody) };
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
    /// Says that the folder is complete. What makes it so lies there already, so a mark that cannot
    /// be removed takes nothing from it.
    pub fn done(self) {
        if let Some((_, mark)) = self.mark {
            let _ = std::fs::remove_file(mark);
        }
    }
}
