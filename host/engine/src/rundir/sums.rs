//! SHA-256 and size of the files of a run, from the bytes as they are written: none is read again.
//!
//! Hashing costs 0.6 ns a byte and more where a processor has no instructions for it, and files are
//! written in the one place through which all of a run goes in order. So bytes are handed to a
//! thread of their own, which costs a copy of them.

use super::RunDirError;
use crate::limits::{RUN_HASHED_AHEAD, RUN_HASHED_BYTES};
use crate::store::Unfinished;
use crate::threads::ThreadError;
use retally_core::digest::Hash;
use retally_core::manifest::RunFile;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The next bytes of the file with this number.
type Piece = (usize, Vec<u8>);

/// The files of a run that are hashed while they are written.
pub(super) struct Sums {
    names: Vec<String>,
    to: SyncSender<Piece>,
    hashing: JoinHandle<Vec<(Sha256, u64)>>,
}

impl Sums {
    /// Nothing is written yet.
    pub(super) fn begin() -> Result<Self, RunDirError> {
        let (to, pieces) = sync_channel(RUN_HASHED_AHEAD);
        let hashing = std::thread::Builder::new().spawn(move || hash(&pieces));
        Ok(Self { names: Vec::new(), to, hashing: hashing.map_err(ThreadError::NotGiven)? })
    }

    /// Hashes what is written to `out`, the file of this name.
    pub(super) fn of(&mut self, name: String, out: Unfinished) -> Hashed {
        self.names.push(name);
        let number = self.names.len() - 1;
        Hashed { out, number, piece: Vec::new(), to: self.to.clone() }
    }

    /// The files, by path, once all of them are finished.
    pub(super) fn end(self) -> Vec<RunFile> {
        drop(self.to);
        let mut sums = self.hashing.join().unwrap_or_else(|panic| resume_unwind(panic));
        sums.resize_with(self.names.len(), Default::default);
        let file = |(path, (hasher, bytes)): (String, (Sha256, u64))| RunFile {
            path,
            bytes,
            sha256: Hash(hasher.finalize().into()),
        };
        let mut files: Vec<_> = self.names.into_iter().zip(sums).map(file).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }
}

fn hash(pieces: &Receiver<Piece>) -> Vec<(Sha256, u64)> {
    let mut sums: Vec<(Sha256, u64)> = Vec::new();
    for (number, piece) in pieces {
        if sums.len() <= number {
            sums.resize_with(number + 1, Default::default);
        }
        sums[number].0.update(&piece);
        sums[number].1 += piece.len() as u64;
    }
    sums
}

/// A file that is hashed while it is written.
pub(super) struct Hashed {
    out: Unfinished,
    number: usize,
    piece: Vec<u8>,
    to: SyncSender<Piece>,
}

impl Hashed {
    /// Makes the file appear under its name.
    pub(super) fn finish(mut self) -> Result<(), RunDirError> {
        self.hand_over();
        Ok(self.out.finish()?)
    }

    fn hand_over(&mut self) {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(RUN_HASHED_BYTES));
        // Nobody hears it only after a panic there, which the end passes on.
        let _ = self.to.send((self.number, piece));
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.piece.extend_from_slice(&bytes[..written]);
        if self.piece.len() >= RUN_HASHED_BYTES {
            self.hand_over();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
