//! The events of a folder on their way into an order: gathered as far as memory may hold them, then
//! sorted and written as a run into a file without a name; runs are merged when all is read, and
//! before that where they become too many.
//!
//! ```text
//! level 0   run run run ... run     as many as are merged at once become one run of the next level
//! level 1   run run
//! ```
//!
//! Events are sorted by what they are sorted by, then by their place in the log: no two are equal.

use super::SortError;
use super::merge::{Head, Merge};
use super::sheet::{Holds, Sheet, gather};
use crate::limits::{SORT_MERGED_RUNS, SORTED_CHUNK_ROWS};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;
use retally_core::log::Spot;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek};
use std::path::PathBuf;
use std::sync::Arc;

/// What is held of an event beside its columns, while they are sorted.
const HELD_BYTES: usize = size_of::<Entry>();

/// Where runs are kept, and how much may be held without.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) bytes: usize,
    /// None: there is no such folder.
    pub(super) dir: Option<PathBuf>,
}

impl Room {
    /// The folder did not take something, or give it back.
    pub(super) fn failed(&self, error: io::Error) -> SortError {
        SortError::Folder { dir: self.dir.clone().unwrap_or_default(), error }
    }
}

/// Events that come in no order.
pub(super) struct Sorter {
    room: Room,
    /// Events of the same columns are sorted together.
    classes: Vec<Class>,
    bytes: usize,
}

struct Class {
    schema: SchemaRef,
    holds: Holds,
    sheets: Vec<Sheet>,
    runs: Vec<Run>,
}

/// A run in a file.
struct Run {
    level: u32,
    file: File,
}

/// An event that is held: the first bytes of what it is sorted by, and where it is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    begin: u128,
    sheet: u32,
    row: u32,
}

impl Sorter {
    pub(super) fn new(room: Room) -> Self {
        Self { room, classes: Vec::new(), bytes: 0 }
    }

    /// Takes some events.
    pub(super) fn push(&mut self, sheet: Sheet) -> Result<(), SortError> {
        self.bytes += sheet.bytes() + sheet.len() * HELD_BYTES;
        match self.classes.iter_mut().find(|class| class.takes(&sheet)) {
            Some(class) => class.sheets.push(sheet),
            None => {
                let (schema, holds) = (sheet.schema().clone(), sheet.holds());
                let (sheets, runs) = (vec![sheet], Vec::new());
                self.classes.push(Class { schema, holds, sheets, runs });
            }
        }
        if self.bytes > self.room.bytes { self.spill() } else { Ok(()) }
    }

    /// Writes what is held.
    fn spill(&mut self) -> Result<(), SortError> {
        for class in self.classes.iter_mut().filter(|class| !class.sheets.is_empty()) {
            let sheets = std::mem::take(&mut class.sheets);
            let run = write(&self.room, &class.schema, 0, Held::new(sheets, chunk(&self.room)))?;
            class.runs.push(run);
            class.tidy(&self.room)?;
        }
        self.bytes = 0;
        Ok(())
    }

    /// All events in order.
    pub(super) fn sorted(mut self) -> Result<Merge, SortError> {
        if self.classes.iter().any(|class| !class.runs.is_empty()) {
            self.spill()?;
        }
        let mut heads = Vec::new();
        for (number, class) in self.classes.into_iter().enumerate() {
            if !class.sheets.is_empty() {
                let held = Held::new(class.sheets, SORTED_CHUNK_ROWS);
                heads.push(Head::new(number, Box::new(held))?);
            }
            for run in class.runs {
                heads.push(Head::new(number, Box::new(run.read(&self.room, class.holds)?))?);
            }
        }
        Ok(Merge::new(heads))
    }
}

impl Class {
    fn takes(&self, sheet: &Sheet) -> bool {
        self.holds == sheet.holds() && self.schema.fields() == sheet.schema().fields()
    }

    /// Merges runs of the same level where there are many.
    fn tidy(&mut self, room: &Room) -> Result<(), SortError> {
        while let Some(last) = self.runs.last() {
            let level = last.level;
            let own = self.runs.iter().rev().take_while(|run| run.level == level).count();
            if own < SORT_MERGED_RUNS {
                return Ok(());
            }
            let mut heads = Vec::new();
            for run in self.runs.split_off(self.runs.len() - own) {
                heads.push(Head::new(0, Box::new(run.read(room, self.holds)?))?);
            }
            self.runs.push(write(room, &self.schema, level + 1, Merge::new(heads))?);
        }
        Ok(())
    }
}

