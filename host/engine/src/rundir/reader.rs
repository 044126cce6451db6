//! Reading a run directory: only one that is complete, and never more of it than asked for.

use super::RunDirError;
use super::meter::{Meter, Metered};
use super::select::{among, may_hold, selected};
use super::shape::{Control, MANIFEST, Shape, Table};
use super::verify::Verified;
use crate::bounded;
use crate::limits::MANIFEST_MAX_BYTES;
use crate::limits::RUN_READ_ROWS;
use crate::store::{self, Folder, Meta};
use crate::table::{self, Batch, Digits, TableError, byte_spans, from_arrow, guarded, next_rows};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_schema::{DataType, Field, Fields};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, RowSelectionPolicy,
};
use parquet::file::metadata::PageIndexPolicy;
use retally_core::log::{Position, Reach};
use retally_core::manifest::{Manifest, ManifestError};
use retally_core::schema::{Column, EmitKind, Kind, Values, ViewShape};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A finished run. What reads a table of it fails when a file is missing or not as it was written:
/// of tables by key that are read in part, each leaf is held against its hash; of all others, each
/// file against its SHA-256 in the manifest, once.
#[derive(Debug)]
pub struct RunReader {
    pub(super) folder: Folder,
    /// Where that is, for messages.
    pub(super) dir: PathBuf,
    manifest: Manifest,
    pub(super) shape: Shape,
    meter: Meter,
    /// Files that are what the manifest says; none: nobody asks, because everything is checked.
    pub(super) verified: Option<Verified>,
    /// The manifest as it lies there.
    pub(super) bytes: Bytes,
}

