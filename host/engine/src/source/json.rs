//! Parts of JSON lines: ranges of plain objects, whole compressed ones.

use super::objects::{Compression, Object};
use super::stored::Stored;
use super::{Share, piece};
use crate::limits::COMPRESSED_CHUNK_BYTES;
use crate::log::{Feed, LineReader, LogError, Part, Piece};
use crate::store::StoreError;
use flate2::bufread::MultiGzDecoder;
use retally_core::decode::{Lines, Slab};
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Reads the lines of one part.
pub(super) struct JsonReader {
    object: Arc<Object>,
    lines: LineReader<Box<dyn Read + Send>>,
    /// How far the object's stored bytes have been read.
    seen: Arc<AtomicU64>,
    from: u64,
    bytes: u64,
}

/// The parts of an object of `bytes` bytes: a plain one is cut into ranges of about the same
/// length.
pub(super) fn pieces(bytes: u64, compression: Compression, split: u64) -> Vec<(u64, Share)> {
    let count = match compression {
        Compression::None => bytes.div_ceil(split.max(1)),
        // A decompressor begins at the beginning. An object of no bytes is read too, as it is
        // damaged.
        Compression::Gzip | Compression::Zstd => 1,
    };
    let at = |n: u64| (u128::from(bytes) * u128::from(n) / u128::from(count)) as u64;
    let range = |n: u64| (at(n + 1) - at(n), Share::Bytes { from: at(n), to: at(n + 1) });
    (0..count).map(range).collect()
}

impl JsonReader {
    pub(super) fn open(
        object: &Arc<Object>,
        part: &Part,
        from: u64,
        to: u64,
    ) -> Result<Self, LogError> {
        if object.meta.bytes == 0 {
            return Err(corrupt(object, "has no bytes at all", 0, 0, 0));
        }
        // A line begins behind a line end: so the byte before the range is looked at too.
        let start = from.saturating_sub(1);
        let stored = Stored::open(object, start)?;
        let seen = stored.seen();
        let (input, own): (Box<dyn Read + Send>, u64) = match object.compression {
            Compression::None => (Box::new(stored), to - start),
            Compression::Gzip => (Box::new(MultiGzDecoder::new(buffered(stored))), u64::MAX),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(buffered(stored));
                let decoder = decoder.map_err(|e| StoreError::io("read", &object.shown, &e))?;
                (Box::new(decoder), u64::MAX)
            }
        };
        let lines = LineReader::new(input, object.options.chunk_bytes, own);
        let object = object.clone();
        let mut reader = Self { object, lines, seen, from, bytes: part.bytes };
        if from > 0 {
            reader.lines.skip_line().map_err(|e| reader.explain(e))?;
        }
        Ok(reader)
    }

    fn next(&mut self) -> Result<Option<Lines>, LogError> {
        match self.lines.next() {
            Ok(Some(lines)) => Ok(Some(lines)),
            Ok(None) => self.object.unchanged().map(|()| None),
            Err(e) => Err(self.explain(e)),
        }
    }

    /// What an error of the decompressor, or of the stored bytes below it, means for the person.
    fn explain(&self, error: io::Error) -> LogError {
        let error = match error.downcast::<LogError>() {
            Ok(of_store) => return of_store,
            Err(error) => error,
        };
        // What looks damaged may have been replaced while it was read.
        if let Err(changed) = self.object.unchanged() {
            return changed;
        }
        let problem = if error.kind() == io::ErrorKind::UnexpectedEof {
            "ends in the middle".to_owned()
        } else {
            format!("is damaged ({error})")
        };
        let seen = self.seen.load(Ordering::Relaxed);
        let (lines, bytes) = (self.lines.lines(), self.lines.bytes());
        corrupt(&self.object, &problem, seen, lines, bytes)
    }
}

impl Feed for JsonReader {
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        piece(self.next().map(|lines| lines.map(Slab::Lines)))
    }

    fn bytes_read(&self) -> u64 {
        self.seen.load(Ordering::Relaxed).saturating_sub(self.from).min(self.bytes)
    }
}

fn buffered(stored: Stored) -> BufReader<Stored> {
    BufReader::with_capacity(COMPRESSED_CHUNK_BYTES, stored)
}

fn corrupt(
    about: &Object,
    problem: &str,
    stored_at: u64,
    good_lines: u64,
    good_bytes: u64,
) -> LogError {
    let (path, format, stored_bytes) = (&about.shown, about.compression.as_str(), about.meta.bytes);
    LogError::new(format!(
        "`{path}`: {format} stream {problem}, near byte {stored_at} of {stored_bytes} of the file; \
         the {good_lines} lines before ({good_bytes} bytes decompressed) are good; fetch or write \
         the file again"
    ))
}