/// Rows that are written, and read, at once: of as many runs as are merged these fit into half of
/// what may be held, where a row takes as much as a kibibyte.
fn chunk(room: &Room) -> usize {
    (room.bytes / (2 * SORT_MERGED_RUNS) / 1024).clamp(1, SORTED_CHUNK_ROWS)
}

fn write(
    room: &Room,
    schema: &SchemaRef,
    level: u32,
    sheets: impl Iterator<Item = Result<Sheet, SortError>>,
) -> Result<Run, SortError> {
    let Some(dir) = &room.dir else {
        return Err(SortError::NoFolder { mebibytes: room.bytes >> 20 });
    };
    let failed = |error| room.failed(error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    let file = tempfile::tempfile_in(dir).map_err(failed)?;
    let written = |error: arrow_schema::ArrowError| failed(io::Error::other(error));
    let mut writer = StreamWriter::try_new(BufWriter::new(file), schema).map_err(written)?;
    let rows = chunk(room);
    for sheet in sheets {
        let sheet = sheet?;
        let mut row = 0;
        while row < sheet.len() {
            let end = sheet.len().min(row + rows);
            writer.write(sheet.slice(row..end).all()).map_err(written)?;
            row = end;
        }
    }
    let file = writer.into_inner().map_err(written)?;
    let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.rewind().map_err(failed)?;
    Ok(Run { level, file })
}

impl Run {
    fn read(self, room: &Room, holds: Holds) -> Result<ReadRun, SortError> {
        let reader = StreamReader::try_new(BufReader::new(self.file), None);
        let reader = reader.map_err(|error| room.failed(io::Error::other(error)))?;
        Ok(ReadRun { room: room.clone(), holds, reader })
    }
}

struct ReadRun {
    room: Room,
    holds: Holds,
    reader: StreamReader<BufReader<File>>,
}

impl Iterator for ReadRun {
    type Item = Result<Sheet, SortError>;

    fn next(&mut self) -> Option<Self::Item> {
        let sheet = self.reader.next()?.map(|rows| Sheet::again(rows, self.holds));
        Some(sheet.map_err(|error| self.room.failed(io::Error::other(error))))
    }
}

/// Events that memory holds, in their order.
struct Held {
    sheets: Vec<Sheet>,
    order: Vec<Entry>,
    next: usize,
    rows: usize,
}

impl Held {
    fn new(sheets: Vec<Sheet>, rows: usize) -> Self {
        let mut order = Vec::with_capacity(sheets.iter().map(Sheet::len).sum());
        for (number, sheet) in (0..).zip(&sheets) {
            let entry =
                |row| Entry { begin: begin(sheet.key(row)), sheet: number, row: row as u32 };
            order.extend((0..sheet.len()).map(entry));
        }
        let of = |entry: &Entry| -> (&[u8], Spot) {
            let (sheet, row) = (&sheets[entry.sheet as usize], entry.row as usize);
            (sheet.key(row), sheet.spot(row))
        };
        order.sort_unstable_by(|a, b| a.begin.cmp(&b.begin).then_with(|| of(a).cmp(&of(b))));
        Self { sheets, order, next: 0, rows }
    }
}

impl Iterator for Held {
    type Item = Result<Sheet, SortError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.order.len().min(self.next + self.rows);
        let entries = &self.order[self.next..end];
        if entries.is_empty() {
            return None;
        }
        self.next = end;
        let mut wanted: Vec<u32> = entries.iter().map(|entry| entry.sheet).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let sheets: Vec<Sheet> =
            wanted.iter().map(|&number| self.sheets[number as usize].clone()).collect();
        let place =
            |entry: &Entry| (wanted.partition_point(|&own| own < entry.sheet), entry.row as usize);
        let rows: Vec<(usize, usize)> = entries.iter().map(place).collect();
        Some(gather(&sheets, &rows).map_err(|error| SortError::Columns(Arc::new(error))))
    }
}

/// The first bytes of what an event is sorted by; those that are missing are zeros, which no other
/// key has there that comes before.
fn begin(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let len = key.len().min(bytes.len());
    bytes[..len].copy_from_slice(&key[..len]);
    u128::from_be_bytes(bytes)
}
