//! Reading a snapshot: every file is checked against its hash before a row of it is used.

use super::files::Files;
use super::format::{Body, Part};
use super::rows::digest;
use super::{SnapshotError, SnapshotRef};
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use retally_core::dedup::Window;
use retally_core::digest::{Hash, History};
use retally_core::log::{Micros, PartitionIndex};
use retally_core::snapshot::{Binding, Head, IdRows, KeyRows};
use std::collections::VecDeque;

/// Rows that are read at a time.
const BATCH_ROWS: usize = 1 << 16;

/// Bytes of keys and states after which another list of keys begins: far below what its ends can
/// name.
const KEYS_MAX_BYTES: usize = 1 << 30;

/// A snapshot whose manifest was checked; its rows are still to be read.
#[derive(Debug)]
pub struct Loaded {
    /// What stands at its top.
    pub head: Head,
    /// Which snapshot it is.
    pub reference: SnapshotRef,
    groups: VecDeque<super::format::GroupFiles>,
    files: Files,
}

/// Keys and ids of a group.
#[derive(Debug)]
pub struct LoadedGroup {
    /// The partition of all of it, by its number in the head; none: of all.
    pub partition: Option<PartitionIndex>,
    /// The keys in byte order, in one list or several; ids number them through.
    pub keys: Vec<KeyRows>,
    /// The ids.
    pub ids: IdSegments,
}

/// The ids of a group, read piece by piece, the oldest segment first: of an id that stands in
/// several, the last counts.
#[derive(Debug)]
pub struct IdSegments {
    files: Files,
    parts: VecDeque<Part>,
    open: Option<(Part, ParquetRecordBatchReader)>,
    window: Window,
    rows: u64,
}

impl SnapshotRef {
    /// Reads the snapshot for a run that is bound by `needed`.
    ///
    /// # Errors
    /// When it is of another reducer or job, saying in what it differs, or when it is broken.
    pub fn load(&self, needed: &Binding) -> Result<Loaded, SnapshotError> {
        let (body, reference) = Body::read(&self.files, &self.name)?;
        if let Some(difference) = body.binding.difference(needed, &body.partitions) {
            return Err(SnapshotError::differs(self, difference));
        }
        let head = Head {
            outcomes: outcomes(&self.files, &body.outcomes)?,
            binding: body.binding,
            seed: body.seed,
            partitions: body.partitions,
            counts: body.counts,
            empty_state: body.empty_state,
        };
        Ok(Loaded { head, reference, groups: body.groups.into(), files: self.files.clone() })
    }

    /// Checks every byte of the snapshot, without using it.
    ///
    /// # Errors
    /// The first file that is missing, changed or broken.
    pub fn check(&self) -> Result<(), SnapshotError> {
        let (body, _) = Body::read(&self.files, &self.name)?;
        self.load(&body.binding)?.each_group(|_, mut group| {
            while group.ids.next(&group.keys)?.is_some() {}
            Ok(())
        })
    }
}

impl Loaded {
    /// Gives every group to `take`, one after another.
    ///
    /// # Errors
    /// A file that is missing, changed or broken, or what `take` says.
    pub fn each_group<E: From<SnapshotError>>(
        mut self,
        mut take: impl FnMut(&Head, LoadedGroup) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(group) = self.next_group()? {
            take(&self.head, group)?;
        }
        Ok(())
    }

    /// The next group; none: that was all.
    ///
    /// # Errors
    /// A file that is missing, changed or broken.
    pub fn next_group(&mut self) -> Result<Option<LoadedGroup>, SnapshotError> {
        let Some(group) = self.groups.pop_front() else { return Ok(None) };
        let partitions = &self.head.partitions;
        let number = |name: &String| {
            let place = partitions.binary_search_by(|reached| reached.partition.cmp(name));
            place.map(|n| n as PartitionIndex).map_err(|_| SnapshotError::Rows("a group is lost"))
        };
        let keys = match &group.keys {
            Some(part) => keys(&self.files, part, partitions.len())?,
            None => Vec::new(),
        };
        let ids = IdSegments {
            files: self.files.clone(),
            parts: group.ids.into(),
            open: None,
            window: self.head.binding.settings.window,
            rows: 0,
        };
        let partition = group.partition.as_ref().map(number).transpose()?;
        Ok(Some(LoadedGroup { partition, keys, ids }))
    }
}

