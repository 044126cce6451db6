//! The frame of a file: header, and blocks one behind the other.

use super::codec::Codec;
use super::error::AvroError;
use super::schema::Schema;
use crate::limits::{AVRO_BLOCK_MAX_BYTES, AVRO_HEADER_MAX_BYTES};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::sync::Arc;

/// What a file begins with.
pub(crate) const MAGIC: &[u8] = b"Obj\x01";

/// Reads a file block by block.
pub(crate) struct Container<R> {
    input: Input<R>,
    schema: Arc<Schema>,
    codec: Codec,
    sync: [u8; 16],
    /// The block whose records are being read: its number and its first byte.
    block: (u64, u64),
    /// Blocks that were begun.
    blocks: u64,
    stored: Vec<u8>,
}

/// The stored bytes, and how many there are.
struct Input<R> {
    bytes: BufReader<R>,
    at: u64,
    size: u64,
}

/// Bytes that are asked for at a time.
const CHUNK_BYTES: usize = 128 << 10;

impl<R: Read> Container<R> {
    /// Reads the header of a file of `size` bytes.
    pub(crate) fn open(bytes: R, size: u64) -> Result<Self, AvroError> {
        let mut input = Input { bytes: BufReader::with_capacity(CHUNK_BYTES, bytes), at: 0, size };
        if input.array::<4>()?[..] != *MAGIC {
            return Err(AvroError::header("it does not begin like an Avro object container file"));
        }
        let (mut schema, mut codec) = (None, None);
        while let count @ 1.. = input.items()? {
            for _ in 0..count {
                let (key, value) = (input.text()?, input.text()?);
                match &key[..] {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = Some(value),
                    _ => {}
                }
            }
        }
        let sync = input.array()?;
        let codec = Codec::named(codec.as_deref())?;
        let schema = schema.ok_or_else(|| AvroError::header("it has no schema"))?;
        let schema = Arc::new(Schema::parse(&schema)?);
        let block = (0, input.at);
        Ok(Self { input, schema, codec, sync, block, blocks: 0, stored: Vec::new() })
    }

    /// The same file, read on from byte `at`, where a block begins or the file ends; `bytes` begin
    /// there.
    pub(crate) fn resumed(self, bytes: R, at: u64) -> Self {
        let bytes = BufReader::with_capacity(CHUNK_BYTES, bytes);
        let input = Input { bytes, at, ..self.input };
        Self { input, ..self }
    }

    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Where the next block begins.
    pub(crate) fn at(&self) -> u64 {
        self.input.at
    }

    /// Where what is read lies, for a message.
    pub(crate) fn place(&self) -> String {
        let (number, byte) = self.block;
        format!("block {number} (from byte {byte} on)")
    }

    /// How many records the next block has; none: the file ends here.
    pub(crate) fn next(&mut self) -> Result<Option<Block<'_, R>>, AvroError> {
        self.block = (self.blocks, self.input.at);
        if self.input.at == self.input.size {
            // More than was said to be there would be another file.
            return match self.input.bytes.fill_buf().map_err(AvroError::Io)?.is_empty() {
                true => Ok(None),
                false => Err(self.damaged("the file is longer than it was".into())),
            };
        }
        self.blocks += 1;
        let numbers = self.input.long().and_then(|count| Ok((count, self.input.long()?)));
        let (count, bytes) = numbers.map_err(|error| self.in_block(error))?;
        let left = self.input.size.saturating_sub(self.input.at);
        let (records, size) = match (u64::try_from(count), u64::try_from(bytes)) {
            (Ok(records), Ok(bytes)) => (records, bytes),
            _ => {
                let problem = format!("it speaks of {count} records in {bytes} bytes");
                return Err(self.damaged(problem));
            }
        };
        if size.checked_add(16).is_none_or(|needed| needed > left) {
            let problem = format!(
                "it speaks of {size} bytes, and of its sync marker behind them, where {left} are \
                 left: the file was cut off, or is damaged here"
            );
            return Err(self.damaged(problem));
        }
        if size > AVRO_BLOCK_MAX_BYTES as u64 {
            let most = AVRO_BLOCK_MAX_BYTES >> 20;
            let problem =
                format!("it has {size} bytes, more than {most} MiB: write smaller blocks");
            return Err(self.damaged(problem));
        }
        Ok(Some(Block { file: self, records, size }))
    }

    /// Damage to the block that is being read.
    pub(crate) fn damaged(&self, problem: String) -> AvroError {
        AvroError::Damaged { place: self.place(), problem }
    }

    fn in_block(&self, error: AvroError) -> AvroError {
        match error {
            AvroError::Damaged { problem, .. } => self.damaged(problem),
            other => other,
        }
    }

    /// What must stand behind every block.
    fn sync(&mut self) -> Result<(), AvroError> {
        let found: [u8; 16] = self.input.array().map_err(|error| self.in_block(error))?;
        match found == self.sync {
            true => Ok(()),
            false => Err(self.damaged("the sync marker behind it is not that of the file".into())),
        }
    }
}

