//! What one pass over a portion of all keys came to, in a file without a name, which is gone when
//! nobody has it open any more, whatever becomes of this process.
//!
//! ```text
//! block, block, run, block, ... | end | stateless keys | keys, keys, ... | end | run | end
//! run: how many there are | keys of a snapshot, ... | end | ids, ... | end
//! ```
//!
//! A run is what a snapshot has of the pass, where one is saved. Each piece is
//! [sealed](super::sealed); the end of pieces is one of no bytes.

use super::packed::Packed;
use super::sealed::{HEAD_BYTES, mark, read, seal, unlike};
use crate::sink::{Commit, Sink, SinkError, Takes};
use crate::snapshot::{Run, Sizes, SnapshotError, each_id, each_key, sizes_of};
use retally_core::log::Reach;
use retally_core::reduce::{Block, Finals};
use retally_core::snapshot::Piece;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
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

impl From<SpillError> for SnapshotError {
    fn from(error: SpillError) -> Self {
        Self::Run(Box::new(error))
    }
}

/// A pass that is written.
pub(super) struct Spill {
    dir: PathBuf,
    file: BufWriter<File>,
    takes: Takes,
    packed: Vec<u8>,
    /// Whether keys are given.
    has_keys: bool,
}

impl Spill {
    /// Keeps in `dir` what another sink would take.
    pub(super) fn new(dir: &Path, takes: Takes) -> Result<Self, SpillError> {
        let file = tempfile::tempfile_in(dir);
        let file = file.map_err(|error| SpillError { dir: dir.to_owned(), error })?;
        Ok(Self {
            dir: dir.to_owned(),
            file: BufWriter::with_capacity(WRITTEN_BYTES, file),
            takes: Takes { results: true, ..takes },
            packed: Vec::new(),
            has_keys: false,
        })
    }

    fn piece(&mut self, piece: &impl Packed) -> Result<(), SpillError> {
        self.packed.clear();
        self.packed.resize(HEAD_BYTES, 0);
        piece.pack(&mut self.packed);
        seal(&mut self.packed);
        let written = self.file.write_all(&self.packed);
        written.map_err(|error| self.failed(error))
    }

    fn end_of_pieces(&mut self) -> Result<(), SpillError> {
        let written = self.file.write_all(&mark(0));
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
        self.has_keys = true;
        self.end_of_pieces()?;
        Ok(self.piece(&keys.to_vec())?)
    }

    fn keys(&mut self, keys: Finals) -> Result<(), SinkError> {
        Ok(self.piece(&keys)?)
    }

    fn commit(&mut self, commit: &Commit) -> Result<Vec<String>, SinkError> {
        if self.has_keys {
            self.end_of_pieces()?;
        }
        let Commit { head, pieces } = commit;
        let sizes = sizes_of(head, pieces);
        let listed: Vec<(Option<u32>, (u64, u64))> =
            sizes.iter().map(|(group, [keys, ids])| (*group, (*keys, *ids))).collect();
        self.piece(&(head.keys.unwrap_or_default(), listed))?;
        let mut take = |piece: Piece| self.piece(&piece).map_err(SnapshotError::from);
        each_key(head, pieces, &mut take)?;
        self.end_of_pieces()?;
        let mut take = |piece: Piece| self.piece(&piece).map_err(SnapshotError::from);
        each_id(head, pieces, &mut take)?;
        self.end_of_pieces()?;
        Ok(Vec::new())
    }
}

/// What a snapshot has of a pass, where its file stands at that.
pub(super) struct SpilledRun<'a> {
    from: &'a mut Spilled,
    sizes: Sizes,
    /// How many keys the pass has in all.
    pub keys: u64,
    /// Ends of pieces that were read: of keys, of ids.
    ends: usize,
}

