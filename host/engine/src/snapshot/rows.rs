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
use super::files::{Files, Unfinished};
use super::format::Part;
use arrow_array::builder::{BinaryBuilder, FixedSizeBinaryBuilder, PrimitiveBuilder};
use arrow_array::types::{TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use retally_core::digest::History;
use retally_core::log::Micros;
use std::sync::Arc;

/// Rows that are handed to the writer at a time.
const BATCH_ROWS: usize = 1 << 14;

/// Rows of a row group: what a reader can take up at a time.
const GROUP_ROWS: usize = 1 << 18;

type Times = PrimitiveBuilder<TimestampMicrosecondType>;

/// A Parquet file of a snapshot that is being written.
struct Table {
    files: Files,
    path: String,
    schema: Arc<Schema>,
    writer: ArrowWriter<Unfinished>,
    rows: u64,
}

impl Table {
    fn create(files: &Files, path: String, fields: Vec<Field>) -> Result<Self, SnapshotError> {
        let schema = Arc::new(Schema::new(fields));
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
        let file = files.create(&path)?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))
            .map_err(|source| SnapshotError::Parquet { file: files.show(&path), source })?;
        Ok(Self { files: files.clone(), path, schema, writer, rows: 0 })
    }

    fn failed(&self, source: parquet::errors::ParquetError) -> SnapshotError {
        SnapshotError::Parquet { file: self.files.show(&self.path), source }
    }

    fn write(&mut self, columns: Vec<ArrayRef>) -> Result<(), SnapshotError> {
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| self.failed(error.into()))?;
        self.rows += batch.num_rows() as u64;
        self.writer.write(&batch).map_err(|error| self.failed(error))
    }

    fn finish(mut self) -> Result<Part, SnapshotError> {
        self.writer.finish().map_err(|error| self.failed(error))?;
        let ended = self.writer.inner_mut().finish();
        let (sha256, bytes) = ended.map_err(|e| self.files.failed("write", &self.path, e))?;
        Ok(Part { path: self.path, rows: self.rows, bytes, sha256 })
    }
}

fn time(name: &str, nullable: bool) -> Field {
    let utc = Some("UTC".into());
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, utc), nullable)
}

fn times(builder: &mut Times) -> ArrayRef {
    Arc::new(builder.finish().with_timezone("UTC"))
}

/// Writes keys.
pub(super) struct KeyTable {
    table: Table,
    keys: BinaryBuilder,
    states: BinaryBuilder,
    applied: PrimitiveBuilder<UInt64Type>,
    highest: Times,
    last: Times,
    home: PrimitiveBuilder<UInt32Type>,
    rows: usize,
}

/// One row of [`KeyTable`].
pub(super) struct KeyRow<'a> {
    pub(super) key: &'a [u8],
    pub(super) state: &'a [u8],
    pub(super) applied: u64,
    pub(super) highest: Micros,
    pub(super) last: Micros,
    pub(super) home: u32,
}

impl KeyTable {
    pub(super) fn create(files: &Files, path: String) -> Result<Self, SnapshotError> {
        let fields = vec![
            Field::new("key", DataType::Binary, false),
            Field::new("state", DataType::Binary, false),
            Field::new("applied", DataType::UInt64, false),
            time("highest", true),
            time("last", true),
            Field::new("home", DataType::UInt32, false),
        ];
        Ok(Self {
            table: Table::create(files, path, fields)?,
            keys: BinaryBuilder::new(),
            states: BinaryBuilder::new(),
            applied: PrimitiveBuilder::new(),
            highest: Times::new(),
            last: Times::new(),
            home: PrimitiveBuilder::new(),
            rows: 0,
        })
    }

