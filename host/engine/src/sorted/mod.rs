//! Order "sort": a log of files in no order as one of folders, in each of which all events are in
//! order. Whoever reads it has partitions and offsets as of any log: a folder is a partition, and
//! the offset of an event is its rank in the folder, from 0.
//!
//! ```text
//! dt=2026-01-01/part-a   3  1            dt=2026-01-01   1 2 3
//! dt=2026-01-01/part-b   2        -->                    0 1 2   ranks
//! dt=2026-01-02/part-a   5  4            dt=2026-01-02   4 5
//! ```
//!
//! So how the rows of a folder lie in files decides nothing, but where events have the same values:
//! then their places do. A folder is read whole before its first event is given, and beyond what
//! memory may hold it is sorted in files.

mod feed;
mod merge;
mod places;
mod runs;
mod sheet;
#[cfg(test)]
mod tests;

use crate::limits::PARTS_AHEAD;
use crate::log::{End, Feed, Log, LogError, Part, Partition, Reached};
use crate::source::{Layout, named_partition};
use arrow_array::RecordBatch;
use feed::SortedFeed;
use places::Places;
use retally_core::decode::{Addressing, Beside, Plan, Terms};
use retally_core::listed::listed;
use retally_core::log::{Micros, PartitionIndex, Sort};
use retally_core::manifest::{Finding, Object};
use retally_core::receipt::{Growth, Present, Receipt};
use retally_core::reduce::Originals;
use runs::Room;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Names of partitions that a message has.
const NAMES_SHOWN: usize = 5;

/// What the whole log is called where no folders are named.
const WHOLE: &str = "log";

/// How a log is sorted.
#[derive(Debug, Clone)]
pub(crate) struct How {
    pub(crate) sort: Sort,
    pub(crate) addressing: Addressing,
    /// By which events are otherwise read.
    pub(crate) plan: Arc<Plan>,
    /// What may be held of events, of all folders that are read at one time.
    pub(crate) bytes: usize,
    /// Where more than that is kept; none: nowhere.
    pub(crate) dir: Option<PathBuf>,
}

/// Why events cannot be sorted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SortError {
    /// There is more than memory may hold, and nowhere to put it.
    #[error(
        "the events of a folder take more than the {mebibytes} MiB that order \"sort\" may hold: \
         name a folder of this machine with --spill, with room for them, or raise host_memory in \
         [limits]"
    )]
    NoFolder { mebibytes: usize },
    /// The folder does not take them, or give them back.
    #[error(
        "cannot keep events in {} while they are sorted: {error}; name a folder of this machine \
         with --spill, with room for the events of a folder of the log",
        .dir.display()
    )]
    Folder { dir: PathBuf, error: io::Error },
    /// Columns that cannot be put into another order.
    #[error("the rows of this log cannot be sorted: {0}")]
    Columns(Arc<arrow_schema::ArrowError>),
}

/// A log of folders, each in order.
#[derive(Clone)]
pub(crate) struct SortedLog {
    /// Of which folders are read whole.
    whole: Arc<dyn Log>,
    /// The same behind what was taken of it before.
    behind: Arc<dyn Log>,
    folders: Arc<[Folder]>,
    partitions: Arc<[Partition]>,
    parts: Arc<[Part]>,
    /// Of each folder, of which objects were taken before that are as they were.
    kept: Arc<[Option<Kept>]>,
    shared: Arc<Shared>,
}

/// The partitions of a folder.
#[derive(Debug)]
struct Folder {
    partitions: BTreeSet<PartitionIndex>,
}

/// What was taken before of a folder.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    /// Its events.
    events: u64,
    /// How many of its partitions are as they were.
    partitions: usize,
}

/// What all readers of a log share.
struct Shared {
    how: How,
    room: Room,
    places: Places,
    /// Of each partition of the log as it is where it ends, once that is known.
    ends: Mutex<BTreeMap<PartitionIndex, u64>>,
}

impl Shared {
    fn terms(&self) -> Result<Terms, LogError> {
        Terms::new(&self.how.sort, &self.how.addressing, &self.how.plan).map_err(LogError::usage)
    }

    fn note_end(&self, partition: PartitionIndex, end: u64) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let own = ends.entry(partition).or_insert(end);
        *own = end.max(*own);
    }

    fn end(&self, partition: PartitionIndex) -> Option<u64> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(&partition).copied()
    }
}