impl IdSegments {
    /// The next ids; none: that was all. `keys` are those of the group.
    ///
    /// # Errors
    /// A file that is missing, changed or broken.
    pub fn next(&mut self, keys: &[KeyRows]) -> Result<Option<IdRows>, SnapshotError> {
        loop {
            if self.open.is_none() {
                let Some(part) = self.parts.pop_front() else { return Ok(None) };
                let reader = open(&self.files, &part)?;
                self.rows = 0;
                self.open = Some((part, reader));
            }
            let Some((part, reader)) = &mut self.open else { continue };
            let file = self.files.show(&part.path);
            let broken = |error: arrow_schema::ArrowError| SnapshotError::broken(&file, error);
            match reader.next().transpose().map_err(broken)? {
                Some(batch) => {
                    self.rows += batch.num_rows() as u64;
                    let spanned = match self.window {
                        Window::Span(span) => Some((span, keys)),
                        Window::All | Window::Off => None,
                    };
                    return id_rows(&batch, spanned, &file).map(Some);
                }
                None if self.rows != part.rows => {
                    return Err(SnapshotError::broken(&file, "it has another number of rows"));
                }
                None => self.open = None,
            }
        }
    }
}

/// A reader over a file whose hash was checked.
fn open(files: &Files, part: &Part) -> Result<ParquetRecordBatchReader, SnapshotError> {
    let (bytes, file) = (files.read(&part.path)?, files.show(&part.path));
    if bytes.len() as u64 != part.bytes || Hash::of(&bytes) != part.sha256 {
        return Err(SnapshotError::Changed { file });
    }
    ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
        .map_err(|error| SnapshotError::broken(&file, error))
}

/// Columns of a batch by name; a file with a good hash can still be of another make.
struct Columns<'a> {
    batch: &'a RecordBatch,
    file: &'a str,
}

impl<'a> Columns<'a> {
    fn get<A>(
        &self,
        name: &str,
        cast: impl Fn(&'a dyn Array) -> Option<&'a A>,
    ) -> Result<&'a A, SnapshotError> {
        let column = self.batch.column_by_name(name).and_then(|column| cast(column.as_ref()));
        column.ok_or_else(|| SnapshotError::broken(self.file, format!("column {name} is wrong")))
    }

    fn bytes(&self, name: &str) -> Result<&'a arrow_array::BinaryArray, SnapshotError> {
        self.get(name, |column| column.as_binary_opt::<i32>())
    }

    fn numbers(&self, name: &str) -> Result<&'a [u64], SnapshotError> {
        let numbers = self.get(name, |column| column.as_primitive_opt::<UInt64Type>())?;
        Ok(numbers.values())
    }

    fn times(
        &self,
        name: &str,
    ) -> Result<&'a arrow_array::TimestampMicrosecondArray, SnapshotError> {
        self.get(name, |column| column.as_primitive_opt::<TimestampMicrosecondType>())
    }
}

fn keys(files: &Files, part: &Part, partitions: usize) -> Result<Vec<KeyRows>, SnapshotError> {
    let file = files.show(&part.path);
    let mut all = vec![KeyRows::default()];
    let mut count = 0;
    for batch in open(files, part)? {
        let batch = batch.map_err(|error| SnapshotError::broken(&file, error))?;
        count += batch.num_rows() as u64;
        let columns = Columns { batch: &batch, file: &file };
        let (keys, states) = (columns.bytes("key")?, columns.bytes("state")?);
        let more = keys.value_data().len() + states.value_data().len();
        let held = all.last().map_or(0, |rows| rows.keys.bytes.len() + rows.states.bytes.len());
        if held + more > KEYS_MAX_BYTES {
            all.push(KeyRows::default());
        }
        let Some(rows) = all.last_mut() else { continue };
        for row in 0..batch.num_rows() {
            rows.keys.push(keys.value(row));
            rows.states.push(states.value(row));
        }
        rows.applied.extend_from_slice(columns.numbers("applied")?);
        rows.highest.extend(columns.times("highest")?.iter().map(|t| t.unwrap_or(Micros::MIN)));
        rows.last.extend(columns.times("last")?.iter().map(|t| t.unwrap_or(0)));
        let home = columns.get("home", |column| column.as_primitive_opt::<UInt32Type>())?;
        rows.home.extend_from_slice(home.values());
    }
    if count != part.rows {
        return Err(SnapshotError::broken(&file, "it has another number of rows"));
    }
    if all.iter().any(|rows| rows.home.iter().any(|&home| home as usize >= partitions)) {
        return Err(SnapshotError::broken(&file, "a key lives in a partition that is not there"));
    }
    Ok(all)
}

