//! Avro objects: read from the first block to the last by one reader, as Arrow rows. An offset is
//! the number of a record; a reader can begin behind any block.

use super::error::{unreadable, wrong_format};
use super::objects::Object;
use super::receipts::{Ends, PartEnd};
use super::stored::Stored;
use super::{Pieces, Share, piece};
use crate::avro::{AvroError, Container, Records};
use crate::log::{Feed, LogError, Piece};
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use retally_core::decode::Slab;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Reads the records of one object.
pub(super) struct AvroReader {
    object: Arc<Object>,
    file: Container<Stored>,
    records: Records,
    /// The block that is being read, unpacked; where its next record begins; how many are left.
    block: Vec<u8>,
    at: usize,
    left: u64,
    /// Records of the block that were read.
    of_block: u64,
    /// Where reading began.
    from: u64,
    /// Records that were read.
    given: u64,
    /// Where it is noted that the slice, of this number, was read to its end.
    ends: (usize, Arc<Ends>),
}

/// The one part of an Avro object, and its top-level fields.
pub(super) fn pieces(object: &Arc<Object>) -> Result<Pieces, LogError> {
    let file = open(object)?;
    // What cannot be read is refused before anything is.
    Records::new(file.schema(), object.options.columns.as_deref())
        .map_err(|error| explain(object, error))?;
    let columns = file.schema().names().map(str::to_owned).collect();
    let bytes = object.meta.bytes;
    Ok((vec![(bytes, Share::Bytes { from: 0, to: bytes })], columns))
}

/// Reads the header.
fn open(object: &Arc<Object>) -> Result<Container<Stored>, LogError> {
    if object.meta.bytes == 0 {
        let problem = "has no bytes at all".to_owned();
        return Err(unreadable(&object.shown, "header", &problem));
    }
    let stored = Stored::open(object, 0)?;
    Container::open(stored, object.meta.bytes).map_err(|error| explain(object, error))
}

impl AvroReader {
    /// Reads these columns of an object (none: all) from byte `from` on: 0, or where a block ends.
    pub(super) fn open(
        object: &Arc<Object>,
        columns: Option<&[String]>,
        ends: (usize, Arc<Ends>),
        from: u64,
    ) -> Result<Self, LogError> {
        let mut file = open(object)?;
        let records = Records::new(file.schema(), columns);
        let records = records.map_err(|error| explain(object, error))?;
        if from > 0 {
            file = file.resumed(Stored::open(object, from)?, from);
        }
        let (object, block) = (object.clone(), Vec::new());
        let (at, left, of_block, given) = (0, 0, 0, 0);
        Ok(Self { object, file, records, block, at, left, of_block, from, given, ends })
    }

    /// The next rows; none: that was all.
    fn next(&mut self) -> Result<Option<RecordBatch>, LogError> {
        let filled = self.fill().and_then(|()| match self.records.are_none() {
            true => Ok(None),
            false => self.records.take().map(Some).map_err(|error| self.unmade(&error)),
        });
        let rows = filled.map_err(|error| explain(&self.object, error))?;
        if rows.is_none() {
            self.object.is_one()?;
            let (number, ends) = &self.ends;
            ends.note(*number, PartEnd { lines: self.given, is_open: false });
        }
        Ok(rows)
    }

    /// Reads records until there is a slab of them, or no more.
    fn fill(&mut self) -> Result<(), AvroError> {
        while !self.records.are_full() {
            if self.left == 0 {
                let Some(block) = self.file.next()? else { return Ok(()) };
                (self.left, self.at) = (block.read(&mut self.block)?, 0);
                self.of_block = 0;
            } else {
                let record = self.records.push(&self.block[self.at..]);
                self.at += record.map_err(|fault| self.bad_record(&fault))?;
                self.left -= 1;
                self.of_block += 1;
                self.given += 1;
            }
            at_end(&self.file, self.left, self.block.len() - self.at)?;
        }
        Ok(())
    }

