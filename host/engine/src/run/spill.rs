//! What one pass over a portion of all keys came to, in a file without a name, which is gone when
//! nobody has it open any more, whatever becomes of this process.
//!
//! ```text
//! block, block, ... | end | stateless keys | keys, keys, ... | end
//! ```
//!
//! Each piece begins with its length; the end of pieces is a length of 0.

use super::packed::Packed;
use crate::sink::{Sink, SinkError, Takes};
use retally_core::log::Reach;
use retally_core::reduce::{Block, Finals};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Bytes that are written at once.
const WRITTEN_BYTES: usize = 1 << 20;

/// Bytes that are read at once: of all passes side by side.
const READ_BYTES: usize = 128 << 10;

/// A folder that does not take, or give back, what a pass came to.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot keep in {} what a pass came to until the last one is done: {error}; name a folder of \
     this machine with --spill, with room for the outcomes, emits and results of the run",
    .dir.display()
)]
pub struct SpillError {
    /// The folder.
    pub dir: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl From<SpillError> for SinkError {
    fn from(error: SpillError) -> Self {
        Self::Own(Box::new(error))
    }
}

/// A pass that is written.
pub(super) struct Spill {
    dir: PathBuf,
    file: BufWriter<File>,
    takes: Takes,
    packed: Vec<u8>,
}

impl Spill {
    /// Keeps in `dir` what another sink would take.
    pub(super) fn new(dir: &Path, takes: Takes) -> Result<Self, SpillError> {
        let file = tempfile::tempfile_in(dir);
        let file = file.map_err(|error| SpillError { dir: dir.to_owned(), error })?;
        Ok(Self {
            dir: dir.to_owned(),
            file: BufWriter::with_capacity(WRITTEN_BYTES, file),
            takes: Takes { results: true, commits: false, ..takes },
            packed: Vec::new(),
        })
    }

    fn piece(&mut self, piece: &impl Packed) -> Result<(), SpillError> {
        self.packed.clear();
        piece.pack(&mut self.packed);
        let len = (self.packed.len() as u64).to_le_bytes();
        let written = self.file.write_all(&len).and_then(|()| self.file.write_all(&self.packed));
        written.map_err(|error| self.failed(error))
    }

    fn end_of_pieces(&mut self) -> Result<(), SpillError> {
        let written = self.file.write_all(&0_u64.to_le_bytes());
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> SpillError {
        SpillError { dir: self.dir.clone(), error }
    }

    /// To read it from its beginning, once all keys were given.
    pub(super) fn spilled(mut self) -> Result<Spilled, SpillError> {
        self.end_of_pieces()?;
        let Self { dir, file, .. } = self;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error);
        let rewound = file.and_then(|mut file| file.rewind().map(|()| file));
        match rewound {
            Ok(file) => Ok(Spilled { dir, file: BufReader::with_capacity(READ_BYTES, file) }),
            Err(error) => Err(SpillError { dir, error }),
        }
    }
}

impl Sink for Spill {
    fn takes(&self) -> Takes {
        self.takes
    }

    fn block(&mut self, block: Block) -> Result<(), SinkError> {
        Ok(self.piece(&block)?)
    }

    fn stateless(&mut self, keys: &[(Vec<u8>, Reach)]) -> Result<(), SinkError> {
        self.end_of_pieces()?;
        Ok(self.piece(&keys.to_vec())?)
    }

    fn keys(&mut self, keys: Finals) -> Result<(), SinkError> {
        Ok(self.piece(&keys)?)
    }
}

/// A pass that is read.
pub(super) struct Spilled {
    dir: PathBuf,
    file: BufReader<File>,
}

impl Spilled {
    /// The next piece; none: there are no more of its kind.
    pub(super) fn next<T: Packed>(&mut self) -> Result<Option<T>, SpillError> {
        let failed = |error| SpillError { dir: self.dir.clone(), error };
        let mut len = [0; 8];
        self.file.read_exact(&mut len).map_err(failed)?;
        let len = u64::from_le_bytes(len);
        if len == 0 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&mut self.file).take(len).read_to_end(&mut bytes).map_err(failed)?;
        let mut rest = bytes.as_slice();
        match T::unpack(&mut rest).filter(|_| rest.is_empty() && bytes.len() as u64 == len) {
            Some(piece) => Ok(Some(piece)),
            None => Err(failed(io::Error::other("it does not give back what was written"))),
        }
    }
}