impl SortedLog {
    /// The events of `log` in order.
    pub(crate) fn new(log: Arc<dyn Log>, how: How) -> Result<Self, LogError> {
        if let Some(open) = log.partitions().iter().find(|own| own.end == End::Open) {
            return Err(LogError::usage(format!(
                "partition {} has no end, and what is sorted has to be whole; write \
                 order = \"log\" in [job]",
                open.name
            )));
        }
        let names = folders(log.as_ref(), how.sort.within.as_deref())?;
        let (mut folders, mut partitions, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (name, own)) in (0..).zip(names) {
            let of_folder = log.parts().iter().filter(|part| own.contains(&part.partition));
            let bytes = of_folder.map(|part| part.bytes).sum();
            parts.push(Part { partition: number, bytes });
            partitions.push(Partition { name, first: 0, end: End::OfParts });
            folders.push(Folder { partitions: own });
        }
        let bytes = how.bytes / folders.len().clamp(1, PARTS_AHEAD);
        let room = Room { bytes, dir: how.dir.clone() };
        let (places, ends) = (Places::new(room.clone()), Mutex::default());
        Ok(Self {
            behind: log.clone(),
            whole: log,
            kept: folders.iter().map(|_| None).collect(),
            folders: folders.into(),
            partitions: partitions.into(),
            parts: parts.into(),
            shared: Arc::new(Shared { how, room, places, ends }),
        })
    }

    /// How far partitions of the log as it is were taken, where folders were taken so far.
    fn reached(&self, reached: &[Reached]) -> Vec<Reached> {
        let first = |own: &Partition| Reached { next: own.first, bytes: None };
        let mut all: Vec<Reached> = self.whole.partitions().iter().map(first).collect();
        for (folder, own) in self.folders.iter().zip(reached) {
            for &partition in &folder.partitions {
                // Of a folder of which anything was taken everything was read.
                let end = self.shared.end(partition).filter(|_| own.next > 0);
                let place = &mut all[partition as usize].next;
                *place = end.unwrap_or(*place);
            }
        }
        all
    }

    /// The number of the folder of a partition of the log as it is, by its name.
    fn folder_of(&self, partition: &str) -> Option<usize> {
        let number = self.number(partition)?;
        self.folders.iter().position(|folder| folder.partitions.contains(&number))
    }

    fn number(&self, partition: &str) -> Option<PartitionIndex> {
        let own = self.whole.partitions();
        let number = own.binary_search_by(|own| own.name.as_str().cmp(partition)).ok()?;
        Some(number as PartitionIndex)
    }

    /// The receipts of the log as it is, by which these were made.
    fn as_it_is(&self, receipts: &[Receipt]) -> Vec<Receipt> {
        let names: Vec<&str> =
            self.whole.partitions().iter().map(|own| own.name.as_str()).collect();
        let of = |receipt: &Receipt| {
            let partition = named_partition(&names, &receipt.object)?.to_owned();
            Some(Receipt { partition, starts: None, ..receipt.clone() })
        };
        receipts.iter().filter_map(of).collect()
    }

    fn lost(&self, (folder, rank): (PartitionIndex, u64)) -> LogError {
        let name = &self.partitions[folder as usize].name;
        LogError::new(format!("event {name}:{rank} was not read, so nobody knows where it lies"))
    }

    /// Where an event lies in the log as it is.
    fn spot(&self, folder: PartitionIndex, rank: u64) -> Result<(PartitionIndex, u64), LogError> {
        let found = self.shared.places.find(folder, rank);
        let found = found.map_err(|error| LogError::new(self.shared.room.failed(error)))?;
        let spot = found.ok_or_else(|| self.lost((folder, rank)))?;
        Ok((spot.partition, spot.offset))
    }
}

/// The folders of a log by their names, and the partitions of each.
fn folders(
    log: &dyn Log,
    within: Option<&str>,
) -> Result<BTreeMap<String, BTreeSet<PartitionIndex>>, LogError> {
    let layout = within.map(Layout::parse).transpose().map_err(LogError::usage)?;
    let (mut folders, mut others) = (BTreeMap::<_, BTreeSet<_>>::new(), Vec::new());
    for (number, partition) in (0..).zip(log.partitions()) {
        let folder = match &layout {
            Some(layout) => layout.folder_of(&partition.name),
            None => Some(WHOLE.to_owned()),
        };
        match folder {
            Some(folder) => _ = folders.entry(folder).or_default().insert(number),
            None => others.push(&partition.name),
        }
    }
    if others.is_empty() {
        return Ok(folders);
    }
    let (within, count) = (within.unwrap_or_default(), others.len());
    let others = listed(others.iter().map(|name| format!("{name:?}")), NAMES_SHOWN, ", ");
    Err(LogError::usage(format!(
        "{count} of {} files lie in no folder `{within}`, within which `order` in [job] sorts: \
         {others}; name the folders as they are, or leave `within` out to sort the whole log",
        log.partitions().len()
    )))
}

impl Log for SortedLog {
    fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn read(&self, part: usize, from: u64) -> Result<Box<dyn Feed>, LogError> {
        let (number, folder) = (part as u32, &self.folders[part]);
        let log = match self.kept[part] {
            Some(kept) if kept.partitions == folder.partitions.len() && from >= kept.events => {
                return Ok(Box::new(SortedFeed::nothing(&self.shared, self.whole.clone(), number)));
            }
            // Of a folder that was taken in part all is read again.
            Some(_) => self.whole.clone(),
            None => self.behind.clone(),
        };
        Ok(Box::new(SortedFeed::new(&self.shared, log, (number, folder))?))
    }