    fn bad_record(&self, fault: &str) -> AvroError {
        self.file.damaged(format!("record {} of it: {fault}", self.of_block))
    }

    fn unmade(&self, error: &ArrowError) -> AvroError {
        self.file.damaged(format!("its records make no rows ({error})"))
    }
}

/// Behind its last record a block must have nothing.
fn at_end(file: &Container<Stored>, records: u64, bytes: usize) -> Result<(), AvroError> {
    match (records, bytes) {
        (0, 1..) => {
            let problem = format!("{bytes} bytes are behind its last record");
            Err(file.damaged(problem))
        }
        _ => Ok(()),
    }
}

impl Feed for AvroReader {
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        let next = self.next().map(|rows| rows.map(Slab::Rows));
        let mut polled = piece(&self.object, next);
        if let Poll::Ready(Ok(Some(piece))) = &mut polled {
            piece.end = Some(self.file.at()).filter(|_| self.left == 0);
        }
        polled
    }

    fn bytes_read(&self) -> u64 {
        self.file.at().saturating_sub(self.from)
    }
}

/// Whole records of an object: those at `offsets`, ascending, with all fields.
pub(super) fn rows(object: &Arc<Object>, offsets: &[u64]) -> Result<Vec<RecordBatch>, LogError> {
    let read = |file: Container<Stored>| -> Result<Vec<RecordBatch>, AvroError> {
        let mut records = Records::new(file.schema(), None)?;
        let (mut all, mut file) = (Vec::new(), file);
        let (mut first, mut left, mut bytes) = (0_u64, offsets, Vec::new());
        while !left.is_empty() {
            let Some(block) = file.next()? else { break };
            let end = first.saturating_add(block.records);
            let (own, later) = left.split_at(left.partition_point(|offset| *offset < end));
            (first, left) = match own.is_empty() {
                true => block.pass_over().map(|()| (end, left))?,
                false => {
                    block.read(&mut bytes)?;
                    let made = wanted(&mut records, (&bytes, first), own, &mut all);
                    made.map_err(|problem| file.damaged(problem))?;
                    (end, later)
                }
            };
        }
        if !records.are_none() {
            let made = records.take().map_err(|error| file.damaged(error.to_string()));
            all.push(made?);
        }
        Ok(all)
    };
    let all = read(open(object)?).map_err(|error| explain(object, error))?;
    let found: usize = all.iter().map(RecordBatch::num_rows).sum();
    if found != offsets.len() {
        object.unchanged()?;
        let problem = format!("only {found} of {} records found", offsets.len());
        return Err(unreadable(&object.shown, &format!("records {offsets:?}"), &problem));
    }
    Ok(all)
}

/// Puts the records at `offsets` of a block, whose first is `first`, with the others.
fn wanted(
    records: &mut Records,
    (bytes, first): (&[u8], u64),
    offsets: &[u64],
    all: &mut Vec<RecordBatch>,
) -> Result<(), String> {
    let (mut at, mut number) = (0, 0);
    for offset in offsets {
        while first + number < *offset {
            let passed = records.skip(&bytes[at..]);
            at += passed.map_err(|fault| format!("record {number} of it: {fault}"))?;
            number += 1;
        }
        let taken = records.push(&bytes[at..]);
        at += taken.map_err(|fault| format!("record {number} of it: {fault}"))?;
        number += 1;
        if records.are_full() {
            all.push(records.take().map_err(|error| error.to_string())?);
        }
    }
    Ok(())
}

/// What an error means for the person.
fn explain(object: &Object, error: AvroError) -> LogError {
    match (error, object.unchanged()) {
        (AvroError::Io(error), _) => object.failed(error),
        (_, Err(changed)) => changed,
        (AvroError::Damaged { place, problem }, Ok(())) => {
            unreadable(&object.shown, &place, &problem)
        }
        (AvroError::NotRead { found, hint }, Ok(())) => wrong_format(&object.shown, &found, hint),
    }
}
