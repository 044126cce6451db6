//! Events of a log in memory, any choice of which is a log of its own: what a verification tries
//! smaller and smaller logs with, and in the end writes into files.

use crate::cancel::Cancel;
use crate::limits::SHRUNK_BYTES;
use crate::log::{Follow, Log, LogError, MemoryLog, MemoryPartition, Part, Piece};
use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::{concat::concat_batches, take::take_record_batch};
use parquet::arrow::ArrowWriter;
use retally_core::decode::Slab;
use retally_core::log::Position;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why events cannot be held, as a sentence's end.
pub(super) type Refused = String;

/// See the module.
pub(super) struct Held {
    /// Of each partition its slabs.
    slabs: Vec<Vec<Slab>>,
    /// All events, in the order of the log: of which partition, in which slab, at which row.
    pub(super) events: Vec<Event>,
    /// Whether the log has more.
    pub(super) is_part: bool,
}

/// An event that is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    partition: u32,
    slab: u32,
    row: u32,
    /// Where it lies in its partition.
    offset: u64,
}

/// Files, by their names.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// What a choice of events is made of, partition by partition.
enum Content {
    Lines(Vec<u8>),
    Rows(Vec<RecordBatch>),
}

impl Held {
    /// Holds the first `events` events of each partition of a log, without those that are left
    /// `out`.
    pub(super) fn read(
        log: &dyn Log,
        events: u64,
        out: &BTreeSet<Position>,
        cancel: &Cancel,
    ) -> Result<Self, Refused> {
        let slabs = log.partitions().iter().map(|_| Vec::new()).collect();
        let mut held = Self { slabs, events: Vec::new(), is_part: false };
        let mut bytes = 0;
        for (number, partition) in (0..).zip(log.partitions()) {
            let parts = (0..).zip(log.parts()).filter(|(_, part)| part.partition == number);
            let parts: Vec<(usize, Part)> = parts.map(|(at, part)| (at, *part)).collect();
            let (mut follow, mut taken) = (Follow::new(partition.first), 0);
            'parts: for (part, _) in parts {
                let mut feed = log.read(part, partition.first).map_err(said)?;
                let next = |feed: &mut Box<dyn crate::log::Feed>| cancel.wait(|cx| feed.poll(cx));
                while let Some(piece) = next(&mut feed).ok_or("the time was over")?.map_err(said)? {
                    if taken >= events {
                        held.is_part = true;
                        break 'parts;
                    }
                    bytes += piece.bytes();
                    if bytes > SHRUNK_BYTES {
                        return Err(format!(
                            "it takes more than {} MiB of the log to show it",
                            SHRUNK_BYTES >> 20
                        ));
                    }
                    let is_out = |offset: u64| {
                        let partition = partition.name.clone();
                        out.contains(&Position { partition, offset })
                    };
                    let wanted = usize::try_from(events - taken).unwrap_or(usize::MAX);
                    held.is_part |= piece.slab.len() > wanted;
                    taken += piece.slab.len().min(wanted) as u64;
                    held.take(number, piece, wanted, &mut follow, &is_out)?;
                }
            }
        }
        Ok(held)
    }

    fn take(
        &mut self,
        partition: u32,
        piece: Piece,
        wanted: usize,
        follow: &mut Follow,
        is_out: &dyn Fn(u64) -> bool,
    ) -> Result<(), Refused> {
        if piece.beside.is_some() {
            return Err(
                "its events have keys, headers or times beside them, as records of a topic \
                        do, which no file would have"
                    .to_owned(),
            );
        }
        if !piece.folders.is_empty() {
            return Err("values in the paths of its files count".to_owned());
        }
        let offsets = follow.place(piece.offsets, piece.slab.len()).map_err(said)?;
        let slabs = &mut self.slabs[partition as usize];
        let slab = slabs.len() as u32;
        let is_whole = |row: usize| match &piece.slab {
            Slab::Lines(lines) => {
                let is_cut = lines.cut.iter().any(|(line, _)| *line as usize == row);
                !is_cut && !lines.get(row).contains(&b'\n')
            }
            Slab::Rows(_) => true,
        };
        let rows = (0..piece.slab.len()).take(wanted);
        let rows = rows.filter(|row| !is_out(offsets.at(*row)) && is_whole(*row));
        self.events.extend(rows.map(|row| Event {
            partition,
            slab,
            row: row as u32,
            offset: offsets.at(row),
        }));
        slabs.push(piece.slab);
        Ok(())
    }

    /// Those that come among the first `events` of their partition.
    pub(super) fn first(&self, events: u64) -> Vec<Event> {
        let mut taken = vec![0; self.slabs.len()];
        let all = self.events.iter().copied();
        let first = all.filter(|event| {
            let own: &mut u64 = &mut taken[event.partition as usize];
            *own += 1;
            *own <= events
        });
        first.collect()
    }

    /// Those at these places of partitions, which have the numbers that they have in the log.
    pub(super) fn at(&self, places: &BTreeSet<(u32, u64)>) -> Vec<Event> {
        let is_there = |event: &&Event| places.contains(&(event.partition, event.offset));
        self.events.iter().filter(is_there).copied().collect()
    }

    /// A log of nothing but these events, which are in the order of the log.
    pub(super) fn log(&self, events: &[Event]) -> Result<Arc<dyn Log>, LogError> {
        let partitions = self.contents(events)?.into_iter().map(|(name, content)| match content {
            Content::Lines(text) => MemoryPartition::lines(&name, text),
            Content::Rows(rows) => MemoryPartition::rows(&name, rows),
        });
        Ok(Arc::new(MemoryLog::new(partitions.collect())?))
    }

    /// The same as files: names and bytes; whether they are Parquet.
    pub(super) fn files(&self, events: &[Event]) -> Result<(Files, bool), String> {
        let mut files = Vec::new();
        let mut is_table = false;
        for (name, content) in self.contents(events).map_err(said)? {
            files.push(match content {
                Content::Lines(text) => (name + ".jsonl", text),
                Content::Rows(rows) => {
                    is_table = true;
                    (name + ".parquet", parquet(&rows)?)
                }
            });
        }
        Ok((files, is_table))
    }

    /// What the partitions hold, those that hold nothing left out. Names are numbers, in the order
    /// of the log's partitions: theirs may be those of folders and topics.
    fn contents(&self, events: &[Event]) -> Result<Vec<(String, Content)>, LogError> {
        let mut all = Vec::new();
        for own in events.chunk_by(|a, b| a.partition == b.partition) {
            let partition = own[0].partition;
            let mut text = Vec::new();
            let mut rows = Vec::new();
            for own in own.chunk_by(|a, b| a.slab == b.slab) {
                match &self.slabs[partition as usize][own[0].slab as usize] {
                    Slab::Lines(lines) => own.iter().for_each(|event| {
                        text.extend_from_slice(lines.get(event.row as usize));
                        text.push(b'\n');
                    }),
                    Slab::Rows(batch) => {
                        let chosen = UInt32Array::from_iter_values(own.iter().map(|one| one.row));
                        rows.push(take_record_batch(batch, &chosen).map_err(LogError::new)?);
                    }
                }
            }
            let content = if rows.is_empty() { Content::Lines(text) } else { Content::Rows(rows) };
            all.push((format!("{partition:05}"), content));
        }
        Ok(all)
    }
}

/// Rows as a file.
fn parquet(rows: &[RecordBatch]) -> Result<Vec<u8>, String> {
    let schema = rows.first().map(RecordBatch::schema).unwrap_or_else(|| Arc::new(none()));
    let rows = concat_batches(&schema, rows)
        .map_err(|error| format!("its records do not all have the same columns: {error}"))?;
    let write = || -> parquet::errors::Result<Vec<u8>> {
        let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), None)?;
        writer.write(&rows)?;
        writer.into_inner()
    };
    write().map_err(|error| format!("its rows cannot be written as Parquet: {error}"))
}

fn none() -> arrow_schema::Schema {
    arrow_schema::Schema::empty()
}

fn said(error: LogError) -> String {
    format!("the log cannot be read again: {error}")
}
