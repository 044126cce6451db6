//! Reading a snapshot: every file is checked against its hash before a row of it is used.

use super::format::{Body, GroupFiles, Part, read};
use super::past::{self, Past};
use super::rows::{PLACE_BYTES, digest};
use super::{SnapshotError, SnapshotRef};
use crate::limits::{SNAPSHOT_READ_KEYS, SNAPSHOT_READ_ROWS};
use crate::store::Folder;
use crate::table::{self, Batch, TableError, guarded, next_rows};
use arrow_array::types::UInt32Type;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader};
use retally_core::dedup::Window;
use retally_core::digest::{Hash, History};
use retally_core::log::{Micros, PartitionIndex, Position};
use retally_core::portion::Portion;
use retally_core::snapshot::{Head, IdRows, KeyRows, Needed};
use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

/// A snapshot whose manifest was checked; its rows are still to be read.
#[derive(Debug)]
pub struct Loaded {
    /// What stands at its top.
    pub head: Head,
    /// Which snapshot it is.
    pub reference: SnapshotRef,
    /// Its keys, and the ids that have to be read before the first event.
    pub groups: Groups,
    /// The other ids: they are not read before somebody asks for one.
    pub segments: Segments,
}

/// Segments of ids with an index.
#[derive(Debug)]
pub struct Segments {
    files: Folder,
    parts: Vec<Part>,
}

/// Keys and ids of a snapshot that are still to be read.
#[derive(Debug)]
pub struct Groups {
    left: VecDeque<GroupFiles>,
    files: Folder,
    partitions: Vec<Position>,
    window: Window,
    /// For each number of a partition in files of keys the one that it has in the head.
    homes: Arc<[PartitionIndex]>,
}

/// Keys and ids of a group.
#[derive(Debug)]
pub struct LoadedGroup {
    /// The partition of all of it, by its number in the head; none: of all.
    pub partition: Option<PartitionIndex>,
    /// The keys, in lists; ids number them through. Of a key that stands in several the last
    /// counts.
    pub keys: KeyLists,
    /// Those of its ids that have to be read before the first event: under a span all.
    pub ids: IdSegments,
}

/// The keys of a group, read list by list.
#[derive(Debug)]
pub struct KeyLists {
    files: Folder,
    parts: VecDeque<Part>,
    open: Option<Reader>,
    homes: Arc<[PartitionIndex]>,
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
        let homes = body.homes().unwrap_or_default().into();
        let mut groups = body.groups;
        let head = Head {
            outcomes: outcomes(&self.files, &body.outcomes)?,
            binding: body.binding,
            seed: body.seed,
            partitions: body.partitions,
            highest: body.highest,
            keys: body.keys,
            counts: body.counts,
            empty_state: body.empty_state,
            receipts: body.receipts,
            accepted: body.accepted,
            migrated: body.migrated,
            standing: body.standing,
        };
        let mut indexed = Vec::new();
        for group in &mut groups {
            indexed.extend(group.ids.extract_if(.., |part| part.index.is_some()));
        }
        let groups = Groups {
            left: groups.into(),
            files: self.files.clone(),
            partitions: head.partitions.clone(),
            window: head.binding.settings.window,
            homes,
        };
        let segments = Segments { files: self.files.clone(), parts: indexed };
        Ok(Loaded { head, reference, groups, segments })
    }

    /// Checks every byte of the snapshot, without using it.
    ///
    /// # Errors
    /// The first file that is missing, changed or broken.
    pub fn check(&self) -> Result<(), SnapshotError> {
        let (body, _) = Body::read(&self.files, &self.name)?;
        let mut loaded = self.load(&body.binding)?;
        while let Some(mut group) = loaded.groups.next_group()? {
            let keys = group.keys.all()?;
            while group.ids.next(&keys)?.is_some() {}
        }
        loaded.segments.parts.iter().try_for_each(|part| past::check(&self.files, part))
    }
}

impl Segments {
    /// Opens them for a run that folds a portion of all keys in so many shards.
    ///
    /// # Errors
    /// A segment that is missing, or an index that is missing, changed or broken.
    pub fn open(&self, portion: Portion, shards: usize) -> Result<Past, SnapshotError> {
        Past::open(&self.files, &self.parts, (portion, shards))
    }
}

impl Groups {
    /// The next group; none: that was all.
    pub fn next_group(&mut self) -> Result<Option<LoadedGroup>, SnapshotError> {
        let Some(group) = self.left.pop_front() else { return Ok(None) };
        let partitions = &self.partitions;
        let number = |name: &String| {
            let place = partitions.binary_search_by(|reached| reached.partition.cmp(name));
            place.map(|n| n as PartitionIndex).map_err(|_| SnapshotError::Rows("a group is lost"))
        };
        let (files, homes) = (self.files.clone(), self.homes.clone());
        let keys = KeyLists { files, parts: group.keys.into(), open: None, homes };
        let ids = IdSegments {
            files: self.files.clone(),
            parts: group.ids.into(),
            open: None,
            window: self.window,
        };
        let partition = group.partition.as_ref().map(number).transpose()?;
        Ok(Some(LoadedGroup { partition, keys, ids }))
    }
}