/// The ids of a batch; under a span only those that are not forgotten.
fn id_rows(
    batch: &RecordBatch,
    spanned: Option<(Micros, &[KeyRows])>,
    file: &str,
) -> Result<IdRows, SnapshotError> {
    let columns = Columns { batch, file };
    let places = columns.get("place", |column| column.as_fixed_size_binary_opt())?;
    if places.value_length() != 16 {
        return Err(SnapshotError::broken(file, "column place is wrong"));
    }
    let mut rows = IdRows::default();
    let digest_of = |row: usize| places.value(row).try_into().map(digest).unwrap_or_default();
    let content = columns.numbers("content")?;
    let Some((span, all_keys)) = spanned else {
        rows.digests = (0..batch.num_rows()).map(digest_of).collect();
        rows.content = content.to_vec();
        return Ok(rows);
    };
    let (keys, highest) = (columns.bytes("key")?, columns.times("highest")?);
    let mut last = None;
    for (row, &content) in content.iter().enumerate() {
        let key = keys.value(row);
        // The ids of a key follow one another.
        let (number, reached) = match last {
            Some((known, number, reached)) if known == key => (number, reached),
            _ => find(all_keys, key).ok_or_else(|| {
                SnapshotError::broken(file, "an id belongs to a key that is not there")
            })?,
        };
        last = Some((key, number, reached));
        let seen = highest.value(row);
        if reached.saturating_sub(seen) > span {
            continue;
        }
        rows.digests.push(digest_of(row));
        rows.content.push(content);
        rows.keys.push(number);
        rows.highest.push(seen);
    }
    Ok(rows)
}

/// Number and highest time of a key.
fn find(all: &[KeyRows], key: &[u8]) -> Option<(u32, Micros)> {
    let mut before = 0;
    for rows in all {
        let last = rows.len().checked_sub(1)?;
        if rows.keys.get(last) >= key {
            let (mut from, mut to) = (0, rows.len());
            while from < to {
                let middle = (from + to) / 2;
                if rows.keys.get(middle) < key { from = middle + 1 } else { to = middle }
            }
            let found = rows.keys.get(from) == key;
            return found.then(|| (before + from as u32, rows.highest[from]));
        }
        before += rows.len() as u32;
    }
    None
}

fn outcomes(files: &Files, part: &Part) -> Result<Vec<History>, SnapshotError> {
    let file = files.show(&part.path);
    let mut all = Vec::new();
    for batch in open(files, part)? {
        let batch = batch.map_err(|error| SnapshotError::broken(&file, error))?;
        let columns = Columns { batch: &batch, file: &file };
        let names = columns.get("partition", |column| column.as_string_opt::<i32>())?;
        let events = columns.numbers("events")?;
        let (edge, open) = (columns.bytes("edge")?, columns.bytes("open")?);
        for (row, &events) in events.iter().enumerate() {
            let hash = |bytes: &[u8]| bytes.try_into().ok().map(Hash);
            let hashes = edge.value(row).chunks(32).map(hash).collect::<Option<_>>();
            all.push(History {
                partition: names.value(row).to_owned(),
                events,
                edge: hashes.ok_or_else(|| SnapshotError::broken(&file, "an edge is cut"))?,
                open: open.value(row).to_vec(),
            });
        }
    }
    if all.len() as u64 != part.rows {
        return Err(SnapshotError::broken(&file, "it has another number of rows"));
    }
    Ok(all)
}
