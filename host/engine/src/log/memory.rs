//! A log that lies in memory: Arrow rows or lines of text, for whoever has the events already.

use super::{End, Feed, Follow, LineReader, Log, LogError, Part, Partition, Piece, Reached};
use crate::limits::{CHUNK_BYTES, SLAB_EVENTS};
use arrow_array::RecordBatch;
use bytes::Bytes;
use bytes::buf::{Buf, Reader};
use retally_core::decode::{Slab, original};
use retally_core::log::{Offsets, PartitionIndex};
use retally_core::manifest::Xxh3;
use retally_core::receipt::{Growth, Present, Receipt, Seen, Took};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A log that lies in memory. Each partition is one part.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    partitions: Vec<Partition>,
    parts: Vec<Part>,
    held: Vec<MemoryPartition>,
}

/// A partition that lies in memory.
#[derive(Debug, Clone)]
pub struct MemoryPartition {
    name: String,
    events: Events,
    offsets: Option<Arc<[u64]>>,
}

#[derive(Debug, Clone)]
enum Events {
    Lines(Bytes),
    Rows(Vec<RecordBatch>),
}

impl MemoryPartition {
    /// Lines of text, one event each, at the offsets from 0.
    pub fn lines(name: &str, text: impl Into<Bytes>) -> Self {
        Self { name: name.to_owned(), events: Events::Lines(text.into()), offsets: None }
    }

    /// Arrow rows, one event each, at the offsets from 0.
    pub fn rows(name: &str, batches: Vec<RecordBatch>) -> Self {
        Self { name: name.to_owned(), events: Events::Rows(batches), offsets: None }
    }

    /// The same events at these offsets: ascending, one for each event.
    pub fn at(self, offsets: impl Into<Arc<[u64]>>) -> Self {
        Self { offsets: Some(offsets.into()), ..self }
    }

    fn bytes(&self) -> u64 {
        match &self.events {
            Events::Lines(text) => text.len() as u64,
            Events::Rows(batches) => batches.iter().map(bytes_of).sum(),
        }
    }
}

fn bytes_of(batch: &RecordBatch) -> u64 {
    batch.get_array_memory_size() as u64
}

impl MemoryLog {
    /// A log of these partitions.
    ///
    /// # Errors
    /// Two partitions of one name.
    pub fn new(mut partitions: Vec<MemoryPartition>) -> Result<Self, LogError> {
        partitions.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = partitions.windows(2).find(|pair| pair[0].name == pair[1].name) {
            let name = &pair[0].name;
            return Err(LogError::usage(format!("two partitions have the name `{name}`")));
        }
        let about = |held: &MemoryPartition| Partition {
            name: held.name.clone(),
            first: held.offsets.as_ref().and_then(|all| all.first().copied()).unwrap_or(0),
            end: End::OfParts,
        };
        let part = |(number, held): (usize, &MemoryPartition)| Part {
            partition: number as PartitionIndex,
            bytes: held.bytes(),
        };
        Ok(Self {
            parts: partitions.iter().enumerate().map(part).collect(),
            partitions: partitions.iter().map(about).collect(),
            held: partitions,
        })
    }
}

impl Log for MemoryLog {
    fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn read(&self, part: usize, _from: u64) -> Result<Box<dyn Feed>, LogError> {
        let held = &self.held[part];
        let events = match &held.events {
            Events::Lines(text) => {
                Left::Lines(LineReader::new(text.clone().reader(), CHUNK_BYTES, u64::MAX))
            }
            Events::Rows(batches) => Left::Rows(batches.iter().cloned().collect(), 0),
        };
        Ok(Box::new(MemoryFeed { events, offsets: held.offsets.clone(), given: 0 }))
    }

    /// Memory is read fast: every event that was taken is looked at.
    fn receipts(&self, reached: &[Reached], _threads: usize) -> Result<Vec<Receipt>, LogError> {
        let taken = |(partition, reached): (&Partition, &Reached)| reached.next > partition.first;
        let all = (0..).zip(self.partitions.iter().zip(reached));
        all.filter(|(_, own)| taken(*own))
            .map(|(part, (partition, reached))| {
                let content = self.content(part, reached.next)?;
                Ok(Receipt {
                    partition: partition.name.clone(),
                    object: partition.name.clone(),
                    starts: None,
                    next: reached.next,
                    took: if content.is_all { Took::Whole } else { Took::UpTo },
                    bytes: content.taken_bytes,
                    growth: Growth::Any,
                    etag: None,
                    edges: None,
                    xxh3_128: content.xxh3,
                    byte_order_mark: false,
                    records: None,
                })
            })
            .collect()
    }

