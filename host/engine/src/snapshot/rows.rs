//! Rows of a snapshot as Parquet, there and back.
//!
//! ```text
//! keys      key, state: binary | applied: uint64 | highest, last: timestamp or null | home: uint32
//! ids       place: 16 bytes, the digest with its lowest two bytes moved to the front, so that the
//!           ids of a shard lie together | content: uint64; in pages of 256 rows, with an index
//!           under a span also: key: binary | highest: timestamp
//! outcomes  partition: text | events: uint64 | edge: binary (hashes) | open: binary (records)
//! ```

use super::SnapshotError;
use super::format::Part;
use super::index::{Indexing, PAGE_IDS};
use crate::store::{Finishing, Folder, Unfinished};
use crate::table::{
    NewRows, TableWriter, binary, fixed, optional, text, time, unsigned, unsigned32,
};
use arrow_schema::Field;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use retally_core::digest::{Hash, History};
use retally_core::log::Micros;
use retally_core::snapshot::{KeyRows, Piece};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

/// Rows of a row group: what a reader can take up at a time.
const GROUP_ROWS: usize = 1 << 18;

/// Columns of what is random, which does not shrink.
const RANDOM: [&str; 6] = ["place", "content", "first", "places_hash", "content_hash", "filter"];

/// Bytes of a place.
pub(super) const PLACE_BYTES: i32 = 16;

/// A row: its piece, and its number in it.
pub(super) type At = (usize, u32);

/// A Parquet file of a snapshot that is being written.
pub(super) struct Table {
    files: Folder,
    path: String,
    writer: TableWriter<Hashed>,
    /// Of ids that can be found one by one.
    index: Option<Indexing>,
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
    pub(super) fn create(
        files: &Folder,
        path: String,
        columns: Vec<Field>,
    ) -> Result<Self, SnapshotError> {
        Self::with(files, path, columns, WriterProperties::builder())
    }

    /// The same for a segment of ids that gets an index: of each row [`Table::note`] is told, too.
    pub(super) fn indexed(files: &Folder, path: String) -> Result<Self, SnapshotError> {
        let even = WriterProperties::builder()
            .set_write_batch_size(PAGE_IDS)
            .set_data_page_row_count_limit(PAGE_IDS);
        let table = Self::with(files, path, id_columns(false), even)?;
        let writer = table.writer.noting_pages();
        Ok(Self { writer, index: Some(Indexing::default()), ..table })
    }

    fn with(
        files: &Folder,
        path: String,
        columns: Vec<Field>,
        properties: WriterPropertiesBuilder,
    ) -> Result<Self, SnapshotError> {
        let random = columns.iter().filter(|column| RANDOM.contains(&column.name().as_str()));
        let properties = random.fold(properties, |properties, column| {
            let path = ColumnPath::from(column.name().as_str());
            properties.set_column_compression(path, Compression::UNCOMPRESSED)
        });
        let properties = properties
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::None)
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            // Keys come in order: each is written as what it adds to the one before.
            .set_column_encoding(ColumnPath::from("key"), Encoding::DELTA_BYTE_ARRAY)
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties);
        let shown = files.show(&path);
        let out = Hashed { out: files.write(&path)?, hasher: Sha256::new(), bytes: 0 };
        let writer = TableWriter::new(out, Path::new(&shown), columns, options)?;
        Ok(Self { files: files.clone(), path, writer, index: None })
    }

    /// Tells an index of the next id.
    pub(super) fn note(&mut self, (place, content): (u128, u64)) {
        if let Some(index) = &mut self.index {
            index.add(place, content);
        }
    }

    pub(super) fn write(&mut self, rows: NewRows) -> Result<(), SnapshotError> {
        Ok(self.writer.write(rows)?)
    }

    /// Ends the file, which is to be finished among others.
    pub(super) fn finish(self, ends: &Finishing) -> Result<Part, SnapshotError> {
        let Self { files, path, writer, index } = self;
        let rows = writer.rows;
        let (Hashed { out, hasher, bytes }, pages) = writer.finish_noted()?;
        ends.add(out)?;
        let index = match (index, pages.as_slice()) {
            (Some(index), [places, content]) => {
                let path = path.replace(".parquet", "-index.parquet");
                Some(Box::new(index.finish((&files, path), [places, content], ends)?))
            }
            _ => None,
        };
        Ok(Part { path, rows, bytes, sha256: Hash(hasher.finalize().into()), index })
    }
}

