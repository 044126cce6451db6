//! Rows of a snapshot as Parquet, there and back.
//!
//! ```text
//! keys      key, state: binary | applied: uint64 | highest, last: timestamp or null | home: uint32
//! ids       place: 16 bytes, the digest with its lowest two bytes moved to the front, so that the
//!           ids of a shard lie together | content: uint64
//!           under a span also: key: binary | highest: timestamp
//! outcomes  partition: text | events: uint64 | edge: binary (hashes) | open: binary (records)
//! ```

use super::SnapshotError;
use super::format::Part;
use crate::limits::SNAPSHOT_WRITTEN_ROWS;
use crate::store::{Folder, Unfinished};
use crate::table::{
    NewRows, TableWriter, binary, fixed, optional, text, time, unsigned, unsigned32,
};
use arrow_schema::Field;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use retally_core::digest::{Hash, History};
use retally_core::log::Micros;
use retally_core::schema::Spans;
use retally_core::snapshot::{IdRows, KeyRows};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::path::Path;

/// Rows of a row group: what a reader can take up at a time.
const GROUP_ROWS: usize = 1 << 18;

/// Bytes of a place.
pub(super) const PLACE_BYTES: i32 = 16;

/// A Parquet file of a snapshot that is being written.
struct Table {
    path: String,
    writer: TableWriter<Hashed>,
}

/// An object that grows, hashed on the way.
struct Hashed {
    out: Unfinished,
    hasher: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Table {
    fn create(files: &Folder, path: String, columns: Vec<Field>) -> Result<Self, SnapshotError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::None)
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            // Keys come in order: each is written as what it adds to the one before.
            .set_column_encoding(ColumnPath::from("key"), Encoding::DELTA_BYTE_ARRAY)
            // What is random does not shrink.
            .set_column_compression(ColumnPath::from("place"), Compression::UNCOMPRESSED)
            .set_column_compression(ColumnPath::from("content"), Compression::UNCOMPRESSED)
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties);
        let shown = files.show(&path);
        let out = Hashed { out: files.write(&path)?, hasher: Sha256::new(), bytes: 0 };
        let writer = TableWriter::new(out, Path::new(&shown), columns, options)?;
        Ok(Self { path, writer })
    }

    fn finish(self) -> Result<Part, SnapshotError> {
        let Self { path, writer } = self;
        let rows = writer.rows;
        let Hashed { out, hasher, bytes } = writer.finish()?;
        out.finish()?;
        Ok(Part { path, rows, bytes, sha256: Hash(hasher.finalize().into()) })
    }
}

/// Writes keys.
pub(super) struct KeyTable {
    table: Table,
    rows: KeyRows,
}

impl KeyTable {
    pub(super) fn create(files: &Folder, path: String) -> Result<Self, SnapshotError> {
        let columns = vec![
            binary("key"),
            binary("state"),
            unsigned("applied"),
            optional(time("highest")),
            optional(time("last")),
            unsigned32("home"),
        ];
        Ok(Self { table: Table::create(files, path, columns)?, rows: KeyRows::default() })
    }

    /// Takes a row of others.
    pub(super) fn push(&mut self, from: &KeyRows, row: usize) -> Result<(), SnapshotError> {
        let rows = &mut self.rows;
        rows.keys.push(from.keys.get(row));
        rows.states.push(from.states.get(row));
        rows.applied.push(from.applied[row]);
        rows.highest.push(from.highest[row]);
        rows.last.push(from.last[row]);
        rows.home.push(from.home[row]);
        if rows.len() == SNAPSHOT_WRITTEN_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SnapshotError> {
        let KeyRows { keys, states, applied, highest, last, home } = std::mem::take(&mut self.rows);
        // "None yet" is null to a reader, a number to the fold.
        let reached: Vec<bool> = highest.iter().map(|&time| time != Micros::MIN).collect();
        let was_applied = |(&applied, &last): (&u64, &Micros)| applied > 0 || last != 0;
        let has_last: Vec<bool> = applied.iter().zip(&last).map(was_applied).collect();
        let rows = NewRows::default()
            .bytes("key", keys)
            .bytes("state", states)
            .unsigned("applied", applied)
            .some_times("highest", highest, &reached)
            .some_times("last", last, &has_last)
            .unsigned32("home", home);
        Ok(self.table.writer.write(rows)?)
    }

    pub(super) fn finish(mut self) -> Result<Part, SnapshotError> {
        self.flush()?;
        self.table.finish()
    }
}

/// Writes ids.
pub(super) struct IdTable {
    table: Table,
    places: Vec<u8>,
    content: Vec<u64>,
    /// Under a span.
    spanned: Option<(Spans, Vec<Micros>)>,
}

/// A digest as it stands in a file: what tells its shard comes first.
pub(super) fn place(digest: u128) -> u128 {
    digest.rotate_right(16)
}

/// The digest of a place.
pub(super) fn digest(place: [u8; PLACE_BYTES as usize]) -> u128 {
    u128::from_be_bytes(place).rotate_left(16)
}

impl IdTable {
    pub(super) fn create(
        files: &Folder,
        path: String,
        spanned: bool,
    ) -> Result<Self, SnapshotError> {
        let mut columns = vec![fixed("place", PLACE_BYTES), unsigned("content")];
        if spanned {
            columns.extend([binary("key"), time("highest")]);
        }
        Ok(Self {
            table: Table::create(files, path, columns)?,
            places: Vec::new(),
            content: Vec::new(),
            spanned: spanned.then(Default::default),
        })
    }

    /// Takes a row of others; `key` is its key, under a span.
    pub(super) fn push(
        &mut self,
        from: &IdRows,
        row: usize,
        key: &[u8],
    ) -> Result<(), SnapshotError> {
        self.places.extend(place(from.digests[row]).to_be_bytes());
        self.content.push(from.content[row]);
        if let Some((keys, highest)) = &mut self.spanned {
            keys.push(key);
            highest.push(from.highest[row]);
        }
        if self.content.len() == SNAPSHOT_WRITTEN_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SnapshotError> {
        let places = std::mem::take(&mut self.places);
        let mut rows = NewRows::default()
            .fixed("place", PLACE_BYTES, places)
            .unsigned("content", std::mem::take(&mut self.content));
        if let Some(spanned) = &mut self.spanned {
            let (keys, highest) = std::mem::take(spanned);
            rows = rows.bytes("key", keys).times("highest", highest);
        }
        Ok(self.table.writer.write(rows)?)
    }

    pub(super) fn finish(mut self) -> Result<Part, SnapshotError> {
        self.flush()?;
        self.table.finish()
    }
}

/// Writes the outcome trees.
pub(super) fn write_outcomes(
    files: &Folder,
    path: String,
    histories: &[History],
) -> Result<Part, SnapshotError> {
    let columns = vec![text("partition"), unsigned("events"), binary("edge"), binary("open")];
    let mut table = Table::create(files, path, columns)?;
    let events = histories.iter().map(|of| of.events).collect();
    table.writer.write(NewRows::trees(histories).unsigned("events", events))?;
    table.finish()
}
