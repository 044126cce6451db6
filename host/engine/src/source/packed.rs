//! Compressed bytes as one stream: gzip members, or zstd frames, one behind the other, and nothing
//! else. What stands behind the last one is neither passed over nor taken for damage of what came
//! before: zeros are the padding that tapes and block devices leave behind a member of gzip, and
//! anything else is named with its place.

use super::objects::Compression;
use super::stored::Stored;
use crate::limits::COMPRESSED_CHUNK_BYTES;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, Read};

/// Reads what an object holds, decompressed.
pub(super) struct Packed {
    /// None: everything was read, or reading failed.
    piece: Option<Piece>,
}

/// A member or a frame.
enum Piece {
    Gzip(Box<GzDecoder<Ahead>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Ahead>>),
}

/// What stands where a member or frame should begin, or nothing. A fragment for a message.
#[derive(Debug, thiserror::Error)]
#[error(
    "has bytes behind its end that are no {what} (from byte {at} on): whoever wrote it put \
     something else behind it, or it was overwritten"
)]
pub(super) struct Behind {
    what: &'static str,
    /// The byte of the stored object.
    pub(super) at: u64,
}

impl Packed {
    /// Begins at the first byte of an object. `compression`: not none.
    pub(super) fn new(stored: Stored, compression: Compression) -> io::Result<Self> {
        Ok(Self { piece: Some(Piece::begin(Ahead::new(stored), compression)?) })
    }
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = &mut self.piece {
            let count = match piece {
                Piece::Gzip(member) => member.read(buffer),
                Piece::Zstd(frame) => frame.read(buffer),
            };
            match count {
                Ok(0) if !buffer.is_empty() => {
                    self.piece = self.piece.take().map(Piece::next).transpose()?.flatten();
                }
                other => return other,
            }
        }
        Ok(0)
    }
}

impl Piece {
    fn begin(bytes: Ahead, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Zstd => {
                let frame = zstd::stream::read::Decoder::with_buffer(bytes)?;
                Self::Zstd(Box::new(frame.single_frame()))
            }
            Compression::Gzip | Compression::None => Self::Gzip(Box::new(GzDecoder::new(bytes))),
        })
    }

    /// What follows a piece that was read whole.
    fn next(self) -> io::Result<Option<Self>> {
        let (mut bytes, compression, what) = match self {
            Self::Gzip(member) => (member.into_inner(), Compression::Gzip, "gzip member"),
            Self::Zstd(frame) => (frame.finish(), Compression::Zstd, "zstd frame"),
        };
        if compression == Compression::Gzip {
            bytes.skip_zeros()?;
        }
        let at = bytes.at();
        let start = bytes.peek(4)?;
        if start.is_empty() {
            return Ok(None);
        }
        if Compression::of_magic(start) == compression {
            return Self::begin(bytes, compression).map(Some);
        }
        Err(io::Error::other(Behind { what, at }))
    }
}

/// Stored bytes read ahead, of which the place is known: a decompressor must not take more than
/// its own.
struct Ahead {
    stored: Stored,
    bytes: Vec<u8>,
    /// How many of `bytes` were taken.
    taken: usize,
}

impl Ahead {
    fn new(stored: Stored) -> Self {
        Self { stored, bytes: Vec::new(), taken: 0 }
    }

    /// Where the next byte lies in the object.
    fn at(&self) -> u64 {
        self.stored.at() - (self.bytes.len() - self.taken) as u64
    }

    /// The next bytes: `count` of them, or fewer at the end.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.bytes.len() - self.taken < count && self.more()? {}
        let end = self.bytes.len().min(self.taken + count);
        Ok(&self.bytes[self.taken..end])
    }

    /// Passes over zeros.
    fn skip_zeros(&mut self) -> io::Result<()> {
        loop {
            let next = self.fill_buf()?;
            let zeros = next.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                return Ok(());
            }
            self.consume(zeros);
        }
    }

    /// Reads more behind what was not taken yet; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let held = self.bytes.len();
        self.bytes.resize(held + COMPRESSED_CHUNK_BYTES, 0);
        let count = loop {
            match self.stored.read(&mut self.bytes[held..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                count => break count,
            }
        };
        self.bytes.truncate(held + count.as_ref().map_or(0, |count| *count));
        Ok(count? > 0)
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Ahead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.bytes.len() {
            self.more()?;
        }
        Ok(&self.bytes[self.taken..])
    }

    fn consume(&mut self, count: usize) {
        self.taken += count;
    }
}
