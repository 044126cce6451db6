//! Reading a run directory: only one that is complete, and never more of it than asked for.

use super::RunDirError;
use super::folder::Folder;
use super::meter::{Meter, Metered};
use super::shape::{Control, MANIFEST, Shape, Table};
use crate::limits::RUN_READ_ROWS;
use crate::table::{self, Batch, Digits, TableError};
use arrow_array::cast::AsArray;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Fields};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReader, RowFilter, RowSelection,
    RowSelectionPolicy,
};
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use retally_core::manifest::{Manifest, ManifestError};
use retally_core::schema::{self, Column};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A finished run.
#[derive(Debug)]
pub struct RunReader {
    folder: Folder,
    manifest: Manifest,
    shape: Shape,
    history: bool,
    meter: Meter,
}

/// Which part of a table is wanted.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Rows of these keys.
    pub keys: Keys,
    /// Of these, only those with these numbers: ascending, not touching each other. None: all.
    pub rows: Option<Vec<Range<u64>>>,
    /// Only the columns of these names. None: all.
    pub columns: Option<Vec<String>>,
}

/// Which keys' rows are wanted.
#[derive(Debug, Clone, Default)]
pub enum Keys {
    /// Every key's.
    #[default]
    All,
    /// These keys'.
    These(BTreeSet<String>),
    /// Not a key's but a tree's: in the table of leaves.
    Tree(BTreeSet<String>),
}

impl Keys {
    /// The column that says whose a row is.
    fn column(&self) -> &'static str {
        if matches!(self, Self::Tree(_)) { "tree" } else { "key" }
    }
}

impl RunReader {
    /// Opens a run directory.
    ///
    /// # Errors
    /// When it is half-written, of a newer format, or no run directory at all.
    pub fn open(dir: &Path) -> Result<Self, RunDirError> {
        let folder = Folder::open(dir)?;
        let path = folder.at(MANIFEST);
        let Some(bytes) = folder.bytes(MANIFEST)? else {
            let begun = folder.is_begun()?;
            let dir = dir.to_path_buf();
            return Err(if begun {
                RunDirError::HalfWritten(dir)
            } else {
                RunDirError::NoRun(dir)
            });
        };
        let manifest = Manifest::from_bytes(&bytes)
            .map_err(|error| RunDirError::Manifest { path: path.clone(), error })?;
        let unusable = || RunDirError::Manifest {
            path: path.clone(),
            error: ManifestError::NotAManifest("its `control` names no tables".into()),
        };
        let control: Control =
            serde_json::from_value(manifest.control.clone()).map_err(|_| unusable())?;
        let shape = Shape::read(&control).ok_or_else(unusable)?;
        let meter = Meter::default();
        meter.add(&MANIFEST.into(), 0..bytes.len() as u64);
        Ok(Self { folder, manifest, shape, history: control.history, meter })
    }

    /// Bytes read of the directory's files so far.
    pub fn bytes_read(&self) -> u64 {
        self.meter.read()
    }