impl KeyLists {
    /// The next keys, in byte order; none: that was all.
    #[allow(clippy::should_implement_trait, reason = "what ends with an error is no iterator")]
    pub fn next(&mut self) -> Result<Option<KeyRows>, SnapshotError> {
        loop {
            let reader = match &mut self.open {
                Some(reader) => reader,
                None => {
                    let Some(part) = self.parts.pop_front() else { return Ok(None) };
                    self.open.insert(Reader::open(&self.files, &part, SNAPSHOT_READ_KEYS)?)
                }
            };
            match reader.next()? {
                Some(batch) => return key_rows(&batch, &self.homes, reader).map(Some),
                None => self.open = None,
            }
        }
    }

    /// All that are left.
    pub fn all(mut self) -> Result<Vec<KeyRows>, SnapshotError> {
        std::iter::from_fn(|| self.next().transpose()).collect()
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
                    self.open.insert(Reader::open(&self.files, &part, SNAPSHOT_READ_ROWS)?)
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

/// The ids of a segment without keys.
pub(super) fn segment_of(files: Folder, part: Part) -> IdSegments {
    IdSegments { files, parts: VecDeque::from([part]), open: None, window: Window::All }
}

/// The rows of a file whose hash was checked.
#[derive(Debug)]
pub(super) struct Reader {
    part: Part,
    path: Arc<Path>,
    rows: ParquetRecordBatchReader,
    read: u64,
}

impl Reader {
    /// Opens a file whose rows come so many at a time.
    pub(super) fn open(files: &Folder, part: &Part, rows: usize) -> Result<Self, SnapshotError> {
        let (bytes, file) = (read(files, &part.path)?, files.show(&part.path));
        if bytes.len() as u64 != part.bytes || Hash::of(&bytes) != part.sha256 {
            return Err(SnapshotError::Changed(file));
        }
        let path: Arc<Path> = Path::new(&file).into();
        let builder = table::open(bytes, ArrowReaderOptions::new(), &path)?;
        let rows = guarded(|| builder.with_batch_size(rows).build());
        let rows = rows.map_err(|error| TableError::of("read", &path, error))?;
        Ok(Self { part: part.clone(), path, rows, read: 0 })
    }

    /// The next rows; none: that was all, and as many as the manifest says.
    pub(super) fn next(&mut self) -> Result<Option<Batch>, SnapshotError> {
        let next = next_rows(&mut self.rows);
        let next = next.map_err(|error| TableError::of("read", &self.path, error))?;
        self.read += next.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        if next.is_none() && self.read != self.part.rows {
            return Err(self.broken("it has another number of rows"));
        }
        Ok(next.map(|batch| Batch::new(&self.path, batch)))
    }

    pub(super) fn broken(&self, why: &str) -> SnapshotError {
        SnapshotError::broken(&self.path.display().to_string(), why)
    }
}

/// The keys of a file, in lists. `homes`: see [`Body::homes`].
pub(super) fn lists_of(files: Folder, part: Part, homes: Arc<[PartitionIndex]>) -> KeyLists {
    KeyLists { files, parts: VecDeque::from([part]), open: None, homes }
}

/// The keys of a batch.
fn key_rows(
    batch: &Batch,
    homes: &[PartitionIndex],
    reader: &Reader,
) -> Result<KeyRows, SnapshotError> {
    let home = |home: &u32| homes.get(*home as usize).copied();
    let home = batch.primitives::<UInt32Type>("home")?.values().iter().map(home).collect();
    let lost = || reader.broken("a key lives in a partition that is not there");
    Ok(KeyRows {
        keys: batch.byte_spans("key")?,
        states: batch.byte_spans("state")?,
        applied: batch.unsigned("applied")?.to_vec(),
        highest: batch.times("highest")?.iter().map(|t| t.unwrap_or(Micros::MIN)).collect(),
        last: batch.times("last")?.iter().map(|t| t.unwrap_or(0)).collect(),
        home: Option::<Vec<_>>::ok_or_else(home, lost)?,
    })
}

/// Drops of each list the keys that stand in a later one, or among `fresh` ones.
pub(crate) fn drop_superseded<'a>(lists: &mut [KeyRows], fresh: impl Iterator<Item = &'a [u8]>) {
    let mut seen: HashSet<&[u8]> = fresh.collect();
    let keep: Vec<Vec<bool>> =
        lists.iter().rev().map(|of| of.keys.iter().map(|key| seen.insert(key)).collect()).collect();
    for (list, keep) in lists.iter_mut().rev().zip(keep) {
        list.retain(|row| keep[row]);
    }
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

/// Number and highest time of a key, as it stands in the last of the lists that have it.
fn find(all: &[KeyRows], key: &[u8]) -> Option<(u32, Micros)> {
    let mut behind = all.iter().map(KeyRows::len).sum::<usize>();
    for rows in all.iter().rev() {
        behind -= rows.len();
        // There may be many, of which a key can be in few.
        if rows.is_empty() || key < rows.keys.get(0) || rows.keys.get(rows.len() - 1) < key {
            continue;
        }
        let (mut from, mut to) = (0, rows.len());
        while from < to {
            let middle = (from + to) / 2;
            if rows.keys.get(middle) < key { from = middle + 1 } else { to = middle }
        }
        if from < rows.len() && rows.keys.get(from) == key {
            return Some(((behind + from) as u32, rows.highest[from]));
        }
    }
    None
}

fn outcomes(files: &Folder, part: &Part) -> Result<Vec<History>, SnapshotError> {
    let mut reader = Reader::open(files, part, SNAPSHOT_READ_ROWS)?;
    let mut all = Vec::new();
    while let Some(batch) = reader.next()? {
        all.extend(batch.trees(batch.unsigned("events")?)?);
    }
    Ok(all)
}
