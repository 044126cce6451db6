//! Reading a snapshot: every file is checked against its hash before a row of it is used.

use super::format::{Body, GroupFiles, Part, read};
use super::rows::{PLACE_BYTES, digest};
use super::{SnapshotError, SnapshotRef};
use crate::limits::{SNAPSHOT_KEYS_MAX_BYTES, SNAPSHOT_READ_ROWS};
use crate::store::Folder;
use crate::table::{self, Batch, TableError, guarded, next_rows};
use arrow_array::types::UInt32Type;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader};
use retally_core::dedup::Window;
use retally_core::digest::{Hash, History};
use retally_core::log::{Micros, PartitionIndex};
use retally_core::snapshot::{Head, IdRows, KeyRows, Needed};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// A snapshot whose manifest was checked; its rows are still to be read.
#[derive(Debug)]
pub struct Loaded {
    /// What stands at its top.
    pub head: Head,
    /// Which snapshot it is.
    pub reference: SnapshotRef,
    groups: VecDeque<GroupFiles>,
    files: Folder,
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
    files: Folder,
    parts: VecDeque<Part>,
    open: Option<Reader>,
    window: Window,
}

impl SnapshotRef {
    /// Reads the snapshot for a run that is bound by `needed`.
    ///
    /// # Errors
    /// When it is of another reducer or job, saying in what it differs, or when it is broken.
    pub fn load<'a>(&self, needed: impl Into<Needed<'a>>) -> Result<Loaded, SnapshotError> {
        let (body, reference) = Body::read(&self.files, &self.name)?;
        if let Some(difference) = needed.into().difference(&body.binding, &body.partitions) {
            return Err(SnapshotError::differs(self, difference));
        }
        let head = Head {
            outcomes: outcomes(&self.files, &body.outcomes)?,
            binding: body.binding,
            seed: body.seed,
            partitions: body.partitions,
            highest: body.highest,
            counts: body.counts,
            empty_state: body.empty_state,
            receipts: body.receipts,
            accepted: body.accepted,
            migrated: body.migrated,
            standing: body.standing,
        };
        Ok(Loaded { head, reference, groups: body.groups.into(), files: self.files.clone() })
    }

    /// Checks every byte of the snapshot, without using it.
    ///
    /// # Errors
    /// The first file that is missing, changed or broken.
    pub fn check(&self) -> Result<(), SnapshotError> {
        let (body, _) = Body::read(&self.files, &self.name)?;
        let mut loaded = self.load(&body.binding)?;
        while let Some(mut group) = loaded.next_group()? {
            while group.ids.next(&group.keys)?.is_some() {}
        }
        Ok(())
    }
}

impl Loaded {
    /// The next group; none: that was all.
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
        };
        let partition = group.partition.as_ref().map(number).transpose()?;
        Ok(Some(LoadedGroup { partition, keys, ids }))
    }
}

impl IdSegments {
    /// The next ids; none: that was all. `keys` are those of the group.
    pub fn next(&mut self, keys: &[KeyRows]) -> Result<Option<IdRows>, SnapshotError> {
        loop {
            let reader = match &mut self.open {
                Some(reader) => reader,
                None => {
                    let Some(part) = self.parts.pop_front() else { return Ok(None) };
                    self.open.insert(Reader::open(&self.files, &part)?)
                }
            };
            let Some(batch) = reader.next()? else {
                self.open = None;
                continue;
            };
            let spanned = match self.window {
                Window::Span(span) => Some((span, keys)),
                Window::All | Window::Off => None,
            };
            let lost = || reader.broken("an id belongs to a key that is not there");
            return id_rows(&batch, spanned, lost).map(Some);
        }
    }
}

/// The rows of a file whose hash was checked.
#[derive(Debug)]
struct Reader {
    part: Part,
    path: Arc<Path>,
    rows: ParquetRecordBatchReader,
    read: u64,
}

