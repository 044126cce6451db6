//! Parts of Parquet objects: row groups, read as Arrow rows.
//!
//! Types come from the Parquet schema alone, not from the Arrow schema that some writers put beside
//! it: every reader of the file sees the former, so a result cannot depend on who wrote the file.

use super::encrypted::is_encrypted;
use super::error::{unreadable, wrong_format};
use super::objects::Object;
use super::stored::Ranges;
use super::{Pieces, Share, piece};
use crate::limits::{PART_BYTES, SLAB_BYTES, SLAB_EVENTS};
use crate::log::{Feed, LogError, Piece};
use crate::store::StoreError;
use crate::table;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::{Compression, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use retally_core::decode::Slab;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The shortest file: magic, an empty footer, its length, magic.
const FILE_BYTES_MIN: u64 = 12;

/// Reads the rows of one part.
pub(super) struct ParquetReader {
    object: Arc<Object>,
    rows: ParquetRecordBatchReader,
    groups: Groups,
    /// Rows given out.
    given: u64,
    bytes: u64,
}

/// Row groups of a part: their numbers and where each ends, counted in rows from the first.
struct Groups {
    first: usize,
    ends: Vec<u64>,
    /// Row of the object that the first begins with.
    first_row: u64,
}

/// The parts of a Parquet object, and its top-level columns; what is no row group (footer, indexes)
/// counts for the last.
pub(super) fn pieces(object: &Arc<Object>) -> Result<Pieces, LogError> {
    let ranges = Ranges::open(object, 0)?;
    let metadata = load(object, &ranges)?;
    let roots = metadata.parquet_schema().root_schema().get_fields().iter();
    let columns = roots.map(|root| root.name().to_owned()).collect();
    let sizes = metadata.metadata().row_groups().iter();
    let sizes = sizes.map(|group| {
        let size = u64::try_from(group.compressed_size()).unwrap_or(0);
        (size, u64::try_from(group.num_rows()).unwrap_or(0))
    });
    let mut pieces: Vec<(u64, Share)> = Vec::new();
    let (mut from, mut bytes, mut left) = (0, 0_u64, object.meta.bytes);
    let (mut first_row, mut next_row) = (0, 0_u64);
    let count = sizes.len();
    for (group, (size, rows)) in sizes.enumerate() {
        bytes = bytes.saturating_add(size);
        next_row = next_row.saturating_add(rows);
        let is_last = group + 1 == count;
        if bytes >= PART_BYTES.min(object.options.split_bytes) || is_last {
            let counted = if is_last { left } else { bytes.min(left) };
            let rows = first_row..next_row;
            pieces.push((counted, Share::RowGroups { from, to: group + 1, rows }));
            left -= counted;
            (from, bytes, first_row) = (group + 1, 0, next_row);
        }
    }
    if pieces.is_empty() {
        pieces.push((left, Share::RowGroups { from: 0, to: 0, rows: 0..0 }));
    }
    Ok((pieces, columns))
}

/// Reads the footer.
fn load(about: &Object, ranges: &Ranges) -> Result<ArrowReaderMetadata, LogError> {
    let failed = |failure| explain(about, failure, "footer".into());
    let bad = |problem| failed(Failure::Problem(problem));
    if about.meta.bytes < FILE_BYTES_MIN {
        return Err(bad(format!("{} bytes are too few for a Parquet file", about.meta.bytes)));
    }
    let end = ranges.get(about.meta.bytes - 4..about.meta.bytes, false)?;
    if &end[..] == b"PARE" {
        return Err(wrong_format(&about.shown, ENCRYPTED, DECRYPT));
    }
    if &end[..] != b"PAR1" {
        return Err(
            bad("it does not end in `PAR1`: the file was cut off, or is no Parquet".into()),
        );
    }
    let metadata = guarded(|| {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(ranges, options)?;
        let schema = viewed(metadata.schema(), metadata.parquet_schema());
        let options = ArrowReaderOptions::new().with_schema(schema);
        ArrowReaderMetadata::try_new(counted(metadata.metadata()), options)
    });
    let metadata = metadata.map_err(failed)?;
    check(metadata.metadata()).map_err(bad)?;
    readable(about, metadata.metadata())?;
    Ok(metadata)
}

const ENCRYPTED: &str = "is encrypted";
const DECRYPT: &str = "write it without encryption: Retally takes no keys";

/// Refuses what this reader is not made for, which is no damage.
fn readable(about: &Object, metadata: &ParquetMetaData) -> Result<(), LogError> {
    for column in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let codec = match column.compression() {
            Compression::BROTLI(_) => "Brotli",
            Compression::LZO => "LZO",
            _ => continue,
        };
        let name = column.column_path().string();
        let found = format!("has column `{name}` compressed with {codec}, which is not read");
        let hint = "write it with zstd, snappy, gzip, lz4 or uncompressed";
        return Err(wrong_format(&about.shown, &found, hint));
    }
    Ok(())
}

