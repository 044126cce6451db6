//! From what a log holds to typed columns: the one place where bytes become events.
//!
//! A [`Plan`] is compiled once per run from the declarations of one or several reducers; it reads a
//! [`Slab`] (lines of JSON, or Arrow rows) and writes one [`Events`] per reducer. The steps of
//! judgement that need no memory happen here (input, key, id, time, fields); the others in
//! [`crate::reduce`].

mod arrow;
mod assemble;
mod beside;
mod bytes;
mod code;
pub mod convert;
mod decoder;
mod detail;
mod fault;
mod field;
mod json;
mod leaf;
mod number;
mod outside;
mod places;
mod plan;
mod raw;
mod record;
mod render;
mod scan;
mod shape;
mod simple;
mod slice;
mod table;
mod terms;
mod time;
mod trie;

pub use beside::{Beside, FAULT, VALUE};
pub use code::Code;
pub use decoder::Decoder;
pub(crate) use detail::cut;
pub use fault::{DecodeError, Wanted};
pub use places::Places;
pub use plan::{Plan, PlanError};
pub use render::{original, original_of};
pub(crate) use scan::JsonCheck;
pub use terms::Terms;
pub use trie::{is_of_path, is_outside};

use crate::log::{Micros, Offsets, PartitionIndex};
use crate::schema::{Column, Spans};
use arrow_array::RecordBatch;
use std::sync::Arc;

/// Where in an event its key, id and time lie.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addressing {
    /// Parts of the key: one, or several for a composite key.
    pub key: Vec<Address>,
    /// The id.
    pub id: Address,
    /// The time.
    pub time: Address,
    /// Unit of times that are numbers.
    pub time_unit: Option<TimeUnit>,
}

/// Where one value lies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Address {
    /// JSON pointer, or column (`/a/b`: field `b` of struct column `a`); or `@path:NAME`, a value
    /// in the path of the object; or what a record has beside its value ([`Beside`]). Of records
    /// that are bytes and nothing else the empty pointer.
    Path(String),
    /// `@position`: the event's position as text, `partition:offset`.
    #[default]
    Position,
}

/// Unit of a time that is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
}

/// A piece of a partition as its source reads it: events that follow one another in it.
#[derive(Debug, Clone)]
pub enum Slab {
    /// Lines of JSON.
    Lines(Lines),
    /// Rows of a Parquet file (or from Python, Spark).
    Rows(RecordBatch),
}

impl Slab {
    /// Number of events.
    pub fn len(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.ends.len(),
            Self::Rows(rows) => rows.num_rows(),
        }
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Lines of text, not looked into yet.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    /// The lines, each with its line end (`\n` or `\r\n`) if it has one.
    pub bytes: Vec<u8>,
    /// Where each line ends in `bytes`, behind its line end.
    pub ends: Vec<u32>,
    /// Lines that were longer than [`crate::limits::LINE_MAX_BYTES`] and are cut to
    /// [`crate::limits::LINE_KEPT_BYTES`]: number of the line and its full length in bytes.
    /// Ascending.
    pub cut: Vec<(u32, u64)>,
    /// Whether each is all of its bytes, whatever they end with: values of records, which have no
    /// line ends.
    pub whole: bool,
}

impl Lines {
    /// The line at `row` without its line end, if it may have one.
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        let line = &self.bytes[start..self.ends[row] as usize];
        if self.whole {
            return line;
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// A slab and its place in the log.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The partition's number in this run.
    pub partition: PartitionIndex,
    /// The partition's name.
    pub name: Arc<str>,
    /// Where the events lie.
    pub offsets: Offsets,
    /// What the path of their object says, by the numbers of [`Plan::folders`]; where there are
    /// fewer, nothing.
    pub folders: Folders,
    /// What they have beside themselves, one row for each: columns named as [`Beside`] shows, and
    /// [`FAULT`] and [`VALUE`]. None: nothing.
    pub beside: Option<RecordBatch>,
    /// The events.
    pub slab: Arc<Slab>,
}

/// Values in the path of an object, such as `2024-01-31` in a folder `dt=2024-01-31`.
pub type Folders = Arc<[Option<Box<str>>]>;

/// How far an event came before anything that needs memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// Everything was read.
    Ready,
    /// No input takes it; nothing of it was read.
    #[default]
    Ignored,
    /// No valid record, or key, id or time could not be read: has no key.
    Unreadable(Code),
    /// Key, id and time are known; a field could not be read.
    BadField(Code),
    /// Its key is none of those that are taken.
    Filtered,
}

impl Reading {
    /// Whether the event has a key, and one that is taken.
    #[inline]
    pub fn has_key(self) -> bool {
        matches!(self, Self::Ready | Self::BadField(_))
    }
}

/// The decoded events of one slab, or of several as one, for one reducer.
#[derive(Debug, Default)]
pub struct Events {
    /// One per event.
    pub readings: Vec<Reading>,
    /// Each event's input; 255 where none took it.
    pub inputs: Vec<u8>,
    /// Each ready event's row in the columns of its input; 0 for others.
    pub rows: Vec<u32>,
    /// Each event's key; empty where it was not read.
    pub keys: Spans,
    /// Each event's id; empty where it was not read.
    pub ids: Spans,
    /// Each event's time; 0 where it was not read.
    pub times: Vec<Micros>,
    /// Under order "time", of the first reader: each event's time whether or not an input takes
    /// it, so that the order depends on the log alone; [`NEVER`](crate::log::NEVER) where it has
    /// none.
    pub clock: Vec<Micros>,
    /// For each input one column per declared field, over its ready events.
    pub columns: Vec<Vec<Column>>,
    /// What a person should know of a malformed event (which field, which value), by number of
    /// event, ascending; each cut to [`crate::limits::DETAIL_MAX_BYTES`]. Never in a digest.
    pub details: Vec<(u32, String)>,
}