impl Reader {
    fn open(files: &Folder, part: &Part) -> Result<Self, SnapshotError> {
        let (bytes, file) = (read(files, &part.path)?, files.show(&part.path));
        if bytes.len() as u64 != part.bytes || Hash::of(&bytes) != part.sha256 {
            return Err(SnapshotError::Changed(file));
        }
        let path: Arc<Path> = Path::new(&file).into();
        let builder = table::open(bytes, ArrowReaderOptions::new(), &path)?;
        let rows = guarded(|| builder.with_batch_size(SNAPSHOT_READ_ROWS).build());
        let rows = rows.map_err(|error| TableError::of("read", &path, error))?;
        Ok(Self { part: part.clone(), path, rows, read: 0 })
    }

    /// The next rows; none: that was all, and as many as the manifest says.
    fn next(&mut self) -> Result<Option<Batch>, SnapshotError> {
        let next = next_rows(&mut self.rows);
        let next = next.map_err(|error| TableError::of("read", &self.path, error))?;
        self.read += next.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        if next.is_none() && self.read != self.part.rows {
            return Err(self.broken("it has another number of rows"));
        }
        Ok(next.map(|batch| Batch::new(&self.path, batch)))
    }

    fn broken(&self, why: &str) -> SnapshotError {
        SnapshotError::broken(&self.path.display().to_string(), why)
    }
}

fn keys(files: &Folder, part: &Part, partitions: usize) -> Result<Vec<KeyRows>, SnapshotError> {
    let mut reader = Reader::open(files, part)?;
    let mut all = vec![KeyRows::default()];
    while let Some(batch) = reader.next()? {
        let (keys, states) = (batch.bytes("key")?, batch.bytes("state")?);
        let more = keys.value_data().len() + states.value_data().len();
        let held = all.last().map_or(0, |rows| rows.keys.bytes.len() + rows.states.bytes.len());
        if held + more > SNAPSHOT_KEYS_MAX_BYTES {
            all.push(KeyRows::default());
        }
        let Some(rows) = all.last_mut() else { continue };
        for row in 0..batch.len() {
            rows.keys.push(keys.value(row));
            rows.states.push(states.value(row));
        }
        rows.applied.extend_from_slice(batch.unsigned("applied")?);
        rows.highest.extend(batch.times("highest")?.iter().map(|t| t.unwrap_or(Micros::MIN)));
        rows.last.extend(batch.times("last")?.iter().map(|t| t.unwrap_or(0)));
        rows.home.extend_from_slice(batch.primitives::<UInt32Type>("home")?.values());
    }
    if all.iter().any(|rows| rows.home.iter().any(|&home| home as usize >= partitions)) {
        return Err(reader.broken("a key lives in a partition that is not there"));
    }
    Ok(all)
}

/// The ids of a batch; under a span only those that are not forgotten.
fn id_rows(
    batch: &Batch,
    spanned: Option<(Micros, &[KeyRows])>,
    lost: impl Fn() -> SnapshotError,
) -> Result<IdRows, SnapshotError> {
    let places = batch.fixed("place", PLACE_BYTES)?;
    let mut rows = IdRows::default();
    let digest_of = |row: usize| places.value(row).try_into().map(digest).unwrap_or_default();
    let content = batch.unsigned("content")?;
    let Some((span, all_keys)) = spanned else {
        rows.digests = (0..batch.len()).map(digest_of).collect();
        rows.content = content.to_vec();
        return Ok(rows);
    };
    let (keys, highest) = (batch.bytes("key")?, batch.times("highest")?);
    let mut last = None;
    for (row, &content) in content.iter().enumerate() {
        let key = keys.value(row);
        // The ids of a key follow one another.
        let (number, reached) = match last {
            Some((known, number, reached)) if known == key => (number, reached),
            _ => find(all_keys, key).ok_or_else(&lost)?,
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

fn outcomes(files: &Folder, part: &Part) -> Result<Vec<History>, SnapshotError> {
    let mut reader = Reader::open(files, part)?;
    let mut all = Vec::new();
    while let Some(batch) = reader.next()? {
        all.extend(batch.trees(batch.unsigned("events")?)?);
    }
    Ok(all)
}