/// The same, with a count of rows: some writers leave the file's own at 0, and the reader believes
/// it.
fn counted(metadata: &Arc<ParquetMetaData>) -> Arc<ParquetMetaData> {
    let file = metadata.file_metadata();
    let groups = metadata.row_groups();
    let rows = groups.iter().map(RowGroupMetaData::num_rows).fold(0, i64::saturating_add);
    if file.num_rows() != 0 || rows <= 0 {
        return metadata.clone();
    }
    let file = FileMetaData::new(
        file.version(),
        rows,
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    Arc::new(ParquetMetaData::new(file, groups.to_vec()))
}

/// The same columns, strings as views: those point into the pages that were read, where others
/// would be copied out of them. And INT96, which is days and nanoseconds, as microseconds: 64 bits
/// of nanoseconds end in 2262, and what is beyond would silently become another time.
fn viewed(schema: &SchemaRef, stored: &SchemaDescriptor) -> SchemaRef {
    let view = |(field, stored): (&Arc<Field>, &TypePtr)| {
        Arc::new(field.as_ref().clone().with_data_type(match field.data_type() {
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            other => wide(other, stored),
        }))
    };
    let fields = schema.fields().iter().zip(stored.root_schema().get_fields());
    let fields: Fields = fields.map(view).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The type that a stored one is read as, INT96 also inside of structs.
fn wide(read_as: &DataType, stored: &TypePtr) -> DataType {
    match (read_as, &**stored) {
        (DataType::Timestamp(..), Type::PrimitiveType { physical_type, .. })
            if *physical_type == PhysicalType::INT96 =>
        {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        (DataType::Struct(fields), Type::GroupType { fields: stored, .. })
            if fields.len() == stored.len() =>
        {
            let inner = |(field, stored): (&Arc<Field>, &TypePtr)| {
                let read_as = wide(field.data_type(), stored);
                field.as_ref().clone().with_data_type(read_as)
            };
            DataType::Struct(fields.iter().zip(stored).map(inner).collect())
        }
        (other, _) => other.clone(),
    }
}

/// What the readers of row groups take for granted.
fn check(metadata: &ParquetMetaData) -> Result<(), String> {
    let mut rows = 0_u64;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let own = u64::try_from(group.num_rows());
        let own = own.map_err(|_| format!("row group {number} has {} rows", group.num_rows()))?;
        rows = rows.saturating_add(own);
    }
    let whole = metadata.file_metadata().num_rows();
    if u64::try_from(whole) != Ok(rows) {
        return Err(format!("it speaks of {whole} rows, its row groups of {rows}"));
    }
    Ok(())
}

impl ParquetReader {
    /// Reads these columns of an object (none: all) and these of its row groups (none: all), which
    /// stand for so many bytes.
    pub(super) fn open(
        object: &Arc<Object>,
        columns: Option<&[String]>,
        bytes: u64,
        groups: Option<Range<usize>>,
    ) -> Result<Self, LogError> {
        let (metadata, mask, ranges) = prepare(object, columns)?;
        let all = metadata.metadata().row_groups();
        let groups = groups.unwrap_or(0..all.len());
        // The footer was read before, when the parts were made; it may have been replaced since.
        let Some(own) = all.get(groups.clone()) else {
            object.unchanged()?;
            let path = object.shown.clone();
            return Err(StoreError::Changed { path, what: "its footer differs".into() }.into());
        };
        let rows_of = |group: &RowGroupMetaData| group.num_rows() as u64;
        let ends = own.iter().scan(0, |sum, group| {
            *sum += rows_of(group);
            Some(*sum)
        });
        let first_row = all[..groups.start].iter().map(rows_of).sum();
        let groups_ = Groups { first: groups.start, ends: ends.collect(), first_row };
        let batch = slab_rows(&metadata, &mask, groups.clone());
        let rows = guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(ranges, metadata)
                .with_projection(mask)
                .with_row_groups(groups.collect())
                .with_batch_size(batch)
                .build()
        });
        match rows {
            Ok(rows) => {
                let object = object.clone();
                Ok(Self { object, rows, groups: groups_, given: 0, bytes })
            }
            Err(failure) => Err(explain(object, failure, groups_.place(0))),
        }
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, LogError> {
        let next = table::next_rows(&mut self.rows).map_err(Failure::of);
        let total = self.groups.ends.last().copied().unwrap_or(0);
        let failure = match next {
            Ok(Some(rows)) => {
                self.given += rows.num_rows() as u64;
                return Ok(Some(rows));
            }
            Ok(None) if self.given == total => {
                return self.object.is_one().map(|()| None);
            }
            Ok(None) => Failure::Problem(format!("ends {} rows early", total - self.given)),
            Err(failure) => failure,
        };
        Err(explain(&self.object, failure, self.groups.place(self.given)))
    }
}

impl Feed for ParquetReader {
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        let next = self.next().map(|rows| rows.map(Slab::Rows));
        piece(&self.object, next)
    }

    fn bytes_read(&self) -> u64 {
        let total = self.groups.ends.last().copied().unwrap_or(0).max(1);
        (u128::from(self.bytes) * u128::from(self.given) / u128::from(total)) as u64
    }
}