    /// Bytes of all its files.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn bytes_total(&self) -> Result<u64, RunDirError> {
        self.folder.size("")
    }

    /// What ran, on what, with what result.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether the run went on from a snapshot.
    pub fn has_history(&self) -> bool {
        self.history
    }

    /// The fields of the view.
    pub fn view(&self) -> &[schema::Field] {
        &self.shape.view
    }

    /// The view's fields and what tells the rows of one key apart.
    pub fn view_shape(&self) -> schema::ViewShape {
        schema::ViewShape { fields: self.shape.view.clone(), row_key: self.shape.row_key.clone() }
    }

    /// The emit kinds in declared order: what [`Table::Emits`] counts.
    pub fn emits(&self) -> &[schema::EmitKind] {
        &self.shape.emits
    }

    /// The rows of a table in its order. `keys` is for tables with a column of that name; others
    /// are read whole.
    ///
    /// # Errors
    /// When the file is missing or not as it was written.
    pub fn rows(&self, table: Table, keys: &Keys) -> Result<Rows<'_>, RunDirError> {
        self.part(table, Part { keys: keys.clone(), ..Part::default() })
    }

    /// Some rows and columns of a table, in its order. Of the file no more is read than the pages
    /// in which they lie.
    ///
    /// # Errors
    /// As above.
    pub fn part(&self, table: Table, part: Part) -> Result<Rows<'_>, RunDirError> {
        let names = match table {
            Table::Emits(kind) => self.emit_files(kind)?,
            _ => vec![self.shape.file(table)],
        };
        let mut rows = Rows { run: self, table, names, part, before: 0, open: None };
        rows.next_file()?;
        Ok(rows)
    }

    /// An error about the content of a table.
    pub(crate) fn wrong(&self, table: Table, what: impl Into<String>) -> RunDirError {
        let path = self.folder.at(&self.shape.file(table));
        TableError::Changed { path, what: what.into() }.into()
    }

    /// The files of a kind, the first last.
    fn emit_files(&self, kind: usize) -> Result<Vec<String>, RunDirError> {
        let mut names = vec![self.shape.emit_file(kind, 0)];
        for part in 1.. {
            let name = self.shape.emit_file(kind, part);
            if !self.folder.at(&name).exists() {
                break;
            }
            names.push(name);
        }
        names.reverse();
        Ok(names)
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// When a file is missing or not as it was written.
    pub fn count(&self, table: Table) -> Result<u64, RunDirError> {
        let mut rows = 0;
        let names = match table {
            Table::Emits(kind) => self.emit_files(kind)?,
            _ => vec![self.shape.file(table)],
        };
        for name in names {
            rows += self.open_file(table, &name, &Part::default(), 0)?.1;
        }
        Ok(rows)
    }

    /// Opens a file of a table, whose rows follow `before` others, and says how many it has.
    fn open_file(
        &self,
        table: Table,
        name: &str,
        part: &Part,
        before: u64,
    ) -> Result<(ParquetRecordBatchReader, u64), RunDirError> {
        let path = self.folder.at(name);
        let fail = |error| TableError::of("read", &path, error);
        let file = Metered::new(self.folder.read(name)?, name, self.meter.clone());
        let mut options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        if part.rows.is_some() {
            options = options.with_offset_index_policy(PageIndexPolicy::Optional);
        }
        let mut builder = table::open(file, options, &path)?.with_batch_size(RUN_READ_ROWS);
        self.check_columns(table, &path, builder.schema().fields())?;
        let metadata = builder.metadata().clone();
        let mut groups: Vec<usize> = (0..metadata.num_row_groups()).collect();
        let key = builder.schema().index_of(part.keys.column()).ok();
        if let (Keys::These(keys) | Keys::Tree(keys), Some(key)) = (&part.keys, key) {
            groups.retain(|&group| may_hold(metadata.row_group(group), key, keys));
            let mask = ProjectionMask::leaves(builder.parquet_schema(), [key]);
            builder = builder.with_row_filter(among(keys.clone(), mask));
        }
        if let Some(rows) = &part.rows {
            let selection = selected(rows, metadata.row_groups(), before, &mut groups);
            builder = builder
                .with_row_selection(selection)
                .with_row_selection_policy(RowSelectionPolicy::Selectors);
        }
        if let Some(columns) = &part.columns {
            // A name with a dot in it is no path into a column.
            let places = columns.iter().filter_map(|name| builder.schema().index_of(name).ok());
            let mask = ProjectionMask::roots(builder.parquet_schema(), places);
            builder = builder.with_projection(mask);
        }
        let rows = metadata.file_metadata().num_rows() as u64;
        Ok((builder.with_row_groups(groups).build().map_err(fail)?, rows))
    }

    /// A file with other columns than its table has is not read: nothing in it would mean what it
    /// says.
    fn check_columns(&self, table: Table, path: &Path, found: &Fields) -> Result<(), RunDirError> {
        let fits = [Digits::Narrow, Digits::Wide].into_iter().any(|digits| {
            let expected = self.shape.columns(table, digits);
            found.iter().map(|field| field.as_ref().clone()).eq(expected.into_iter().map(as_read))
        });
        if fits {
            return Ok(());
        }
        let what = "its columns are not those that the manifest names".to_owned();
        Err(TableError::Changed { path: path.to_path_buf(), what }.into())
    }

    /// A reducer's own columns in a batch of a table, in declared order.
    pub(crate) fn own(&self, table: Table, batch: &Batch) -> Result<Vec<Column>, RunDirError> {
        let own = self.shape.own(table);
        Ok(own.map(|(name, field)| batch.column(&name, field.kind)).collect::<Result<_, _>>()?)
    }

    /// The kinds of the reducer's own columns in a table.
    pub(super) fn kinds(&self, table: Table) -> BTreeMap<String, schema::Kind> {
        self.shape.own(table).map(|(name, field)| (name, field.kind)).collect()
    }

    /// The names of the reducer's own columns in a table, behind others.
    pub(crate) fn with_own(&self, table: Table, others: &[&str]) -> Vec<String> {
        let others = others.iter().map(|name| (*name).to_owned());
        others.chain(self.shape.own(table).map(|(name, _)| name)).collect()
    }

    /// Calls `take` with the reducer's own columns of these numbers (of the view, or of an emit
    /// kind), a batch at a time, in the order of `numbers`: for whoever adds up a field of ten
    /// million rows.
    ///
    /// # Errors
    /// When the file is missing or not as it was written, or the table has no such columns.
    pub fn chosen(
        &self,
        table: Table,
        numbers: &[usize],
        mut take: impl FnMut(&[Column]),
    ) -> Result<(), RunDirError> {
        let own: Vec<(String, &schema::Field)> = self.shape.own(table).collect();
        let wanted: Option<Vec<_>> = numbers.iter().map(|&number| own.get(number)).collect();
        let wanted = wanted.ok_or_else(|| self.wrong(table, "it has no such column"))?;
        let columns = Some(wanted.iter().map(|(name, _)| name.clone()).collect());
        for batch in self.part(table, Part { columns, ..Part::default() })? {
            let batch = batch?;
            let column = |(name, field): &&(String, &schema::Field)| batch.column(name, field.kind);
            take(&wanted.iter().map(column).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(())
    }
}

/// A column as it is read: the dictionary of a column is not in its file.
fn as_read(field: Field) -> Field {
    match field.data_type() {
        DataType::Dictionary(_, values) => {
            let values = values.as_ref().clone();
            field.with_data_type(values)
        }
        _ => field,
    }
}

/// Whether one of `keys` can be in a group. Bounds may be cut short, and then still hold.
fn may_hold(group: &RowGroupMetaData, column: usize, keys: &BTreeSet<String>) -> bool {
    let Some(Statistics::ByteArray(bounds)) = group.column(column).statistics() else {
        return true;
    };
    let (min, max) = (bounds.min_bytes_opt(), bounds.max_bytes_opt());
    keys.iter()
        .map(String::as_bytes)
        .any(|key| min.is_none_or(|min| min <= key) && max.is_none_or(|max| key <= max))
}

/// Takes the rows of `keys` only.
fn among(keys: BTreeSet<String>, mask: ProjectionMask) -> RowFilter {
    let wanted = move |batch: RecordBatch| -> Result<BooleanArray, ArrowError> {
        let column = batch.column(0).as_string::<i32>();
        Ok(column.iter().map(|key| Some(key.is_some_and(|key| keys.contains(key)))).collect())
    };
    RowFilter::new(vec![Box::new(ArrowPredicateFn::new(mask, wanted))])
}

/// What to take of the row groups that hold some of `rows`; the others are taken off `groups`.
fn selected(
    rows: &[Range<u64>],
    all: &[RowGroupMetaData],
    before: u64,
    groups: &mut Vec<usize>,
) -> RowSelection {
    let mut first = before;
    let spans: Vec<Range<u64>> = (all.iter())
        .map(|group| {
            let span = first..first + group.num_rows() as u64;
            first = span.end;
            span
        })
        .collect();
    let within = |span: &Range<u64>| {
        let from = rows.partition_point(|range| range.end <= span.start);
        let span = span.clone();
        rows[from..].iter().take_while(move |range| range.start < span.end)
    };
    groups.retain(|&group| within(&spans[group]).next().is_some());
    // Selections count the rows of the groups that are left, one behind the other.
    let mut skipped = 0;
    let mut ranges = Vec::new();
    for &group in groups.iter() {
        let span = &spans[group];
        for range in within(span) {
            let start = range.start.max(span.start) - span.start + skipped;
            let end = range.end.min(span.end) - span.start + skipped;
            ranges.push(start as usize..end as usize);
        }
        skipped += span.end - span.start;
    }
    RowSelection::from_consecutive_ranges(ranges.into_iter(), skipped as usize)
}

/// Rows of a table, a batch at a time.
pub struct Rows<'a> {
    run: &'a RunReader,
    table: Table,
    /// Files to come, the next one last.
    names: Vec<String>,
    part: Part,
    /// Rows of the files before.
    before: u64,
    open: Option<(Arc<Path>, ParquetRecordBatchReader)>,
}

impl Rows<'_> {
    fn next_file(&mut self) -> Result<(), RunDirError> {
        self.open = None;
        if let Some(name) = self.names.pop() {
            let opened = self.run.open_file(self.table, &name, &self.part, self.before)?;
            let (reader, rows) = opened;
            self.before += rows;
            self.open = Some((self.run.folder.at(&name).into(), reader));
        }
        Ok(())
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Batch, RunDirError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (path, reader) = self.open.as_mut()?;
            match reader.next() {
                Some(Ok(batch)) => return Some(Ok(Batch::new(path, batch))),
                Some(Err(error)) => {
                    return Some(Err(TableError::of("read", path, error.into()).into()));
                }
                None => {
                    if let Err(error) = self.next_file() {
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}
