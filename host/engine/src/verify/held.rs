//! Events of a log in memory, any choice of which is a log of its own: what a verification tries
//! smaller and smaller logs with, and in the end writes into files.

use crate::cancel::Cancel;
use crate::limits::SHRUNK_BYTES;
use crate::log::{Follow, Log, LogError, MemoryLog, MemoryPartition, Piece};
use crate::run::Positions;
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

/// What is wanted of a partition.
struct Wanted<'a> {
    partition: u32,
    name: &'a str,
    /// The first offset, and that behind the last.
    from: u64,
    to: u64,
    out: &'a BTreeSet<Position>,
}

impl Wanted<'_> {
    fn is_out(&self, offset: u64) -> bool {
        let partition = self.name.to_owned();
        !self.out.is_empty() && self.out.contains(&Position { partition, offset })
    }
}

/// Why nothing is held where nobody waits any longer.
pub(super) const OVER: &str = "the time was over before one was found";

/// Files, by their names.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// What a choice of events is made of, partition by partition.
enum Content {
    Lines(Vec<u8>),
    Rows(Vec<RecordBatch>),
}

impl Held {
    /// Holds the first `events` events of each partition within its range, without those that are
    /// left `out`.
    pub(super) fn read(
        positions: &Positions,
        events: u64,
        out: &BTreeSet<Position>,
        cancel: &Cancel,
    ) -> Result<Self, Refused> {
        let log = positions.log.as_ref();
        let slabs = log.partitions().iter().map(|_| Vec::new()).collect();
        let mut held = Self { slabs, events: Vec::new(), is_part: false };
        let mut bytes = 0;
        let ranges = positions.from.iter().zip(&positions.to);
        for ((number, partition), (&from, &to)) in (0..).zip(log.partitions()).zip(ranges) {
            let wanted = Wanted { partition: number, name: &partition.name, from, to, out };
            let (mut follow, mut taken) = (Follow::new(partition.first), 0);
            let parts = log.parts().iter().enumerate();
            for (part, _) in parts.filter(|(_, part)| part.partition == number) {
                let mut feed = log.read(part, from).map_err(said)?;
                while let Some(piece) =
                    cancel.wait(|cx| feed.poll(cx)).ok_or(OVER)?.map_err(said)?
                {
                    bytes += piece.bytes();
                    if bytes > SHRUNK_BYTES {
                        let mib = SHRUNK_BYTES >> 20;
                        return Err(format!("it takes more than {mib} MiB of the log to show it"));
                    }
                    let rest = usize::try_from(events - taken).unwrap_or(usize::MAX);
                    let (took, more, is_end) = held.take(&wanted, piece, rest, &mut follow)?;
                    taken += took as u64;
                    held.is_part |= more;
                    if more || is_end {
                        break;
                    }
                }
                if held.is_part && taken >= events {
                    break;
                }
            }
        }
        Ok(held)
    }

    /// Takes what is wanted of a piece, so many events at the most. Gives how many it took, whether
    /// there are more, and whether the range is over.
    fn take(
        &mut self,
        of: &Wanted<'_>,
        piece: Piece,
        most: usize,
        follow: &mut Follow,
    ) -> Result<(usize, bool, bool), Refused> {
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
        let slabs = &mut self.slabs[of.partition as usize];
        let slab = slabs.len() as u32;
        let is_whole = |row: usize| match &piece.slab {
            Slab::Lines(lines) => {
                let is_cut = lines.cut.iter().any(|(line, _)| *line as usize == row);
                !is_cut && !lines.get(row).contains(&b'\n')
            }
            Slab::Rows(_) => true,
        };
        let within = |row: &usize| (of.from..of.to).contains(&offsets.at(*row));
        let mut rows: Vec<usize> = (0..piece.slab.len()).filter(within).collect();
        let more = rows.len() > most;
        rows.truncate(most);
        let is_end = (0..piece.slab.len()).any(|row| offsets.at(row) >= of.to);
        let took = rows.len();
        let kept = rows.into_iter().filter(|row| !of.is_out(offsets.at(*row)) && is_whole(*row));
        self.events.extend(kept.map(|row| Event {
            partition: of.partition,
            slab,
            row: row as u32,
            offset: offsets.at(row),
        }));
        slabs.push(piece.slab);
        Ok((took, more, is_end))
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
    let Some(schema) = rows.first().map(RecordBatch::schema) else { return Ok(Vec::new()) };
    let rows = concat_batches(&schema, rows)
        .map_err(|error| format!("its records do not all have the same columns: {error}"))?;
    let write = || -> parquet::errors::Result<Vec<u8>> {
        let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), None)?;
        writer.write(&rows)?;
        writer.into_inner()
    };
    write().map_err(|error| format!("its rows cannot be written as Parquet: {error}"))
}

fn said(error: LogError) -> String {
    format!("the log cannot be read again: {error}")
}