/// A column of a table under its name there.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The column's name in the table.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// One value per row.
    pub column: Column,
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
    /// Opens a run directory whose manifest holds together.
    ///
    /// # Errors
    /// When it is half-written, of a newer format, edited, or no run directory at all.
    pub fn open(folder: impl Into<Folder>) -> Result<Self, RunDirError> {
        let run = Self::as_it_stands(folder.into())?;
        let path = run.dir.join(MANIFEST);
        let strict = Manifest::from_bytes(&run.bytes).and_then(|manifest| manifest.check());
        strict.map_err(|error| RunDirError::Manifest { path, error })?;
        Ok(Self { verified: Some(Verified::default()), ..run })
    }

    /// Opens a run directory that may have been altered, for whoever says what is wrong with it:
    /// nothing of what it gives was checked.
    pub(super) fn as_it_stands(folder: Folder) -> Result<Self, RunDirError> {
        let dir = folder.place();
        if folder.file("").is_some_and(|path| !path.is_dir()) {
            return Err(RunDirError::NoRun(dir));
        }
        let path = dir.join(MANIFEST);
        let found = match folder.file(MANIFEST) {
            Some(path) => found(regular(&path), |file| {
                bounded::read_open(file, MANIFEST_MAX_BYTES).map(Bytes::from)
            })
            .map_err(|error| failed("read", &path, error))?,
            None => folder.get(MANIFEST)?,
        };
        let Some(bytes) = found else {
            let none =
                if is_begun(&folder)? { RunDirError::HalfWritten } else { RunDirError::NoRun };
            return Err(none(dir));
        };
        let broken = |error| RunDirError::Manifest { path: path.clone(), error };
        let manifest = Manifest::as_it_stands(&bytes).map_err(broken)?;
        let control: Option<Control> = serde_json::from_value(manifest.control.clone()).ok();
        let unusable = || ManifestError::NotAManifest("its `control` names no tables".into());
        let shape = control.and_then(Shape::read).ok_or_else(|| broken(unusable()))?;
        let meter = Meter::default();
        meter.add(&Arc::from(path), 0..bytes.len() as u64);
        Ok(Self { folder, dir, manifest, shape, meter, verified: None, bytes })
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Bytes read of the directory's files so far.
    pub fn bytes_read(&self) -> u64 {
        self.meter.read()
    }

    /// Bytes of all its files.
    pub fn bytes_total(&self) -> Result<u64, RunDirError> {
        Ok(self.folder.walk()?.into_iter().map(|(_, bytes)| bytes).sum())
    }

    /// What ran, on what, with what result.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The view's fields and what tells the rows of one key apart.
    pub fn view(&self) -> &ViewShape {
        &self.shape.view
    }

    /// The emit kinds in declared order: what [`Table::Emits`] counts.
    pub fn emits(&self) -> &[EmitKind] {
        &self.shape.emits
    }

    /// The rows of a table in its order. `keys` is for tables with a column of that name; others
    /// are read whole.
    pub fn rows(&self, table: Table, keys: &Keys) -> Result<Rows<'_>, RunDirError> {
        self.part(table, Part { keys: keys.clone(), ..Part::default() })
    }

    /// Some rows and columns of a table, in its order. Of the file no more is read than the pages
    /// in which they lie.
    pub fn part(&self, table: Table, part: Part) -> Result<Rows<'_>, RunDirError> {
        let files = self.files(table);
        let mut rows = Rows { run: self, table, files, part, before: 0, open: None };
        rows.next_file()?;
        Ok(rows)
    }

    /// Where the events of a key lie in the log of this run, if it has any there.
    pub fn place(&self, key: &str) -> Result<Option<Reach<Position>>, RunDirError> {
        for batch in self.rows(Table::Where, &Keys::These([key.to_owned()].into()))? {
            let batch = batch?;
            if batch.is_empty() {
                continue;
            }
            let name = |column| Ok::<_, RunDirError>(batch.texts(column)?.value(0).to_owned());
            let number = |column| {
                let number = u64::try_from(batch.numbers(column)?[0]);
                number.map_err(|_| self.wrong(Table::Where, format!("{column} is below zero")))
            };
            let position = |partition, offset| {
                Ok::<_, RunDirError>(Position {
                    partition: name(partition)?,
                    offset: number(offset)?,
                })
            };
            return Ok(Some(Reach {
                first: position("first_partition", "first_offset")?,
                last: position("last_partition", "last_offset")?,
                events: number("events")?,
            }));
        }
        Ok(None)
    }
    /// An error about the content of a table.
    pub(crate) fn wrong(&self, table: Table, what: impl Into<String>) -> RunDirError {
        let path = self.dir.join(self.shape.file(table));
        TableError::Changed { path, what: what.into() }.into()
    }

    /// All its tables.
    pub(super) fn tables(&self) -> Vec<Table> {
        use Table::{History, Leaves, Outcomes, Refused, States, Views, Violations, Where};
        let mut tables = vec![Views, States, Violations, Refused, Outcomes, Leaves, Where];
        tables.extend(self.shape.history.then_some(History));
        tables.extend((0..self.emits().len()).map(Table::Emits));
        tables
    }

    /// The names of a table's files, the first last. Emits alone may have several.
    pub(super) fn files(&self, table: Table) -> Vec<String> {
        let mut files = vec![self.shape.file(table)];
        if let Table::Emits(kind) = table {
            let is_listed = |name: &String| self.listed(name).is_some();
            let more = (1..).map(|part| self.shape.emit_file(kind, part));
            files.extend(more.take_while(is_listed));
        }
        files.reverse();
        files
    }

    /// How many rows a table says that it has.
    pub(crate) fn count(&self, table: Table) -> Result<u64, RunDirError> {
        let rows = |name: String| {
            let path: Arc<Path> = self.dir.join(&name).into();
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let builder = table::open(self.metered(&name, &path)?, options, &path)?;
            Ok(builder.metadata().file_metadata().num_rows() as u64)
        };
        self.files(table).into_iter().map(rows).sum()
    }

    pub(super) fn metered(&self, name: &str, path: &Arc<Path>) -> Result<Metered, RunDirError> {
        let meta = self.about(name)?;
        let opened = self.folder.opened(name, &meta)?;
        Ok(Metered::new(opened, path, &self.meter))
    }

    /// What the store says of a file of the run, which must be there.
    pub(super) fn about(&self, name: &str) -> Result<Meta, RunDirError> {
        let path = self.dir.join(name);
        let failed = |error| failed("open", &path, error);
        if let Some(file) = self.folder.file(name) {
            return Ok(store::about(&regular(&file).and_then(|f| f.metadata()).map_err(failed)?));
        }
        let none = || failed(ErrorKind::NotFound.into());
        self.folder.head(name)?.ok_or_else(none)
    }

    /// Opens a file of a table, whose rows follow `before` others, and says how many it has.
    fn open_file(
        &self,
        table: Table,
        (name, path): (&str, &Arc<Path>),
        part: &Part,
        before: u64,
    ) -> Result<(ParquetRecordBatchReader, u64), RunDirError> {
        let fail = |error| TableError::of("read", path, error);
        let file = self.metered(name, path)?;
        // What is read by leaf is held against the leaf's hash, and leaves against their digest.
        let by_leaf = match table {
            Table::Views | Table::States => part.rows.is_some(),
            Table::Leaves => matches!(part.keys, Keys::Tree(_)),
            _ => false,
        };
        if let Some(verified) = self.verified.as_ref().filter(|_| !by_leaf) {
            verified.file(self, name, file.about())?;
        }
        let mut options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        if part.rows.is_some() {
            options = options.with_offset_index_policy(PageIndexPolicy::Optional);
        }
        let mut builder = table::open(file, options, path)?.with_batch_size(RUN_READ_ROWS);
        self.check_columns(table, path, builder.schema().fields())?;
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
        let reader = guarded(|| builder.with_row_groups(groups).build());
        Ok((reader.map_err(fail)?, rows))
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

    /// The names and kinds of the reducer's own columns in a table.
    pub(super) fn own_kinds(&self, table: Table) -> Vec<(String, Kind)> {
        self.shape.own(table).iter().map(|field| (field.name.clone(), field.kind)).collect()
    }

    /// A reducer's own columns in a batch of a table, in declared order.
    pub(super) fn own(&self, table: Table, batch: &Batch) -> Result<Vec<Column>, RunDirError> {
        let own = self.shape.own(table).iter();
        Ok(own.map(|field| batch.column(&field.name, field.kind)).collect::<Result<_, _>>()?)
    }

    /// The columns of a batch that [`RunReader::rows`] read from `table`.
    ///
    /// # Errors
    /// When the batch is of another table.
    pub fn columns(&self, table: Table, batch: &Batch) -> Result<Vec<Named>, RunDirError> {
        let own = self.own_kinds(table);
        let named = |(field, array): (&Arc<Field>, &ArrayRef)| {
            let name = field.name().clone();
            let declared = own.iter().find(|(own, _)| *own == name).map(|(_, kind)| *kind);
            let (kind, column) = column(array, declared)?;
            Some(Named { name, kind, column })
        };
        let columns = batch.arrow().schema_ref().fields().iter().zip(batch.arrow().columns());
        let wrong = || self.wrong(table, "a column is of another type");
        columns.map(named).collect::<Option<_>>().ok_or_else(wrong)
    }

    /// Calls `take` with the reducer's own columns of these numbers (of the view, or of an emit
    /// kind), a batch at a time, in the order of `numbers`: for whoever adds up a field of ten
    /// million rows.
    ///
    /// # Errors
    /// Also when the table has no such columns.
    pub fn chosen(
        &self,
        table: Table,
        numbers: &[usize],
        mut take: impl FnMut(&[Column]),
    ) -> Result<(), RunDirError> {
        let own = self.own_kinds(table);
        let wanted: Option<Vec<_>> = numbers.iter().map(|&number| own.get(number)).collect();
        let wanted = wanted.ok_or_else(|| self.wrong(table, "it has no such column"))?;
        let columns = Some(wanted.iter().map(|(name, _)| name.clone()).collect());
        for batch in self.part(table, Part { columns, ..Part::default() })? {
            let batch = batch?;
            let column = |(name, kind): &&(String, Kind)| batch.column(name, *kind);
            take(&wanted.iter().map(column).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(())
    }
}

/// An array as a column of the kind that a reducer declares, or else of the kind that its type
/// tells.
fn column(array: &dyn Array, declared: Option<Kind>) -> Option<(Kind, Column)> {
    let kind = match (declared, array.data_type()) {
        (Some(kind), _) => kind,
        (None, DataType::Utf8) => Kind::Text,
        (None, DataType::Int64) => Kind::Integer,
        (None, DataType::Timestamp(..)) => Kind::Timestamp,
        (None, DataType::Binary) => Kind::Bytes,
        (None, DataType::Int32) => {
            let values = array.as_primitive::<Int32Type>().values();
            let values = Values::Integer(values.iter().map(|&value| value.into()).collect());
            return Some((Kind::Integer, Column { values, missing: Vec::new() }));
        }
        (None, DataType::FixedSizeBinary(_)) => {
            let hashes: BinaryArray = array.as_fixed_size_binary().iter().collect();
            let values = Values::Bytes(byte_spans(&hashes));
            return Some((Kind::Bytes, Column { values, missing: Vec::new() }));
        }
        _ => return None,
    };
    Some((kind, from_arrow(array, kind)?))
}

pub(super) fn failed(verb: &'static str, path: &Path, error: io::Error) -> RunDirError {
    TableError::Io { verb, path: path.to_path_buf(), error }.into()
}

/// Opens a file of a run. A pipe or a device in its place is none, and would wait or never end.
pub(super) fn regular(path: &Path) -> std::io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    File::open(path)
}

/// What comes of a file that need not be there.
fn found<T>(
    file: io::Result<File>,
    read: impl FnOnce(File) -> io::Result<T>,
) -> io::Result<Option<T>> {
    match file {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        file => file.and_then(read).map(Some),
    }
}

/// Whether a folder holds files that a run begins or ends with.
fn is_begun(folder: &Folder) -> Result<bool, RunDirError> {
    let is_sign = |name: &str| name == "outcomes.parquet" || name.ends_with(".unfinished");
    Ok(folder.list("")?.iter().any(|entry| is_sign(&entry.name)))
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

/// Rows of a table, a batch at a time.
pub struct Rows<'a> {
    run: &'a RunReader,
    table: Table,
    /// Files to come, the next one last.
    files: Vec<String>,
    part: Part,
    /// Rows of the files before.
    before: u64,
    open: Option<(Arc<Path>, ParquetRecordBatchReader)>,
}

impl Rows<'_> {
    fn next_file(&mut self) -> Result<(), RunDirError> {
        self.open = None;
        if let Some(name) = self.files.pop() {
            let path = self.run.dir.join(&name).into();
            let file = (name.as_str(), &path);
            let (reader, rows) = self.run.open_file(self.table, file, &self.part, self.before)?;
            self.before += rows;
            self.open = Some((path, reader));
        }
        Ok(())
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Batch, RunDirError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (path, reader) = self.open.as_mut()?;
            match next_rows(reader) {
                Ok(Some(batch)) => return Some(Ok(Batch::new(path, batch))),
                Err(error) => {
                    let error = TableError::of("read", path, error);
                    self.open = None;
                    return Some(Err(error.into()));
                }
                Ok(None) => {
                    if let Err(error) = self.next_file() {
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}