impl Groups {
    /// Where row `given` of the part lies, for a message.
    fn place(&self, given: u64) -> String {
        let group = self.ends.partition_point(|end| *end <= given);
        let group = group.min(self.ends.len().saturating_sub(1));
        format!("row group {}, at or behind row {}", self.first + group, self.first_row + given)
    }
}

/// Whole rows of an object: those at `offsets`, ascending, with all columns.
pub(super) fn rows(object: &Arc<Object>, offsets: &[u64]) -> Result<Vec<RecordBatch>, LogError> {
    let (metadata, mask, ranges) = prepare(object, None)?;
    // Only groups that are asked for are touched; rows are counted over these.
    let (mut groups, mut wanted) = (Vec::new(), Vec::new());
    let (mut first, mut selected, mut left) = (0_u64, 0_usize, offsets);
    for (number, group) in metadata.metadata().row_groups().iter().enumerate() {
        let rows = group.num_rows() as u64;
        let (own, later) = left.split_at(left.partition_point(|offset| *offset < first + rows));
        if !own.is_empty() {
            groups.push(number);
            wanted.extend(own.iter().map(|offset| {
                let at = selected + (offset - first) as usize;
                at..at + 1
            }));
            selected += rows as usize;
        }
        (first, left) = (first + rows, later);
    }
    let batch = slab_rows(&metadata, &mask, 0..metadata.metadata().num_row_groups());
    let selection = RowSelection::from_consecutive_ranges(wanted.into_iter(), selected);
    let batches = guarded(|| {
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(ranges, metadata)
            .with_row_groups(groups)
            .with_row_selection(selection)
            .with_batch_size(batch)
            .build()?;
        reader.collect::<Result<Vec<_>, _>>().map_err(ParquetError::from)
    });
    let place = || format!("rows {offsets:?}");
    let batches = batches.map_err(|failure| explain(object, failure, place()))?;
    let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if found != offsets.len() {
        let problem = Failure::Problem(format!("only {found} of {} rows found", offsets.len()));
        return Err(explain(object, problem, place()));
    }
    Ok(batches)
}

type Prepared = (ArrowReaderMetadata, ProjectionMask, Ranges);

fn prepare(object: &Arc<Object>, columns: Option<&[String]>) -> Result<Prepared, LogError> {
    let footer = Ranges::open(object, 0)?;
    let metadata = load(object, &footer)?;
    let schema = metadata.parquet_schema();
    let mask = match columns {
        None => ProjectionMask::all(),
        Some(names) => {
            let roots = schema.root_schema().get_fields().iter().enumerate();
            let wanted = roots.filter(|(_, root)| names.iter().any(|name| name == root.name()));
            ProjectionMask::roots(schema, wanted.map(|(number, _)| number))
        }
    };
    let places = (0..schema.num_columns()).filter(|leaf| mask.leaf_included(*leaf)).count();
    let ranges = Ranges::open(object, places)?;
    Ok((metadata, mask, ranges))
}

/// Rows of a slab: fewer than usual where rows are long.
fn slab_rows(metadata: &ArrowReaderMetadata, mask: &ProjectionMask, groups: Range<usize>) -> usize {
    let groups = &metadata.metadata().row_groups()[groups];
    let fits = groups.iter().map(|group| {
        let columns = group.columns().iter().enumerate();
        let read = columns.filter(|(leaf, _)| mask.leaf_included(*leaf));
        let sizes = read.map(|(_, column)| column.uncompressed_size().max(0) as u64);
        let bytes = sizes.fold(0_u64, u64::saturating_add).max(1);
        let rows = u128::from(group.num_rows().max(0) as u64);
        (rows * SLAB_BYTES as u128 / u128::from(bytes)) as usize
    });
    fits.min().unwrap_or(SLAB_EVENTS).clamp(1, SLAB_EVENTS)
}

/// Why the reader of Parquet failed.
enum Failure {
    /// The bytes could not be had.
    Source(Box<LogError>),
    /// They cannot be what they should.
    Problem(String),
}

impl Failure {
    fn of(error: ParquetError) -> Self {
        match error {
            ParquetError::External(error) => match error.downcast::<LogError>() {
                Ok(error) => Self::Source(error),
                Err(other) => Self::Problem(other.to_string()),
            },
            other => Self::Problem(other.to_string()),
        }
    }
}

/// Calls the reader of Parquet.
fn guarded<T>(call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Failure> {
    table::guarded(call).map_err(Failure::of)
}

fn explain(object: &Object, failure: Failure, place: String) -> LogError {
    match (failure, object.unchanged()) {
        (Failure::Source(error), _) => *error,
        (Failure::Problem(_), Err(changed)) => changed,
        (Failure::Problem(_), Ok(())) if is_encrypted(object) => {
            wrong_format(&object.shown, "has columns that are encrypted", DECRYPT)
        }
        (Failure::Problem(problem), Ok(())) => unreadable(&object.shown, &place, &problem),
    }
}