/// A block of which the counts were read. It must be read or passed over.
#[must_use]
pub(crate) struct Block<'a, R> {
    file: &'a mut Container<R>,
    /// Records that it says it has.
    pub(crate) records: u64,
    size: u64,
}

impl<R: Read> Block<'_, R> {
    /// Puts its records into `out`.
    pub(crate) fn read(self, out: &mut Vec<u8>) -> Result<u64, AvroError> {
        let Self { file, records, size } = self;
        file.stored.clear();
        let taken = file.input.take(size, &mut file.stored);
        taken.map_err(|error| file.in_block(error))?;
        file.sync()?;
        let unpacked = file.codec.unpack(&mut file.stored, out);
        unpacked.map_err(|problem| file.damaged(problem))?;
        // A record has one byte at least: `Schema::parse` sees to it.
        if records > out.len() as u64 {
            let problem = format!("it speaks of {records} records in {} bytes", out.len());
            return Err(file.damaged(problem));
        }
        Ok(records)
    }

    /// Goes on behind it.
    pub(crate) fn pass_over(self) -> Result<(), AvroError> {
        let Self { file, mut size, .. } = self;
        while size > 0 {
            let step = size.min(CHUNK_BYTES as u64);
            file.stored.clear();
            let taken = file.input.take(step, &mut file.stored);
            taken.map_err(|error| file.in_block(error))?;
            size -= step;
        }
        file.sync()
    }
}

impl<R: Read> Input<R> {
    /// The next `count` bytes, behind those in `out`.
    fn take(&mut self, count: u64, out: &mut Vec<u8>) -> Result<(), AvroError> {
        let read = (&mut self.bytes).take(count).read_to_end(out).map_err(AvroError::Io)?;
        self.at += read as u64;
        match read as u64 == count {
            true => Ok(()),
            false => Err(AvroError::header("it ends in the middle")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AvroError> {
        let mut out = [0; N];
        self.bytes.read_exact(&mut out).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => AvroError::header("it ends in the middle"),
            _ => AvroError::Io(error),
        })?;
        self.at += N as u64;
        Ok(out)
    }

    fn long(&mut self) -> Result<i64, AvroError> {
        let mut value = 0_u64;
        for at in 0..10 {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * at);
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(AvroError::header("it has a number of more than 64 bits"))
    }

    /// How many entries the next piece of the header's map has.
    fn items(&mut self) -> Result<u64, AvroError> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
        }
        match count.unsigned_abs() {
            count if count <= AVRO_HEADER_MAX_BYTES => Ok(count),
            count => Err(AvroError::header(format!("it speaks of {count} entries"))),
        }
    }

    /// A text of the header's map.
    fn text(&mut self) -> Result<Vec<u8>, AvroError> {
        let length = self.long()?;
        let most = AVRO_HEADER_MAX_BYTES.min(self.size);
        match u64::try_from(length) {
            Ok(bytes) if self.at.saturating_add(bytes) <= most => {
                let mut out = Vec::new();
                self.take(bytes, &mut out)?;
                Ok(out)
            }
            _ => {
                let problem = format!("it speaks of {length} bytes where it cannot have as many");
                Err(AvroError::header(problem))
            }
        }
    }
}