    fn originals(&self) -> Originals {
        self.whole.originals()
    }

    fn rows(
        &self,
        partition: PartitionIndex,
        offsets: &[u64],
    ) -> Result<Vec<RecordBatch>, LogError> {
        let mut wanted = BTreeMap::<PartitionIndex, Vec<(u64, usize)>>::new();
        for (number, &rank) in offsets.iter().enumerate() {
            let (own, offset) = self.spot(partition, rank)?;
            wanted.entry(own).or_default().push((offset, number));
        }
        let mut found: Vec<Option<RecordBatch>> = vec![None; offsets.len()];
        for (own, mut places) in wanted {
            places.sort_unstable();
            let offsets: Vec<u64> = places.iter().map(|(offset, _)| *offset).collect();
            let batches = self.whole.rows(own, &offsets)?;
            let rows = batches
                .iter()
                .flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)));
            for ((_, number), row) in places.into_iter().zip(rows) {
                found[number] = Some(row);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    fn objects(&self) -> Vec<Object> {
        self.whole.objects()
    }

    fn taken(&self, read: &[bool], threads: usize) -> Result<Vec<Object>, LogError> {
        let mut own = vec![false; self.whole.partitions().len()];
        for (folder, _) in self.folders.iter().zip(read).filter(|(_, read)| **read) {
            folder.partitions.iter().for_each(|number| own[*number as usize] = true);
        }
        self.behind.taken(&own, threads)
    }

    fn receipts(&self, reached: &[Reached], threads: usize) -> Result<Vec<Receipt>, LogError> {
        let all = self.behind.receipts(&self.reached(reached), threads)?;
        let own = |receipt: Receipt| {
            let folder = self.folder_of(&receipt.partition)?;
            let partition = self.partitions[folder].name.clone();
            // Whatever is added to it has its place among what was taken.
            Some(Receipt { partition, starts: Some(0), growth: Growth::None, ..receipt })
        };
        Ok(all.into_iter().filter_map(own).collect())
    }

    fn present(
        &self,
        receipts: &[Receipt],
        every_byte: bool,
        threads: usize,
    ) -> Result<Option<Vec<Present>>, LogError> {
        let receipts = self.as_it_is(receipts);
        let Some(present) = self.whole.present(&receipts, every_byte, threads)? else {
            return Ok(None);
        };
        let own = |present: Present| {
            let folder = self.folder_of(&present.partition)?;
            let partition = self.partitions[folder].name.clone();
            Some(Present { partition, starts: Some(0), ..present })
        };
        Ok(Some(present.into_iter().filter_map(own).collect()))
    }

    fn behind(&self, kept: &[Receipt]) -> Option<Arc<dyn Log>> {
        let as_it_is = self.as_it_is(kept);
        let behind = self.whole.behind(&as_it_is)?;
        let mut of: Vec<Option<Kept>> = self.folders.iter().map(|_| None).collect();
        for receipt in &as_it_is {
            let Some(number) = self.number(&receipt.partition) else { continue };
            self.shared.note_end(number, receipt.next);
            let folder = self.folders.iter().position(|own| own.partitions.contains(&number));
            let Some(own) = folder.map(|folder| of[folder].get_or_insert_default()) else {
                continue;
            };
            own.events += receipt.next - self.whole.partitions()[number as usize].first;
            own.partitions += 1;
        }
        Some(Arc::new(Self { behind, kept: of.into(), ..self.clone() }))
    }

    fn within(&self, span: &Range<Micros>) -> Vec<bool> {
        let within = self.whole.within(span);
        let can = |own: &PartitionIndex| within.get(*own as usize).copied().unwrap_or(true);
        self.folders.iter().map(|folder| folder.partitions.iter().any(can)).collect()
    }

    fn findings(&self, reached: Option<&[Reached]>) -> Vec<Finding> {
        self.behind.findings(reached.map(|reached| self.reached(reached)).as_deref())
    }

    fn deletions(&self, within: &[Range<u64>]) -> Vec<u64> {
        // Of a folder of which anything was taken everything was read.
        let all = self.whole.partitions().iter().map(|_| 0..u64::MAX).collect::<Vec<_>>();
        let own = self.behind.deletions(&all);
        let of = |number: &PartitionIndex| own.get(*number as usize).copied().unwrap_or_default();
        let folders = self.folders.iter().zip(within);
        let of_folder = |(folder, taken): (&Folder, &Range<u64>)| match taken.end {
            0 => 0,
            _ => folder.partitions.iter().map(of).sum(),
        };
        folders.map(of_folder).collect()
    }

    fn besides(&self) -> Vec<Beside> {
        self.whole.besides()
    }

    fn place(&self, partition: PartitionIndex, offset: u64) -> Option<String> {
        let (own, offset) = self.spot(partition, offset).ok()?;
        let name = &self.whole.partitions()[own as usize].name;
        let place = self.whole.place(own, offset);
        Some(place.unwrap_or_else(|| format!("`{name}`, event {offset} of it")))
    }
}