pub(super) fn key_columns() -> Vec<Field> {
    vec![
        binary("key"),
        binary("state"),
        unsigned("applied"),
        optional(time("highest")),
        optional(time("last")),
        unsigned32("home"),
    ]
}

/// Some keys of `pieces`. `homes`: for each partition of the head its number in files of keys.
pub(super) fn key_rows(pieces: &[Cow<'_, Piece>], rows: &[At], homes: &[u32]) -> NewRows {
    let all = || rows.iter().map(|&(piece, row)| (&pieces[piece].keys, row as usize));
    // "None yet" is null to a reader, a number to the fold.
    let reached: Vec<bool> = all().map(|(of, row)| of.highest[row] != Micros::MIN).collect();
    let was_applied = |(of, row): (&KeyRows, usize)| of.applied[row] > 0 || of.last[row] != 0;
    let has_last: Vec<bool> = all().map(was_applied).collect();
    NewRows::default()
        .bytes("key", all().map(|(of, row)| of.keys.get(row)).collect())
        .bytes("state", all().map(|(of, row)| of.states.get(row)).collect())
        .unsigned("applied", all().map(|(of, row)| of.applied[row]).collect())
        .some_times("highest", all().map(|(of, row)| of.highest[row]).collect(), &reached)
        .some_times("last", all().map(|(of, row)| of.last[row]).collect(), &has_last)
        .unsigned32("home", all().map(|(of, row)| homes[of.home[row] as usize]).collect())
}

/// A digest as it stands in a file: what tells its shard comes first.
pub(super) fn place(digest: u128) -> u128 {
    digest.rotate_right(16)
}

/// The digest of a place.
pub(super) fn digest(place: [u8; PLACE_BYTES as usize]) -> u128 {
    u128::from_be_bytes(place).rotate_left(16)
}

pub(super) fn id_columns(spanned: bool) -> Vec<Field> {
    let mut columns = vec![fixed("place", PLACE_BYTES), unsigned("content")];
    if spanned {
        columns.extend([binary("key"), time("highest")]);
    }
    columns
}

/// Some ids of `pieces`; under a span with their keys.
pub(super) fn id_rows(pieces: &[Cow<'_, Piece>], rows: &[At], spanned: bool) -> NewRows {
    let all = || rows.iter().map(|&(piece, row)| (&pieces[piece], row as usize));
    let places = all().flat_map(|(of, row)| place(of.ids.digests[row]).to_be_bytes());
    let ids = NewRows::default()
        .fixed("place", PLACE_BYTES, places.collect())
        .unsigned("content", all().map(|(of, row)| of.ids.content[row]).collect());
    if !spanned {
        return ids;
    }
    ids.bytes("key", all().map(|(of, row)| of.keys.keys.get(of.ids.keys[row] as usize)).collect())
        .times("highest", all().map(|(of, row)| of.ids.highest[row]).collect())
}

/// Writes the outcome trees.
pub(super) fn write_outcomes(
    files: &Folder,
    path: String,
    histories: &[History],
    ends: &Finishing,
) -> Result<Part, SnapshotError> {
    let columns = vec![text("partition"), unsigned("events"), binary("edge"), binary("open")];
    let mut table = Table::create(files, path, columns)?;
    let events = histories.iter().map(|of| of.events).collect();
    table.write(NewRows::trees(histories).unsigned("events", events))?;
    table.finish(ends)
}