    pub(super) fn push(&mut self, row: &KeyRow<'_>) -> Result<(), SnapshotError> {
        self.keys.append_value(row.key);
        self.states.append_value(row.state);
        self.applied.append_value(row.applied);
        // "None yet" is null to a reader, a number to the fold.
        self.highest.append_option((row.highest != Micros::MIN).then_some(row.highest));
        self.last.append_option((row.applied > 0 || row.last != 0).then_some(row.last));
        self.home.append_value(row.home);
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SnapshotError> {
        self.rows = 0;
        self.table.write(vec![
            Arc::new(self.keys.finish()),
            Arc::new(self.states.finish()),
            Arc::new(self.applied.finish()),
            times(&mut self.highest),
            times(&mut self.last),
            Arc::new(self.home.finish()),
        ])
    }

    pub(super) fn finish(mut self) -> Result<Part, SnapshotError> {
        self.flush()?;
        self.table.finish()
    }
}

/// Writes ids.
pub(super) struct IdTable {
    table: Table,
    places: FixedSizeBinaryBuilder,
    content: PrimitiveBuilder<UInt64Type>,
    /// Under a span.
    spanned: Option<(BinaryBuilder, Times)>,
    rows: usize,
}

/// A digest as it stands in a file: what tells its shard comes first.
pub(super) fn place(digest: u128) -> u128 {
    digest.rotate_right(16)
}

/// The digest of a place.
pub(super) fn digest(place: [u8; 16]) -> u128 {
    u128::from_be_bytes(place).rotate_left(16)
}

impl IdTable {
    pub(super) fn create(
        files: &Files,
        path: String,
        spanned: bool,
    ) -> Result<Self, SnapshotError> {
        let mut fields = vec![
            Field::new("place", DataType::FixedSizeBinary(16), false),
            Field::new("content", DataType::UInt64, false),
        ];
        if spanned {
            fields.extend([Field::new("key", DataType::Binary, false), time("highest", false)]);
        }
        Ok(Self {
            table: Table::create(files, path, fields)?,
            places: FixedSizeBinaryBuilder::new(16),
            content: PrimitiveBuilder::new(),
            spanned: spanned.then(|| (BinaryBuilder::new(), Times::new())),
            rows: 0,
        })
    }

    /// `spanned`: the key, and its highest time when the id was seen; under a span only.
    pub(super) fn push(
        &mut self,
        digest: u128,
        content: u64,
        spanned: Option<(&[u8], Micros)>,
    ) -> Result<(), SnapshotError> {
        let appended = self.places.append_value(place(digest).to_be_bytes());
        debug_assert!(appended.is_ok(), "16 bytes are 16 bytes");
        self.content.append_value(content);
        if let (Some((keys, times)), Some((key, highest))) = (&mut self.spanned, spanned) {
            keys.append_value(key);
            times.append_value(highest);
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SnapshotError> {
        self.rows = 0;
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(self.places.finish()), Arc::new(self.content.finish())];
        if let Some((keys, highest)) = &mut self.spanned {
            columns.extend([Arc::new(keys.finish()) as ArrayRef, times(highest)]);
        }
        self.table.write(columns)
    }

    pub(super) fn finish(mut self) -> Result<Part, SnapshotError> {
        self.flush()?;
        self.table.finish()
    }
}

/// Writes the outcome trees.
pub(super) fn write_outcomes(
    files: &Files,
    path: String,
    histories: &[History],
) -> Result<Part, SnapshotError> {
    let fields = vec![
        Field::new("partition", DataType::Utf8, false),
        Field::new("events", DataType::UInt64, false),
        Field::new("edge", DataType::Binary, false),
        Field::new("open", DataType::Binary, false),
    ];
    let mut table = Table::create(files, path, fields)?;
    let names = histories.iter().map(|h| Some(h.partition.as_str()));
    let events: PrimitiveBuilder<UInt64Type> = {
        let mut builder = PrimitiveBuilder::new();
        histories.iter().for_each(|h| builder.append_value(h.events));
        builder
    };
    let (mut edge, mut open, mut events) = (BinaryBuilder::new(), BinaryBuilder::new(), events);
    for history in histories {
        let hashes: Vec<u8> = history.edge.iter().flat_map(|hash| hash.0).collect();
        edge.append_value(hashes);
        open.append_value(&history.open);
    }
    table.write(vec![
        Arc::new(names.collect::<arrow_array::StringArray>()),
        Arc::new(events.finish()),
        Arc::new(edge.finish()),
        Arc::new(open.finish()),
    ])?;
    table.finish()
}