impl SpilledRun<'_> {
    fn next(&mut self, ends: usize) -> Result<Option<Piece>, SpillError> {
        if self.ends != ends {
            return Ok(None);
        }
        let next: Option<Piece> = self.from.next()?;
        self.ends += usize::from(next.is_none());
        let is_whole = |own: &Piece| {
            let Piece { keys, ids, .. } = own;
            let are_known = ids.keys.iter().all(|&key| (key as usize) < keys.len());
            keys.is_whole() && ids.is_whole(!ids.keys.is_empty()) && are_known
        };
        match next {
            Some(piece) if !is_whole(&piece) => Err(self.from.failed(unlike())),
            next => Ok(next),
        }
    }

    /// Passes over what nobody wanted.
    pub(super) fn finish(mut self) -> Result<(), SpillError> {
        for ends in 0..2 {
            while self.next(ends)?.is_some() {}
        }
        Ok(())
    }
}

impl Run for SpilledRun<'_> {
    fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    fn keys(&mut self) -> Result<Option<Piece>, SnapshotError> {
        Ok(self.next(0)?)
    }

    fn ids(&mut self) -> Result<Option<Piece>, SnapshotError> {
        Ok(self.next(1)?)
    }
}

/// A pass that is read.
pub(super) struct Spilled {
    dir: PathBuf,
    file: BufReader<File>,
}

impl Spilled {
    /// What a snapshot has of the pass, which comes next.
    pub(super) fn run(&mut self) -> Result<SpilledRun<'_>, SpillError> {
        type Listed = Vec<(Option<u32>, (u64, u64))>;
        let Some((keys, listed)) = self.next::<(u64, Listed)>()? else {
            let error = io::Error::other("it has no part of a snapshot");
            return Err(self.failed(error));
        };
        let sizes = listed.into_iter().map(|(group, (keys, ids))| (group, [keys, ids])).collect();
        Ok(SpilledRun { from: self, sizes, keys, ends: 0 })
    }

    /// The next piece; none: there are no more of its kind.
    pub(super) fn next<T: Packed>(&mut self) -> Result<Option<T>, SpillError> {
        let bytes = read(&mut self.file).map_err(|error| self.failed(error))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut rest = bytes.as_slice();
        match T::unpack(&mut rest).filter(|_| rest.is_empty()) {
            Some(piece) => Ok(Some(piece)),
            None => Err(self.failed(unlike())),
        }
    }

    fn failed(&self, error: io::Error) -> SpillError {
        SpillError { dir: self.dir.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_disk_gives_back_otherwise_is_told() {
        let dir = std::env::temp_dir();
        let spilled = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut spill = Spill::new(&dir, Takes::default()).unwrap();
            spill.piece(&vec![1_u64, 2]).unwrap();
            let mut bytes = spill.file.buffer().to_vec();
            change(&mut bytes);
            let mut file = tempfile::tempfile_in(&dir).unwrap();
            file.write_all(&bytes).unwrap();
            file.rewind().unwrap();
            let mut spilled = Spilled { dir: dir.clone(), file: BufReader::new(file) };
            spilled.next::<Vec<u64>>()
        };
        assert_eq!(spilled(&|_| {}).unwrap(), Some(vec![1, 2]));
        for bit in 0..(HEAD_BYTES + 24) * 8 {
            let error = spilled(&|bytes| bytes[bit / 8] ^= 1 << (bit % 8)).unwrap_err();
            assert!(error.to_string().contains("--spill"), "{error}");
        }
        assert!(spilled(&|bytes| bytes.truncate(HEAD_BYTES + 23)).is_err());
    }

    #[test]
    fn lists_that_do_not_agree_are_told() {
        let mut spill = Spill::new(&std::env::temp_dir(), Takes::default()).unwrap();
        spill.piece(&(0_u64, Vec::<(Option<u32>, (u64, u64))>::new())).unwrap();
        let mut piece = Piece::default();
        piece.ids.digests.push(1);
        spill.piece(&piece).unwrap();
        let mut spilled = spill.spilled().unwrap();
        let error = spilled.run().unwrap().keys().unwrap_err().to_string();
        assert!(error.contains("--spill"), "{error}");
    }
}