    fn present(
        &self,
        receipts: &[Receipt],
        _every_byte: bool,
        _threads: usize,
    ) -> Result<Option<Vec<Present>>, LogError> {
        let all = (0..).zip(&self.partitions).map(|(part, partition)| {
            let receipt = receipts.iter().find(|receipt| receipt.partition == partition.name);
            let content = self.content(part, receipt.map_or(0, |receipt| receipt.next))?;
            Ok(Present {
                partition: partition.name.clone(),
                object: partition.name.clone(),
                starts: None,
                bytes: content.bytes,
                etag: None,
                seen: Seen { xxh3_128: receipt.map(|_| content.xxh3), ..Seen::default() },
            })
        });
        all.collect::<Result<_, _>>().map(Some)
    }
}

/// What a partition in memory holds.
struct Content {
    /// Of all events.
    bytes: u64,
    /// Of those before an offset.
    taken_bytes: u64,
    xxh3: Xxh3,
    /// All lie before it.
    is_all: bool,
}

impl MemoryLog {
    /// What a partition holds, and what of it lies before offset `next`.
    fn content(&self, part: usize, next: u64) -> Result<Content, LogError> {
        let mut feed = self.read(part, 0)?;
        let mut follow = Follow::new(self.partitions[part].first);
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        let (mut bytes, mut taken_bytes, mut is_all) = (0, 0, true);
        while let Poll::Ready(piece) = feed.poll(&mut Context::from_waker(Waker::noop())) {
            let Some(piece) = piece? else { break };
            let offsets = follow.place(piece.offsets, piece.slab.len())?;
            for row in 0..piece.slab.len() {
                let event = original(&piece.slab, row);
                // An event counts, if it holds nothing.
                let length = event.len() as u64 + 1;
                bytes += length;
                is_all = offsets.at(row) < next;
                if is_all {
                    taken_bytes += length;
                    hash.update(&offsets.at(row).to_le_bytes());
                    hash.update(&length.to_le_bytes());
                    hash.update(&event);
                }
            }
        }
        Ok(Content { bytes, taken_bytes, xxh3: Xxh3(hash.digest128()), is_all })
    }
}

struct MemoryFeed {
    events: Left,
    offsets: Option<Arc<[u64]>>,
    /// Events given out.
    given: usize,
}

enum Left {
    Lines(LineReader<Reader<Bytes>>),
    /// The rows, and the bytes of those given out.
    Rows(VecDeque<RecordBatch>, u64),
}

impl Left {
    fn next(&mut self) -> Result<Option<Slab>, LogError> {
        match self {
            Self::Lines(lines) => Ok(lines.next().map_err(LogError::new)?.map(Slab::Lines)),
            Self::Rows(batches, bytes) => {
                let Some(batch) = batches.pop_front() else { return Ok(None) };
                if batch.num_rows() > SLAB_EVENTS {
                    batches.push_front(batch.slice(SLAB_EVENTS, batch.num_rows() - SLAB_EVENTS));
                    return Ok(Some(Slab::Rows(batch.slice(0, SLAB_EVENTS))));
                }
                *bytes += bytes_of(&batch);
                match batch.num_rows() {
                    0 => self.next(),
                    _ => Ok(Some(Slab::Rows(batch))),
                }
            }
        }
    }
}

impl Feed for MemoryFeed {
    fn poll(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        let slab = match self.events.next() {
            Ok(Some(slab)) => slab,
            Ok(None) if self.offsets.as_ref().is_some_and(|all| all.len() > self.given) => {
                let text = format!("there are more offsets than events, which are {}", self.given);
                return Poll::Ready(Err(LogError::usage(text)));
            }
            Ok(None) => return Poll::Ready(Ok(None)),
            Err(error) => return Poll::Ready(Err(error)),
        };
        let (from, to) = (self.given, self.given + slab.len());
        self.given = to;
        let offsets = match &self.offsets {
            None => Offsets::From(from as u64),
            // Too few of them are told of by whoever follows.
            Some(all) => Offsets::These(all.get(from..to.min(all.len())).unwrap_or(&[]).into()),
        };
        let folders = Arc::default();
        let (offsets, beside) = (Some(offsets), None);
        Poll::Ready(Ok(Some(Piece { slab, offsets, folders, beside, end: None })))
    }

    fn bytes_read(&self) -> u64 {
        match &self.events {
            Left::Lines(lines) => lines.bytes(),
            Left::Rows(_, bytes) => *bytes,
        }
    }
}
